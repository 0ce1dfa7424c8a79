"""The report's sortable tables over all cells of a scale: differences, learning, trade-off."""

from __future__ import annotations

from typing import Final

from actrepro.core.formats import (
    MISSING,
    counts_spread,
    interval,
    level,
    mean_sd,
    signed,
)
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.report.sections.cells_by_model import DIFFERENCE_COLUMNS, below, marked
from actrepro.results.cells import (
    Cell,
    Stats,
    cells_of,
    every_cell,
    finished_runs,
    known,
    named_cells,
    sound,
)
from actrepro.results.contrasts import ACCURACY, CHURN, LOSS
from actrepro.results.schema import Score
from actrepro.results.words import learned, remark

BEST: Final = "best"
CALIBRATION = "calibration.all"
KAPPA = "kappa-fleiss.all"


def reproducibility_table(stats: Stats) -> Table:
    """Return every cell's differences between seeds at the final step."""
    confidence = level(stats["confidence"])
    others = [name for id_, name in DIFFERENCE_COLUMNS.items() if id_ != CHURN]
    return Table(
        "Differences between seeds, all cells",
        f"Means over pairs of seeds at the final step, with {confidence} jackknife intervals over "
        "seeds below them; kappa is the agreement of all seeds: higher is more alike. Cells "
        "that failed a gate are marked † and are not ranked.",
        ["model", "activation", "n", "total variation", "churn", *others, "kappa"],
        [
            _cell_row(model, activation, cell, _differences(cell))
            for model, activation, cell in every_cell(stats)
        ],
        names=2,
        source=stats_key(stats, f"models.*.rules.{FINAL}.cells.*"),
        keys=_keys(stats, "differences"),
    )


def _keys(stats: Stats, part: str) -> list[str]:
    """Return the keys in `stats.json` of the rows' numbers."""
    return [
        f"models.{model}.rules.{FINAL}.cells.{activation}.{part}"
        for model, activation, _ in every_cell(stats)
    ]


def _cell_row(model: str, activation: str, cell: Cell, cells: list[str | Entry]) -> Row:
    named = Entry(marked(activation, cell), remark(cell))
    return Row([model, named, *cells], failed=not sound(cell))


def _differences(cell: Cell) -> list[str | Entry]:
    ids = (PRIMARY, *DIFFERENCE_COLUMNS)
    return [
        str(cell["n"]),
        *(below(cell["differences"][id_]) for id_ in ids),
        below(cell["group"].get(KAPPA)),
    ]


def learning_table(stats: Stats) -> Table:
    """Return every cell's loss, accuracy, train–validation gap, best checkpoint, calibration."""
    return Table(
        "Loss, accuracy and fit, all cells",
        "Means over n seeds ± standard deviation (n − 1), on the test text: loss in nats per "
        "character. Gap: selection loss minus training loss at the last evaluation, on windows of "
        "both texts. Best: test loss at the checkpoint with the lowest selection loss minus that "
        "at the final step, with its steps. Calibration: expected error of a run’s own confidence. "
        "Every run: the strongest n-gram table that all of the cell’s runs beat.",
        ["model", "activation", "n", "loss", "accuracy", "gap", "best", "calibration", "every run"],
        [
            _cell_row(model, activation, cell, _learning(stats, model, activation, cell))
            for model, activation, cell in every_cell(stats)
        ],
        names=2,
        source=stats_key(stats, f"models.*.rules.{FINAL}.cells.*"),
        keys=_keys(stats, "metrics"),
    )


def _learning(stats: Stats, model: str, activation: str, cell: Cell) -> list[str | Entry]:
    if not cell["n"]:
        return [str(cell["n"]), *[MISSING] * 6]
    metrics = cell["metrics"]
    gap = stats["models"][model]["fit"][activation]["train_gap"]
    return [
        str(cell["n"]),
        _mean(known(metrics[LOSS])),
        _mean(known(metrics[ACCURACY]), share=True),
        signed(gap and gap["value"]),
        _best(stats, model, activation, cell),
        _mean(known(metrics[CALIBRATION])),
        learned(cell["beats"]),
    ]


def _mean(metric: Score, share: bool = False) -> str | Entry:
    """Return a mean with its interval below it."""
    bounds = metric["interval"]
    if bounds is None:
        return mean_sd(metric, share)
    scale, digits = (100, 2) if share else (1, 4)
    return Entry(mean_sd(metric, share), interval([end * scale for end in bounds], digits))


def _best(stats: Stats, model: str, activation: str, cell: Cell) -> str | Entry:
    """Return the gain of the best checkpoint over the final one."""
    gap = stats["models"][model]["fit"][activation]["best_gap"]
    if gap is None or cells_of(stats, model, BEST)[activation]["n"] != cell["n"]:
        return MISSING
    runs = finished_runs(stats, model)
    steps = {run["best_step"] for run in runs if run["activation"] == activation}
    return Entry(signed(-gap["value"]), f"step {counts_spread(steps)}")


def tradeoff_table(stats: Stats) -> Table:
    """Return the sound cells by loss, marking those on the Pareto front."""
    cells = {
        name: cell
        for name, cell in named_cells(stats).items()
        if sound(cell) and cell["n"] and cell["differences"][PRIMARY] is not None
    }
    on_front = {f"{point['model']} {point['activation']}" for point in stats["pareto_front"]}
    ranked = sorted(cells, key=lambda name: _point(cells[name]))
    return Table(
        "Reproducibility against loss",
        "Sound cells by increasing test loss. On the front: no other cell has both a lower "
        "loss and a smaller total variation between seeds. The front uses the means alone; "
        "where intervals overlap, other seeds may give another front.",
        ["cell", "loss", "total variation", "on the front"],
        [_tradeoff_row(name, cells[name], name in on_front) for name in ranked],
        source=stats_key(stats, f"models.*.rules.{FINAL}.cells.*"),
        keys=[_place(name) for name in ranked],
    )


def _point(cell: Cell) -> tuple[float, float]:
    return known(cell["metrics"][LOSS])["value"], known(cell["differences"][PRIMARY])["value"]


def _tradeoff_row(name: str, cell: Cell, on_front: bool) -> Row:
    shown = Entry("yes", kind="equivalent") if on_front else Entry("no")
    return Row(
        [name, _mean(known(cell["metrics"][LOSS])), below(cell["differences"][PRIMARY]), shown]
    )


def _place(name: str) -> str:
    model, _, activation = name.partition(" ")
    return f"models.{model}.rules.{FINAL}.cells.{activation}"
