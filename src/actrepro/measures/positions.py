"""What measures are means of: their values at every position.

The mean over positions of each is the measure itself, so a mean over some positions
says what these have to do with it. `p` is `[M, N, V]`, of M models on N positions; `pairs`
`[P, 2]` are pairs of these models.
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
    """−ln p_y in nats, mean over models `[N]`; as `loss`."""
    with np.errstate(divide="ignore"):
        mean: Floats = -np.log(true_label(p, targets)).mean(axis=0)
    return mean


def hits(p: Probabilities, targets: Targets) -> Floats:
    """The share `[N]` of models whose most probable symbol is the true one; as `accuracy`."""
    share: Floats = (top_symbols(p) == targets).mean(axis=0)
    return share


def confidences(p: Probabilities) -> Floats:
    """The probability of the most probable symbol, mean over models `[N]`."""
    mean: Floats = p.max(axis=2).mean(axis=0, dtype=np.float64)
    return mean


def churns(p: Probabilities, pairs: Pairs) -> Floats:
    """The share `[N]` of pairs whose most probable symbols differ; NaN without pairs.

    As `churn-top1-pairs`.
    """
    top = top_symbols(p)
    differing = np.zeros(top.shape[1])
    for i, j in pairs.tolist():
        differing += top[i] != top[j]
    return _mean(differing, pairs)


def total_variations(p: Probabilities, pairs: Pairs) -> Floats:
    """½ Σᵥ |pᵥ − qᵥ|, mean over pairs `[N]`; NaN without pairs.

    As `tv-half_l1-pairs`.
    """
    ones = np.ones(p.shape[2], p.dtype)
    apart = np.zeros(p.shape[1])
    for i, j in pairs.tolist():
        apart += distance(p[i], p[j]) @ ones
    return 0.5 * _mean(apart, pairs)


def _mean(sums: Floats, pairs: Pairs) -> Floats:
    return sums / len(pairs) if len(pairs) else np.full_like(sums, np.nan)
