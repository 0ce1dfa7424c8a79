"""A figure's page: a header, panels placed in inches, and its two files.

Uses matplotlib without pyplot, whose import takes longer than drawing, and without
the user's own matplotlib settings, so that a figure looks the same everywhere.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from actrepro.core.files import replacing

WIDTH = 8.6  # inches; the width of the report's column
MARGIN = 0.2  # inches of white around everything
COLUMNS = 3
GAP = 0.25  # inches between panels, unless a grid says otherwise
WIDEST_PANEL = 4.5
LINE = 0.17  # inches from a line of the note to the next
NOTE_CHARACTERS = 15  # of the note in an inch, at most
CHARACTER = 0.078  # inches, a generous character of a label

Header = tuple[str, str]  # title and note
Look = dict[str, Any]  # keyword arguments of matplotlib

# In a page these colours follow its theme (`actrepro.report.kit.inline_svg`); a part that must not
# follow it has another colour.
INK, SOFT, FAINT, GRID, GROUND = "#1a1a1a", "#5a5a5a", "#d9d9d9", "#e8e8e8", "#ffffff"
MOST_PIXELS = 20_000  # of a PNG's height; Agg draws none of 65,536 or more
DOTS = 160  # of a PNG in an inch, where its height allows

# Any: the type of the key differs between versions of matplotlib.
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 5,
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    # Text stays text: it can be read aloud, searched and selected.
    "svg.fonttype": "none",
    # Without a fixed salt the ids in an SVG differ from one drawing to the next.
    "svg.hashsalt": "actrepro",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw with these settings and matplotlib's defaults, whatever the user's are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


class Sheet:
    """A white page with a title and a note above a body; all lengths in inches."""

    def __init__(self, header: Header, width: float, height: float) -> None:
        title, note = header
        lines = textwrap.wrap(note, int((width - 2 * MARGIN) * NOTE_CHARACTERS))
        self.width = width
        self.header = 0.45 + LINE * len(lines)
        self.height = self.header + height
        self.figure = Figure(figsize=(width, self.height), facecolor=GROUND)
        self.figure.text(*self._from_top(0.28), title, fontsize=12, fontweight="bold")
        self.figure.text(
            *self._from_top(0.4), "\n".join(lines), va="top", color=SOFT, linespacing=1.35
        )

    def _from_top(self, top: float) -> tuple[float, float]:
        return MARGIN / self.width, 1 - top / self.height

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add an empty panel; `top` counts from below the header."""
        bottom = self.height - self.header - top - height
        return self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def heading(self, text: str, top: float) -> None:
        """Write a block's heading, over a rule across the page."""
        left, height = self.place(MARGIN, top)
        self.figure.text(left, height, text, fontsize=10.5, va="center", color=INK)
        below = height - 0.14 / self.height
        self.figure.add_artist(Line2D([left, 1 - left], [below, below], color=FAINT, linewidth=1))

    def place(self, left: float, top: float) -> tuple[float, float]:
        """Return the figure's coordinates of a point; `top` counts from below the header."""
        return left / self.width, 1 - (self.header + top) / self.height

    def save(self, svg: Path, png: Path) -> None:
        """Write the page as SVG and PNG, inside `style()`, without date or version."""
        unwritten = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with replacing(svg) as partial:
            self.figure.savefig(partial, format="svg", metadata=unwritten)
        dots = min(DOTS, MOST_PIXELS / self.height)
        # A tenth larger than at the default level, and written in half the time.
        quick: Look = {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}}
        with replacing(png) as partial:
            self.figure.savefig(partial, format="png", dpi=dots, **quick)


@dataclass(frozen=True)
class Grid:
    """Equal panels, at most `most` in a line, between labels of given lengths; all in inches."""

    labels: float
    right: float
    count: int
    panel_height: float
    top: float = 0.28
    below: float = 0.62
    gap: float = GAP
    most: int = COLUMNS

    @property
    def columns(self) -> int:
        """Number of panels in a line."""
        return min(self.most, self.count)

    @property
    def lines(self) -> int:
        """Number of lines of panels."""
        return math.ceil(self.count / self.columns)

    @property
    def height(self) -> float:
        """Height of all lines, titles and scales included."""
        return self.lines * (self.panel_height + self.below) + self.top

    def panels(self, sheet: Sheet, top: float) -> list[Axes]:
        """Add the panels, from `top` inches below the header."""
        room = sheet.width - self.labels - self.right - 2 * MARGIN - self.gap * (self.columns - 1)
        width = min(room / self.columns, WIDEST_PANEL)
        return [
            sheet.panel(
                MARGIN + self.labels + (index % self.columns) * (width + self.gap),
                top + self.top + index // self.columns * (self.panel_height + self.below),
                width,
                self.panel_height,
            )
            for index in range(self.count)
        ]


def mean_look(colour: str, filled: bool) -> Look:
    """Return the look of a mean's marker: hollow where the cell failed a gate."""
    inside = colour if filled else GROUND
    return {"markerfacecolor": inside, "markeredgecolor": colour, "markeredgewidth": 1.3}


def label_width(names: Iterable[str]) -> float:
    """Estimate the width in inches of the longest of these labels."""
    return max(map(len, names)) * CHARACTER + 0.15
