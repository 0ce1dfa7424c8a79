"""Types of `matched.json`, and of the extremes of a run's predictions."""

from __future__ import annotations

from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Name, Seed, closed


class Extremes(TypedDict):
    """Finiteness of all entries, their range, and the largest |Σ − 1| of a row.

    Null for a run without predictions, and without numbers.
    """

    finite: bool | None
    lowest: float | None
    highest: float | None
    sum_error: float | None


@closed
class MatchedRun(TypedDict):
    """A run's step and its loss on the selection text there; null for a lost run."""

    activation: Name
    seed: Seed
    step: Count | None
    selection_loss: float | None


@closed
class MatchedSteps(TypedDict):
    """`matched.json`: the step of each run of a model that is nearest their common loss."""

    scale: Name
    model: Name
    common_loss: float
    runs: list[MatchedRun]
