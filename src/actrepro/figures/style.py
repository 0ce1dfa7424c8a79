"""The look that all figures share: colours, markers, legends, and words in a panel.

An activation has one colour and a model one marker in every figure. The six activations and
models of the default study come first: their colours are Okabe and Ito's, which people with
colour blindness can tell apart. A name that is not listed here takes a spare, chosen by a
hash of the name.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from actrepro.figures.sheet import GROUND, MARGIN, SOFT, Grid, Look, Sheet, mean_look

ACTIVATION_COLOURS: Mapping[str, str] = {
    "relu": "#0072B2",
    "gelu": "#E69F00",
    "swish": "#009E73",
    "smelu_05": "#CC79A7",
    "smelu_1": "#D55E00",
    "swiglu": "#56B4E9",
    "geglu": "#332288",
    "reglu": "#882255",
    "mish": "#44AA99",
    "elu": "#999933",
    "selu": "#C0A63A",
    "squared_relu": "#117733",
    "softplus": "#AA4499",
    "tanh": "#661100",
    "prelu": "#6699CC",
    "rrelu": "#888888",
    "apl": "#AA4466",
    "gsmelu": "#4477AA",
    "identity": "#000000",
    "sine": "#CC6677",
    "step": "#555555",
}
SPARE_COLOURS = ("#1B6CA8", "#8A5A00", "#3B7A57", "#7B2D8B", "#B03A2E", "#2F4F4F", "#9C6B98")

MODEL_MARKERS: Mapping[str, str] = {
    "charlm": "o",
    "minigpt": "s",
    "nanotransformer": "^",
    "convlm": "D",
    "hybridlm": "v",
    "tinylstm": "P",
}
SPARE_MARKERS = ("X", "<", ">", "p", "h", "*", "8", "d")

LEGEND_LINE = 0.19  # inches from a line of a legend to the next
LEGEND_ENTRY = 0.5  # inches of an entry besides its words
LEGEND_LETTER = 0.075  # inches of a letter


def activation_colours(names: Sequence[str]) -> dict[str, str]:
    """Return each activation's colour."""
    return _assigned(names, ACTIVATION_COLOURS, SPARE_COLOURS)


def model_markers(names: Sequence[str]) -> dict[str, str]:
    """Return each model's marker."""
    return _assigned(names, MODEL_MARKERS, SPARE_MARKERS)


def _assigned(
    names: Sequence[str], listed: Mapping[str, str], spares: Sequence[str]
) -> dict[str, str]:
    chosen = {name: listed[name] for name in names if name in listed}
    free = list(spares)
    for name in sorted(set(names) - set(listed)):
        # Choosing by the name keeps its look the same in most studies. Spares are shared only
        # when there are more names than spares.
        free = free or list(spares)
        chosen[name] = free.pop(zlib.crc32(name.encode()) % len(free))
    return {name: chosen[name] for name in names}


def legend_columns(names: Sequence[str], width: float) -> int:
    """Count the entries that fit side by side into a width in inches."""
    entry = LEGEND_ENTRY + LEGEND_LETTER * max(map(len, names))
    return max(1, min(len(names), int((width - 2 * MARGIN) / entry)))


def legend_height(names: Sequence[str], width: float) -> float:
    """Return the height in inches of a legend of these names."""
    columns = legend_columns(names, width)
    return LEGEND_LINE * -(-len(names) // columns) + 0.12


def draw_legend(sheet: Sheet, top: float, handles: Sequence[Artist]) -> None:
    """Draw a legend from `top` inches below the header, across the page."""
    names = [str(handle.get_label()) for handle in handles]
    sheet.figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=sheet.place(MARGIN, top),
        borderaxespad=0.0,
        columnspacing=1.4,
        handletextpad=0.4,
        labelspacing=0.3,
        ncols=legend_columns(names, sheet.width),
    )


def lines_of(colours: Mapping[str, str]) -> list[Artist]:
    """Return a line in each activation's colour, for a legend."""
    return [
        Line2D([], [], color=colour, linewidth=1.6, label=name) for name, colour in colours.items()
    ]


def dots_of(markers: Mapping[str, str]) -> list[Artist]:
    """Return a dot with each model's marker, for a legend."""
    look: Look = {"linestyle": "none", "markersize": 5.5, **mean_look(SOFT, True)}
    return [Line2D([], [], marker=marker, label=name, **look) for name, marker in markers.items()]


def say(panel: Axes, text: str, place: tuple[float, float] = (0.5, 0.5)) -> None:
    """Write in a panel why it has nothing to show."""
    look: Look = {"transform": panel.transAxes, "ha": "center", "va": "center", "color": SOFT}
    panel.text(*place, text, fontsize=7.5, style="italic", **look)


def say_in_corner(panel: Axes, text: str) -> None:
    """Write a remark in a panel's upper right corner, over whatever is there."""
    ground = {"facecolor": GROUND, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
    look: Look = {"fontsize": 7.5, "style": "italic", "color": SOFT, "ha": "right", "va": "top"}
    panel.text(0.98, 0.97, text, transform=panel.transAxes, bbox=ground, **look)


def name_y(panel: Axes, index: int, grid: Grid, name: str, share: bool = True) -> None:
    """Name the vertical scale in the first column; the others only have numbers."""
    if index % grid.columns == 0:
        panel.set_ylabel(name)
    elif share:
        panel.tick_params(labelleft=False)
