"""Measures of several runs against their mean, p̄, or of their agreement beyond chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from actrepro.measures.measure import (
    TINY,
    Floats,
    GroupMeasure,
    Subsets,
    Targets,
    all_pairs,
    count,
    distance,
    divergence_over_positions,
    entropy,
    mean_over_positions,
    top_symbols,
    total,
    true_label,
)
from actrepro.predict.store import Probabilities

SubsetSums = Callable[[Probabilities, Targets, Subsets], Floats]


def leave_one_out_sums(measure: GroupMeasure, p: Probabilities, targets: Targets) -> Floats:
    """Compute sums for a jackknife over models, `[M + 1, K]`: of all models, then without each.

    Row 1 + m is without model m. For two models there is only the first row, since one
    model is no group. `measure.finish` takes the rows together or one by one.
    """
    models = list(range(len(p)))
    without = [[rest for rest in models if rest != m] for m in models]
    return measure.subset_sums(p, targets, [models, *(without if len(p) > 2 else [])])


def l1_sums(p: Probabilities, targets: Targets, subsets: Subsets) -> Floats:
    """Σ 1/M Σₘ Σᵥ |pₘᵥ − p̄ᵥ|, `[S, 1]`; the mean is in [0, 2(1 − 1/M)].

    The L1 prediction difference D₁ (Shamir et al. 2020, arXiv:2010.09931); for two
    models, their total variation.
    """

    def to_mean(models: list[int], mean: Probabilities) -> float:
        return sum(total(distance(p[m], mean)) for m in models) / len(models)

    return _of_each(p, subsets, to_mean)


def l2_sums(p: Probabilities, targets: Targets, subsets: Subsets) -> Floats:
    """Σ 1/M Σₘ √(Σᵥ (pₘᵥ − p̄ᵥ)²), `[S, 1]`; the mean is in [0, 1].

    The L2 prediction difference (Shamir et al. 2020), the mean over models outside
    the root. Bound: the mean of the squares over models is mean ‖pₘ‖² − ‖p̄‖² ≤ 1.
    """

    def norm(apart: Probabilities) -> float:
        return float(np.sqrt(np.vecdot(apart, apart)).sum(dtype=np.float64))

    def to_mean(models: list[int], mean: Probabilities) -> float:
        return sum(norm(p[m] - mean) for m in models) / len(models)

    return _of_each(p, subsets, to_mean)


def relative_sums(p: Probabilities, targets: Targets, subsets: Subsets) -> Floats:
    """Σ 1/M Σₘ Σᵥ |pₘᵥ − p̄ᵥ| / p̄ᵥ, 0 where p̄ᵥ is 0, `[S, 1]`; the mean is in [0, 2V(1 − 1/M)].

    The relative L1 prediction difference (Shamir et al. 2020), summed over symbols.
    """

    def to_mean(models: list[int], mean: Probabilities) -> float:
        # Where p̄ᵥ is 0, all pₘᵥ are 0 too, and 0 / TINY is 0.
        inverse = 1 / np.maximum(mean, TINY)
        sums = (np.vecdot(distance(p[m], mean), inverse).sum(dtype=np.float64) for m in models)
        return float(sum(sums)) / len(models)

    return _of_each(p, subsets, to_mean)


def relative_true_label_sums(p: Probabilities, targets: Targets, subsets: Subsets) -> Floats:
    """Σ 1/M Σₘ |pₘ_y − p̄_y| / p̄_y, 0 where p̄_y is 0, `[S, 1]`; the mean is in [0, 2(1 − 1/M)].

    The relative prediction difference of the true label (Shamir et al. 2020).
    """
    true = true_label(p, targets)

    def of_models(models: list[int]) -> float:
        mean = true[models].mean(axis=0)
        apart = np.abs(true[models] - mean).mean(axis=0)
        return float(np.divide(apart, mean, out=apart, where=mean > 0).sum())

    return np.array([[of_models(models)] for models in subsets])


def mutual_information_sums(p: Probabilities, targets: Targets, subsets: Subsets) -> Floats:
    """Σ H(p̄) − 1/M Σₘ H(pₘ) in nats, `[S, 1]`; the mean is in [0, ln min(M, V)].

    Mutual information of prediction and model: the mean Kullback–Leibler divergence
    from p̄ (Houlsby et al. 2011, arXiv:1112.5745); for two models, Jensen–Shannon.
    """
    entropies = np.array([entropy(model).sum() for model in p])

    def to_mean(models: list[int], mean: Probabilities) -> float:
        return float(entropy(mean).sum() - entropies[models].mean())

    return _of_each(p, subsets, to_mean)


def fleiss_sums(p: Probabilities, targets: Targets, subsets: Subsets) -> Floats:
    """Count agreeing pairs of models, and how often each symbol is chosen, `[S, 1 + V]`."""
    top = top_symbols(p)
    agreeing = np.zeros((len(p), len(p)))
    for i, j in all_pairs(len(p)).tolist():
        agreeing[i, j] = count(top[i] == top[j])
    chosen = np.array([np.bincount(symbols, minlength=p.shape[2]) for symbols in top])
    return np.array(
        [
            [agreeing[np.ix_(models, models)].sum(), *chosen[models].sum(axis=0)]
            for models in subsets
        ]
    )


def fleiss_kappa(sums: Floats, n: int) -> Floats:
    """(A − E)/(1 − E), in [−1, 1]: agreement of the most probable symbols beyond chance.

    A is the share of agreeing pairs of models, E = Σᵥ sᵥ² the share expected of
    independent choices with the symbols' shares sᵥ (Fleiss 1971, equations 3 to 7).
    NaN (0/0) where all models always choose the same symbol: constant predictions
    agree perfectly and show nothing.
    """
    chosen = sums[..., 1:]
    models = chosen.sum(axis=-1) / n
    observed = sums[..., 0] / (n * models * (models - 1) / 2)
    chance = ((chosen / (n * models)[..., None]) ** 2).sum(axis=-1)
    kappa = np.full(chance.shape, np.nan)
    np.divide(observed - chance, 1 - chance, out=kappa, where=chance < 1)
    return kappa


def _of_each(
    p: Probabilities, subsets: Subsets, sum_of: Callable[[list[int], Probabilities], float]
) -> Floats:
    """Compute one sum of each subset and its mean model, `[S, 1]`."""
    return np.array([[sum_of(models, _mean(p, models))] for models in subsets])


def _mean(p: Probabilities, models: list[int]) -> Probabilities:
    """Compute the mean model `[N, V]`, in place, since indexing with a list copies all models."""
    mean: Probabilities = p[models[0]].copy()
    for m in models[1:]:
        mean += p[m]
    mean /= np.float32(len(models))
    return mean


def _sums_of_all(subset_sums: SubsetSums, p: Probabilities, targets: Targets) -> Floats:
    of_all: Floats = subset_sums(p, targets, [list(range(len(p)))])[0]
    return of_all


def _measure(
    id_: str,
    name: str,
    formula: str,
    range_: tuple[float, float],
    source: str,
    subset_sums: SubsetSums,
    finish: Callable[[Floats, int], Floats] = mean_over_positions,
    agreement: bool = False,
) -> GroupMeasure:
    return GroupMeasure(
        id_,
        name,
        formula,
        range_,
        source,
        partial(_sums_of_all, subset_sums),
        finish,
        agreement=agreement,
        subset_sums=subset_sums,
    )


_SHAMIR = "Shamir et al. 2020, arXiv:2010.09931"
_MEAN = "mean over positions"
GROUP_MEASURES: tuple[GroupMeasure, ...] = (
    _measure(
        "pd-l1-mean",
        "L1 prediction difference",
        f"1/M Σₘ Σᵥ |pₘᵥ − p̄ᵥ|, {_MEAN}",
        (0.0, 2.0),
        _SHAMIR,
        l1_sums,
    ),
    _measure(
        "pd-l2-mean",
        "L2 prediction difference",
        f"1/M Σₘ √(Σᵥ (pₘᵥ − p̄ᵥ)²), {_MEAN}",
        (0.0, 1.0),
        _SHAMIR,
        l2_sums,
    ),
    _measure(
        "rpd-l1-mean",
        "relative L1 prediction difference",
        f"1/M Σₘ Σᵥ |pₘᵥ − p̄ᵥ| / p̄ᵥ, {_MEAN}",
        (0.0, math.inf),
        _SHAMIR,
        relative_sums,
    ),
    _measure(
        "rpd-true_label-mean",
        "relative prediction difference on the true label",
        f"1/M Σₘ |pₘ_y − p̄_y| / p̄_y, {_MEAN}",
        (0.0, 2.0),
        _SHAMIR,
        relative_true_label_sums,
    ),
    _measure(
        "mi-nats-mean",
        "mutual information",
        f"H(p̄) − 1/M Σₘ H(pₘ) in nats, {_MEAN}",
        (0.0, math.inf),
        "Houlsby et al. 2011, arXiv:1112.5745",
        mutual_information_sums,
        divergence_over_positions,
    ),
    _measure(
        "kappa-fleiss",
        "Fleiss' kappa",
        "(A − E)/(1 − E), A the share of pairs of runs and positions with the same most probable "
        "symbol, E that of independent choices",
        (-1.0, 1.0),
        "Fleiss 1971, doi:10.1037/h0031619",
        fleiss_sums,
        fleiss_kappa,
        agreement=True,
    ),
)
