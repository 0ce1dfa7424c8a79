"""Permutation tests of several activations against scipy, brute force and theory."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from actrepro.statistics.inference import label_swap_p, sign_flip_p, smallest_p
from actrepro.statistics.permutation import (
    MOST_RELABELINGS,
    Omnibus,
    blocked_omnibus_p,
    blocked_omnibus_pairs_p,
    relabelings,
)

SIZES = [(2, 2), (2, 5), (3, 2), (3, 3), (3, 4), (4, 3), (5, 2)]


def _scores(n: int, k: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.5, 0.02, (n, k))


def _matrix(runs: int, seed: int) -> np.ndarray:
    drawn = np.triu(np.random.default_rng(seed).random((runs, runs)), 1)
    return drawn + drawn.T


@pytest.mark.parametrize(("k", "n"), [*SIZES, (1, 3), (3, 1), (2, 14)])
def test_few_relabelings_are_all_of_them_once(k: int, n: int) -> None:
    orders, exact = relabelings(k, n)
    assert exact
    assert orders.shape == (math.factorial(k) ** (n - 1), n, k)
    assert (orders[0] == np.arange(k)).all()
    assert (orders[:, 0] == np.arange(k)).all()
    assert (np.sort(orders, axis=2) == np.arange(k)).all()
    assert len(np.unique(orders, axis=0)) == len(orders)


def test_many_relabelings_are_sampled_the_same_way_every_time() -> None:
    orders, exact = relabelings(4, 6, most=500)
    relabelings.cache_clear()
    again, _ = relabelings(4, 6, most=500)
    assert not exact
    assert orders.shape == (501, 6, 4)
    assert (orders == again).all()
    assert (orders[0] == np.arange(4)).all()
    assert (np.sort(orders, axis=2) == np.arange(4)).all()
    # Each seed on its own: an activation lands at each place about as often.
    share = (orders[1:, :, 0, None] == np.arange(4)).mean(axis=0)
    assert share == pytest.approx(np.full((6, 4), 0.25), abs=0.08)
    assert not (orders[:, 1] == orders[:, 2]).all(axis=1)[1:].all()


def test_shared_relabelings_cannot_be_changed() -> None:
    for most in (1, 9999):
        with pytest.raises(ValueError, match="read-only"):
            relabelings(2, 3, most=most)[0][0, 0, 0] = 1


@pytest.mark.parametrize(("k", "n"), [(3, 2), (3, 3), (2, 5), (4, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_scipys_permutation_test(k: int, n: int, seed: int) -> None:
    values = _scores(n, k, seed)

    def between(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
        means = np.stack([sample.mean(axis=axis) for sample in samples])
        return np.asarray(n * ((means - means.mean(axis=0)) ** 2).sum(axis=0))

    expected = scipy.stats.permutation_test(
        tuple(values.T),
        between,
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=np.inf,
    )
    result = blocked_omnibus_p(values)
    assert result.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert result.statistic == pytest.approx(expected.statistic)
    assert (result.exact, result.relabelings) == (True, math.factorial(k) ** (n - 1))


def _pairs_by_hand(matrix: np.ndarray, k: int, n: int) -> tuple[float, float]:
    """Compute statistic and p over all (k!)^n relabelings, including constant ones."""
    result = []
    for way in itertools.product(itertools.permutations(range(k)), repeat=n):
        means = []
        for label in range(k):
            runs = [way[seed][label] * n + seed for seed in range(n)]
            means.append(np.mean([matrix[i, j] for i, j in itertools.combinations(runs, 2)]))
        result.append(np.var(means))
    return float(result[0]), float(np.mean(np.array(result) >= result[0] - 1e-12))


@pytest.mark.parametrize(("k", "n"), [(2, 2), (2, 4), (3, 2), (3, 3), (4, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_by_brute_force(k: int, n: int, seed: int) -> None:
    matrix = _matrix(k * n, seed)
    statistic, p = _pairs_by_hand(matrix, k, n)
    result = blocked_omnibus_pairs_p(matrix, k, n)
    assert (result.statistic, result.p) == (pytest.approx(statistic), pytest.approx(p))


@given(n=st.integers(2, 7), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_two_activations_are_the_tests_of_a_contrast(n: int, seed: int) -> None:
    values, matrix = _scores(n, 2, seed), _matrix(2 * n, seed)
    scores, pairs = blocked_omnibus_p(values), blocked_omnibus_pairs_p(matrix, 2, n)
    assert scores.p == pytest.approx(sign_flip_p(values[:, 0] - values[:, 1]))
    assert pairs.p == pytest.approx(label_swap_p(matrix))
    assert scores.p_smallest == pairs.p_smallest == smallest_p(n)


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_the_smallest_p_is_reached_and_never_passed(k: int, n: int) -> None:
    smallest = 1 / math.factorial(k) ** (n - 1)
    apart = _scores(n, k, 0) + np.arange(k)
    result = blocked_omnibus_p(apart)
    assert result.p == result.p_smallest == pytest.approx(smallest)
    # Activations' own pairs spread around those between activations: mixing draws them together.
    own = np.repeat(np.linspace(-1, 1, k), n)
    close = (own[:, None] == own) * own + _matrix(k * n, 0) * 1e-3
    pairs = blocked_omnibus_pairs_p(close, k, n)
    assert pairs.p == pairs.p_smallest == result.p_smallest
    for seed in range(5):
        assert blocked_omnibus_p(_scores(n, k, seed)).p >= smallest
        assert blocked_omnibus_pairs_p(_matrix(k * n, seed), k, n).p >= smallest


def test_three_activations_and_seeds_give_one_in_36_at_best() -> None:
    result = blocked_omnibus_p(np.arange(9.0).reshape(3, 3) ** 2)
    assert result == Omnibus(result.statistic, 1 / 36, 1 / 36, True, 36)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.4903])
def test_no_difference_at_all_has_a_p_of_one(value: float) -> None:
    scores = blocked_omnibus_p(np.full((4, 3), value))
    pairs = blocked_omnibus_pairs_p(np.full((12, 12), value), 3, 4)
    assert (scores.statistic, scores.p) == (pairs.statistic, pairs.p) == (0.0, 1.0)


def test_one_activation_cannot_differ() -> None:
    assert blocked_omnibus_p(_scores(4, 1, 0)) == Omnibus(0.0, 1.0, 1.0, True, 1)
    assert blocked_omnibus_pairs_p(_matrix(4, 0), 1, 4) == Omnibus(0.0, 1.0, 1.0, True, 1)


@given(
    k=st.integers(2, 4),
    n=st.integers(2, 3),
    seed=st.integers(0, 1000),
    shift=st.floats(-5, 5),
)
@settings(deadline=None)
def test_a_seeds_shift_and_the_order_of_activations_do_not_matter(
    k: int, n: int, seed: int, shift: float
) -> None:
    values, matrix = _scores(n, k, seed), _matrix(k * n, seed)
    shifted = values + shift * np.arange(n)[:, None]
    assert blocked_omnibus_p(values).p == blocked_omnibus_p(shifted[:, ::-1]).p
    order = np.arange(k * n).reshape(k, n)[::-1].ravel()
    turned = matrix[np.ix_(order, order)] + shift
    assert blocked_omnibus_pairs_p(matrix, k, n).p == blocked_omnibus_pairs_p(turned, k, n).p


def test_ties_in_decimals_are_ties() -> None:
    # 0.3 − 0.1 is not 0.4 − 0.2 to the last bit; here a relabelling has the same means.
    values = np.array([[1.1, 1.3], [1.4, 1.2], [1.0, 1.4]])
    assert blocked_omnibus_p(values).p == sign_flip_p([-0.2, 0.2, -0.4]) == 0.75


def test_a_sample_is_close_to_all() -> None:
    values = _scores(5, 4, 3)
    result = blocked_omnibus_p(values)
    assert (result.exact, result.relabelings) == (False, MOST_RELABELINGS + 1)
    assert result.p_smallest == 1 / (MOST_RELABELINGS + 1)
    orders, exact = relabelings(4, 5, most=24**4)
    assert exact
    means = np.stack([values[i, orders[:, i]] for i in range(5)]).mean(axis=0)
    all_p = np.mean(means.var(axis=1) >= means[0].var() - 1e-15)
    # Monte Carlo standard error of a p of one half: 0.005.
    assert 0.05 < all_p < 0.95
    assert result.p == pytest.approx(all_p, abs=0.02)
    assert blocked_omnibus_p(values + 10 * np.arange(4)).p == result.p_smallest
