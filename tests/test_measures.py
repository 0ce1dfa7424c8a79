"""Measures against loops, closed forms, scipy, and the bounds that hold for any predictions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from made_up import normalised, probabilities
from scipy.spatial.distance import jensenshannon

from actrepro.measures import (
    MEASURES,
    PRIMARY,
    Measure,
    accuracy,
    churn,
    entropy,
    jensen_shannon,
    loss,
    measure_ids,
    relative_true_label,
    total_variation,
)

LN2 = math.log(2)
ROUNDING = 1e-6
Pair = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Predictions of two runs, with ties and zeros, and true symbols."""
    rows, symbols = draw(st.integers(1, 6)), draw(st.integers(2, 6))
    weights = st_numpy.arrays(np.float64, (rows, symbols), elements=st.integers(0, 6))
    p, q = (draw(weights) for _ in range(2))
    for one in (p, q):
        one[:, draw(st.integers(0, symbols - 1))] += 1
    targets = draw(st_numpy.arrays(np.uint8, rows, elements=st.integers(0, symbols - 1)))
    return normalised(p), normalised(q), targets


def _slow(p: np.ndarray, q: np.ndarray, y: int) -> dict[str, float]:
    """All measures at one position, symbol by symbol, in double precision."""
    p, q = p.astype(float).tolist(), q.astype(float).tolist()
    js = 0.0
    for a, b in zip(p, q, strict=True):
        mean = (a + b) / 2
        js += (a * math.log(a / mean) if a else 0) / 2
        js += (b * math.log(b / mean) if b else 0) / 2
    return {
        "tv-half_l1-pairs": sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2,
        "churn-top1-pairs": float(p.index(max(p)) != q.index(max(q))),
        "rpd-true_label-pairs": abs(p[y] - q[y]) / (p[y] + q[y]) if p[y] + q[y] else 0.0,
        "js-nats-pairs": js,
    }


@given(pairs())
def test_every_measure_is_its_slow_version(pair: Pair) -> None:
    p, q, targets = pair
    slow = [_slow(*row) for row in zip(p, q, targets.tolist(), strict=True)]
    for measure in MEASURES:
        expected = [row[measure.id] for row in slow]
        found = measure.at_positions(p, q, targets)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
        assert measure(p, q, targets) == pytest.approx(np.mean(expected), abs=ROUNDING)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.id)
@given(pair=pairs())
def test_measures_are_symmetric_bounded_and_zero_between_equals(
    measure: Measure, pair: Pair
) -> None:
    p, q, targets = pair
    found = measure.at_positions(p, q, targets)
    np.testing.assert_array_equal(found, measure.at_positions(q, p, targets))
    low, high = measure.range
    assert low <= found.min()
    assert found.max() <= high + ROUNDING
    assert not measure.at_positions(p, p, targets).any()


def test_predictions_without_a_common_symbol_are_as_far_apart_as_can_be() -> None:
    p, q = normalised(np.array([[3.0, 1, 0, 0]])), normalised(np.array([[0, 0, 1.0, 1]]))
    found = {measure.id: measure(p, q, np.array([0])) for measure in MEASURES}
    assert found == {
        "tv-half_l1-pairs": 1.0,
        "churn-top1-pairs": 1.0,
        "rpd-true_label-pairs": 1.0,
        "js-nats-pairs": pytest.approx(LN2, abs=ROUNDING),
    }


def test_by_hand() -> None:
    p = np.array([[0.5, 0.25, 0.25], [0.2, 0.7, 0.1]], np.float32)
    q = np.array([[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]], np.float32)
    targets = np.array([0, 2])
    assert total_variation(p, q, targets) == pytest.approx([0.25, 0.1])
    assert churn(p, q, targets).tolist() == [1.0, 0.0]
    assert relative_true_label(p, q, targets) == pytest.approx([1 / 3, 0.0])
    assert loss(p, targets) == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)
    assert (accuracy(p, targets), accuracy(q, targets)) == (0.5, 0.0)


@given(pairs())
def test_jensen_shannon_is_scipys_squared(pair: Pair) -> None:
    p, q, targets = pair
    expected = jensenshannon(p.astype(float), q.astype(float), axis=1) ** 2
    # scipy's root of a rounding error below zero is no number.
    np.testing.assert_allclose(
        jensen_shannon(p, q, targets), np.nan_to_num(expected), rtol=0, atol=ROUNDING
    )


@pytest.mark.parametrize("symbols", [2, 65, 1000])
def test_entropy_of_certainty_and_of_ignorance(symbols: int) -> None:
    assert entropy(np.eye(symbols, dtype=np.float32)).tolist() == [0.0] * symbols
    uniform = np.full((3, symbols), 1 / symbols, np.float32)
    assert entropy(uniform) == pytest.approx([math.log(symbols)] * 3, rel=1e-6)


@given(pairs())
def test_divergences_are_between_their_bounds_by_total_variation(pair: Pair) -> None:
    p, q, targets = pair
    tv, js = total_variation(p, q, targets), jensen_shannon(p, q, targets)
    assert (js <= tv * LN2 + ROUNDING).all()
    assert (js >= tv**2 / 2 - ROUNDING).all()
    np.testing.assert_allclose(tv, 1 - np.minimum(p, q).sum(axis=1), rtol=0, atol=ROUNDING)


@given(pairs())
def test_runs_that_disagree_differ_by_half_their_margins(pair: Pair) -> None:
    p, q, targets = pair
    rows = np.arange(len(p))
    a, b = p.argmax(axis=1), q.argmax(axis=1)
    margins = (p[rows, a] - p[rows, b]) + (q[rows, b] - q[rows, a])
    tv = total_variation(p, q, targets)
    assert (tv >= margins / 2 - ROUNDING).all()
    assert (churn(p, q, targets) == (a != b)).all()


@given(pairs())
def test_churn_is_bounded_by_the_accuracies(pair: Pair) -> None:
    p, q, targets = pair
    disagreement = churn(p, q, targets).mean()
    first, second = accuracy(p, targets), accuracy(q, targets)
    assert abs(first - second) <= disagreement + 1e-12
    assert disagreement <= min(1, 2 - first - second) + 1e-12


@given(pairs())
def test_a_low_loss_certifies_a_high_accuracy(pair: Pair) -> None:
    # Where the most probable symbol is not the true one, the true one has at most ½.
    p, _, targets = pair
    assert accuracy(p, targets) >= 1 - loss(p, targets) / LN2 - ROUNDING


@given(pairs())
def test_total_variation_is_bounded_by_the_losses(pair: Pair) -> None:
    p, q, targets = pair
    tv = total_variation(p, q, targets).mean()
    assert tv <= 1 - math.exp(-(loss(p, targets) + loss(q, targets))) + ROUNDING


@given(pairs())
def test_for_two_runs_the_distance_to_their_mean_is_total_variation(pair: Pair) -> None:
    p, q, targets = pair
    mean = (p.astype(float) + q) / 2
    to_mean = [np.abs(one - mean).sum(axis=1) for one in (p, q)]
    tv = total_variation(p, q, targets)
    np.testing.assert_allclose(np.mean(to_mean, axis=0), tv, rtol=0, atol=ROUNDING)


@given(pairs())
def test_for_two_runs_the_relative_difference_is_that_to_their_mean(pair: Pair) -> None:
    p, q, targets = pair
    rows = np.arange(len(p))
    mean = (p[rows, targets].astype(float) + q[rows, targets]) / 2
    kept = mean > 0
    relative = [np.abs(one[rows, targets] - mean)[kept] / mean[kept] for one in (p, q)]
    found = relative_true_label(p, q, targets)
    np.testing.assert_allclose(np.mean(relative, axis=0), found[kept], rtol=0, atol=ROUNDING)
    assert not found[~kept].any()


@given(st.integers(2, 5), st.integers(0, 1000))
@settings(max_examples=30)
def test_pairwise_total_variation_brackets_the_distance_to_the_mean(runs: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    drawn = [probabilities(generator, 4, 5).astype(float) for _ in range(runs)]
    mean = np.mean(drawn, axis=0)
    to_mean = np.mean([np.abs(p - mean).sum(axis=1).mean() for p in drawn])
    pairwise = np.mean(
        [
            total_variation(p, q, np.zeros(4, int)).mean()
            for p, q in itertools.combinations(drawn, 2)
        ]
    )
    assert pairwise - ROUNDING <= to_mean <= 2 * (runs - 1) / runs * pairwise + ROUNDING


@given(pairs())
def test_loss_and_accuracy_are_their_slow_versions(pair: Pair) -> None:
    p, _, targets = pair
    true = [float(row[y]) for row, y in zip(p, targets, strict=True)]
    losses = [-math.log(one) if one else math.inf for one in true]
    assert loss(p, targets) == pytest.approx(sum(losses) / len(losses))
    hits = [row.tolist().index(max(row)) == y for row, y in zip(p, targets, strict=True)]
    assert accuracy(p, targets) == pytest.approx(sum(hits) / len(hits))


def test_the_ids_name_measure_and_positions() -> None:
    assert measure_ids() == [
        "tv-half_l1-pairs.all",
        "tv-half_l1-pairs.last",
        "churn-top1-pairs.all",
        "churn-top1-pairs.last",
        "rpd-true_label-pairs.all",
        "rpd-true_label-pairs.last",
        "js-nats-pairs.all",
        "js-nats-pairs.last",
    ]
    assert PRIMARY in measure_ids()
