"""Reading the cells of a scale's `stats.json`: which have numbers, and why others have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Stats = Mapping[str, Any]
Cell = Mapping[str, Any]


def cells_of(stats: Stats, model: str, rule: str = "final") -> Mapping[str, Cell]:
    """A model's cells by activation, under one checkpoint rule."""
    cells: Mapping[str, Cell] = stats["models"][model]["rules"][rule]["cells"]
    return cells


def absence(cell: Cell, needed: int = 1) -> str:
    """Why a cell has no number; empty when it has the runs that are needed."""
    if cell["n"] >= needed:
        return ""
    if not cell["excluded"]:
        return f"needs {needed} seeds"
    diverged = all(one["why"] == "diverged" for one in cell["excluded"])
    lost = "diverged" if diverged else "is unusable"
    return f"every run {lost}" if cell["n"] == 0 else f"{lost}: only 1 seed left"


def remark(cell: Cell, needed: int = 1) -> str:
    """What a reader must know of a cell besides its number."""
    return absence(cell, needed) or without(cell)


def without(cell: Cell) -> str:
    """Which seeds a cell's numbers leave out, and why; empty when none."""
    by_reason: dict[str, list[str]] = {}
    for one in cell["excluded"]:
        by_reason.setdefault(one["why"], []).append(str(one["seed"]))
    left_out = [f"seed {', '.join(seeds)} ({why})" for why, seeds in by_reason.items()]
    return f"without {'; '.join(left_out)}" if left_out else ""


def sound(cell: Cell) -> bool:
    """Whether a cell passed every gate: only then may it be ranked or compared."""
    return not cell["failed_gates"]


def gate_mark(cell: Cell) -> str:
    """The gates that a cell failed, in words; empty when none."""
    return f"failed: {', '.join(cell['failed_gates'])}" if cell["failed_gates"] else ""


def learned(beats: Mapping[str, bool | None]) -> str:
    """The strongest n-gram table that every run of a cell beats, in words."""
    beaten = [table for table in ("trigram", "bigram", "unigram") if beats[table]]
    return f"beats {beaten[0]}" if beaten else "not learned"
