"""Cells of a scale's `stats.json`: those with numbers, and those that passed their gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from typing_extensions import TypedDict

from actrepro.core.vocabulary import FINISHED
from actrepro.gates.outcome import GATES
from actrepro.measures.shapes import Breakdown, ConfidenceRow, Ensembles, Stretch, SymbolRow
from actrepro.predict.store import FINAL, Rule
from actrepro.results.schema import Cell as Cell
from actrepro.results.schema import Run, StatsFile

Stats = StatsFile
_T = TypeVar("_T")

# Follows the name or the number of a cell that failed a gate.
FAILED = "†"


def cells_of(stats: Stats, model: str, rule: Rule = FINAL) -> Mapping[str, Cell]:
    """Return a model's cells by activation, under one checkpoint rule."""
    return stats["models"][model]["rules"][rule]["cells"]


def every_cell(stats: Stats, rule: Rule = FINAL) -> Iterator[tuple[str, str, Cell]]:
    """Yield all cells of a scale, each with its model and activation."""
    for model in stats["models"]:
        for activation, cell in cells_of(stats, model, rule).items():
            yield model, activation, cell


def named_cells(stats: Stats, rule: Rule = FINAL) -> dict[str, Cell]:
    """Return all cells of a scale by their names, `model activation`."""
    return {f"{model} {activation}": cell for model, activation, cell in every_cell(stats, rule)}


def finished_runs(stats: Stats, model: str) -> list[Run]:
    """Return a model's runs that did not diverge or fail."""
    return [run for run in stats["models"][model]["runs"] if run["status"] == FINISHED]


def step_of(run: Run, rule: Rule) -> int | None:
    """Return the step of a run's checkpoint under a rule; None where a lost run has none."""
    steps = {"final": run["final_step"], "best": run["best_step"], "matched": run["matched_step"]}
    return steps[rule]


class ComparedCell(TypedDict):
    """Breakdown of the differences between the runs of a cell that has at least two."""

    by_symbol: list[SymbolRow]
    by_confidence: list[ConfidenceRow]
    by_position: list[Stretch]
    ensemble: Ensembles


def compared_cells(breakdown: Breakdown) -> dict[str, ComparedCell]:
    """Return the cells of a model's `breakdown.json` that have two runs to compare."""
    return {
        name: {
            "by_symbol": known(cell["by_symbol"]),
            "by_confidence": known(cell["by_confidence"]),
            "by_position": known(cell["by_position"]),
            "ensemble": known(cell["ensemble"]),
        }
        for name, cell in breakdown["cells"].items()
        if cell["n"] > 1
    }


def known(value: _T | None) -> _T:
    """Return a value that is null only in other cells, as the caller knows."""
    if value is None:
        raise ValueError("found null in a cell that has the runs for this number")
    return value


def sound(cell: Cell) -> bool:
    """Check whether a cell passed every gate: only then may it be ranked or compared."""
    return not cell["failed_gates"]


def failures(cells: Mapping[str, Cell]) -> dict[str, list[str]]:
    """Return the names of failed cells by gate; only gates that any cell failed."""
    by_gate = {
        gate: [name for name, cell in cells.items() if gate in cell["failed_gates"]]
        for gate in GATES
    }
    return {gate: names for gate, names in by_gate.items() if names}
