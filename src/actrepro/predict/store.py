"""Predictions on disk: the probabilities of one run on the frozen evaluation set.

This module needs no torch, so measures and statistics start fast. Predictions are read in pieces,
so all runs of a large study fit into memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from actrepro.core.errors import ActreproError
from actrepro.core.files import npz_names, npz_rows, read_npz, write_npz
from actrepro.core.vocabulary import FINISHED, LOST

# Each run chooses its own checkpoints. Those of `matched` depend on all runs of a model.
OwnRule = Literal["final", "best"]
Rule = Literal[OwnRule, "matched"]
FINAL: Final = "final"
MATCHED: Final = "matched"
OWN_RULES: tuple[OwnRule, ...] = (FINAL, "best")
RULES: tuple[Rule, ...] = (*OWN_RULES, MATCHED)
POSITIONS = ("all", "last")

# Positions read at a time: the piece of one run, [CHUNK, 65], stays in a core's L2 cache.
CHUNK = 2048

# Arrays of a file beside its predictions.
HEAD = ("lost", "evaluation_sha256", "rules", "weights_sha256")

Probabilities = npt.NDArray[np.float32]
Text = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Predictions:
    """The predictions of one run under some checkpoint rules.

    Attributes
    ----------
    probabilities
        By checkpoint rule and positions: `all` has every scored character `[N, V]`, `last` the
        last position of the fixed windows `[K, V]`. Empty for a lost run. Rules with the same
        weights share one array.
    generated
        By checkpoint rule, the codes `[prompts, length]` that the run generates after fixed
        prompts. Empty for a lost run.
    evaluation_sha256
        SHA-256 of the evaluation set.
    weights_sha256
        SHA-256 of the weights, by rule.
    lost
        `diverged` or `failed` for a run without predictions, else None.
    """

    probabilities: Mapping[tuple[str, str], Probabilities]
    generated: Mapping[str, Text]
    evaluation_sha256: str
    weights_sha256: Mapping[str, str]
    lost: str | None = None


def of_lost(
    lost: str, evaluation_sha256: str, weights_sha256: Mapping[str, str] | None = None
) -> Predictions:
    """Return the predictions of a run that `diverged` or `failed`: there are none."""
    return Predictions({}, {}, evaluation_sha256, weights_sha256 or {}, lost)


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions. Arrays that several rules share are written once."""
    weights = predictions.weights_sha256
    arrays: dict[str, Any] = {}
    for rule in _stored(weights):
        for positions in POSITIONS:
            if (rule, positions) in predictions.probabilities:
                arrays[f"{rule}_{positions}"] = predictions.probabilities[rule, positions]
        if rule in predictions.generated:
            arrays[f"{rule}_generated"] = predictions.generated[rule]
    arrays["lost"] = np.array(predictions.lost or "")
    arrays["evaluation_sha256"] = np.array(predictions.evaluation_sha256)
    arrays["rules"] = np.array(list(weights))
    arrays["weights_sha256"] = np.array(list(weights.values()))
    write_npz(path, **arrays)


def _stored(weights: Mapping[str, str]) -> list[str]:
    """Select the rules whose predictions are written: the first one with each set of weights."""
    first: dict[str, str] = {}
    for rule, digest in weights.items():
        first.setdefault(digest, rule)
    return list(first.values())


@dataclass(frozen=True)
class StoredPredictions:
    """A file of predictions. Arrays are read when a method needs them.

    Attributes
    ----------
    lost
        `diverged` or `failed` for a run without predictions, else None.
    """

    path: Path
    evaluation_sha256: str
    weights_sha256: Mapping[str, str]
    lost: str | None

    def rows(self, rule: str, positions: str, size: int) -> Iterator[Probabilities]:
        """Yield probabilities `[≤ size, V]` in the order of positions."""
        return npz_rows(self.path, f"{self._source(rule)}_{positions}", size)

    def read(self, rule: str, positions: str) -> Probabilities:
        """Read all probabilities under a rule, `[N, V]` or `[K, V]`."""
        name = f"{self._source(rule)}_{positions}"
        return read_npz(self.path, [name])[name]

    def generated(self, rule: str) -> Text:
        """Read the codes `[prompts, length]` that the run generates after the fixed prompts."""
        name = f"{self._source(rule)}_generated"
        return read_npz(self.path, [name])[name]

    def _source(self, rule: str) -> str:
        """Find the rule whose name the arrays have in the file."""
        digest = self.weights_sha256[rule]
        return next(
            name for name, digest_of_rule in self.weights_sha256.items() if digest_of_rule == digest
        )


def open_predictions(path: Path) -> StoredPredictions:
    """Read the head of a file of predictions, and check which arrays it has.

    Raises
    ------
    ActreproError
        When the file is missing, damaged, or not a predictions file.
    """
    head = read_npz(path, HEAD)
    if (
        len(head) != len(HEAD)
        or len(head["rules"]) != len(head["weights_sha256"])
        or str(head["lost"]) not in ("", *LOST)
    ):
        raise ActreproError(f"{path}: not a predictions file; delete it and run again")
    weights = dict(zip(map(str, head["rules"]), map(str, head["weights_sha256"]), strict=True))
    stored = set(npz_names(path)) - head.keys()
    parts = (*POSITIONS, "generated")
    lost = str(head["lost"]) or None
    needed = {"_".join(pair) for pair in itertools.product(_stored(weights), parts)}
    if stored != (set() if lost else needed):
        raise ActreproError(
            f"{path}: not a predictions file: holds {_named(stored)} of a run that "
            f"{lost or FINISHED}, expected {_named(needed)} of one that {FINISHED} and none of "
            "one that was lost; delete it and run again"
        )
    return StoredPredictions(path, str(head["evaluation_sha256"]), weights, lost)


def _named(arrays: Set[str]) -> str:
    return ", ".join(sorted(arrays)) or "no predictions"


def stream(
    runs: Sequence[StoredPredictions], rule: str, positions: str, size: int
) -> Iterator[Probabilities]:
    """Yield the probabilities of several runs at the same positions, `[runs, ≤ size, V]`.

    Raises
    ------
    ActreproError
        When a file is damaged, or has other positions than the first.
    """
    sources = [run.rows(rule, positions, size) for run in runs]
    for pieces in itertools.zip_longest(*sources):
        if len({None if piece is None else piece.shape for piece in pieces}) > 1:
            names = ", ".join(str(run.path) for run in runs)
            raise ActreproError(
                f"predictions of different shapes under the rule {rule}, positions {positions}: "
                f"{names}; delete them and run again"
            )
        yield np.stack(pieces)
