"""Figures of breakdowns: disagreement by place, calibration, and ensembles of seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from actrepro.core.formats import number, spread
from actrepro.figures.catalogue import MOST_LINES, MOST_SYMBOLS
from actrepro.figures.sheet import FAINT, INK, SOFT, WIDTH, Grid, Header, Look, Sheet
from actrepro.figures.style import (
    activation_colours,
    draw_legend,
    legend_height,
    lines_of,
    name_y,
    say,
    say_in_corner,
)
from actrepro.measures.shapes import Breakdown, Calibration
from actrepro.results.cells import ComparedCell, Stats, cells_of, compared_cells, known, sound

# `breakdown.json` by model.
Breakdowns = Mapping[str, Breakdown]
# Points of a panel, by activation.
Lines = Mapping[str, tuple[Sequence[float], Sequence[float]]]

# A bin with a smaller share of the characters is left out: its mean is noise.
LEAST_SHARE = 0.01
SHOWN = {" ": "␣", "\n": "⏎", "\t": "⇥"}
NOBODY = "no cell has two runs to compare"


def draw_where(header: Header, stats: Stats, breakdowns: Breakdowns) -> Sheet:
    """Draw, by model, total variation by true symbol, by confidence, and along the text."""
    colours = activation_colours(stats["activations"])
    grid = Grid(0.45, 0.0, 3 * len(stats["models"]), 1.3, below=0.6, gap=0.3)
    sheet = Sheet(header, WIDTH, grid.height + legend_height(list(colours), WIDTH))
    panels = grid.panels(sheet, 0.0)
    highest = 0.0
    for index, model in enumerate(stats["models"]):
        symbols, confidence, along = panels[3 * index : 3 * index + 3]
        cells = compared_cells(breakdowns[model])
        symbols.set_title(model)
        symbols.set_ylabel("total variation")
        for panel in (confidence, along):
            panel.tick_params(labelleft=False)
        if not cells:
            say(symbols, NOBODY)
        styles = _styles(stats, model, colours)
        for panel, lines in (
            (symbols, _by_symbol(symbols, cells)),
            (confidence, _by_confidence(cells)),
            (along, _by_position(cells)),
        ):
            _draw_lines(panel, lines, styles, ticks=panel is symbols)
            highest = max([highest, *(value for _, values in lines.values() for value in values)])
        confidence.set_xlim(0, 1)
        along.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for panel in panels:
        panel.set_ylim(0, 1.06 * highest or 1)
        panel.grid(axis="y")
        panel.yaxis.set_major_locator(MaxNLocator(4))
    for panel, name in zip(
        panels[-3:],
        ("true symbol, the most frequent first", "mean top probability", "position in the text"),
        strict=True,
    ):
        panel.set_xlabel(name)
    draw_legend(sheet, grid.height, lines_of(colours))
    return sheet


def _by_symbol(panel: Axes, cells: Mapping[str, ComparedCell]) -> Lines:
    """Name the symbols below the panel (all runs predict the same text) and return the lines."""
    for cell in list(cells.values())[:1]:
        names = [visible(row["symbol"]) for row in cell["by_symbol"][:MOST_SYMBOLS]]
        panel.set_xticks(range(len(names)), names, parse_math=False)
        panel.tick_params(axis="x", length=0)
    return {
        name: _points(enumerate(row["total_variation"] for row in cell["by_symbol"][:MOST_SYMBOLS]))
        for name, cell in cells.items()
    }


def visible(symbol: str) -> str:
    """Return a symbol as a label: an invisible one by its sign or its number."""
    if symbol in SHOWN:
        return SHOWN[symbol]
    return symbol if symbol.isprintable() else f"{ord(symbol):x}"


def _by_confidence(cells: Mapping[str, ComparedCell]) -> Lines:
    return {
        name: _points(
            ((row["low"] + row["high"]) / 2, row["total_variation"])
            for row in cell["by_confidence"]
            if row["share"] >= LEAST_SHARE
        )
        for name, cell in cells.items()
    }


def _by_position(cells: Mapping[str, ComparedCell]) -> Lines:
    return {
        name: _points(
            (row["start"] + row["characters"] / 2, row["total_variation"])
            for row in cell["by_position"]
        )
        for name, cell in cells.items()
    }


def _points(pairs: Iterable[tuple[float, float | None]]) -> tuple[list[float], list[float]]:
    known = [(x, y) for x, y in pairs if y is not None]
    return [x for x, _ in known], [y for _, y in known]


def _styles(stats: Stats, model: str, colours: Mapping[str, str]) -> dict[str, Look]:
    """Return the looks of a model's lines: dashed where the cell failed a gate."""
    return {
        name: {"color": colours[name], "linestyle": "-" if sound(cell) else (0, (2.5, 1.5))}
        for name, cell in cells_of(stats, model).items()
    }


def _draw_lines(panel: Axes, lines: Lines, styles: Mapping[str, Look], ticks: bool) -> None:
    """Draw a line per activation, or the median and range of many; symbols have dashes."""
    if len(lines) > MOST_LINES:
        _draw_range(panel, lines)
        return
    for name, (x, y) in lines.items():
        if ticks:
            sound_look = styles[name]["linestyle"] == "-"
            look: Look = {"linewidth": 1.6, "alpha": 1 if sound_look else 0.45}
            _draw_dashes(panel, x, y, {"color": styles[name]["color"], **look})
        else:
            panel.plot(x, y, linewidth=1.1, **styles[name])


def _draw_dashes(panel: Axes, x: Sequence[float], y: Sequence[float], look: Look) -> None:
    """Draw a dash at each place; one line with gaps holds them all, which keeps the SVG small."""
    # matplotlib breaks a line at NaN.
    gap = float("nan")
    across = [place for middle in x for place in (middle - 0.32, middle + 0.32, middle)]
    up = [height for value in y for height in (value, value, gap)]
    panel.plot(across, up, **look)


def _draw_range(panel: Axes, lines: Lines) -> None:
    values: dict[float, list[float]] = {}
    for x, y in lines.values():
        for place, value in zip(x, y, strict=True):
            values.setdefault(place, []).append(value)
    places = sorted(values)
    low, high = ([end(values[place]) for place in places] for end in (min, max))
    panel.fill_between(places, low, high, color=FAINT, linewidth=0)
    panel.plot(places, [median(values[place]) for place in places], color=INK, linewidth=1.2)


def draw_calibration(header: Header, stats: Stats, breakdowns: Breakdowns) -> Sheet:
    """Draw accuracy against top probability: a panel per model, a line per activation."""
    colours = activation_colours(stats["activations"])
    grid = Grid(0.5, 0.0, len(stats["models"]), 2.1, below=0.62, gap=0.3)
    sheet = Sheet(header, WIDTH, grid.height + legend_height(list(colours), WIDTH))
    panels = grid.panels(sheet, 0.0)
    for index, (model, panel) in enumerate(zip(stats["models"], panels, strict=True)):
        panel.set_title(model)
        panel.set(xlim=(0, 1), ylim=(0, 1))
        panel.grid()
        panel.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
        name_y(panel, index, grid, "accuracy")
        cells = {
            name: known(cell["calibration"])
            for name, cell in breakdowns[model]["cells"].items()
            if cell["n"]
        }
        if not cells:
            say(panel, "no run finished")
        for name, look in _styles(stats, model, colours).items():
            if name in cells:
                bins = cells[name]["bins"]
                shown = [row for row in bins if row["share"] >= LEAST_SHARE]
                x = [known(row["confidence"]) for row in shown]
                y = [known(row["accuracy"]) for row in shown]
                panel.plot(x, y, linewidth=1.1, marker=".", markersize=3.5, **look)
        _list_errors(panel, cells, colours)
    for panel in panels[-grid.columns :]:
        panel.set_xlabel("top probability")
    draw_legend(sheet, grid.height, lines_of(colours))
    return sheet


def _list_errors(panel: Axes, cells: Mapping[str, Calibration], colours: Mapping[str, str]) -> None:
    """List calibration errors in the corner that no line reaches, or the range of many."""
    errors = {name: cell["error"] for name, cell in cells.items()}
    look: Look = {"transform": panel.transAxes, "fontsize": 7, "va": "top"}
    if not errors:
        return
    panel.text(0.04, 0.97, "calibration error", color=SOFT, **look)
    if len(errors) > MOST_LINES:
        panel.text(0.04, 0.89, spread(errors.values(), 3), color=INK, **look)
        return
    for line, (name, error) in enumerate(errors.items()):
        height = 0.89 - 0.075 * line
        panel.text(0.04, height, "●", color=colours[name], **look)
        panel.text(0.1, height, f"{number(error, 3)} {name}", color=INK, **look)


def draw_ensemble(header: Header, stats: Stats, breakdowns: Breakdowns) -> Sheet:
    """Draw test loss against the number of averaged seeds: a panel per model."""
    colours = activation_colours(stats["activations"])
    grid = Grid(0.5, 0.0, len(stats["models"]), 1.7, below=0.62, gap=0.5)
    sheet = Sheet(header, WIDTH, grid.height + legend_height(list(colours), WIDTH))
    panels = grid.panels(sheet, 0.0)
    for index, (model, panel) in enumerate(zip(stats["models"], panels, strict=True)):
        panel.set_title(model)
        panel.grid(axis="y")
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.yaxis.set_major_locator(MaxNLocator(4))
        name_y(panel, index, grid, "loss, nats per character", share=False)
        cells = compared_cells(breakdowns[model])
        judged = {name for name, cell in cells_of(stats, model).items() if sound(cell)}
        if not cells:
            say(panel, "no cell has two runs to average")
        for name, look in _styles(stats, model, colours).items():
            if name in cells:
                sizes = cells[name]["ensemble"]["sizes"]
                x, y = [size["k"] for size in sizes], [size["loss"] for size in sizes]
                panel.plot(x, y, linewidth=1.2, marker="o", markersize=3, **look)
        gains = (cell["ensemble"]["gain"] for name, cell in cells.items() if name in judged)
        _say_gain(panel, [gain for gain in gains if gain is not None])
    for panel in panels[-grid.columns :]:
        panel.set_xlabel("seeds averaged")
    draw_legend(sheet, grid.height, lines_of(colours))
    return sheet


def _say_gain(panel: Axes, gains: Sequence[float]) -> None:
    """Write what all seeds together gain over one, in the sound cells; nothing without any."""
    if gains:
        say_in_corner(panel, f"gain {spread(gains, 3)}")
