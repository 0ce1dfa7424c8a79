"""Legends below a figure's panels: what colours, markers and lines stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from actrepro.figures.sheet import MARGIN, SOFT, Look, Sheet, mean_look

LINE = 0.19  # inches from a line of a legend to the next
ENTRY = 0.5  # inches of an entry besides its words
LETTER = 0.075  # inches of a letter


def legend_columns(names: Sequence[str], width: float) -> int:
    """How many entries stand side by side in so many inches."""
    entry = ENTRY + LETTER * max(map(len, names))
    return max(1, min(len(names), int((width - 2 * MARGIN) / entry)))


def legend_height(names: Sequence[str], width: float) -> float:
    """Inches that a legend of these names takes below the panels."""
    columns = legend_columns(names, width)
    return LINE * -(-len(names) // columns) + 0.12


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
    """A line in each activation's colour."""
    return [
        Line2D([], [], color=colour, linewidth=1.6, label=name) for name, colour in colours.items()
    ]


def dots_of(markers: Mapping[str, str]) -> list[Artist]:
    """Each model's marker."""
    look: Look = {"linestyle": "none", "markersize": 5.5, **mean_look(SOFT, True)}
    return [Line2D([], [], marker=marker, label=name, **look) for name, marker in markers.items()]
