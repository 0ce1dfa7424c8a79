"""Estimates and exact tests for few seeds: pure functions of numbers.

Seeds are blocks: the same seed gives every activation the same text in the same
order, so activations are compared within seeds.
"""

from __future__ import annotations

import functools
import gc
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.special

from actrepro.results.verdicts import DIFFERENT, EQUIVALENT, INCONCLUSIVE, Verdict

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
    """Estimate the mean over at least two seeds, with Student's interval mean ± t·s/√n."""
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    if n < 2:
        return Estimate(float(array.mean()), n, None, None)
    return _student(float(array.mean()), float(array.std(ddof=1)) / np.sqrt(n), n, confidence)


def mean_of_pairs(matrix: Floats) -> float:
    """Compute the U-statistic: the mean over pairs i < j of a symmetric `[M, M]` matrix."""
    return float(matrix[np.triu_indices(len(matrix), k=1)].mean())


def jackknife(full: float, left_out: Sequence[float] | Floats, confidence: float) -> Estimate:
    """Estimate a group's value by a jackknife over seeds: v = (n−1)/n Σ (left₍₋ₘ₎ − mean)².

    Student's interval with n − 1 degrees of freedom (Efron & Stein 1981, who
    show that v is biased upwards). A contrast of two groups that share their seeds is
    `jackknife(a - b, left_a - left_b, confidence)`.

    Parameters
    ----------
    full
        The value of the whole group.
    left_out
        `[n]` the group's value without each of its n seeds; an interval needs at least two.
    """
    left = np.asarray(left_out, dtype=np.float64)
    n = len(left)
    if n < 2:
        return Estimate(float(full), n, None, None)
    error = float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))
    return _student(float(full), error, n, confidence)


def jackknife_pairs(
    matrices: Sequence[Floats], signs: Sequence[float], confidence: float
) -> Estimate:
    """Estimate Σ signs·(mean over pairs) by a jackknife over the seeds of all matrices.

    One matrix and sign 1 is a cell's difference; two and signs (1, −1) is a
    contrast between two activations. Pairs that share a run are not
    independent, so leaving out one *pair* at a time would be wrong: a seed is
    left out of every matrix at once (see `jackknife`). An interval needs at least
    three seeds: without one, two must remain to make a pair.
    """

    # A sum of means over the same pairs is the mean over pairs of the sum.
    matrix = np.einsum("m,mij->ij", np.asarray(signs, dtype=np.float64), np.array(matrices))
    value, n = mean_of_pairs(matrix), len(matrix)
    if n < 3:
        return Estimate(value, n, None, None)
    pairs = np.triu(matrix, k=1)
    of_seed = pairs.sum(axis=0) + pairs.sum(axis=1)
    return jackknife(value, (pairs.sum() - of_seed) / math.comb(n - 1, 2), confidence)


def two_way_bootstrap(
    values: Floats,
    confidence: float,
    *,
    weights: Floats | None = None,
    resamples: int = 2000,
) -> Estimate:
    """Estimate the grand mean, with an interval that covers other seeds and other text.

    Seeds and blocks of text are both resampled (Owen 2007, the pigeonhole
    bootstrap; Sellam et al. 2022, Multi-Bootstrap): n − 1 of n seeds and
    B − 1 of B blocks, so that each variance is unbiased however few there
    are (Rao & Wu 1988).

    Resampling both at once counts the noise of seed × block three times
    (Owen 2007). So the draws are also applied to seeds alone
    and to text alone, and the variance is seeds + max(0, text − interaction):
    the seeds' part already holds one share of that noise. The interval is
    mean ± √((t₍ₙ₋₁₎·seeds)² + (t₍B₋₁₎·text)²), each part with Student's
    quantile for its own number: apart from the noise of resampling, it is never
    narrower than Student's interval over the seeds alone. tests/slow/test_coverage.py
    shows that a nominal 95 % covers 94 to 98 %, where seeds dominate and where
    text does; with n − 1 degrees of freedom for both parts it was over 99.8 %
    at n = 3 where text dominates, and with Satterthwaite's 94 % where seeds do.

    Parameters
    ----------
    values
        `[n, B]` a metric's mean by seed and by contiguous block of text, blocks
        long enough to be taken for independent. Differences between two
        activations of the same seeds give their paired contrast.
    weights
        `[B]` characters per block, where these are not equal.
    resamples
        The standard error has a relative Monte Carlo error of about
        1/√(2·resamples), 1.6 % for 2000. The draws depend on the shape alone.
    """
    n, blocks = values.shape
    # A fixed layout, and einsum because a BLAS sums in an order that depends on the machine.
    values = np.ascontiguousarray(values, dtype=np.float64)
    share = np.full(blocks, 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    means = np.einsum("nb,b->n", values, share / share.sum())
    if n < 2 or blocks < 2:
        return mean_estimate(means, confidence)
    seeds_error, text_error = _two_way_errors(values, share, *_draws(n, blocks, resamples))
    reach = math.hypot(
        _quantile(n, confidence) * seeds_error, _quantile(blocks, confidence) * text_error
    )
    mean = float(means.mean())
    return Estimate(mean, n, math.hypot(seeds_error, text_error), (mean - reach, mean + reach))


def _two_way_errors(
    values: Floats, share: Floats, seeds: Floats, text: Floats
) -> tuple[float, float]:
    """Compute standard errors from seeds (with their noise) and from the shared text."""
    # A constant changes no variance; without it, equal values have an error of exactly 0.
    centred = values - values[0, 0]
    drawn = text * share
    drawn /= drawn.sum(axis=1, keepdims=True)
    by_seed = np.einsum("rb,nb->rn", drawn, centred)
    means = np.einsum("nb,b->n", centred, share / share.sum())
    both = np.einsum("rn,rn->r", seeds, by_seed)
    seeds_alone, text_alone = np.einsum("rn,n->r", seeds, means), by_seed.mean(axis=1)
    interaction = both - seeds_alone - text_alone
    text_variance = max(0.0, float(text_alone.var() - interaction.var()))
    return float(seeds_alone.std()), float(np.sqrt(text_variance))


@functools.lru_cache(maxsize=8)
def _draws(n: int, blocks: int, resamples: int) -> tuple[Floats, Floats]:
    """Draw with replacement: share of each seed `[resamples, n]` and count of each block."""
    generator = np.random.Generator(np.random.PCG64([n, blocks]))
    seeds, text = (_counts(generator, number, resamples) for number in (n, blocks))
    return seeds / (n - 1), text


def _counts(generator: np.random.Generator, number: int, resamples: int) -> Floats:
    """Count, `[resamples, number]`, how often each was drawn in `number` − 1 draws."""
    drawn = generator.integers(number, size=(resamples, number - 1))
    place = drawn + number * np.arange(resamples)[:, None]
    counts = np.bincount(place.ravel(), minlength=resamples * number)
    return counts.reshape(resamples, number).astype(np.float64)


def _student(value: float, error: float, n: int, confidence: float) -> Estimate:
    reach = _quantile(n, confidence) * error
    return Estimate(value, n, float(error), (value - reach, value + reach))


def _quantile(n: int, confidence: float) -> float:
    """Compute Student's two-sided quantile with n − 1 degrees of freedom."""
    # What scipy.stats.t.ppf gives, without its fifty-fold overhead.
    return float(scipy.special.stdtrit(n - 1, (1 + confidence) / 2))


def sign_flip_p(differences: Sequence[float] | Floats) -> float:
    """Compute two-sided p of the mean paired difference under all 2ⁿ sign flips (Fisher 1935)."""
    array = np.asarray(differences, dtype=np.float64)
    return _share_as_extreme(array / len(array))


def label_swap_p(matrix: Floats) -> float:
    """Compute two-sided p of U_A − U_B when A and B swap labels within seeds in all 2ⁿ ways.

    Write s for a seed's sign, −1 where its labels are swapped. Two seeds i, j add
    to U_A − U_B their difference within A minus that within B, times (sᵢ + sⱼ)/2,
    and their differences between A and B, one way minus the other, times (sᵢ − sⱼ)/2. So the
    contrast is a sum of signs times weights, as in a sign-flip test.

    Parameters
    ----------
    matrix
        `[2M, 2M]` symmetric differences between runs: A's seeds first, then B's in
        the same order. Cross entries are needed: a swapped group mixes both.
    """
    n = len(matrix) // 2
    within = matrix[:n, :n] - matrix[n:, n:]
    between = matrix[:n, n:] - matrix[n:, :n]
    return _share_as_extreme((within + between).sum(axis=1) / (n * (n - 1)))


def smallest_p(n: int) -> float:
    """Return the smallest two-sided p of n seed blocks: 2/2ⁿ, or one of those sampled."""
    return min(1.0, max(2.0 ** (1 - n), 2.0**-MOST_EXACT_SEEDS))


def relabelings(n: int) -> str:
    """Describe the relabelings of a test with n seeds, in words."""
    exact = n <= MOST_EXACT_SEEDS
    return "exact" if exact else f"{2**MOST_EXACT_SEEDS:,} random relabelings"


@functools.lru_cache(maxsize=8)
def _signs(n: int) -> Floats:
    """Return `[2ⁿ, n]` all ways to flip signs, or a fixed sample; the first flips none."""
    if n > MOST_EXACT_SEEDS:
        generator = np.random.Generator(np.random.PCG64(n))
        drawn = generator.choice((-1.0, 1.0), size=(2**MOST_EXACT_SEEDS - 1, n))
        return np.vstack([np.ones(n), drawn])
    return np.array(list(itertools.product((1.0, -1.0), repeat=n)))


def _share_as_extreme(weights: Floats) -> float:
    """Compute the share of sign flips with |Σ sign·weight| at least as large as observed."""
    statistics = np.abs(_signs(len(weights)) @ weights)
    # Equal statistics may differ in the last bit by the order of summing.
    return float(np.mean(statistics >= statistics[0] - 1e-12))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their family (Holm 1979), by statsmodels."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    # statsmodels collects garbage at every call; freezing skips the many objects of its import.
    gc.freeze()
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def tost_p(estimate: Estimate, margin: float) -> float | None:
    """Compute p of the hypothesis that the difference reaches the margin (Schuirmann 1987).

    Two one-sided tests with n − 1 degrees of freedom: that the difference
    is at most −margin, and that it is at least +margin. The result is the larger p, or
    None without a standard error. If the error is zero, p is 0 within the margin, else 1.
    """
    error = estimate.standard_error
    if error is None:
        return None
    # The nearer bound has the larger p.
    room = margin - abs(estimate.value)
    if error == 0:
        return 0.0 if room > 0 else 1.0
    return float(scipy.special.stdtr(estimate.n - 1, -room / error))


def verdict(*, p_different: float | None, p_equivalent: float | None, alpha: float) -> Verdict:
    """Call a contrast "equivalent", "different" or "inconclusive", from p-values adjusted by Holm.

    Equivalence comes first: a difference that is shown to be smaller than the margin,
    which was fixed beforehand, does not matter, even if it is significantly not zero
    (the caller records significance separately). Finding no difference does not show
    equivalence: if neither is shown, the contrast is "inconclusive".
    """
    if p_equivalent is not None and p_equivalent < alpha:
        return EQUIVALENT
    if p_different is not None and p_different < alpha:
        return DIFFERENT
    return INCONCLUSIVE
