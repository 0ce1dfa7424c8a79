"""Inference against scipy, statsmodels, brute force and a simulation of many studies."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from actrepro.statistics.inference import (
    MOST_EXACT_SEEDS,
    Estimate,
    _draws,
    holm,
    jackknife,
    jackknife_pairs,
    label_swap_p,
    mean_estimate,
    mean_of_pairs,
    relabelings,
    sign_flip_p,
    smallest_p,
    tost_p,
    two_way_bootstrap,
    verdict,
)

VALUES = st.floats(-10, 10).map(lambda value: round(value, 3))


def _matrix(n: int, seed: int = 0) -> np.ndarray:
    """Draw a symmetric matrix of differences with a zero diagonal."""
    drawn = np.random.default_rng(seed).random((n, n))
    return np.triu(drawn, 1) + np.triu(drawn, 1).T


@given(st.lists(VALUES, min_size=2, max_size=12), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_of_a_mean_is_students(values: list[float], confidence: float) -> None:
    result = mean_estimate(values, confidence)
    assert (result.value, result.n) == (pytest.approx(np.mean(values)), len(values))
    error = scipy.stats.sem(values)
    assert result.standard_error == pytest.approx(error, abs=1e-12)
    if error > 1e-9:
        expected = scipy.stats.t.interval(confidence, len(values) - 1, np.mean(values), error)
        assert result.interval == pytest.approx(expected)


def test_the_interval_of_a_mean_agrees_with_the_t_test() -> None:
    values = [0.1, 0.4, 0.25, 0.3, -0.05]
    result = mean_estimate(values, 0.95)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert result.interval == pytest.approx((expected.low, expected.high))


def test_one_value_has_no_interval() -> None:
    result = mean_estimate([0.3], 0.95)
    assert (result.value, result.n, result.standard_error, result.interval) == (0.3, 1, None, None)


@given(st.integers(2, 7), st.integers(0, 100))
def test_the_mean_of_pairs_takes_each_pair_once(n: int, seed: int) -> None:
    matrix = _matrix(n, seed)
    expected = np.mean([matrix[i, j] for i, j in itertools.combinations(range(n), 2)])
    assert mean_of_pairs(matrix) == pytest.approx(expected)


def _brute_force(matrices: list[np.ndarray], signs: list[int]) -> tuple[float, float]:
    """Compute value and standard error, leaving out one seed at a time."""
    n = len(matrices[0])

    def value(seeds: list[int]) -> float:
        means = [
            np.mean([matrix[i, j] for i, j in itertools.combinations(seeds, 2)])
            for matrix in matrices
        ]
        return float(np.dot(signs, means))

    left = [value([seed for seed in range(n) if seed != out]) for out in range(n)]
    mean = sum(left) / n
    variance = (n - 1) / n * sum((one - mean) ** 2 for one in left)
    return value(list(range(n))), variance**0.5


@given(n=st.integers(3, 7), seed=st.integers(0, 100), signs=st.sampled_from([[1], [1, -1]]))
def test_the_jackknife_by_brute_force(n: int, seed: int, signs: list[int]) -> None:
    matrices = [_matrix(n, seed + 1000 * one) for one in range(len(signs))]
    value, error = _brute_force(matrices, signs)
    result = jackknife_pairs(matrices, signs, 0.95)
    assert (result.value, result.n) == (pytest.approx(value), n)
    assert result.standard_error == pytest.approx(error, abs=1e-12)
    reach = scipy.stats.t.ppf(0.975, n - 1) * error
    assert result.interval == pytest.approx((value - reach, value + reach))


def test_the_contrast_of_a_cell_with_itself_is_exactly_zero() -> None:
    result = jackknife_pairs([_matrix(5), _matrix(5)], [1, -1], 0.95)
    assert (result.value, result.standard_error, result.interval) == (0.0, 0.0, (0.0, 0.0))


def test_for_a_sum_over_runs_the_jackknife_is_students() -> None:
    # h(i, j) = x_i + x_j averages to 2·mean(x), whose standard error is 2·s/√n.
    x = np.array([0.3, 0.1, 0.5, 0.9, 0.2])
    result = jackknife_pairs([np.add.outer(x, x)], [1], 0.95)
    expected = mean_estimate(2 * x, 0.95)
    assert result.standard_error == pytest.approx(expected.standard_error)
    assert result.interval == pytest.approx(expected.interval)


def test_two_seeds_have_a_value_but_no_interval() -> None:
    result = jackknife_pairs([_matrix(2)], [1], 0.95)
    assert result.value == _matrix(2)[0, 1]
    assert (result.n, result.standard_error, result.interval) == (2, None, None)


def test_the_jackknife_of_a_mean_is_students() -> None:
    values = np.array([0.3, 0.1, 0.5, 0.9])
    left = [np.delete(values, out).mean() for out in range(4)]
    result, expected = jackknife(float(values.mean()), left, 0.9), mean_estimate(values, 0.9)
    assert result.n == 4
    assert result.standard_error == pytest.approx(expected.standard_error)
    assert result.interval == pytest.approx(expected.interval)


def test_the_jackknife_of_given_values_is_that_of_pairs() -> None:
    matrix = _matrix(5)
    rest = [[seed for seed in range(5) if seed != out] for out in range(5)]
    left = [mean_of_pairs(matrix[np.ix_(keep, keep)]) for keep in rest]
    expected, result = (
        jackknife(mean_of_pairs(matrix), left, 0.95),
        jackknife_pairs([matrix], [1], 0.95),
    )
    assert (result.value, result.n) == (expected.value, expected.n)
    assert result.standard_error == pytest.approx(expected.standard_error)
    assert result.interval == pytest.approx(expected.interval)


@pytest.mark.parametrize("left", [[], [0.4]])
def test_no_jackknife_with_fewer_than_two_seeds(left: list[float]) -> None:
    result = jackknife(0.3, left, 0.95)
    assert (result.value, result.n, result.standard_error) == (0.3, len(left), None)
    assert result.interval is None


def _scores_by_block(n: int, blocks: int, spreads: tuple[float, float, float]) -> np.ndarray:
    generator = np.random.default_rng(n * blocks)
    seeds, text, noise = spreads
    return np.asarray(
        1.5
        + generator.normal(0, seeds, (n, 1))
        + generator.normal(0, text, (1, blocks))
        + generator.normal(0, noise, (n, blocks))
    )


def _closed_form(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Compute standard error and half width of the bootstrap with unlimited resamples."""
    n, blocks = values.shape
    by_seed, by_block = values.mean(axis=1), values.mean(axis=0)
    rest = values - by_seed[:, None] - by_block + values.mean()
    interaction = (rest**2).sum() / ((n - 1) * (blocks - 1) * n * blocks)
    seeds = by_seed.var(ddof=1) / n
    text = max(0.0, by_block.var(ddof=1) / blocks - interaction)
    t = scipy.stats.t.ppf((1 + confidence) / 2, [n - 1, blocks - 1])
    return np.sqrt(seeds + text), np.sqrt(t[0] ** 2 * seeds + t[1] ** 2 * text)


@pytest.mark.parametrize("spreads", [(0.1, 0.1, 0.3), (0.1, 0.01, 0.05), (0.0, 0.5, 0.1)])
@pytest.mark.parametrize(("n", "blocks"), [(2, 10), (3, 200), (5, 3), (10, 50)])
def test_the_two_way_bootstrap_by_its_closed_form(
    n: int, blocks: int, spreads: tuple[float, float, float]
) -> None:
    values = _scores_by_block(n, blocks, spreads)
    error, reach = _closed_form(values, 0.9)
    result = two_way_bootstrap(values, 0.9, resamples=20_000)
    assert (result.value, result.n) == (pytest.approx(values.mean()), n)
    # Monte Carlo standard error of each part: 0.5 % of the larger parts' sizes.
    assert result.standard_error == pytest.approx(error, rel=0.03)
    assert result.interval == pytest.approx(
        (values.mean() - reach, values.mean() + reach), abs=0.04 * reach
    )


def test_the_same_numbers_give_the_same_bootstrap() -> None:
    values = _scores_by_block(4, 30, (0.1, 0.1, 0.1))
    result = two_way_bootstrap(values, 0.95)
    assert two_way_bootstrap(values, 0.95) == result
    _draws.cache_clear()
    assert two_way_bootstrap(values.copy(order="F"), 0.95) == result


@pytest.mark.parametrize("n", [3, 10])
def test_other_text_widens_the_interval_of_seeds(n: int) -> None:
    values = _scores_by_block(n, 40, (0.1, 0.5, 0.1))
    both, seeds = two_way_bootstrap(values, 0.95), mean_estimate(values.mean(axis=1), 0.95)
    assert both.value == pytest.approx(seeds.value)
    assert both.standard_error is not None
    assert seeds.standard_error is not None
    assert both.standard_error > 1.2 * seeds.standard_error


def test_text_that_all_seeds_find_alike_leaves_students_interval_of_seeds() -> None:
    values = np.array([0.1, 0.5, 0.2])[:, None] + np.zeros((1, 20))
    result, expected = two_way_bootstrap(values, 0.95), mean_estimate([0.1, 0.5, 0.2], 0.95)
    assert result.value == pytest.approx(expected.value)
    assert result.standard_error == pytest.approx(expected.standard_error, rel=0.05)
    assert result.interval == pytest.approx(expected.interval, rel=0.1)


def test_weights_are_characters() -> None:
    values = _scores_by_block(4, 30, (0.1, 0.2, 0.1))
    plain = two_way_bootstrap(values, 0.95)
    equal = two_way_bootstrap(values, 0.95, weights=np.full(30, 512.0))
    assert equal.interval == pytest.approx(plain.interval)
    weights = np.linspace(1, 3, 30)
    result = two_way_bootstrap(values, 0.95, weights=weights)
    assert result.value == pytest.approx(np.average(values, axis=1, weights=weights).mean())
    # A last block of hardly a character hardly counts.
    odd = np.append(np.full(30, 512.0), 1e-9)
    more = two_way_bootstrap(np.column_stack([values, np.full(4, 99.0)]), 0.95, weights=odd)
    assert more.value == pytest.approx(plain.value)
    assert more.standard_error == pytest.approx(plain.standard_error, rel=0.1)


def test_weighted_blocks_by_the_variance_of_a_ratio() -> None:
    values = _scores_by_block(200, 60, (0.0, 0.3, 0.0))
    weights = np.linspace(1, 2, 60)
    share = weights / weights.sum()
    mean = float((values @ share).mean())
    # Delta method: the influence of a block is its share times its distance from the mean.
    variance = ((share * (values.mean(axis=0) - mean)) ** 2).sum() * 60 / 59
    result = two_way_bootstrap(values, 0.95, weights=weights, resamples=20_000)
    assert result.standard_error == pytest.approx(np.sqrt(variance), rel=0.05)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.4903])
def test_equal_scores_have_an_error_of_exactly_zero(value: float) -> None:
    result = two_way_bootstrap(np.full((3, 20), value), 0.95)
    assert result.value == pytest.approx(value)
    assert (result.standard_error, result.interval) == (0.0, (result.value, result.value))


def test_one_seed_or_one_block_is_not_resampled() -> None:
    one_seed = two_way_bootstrap(np.array([[0.1, 0.3, 0.2]]), 0.95)
    assert (one_seed.value, one_seed.n) == (pytest.approx(0.2), 1)
    assert (one_seed.standard_error, one_seed.interval) == (None, None)
    column = np.array([0.1, 0.5, 0.2])
    one_block = two_way_bootstrap(column[:, None], 0.95)
    assert one_block == mean_estimate(column, 0.95)


@given(st.lists(VALUES, min_size=2, max_size=7))
@settings(max_examples=40)
def test_sign_flips_are_scipys_exact_permutation_test(differences: list[float]) -> None:
    expected = scipy.stats.permutation_test(
        (differences, np.zeros(len(differences))),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("n", range(1, 9))
def test_differences_of_one_sign_have_the_smallest_p(n: int) -> None:
    differences = np.linspace(0.1, 0.9, n)
    assert smallest_p(n) == min(1, 2 / 2**n)
    assert sign_flip_p(differences) == sign_flip_p(-differences) == smallest_p(n)


def test_no_difference_at_all_has_a_p_of_one() -> None:
    assert sign_flip_p([0.0, 0.0, 0.0]) == 1.0
    assert label_swap_p(np.zeros((6, 6))) == 1.0


def test_many_seeds_are_sampled_the_same_way_every_time() -> None:
    n = MOST_EXACT_SEEDS + 2
    differences = np.random.default_rng(0).normal(0.3, 1, n)
    result = sign_flip_p(differences)
    assert result == sign_flip_p(differences)
    exact = scipy.stats.permutation_test(
        (differences, np.zeros(n)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        batch=4096,
    )
    assert result == pytest.approx(exact.pvalue, abs=0.02)
    # The sample contains what was observed, so no p is zero.
    assert sign_flip_p(np.ones(n)) == smallest_p(n) == 2**-MOST_EXACT_SEEDS
    assert relabelings(n) == "16,384 random relabelings"
    assert relabelings(3) == "exact"


def _swapped_by_hand(matrix: np.ndarray) -> float:
    """Compute the share of all swaps of A's and B's runs that are as far apart."""
    n = len(matrix) // 2

    def mean(runs: list[int]) -> float:
        return float(np.mean([matrix[i, j] for i in runs for j in runs if i < j]))

    result = []
    for swaps in range(2**n):
        swapped = [bool(swaps >> seed & 1) for seed in range(n)]
        a = [seed + n * swap for seed, swap in enumerate(swapped)]
        b = [run for run in range(2 * n) if run not in a]
        result.append(abs(mean(a) - mean(b)))
    return sum(value >= result[0] - 1e-12 for value in result) / len(result)


@given(n=st.integers(2, 5), seed=st.integers(0, 1000))
def test_label_swaps_by_hand(n: int, seed: int) -> None:
    matrix = _matrix(2 * n, seed)
    assert label_swap_p(matrix) == _swapped_by_hand(matrix)


def test_two_seeds_swapped() -> None:
    # A's runs differ by 5, B's by 1; across, 2 and 3. |5 − 1| > |2 − 3|: 2 of 4 ways.
    matrix = np.array([[0, 5, 9, 2], [5, 0, 3, 9], [9, 3, 0, 1], [2, 9, 1, 0]], float)
    assert label_swap_p(matrix) == 0.5 == smallest_p(2)


@given(n=st.integers(2, 5), seed=st.integers(0, 1000))
def test_which_activation_comes_first_does_not_matter(n: int, seed: int) -> None:
    matrix = _matrix(2 * n, seed)
    order = [*range(n, 2 * n), *range(n)]
    assert label_swap_p(matrix) == label_swap_p(matrix[np.ix_(order, order)])
    assert label_swap_p(matrix) >= smallest_p(n)


def _holm_by_hand(p_values: list[float]) -> list[float]:
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_by_hand(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(_holm_by_hand(p_values))


def _naive(matrix: np.ndarray) -> tuple[float, float]:
    """Compute the interval that takes pairs for independent."""
    values = matrix[np.triu_indices(len(matrix), k=1)]
    low, high = scipy.stats.t.interval(
        0.95, len(values) - 1, values.mean(), scipy.stats.sem(values)
    )
    return float(low), float(high)


def test_the_jackknife_covers_where_the_naive_interval_does_not() -> None:
    generator = np.random.default_rng(7)
    studies, runs, truth = 400, 5, 1.0
    covered = {"naive": 0, "jackknife": 0}
    for _ in range(studies):
        own = generator.normal(0, 0.2, runs)
        noise = np.triu(generator.normal(0, 0.1, (runs, runs)), 1)
        matrix = truth + np.add.outer(own, own) + noise + noise.T
        estimate = jackknife_pairs([matrix], [1], 0.95)
        assert estimate.interval is not None
        for name, (low, high) in (("naive", _naive(matrix)), ("jackknife", estimate.interval)):
            covered[name] += low <= truth <= high
    assert covered["naive"] / studies < 0.90
    assert covered["jackknife"] / studies >= 0.93


P_VALUES = st.none() | st.floats(0, 1)


@given(
    n=st.integers(2, 12),
    effect=st.floats(-3, 3),
    margin=st.floats(0.01, 3),
    seed=st.integers(0, 1000),
)
@settings(deadline=None)
def test_equivalence_is_statsmodels_paired_tost(
    n: int, effect: float, margin: float, seed: int
) -> None:
    a, b = np.random.default_rng(seed).normal(0, 1, (2, n))
    expected, _, _ = ttost_paired(a + effect, b, -margin, margin)
    result = tost_p(mean_estimate(a + effect - b, 0.95), margin)
    assert result == pytest.approx(expected, abs=1e-9)


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
    result = verdict(p_different=p_different, p_equivalent=p_equivalent, alpha=0.05)
    assert result == expected


@given(P_VALUES)
def test_a_large_p_is_never_equivalence(p_equivalent: float | None) -> None:
    result = verdict(p_different=1.0, p_equivalent=p_equivalent, alpha=0.05)
    assert (result == "equivalent") == (p_equivalent is not None and p_equivalent < 0.05)
