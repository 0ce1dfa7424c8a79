"""Validity of stored predictions, checked before any number is computed from them.

A run that cannot be compared is excluded from every statistic, with the reason, and is never
replaced.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from actrepro.data.evaluation_set import EvaluationSet
from actrepro.predict.shapes import Extremes
from actrepro.predict.store import CHUNK, StoredPredictions

# A softmax in double precision, stored in single, sums to one to about 1e-7.
LARGEST_SUM_ERROR = 1e-5

NOT_PREDICTED = "not predicted under this checkpoint rule"
OTHER_TEXT = "predicted another evaluation set"
NOT_PROBABILITIES = "predictions are not probabilities"
IMPOSSIBLE = "infinite loss: a true character has probability 0"


@dataclass(frozen=True)
class Validity:
    """The validity of a run's predictions under a checkpoint rule.

    Attributes
    ----------
    why
        The reason why they cannot be compared: `diverged` or `failed` for a lost run. None if
        they can be compared.
    evaluation_sha256, weights_sha256, predictions_sha256
        SHA-256 of the predicted text, the weights, and the probabilities.
    finite, lowest, highest, sum_error
        True if all entries are finite, their range, and the largest |Σ − 1| of a row. None for a
        run without predictions; the last three also if an entry is not finite.
    """

    why: str | None
    evaluation_sha256: str
    weights_sha256: str | None
    predictions_sha256: str | None = None
    finite: bool | None = None
    lowest: float | None = None
    highest: float | None = None
    sum_error: float | None = None

    @property
    def usable(self) -> bool:
        """True if the run can be compared with others."""
        return self.why is None


def targets_of(evaluation: EvaluationSet) -> Mapping[str, npt.NDArray[np.integer[Any]]]:
    """Return the true symbols, by positions."""
    return {"all": evaluation.targets, "last": evaluation.last_targets}


def inspect(run: StoredPredictions, rule: str, evaluation: EvaluationSet) -> Validity:
    """Check that predictions under a rule are probabilities, of the evaluation set's text."""
    weights = run.weights_sha256.get(rule)
    if run.lost or weights is None:
        return Validity(run.lost or NOT_PREDICTED, run.evaluation_sha256, weights)
    digest = hashlib.sha256()
    finite, lowest, highest, error = True, math.inf, -math.inf, 0.0
    same_text, possible = run.evaluation_sha256 == evaluation.sha256, True
    for positions, targets in targets_of(evaluation).items():
        start = 0
        for rows in run.rows(rule, positions, CHUNK):
            digest.update(rows.tobytes())
            finite = finite and bool(np.isfinite(rows).all())
            lowest = min(lowest, float(rows.min()))
            highest = max(highest, float(rows.max()))
            error = max(error, float(np.abs(rows.sum(axis=1, dtype=np.float64) - 1).max()))
            if same_text:
                true = rows[np.arange(len(rows)), targets[start : start + len(rows)]]
                possible = possible and bool((true > 0).all())
            start += len(rows)
    entries: Extremes = {
        "finite": finite,
        "lowest": lowest if finite else None,
        "highest": highest if finite else None,
        "sum_error": error if finite else None,
    }
    why = None
    if not are_probabilities(entries):
        why = NOT_PROBABILITIES
    elif not same_text:
        why = OTHER_TEXT
    elif not possible:
        why = IMPOSSIBLE
    return Validity(why, run.evaluation_sha256, weights, digest.hexdigest(), **entries)


def are_probabilities(entries: Extremes) -> bool:
    """Return True if all entries are numbers from 0 to 1 whose rows sum to one."""
    lowest, highest, error = entries["lowest"], entries["highest"], entries["sum_error"]
    if not entries["finite"] or lowest is None or highest is None or error is None:
        return False
    return lowest >= 0 and highest <= 1 + LARGEST_SUM_ERROR and error <= LARGEST_SUM_ERROR
