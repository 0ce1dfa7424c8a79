"""Checkpoints at a common loss: which step of each run comes nearest to it.

Two models at different loss differ in sharpness, and sharpness moves every
prediction difference. So runs are also compared where their losses on the
selection text are as equal as their histories allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actrepro.train.history import HistoryRow, improvements

Run = tuple[str, int]


@dataclass(frozen=True)
class Match:
    """A run's checkpoint nearest the common loss; None where a run has none."""

    step: int | None
    selection_loss: float | None


def common_loss(histories: Mapping[Run, Sequence[HistoryRow]], learned_below: float) -> float:
    """The lowest selection loss that all runs of a model reach.

    Only runs whose best loss is below `learned_below`, the bigram table's on the
    selection text, count: a run that has learned less would draw all others back to where they
    had not learned either. When no run has learned more, all count.

    Raises
    ------
    ValueError
        When no run has a history.
    """
    best = [found[-1].selection_loss for found in map(improvements, histories.values()) if found]
    learned = [loss for loss in best if loss < learned_below]
    return max(learned or best)


def match(history: Sequence[HistoryRow], level: float) -> Match:
    """The step whose selection loss is nearest `level`, up to the run's best step.

    Of the rows before the best only those count that were best in their time:
    each level is met on the way down, where overfitting has not begun. Of two
    that are equally near, the earlier. Untrained weights count only for a run
    that never got better than them.
    """
    rows = improvements(history)
    rows = [row for row in rows if row.step > 0] or rows
    if not rows:
        return Match(None, None)
    nearest = min(rows, key=lambda row: abs(row.selection_loss - level))
    return Match(nearest.step, nearest.selection_loss)
