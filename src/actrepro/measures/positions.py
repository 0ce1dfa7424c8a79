"""Values of measures at every position.

Their mean over all positions is the measure itself, so a mean over some positions shows how
these contribute to it. `p` is `[M, N, V]`, of M models on N positions; `pairs` `[P, 2]` are
pairs of these models.
"""

from __future__ import annotations

import numpy as np

from actrepro.measures.measure import (
    Floats,
    Pairs,
    Targets,
    distance,
    top_symbols,
    true_label,
)
from actrepro.predict.store import Probabilities


def losses(p: Probabilities, targets: Targets) -> Floats:
    """Compute −ln p_y in nats, mean over models, `[N]`; averages to `loss`."""
    with np.errstate(divide="ignore"):
        mean: Floats = -np.log(true_label(p, targets)).mean(axis=0)
    return mean


def hits(p: Probabilities, targets: Targets) -> Floats:
    """Compute the share of models whose top symbol is true, `[N]`; averages to `accuracy`."""
    share: Floats = (top_symbols(p) == targets).mean(axis=0)
    return share


def confidences(p: Probabilities) -> Floats:
    """Compute the probability of the most probable symbol, mean over models, `[N]`."""
    mean: Floats = p.max(axis=2).mean(axis=0, dtype=np.float64)
    return mean


def churns(p: Probabilities, pairs: Pairs) -> Floats:
    """Compute the share of pairs whose top symbols differ, `[N]`; NaN without pairs.

    It averages to `churn-top1-pairs`.
    """
    top = top_symbols(p)
    differing = np.zeros(top.shape[1])
    for i, j in pairs.tolist():
        differing += top[i] != top[j]
    return _mean(differing, pairs)


def total_variations(p: Probabilities, pairs: Pairs) -> Floats:
    """Compute ½ Σᵥ |pᵥ − qᵥ|, mean over pairs, `[N]`; NaN without pairs.

    It averages to `tv-half_l1-pairs`.
    """
    ones = np.ones(p.shape[2], p.dtype)
    apart = np.zeros(p.shape[1])
    for i, j in pairs.tolist():
        apart += distance(p[i], p[j]) @ ones
    return 0.5 * _mean(apart, pairs)


def _mean(sums: Floats, pairs: Pairs) -> Floats:
    return sums / len(pairs) if len(pairs) else np.full_like(sums, np.nan)
