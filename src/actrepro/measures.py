"""Measures of one run and of differences between two: pure functions of probabilities.

An id reads `what-how-over.positions`, for example `tv-half_l1-pairs.all`: total
variation, as half the L1 norm, averaged over pairs of runs, on every scored
character. All measures compare probabilities of *the same* characters given
*the same* context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from actrepro.predictions import POSITIONS, Probabilities

Targets = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """A difference between two runs: a mean over positions of a value at each."""

    id: str
    name: str
    formula: str
    range: tuple[float, float]
    at_positions: Callable[[Probabilities, Probabilities, Targets], Floats]

    def __call__(self, p: Probabilities, q: Probabilities, targets: Targets) -> float:
        return float(self.at_positions(p, q, targets).mean())


def churn(p: Probabilities, q: Probabilities, targets: Targets) -> Floats:
    """1 where the most probable symbols differ, else 0 (Milani Fard et al. 2016), `[N]`."""
    differs: Floats = (p.argmax(axis=1) != q.argmax(axis=1)).astype(np.float64)
    return differs


def total_variation(p: Probabilities, q: Probabilities, targets: Targets) -> Floats:
    """½ Σ_v |p_v − q_v| (Shamir et al. 2020, L1 prediction difference of two models), `[N]`."""
    half: Floats = 0.5 * np.abs(p - q).sum(axis=1, dtype=np.float64)
    return half


def relative_true_label(p: Probabilities, q: Probabilities, targets: Targets) -> Floats:
    """|p_y − q_y| / (p_y + q_y) at the true symbol y; 0 where both are 0, `[N]`.

    For two models this is the mean over both of |p_y − p̄_y| / p̄_y, p̄ their mean
    (Shamir et al. 2020, relative prediction difference of the true label).
    """
    rows = np.arange(len(targets))
    p_y = p[rows, targets].astype(np.float64)
    q_y = q[rows, targets].astype(np.float64)
    total = p_y + q_y
    return np.divide(np.abs(p_y - q_y), total, out=np.zeros_like(total), where=total > 0)


def jensen_shannon(p: Probabilities, q: Probabilities, targets: Targets) -> Floats:
    """H((p + q)/2) − (H(p) + H(q))/2 in nats, at most ln 2 (Lin 1991), `[N]`."""
    mean = np.float32(0.5) * (p + q)
    return np.maximum(entropy(mean) - (entropy(p) + entropy(q)) / 2, 0.0)


def entropy(p: Probabilities) -> Floats:
    """−Σ_v p_v ln p_v in nats, `[N]`."""
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    summed: Floats = -np.einsum("nv,nv->n", p, logs, dtype=np.float64)
    return summed


MEASURES: tuple[Measure, ...] = (
    Measure(
        "tv-half_l1-pairs",
        "total variation",
        "½ Σᵥ |pᵥ − qᵥ|, mean over positions, mean over pairs of runs",
        (0.0, 1.0),
        total_variation,
    ),
    Measure(
        "churn-top1-pairs",
        "churn",
        "share of positions where the most probable symbols differ, mean over pairs of runs",
        (0.0, 1.0),
        churn,
    ),
    Measure(
        "rpd-true_label-pairs",
        "relative difference on the true label",
        "|p_y − q_y| / (p_y + q_y), mean over positions, mean over pairs of runs",
        (0.0, 1.0),
        relative_true_label,
    ),
    Measure(
        "js-nats-pairs",
        "Jensen–Shannon divergence",
        "H((p + q)/2) − (H(p) + H(q))/2 in nats, mean over positions, mean over pairs of runs",
        (0.0, float(np.log(2))),
        jensen_shannon,
    ),
)
PRIMARY = "tv-half_l1-pairs.all"


def measure_ids() -> list[str]:
    """Every measure on every set of positions."""
    return [f"{measure.id}.{positions}" for measure in MEASURES for positions in POSITIONS]


def loss(p: Probabilities, targets: Targets) -> float:
    """Mean −ln p_y in nats per character; infinite where a true symbol has probability 0."""
    chosen = p[np.arange(len(targets)), targets].astype(np.float64)
    with np.errstate(divide="ignore"):
        return float(-np.log(chosen).mean())


def accuracy(p: Probabilities, targets: Targets) -> float:
    """Share of positions where the most probable symbol is the true one."""
    return float((p.argmax(axis=1) == targets).mean())
