"""Equivalence against statsmodels, and the three verdicts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from actrepro.statistics.equivalence import tost_p, verdict
from actrepro.statistics.inference import Estimate, mean_estimate

P_VALUES = st.none() | st.floats(0, 1)


@given(
    n=st.integers(2, 12),
    effect=st.floats(-3, 3),
    margin=st.floats(0.01, 3),
    seed=st.integers(0, 1000),
)
@settings(deadline=None)
def test_it_is_statsmodels_paired_tost(n: int, effect: float, margin: float, seed: int) -> None:
    a, b = np.random.default_rng(seed).normal(0, 1, (2, n))
    expected, _, _ = ttost_paired(a + effect, b, -margin, margin)
    found = tost_p(mean_estimate(a + effect - b, 0.95), margin)
    assert found == pytest.approx(expected, abs=1e-9)


@given(n=st.integers(2, 12), seed=st.integers(0, 1000), alpha=st.sampled_from([0.01, 0.05, 0.1]))
def test_equivalence_is_an_interval_of_one_less_two_alpha_within_the_margin(
    n: int, seed: int, alpha: float
) -> None:
    values = np.random.default_rng(seed).normal(0.2, 1, n)
    interval = mean_estimate(values, 1 - 2 * alpha).interval
    assert interval is not None
    p = tost_p(mean_estimate(values, 0.95), margin=1.0)
    assert p is not None
    assert (p < alpha) == (interval[0] > -1 and interval[1] < 1)


def test_the_sign_of_the_difference_does_not_matter() -> None:
    values = np.array([0.2, 0.1, 0.4])
    assert tost_p(mean_estimate(values, 0.95), 0.3) == tost_p(mean_estimate(-values, 0.95), 0.3)


def test_a_difference_at_the_margin_has_a_p_of_one_half() -> None:
    assert tost_p(Estimate(0.5, 4, 0.1, None), 0.5) == 0.5


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, 0.0), (0.49, 0.0), (0.5, 1.0), (-0.5, 1.0), (2.0, 1.0)]
)
def test_without_spread_the_value_alone_decides(value: float, expected: float) -> None:
    assert tost_p(mean_estimate([value] * 3, 0.95), 0.5) == expected


def test_one_seed_shows_no_equivalence() -> None:
    assert tost_p(mean_estimate([0.0], 0.95), 0.5) is None


@pytest.mark.parametrize(
    ("p_different", "p_equivalent", "expected"),
    [
        (0.01, 0.9, "different"),
        (0.9, 0.01, "equivalent"),
        (0.01, 0.01, "equivalent"),
        (0.9, 0.9, "inconclusive"),
        (0.05, 0.05, "inconclusive"),
        (None, None, "inconclusive"),
        (None, 0.01, "equivalent"),
        (0.01, None, "different"),
    ],
)
def test_verdicts(p_different: float | None, p_equivalent: float | None, expected: str) -> None:
    found = verdict(p_different=p_different, p_equivalent=p_equivalent, alpha=0.05)
    assert found == expected


@given(P_VALUES)
def test_a_large_p_is_never_equivalence(p_equivalent: float | None) -> None:
    found = verdict(p_different=1.0, p_equivalent=p_equivalent, alpha=0.05)
    assert (found == "equivalent") == (p_equivalent is not None and p_equivalent < 0.05)
