"""Tiles of a table of models and activations, coloured by total variation between seeds."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from actrepro.core.formats import number
from actrepro.figures.catalogue import tiles_numbered
from actrepro.figures.sheet import (
    FAINT,
    GROUND,
    MARGIN,
    SOFT,
    WIDTH,
    Header,
    Look,
    Sheet,
    label_width,
)
from actrepro.measures import PRIMARY
from actrepro.results.cells import FAILED, Cell, Stats, every_cell, known, sound
from actrepro.results.schema import Difference
from actrepro.results.words import absence

MOST_COLUMNS = 8
UNRANKED = "#efefef"
# Text on tiles stays dark in every theme of the page.
ON_TILE = "#111111"
TILE_CHARACTERS = 17  # of text in the narrowest tile

Colour = tuple[float, float, float]


def draw_heatmap(header: Header, stats: Stats) -> Sheet:
    """Draw total variation by model and activation as numbers; only sound cells are coloured."""
    lines, columns, _ = _table(stats)
    left, high = label_width(lines) + MARGIN, 0.55
    wide = min(1.6, max(1.05, (WIDTH - left - MARGIN) / len(columns)))
    sheet = Sheet(header, max(WIDTH, left + wide * len(columns) + MARGIN), high * len(lines) + 0.6)
    panel = sheet.panel(left, 0.35, wide * len(columns), high * len(lines))
    draw_tiles(panel, stats)
    return sheet


def draw_tiles(panel: Axes, stats: Stats, short: bool = False) -> None:
    """Draw the tiles in a panel; `short` ones have the number alone, or none if there are many."""
    lines, columns, cells = _table(stats)
    _dress(panel, lines, columns)
    numbered = tiles_numbered(stats)
    if short and not numbered:
        panel.tick_params(axis="x", rotation=90)
    ranked = [cell for cell in cells.values() if sound(cell) and not absence(cell, 2)]
    shade = _shades([known(cell["differences"][PRIMARY])["value"] for cell in ranked])
    for (line, column), cell in cells.items():
        place = columns.index(column), lines.index(line)
        if short:
            _draw_short(panel, *place, cell, shade, numbered)
        else:
            _draw_tile(panel, *place, cell, shade)


def _table(stats: Stats) -> tuple[list[str], list[str], dict[tuple[str, str], Cell]]:
    """Return the names of lines and columns, and the cells; many activations become the lines."""
    cells = {(model, activation): cell for model, activation, cell in every_cell(stats)}
    lines, columns = list(stats["models"]), list(stats["activations"])
    if len(columns) <= MOST_COLUMNS:
        return lines, columns, cells
    return columns, lines, {(column, line): cell for (line, column), cell in cells.items()}


def _dress(panel: Axes, lines: Sequence[str], columns: Sequence[str]) -> None:
    panel.set_xlim(0, len(columns))
    panel.set_ylim(len(lines), 0)
    panel.set_xticks([place + 0.5 for place in range(len(columns))], columns)
    panel.set_yticks([place + 0.5 for place in range(len(lines))], lines)
    panel.xaxis.tick_top()
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _shades(values: Sequence[float]) -> Callable[[float], Colour]:
    """Return a colour scale, light to darker; dark text stays readable on every shade."""
    colours = matplotlib.colormaps["YlGnBu"]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = high - low or 1.0
    return lambda value: to_rgb(colours(0.05 + 0.5 * (value - low) / span)[:3])


def _draw_tile(
    panel: Axes, column: int, line: int, cell: Cell, shade: Callable[[float], Colour]
) -> None:
    missing = absence(cell, 2)
    look: Look = {"ha": "center", "va": "center"}
    mark = "" if sound(cell) else FAILED
    _fill(panel, column, line, cell, shade)
    if missing:
        text = textwrap.fill(missing, TILE_CHARACTERS)
        panel.text(column + 0.5, line + 0.5, f"{text}{mark}", fontsize=7.5, color=SOFT, **look)
        return
    if mark:
        # A plain box keeps the hatching out of the digits.
        look["bbox"] = {"facecolor": UNRANKED, "edgecolor": "none", "pad": 1}
    difference = known(cell["differences"][PRIMARY])
    ink = SOFT if mark else ON_TILE
    value = f"{number(difference['value'])}{mark}"
    panel.text(column + 0.5, line + 0.37, value, color=ink, fontsize=9.5, **look)
    if reach := _reach(cell, difference):
        panel.text(column + 0.5, line + 0.72, reach, color=ink, fontsize=7.5, **look)


def _draw_short(
    panel: Axes,
    column: int,
    line: int,
    cell: Cell,
    shade: Callable[[float], Colour],
    numbered: bool,
) -> None:
    _fill(panel, column, line, cell, shade)
    if not numbered:
        return
    missing = absence(cell, 2)
    mark = "" if sound(cell) else FAILED
    value = "–" if missing else number(known(cell["differences"][PRIMARY])["value"], 3)
    look: Look = {"ha": "center", "va": "center", "fontsize": 7}
    ink = SOFT if missing or mark else ON_TILE
    if mark:
        look["bbox"] = {"facecolor": UNRANKED, "edgecolor": "none", "pad": 0.5}
    panel.text(column + 0.5, line + 0.5, f"{value}{mark}", color=ink, **look)


def _fill(
    panel: Axes, column: int, line: int, cell: Cell, shade: Callable[[float], Colour]
) -> None:
    """Fill a tile: white without a number, hatched where a gate failed, else its shade."""
    if absence(cell, 2):
        _fill_tile(panel, column, line, GROUND, edge=FAINT)
    elif not sound(cell):
        _fill_tile(panel, column, line, UNRANKED, edge=GROUND, hatch="////")
    else:
        value = known(cell["differences"][PRIMARY])["value"]
        _fill_tile(panel, column, line, shade(value), edge=GROUND)


def _fill_tile(
    panel: Axes,
    column: int,
    line: int,
    colour: str | Colour,
    edge: str,
    hatch: str | None = None,
) -> None:
    if hatch:
        # matplotlib draws hatching in the edge's colour, so the hatching is a second patch.
        look: Look = {"hatch": hatch, "edgecolor": FAINT, "linewidth": 0}
        panel.add_patch(Rectangle((column, line), 1, 1, facecolor=colour, **look))
        colour = "none"
    panel.add_patch(Rectangle((column, line), 1, 1, facecolor=colour, edgecolor=edge, linewidth=2))


def _reach(cell: Cell, difference: Difference) -> str:
    n = f"n = {cell['n']}" if cell["excluded"] or difference["interval"] is None else ""
    if difference["interval"] is None:
        return n
    return ", ".join(filter(None, [f"± {difference['half_width']:.4f}", n]))
