"""The statistics that few seeds allow: pure functions of numbers.

Seeds are blocks: the same seed gives every activation the same text in the same
order, so activations are compared within seeds.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats

Floats = npt.NDArray[np.float64]

# 2^14 relabelings are exact in well under a second; no study here has more seeds.
MOST_EXACT_SEEDS = 14


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval; None where the seeds do not allow one."""

    value: float
    n: int
    standard_error: float | None
    interval: tuple[float, float] | None


def mean_estimate(values: Sequence[float] | Floats, confidence: float) -> Estimate:
    """Mean over seeds with Student's interval, mean ± t·s/√n; two values at the least."""
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    if n < 2:
        return Estimate(float(array.mean()), n, None, None)
    return _student(float(array.mean()), float(array.std(ddof=1)) / np.sqrt(n), n, confidence)


def mean_of_pairs(matrix: Floats) -> float:
    """The U-statistic: mean over the pairs i < j of a symmetric `[M, M]` matrix."""
    return float(matrix[np.triu_indices(len(matrix), k=1)].mean())


def jackknife_pairs(
    matrices: Sequence[Floats], signs: Sequence[int], confidence: float
) -> Estimate:
    """Σ signs·(mean over pairs), with a jackknife over seeds; the matrices share their seeds.

    One matrix and sign 1 is a cell's difference; two and signs (1, −1) is a
    contrast between two activations. Pairs that share a run are not
    independent, so leaving out one *pair* at a time would be wrong: a seed is
    left out of every matrix at once. v = (M−1)/M Σ (U₍₋ₘ₎ − Ū)², and Student's
    interval with M − 1 degrees of freedom (Efron & Stein 1981). Three seeds at
    the least: without one, two must be left to make a pair.
    """

    def value(keep: Sequence[int]) -> float:
        chosen = np.ix_(keep, keep)
        parts = (sign * mean_of_pairs(m[chosen]) for m, sign in zip(matrices, signs, strict=True))
        return sum(parts)

    n = len(matrices[0])
    seeds = list(range(n))
    if n < 3:
        return Estimate(value(seeds), n, None, None)
    left = np.array([value([seed for seed in seeds if seed != out]) for out in seeds])
    error = float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))
    return _student(value(seeds), error, n, confidence)


def _student(value: float, error: float, n: int, confidence: float) -> Estimate:
    reach = float(scipy.stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    return Estimate(value, n, float(error), (value - reach, value + reach))


def sign_flip_p(differences: Sequence[float] | Floats) -> float:
    """Exact two-sided p of the mean paired difference under all 2ⁿ sign flips (Fisher 1935)."""
    array = np.asarray(differences, dtype=np.float64)
    found = (float((np.array(signs) * array).mean()) for signs in _signs(len(array)))
    return _share_as_extreme(float(array.mean()), found)


def label_swap_p(matrix: Floats) -> float:
    """Exact two-sided p of U_A − U_B when A and B swap labels within seeds, in all 2ⁿ ways.

    Parameters
    ----------
    matrix
        `[2M, 2M]` differences between runs: A's seeds first, then B's in the
        same order. Cross entries are needed: a swapped group mixes both.
    """
    n = len(matrix) // 2

    def contrast(signs: tuple[int, ...]) -> float:
        a = [seed if sign > 0 else seed + n for seed, sign in enumerate(signs)]
        b = [seed + n if sign > 0 else seed for seed, sign in enumerate(signs)]
        return mean_of_pairs(matrix[np.ix_(a, a)]) - mean_of_pairs(matrix[np.ix_(b, b)])

    return _share_as_extreme(contrast((1,) * n), (contrast(signs) for signs in _signs(n)))


def smallest_p(n: int) -> float:
    """The smallest two-sided p that n seed blocks can give: 2/2ⁿ, or one of those sampled."""
    return min(1.0, max(2.0 ** (1 - n), 2.0**-MOST_EXACT_SEEDS))


def relabelings(n: int) -> str:
    """How a test with n seeds goes through the relabelings, in words."""
    exact = n <= MOST_EXACT_SEEDS
    return "exact" if exact else f"{2**MOST_EXACT_SEEDS:,} random relabelings"


def _signs(n: int) -> Iterator[tuple[int, ...]]:
    if n > MOST_EXACT_SEEDS:
        generator = np.random.Generator(np.random.PCG64(n))
        drawn = generator.choice((-1, 1), size=(2**MOST_EXACT_SEEDS - 1, n))
        return itertools.chain([(1,) * n], (tuple(map(int, row)) for row in drawn))
    return itertools.product((1, -1), repeat=n)


def _share_as_extreme(observed: float, found: Iterator[float]) -> float:
    # Equal statistics may differ in the last bit by the order of summing.
    bound = abs(observed) - 1e-12
    extreme = [abs(value) >= bound for value in found]
    return float(np.mean(extreme))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their family (Holm 1979), by statsmodels."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    # statsmodels collects garbage at every call; what its import made is none.
    gc.freeze()
    return [float(p) for p in multipletests(p_values, method="holm")[1]]
