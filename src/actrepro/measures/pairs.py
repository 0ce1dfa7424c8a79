"""Measures of two runs: the distance between their predictions of the same characters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from actrepro.measures.measure import (
    TINY,
    Floats,
    PairMeasure,
    Pairs,
    Symbols,
    Targets,
    count,
    distance,
    divergence_over_positions,
    entropy,
    symbol_type,
    top_symbols,
    total,
    true_label,
)
from actrepro.predict.store import Probabilities

TOP = 5


def total_variation_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Σ ½ Σᵥ |pᵥ − qᵥ|, `[P, 1]`; the mean is in [0, 1].

    For two models this is the L1 prediction difference from their mean (Shamir et
    al. 2020, arXiv:2010.09931).
    """
    return _of_each(pairs, lambda i, j: 0.5 * total(distance(p[i], p[j])))


def churn_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Positions where the most probable symbols differ, `[P, 1]`; the share is in [0, 1].

    Milani Fard et al. 2016 (NeurIPS), definition of churn.
    """
    top = top_symbols(p)
    return _of_each(pairs, lambda i, j: count(top[i] != top[j]))


def good_churn_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Positions where the first is wrong and the second right, `[P, 1]`; share in [0, 1].

    The wins of the second model (Milani Fard et al. 2016).
    """
    right = top_symbols(p) == targets
    return _of_each(pairs, lambda i, j: count(right[i] < right[j]))


def bad_churn_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Positions where the first is right and the second wrong, `[P, 1]`; share in [0, 1].

    The losses of the second model (Milani Fard et al. 2016).
    """
    return good_churn_sums(p, targets, pairs[:, ::-1])


def neutral_churn_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Positions where both are wrong and differ, `[P, 1]`; the share is in [0, 1].

    Churn minus wins and losses (Milani Fard et al. 2016).
    """
    top = top_symbols(p)
    wrong = top != targets
    return _of_each(pairs, lambda i, j: count((top[i] != top[j]) & wrong[i] & wrong[j]))


def relative_true_label_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Σ |p_y − q_y| / (p_y + q_y), 0 where both are 0, `[P, 1]`; the mean is in [0, 1].

    For two models this is the mean over both of |p_y − p̄_y| / p̄_y, p̄ their mean:
    the relative prediction difference of the true label (Shamir et al. 2020).
    """
    true = true_label(p, targets)

    def pair_sum(i: int, j: int) -> float:
        both = true[i] + true[j]
        apart = np.abs(true[i] - true[j])
        return float(np.divide(apart, both, out=apart, where=both > 0).sum())

    return _of_each(pairs, pair_sum)


def symmetric_relative_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Σ 1/V Σᵥ 2|pᵥ − qᵥ| / (pᵥ + qᵥ), 0 where both are 0, `[P, 1]`; the mean is in [0, 2].

    TensorFlow Model Analysis, SymmetricPredictionDifference, of each symbol. All
    symbols have the same weight, so improbable ones dominate.
    """
    scale: float = 2 / p.shape[2]

    def pair_sum(i: int, j: int) -> float:
        apart = distance(p[i], p[j])
        both = p[i] + p[j]
        np.maximum(both, TINY, out=both)
        np.divide(apart, both, out=apart)
        return scale * total(apart)

    return _of_each(pairs, pair_sum)


def jensen_shannon_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Σ H((p + q)/2) − (H(p) + H(q))/2 in nats, `[P, 1]`; the mean is in [0, ln 2] (Lin 1991)."""
    entropies = [float(entropy(model).sum()) for model in p]

    def pair_sum(i: int, j: int) -> float:
        mean = p[i] + p[j]
        mean *= np.float32(0.5)
        return float(entropy(mean).sum() - (entropies[i] + entropies[j]) / 2)

    return _of_each(pairs, pair_sum)


def overlap_sums(p: Probabilities, targets: Targets, pairs: Pairs) -> Floats:
    """Σ |top k ∩ top k| / k, k = min(5, V), `[P, 1]`; the mean is in [0, 1].

    The k most probable symbols of each; of equals, the lower code first (Fagin, Kumar
    & Sivakumar 2003).
    """
    k = min(TOP, p.shape[2])
    # [M, k, N]: with the long axis last, many symbols are compared at a time.
    best = np.array([_most_probable(model, k) for model in p])
    return _of_each(pairs, lambda i, j: count(best[i][:, None] == best[j][None]) / k)


def _of_each(pairs: Pairs, sum_of: Callable[[int, int], float]) -> Floats:
    """Compute one sum of each pair, `[P, 1]`."""
    sums = [sum_of(i, j) for i, j in pairs.tolist()]
    return np.array(sums, dtype=np.float64).reshape(len(pairs), 1)


def _most_probable(p: Probabilities, k: int) -> Symbols:
    """Return the k most probable symbols of `[N, V]`, the most probable first, `[k, N]`.

    They are found one after the other: a partial sort does not define the order of equals.
    """
    left = p.copy()
    rows = np.arange(len(p))
    best = np.empty((k, len(p)), symbol_type(p))
    for rank in range(k):
        best[rank] = left.argmax(axis=1)
        left[rows, best[rank]] = -1
    return best


_CHURN = "Milani Fard et al. 2016, NeurIPS 29 (Launch and Iterate)"
_SHAMIR = "Shamir et al. 2020, arXiv:2010.09931"
_MEAN = "mean over positions, mean over pairs of runs"
PAIR_MEASURES: tuple[PairMeasure, ...] = (
    PairMeasure(
        "tv-half_l1-pairs",
        "total variation",
        f"½ Σᵥ |pᵥ − qᵥ|, {_MEAN}",
        (0.0, 1.0),
        _SHAMIR,
        total_variation_sums,
    ),
    PairMeasure(
        "churn-top1-pairs",
        "churn",
        "share of positions where the most probable symbols differ, mean over pairs of runs",
        (0.0, 1.0),
        _CHURN,
        churn_sums,
    ),
    PairMeasure(
        "churn-good-pairs",
        "good churn",
        "share of positions where the first run is wrong and the second right, "
        "mean over pairs of runs",
        (0.0, 1.0),
        _CHURN,
        good_churn_sums,
        symmetric=False,
    ),
    PairMeasure(
        "churn-bad-pairs",
        "bad churn",
        "share of positions where the first run is right and the second wrong, "
        "mean over pairs of runs",
        (0.0, 1.0),
        _CHURN,
        bad_churn_sums,
        symmetric=False,
    ),
    PairMeasure(
        "churn-neutral-pairs",
        "neutral churn",
        "share of positions where both runs are wrong and differ, mean over pairs of runs",
        (0.0, 1.0),
        _CHURN,
        neutral_churn_sums,
    ),
    PairMeasure(
        "rpd-true_label-pairs",
        "relative difference on the true label",
        f"|p_y − q_y| / (p_y + q_y), {_MEAN}",
        (0.0, 1.0),
        _SHAMIR,
        relative_true_label_sums,
    ),
    PairMeasure(
        "srpd-mean_labels-pairs",
        "symmetric relative difference",
        f"1/V Σᵥ 2|pᵥ − qᵥ| / (pᵥ + qᵥ), {_MEAN}",
        (0.0, 2.0),
        "TensorFlow Model Analysis, SymmetricPredictionDifference, mean over labels",
        symmetric_relative_sums,
    ),
    PairMeasure(
        "js-nats-pairs",
        "Jensen–Shannon divergence",
        f"H((p + q)/2) − (H(p) + H(q))/2 in nats, {_MEAN}",
        (0.0, math.log(2)),
        "Lin 1991, doi:10.1109/18.61115",
        jensen_shannon_sums,
        divergence_over_positions,
    ),
    PairMeasure(
        "overlap-top5-pairs",
        "overlap of the five most probable",
        f"|top 5 of p ∩ top 5 of q| / 5, {_MEAN}",
        (0.0, 1.0),
        "Fagin, Kumar & Sivakumar 2003, doi:10.1137/S0895480102412856",
        overlap_sums,
        agreement=True,
    ),
)
