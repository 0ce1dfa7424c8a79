"""Reading the cells of a scale's `stats.json`: which have numbers, and which passed their gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actrepro.core.vocabulary import FINISHED
from actrepro.gates.outcome import GATES
from actrepro.predict.store import FINAL

Stats = Mapping[str, Any]
Cell = Mapping[str, Any]

# Stands behind the name or the number of a cell that failed a gate.
FAILED = "†"


def cells_of(stats: Stats, model: str, rule: str = FINAL) -> Mapping[str, Cell]:
    """A model's cells by activation, under one checkpoint rule."""
    cells: Mapping[str, Cell] = stats["models"][model]["rules"][rule]["cells"]
    return cells


def every_cell(stats: Stats, rule: str = FINAL) -> Iterator[tuple[str, str, Cell]]:
    """All cells of a scale, each with its model and activation."""
    for model in stats["models"]:
        for activation, cell in cells_of(stats, model, rule).items():
            yield model, activation, cell


def named_cells(stats: Stats, rule: str = FINAL) -> dict[str, Cell]:
    """All cells of a scale by their names, `model activation`."""
    return {f"{model} {activation}": cell for model, activation, cell in every_cell(stats, rule)}


def finished_runs(stats: Stats, model: str) -> list[Mapping[str, Any]]:
    """A model's runs that did not diverge or fail."""
    return [run for run in stats["models"][model]["runs"] if run["status"] == FINISHED]


def compared_cells(breakdown: Mapping[str, Any]) -> dict[str, Cell]:
    """The cells of a model's `breakdown.json` that have two runs to compare."""
    return {name: cell for name, cell in breakdown["cells"].items() if cell["n"] > 1}


def sound(cell: Cell) -> bool:
    """Whether a cell passed every gate: only then may it be ranked or compared."""
    return not cell["failed_gates"]


def failures(cells: Mapping[str, Cell]) -> dict[str, list[str]]:
    """The names of the cells that failed, by gate; only gates that any cell failed."""
    found = {
        gate: [name for name, cell in cells.items() if gate in cell["failed_gates"]]
        for gate in GATES
    }
    return {gate: names for gate, names in found.items() if names}
