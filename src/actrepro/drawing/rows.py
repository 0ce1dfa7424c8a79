"""Figures with a row per activation in a panel per model: loss, and differences between seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from actrepro.cells import Stats, cells_of, remark, sound
from actrepro.drawing.palette import activation_colours
from actrepro.drawing.sheet import SOFT, WIDTH, Grid, Header, Look, Sheet, label_width, mean_look
from actrepro.measures import PRIMARY

DIFFERENCES = {PRIMARY: "total variation", "churn-top1-pairs.all": "churn"}
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
        """All that must be inside the panel."""
        return [
            *self.singles,
            *(self.interval or ()),
            *([] if self.value is None else [self.value]),
        ]


def loss_rows(stats: Stats, model: str) -> list[Row]:
    """Test loss by activation: mean, interval, single runs."""
    return _rows(stats, model, 1, lambda cell: cell["metrics"]["loss.all"], _by_seed)


def difference_rows(stats: Stats, model: str, measure: str) -> list[Row]:
    """A difference by activation: mean over pairs, interval, single pairs."""
    return _rows(stats, model, 2, lambda cell: cell["differences"][measure], _by_pair)


def _by_seed(metric: Mapping[str, Any]) -> list[float]:
    return list(metric["by_seed"].values())


def _by_pair(difference: Mapping[str, Any]) -> list[float]:
    return [pair["value"] for pair in difference["pairs"]]


def _rows(
    stats: Stats,
    model: str,
    needed: int,
    choose: Callable[[Mapping[str, Any]], Mapping[str, Any] | None],
    singles: Callable[[Mapping[str, Any]], list[float]],
) -> list[Row]:
    colours = activation_colours(stats["activations"])
    rows = []
    for activation, cell in cells_of(stats, model).items():
        found = choose(cell)
        rows.append(
            Row(
                label=activation,
                colour=colours[activation],
                filled=sound(cell),
                value=None if found is None else found["value"],
                interval=None if found is None else found["interval"],
                singles=[] if found is None else singles(found),
                remark=remark(cell, needed),
            )
        )
    return rows


def draw_loss(header: Header, stats: Stats) -> Sheet:
    """Test loss by activation, a panel per model on its own scale."""
    grid = _grid_of_rows(stats)
    sheet = Sheet(header, WIDTH, grid.height)
    panels = grid.panels(sheet, 0.0)
    for index, (model, panel) in enumerate(zip(stats["models"], panels, strict=True)):
        rows = loss_rows(stats, model)
        _draw_rows(panel, rows, model, labelled=index % grid.columns == 0)
        low, high = _limits(rows)
        panel.set_xlim(low, high)
        if any(row.extent for row in rows):
            _draw_baselines(panel, stats, low, high)
    _name_x(panels, grid, "loss, nats per character")
    return sheet


def draw_differences(header: Header, stats: Stats) -> Sheet:
    """Total variation and churn by activation, a panel per model, one scale per measure."""
    grid = _grid_of_rows(stats)
    block = grid.height + HEADING
    sheet = Sheet(header, WIDTH, len(DIFFERENCES) * block)
    for number, (measure, name) in enumerate(DIFFERENCES.items()):
        top = number * block
        sheet.heading(name.capitalize(), top + HEADING / 2)
        panels = grid.panels(sheet, top + HEADING)
        rows = {model: difference_rows(stats, model, measure) for model in stats["models"]}
        limits = _limits([row for one in rows.values() for row in one])
        for index, (model, panel) in enumerate(zip(rows, panels, strict=True)):
            _draw_rows(panel, rows[model], model, labelled=index % grid.columns == 0)
            panel.set_xlim(*limits)
        _name_x(panels, grid, name)
    return sheet


def _grid_of_rows(stats: Stats) -> Grid:
    names = stats["activations"]
    return Grid(label_width(names), 0.0, len(stats["models"]), ROW * len(names) + 0.1)


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
    below = [place + 0.27] * len(row.singles)
    ring: Look = {"markeredgecolor": row.colour, "markerfacecolor": "none", "markeredgewidth": 0.7}
    panel.plot(row.singles, below, "o", markersize=2.8, alpha=0.8, **ring)
    if row.value is not None:
        panel.plot([row.value], [place], "o", markersize=6, **mean_look(row.colour, row.filled))
    if row.remark:
        where: Look = {"transform": panel.get_yaxis_transform(), "ha": "right", "va": "center"}
        height = place if row.value is None else place - 0.43
        # Lines of n-gram tables must not run through the words.
        where["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        panel.text(1, height, row.remark, fontsize=7, color=SOFT, style="italic", **where)


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    values = [value for row in rows for value in row.extent]
    if not values:
        return -0.06, 1.06
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.01
    return low - room, high + room


def _draw_baselines(panel: Axes, stats: Stats, low: float, high: float) -> None:
    """N-gram tables as dotted lines, named in a free line below the rows."""
    inside = {
        table: values["loss"]
        for table, values in stats["evaluation"]["baselines"].items()
        if low < values["loss"] < high
    }
    bottom, top = panel.get_ylim()
    for table, loss in inside.items():
        panel.set_ylim(bottom + 0.5, top)
        panel.axvline(loss, color=SOFT, linestyle=":", linewidth=1)
        left = loss < (low + high) / 2
        panel.annotate(
            table,
            (loss, bottom + 0.2),
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
