"""Predictions on disk: one run's probabilities on the frozen evaluation set.

Read without torch, so that measures and statistics start fast.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from actrepro.errors import ActreproError
from actrepro.files import read_npz, write_npz

RULES = ("final", "best")
POSITIONS = ("all", "last")

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Predictions:
    """What one run predicts.

    Attributes
    ----------
    probabilities
        By checkpoint rule (`final`, `best`) and positions: `all` is every
        scored character `[N, V]`, `last` the last position of the fixed
        windows `[K, V]`. Empty for a run that diverged. Where the best step is
        the final one, both rules share one array.
    evaluation_sha256
        Of the evaluation set that was predicted.
    weights_sha256
        Of the weights that predicted, by rule.
    """

    probabilities: Mapping[tuple[str, str], Probabilities]
    evaluation_sha256: str
    weights_sha256: Mapping[str, str]

    @property
    def diverged(self) -> bool:
        """Whether the run left nothing to predict with."""
        return not self.probabilities

    @property
    def best_is_final(self) -> bool:
        """Whether both checkpoint rules chose the same step."""
        return self.weights_sha256["best"] == self.weights_sha256["final"]


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions; what both rules share is written once."""
    rules = ("final",) if predictions.best_is_final else RULES
    arrays: dict[str, Any] = {
        f"{rule}_{positions}": values
        for (rule, positions), values in predictions.probabilities.items()
        if rule in rules
    }
    arrays["evaluation_sha256"] = np.array(predictions.evaluation_sha256)
    arrays["weights_sha256"] = np.array([predictions.weights_sha256[rule] for rule in RULES])
    write_npz(path, **arrays)


def load_predictions(path: Path) -> Predictions:
    """Read predictions.

    Raises
    ------
    ActreproError
        When the file is missing, damaged, or not a predictions file.
    """
    arrays = read_npz(path)
    try:
        weights = dict(zip(RULES, map(str, arrays["weights_sha256"]), strict=True))
        evaluation = str(arrays["evaluation_sha256"])
    except (KeyError, ValueError):
        raise ActreproError(f"{path}: not a predictions file; delete it and run again") from None
    stored = {
        (rule, positions): arrays[f"{rule}_{positions}"]
        for rule in RULES
        for positions in POSITIONS
        if f"{rule}_{positions}" in arrays
    }
    needed = RULES if weights["best"] != weights["final"] else ("final",)
    if stored and set(stored) != set(itertools.product(needed, POSITIONS)):
        found = ", ".join(map("_".join, stored))
        raise ActreproError(
            f"{path}: not a predictions file: holds {found}, expected each of {', '.join(needed)} "
            f"on {' and '.join(POSITIONS)}; delete it and run again"
        )
    probabilities = {
        (rule, positions): stored.get((rule, positions), stored["final", positions])
        for rule in RULES
        for positions in POSITIONS
        if stored
    }
    return Predictions(probabilities, evaluation, weights)


def same_evaluation(predictions: Mapping[Any, Predictions]) -> str:
    """The hash of the evaluation set that all runs share.

    Raises
    ------
    ActreproError
        When they do not: differences between predictions of different text mean nothing.
    """
    hashes = {run: one.evaluation_sha256 for run, one in predictions.items()}
    if len(set(hashes.values())) != 1:
        listed = ", ".join(f"{run}: {value[:12]}" for run, value in hashes.items())
        raise ActreproError(
            f"runs predicted different evaluation sets ({listed}); delete their predictions.npz "
            "and run again"
        )
    return next(iter(hashes.values()))
