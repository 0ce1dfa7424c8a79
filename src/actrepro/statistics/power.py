"""Power: seeds that would settle a comparison, and differences that n seeds can find.

These are answers for planning: they assume that the present spread between seeds is the true one.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special

from actrepro.results.verdicts import MOST_SEEDS
from actrepro.statistics.inference import Floats, smallest_p

# For the integral over the spread between seeds: accurate to 0.0001 where alpha is 0.05.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class Settling:
    """Fewest seeds that would show a difference, or equivalence; None where no number would.

    Attributes
    ----------
    different
        Seeds at which the exact paired test would find the observed difference.
    equivalent
        Seeds at which the two one-sided tests would show that it is within the margin.
    either
        The smaller of the two.
    """

    different: int | None
    equivalent: int | None
    either: int | None


def paired_t_power(effect: float, sd: float, n: npt.ArrayLike, alpha: float) -> Floats:
    """Compute the power of the two-sided paired t-test with n ≥ 2 seeds, shaped as `n`.

    statsmodels computes it.

    `effect` is the true difference, `sd` the standard deviation of the
    differences between seeds. With `sd` 0, any effect is found.
    """
    from statsmodels.stats.power import TTestPower

    seeds = np.asarray(n, dtype=np.float64)
    if effect == 0:
        return np.full(seeds.shape, alpha)
    if sd == 0:
        return np.ones(seeds.shape)
    size, side = abs(effect) / sd, alpha / 2
    power = TTestPower().power(size, seeds, side, alternative="larger")
    wrong_side = TTestPower().power(size, seeds, side, alternative="smaller")
    # Where the power is 1 on this side and 0 on the wrong one, scipy's noncentral t may be NaN.
    return np.asarray(np.nan_to_num(power, nan=1.0) + np.nan_to_num(wrong_side, nan=0.0))


def tost_power(effect: float, sd: float, margin: float, n: npt.ArrayLike, alpha: float) -> Floats:
    """Compute the power of the two one-sided paired tests with n ≥ 2 seeds, shaped as `n`.

    Both tests pass where |mean| + t·s/√n < margin. The mean is normal and s²
    an independent χ², so the probability is an integral over s (Phillips 1990),
    here over the quantiles of s by Gauss and Legendre's rule. The usual
    approximation, the sum of two noncentral t probabilities minus 1, is up to
    0.4 too low for few seeds. Zero for an effect as large as the margin: no
    number of seeds helps there.
    """
    seeds = np.asarray(n, dtype=np.float64)
    if abs(effect) >= margin or sd == 0:
        return np.full(seeds.shape, float(abs(effect) < margin))
    freedom = seeds[..., None] - 1
    root = np.sqrt(freedom + 1) / sd
    bound = scipy.special.stdtrit(freedom, 1 - alpha)
    # Above this quantile of s, t·s/√n alone is more than the margin.
    highest = scipy.special.gammainc(freedom / 2, freedom * (margin * root / bound) ** 2 / 2)
    quantiles = highest * (NODES + 1) / 2
    spread = bound * np.sqrt(2 * scipy.special.gammaincinv(freedom / 2, quantiles) / freedom)
    passed = scipy.special.ndtr((margin - effect) * root - spread)
    passed -= scipy.special.ndtr(spread - (margin + effect) * root)
    return np.asarray((passed @ WEIGHTS) * highest[..., 0] / 2)


def seeds_to_settle(
    effect: float,
    sd: float,
    margin: float,
    alpha: float,
    family: int,
    most: int = MOST_SEEDS,
    power: float = 0.8,
) -> Settling:
    """Find the fewest seeds that would settle a contrast if it and its spread are as observed.

    Each of the `family` contrasts is tested at alpha/family, which is Holm's
    first and hardest step. To show a difference takes the t-test's power, and
    enough seeds that the exact test's smallest p can reach alpha/family at all.

    Parameters
    ----------
    effect, sd
        Mean and standard deviation of the paired differences between seeds.
    margin
        Smallest difference that matters. A difference as large is never equivalent.
    most
        Above this many seeds the answer is None.
    """
    level = alpha / family

    def difference_shown(n: int) -> float:
        return float(paired_t_power(effect, sd, n, level)) if smallest_p(n) < level else 0.0

    def equivalence_shown(n: int) -> float:
        return float(tost_power(effect, sd, margin, n, level))

    different = _fewest(difference_shown, power, most)
    equivalent = _fewest(equivalence_shown, power, most)
    known = [seeds for seeds in (different, equivalent) if seeds is not None]
    return Settling(different, equivalent, min(known, default=None))


def detectable(sd: float, n: int, alpha: float, family: int, power: float = 0.8) -> float | None:
    """Compute the smallest difference that n seeds find with this power at alpha/family.

    None where the exact paired test cannot reach alpha/family with n seeds for
    any difference. The power is the t-test's, which the exact test nearly has.
    """
    level = alpha / family
    if n < 2 or smallest_p(n) >= level:
        return None
    return sd * _detectable_sds(n, level, power)


@functools.lru_cache(maxsize=64)
def _detectable_sds(n: int, level: float, power: float) -> float:
    """Compute the detectable difference in standard deviations, the same for a whole family."""
    if level >= power:
        return 0.0

    def excess(size: float) -> float:
        return float(paired_t_power(size, 1.0, n, level)) - power

    largest = 1.0
    while excess(largest) < 0:
        largest *= 2
    return float(scipy.optimize.brentq(excess, 0.0, largest))


def _fewest(reached: Callable[[int], float], power: float, most: int) -> int | None:
    """Find the fewest seeds that reach this power, which does not fall with their number."""
    numbers = range(2, most + 1)
    place = bisect.bisect_left(numbers, power, key=reached)
    return numbers[place] if place < len(numbers) else None
