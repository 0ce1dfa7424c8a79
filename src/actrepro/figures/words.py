"""Words in a panel: why it is empty, what its lines amount to, the name of its scale."""

from __future__ import annotations

from matplotlib.axes import Axes

from actrepro.figures.sheet import GROUND, SOFT, Grid, Look


def say(panel: Axes, text: str, place: tuple[float, float] = (0.5, 0.5)) -> None:
    """Say in a panel why it has nothing to show."""
    look: Look = {"transform": panel.transAxes, "ha": "center", "va": "center", "color": SOFT}
    panel.text(*place, text, fontsize=7.5, style="italic", **look)


def say_in_corner(panel: Axes, text: str) -> None:
    """Remark on what a panel shows, in its upper right corner, over whatever is there."""
    ground = {"facecolor": GROUND, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
    look: Look = {"fontsize": 7.5, "style": "italic", "color": SOFT, "ha": "right", "va": "top"}
    panel.text(0.98, 0.97, text, transform=panel.transAxes, bbox=ground, **look)


def name_y(panel: Axes, index: int, grid: Grid, name: str, share: bool = True) -> None:
    """Name the vertical scale in the first column; others only have numbers of their own."""
    if index % grid.columns == 0:
        panel.set_ylabel(name)
    elif share:
        panel.tick_params(labelleft=False)
