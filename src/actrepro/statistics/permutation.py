"""Permutation tests within seed blocks of whether several activations differ at all.

Activations are relabelled within each seed, never across seeds, so an effect of a seed
that all activations share has no influence (Fisher 1935; Good 2005, ch. 7).
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from actrepro.statistics.inference import Floats

Orders = npt.NDArray[np.int64]

# Number of random relabelings, besides the observed one, where there are too many for all.
MOST_RELABELINGS = 9999
# Statistics this close, relative to the values' scale, differ by rounding only.
TIE = 1e-9


@dataclass(frozen=True)
class Omnibus:
    """A test that all activations are alike.

    Attributes
    ----------
    statistic
        Statistic that relabelings are compared by; 0 where all activations are alike.
    p
        Share of the relabelings whose statistic is at least as large.
    p_smallest
        The smallest p that these numbers of activations and seeds can give.
    exact
        True if all relabelings were tried, False for a fixed sample of them.
    relabelings
        Number of relabelings, including the observed one.
    """

    statistic: float
    p: float
    p_smallest: float
    exact: bool
    relabelings: int


@functools.lru_cache(maxsize=8)
def relabelings(k: int, n: int, *, most: int = MOST_RELABELINGS) -> tuple[Orders, bool]:
    """Return relabelings `[S, n, k]` of k activations in n seeds, and whether these are all.

    `[s, i, a]` is the activation whose run takes the label a in seed i. The
    first way leaves every label in place. A relabelling common to all seeds
    changes no statistic here, so the first seed keeps its labels: (k!)ⁿ⁻¹ ways.
    Above `most`, they are sampled: `most` random ones, the same every time,
    after the first. The array is shared between calls and read-only.
    """
    if math.factorial(k) ** (n - 1) > most:
        generator = np.random.Generator(np.random.PCG64([k, n]))
        orders = np.tile(np.arange(k), (most + 1, n, 1))
        orders[1:] = generator.permuted(orders[1:], axis=2)
        orders.flags.writeable = False
        return orders, False
    one_seed = np.array(list(itertools.permutations(range(k))))
    chosen = list(itertools.product(range(len(one_seed)), repeat=n - 1))
    first = np.zeros((len(chosen), 1), dtype=np.int64)
    index = np.hstack([first, np.array(chosen, dtype=np.int64).reshape(len(chosen), n - 1)])
    orders = one_seed[index]
    orders.flags.writeable = False
    return orders, True


def blocked_omnibus_p(values: Floats) -> Omnibus:
    """Test scores `[n, k]` of n seeds and k activations by the sum of squares between activations.

    The statistic is n Σ (mean of an activation − grand mean)². With two
    activations it is the two-sided sign-flip test of their difference.
    """
    n, k = values.shape
    orders, exact = relabelings(k, n)
    # A seed's shift changes no statistic; without it, equal scores are exactly zero.
    centred = values - values[:, :1]
    means = np.zeros((len(orders), k))
    for seed in range(n):
        means += centred[seed, orders[:, seed]]
    means /= n
    statistics = n * ((means - means.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return _omnibus(statistics, n * float(np.abs(centred).max()) ** 2, exact)


def blocked_omnibus_pairs_p(matrix: Floats, k: int, n: int) -> Omnibus:
    """Test differences between runs by the variance of their U-statistics over activations.

    An activation's U-statistic is the mean difference over the pairs of its
    runs. With two activations it is the two-sided `inference.label_swap_p`.

    Parameters
    ----------
    matrix
        `[k·n, k·n]` symmetric, the first activation's n ≥ 2 seeds first, then the
        second's in the same order. A relabelled activation mixes runs of
        several, so entries between activations are needed.
    """
    orders, exact = relabelings(k, n)
    runs = np.arange(k * n).reshape(k, n)
    # A constant changes no variance; without it, equal differences are exactly zero.
    centred = matrix - matrix[0, 1]
    sums = np.zeros((len(orders), k))
    pairs = list(itertools.combinations(range(n), 2))
    scale = 0.0
    for i, j in pairs:
        between = centred[np.ix_(runs[:, i], runs[:, j])]
        sums += between[orders[:, i], orders[:, j]]
        scale = max(scale, float(np.abs(between).max()))
    return _omnibus((sums / len(pairs)).var(axis=1), scale**2, exact)


def _omnibus(statistics: Floats, scale: float, exact: bool) -> Omnibus:
    p = float(np.mean(statistics >= statistics[0] - TIE * scale))
    return Omnibus(float(statistics[0]), p, 1 / len(statistics), exact, len(statistics))
