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
    if not cell["excluded_seeds"]:
        return f"needs {needed} seeds"
    return "every run diverged" if cell["n"] == 0 else "diverged: only 1 seed left"


def remark(cell: Cell, needed: int = 1) -> str:
    """What a reader must know of a cell besides its number."""
    excluded = ", ".join(map(str, cell["excluded_seeds"]))
    return absence(cell, needed) or (f"without seed {excluded} (diverged)" if excluded else "")


def beats_bigram(cell: Cell) -> bool:
    """Whether every run that finished beats the bigram table, and there is one."""
    return bool(cell["beats"]["bigram"])


def learned(beats: Mapping[str, bool | None]) -> str:
    """The strongest n-gram table that every run of a cell beats, in words."""
    if beats["bigram"]:
        return "beats bigram"
    return "beats unigram" if beats["unigram"] else "not learned"
