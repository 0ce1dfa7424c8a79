"""The history of a run: its losses on fixed windows of training and selection text.

This module needs no torch: figures and the choice of checkpoints at matched loss read histories.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from actrepro.core.errors import ActreproError


class HistoryRow(NamedTuple):
    """Mean losses at a step, in nats per character."""

    step: int
    train_loss: float
    selection_loss: float


def history_csv(history: Sequence[HistoryRow]) -> str:
    """Format a history as CSV, with all digits: equal runs give equal bytes."""
    lines = [",".join(HistoryRow._fields), *(",".join(map(repr, row)) for row in history)]
    return "\n".join(lines) + "\n"


def read_history(path: Path) -> list[HistoryRow]:
    """Read a history. Losses may be NaN or infinite.

    Raises
    ------
    ActreproError
        When the file is missing or not a history.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [
                HistoryRow(int(row["step"]), float(row["train_loss"]), float(row["selection_loss"]))
                for row in csv.DictReader(stream)
            ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ActreproError(
            f"{path}: not a readable training history ({error!r}); delete it and run again"
        ) from None


def improvements(history: Sequence[HistoryRow]) -> list[HistoryRow]:
    """Select the rows with a lower selection loss than all before. The last one is the best."""
    best = math.inf
    rows = []
    for row in history:
        if row.selection_loss < best:
            best = row.selection_loss
            rows.append(row)
    return rows
