"""Figures with all cells of a scale at once: total variation against loss, and the heatmap."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from actrepro.cells import FAILED, Cell, Stats, absence, cells_of, gate_mark, sound
from actrepro.drawing.palette import activation_colours, model_markers
from actrepro.drawing.sheet import (
    FAINT,
    INK,
    MARGIN,
    SOFT,
    WIDTH,
    Header,
    Look,
    Sheet,
    label_width,
    mean_look,
)
from actrepro.formats import listed, number
from actrepro.measures import PRIMARY

LEGEND_LINE = 0.162  # inches
NOTE_LINE = 0.16  # inches
MOST_COLUMNS = 8
HOLLOW = "failed a gate"
UNRANKED = "#efefef"
TILE_CHARACTERS = 17  # of text in the narrowest tile


def draw_tradeoff(header: Header, stats: Stats) -> Sheet:
    """Total variation between seeds against loss, all cells."""
    colours = activation_colours(stats["activations"])
    markers = model_markers(list(stats["models"]))
    beyond = _beyond(stats)
    absent = [*_absent(stats), *(_told(*one) for one in beyond)]
    height = max(4.4, LEGEND_LINE * (len(colours) + len(markers) + 5))
    names = label_width([*colours, *markers, HOLLOW]) + 0.45
    sheet = Sheet(header, WIDTH, height + 0.75 + NOTE_LINE * len(absent))
    panel = sheet.panel(0.75, 0.1, WIDTH - 0.95 - names, height)
    panel.grid()
    panel.set_xlabel("test loss, nats per character")
    panel.set_ylabel("total variation between seeds")
    drawn = [one for one in _cells(stats) if not absence(one[2], 2) and one not in beyond]
    for model, activation, cell in drawn:
        _draw_cell(panel, cell, markers[model], colours[activation])
    _mark_bigram(panel, stats)
    hollow = not all(sound(cell) for _, _, cell in drawn)
    _draw_legends(sheet, WIDTH - names, colours, markers, hollow)
    for line, text in enumerate(absent):
        where = sheet.place(MARGIN, height + 0.65 + NOTE_LINE * line)
        sheet.figure.text(*where, text, fontsize=7.5, color=SOFT, style="italic")
    return sheet


def _cells(stats: Stats) -> Iterator[tuple[str, str, Cell]]:
    for model in stats["models"]:
        for activation, cell in cells_of(stats, model).items():
            yield model, activation, cell


def _absent(stats: Stats) -> list[str]:
    """The cells without a difference, by reason."""
    reasons: dict[str, list[str]] = {}
    for model, activation, cell in _cells(stats):
        if reason := absence(cell, 2):
            reasons.setdefault(reason, []).append(f"{model} {activation}")
    return [f"not shown ({reason}): {listed(names, 5)}" for reason, names in reasons.items()]


def _beyond(stats: Stats) -> list[tuple[str, str, Cell]]:
    """Cells that failed a gate so far from all sound ones that these would be squeezed."""
    there = [one for one in _cells(stats) if not absence(one[2], 2)]
    judged = [_estimates(cell) for _, _, cell in there if sound(cell)]
    if not judged:
        return []
    frame = [_widened(estimates) for estimates in zip(*judged, strict=True)]
    return [
        one
        for one in there
        if not sound(one[2])
        and any(
            not low <= estimate["value"] <= high
            for estimate, (low, high) in zip(_estimates(one[2]), frame, strict=True)
        )
    ]


def _estimates(cell: Cell) -> tuple[Cell, Cell]:
    return cell["metrics"]["loss.all"], cell["differences"][PRIMARY]


def _widened(estimates: Sequence[Cell]) -> tuple[float, float]:
    """What these take, intervals included, and on either side as much again."""
    ends = [end for one in estimates for end in (one["value"], *(one["interval"] or ()))]
    reach = max(ends) - min(ends)
    return min(ends) - reach, max(ends) + reach


def _told(model: str, activation: str, cell: Cell) -> str:
    loss, variation = (number(one["value"], 3) for one in _estimates(cell))
    return (
        f"not shown ({gate_mark(cell)}): {model} {activation} at loss {loss}, "
        f"total variation {variation}"
    )


def _draw_cell(panel: Axes, cell: Cell, marker: str, colour: str) -> None:
    loss, difference = _estimates(cell)
    x, y = loss["value"], difference["value"]
    whisker: Look = {"color": colour, "linewidth": 0.8, "alpha": 0.35, "zorder": 1.5}
    if loss["interval"] is not None:
        panel.plot(loss["interval"], [y, y], **whisker)
    if difference["interval"] is not None:
        panel.plot([x, x], difference["interval"], **whisker)
    filled = sound(cell)
    panel.plot([x], [y], marker=marker, markersize=7, zorder=3, **mean_look(colour, filled))


def _mark_bigram(panel: Axes, stats: Stats) -> None:
    loss = stats["evaluation"]["baselines"]["bigram"]["loss"]
    low, high = panel.get_xlim()
    if low < loss < high:
        panel.axvline(loss, color=SOFT, linestyle=":", linewidth=1)
        where: Look = {"transform": panel.get_xaxis_transform(), "rotation": 90, "va": "top"}
        panel.text(loss, 0.99, " bigram table", ha="right", fontsize=7.5, color=SOFT, **where)


def _draw_legends(
    sheet: Sheet,
    left: float,
    colours: Mapping[str, str],
    markers: Mapping[str, str],
    hollow: bool,
) -> None:
    dot: Look = {"linestyle": "none", "markersize": 7}
    activations = [
        Line2D([], [], marker="o", label=name, **mean_look(colour, True), **dot)
        for name, colour in colours.items()
    ]
    models = [
        Line2D([], [], marker=marker, label=name, **mean_look(SOFT, True), **dot)
        for name, marker in markers.items()
    ]
    if hollow:
        models.append(Line2D([], [], marker="o", label=HOLLOW, **mean_look(SOFT, False), **dot))
    look: Look = {
        "loc": "upper left",
        "alignment": "left",
        "labelspacing": 0.35,
        "handletextpad": 0.2,
    }
    second = LEGEND_LINE * (len(activations) + 2.4)
    for title, handles, top in (("activation", activations, 0.0), ("model", models, second)):
        sheet.figure.legend(
            handles=handles,
            title=title,
            title_fontproperties={"weight": "bold", "size": 8.5},
            bbox_to_anchor=sheet.place(left, top),
            **look,
        )


def draw_heatmap(header: Header, stats: Stats) -> Sheet:
    """Total variation by model and activation, printed in its cell; sound cells are coloured."""
    cells = {(model, activation): cell for model, activation, cell in _cells(stats)}
    lines, columns = list(stats["models"]), list(stats["activations"])
    if len(columns) > MOST_COLUMNS:
        cells = {(activation, model): cell for (model, activation), cell in cells.items()}
        lines, columns = columns, lines
    left, high = label_width(lines) + MARGIN, 0.55
    wide = min(1.6, max(1.05, (WIDTH - left - MARGIN) / len(columns)))
    sheet = Sheet(header, max(WIDTH, left + wide * len(columns) + MARGIN), high * len(lines) + 0.6)
    panel = sheet.panel(left, 0.35, wide * len(columns), high * len(lines))
    _dress_tiles(panel, lines, columns)
    ranked = [cell for cell in cells.values() if sound(cell) and not absence(cell, 2)]
    shade = _shades([cell["differences"][PRIMARY]["value"] for cell in ranked])
    for (line, column), cell in cells.items():
        _draw_tile(panel, columns.index(column), lines.index(line), cell, shade)
    return sheet


def _dress_tiles(panel: Axes, lines: Sequence[str], columns: Sequence[str]) -> None:
    panel.set_xlim(0, len(columns))
    panel.set_ylim(len(lines), 0)
    panel.set_xticks([place + 0.5 for place in range(len(columns))], columns)
    panel.set_yticks([place + 0.5 for place in range(len(lines))], lines)
    panel.xaxis.tick_top()
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _shades(values: Sequence[float]) -> Callable[[float], tuple[float, float, float]]:
    """Light for the smallest value, darker for the largest; black text stays readable on all."""
    colours = matplotlib.colormaps["YlGnBu"]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = high - low or 1.0
    return lambda value: to_rgb(colours(0.05 + 0.5 * (value - low) / span)[:3])


def _draw_tile(
    panel: Axes,
    column: int,
    line: int,
    cell: Cell,
    shade: Callable[[float], tuple[float, float, float]],
) -> None:
    missing = absence(cell, 2)
    difference = cell["differences"][PRIMARY]
    look: Look = {"ha": "center", "va": "center"}
    mark = "" if sound(cell) else FAILED
    if missing:
        _fill_tile(panel, column, line, "white", edge=FAINT)
        text = textwrap.fill(missing, TILE_CHARACTERS)
        panel.text(column + 0.5, line + 0.5, f"{text}{mark}", fontsize=7.5, color=SOFT, **look)
        return
    if mark:
        _fill_tile(panel, column, line, UNRANKED, edge="white", hatch="////")
        # The hatching would run through the digits.
        look["bbox"] = {"facecolor": UNRANKED, "edgecolor": "none", "pad": 1}
    else:
        _fill_tile(panel, column, line, shade(difference["value"]), edge="white")
    ink = SOFT if mark else INK
    value = f"{number(difference['value'])}{mark}"
    panel.text(column + 0.5, line + 0.37, value, color=ink, fontsize=9.5, **look)
    if reach := _reach(cell, difference):
        panel.text(column + 0.5, line + 0.72, reach, color=ink, fontsize=7.5, **look)


def _fill_tile(
    panel: Axes,
    column: int,
    line: int,
    colour: str | tuple[float, float, float],
    edge: str,
    hatch: str | None = None,
) -> None:
    if hatch:
        # A patch's edge has its hatching's colour: the hatching is a patch of its own.
        look: Look = {"hatch": hatch, "edgecolor": FAINT, "linewidth": 0}
        panel.add_patch(Rectangle((column, line), 1, 1, facecolor=colour, **look))
        colour = "none"
    panel.add_patch(Rectangle((column, line), 1, 1, facecolor=colour, edgecolor=edge, linewidth=2))


def _reach(cell: Cell, difference: Cell) -> str:
    n = f"n = {cell['n']}" if cell["excluded"] or difference["interval"] is None else ""
    if difference["interval"] is None:
        return n
    low, high = difference["interval"]
    return ", ".join(filter(None, [f"± {(high - low) / 2:.4f}", n]))
