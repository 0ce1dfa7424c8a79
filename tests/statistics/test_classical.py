"""Classical tests against the libraries called in another way, and against formulas."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multicomp import pairwise_tukeyhsd

from actrepro.statistics.classical import blocked, friedman, games_howell, one_way, tukey, welch

Scores = Mapping[str, Sequence[float]]
TESTS: list[Callable[[Scores], Any]] = [one_way, welch, blocked, friedman, tukey, games_howell]


pytestmark = pytest.mark.filterwarnings("error")


def _values(n: int, k: int = 3, seed: int = 0) -> dict[str, list[float]]:
    """Draw scores whose spread grows from one activation to the next, with shared seeds."""
    generator = np.random.default_rng(seed)
    seeds = generator.normal(1.5, 0.05, n)
    names = ["relu", "gelu", "silu", "smelu", "swiglu"][:k]
    spread = {name: 0.02 * (1 + place) for place, name in enumerate(names)}
    return {
        name: list(seeds + 0.01 * len(name) + generator.normal(0, spread[name], n))
        for name in names
    }


def _long(values: Scores) -> pd.DataFrame:
    rows = [
        (activation, seed, score)
        for activation, scores in values.items()
        for seed, score in enumerate(scores)
    ]
    return pd.DataFrame(rows, columns=["activation", "seed", "score"])


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 3), (10, 5)])
def test_one_way_is_scipys(n: int, k: int) -> None:
    values = _values(n, k)
    expected = scipy.stats.f_oneway(*values.values())
    result = one_way(values)
    assert result is not None
    assert (result.statistic, result.p) == (
        pytest.approx(expected.statistic, rel=1e-9),
        pytest.approx(expected.pvalue, rel=1e-9),
    )
    assert result.df == (k - 1, k * (n - 1))
    assert result.p == pytest.approx(scipy.stats.f.sf(result.statistic, *result.df))


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 3), (10, 5)])
def test_welch_is_scipys(n: int, k: int) -> None:
    values = _values(n, k)
    expected = scipy.stats.f_oneway(*values.values(), equal_var=False)
    result = welch(values)
    assert result is not None
    assert (result.statistic, result.p) == (
        pytest.approx(expected.statistic, rel=1e-9),
        pytest.approx(expected.pvalue, rel=1e-9),
    )
    # Scipy does not tell the degrees of freedom: with them, p follows from F.
    assert result.p == pytest.approx(scipy.stats.f.sf(result.statistic, *result.df))
    assert result.df[0] == k - 1


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 3), (10, 5)])
def test_blocked_is_statsmodels_repeated_measures(n: int, k: int) -> None:
    values = _values(n, k)
    table = AnovaRM(_long(values), "score", "seed", within=["activation"]).fit().anova_table
    expected = table.loc["activation"]
    result = blocked(values)
    assert result is not None
    assert (result.statistic, result.p) == (
        pytest.approx(expected["F Value"], rel=1e-9),
        pytest.approx(expected["Pr > F"], rel=1e-9),
    )
    assert result.df == (expected["Num DF"], expected["Den DF"])


def test_two_activations_blocked_are_the_paired_t_test() -> None:
    values = _values(6, 2)
    expected = scipy.stats.ttest_rel(*values.values())
    result = blocked(values)
    assert result is not None
    assert result.statistic == pytest.approx(expected.statistic**2)
    assert result.p == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("n", "k"), [(2, 3), (3, 3), (10, 5)])
def test_friedman_is_scipys(n: int, k: int) -> None:
    values = _values(n, k)
    expected = scipy.stats.friedmanchisquare(*values.values())
    result = friedman(values)
    assert result is not None
    assert (result.statistic, result.p, result.df) == (
        expected.statistic,
        expected.pvalue,
        (k - 1,),
    )
    ranks = np.argsort(np.argsort(np.array(list(values.values())), axis=0), axis=0) + 1
    by_hand = 12 * n / (k * (k + 1)) * ((ranks.mean(axis=1) - (k + 1) / 2) ** 2).sum()
    assert result.statistic == pytest.approx(by_hand)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 3), (10, 5)])
def test_tukeys_pairs_are_statsmodels(n: int, k: int) -> None:
    values = _values(n, k)
    table = _long(values)
    reference = pairwise_tukeyhsd(table["score"], table["activation"])
    names = itertools.combinations(reference.groupsunique, 2)
    expected = {frozenset(pair): p for pair, p in zip(names, reference.pvalues, strict=True)}
    result = tukey(values)
    assert result is not None
    assert len(result) == len(expected)
    for pair in result:
        # Two programs integrate the studentized range.
        assert pair.p == pytest.approx(expected[frozenset((pair.a, pair.b))], abs=1e-6)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 3), (5, 4)])
def test_games_and_howells_pairs_by_hand(n: int, k: int) -> None:
    values = _values(n, k)
    result = games_howell(values)
    assert result is not None
    assert len(result) == k * (k - 1) / 2
    for pair in result:
        u, v = (np.var(values[name], ddof=1) / n for name in (pair.a, pair.b))
        df = (u + v) ** 2 * (n - 1) / (u**2 + v**2)
        q = abs(pair.difference) / np.sqrt((u + v) / 2)
        assert pair.p == pytest.approx(scipy.stats.studentized_range.sf(q, k, df), rel=1e-9)


@pytest.mark.parametrize("test", [tukey, games_howell])
def test_pairs_are_of_means_in_order(test: Callable[[Scores], Any]) -> None:
    values = _values(3, 4)
    result = test(values)
    assert [(pair.a, pair.b) for pair in result] == list(itertools.combinations(values, 2))
    for pair in result:
        expected = np.mean(values[pair.a]) - np.mean(values[pair.b])
        assert pair.difference == pytest.approx(expected)


def test_pairs_are_scipys_to_the_last_bit() -> None:
    values = _values(4)
    for test, equal in ((tukey, True), (games_howell, False)):
        expected = scipy.stats.tukey_hsd(*values.values(), equal_var=equal).pvalue
        result = test(values)
        assert result is not None
        assert [pair.p for pair in result] == [expected[0, 1], expected[0, 2], expected[1, 2]]


@pytest.mark.parametrize("test", TESTS)
def test_fewer_than_two_seeds_or_activations_are_undefined(test: Callable[[Scores], Any]) -> None:
    assert test({}) is None
    assert test({"relu": [], "gelu": [], "silu": []}) is None
    assert test({"relu": [1.0], "gelu": [1.1], "silu": [1.3]}) is None
    assert test({"relu": [1.0, 1.1, 1.2]}) is None


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1.4903])
def test_equal_values_are_undefined(test: Callable[[Scores], Any], value: float) -> None:
    assert test(dict.fromkeys(("relu", "gelu", "silu"), [value] * 4)) is None


@pytest.mark.parametrize("test", [one_way, welch, blocked, tukey, games_howell])
def test_no_spread_within_activations_is_undefined(test: Callable[[Scores], Any]) -> None:
    assert test({"relu": [0.1] * 3, "gelu": [0.2] * 3, "silu": [0.4] * 3}) is None


def test_no_spread_of_the_differences_is_undefined_with_blocks() -> None:
    values = {"relu": [1.1, 1.2, 1.4], "gelu": [1.3, 1.4, 1.6]}
    assert blocked(values) is None
    assert one_way(values) is not None


@pytest.mark.parametrize("value", [0.1, 0.75])
def test_one_activation_without_spread(value: float) -> None:
    values = {"relu": [value] * 3, "gelu": [0.2, 0.3, 0.1], "silu": [0.4, 0.2, 0.3]}
    assert welch(values) is None
    for test in (one_way, tukey, games_howell):
        assert test(values) is not None


def test_friedman_wants_three_activations() -> None:
    assert friedman(_values(5, 2)) is None


def test_results_are_plain_numbers() -> None:
    values = _values(3)
    for test in (one_way, welch, blocked, friedman):
        result = test(values)
        assert result is not None
        plain = result.as_json()
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert plain.keys() == {"statistic", "p", "df"}
    pairs = tukey(values)
    assert pairs is not None
    plain = pairs[0].as_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain.keys() == {"a", "b", "difference", "p"}


def test_the_tests_that_share_seeds_ignore_what_seeds_have_in_common() -> None:
    values = _values(5)
    shift = np.array([3.0, -2.0, 0.5, 1.0, 7.0])
    shifted = {name: list(shift + scores) for name, scores in values.items()}
    for test in (blocked, friedman):
        before, after = test(values), test(shifted)
        assert before is not None
        assert after is not None
        assert after.p == pytest.approx(before.p)
    before, after = one_way(values), one_way(shifted)
    assert before is not None
    assert after is not None
    assert after.p > before.p
