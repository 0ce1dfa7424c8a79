"""Power and numbers of seeds against published tables, numerical integrals and simulation."""

import math
import warnings

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower

from actrepro.statistics.inference import smallest_p
from actrepro.statistics.power import (
    Settling,
    detectable,
    paired_t_power,
    seeds_to_settle,
    tost_power,
)

MANY = 10**4


@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize("effect", [0.5, -1.0, 1.2])
def test_the_t_tests_power_is_statsmodels(effect: float, alpha: float) -> None:
    seeds = np.array([2, 3, 5, 10])
    expected = TTestPower().power(effect / 0.8, seeds, alpha)
    assert paired_t_power(effect, 0.8, seeds, alpha) == pytest.approx(expected, abs=1e-12)


@given(size=st.floats(-4, 6).map(lambda power: 10.0**power), n=st.sampled_from([2, 3, 10, 50, 100]))
@settings(deadline=None, max_examples=200)
def test_the_t_tests_power_is_a_number_where_statsmodels_has_none(size: float, n: int) -> None:
    # The mean over quantiles of s; scipy's noncentral t fails at size 10 and n = 3, among others.
    quantiles = (np.arange(4000) + 0.5) / 4000
    spread = np.sqrt(scipy.stats.chi2.ppf(quantiles, n - 1) / (n - 1))
    spread *= scipy.stats.t.ppf(0.9975, n - 1)
    sides = [scipy.stats.norm.cdf(sign * size * np.sqrt(n) - spread) for sign in (1, -1)]
    result = paired_t_power(size, 1.0, n, 0.005)
    assert result == pytest.approx(np.mean(sides[0] + sides[1]), abs=2e-4)


@pytest.mark.parametrize(
    ("size", "at_05", "at_005"), [(0.5, 34, 58), (0.8, 15, 25), (1, 10, 18), (1.5, 6, 10)]
)
def test_seeds_for_the_t_test_are_the_tables(size: float, at_05: int, at_005: int) -> None:
    # science.md 3.3; the exact test needs no more seeds than these.
    for family, expected in ((1, at_05), (10, at_005)):
        result = seeds_to_settle(size, 1.0, 0.01, 0.05, family)
        assert result == Settling(expected, None, expected)


@pytest.mark.parametrize(("family", "fewest"), [(1, 6), (3, 7), (10, 9), (15, 10)])
def test_a_large_difference_waits_for_the_exact_test(family: int, fewest: int) -> None:
    result = seeds_to_settle(100.0, 1.0, 0.5, 0.05, family)
    assert result.different == result.either == fewest
    assert family * smallest_p(fewest) < 0.05 <= family * smallest_p(fewest - 1)


@pytest.mark.parametrize(
    ("margin", "expected"), [(0.4, 55), (0.5, 36), (0.75, 17), (1, 11), (1.5, 6), (2, 4), (3, 3)]
)
def test_seeds_for_equivalence_are_the_tables(margin: float, expected: int) -> None:
    # science.md 3.3: no true difference, alpha 0.05, power 0.8.
    assert seeds_to_settle(0.0, 1.0, margin, 0.05, 1) == Settling(None, expected, expected)


def _tost_by_integration(effect: float, margin: float, n: int, alpha: float) -> float:
    """Integrate P(|mean| + t·s/√n < margin) for unit variance over s by scipy."""
    bound, root = scipy.stats.t.ppf(1 - alpha, n - 1), math.sqrt(n)

    def passed(s: float) -> float:
        density = scipy.stats.chi.pdf(s * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)
        high = scipy.stats.norm.cdf((margin - effect) * root - bound * s)
        low = scipy.stats.norm.cdf(bound * s - (margin + effect) * root)
        return float((high - low) * density)

    top = min(margin * root / bound, 10.0)
    return float(scipy.integrate.quad(passed, 0, top, limit=200, epsabs=1e-9)[0])


@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_equivalences_power_is_the_integral(n: int, alpha: float) -> None:
    for margin in (0.3, 0.8, 2.0, 5.0):
        for share in (0.0, -0.4, 0.9):
            effect = share * margin
            expected = _tost_by_integration(effect, margin, n, alpha)
            result = tost_power(effect, 1.0, margin, n, alpha)
            assert result == pytest.approx(expected, abs=3e-4)


@pytest.mark.parametrize(
    ("effect", "margin", "n"), [(0.0, 3.0, 3), (0.0, 2.0, 4), (0.5, 1.5, 6), (0.2, 0.8, 12)]
)
def test_equivalences_power_by_simulation(effect: float, margin: float, n: int) -> None:
    values = np.random.default_rng(n).normal(effect, 1, (MANY, n))
    error = values.std(axis=1, ddof=1) / np.sqrt(n)
    room = margin - np.abs(values.mean(axis=1))
    share = np.mean(room / error > scipy.stats.t.ppf(0.95, n - 1))
    # Monte Carlo standard error of a half: 0.005.
    assert tost_power(effect, 1.0, margin, n, 0.05) == pytest.approx(share, abs=0.015)


def test_the_usual_approximation_is_too_low_for_few_seeds() -> None:
    n, margin = 3, 4.84
    size = margin * math.sqrt(n)
    one_side = scipy.stats.nct.sf(scipy.stats.t.ppf(0.995, n - 1), n - 1, size)
    assert float(tost_power(0.0, 1.0, margin, n, 0.005)) - max(0.0, 2 * one_side - 1) > 0.3


def test_the_power_is_shaped_as_the_seeds() -> None:
    for seeds in (3, [3, 4], np.full((2, 3), 5)):
        assert paired_t_power(1.0, 1.0, seeds, 0.05).shape == np.shape(seeds)
        assert tost_power(0.0, 1.0, 1.0, seeds, 0.05).shape == np.shape(seeds)


@given(
    effect=st.floats(-1e3, 1e3),
    sd=st.just(0.0) | st.floats(1e-9, 1e3),
    margin=st.floats(1e-6, 1e3),
    family=st.integers(1, 45),
    n=st.integers(1, 20),
)
@settings(deadline=None, max_examples=150)
def test_nothing_raises_or_warns(
    effect: float, sd: float, margin: float, family: int, n: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = seeds_to_settle(effect, sd, margin, 0.05, family)
        smallest = detectable(sd, n, 0.05, family)
    known = [seeds for seeds in (result.different, result.equivalent) if seeds is not None]
    assert result.either == min(known, default=None)
    assert all(2 <= seeds <= 1000 for seeds in known)
    if abs(effect) >= margin:
        assert result.equivalent is None
    assert (smallest is None) == (smallest_p(n) >= 0.05 / family)
    if result.different is not None and sd > 0:
        level = 0.05 / family
        assert paired_t_power(effect, sd, result.different, level) >= 0.8
        before = result.different - 1
        enough = before >= 2 and paired_t_power(effect, sd, before, level) >= 0.8
        assert not (enough and smallest_p(before) < level)


def test_without_spread_the_fewest_seeds_do() -> None:
    assert seeds_to_settle(0.3, 0.0, 0.5, 0.05, 1) == Settling(6, 2, 2)
    assert seeds_to_settle(0.5, 0.0, 0.5, 0.05, 1) == Settling(6, None, 6)
    assert seeds_to_settle(0.0, 0.0, 0.5, 0.05, 1) == Settling(None, 2, 2)
    assert detectable(0.0, 6, 0.05, 1) == 0.0
    assert detectable(0.0, 3, 0.05, 1) is None


def test_more_seeds_than_allowed_are_none() -> None:
    assert seeds_to_settle(0.01, 1.0, 0.02, 0.05, 1) == Settling(None, None, None)
    needed = seeds_to_settle(0.1, 1.0, 0.01, 0.05, 1).different
    assert needed is not None
    assert seeds_to_settle(0.1, 1.0, 0.01, 0.05, 1, most=needed).different == needed
    assert seeds_to_settle(0.1, 1.0, 0.01, 0.05, 1, most=needed - 1).different is None
    # Sampled relabelings have a smallest p, which so many contrasts never reach.
    assert seeds_to_settle(5.0, 1.0, 0.1, 0.05, 1000).different is None


@pytest.mark.parametrize(("n", "family"), [(6, 1), (10, 10), (14, 15), (30, 3)])
def test_a_detectable_difference_is_found_with_that_power(n: int, family: int) -> None:
    result = detectable(0.02, n, 0.05, family)
    assert result is not None
    assert paired_t_power(result, 0.02, n, 0.05 / family) == pytest.approx(0.8, abs=1e-6)
    expected = TTestPower().solve_power(nobs=n, alpha=0.05 / family, power=0.8)
    assert result == pytest.approx(0.02 * expected, rel=1e-6)
    settled = seeds_to_settle(result * (1 + 1e-6), 0.02, 1e-9, 0.05, family)
    assert settled.different == n


def test_three_seeds_detect_nothing_at_the_usual_level() -> None:
    assert [n for n in range(1, 12) if detectable(1.0, n, 0.05, 1) is not None] == [*range(6, 12)]
    assert [n for n in range(1, 12) if detectable(1.0, n, 0.05, 10) is not None] == [9, 10, 11]


def test_a_level_above_the_power_detects_anything() -> None:
    assert detectable(1.0, 5, 0.9, 1) == 0.0
