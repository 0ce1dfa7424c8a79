"""The benchmark's figure: speed by model, ours against the plain loop, and how cost grows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from actrepro.benchmark.shapes import Growth, Peak, Speeds, Spread, TimedCell, TrainingBenchmark
from actrepro.config.study import VARIED
from actrepro.core.formats import counted, mebibytes, number, percent
from actrepro.core.shapes import read_as
from actrepro.figures.sheet import (
    INK,
    MARGIN,
    SOFT,
    WIDTH,
    Grid,
    Look,
    Sheet,
    label_width,
    style,
)
from actrepro.figures.style import activation_colours
from actrepro.results.cells import known

TITLE = "Training speed on this machine"
HEADING = 0.42  # inches for the name of what follows
ROW = 0.27  # inches of a panel's row
BELOW = 0.6  # inches for a panel's scale
BLUE, ORANGE = "#0072B2", "#D55E00"
# Share of the machine taken by other programs above which the figure warns.
DISTURBED = 0.05
UNIT = "characters/s"
COLUMN = 0.72  # inches of a column of numbers beside a panel
COLUMNS: Mapping[str, Callable[[Speeds], str]] = {
    "GFLOP/s": lambda ours: number(ours["gflops"]["median"], 1),
    "of peak": lambda ours: percent(ours["share_of_peak"]["median"], 0),
    "outside": lambda ours: f"{number(ours['seconds_outside_training']['median'], 1)} s",
    "memory": lambda ours: mebibytes(known(ours["peak_memory_bytes"]["median"])),
}
LOOKS: Mapping[Literal["training", "jobs"], tuple[float, str, Look]] = {
    "training": (-0.17, "in the training loop", {"marker": "o", "markersize": 6}),
    "jobs": (
        0.17,
        "whole processes, from start to files written",
        {"marker": "D", "markersize": 5, "markerfacecolor": "white"},
    ),
}
AXES = {"width": "width", "layers": "layers", "context": "context", "runs": "runs side by side"}
GROWTH_NOTE = (
    "The first three panels: one run by itself. Per cent: its GFLOP/s as a share of one process’s "
    "peak; in the last panel of the machine’s."
)


def draw_benchmark(numbers: Path, svg: Path, png: Path) -> None:
    """Draw the benchmark's file and write it as SVG and PNG.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    benchmark = read_as(TrainingBenchmark, numbers)
    with style():
        compose(benchmark).save(svg, png)


def compose(benchmark: TrainingBenchmark) -> Sheet:
    """Compose the figure; call it inside `actrepro.figures.sheet.style()`."""
    scales = list(dict.fromkeys(cell["scale"] for cell in benchmark["cells"]))
    speeds = [_speed_height(benchmark, scale) for scale in scales]
    ratios = _ratio_grid(benchmark, scales)
    growth = HEADING + 0.28 + 1.7 + BELOW + 0.15
    height = HEADING + sum(speeds) + HEADING + ratios.height + 0.25 + growth
    sheet = Sheet((TITLE, note(benchmark)), WIDTH, height)
    top = _draw_speeds(sheet, benchmark, scales, speeds)
    top = _draw_ratios(sheet, benchmark, scales, ratios, top)
    _draw_growth(sheet, benchmark, top)
    return sheet


def note(benchmark: TrainingBenchmark) -> str:
    """Write the figure's note: the machine, the number of rounds, and the peaks."""
    machine, packages = benchmark["provenance"]["machine"], benchmark["provenance"]["packages"]
    rounds = benchmark["settings"]["rounds"]
    gpu = f", {benchmark['device_name'] or 'a GPU'}" if benchmark["device"] == "cuda" else ""
    parts = [
        f"{machine['processor']}, {counted(benchmark['cores'], 'core')}{gpu}, "
        f"torch {packages['torch']}; {counted(benchmark['jobs_at_once'], 'job')} at once.",
        f"Median of {counted(rounds, 'round')}; small rings are single rounds.",
        *(_peak_note(precision, peak) for precision, peak in benchmark["peak"].items()),
        "Outside: of a job, before and after training. Memory: of all jobs together.",
    ]
    others = benchmark["share_of_others"]
    if others is not None and others > DISTURBED:
        parts.append(
            f"Other programs took {percent(others, 0)} of the machine meanwhile: measure again."
        )
    return " ".join(parts)


def _peak_note(precision: str, peak: Peak) -> str:
    return (
        f"Peak in matrix products ({precision}): {number(peak['machine'], 0)} GFLOP/s, "
        f"of one process {number(peak['one_process'], 0)}."
    )


def _first_cells(benchmark: TrainingBenchmark, scale: str) -> list[TimedCell]:
    """Return a scale's models, each with the first of the activations."""
    first = benchmark["settings"]["activations"][0]
    return [
        cell
        for cell in benchmark["cells"]
        if cell["scale"] == scale and cell["activation"] == first
    ]


def _speed_height(benchmark: TrainingBenchmark, scale: str) -> float:
    return 0.28 + ROW * len(_first_cells(benchmark, scale)) + BELOW


def _draw_speeds(
    sheet: Sheet, benchmark: TrainingBenchmark, scales: Sequence[str], heights: Sequence[float]
) -> float:
    """Draw a panel per scale, a row per model; return the top of the next part."""
    activation = benchmark["settings"]["activations"][0]
    sheet.heading(f"Models, with {activation}: characters/s of all runs together", HEADING / 2)
    left = MARGIN + label_width([cell["model"] for cell in benchmark["cells"]])
    width = WIDTH - MARGIN - left - COLUMN * len(COLUMNS)
    top = HEADING
    for scale, height in zip(scales, heights, strict=True):
        cells = _first_cells(benchmark, scale)
        panel = sheet.panel(left, top + 0.28, width, ROW * len(cells))
        _dress_rows(panel, scale, [cell["model"] for cell in cells])
        panel.set_xlabel(UNIT)
        for place, cell in enumerate(cells):
            ours = cell["ours"]
            speed = ours["training_characters_per_second"]
            _draw_values(panel, place, speed, BLUE, {"marker": "o", "markersize": 6})
            if speed["median"] is None:
                _write_reason(panel, place, ours["why"])
            else:
                _write_columns(panel, place, ours, width)
        _name_columns(panel, width)
        _widen(panel)
        panel.xaxis.set_major_formatter(FuncFormatter(_thousands))
        top += height
    return top


def _dress_rows(panel: Axes, title: str, labels: Sequence[str]) -> None:
    panel.set_title(title)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.set_yticks(range(len(labels)), labels)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x")
    panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _draw_values(panel: Axes, height: float, values: Spread, colour: str, look: Look) -> None:
    """Draw single rounds as small rings behind their median."""
    singles = [value for value in values["rounds"] if value is not None]
    ring: Look = {"markeredgecolor": colour, "markerfacecolor": "none", "markeredgewidth": 0.7}
    panel.plot(singles, [height] * len(singles), "o", markersize=2.8, alpha=0.8, zorder=2, **ring)
    if values["median"] is not None:
        filled: Look = {"markerfacecolor": colour, "markeredgecolor": colour, **look}
        panel.plot([values["median"]], [height], linestyle="none", zorder=3, alpha=0.85, **filled)


def _write_reason(panel: Axes, height: float, why: str | None) -> None:
    text = textwrap.shorten(f"not measured: {why}", 60, placeholder=" …")
    look: Look = {"transform": panel.get_yaxis_transform(), "va": "center", "style": "italic"}
    panel.text(0.02, height, text, fontsize=7, color=SOFT, **look)


def _write_columns(panel: Axes, height: float, ours: Speeds, width: float) -> None:
    for index, write in enumerate(COLUMNS.values()):
        look: Look = {"transform": panel.get_yaxis_transform(), "ha": "right", "va": "center"}
        panel.text(_column(index, width), height, write(ours), fontsize=8, **look)


def _name_columns(panel: Axes, width: float) -> None:
    for index, name in enumerate(COLUMNS):
        look: Look = {"transform": panel.transAxes, "ha": "right", "va": "bottom", "color": SOFT}
        panel.text(_column(index, width), 1.02, name, fontsize=8, **look)


def _column(index: int, width: float) -> float:
    """Return the right end of a column, in widths of the panel."""
    return 1 + (index + 1) * COLUMN / width


def _thousands(value: float, _: int) -> str:
    return f"{value:,.0f}"


def _peers(benchmark: TrainingBenchmark, scale: str) -> list[TimedCell]:
    """Return a scale's cells that the plain loop trains too."""
    return [
        cell for cell in benchmark["cells"] if cell["scale"] == scale and cell["ratio"] is not None
    ]


def _ratio_grid(benchmark: TrainingBenchmark, scales: Sequence[str]) -> Grid:
    names = benchmark["settings"]["activations"]
    return Grid(label_width(names), 0.1, len(scales), (ROW + 0.08) * len(names) + 0.1)


def _draw_ratios(
    sheet: Sheet, benchmark: TrainingBenchmark, scales: Sequence[str], grid: Grid, top: float
) -> float:
    """Draw speeds as multiples of the plain loop's, by activation; a panel per scale."""
    sheet.heading("CharLM: times as fast as the plain loop on the same cores", top + HEADING / 2)
    colours = activation_colours(benchmark["settings"]["activations"])
    panels = grid.panels(sheet, top + HEADING)
    for index, (scale, panel) in enumerate(zip(scales, panels, strict=True)):
        cells = _peers(benchmark, scale)
        labels = [cell["activation"] for cell in cells]
        _dress_rows(panel, scale, labels if index % grid.columns == 0 else [""] * len(labels))
        panel.axvline(1, color=SOFT, linewidth=0.7, zorder=1)
        panel.set_xlabel("times as fast")
        for place, cell in enumerate(cells):
            ratio = known(cell["ratio"])
            for kind, (shift, _, look) in LOOKS.items():
                colour = colours[cell["activation"]]
                _draw_values(panel, place + shift, ratio[kind], colour, look)
            if ratio["training"]["median"] is None:
                _write_reason(panel, place, cell["plain"]["why"] or cell["ours"]["why"])
        _widen(panel)
    _draw_legend(sheet, top + HEADING + grid.height)
    return top + HEADING + grid.height + 0.25


def _widen(panel: Axes) -> None:
    """Let the scale reach from zero to a little beyond the data, at least beyond 1."""
    panel.set_xlim(0, max(1.1, 1.02 * panel.get_xlim()[1]))


def _draw_legend(sheet: Sheet, top: float) -> None:
    handles = [
        Line2D([], [], linestyle="none", label=label, **_legend_look(look))
        for _, label, look in LOOKS.values()
    ]
    where = sheet.place(MARGIN + 0.35, top - 0.12)
    sheet.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=where, ncols=2)


def _legend_look(look: Look) -> Look:
    return {"markerfacecolor": SOFT, "markeredgecolor": SOFT, **look}


def _draw_growth(sheet: Sheet, benchmark: TrainingBenchmark, top: float) -> None:
    """Draw a step's time by width, depth and context, and the speed of simultaneous runs."""
    growth = benchmark["growth"]
    base = growth["base"]
    sheet.heading(
        f"Growth: {base['model']} with {base['activation']} at {base['scale']} "
        f"({base['layers']} × {base['width']}, context {base['context']}, batch {base['batch']})",
        top + HEADING / 2,
    )
    gap, first = 0.62, MARGIN + 0.5
    width = (WIDTH - MARGIN - first - gap * (len(AXES) - 1)) / len(AXES)
    curves = _curves(growth)
    limits = _step_limits(curves)
    for index, (size, name) in enumerate(AXES.items()):
        points = curves[size]
        panel = sheet.panel(first + index * (width + gap), top + HEADING + 0.28, width, 1.7)
        panel.set_xlabel(name)
        panel.grid(axis="y")
        if size == "runs":
            panel.set_title(UNIT)
            _draw_curve(panel, points, 1)
            panel.set_ylim(0, 1.05 * panel.get_ylim()[1])
            panel.yaxis.set_major_formatter(FuncFormatter(_thousands))
        else:
            panel.set_title("ms per step")
            panel.set_yscale("log")
            _draw_curve(panel, points, 1000)
            panel.set_ylim(*limits)
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter(FuncFormatter(_plain_number))
            panel.yaxis.set_minor_locator(NullLocator())
        _ticks_at(panel, [value for value, _, _ in points])
    below = sheet.place(MARGIN, top + HEADING + 0.28 + 1.7 + BELOW)
    look: Look = {"fontsize": 7.5, "color": SOFT, "style": "italic"}
    sheet.figure.text(*below, GROWTH_NOTE, **look)


# What was varied, what it took, and the share of the peak.
Point = tuple[int, Spread, Spread]


def _curves(growth: Growth) -> dict[str, list[Point]]:
    """By what was varied: of sizes the seconds of a step, of runs side by side their speed."""
    sizes = {"width": growth["width"], "layers": growth["layers"], "context": growth["context"]}
    steps = {
        size: [(one["value"], one["seconds_per_step"], one["share_of_peak"]) for one in grown]
        for size, grown in sizes.items()
    }
    runs = [
        (one["value"], one["training_characters_per_second"], one["share_of_peak"])
        for one in growth["runs"]
    ]
    return {**steps, "runs": runs}


def _step_limits(curves: Mapping[str, Sequence[Point]]) -> tuple[float, float]:
    """Return the limits of one scale for the milliseconds of all sizes."""
    steps = [
        value * 1000
        for size in VARIED
        for _, seconds, _ in curves[size]
        for value in seconds["rounds"]
        if value is not None
    ]
    return (min(steps) / 1.5, max(steps) * 1.8) if steps else (1, 10)


def _draw_curve(panel: Axes, points: Sequence[Point], unit: float) -> None:
    """Draw medians joined by a line, single rounds as rings, and each point's share of the peak."""
    panel.set_xscale("log")
    drawn = [point for point in points if point[1]["median"] is not None]
    x = [value for value, _, _ in drawn]
    y = [known(spread["median"]) * unit for _, spread, _ in drawn]
    panel.plot(x, y, "o-", color=ORANGE, markersize=5, linewidth=1.1, zorder=3)
    for (place, spread, share), height in zip(drawn, y, strict=True):
        singles = [value * unit for value in spread["rounds"] if value is not None]
        look: Look = {"markerfacecolor": "none", "markeredgecolor": ORANGE, "markersize": 2.8}
        panel.plot([place] * len(singles), singles, "o", markeredgewidth=0.7, **look)
        panel.annotate(
            percent(share["median"], 0),
            (place, height),
            (5, -10),
            textcoords="offset points",
            ha="left",
            fontsize=7.5,
            color=INK,
        )
    panel.set_xmargin(0.3)


def _ticks_at(panel: Axes, values: Sequence[int]) -> None:
    panel.set_xticks(values, [str(value) for value in values])
    panel.xaxis.set_minor_locator(NullLocator())


def _plain_number(value: float, _: int) -> str:
    return f"{value:g}"
