"""Matched loss: the step of each run whose selection loss is nearest a common loss.

Models at different losses differ in sharpness, and sharpness affects every difference between
predictions. So runs are also compared at steps where their losses on the selection text are as
equal as their histories allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actrepro.train.history import HistoryRow, improvements

Run = tuple[str, int]


@dataclass(frozen=True)
class Match:
    """The step of a run nearest the common loss. Both are None for a run without history."""

    step: int | None
    selection_loss: float | None


def common_loss(histories: Mapping[Run, Sequence[HistoryRow]], learned_below: float) -> float:
    """Compute the lowest selection loss that all runs of a model reach.

    Runs count only if their best loss is below `learned_below`, the loss of the bigram table on the
    selection text. A run that has learned less would move all others back to steps at which they
    had not learned either. If no run has learned more, all runs count.

    Raises
    ------
    ValueError
        When no run has a history.
    """
    best = [rows[-1].selection_loss for rows in map(improvements, histories.values()) if rows]
    learned = [loss for loss in best if loss < learned_below]
    return max(learned or best)


def match(history: Sequence[HistoryRow], level: float) -> Match:
    """Find the step whose selection loss is nearest `level`, up to the best step of the run.

    Rows before the best one count only if they were the best so far: a run is met on its way down,
    before it overfits. Of two rows that are equally near, the earlier one is chosen. Untrained
    weights count only for a run that never improved on them.
    """
    rows = improvements(history)
    rows = [row for row in rows if row.step > 0] or rows
    if not rows:
        return Match(None, None)
    nearest = min(rows, key=lambda row: abs(row.selection_loss - level))
    return Match(nearest.step, nearest.selection_loss)
