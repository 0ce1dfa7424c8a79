"""Training curves: of a model by activation, or of an activation by model.

Each has a panel, with the others in grey behind it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from actrepro.core.vocabulary import LOST
from actrepro.figures.catalogue import curves_shown
from actrepro.figures.sheet import FAINT, INK, MARGIN, SOFT, WIDTH, Grid, Header, Look, Sheet
from actrepro.figures.style import activation_colours
from actrepro.results.cells import FAILED, Cell, Stats, cells_of
from actrepro.results.schema import Run
from actrepro.results.words import gate_mark, lost_counts
from actrepro.train.history import HistoryRow

# By activation or model, whichever a panel shows, and by seed.
Histories = Mapping[str, Mapping[int, Sequence[HistoryRow]]]
# `diverged` or `failed`, by the same.
Lost = Mapping[str, Mapping[int, str]]

OTHERS: Look = {"color": FAINT, "linewidth": 0.8, "zorder": 1}
SELECTION: Look = {"linewidth": 1.1, "linestyle": "-", "zorder": 3}
TRAIN: Look = {"linewidth": 0.9, "linestyle": (0, (3, 1.5)), "alpha": 0.75, "zorder": 2}
LABEL_GAP = 0.09  # of the panel's height, at least, between two n-gram tables' names


@dataclass(frozen=True)
class _Panel:
    """An activation's panel among its model's curves, or a model's among its activation's.

    `lost` are the seeds whose runs diverged or failed, `failed` the gates that its cell failed.
    """

    axes: Axes
    name: str
    colour: str
    lost: Mapping[int, str]
    failed: str


def draw_curves(header: Header, stats: Stats, model: str, histories: Histories) -> Sheet:
    """Draw a model's selection and train loss against step, a panel per activation."""
    cells = cells_of(stats, model)
    colours = activation_colours(list(cells))
    lost = _lost(stats["models"][model]["runs"])
    return _draw(header, stats, cells, colours, lost, histories)


def draw_training(header: Header, stats: Stats, activation: str, histories: Histories) -> Sheet:
    """Draw an activation's selection and train loss against step, a panel per model."""
    cells = {model: cells_of(stats, model)[activation] for model in stats["models"]}
    colour = activation_colours(stats["activations"])[activation]
    lost = {
        model: _lost(of_model["runs"]).get(activation, {})
        for model, of_model in stats["models"].items()
    }
    return _draw(header, stats, cells, dict.fromkeys(cells, colour), lost, histories)


def _draw(
    header: Header,
    stats: Stats,
    cells: Mapping[str, Cell],
    colours: Mapping[str, str],
    lost: Lost,
    histories: Histories,
) -> Sheet:
    baselines: dict[str, float] = {
        name: table["loss"] for name, table in stats["evaluation"]["baselines"].items()
    }
    limits = _limits(histories, lost, list(baselines.values()))
    behind = _lines_behind(histories, lost)
    grid = Grid(labels=0.45, right=0.75, count=len(cells), panel_height=1.55, below=0.5)
    sheet = Sheet(header, WIDTH, grid.height + 0.4)
    places = grid.panels(sheet, 0.0)
    for index, ((name, cell), axes) in enumerate(zip(cells.items(), places, strict=True)):
        panel = _Panel(axes, name, colours[name], lost.get(name, {}), gate_mark(cell))
        _draw_panel(panel, histories, behind, limits)
        _dress(axes, index, grid)
        _draw_tables(axes, baselines, named=(index + 1) % grid.columns == 0)
    if len(cells) < grid.columns or len(cells) % grid.columns:
        _name_tables(places[-1], baselines)
    _draw_legend(sheet, grid.height)
    return sheet


def _lost(runs: Sequence[Run]) -> Lost:
    lost: dict[str, dict[int, str]] = {}
    for run in runs:
        if run["status"] in LOST:
            lost.setdefault(run["activation"], {})[run["seed"]] = run["status"]
    return lost


def _lines_behind(histories: Histories, lost: Lost) -> Mapping[str, list[list[HistoryRow]]]:
    """Return the grey lines of each name: its runs, or their mean if there are too many."""
    runs = {name: [list(rows) for rows in seeds.values()] for name, seeds in histories.items()}
    if curves_shown(len(runs), max(map(len, runs.values()), default=0)):
        return runs
    return {
        name: _mean_curve([rows for seed, rows in seeds.items() if seed not in lost.get(name, {})])
        for name, seeds in histories.items()
    }


def _mean_curve(runs: Sequence[Sequence[HistoryRow]]) -> list[list[HistoryRow]]:
    """Return the mean curve over the steps at which all runs were evaluated; none without runs."""
    if not runs:
        return []
    return [
        [
            HistoryRow(rows[0].step, *(sum(losses) / len(rows) for losses in _losses(rows)))
            for rows in zip(*runs, strict=False)
        ]
    ]


def _losses(rows: Sequence[HistoryRow]) -> tuple[list[float], list[float]]:
    return [row.train_loss for row in rows], [row.selection_loss for row in rows]


def _limits(histories: Histories, lost: Lost, baselines: Sequence[float]) -> tuple[float, float]:
    """Return the range from the finished runs' lowest loss to their highest final loss.

    N-gram tables are included. First losses are not: an untrained model's loss would take most
    of the height, and a diverging model's all of it.
    """
    finished = [
        [loss for row in rows for loss in row[1:]]
        for name, runs in histories.items()
        for seed, rows in runs.items()
        if seed not in lost.get(name, {})
    ]
    lowest = min([*baselines, *(loss for losses in finished for loss in losses)])
    highest = max([*baselines, *(loss for losses in finished for loss in losses[-2:])])
    room = 0.05 * (highest - lowest)
    return lowest - room, highest + room


def _draw_panel(
    panel: _Panel,
    histories: Histories,
    behind: Mapping[str, list[list[HistoryRow]]],
    limits: tuple[float, float],
) -> None:
    mark = f" {FAILED}" if panel.failed else ""
    panel.axes.set_title(f"{panel.name}{mark}", color=INK)
    panel.axes.set_ylim(*limits)
    _draw_behind(
        panel.axes, [rows for name in behind if name != panel.name for rows in behind[name]]
    )
    for seed, rows in histories.get(panel.name, {}).items():
        _draw_line(panel.axes, rows, 1, {"color": panel.colour, **TRAIN})
        _draw_line(panel.axes, rows, 2, {"color": panel.colour, **SELECTION})
        if seed in panel.lost:
            _mark_end(panel, rows, limits)
    _remark(panel.axes, _said_of(panel, histories))


def _draw_behind(axes: Axes, lines: Sequence[Sequence[HistoryRow]]) -> None:
    """Draw the others' selection loss as one line with gaps: a hundred lines are slow to draw."""
    gap = HistoryRow(0, math.nan, math.nan)
    _draw_line(axes, [row for rows in lines for row in (*rows, gap)], 2, OTHERS)


def _said_of(panel: _Panel, histories: Histories) -> str:
    if panel.name not in histories:
        return "no training history"
    if not panel.lost:
        return panel.failed
    every = len(histories[panel.name])
    return ", ".join(lost_counts(panel.lost.values(), lambda runs: f"{runs} of {every}"))


def _draw_line(axes: Axes, rows: Sequence[HistoryRow], column: int, look: Look) -> None:
    axes.plot([row[0] for row in rows], [row[column] for row in rows], **look)


def _mark_end(panel: _Panel, rows: Sequence[HistoryRow], limits: tuple[float, float]) -> None:
    """Draw a cross at a lost run's last loss, or at the edge if that is outside or not finite."""
    finite = [row for row in rows if math.isfinite(row.selection_loss)]
    if finite:
        step, loss = finite[-1].step, finite[-1].selection_loss
    else:
        step, loss = rows[-1].step if rows else 0, limits[1]
    height = min(max(loss, limits[0]), limits[1])
    look: Look = {"markersize": 7, "markeredgewidth": 1.6, "clip_on": False, "zorder": 4}
    panel.axes.plot([step], [height], "x", color=panel.colour, **look)


def _remark(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="right", fontsize=7.5, fontweight="normal", style="italic", color=SOFT)


def _dress(axes: Axes, index: int, grid: Grid) -> None:
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xmargin(0.02)
    axes.tick_params(labelsize=8)
    if index % grid.columns:
        axes.tick_params(labelleft=False)
    else:
        axes.set_ylabel("nats per character")
    if index >= grid.count - grid.columns:
        axes.set_xlabel("step")
    else:
        axes.tick_params(labelbottom=False)


def _draw_tables(axes: Axes, baselines: Mapping[str, float], named: bool) -> None:
    for loss in baselines.values():
        axes.axhline(loss, color=SOFT, linestyle=":", linewidth=0.9, zorder=1.5)
    if named:
        _name_tables(axes, baselines)


def _name_tables(axes: Axes, baselines: Mapping[str, float]) -> None:
    """Name the dotted lines beside the panel, moved apart where they lie close."""
    low, high = axes.get_ylim()
    height = -math.inf
    for table, loss in sorted(baselines.items(), key=lambda item: item[1]):
        height = max((loss - low) / (high - low), height + LABEL_GAP)
        look: Look = {"transform": axes.transAxes, "fontsize": 7.5, "color": SOFT, "va": "center"}
        axes.text(1.03, height, f"{table} {loss:.2f}", **look)


def _draw_legend(sheet: Sheet, top: float) -> None:
    lines = [
        Line2D([], [], color=SOFT, label="selection loss", **SELECTION),
        Line2D([], [], color=SOFT, label="train loss", **TRAIN),
        Line2D([], [], label="the others, selection loss", **OTHERS),
        Line2D([], [], color=SOFT, linestyle=":", linewidth=0.9, label="n-gram table"),
    ]
    where = sheet.place(MARGIN + 0.35, top + 0.02)
    sheet.figure.legend(handles=lines, loc="upper left", bbox_to_anchor=where, ncols=4)
