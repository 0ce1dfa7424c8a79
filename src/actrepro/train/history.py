"""A run's history: its losses on fixed windows of train and of selection text.

Read without torch, by figures and by the choice of checkpoints at a common loss.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from actrepro.core.errors import ActreproError


class HistoryRow(NamedTuple):
    """Mean loss in nats per character on fixed windows of train and selection text."""

    step: int
    train_loss: float
    selection_loss: float


def history_csv(history: Sequence[HistoryRow]) -> str:
    """The history as CSV; numbers in full, so that equal runs give equal bytes."""
    lines = [",".join(HistoryRow._fields), *(",".join(map(repr, row)) for row in history)]
    return "\n".join(lines) + "\n"


def read_history(path: Path) -> list[HistoryRow]:
    """The history in a file; losses that are no number stay so: NaN or infinite.

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
    """The rows with a lower selection loss than all before them; the last is the best one."""
    best = math.inf
    found = []
    for row in history:
        if row.selection_loss < best:
            best = row.selection_loss
            found.append(row)
    return found
