"""Figures with a row per activation: loss, accuracy, differences, gaps and cost by model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from actrepro.figures.catalogue import pairs_shown, runs_shown
from actrepro.figures.sheet import (
    GROUND,
    SOFT,
    WIDTH,
    Grid,
    Header,
    Look,
    Sheet,
    label_width,
    mean_look,
)
from actrepro.figures.style import activation_colours
from actrepro.measures import PRIMARY
from actrepro.results.cells import Cell, Stats, cells_of, finished_runs, sound
from actrepro.results.contrasts import ACCURACY, CHURN, LOSS
from actrepro.results.schema import Difference, OverRuns, Score
from actrepro.results.words import remark

DIFFERENCES = {PRIMARY: "total variation", CHURN: "churn"}
HEADING = 0.42  # inches for the name of a measure above its panels
ROW = 0.28  # inches of a panel's row


@dataclass(frozen=True)
class Row:
    """One activation in a panel: its mean, interval and single values."""

    label: str
    colour: str
    filled: bool
    value: float | None
    interval: Sequence[float] | None
    singles: Sequence[float]
    remark: str

    @property
    def extent(self) -> list[float]:
        """All values that must lie inside the panel."""
        return [
            *self.singles,
            *(self.interval or ()),
            *([] if self.value is None else [self.value]),
        ]


# A cell's mean, interval and single values.
Numbers = tuple[float, Sequence[float] | None, Sequence[float]]
Choose = Callable[[str, Cell], Numbers | None]


@dataclass(frozen=True)
class Measure:
    """Quantity that the panels of a block show.

    Attributes
    ----------
    axis
        Name of the axis.
    needed
        Number of runs that a cell needs.
    choose
        Function that returns a cell's numbers, from its activation and the cell.
    table
        Key of the n-gram tables' scores to compare with; empty for none.
    base
        Value that the axis must include; None for no such value.
    """

    axis: str
    needed: int
    choose: Callable[[Stats, str], Choose]
    table: str = ""
    base: float | None = None


def metric(name: str, axis: str) -> Measure:
    """Return a score as a measure: mean over seeds, interval, single runs."""

    def choose(stats: Stats, model: str) -> Choose:
        return lambda _, cell: _over_runs(cell["metrics"][name])

    return Measure(axis, 1, choose, table=name.removesuffix(".all"))


def difference(name: str, axis: str) -> Measure:
    """Return a difference as a measure: mean over pairs of seeds, interval, single pairs."""

    def choose(stats: Stats, model: str) -> Choose:
        return lambda _, cell: _over_pairs(cell["differences"][name])

    return Measure(axis, 2, choose)


def gap(name: Literal["train_gap", "best_gap"]) -> Measure:
    """Return a gap of fit as a measure: mean over finished runs, interval, single runs."""

    def choose(stats: Stats, model: str) -> Choose:
        fit = stats["models"][model]["fit"]
        return lambda activation, _: _over_runs(fit[activation][name])

    return Measure("nats per character", 1, choose, base=0.0)


def cost(key: Literal["seconds", "characters_per_second"], axis: str, unit: int = 1) -> Measure:
    """Return a cost as a measure: mean over finished runs and single runs, no interval."""

    def choose(stats: Stats, model: str) -> Choose:
        means = stats["models"][model]["training"]["activations"]

        def numbers_of(activation: str, _: Cell) -> Numbers | None:
            mean = means[activation]
            if mean is None:
                return None
            runs = finished_runs(stats, model)
            singles = [run[key] / unit for run in runs if run["activation"] == activation]
            return mean[key] / unit, None, singles

        return numbers_of

    return Measure(axis, 1, choose, base=0.0)


def _over_runs(score: Score | OverRuns | None) -> Numbers | None:
    if score is None:
        return None
    return score["value"], score["interval"], list(score["by_seed"].values())


def _over_pairs(difference: Difference | None) -> Numbers | None:
    if difference is None:
        return None
    return (
        difference["value"],
        difference["interval"],
        [pair["value"] for pair in difference["pairs"]],
    )


LOSS_ROWS = metric(LOSS, "loss, nats per character")
ACCURACY_ROWS = metric(ACCURACY, "accuracy, share of characters")
DIFFERENCE_ROWS = {name: difference(name, axis) for name, axis in DIFFERENCES.items()}
GAPS = {
    "Selection loss less train loss, last evaluation": gap("train_gap"),
    "Test loss of the final less that of the best checkpoint": gap("best_gap"),
}
COSTS = {
    "Training time": cost("seconds", "seconds per run"),
    "Speed": cost("characters_per_second", "thousand characters per second", unit=1000),
}


def rows_of(stats: Stats, model: str, measure: Measure, singles: bool = True) -> list[Row]:
    """Return a model's rows of a measure, with or without the single values."""
    colours = activation_colours(stats["activations"])
    choose = measure.choose(stats, model)
    rows = []
    for activation, cell in cells_of(stats, model).items():
        numbers = choose(activation, cell)
        value, interval, every = numbers or (None, None, ())
        rows.append(
            Row(
                label=activation,
                colour=colours[activation],
                filled=sound(cell),
                value=value,
                interval=interval,
                singles=every if singles else (),
                remark=remark(cell, measure.needed),
            )
        )
    return rows


def draw_loss(header: Header, stats: Stats) -> Sheet:
    """Draw test loss by activation, a panel per model on its own scale."""
    return _draw_score(header, stats, LOSS_ROWS)


def draw_accuracy(header: Header, stats: Stats) -> Sheet:
    """Draw test accuracy by activation, a panel per model on its own scale."""
    return _draw_score(header, stats, ACCURACY_ROWS)


def draw_differences(header: Header, stats: Stats) -> Sheet:
    """Draw total variation and churn by activation: a panel per model, a scale per measure."""
    blocks = {measure.axis.capitalize(): measure for measure in DIFFERENCE_ROWS.values()}
    return _draw_blocks(header, stats, blocks, pairs_shown(stats))


def draw_gap(header: Header, stats: Stats) -> Sheet:
    """Draw how much lower the loss is on the training text, and at the best checkpoint."""
    return _draw_blocks(header, stats, GAPS, runs_shown(stats))


def draw_cost(header: Header, stats: Stats) -> Sheet:
    """Draw seconds and characters per second of every run."""
    return _draw_blocks(header, stats, COSTS, runs_shown(stats))


def draw_model(header: Header, stats: Stats, model: str) -> Sheet:
    """Draw one model's loss, accuracy, total variation and churn side by side."""
    measures = (LOSS_ROWS, ACCURACY_ROWS, *DIFFERENCE_ROWS.values())
    shown = (runs_shown(stats, 1), pairs_shown(stats, 1))
    grid = _grid_of_rows(stats["activations"], len(measures), most=4)
    sheet = Sheet(header, WIDTH, grid.height)
    panels = grid.panels(sheet, 0.0)
    for index, (measure, panel) in enumerate(zip(measures, panels, strict=True)):
        rows = rows_of(stats, model, measure, shown[measure.needed - 1])
        name, _, unit = measure.axis.partition(", ")
        _draw_rows(panel, rows, name.capitalize(), labelled=index % grid.columns == 0)
        _set_limits(panel, rows, measure, stats)
        panel.set_xlabel(unit or "mean over pairs of seeds")
    _align(panels)
    return sheet


def _draw_score(header: Header, stats: Stats, measure: Measure) -> Sheet:
    grid = _grid_of_rows(stats["activations"], len(stats["models"]))
    sheet = Sheet(header, WIDTH, grid.height)
    panels = grid.panels(sheet, 0.0)
    for index, (model, panel) in enumerate(zip(stats["models"], panels, strict=True)):
        rows = rows_of(stats, model, measure, runs_shown(stats))
        _draw_rows(panel, rows, model, labelled=index % grid.columns == 0)
        _set_limits(panel, rows, measure, stats)
    for first in range(0, len(panels), grid.columns):
        _align(panels[first : first + grid.columns])
    _name_x(panels, grid, measure.axis)
    return sheet


def _align(panels: Sequence[Axes]) -> None:
    """Give panels side by side the same height of rows, so that rows line up."""
    lowest = max(panel.get_ylim()[0] for panel in panels)
    for panel in panels:
        panel.set_ylim(bottom=lowest)


def _set_limits(panel: Axes, rows: Sequence[Row], measure: Measure, stats: Stats) -> None:
    low, high = _limits(rows)
    panel.set_xlim(low, high)
    if measure.table and any(row.extent for row in rows):
        _draw_baselines(panel, stats, measure.table, low, high)


def _draw_blocks(
    header: Header, stats: Stats, blocks: Mapping[str, Measure], singles: bool
) -> Sheet:
    """Draw a block of panels per measure: a panel per model, one scale per measure."""
    grid = _grid_of_rows(stats["activations"], len(stats["models"]))
    block = grid.height + HEADING
    sheet = Sheet(header, WIDTH, len(blocks) * block)
    for number, (heading, measure) in enumerate(blocks.items()):
        top = number * block
        sheet.heading(heading, top + HEADING / 2)
        panels = grid.panels(sheet, top + HEADING)
        rows = {model: rows_of(stats, model, measure, singles) for model in stats["models"]}
        every = [row for rows_of_model in rows.values() for row in rows_of_model]
        limits = _limits(every, () if measure.base is None else (measure.base,))
        for index, (model, panel) in enumerate(zip(rows, panels, strict=True)):
            _draw_rows(panel, rows[model], model, labelled=index % grid.columns == 0)
            panel.set_xlim(*limits)
            if measure.base is not None:
                panel.axvline(measure.base, color=SOFT, linewidth=0.7, zorder=1)
        _name_x(panels, grid, measure.axis)
    return sheet


def _grid_of_rows(activations: Sequence[str], count: int, **shape: Any) -> Grid:
    return Grid(label_width(activations), 0.0, count, ROW * len(activations) + 0.1, **shape)


def _draw_rows(panel: Axes, rows: Sequence[Row], title: str, labelled: bool) -> None:
    panel.set_title(title)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks(range(len(rows)), [row.label for row in rows] if labelled else [])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x")
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    for place, row in enumerate(rows):
        _draw_row(panel, place, row)


def _draw_row(panel: Axes, place: int, row: Row) -> None:
    if row.interval is not None:
        panel.plot(row.interval, [place, place], color=row.colour, linewidth=1.8, alpha=0.75)
    if row.singles:
        below = [place + 0.27] * len(row.singles)
        ring: Look = {"markeredgecolor": row.colour, "markerfacecolor": "none"}
        panel.plot(row.singles, below, "o", markersize=2.8, alpha=0.8, markeredgewidth=0.7, **ring)
    if row.value is not None:
        panel.plot([row.value], [place], "o", markersize=6, **mean_look(row.colour, row.filled))
    if row.remark:
        where: Look = {"transform": panel.get_yaxis_transform(), "ha": "right", "va": "center"}
        height = place if row.value is None else place - 0.43
        # Lines of n-gram tables must not run through the words.
        where["bbox"] = {"facecolor": GROUND, "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        panel.text(1, height, row.remark, fontsize=7, color=SOFT, style="italic", **where)


def _limits(rows: Sequence[Row], bases: Iterable[float] = ()) -> tuple[float, float]:
    values = [value for row in rows for value in row.extent]
    if not values:
        return -0.06, 1.06
    values += bases
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.01
    return low - room, high + room


def _draw_baselines(panel: Axes, stats: Stats, score: str, low: float, high: float) -> None:
    """Draw n-gram tables as dotted lines, named in a free line below the rows."""
    reached = {
        table: {"loss": values["loss"], "accuracy": values["accuracy"]}[score]
        for table, values in stats["evaluation"]["baselines"].items()
    }
    inside = {table: value for table, value in reached.items() if low < value < high}
    bottom, top = panel.get_ylim()
    for table, value in inside.items():
        panel.set_ylim(bottom + 0.5, top)
        panel.axvline(value, color=SOFT, linestyle=":", linewidth=1)
        left = value < (low + high) / 2
        panel.annotate(
            table,
            (value, bottom + 0.2),
            (3 if left else -3, 0),
            textcoords="offset points",
            ha="left" if left else "right",
            va="center",
            fontsize=7,
            color=SOFT,
        )


def _name_x(panels: Sequence[Axes], grid: Grid, name: str) -> None:
    """Name the scale below the last panel of each column."""
    for panel in panels[-grid.columns :]:
        panel.set_xlabel(name)
