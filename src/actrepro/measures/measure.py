"""Definition of a measure: sums that add up over positions, and a function that finishes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from actrepro.core.errors import ActreproError
from actrepro.predict.store import CHUNK, Probabilities

Targets = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Symbols = npt.NDArray[np.unsignedinteger[Any]]
Pairs = npt.NDArray[np.intp]
Subsets = list[list[int]]

# Probabilities are 0 or at least this. As a divisor in place of 0, it turns 0 / 0 into 0.
TINY = np.finfo(np.float32).tiny


def mean_over_positions(sums: Floats, n: int) -> Floats:
    """Divide sums `[..., 1]` over `n` positions, which gives means `[...]`."""
    mean: Floats = sums[..., 0] / n
    return mean


def divergence_over_positions(sums: Floats, n: int) -> Floats:
    """Compute `mean_over_positions` of a divergence, which only rounding can make negative."""
    return np.maximum(mean_over_positions(sums, n), 0.0)


@dataclass(frozen=True)
class Measure:
    """A number computed from predictions, `p` `[M, N, V]` of M models on the same N positions.

    Sums over positions add up, over the chunks of a file and the files of a text, so
    that predictions larger than memory can be measured in pieces.

    Attributes
    ----------
    id
        `what-norm-over`, for example `tv-half_l1-pairs`: total variation, as half
        the L1 norm, over pairs of runs.
    name, formula
        As the report prints them; ᵥ runs over the V symbols, y is the true one.
    range
        The closed range of values; rounding may go past it by about 1e-6.
    source
        Where the definition is published.
    sums
        Sums over positions, float64 `[..., K]`: those of two pieces of a text add
        up to those of both.
    finish
        Turns the sums over all positions, `[..., K]`, and the number of positions
        into values `[...]`.
    symmetric
        For pairs: true if the order of the two models does not matter.
    agreement
        True if larger values mean more similar models, as for overlap and kappa.
    """

    id: str
    name: str
    formula: str
    range: tuple[float, float]
    source: str
    sums: Callable[..., Floats]
    finish: Callable[[Floats, int], Floats] = mean_over_positions
    symmetric: bool = True
    agreement: bool = False

    def _of_all(self, p: Probabilities, targets: Targets, *more: Any) -> Floats:
        """Compute values of whole predictions, chunk by chunk, to keep temporary arrays small."""
        _check(p, targets)
        chunks = [slice(start, start + CHUNK) for start in range(0, len(targets), CHUNK)]
        sums = (self.sums(p[:, chunk], targets[chunk], *more) for chunk in chunks)
        return self.finish(reduce(np.add, sums), len(targets))


@dataclass(frozen=True)
class RunMeasure(Measure):
    """A measure of each model: `sums(p, targets)` is `[M, K]`."""

    def __call__(self, p: Probabilities, targets: Targets) -> Floats:
        """Compute values `[M]`; raise ActreproError where `p` and `targets` do not fit."""
        return self._of_all(p, targets)


@dataclass(frozen=True)
class PairMeasure(Measure):
    """A measure of two models: `sums(p, targets, pairs)` is `[P, K]`, of pairs `[P, 2]`."""

    def __call__(self, p: Probabilities, targets: Targets) -> Floats:
        """Compute values `[M, M]`, at `[i, j]` with model i first and j second.

        A model differs from itself by 0 and agrees with itself by 1. Raise
        ActreproError where `p` and `targets` do not fit.
        """
        models = len(p)
        pairs = all_pairs(models)
        if not self.symmetric:
            pairs = np.concatenate([pairs, pairs[:, ::-1]])
        values = self._of_all(p, targets, pairs)
        matrix = np.diag(np.full(models, float(self.agreement)))
        matrix[pairs[:, 0], pairs[:, 1]] = values
        if self.symmetric:
            matrix[pairs[:, 1], pairs[:, 0]] = values
        return matrix


@dataclass(frozen=True)
class GroupMeasure(Measure):
    """A measure of all models together, at least two: `sums(p, targets)` is `[K]`.

    Attributes
    ----------
    subset_sums
        `subset_sums(p, targets, subsets)` is `[len(subsets), K]`: the sums of each
        subset of the models, with what the subsets share computed once.
    """

    subset_sums: Callable[[Probabilities, Targets, Subsets], Floats] = field(kw_only=True)

    def __call__(self, p: Probabilities, targets: Targets) -> float:
        """Compute the value; raise ActreproError where `p` and `targets` do not fit, or M < 2."""
        if len(p) < 2:
            raise ActreproError(
                f"{self.id}: predictions of {len(p)} models, but a group has two or more; "
                "pass p as [models, positions, symbols] with at least two models"
            )
        return float(self._of_all(p, targets))


def all_pairs(models: int) -> Pairs:
    """Return the pairs i < j of a number of models, `[P, 2]`, ordered by i, then j."""
    return np.stack(np.triu_indices(models, k=1), axis=1)


def true_label(p: Probabilities, targets: Targets) -> Floats:
    """Return the probability of the true symbol, `[M, N]`, in double precision."""
    return p[:, np.arange(len(targets)), targets].astype(np.float64)


def top_symbols(p: Probabilities) -> Symbols:
    """Return the most probable symbol, `[M, N]`; of equals, the one with the lower code."""
    # Small integers compare faster.
    top: Symbols = p.argmax(axis=-1).astype(symbol_type(p))
    return top


def symbol_type(p: Probabilities) -> np.dtype[Any]:
    """Return the smallest unsigned integer type that can number the symbols of `p`."""
    return np.min_scalar_type(p.shape[-1] - 1)


def total(values: Probabilities) -> float:
    """Sum `[N, V]`: over symbols in single precision, over positions in double precision."""
    # A matrix product sums rows faster than `sum` does.
    ones = np.ones(values.shape[-1], values.dtype)
    return float((values @ ones).sum(dtype=np.float64))


def entropy(p: Probabilities) -> Floats:
    """Compute −Σᵥ pᵥ ln pᵥ in nats of `[..., V]`, `[...]`; 0 ln 0 is 0 (Shannon 1948)."""
    logs = np.maximum(p, TINY)
    np.log(logs, out=logs)
    # Subtracted from 0, so that certainty has entropy 0, not −0.
    nats: Floats = np.subtract(0.0, np.vecdot(p, logs), dtype=np.float64)
    return nats


def distance(p: Probabilities, q: Probabilities) -> Probabilities:
    """Compute |p − q| of every entry."""
    apart: Probabilities = p - q
    return np.abs(apart, out=apart)


def count(where: npt.NDArray[np.bool_]) -> int:
    """Count the true entries."""
    return int(np.count_nonzero(where))


def _check(p: Probabilities, targets: Targets) -> None:
    expected = "expected p as [models, positions, symbols] and one target per position"
    if p.ndim != 3 or targets.shape != p.shape[1:2] or not targets.size:
        raise ActreproError(
            f"measures: found p of shape {p.shape} and targets of shape {targets.shape}; "
            f"{expected}; pass p[None] for one model"
        )
    if targets.min() < 0 or targets.max() >= p.shape[-1]:
        raise ActreproError(
            f"measures: found targets from {targets.min()} to {targets.max()} for "
            f"{p.shape[-1]} symbols; {expected}, a code from 0 to {p.shape[-1] - 1}; "
            "use the targets of the text that was predicted"
        )
