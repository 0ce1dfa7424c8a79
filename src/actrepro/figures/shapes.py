"""The activation functions of a study, each with its derivative."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from actrepro.core.model_cards import Curve
from actrepro.figures.sheet import SOFT, WIDTH, Grid, Header, Look, Sheet
from actrepro.figures.style import activation_colours, draw_legend, legend_height
from actrepro.results.cells import Stats

# The vertical axis ends here at the latest: powers of x grow far beyond.
LOWEST, HIGHEST = -1.5, 4.2
VALUE: Look = {"linewidth": 1.6}
DERIVATIVE: Look = {"linewidth": 1.2, "linestyle": (0, (3, 1.5))}


def draw_activations(header: Header, stats: Stats, curves: Mapping[str, Curve]) -> Sheet:
    """Draw each activation of the study on the same scale, its derivative dashed."""
    names = list(stats["activations"])
    colours = activation_colours(names)
    grid = Grid(0.35, 0.0, len(names), 1.5, below=0.5, gap=0.2, most=4)
    key = [
        Line2D([], [], color=SOFT, label="the function", **VALUE),
        Line2D([], [], color=SOFT, label="its derivative", **DERIVATIVE),
    ]
    labels = [str(line.get_label()) for line in key]
    sheet = Sheet(header, WIDTH, grid.height + legend_height(labels, WIDTH))
    panels = grid.panels(sheet, 0.0)
    limits = _limits([curves[name] for name in names if name in curves])
    for index, (name, panel) in enumerate(zip(names, panels, strict=True)):
        panel.set_title(name)
        panel.grid()
        panel.set_ylim(*limits)
        panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.tick_params(labelleft=index % grid.columns == 0)
        _draw_curve(panel, curves.get(name), colours[name])
    draw_legend(sheet, grid.height, key)
    return sheet


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the range of all values, cut at `LOWEST` and `HIGHEST`."""
    every = [value for curve in curves for value in (*curve["y"], *curve["derivative"])]
    values = [value for value in every if value is not None] or [0.0, 1.0]
    return max(LOWEST, min(values) - 0.2), min(HIGHEST, max(values) + 0.2)


def _draw_curve(panel: Axes, curve: Curve | None, colour: str) -> None:
    if curve is None:
        look: Look = {"ha": "center", "va": "center", "fontsize": 7.5, "color": SOFT}
        panel.text(0.5, 0.5, "no curve recorded", transform=panel.transAxes, **look)
        return
    panel.axhline(0, color=SOFT, linewidth=0.7)
    panel.axvline(0, color=SOFT, linewidth=0.7)
    panel.plot(curve["x"], _drawn(curve["y"]), color=colour, **VALUE)
    panel.plot(curve["x"], _drawn(curve["derivative"]), color=colour, **DERIVATIVE)
    if curve["gated"]:
        look = {"fontsize": 7.5, "fontweight": "normal", "style": "italic", "color": SOFT}
        panel.set_title("of the gate", loc="right", **look)


def _drawn(values: Sequence[float | None]) -> list[float]:
    """Return the values with a gap in place of each missing one."""
    return [math.nan if value is None else value for value in values]
