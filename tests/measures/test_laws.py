"""Laws of measures for any predictions: identities, bounds, additive sums, symmetry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import probabilities

from actrepro.measures import (
    BY_ID,
    GROUP_MEASURES,
    PAIR_MEASURES,
    RUN_MEASURES,
    Floats,
    GroupMeasure,
    Measure,
    PairMeasure,
    RunMeasure,
    accuracy,
    all_pairs,
    certificate,
    churn_range,
    leave_one_out_sums,
    loss,
)

LN2 = math.log(2)
ROUNDING = 1e-6
LEAST = np.float32(1.2e-38)
MEASURES = (*RUN_MEASURES, *PAIR_MEASURES, *GROUP_MEASURES)
Case = tuple[np.ndarray, np.ndarray]
by_id = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.id)
of_groups = pytest.mark.parametrize("measure", GROUP_MEASURES, ids=lambda measure: measure.id)


def made(seed: int, models: int, positions: int, symbols: int, kind: str) -> Case:
    """Draw predictions of one kind, and true symbols that they guess better than chance."""
    generator = np.random.default_rng(seed)
    if kind == "one-hot":
        p = np.eye(symbols, dtype=np.float32)[generator.integers(0, symbols, (models, positions))]
    else:
        # Of the degenerate, nearly all entries are as small as single precision allows.
        spread = {"blunt": 0.1, "sharp": 3.0, "degenerate": 60.0}[kind]
        drawn = [probabilities(generator, positions, symbols, spread) for _ in range(models)]
        p = np.maximum(np.stack(drawn), LEAST)
    targets = np.where(
        generator.random(positions) < 0.5,
        p[0].argmax(axis=1),
        generator.integers(0, symbols, positions),
    )
    return p, targets


@st.composite
def cases(draw: st.DrawFn, least: int = 2, most: int = 5) -> Case:
    return made(
        draw(st.integers(0, 9999)),
        draw(st.integers(least, most)),
        draw(st.integers(1, 12)),
        draw(st.sampled_from([2, 3, 5, 65])),
        draw(st.sampled_from(["blunt", "sharp", "degenerate", "one-hot"])),
    )


def sums_of(measure: Measure, p: np.ndarray, targets: np.ndarray) -> Floats:
    """Compute sums over positions; of pairs, in both directions."""
    if isinstance(measure, PairMeasure):
        pairs = all_pairs(len(p))
        return measure.sums(p, targets, np.concatenate([pairs, pairs[:, ::-1]]))
    return measure.sums(p, targets)


def value(id_: str, p: np.ndarray, targets: np.ndarray) -> float:
    """Compute a measure between the first two models, or of the group."""
    found = BY_ID[id_](p, targets)
    return float(found[0, 1]) if isinstance(BY_ID[id_], PairMeasure) else float(found)


def close(expected: float) -> object:
    return pytest.approx(expected, rel=1e-5, abs=ROUNDING)


def mean_of_pairs(matrix: np.ndarray) -> float:
    return float(matrix[np.triu_indices(len(matrix), k=1)].mean())


@by_id
@settings(max_examples=20)
@given(case=cases())
def test_values_are_in_range(measure: Measure, case: Case) -> None:
    p, targets = case
    low, high = measure.range
    found = np.asarray(measure(p, targets))
    assert low <= np.nanmin(found, initial=high)
    assert np.nanmax(found, initial=low) <= high + ROUNDING
    assert not np.isnan(found).any() or measure.id == "kappa-fleiss"


@by_id
@settings(max_examples=20)
@given(case=cases(), cut=st.floats(0, 1))
def test_sums_of_pieces_add_up(measure: Measure, case: Case, cut: float) -> None:
    p, targets = case
    at = int(cut * len(targets))
    parts = [
        sums_of(measure, p[:, piece], targets[piece])
        for piece in (slice(at), slice(at, None))
        if len(targets[piece])
    ]
    np.testing.assert_allclose(
        sum(parts), sums_of(measure, p, targets), rtol=1e-5, atol=ROUNDING * len(targets)
    )


@by_id
@settings(max_examples=20)
@given(case=cases(), seed=st.integers(0, 99))
def test_permuting_models_permutes_values(measure: Measure, case: Case, seed: int) -> None:
    p, targets = case
    order = np.random.default_rng(seed).permutation(len(p))
    before, after = measure(p, targets), measure(p[order], targets)
    if isinstance(measure, RunMeasure):
        before = before[order]
    if isinstance(measure, PairMeasure):
        before = before[np.ix_(order, order)]
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=ROUNDING)


@by_id
@settings(max_examples=20)
@given(case=cases(), seed=st.integers(0, 99))
def test_the_order_of_positions_does_not_matter(measure: Measure, case: Case, seed: int) -> None:
    p, targets = case
    order = np.random.default_rng(seed).permutation(len(targets))
    np.testing.assert_allclose(
        measure(p[:, order], targets[order]), measure(p, targets), rtol=1e-5, atol=ROUNDING
    )


@pytest.mark.parametrize("measure", PAIR_MEASURES, ids=lambda measure: measure.id)
@given(case=cases())
def test_symmetric_measures_of_pairs_are_symmetric(measure: PairMeasure, case: Case) -> None:
    p, targets = case
    matrix = measure(p, targets)
    transposed = matrix.T
    if not measure.symmetric:
        other = {"churn-good-pairs": "churn-bad-pairs", "churn-bad-pairs": "churn-good-pairs"}
        transposed = BY_ID[other[measure.id]](p, targets).T
    np.testing.assert_array_equal(matrix, transposed)
    pairs = all_pairs(len(p))
    forwards, backwards = (measure.sums(p, targets, one) for one in (pairs, pairs[:, ::-1]))
    if measure.symmetric:
        np.testing.assert_array_equal(forwards, backwards)


@of_groups
@settings(max_examples=20)
@given(case=cases(least=2))
def test_leaving_one_out_is_measuring_the_rest(measure: GroupMeasure, case: Case) -> None:
    p, targets = case
    rows = leave_one_out_sums(measure, p, targets)
    subsets = [p]
    if len(p) > 2:
        subsets += [np.delete(p, m, axis=0) for m in range(len(p))]
    expected = [measure.sums(subset, targets) for subset in subsets]
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=ROUNDING * len(targets))
    together = measure.finish(rows, len(targets))
    assert together.shape == (len(subsets),)
    for row, of_row in zip(rows, together, strict=True):
        alone = measure.finish(row, len(targets))
        assert alone.shape == ()
        np.testing.assert_equal(float(alone), float(of_row))


@of_groups
def test_measuring_leaves_predictions_as_they_were(measure: GroupMeasure) -> None:
    p, targets = made(3, 4, 20, 7, "sharp")
    before = p.copy()
    for any_measure in MEASURES:
        any_measure(p, targets)
    leave_one_out_sums(measure, p, targets)
    np.testing.assert_array_equal(p, before)


@given(cases(most=2))
def test_for_two_models_measures_of_groups_are_those_of_pairs(case: Case) -> None:
    p, _ = case
    assert value("pd-l1-mean", *case) == close(value("tv-half_l1-pairs", *case))
    assert value("mi-nats-mean", *case) == close(value("js-nats-pairs", *case))
    assert value("rpd-true_label-mean", *case) == close(value("rpd-true_label-pairs", *case))
    # Summed over symbols, and without the factor 2.
    relative = p.shape[2] / 2 * value("srpd-mean_labels-pairs", *case)
    assert value("rpd-l1-mean", *case) == close(relative)
    norms = np.linalg.norm(p[0].astype(float) - p[1], axis=1) / 2
    assert value("pd-l2-mean", *case) == close(norms.mean())


@given(cases())
def test_pairwise_total_variation_brackets_the_distance_to_the_mean(case: Case) -> None:
    models = len(case[0])
    pairwise = mean_of_pairs(BY_ID["tv-half_l1-pairs"](*case))
    to_mean = value("pd-l1-mean", *case)
    assert pairwise - ROUNDING <= to_mean <= 2 * (models - 1) / models * pairwise + ROUNDING


@given(cases())
def test_good_bad_and_neutral_churn_are_all_churn(case: Case) -> None:
    good, bad, neutral, churn = (
        BY_ID[f"churn-{kind}-pairs"](*case) for kind in ("good", "bad", "neutral", "top1")
    )
    np.testing.assert_allclose(good + bad + neutral, churn, rtol=0, atol=1e-12)
    # What the second wins and does not lose is its gain in accuracy.
    right = BY_ID["accuracy"](*case)
    np.testing.assert_allclose(good - bad, right[None, :] - right[:, None], rtol=0, atol=1e-12)


@given(cases())
def test_total_variation_is_the_relative_difference_of_means_over_labels(case: Case) -> None:
    p = case[0].astype(float)
    expected = np.abs(p[0] - p[1]).mean() / (p[0].mean() + p[1].mean())
    assert value("tv-half_l1-pairs", *case) == close(expected)


@given(cases())
def test_total_variation_is_one_minus_the_shared_mass(case: Case) -> None:
    shared = np.minimum(case[0][0], case[0][1]).sum(axis=1, dtype=float).mean()
    assert value("tv-half_l1-pairs", *case) == close(1 - shared)


@given(cases())
def test_divergences_are_between_their_bounds_by_total_variation(case: Case) -> None:
    tv, js = BY_ID["tv-half_l1-pairs"](*case), BY_ID["js-nats-pairs"](*case)
    assert (js <= tv * LN2 + ROUNDING).all()
    assert (js >= tv**2 / 2 - ROUNDING).all()


@given(cases())
def test_bounds_that_grow_with_the_models(case: Case) -> None:
    models, _, symbols = case[0].shape
    room = 1 - 1 / models
    assert value("pd-l1-mean", *case) <= 2 * room + ROUNDING
    assert value("rpd-true_label-mean", *case) <= 2 * room + ROUNDING
    assert value("rpd-l1-mean", *case) <= (2 * symbols * room) * (1 + 1e-5)
    assert value("mi-nats-mean", *case) <= math.log(min(models, symbols)) + ROUNDING
    assert BY_ID["entropy"](*case).max() <= math.log(symbols) + ROUNDING
    kappa = value("kappa-fleiss", *case)
    assert math.isnan(kappa) or kappa >= -1 / (models - 1) - 1e-12


@given(cases())
def test_runs_that_disagree_differ_by_half_their_margins(case: Case) -> None:
    p, _ = case
    rows = np.arange(p.shape[1])
    a, b = p[0].argmax(axis=1), p[1].argmax(axis=1)
    margins = (p[0, rows, a] - p[0, rows, b]) + (p[1, rows, b] - p[1, rows, a])
    assert value("tv-half_l1-pairs", *case) >= margins.mean(dtype=float) / 2 - ROUNDING


@given(cases())
def test_churn_is_in_the_range_that_accuracies_leave(case: Case) -> None:
    p, targets = case
    low, high = churn_range(accuracy(p[0], targets), accuracy(p[1], targets))
    assert low - 1e-12 <= value("churn-top1-pairs", *case) <= high + 1e-12


@given(cases())
def test_a_low_loss_certifies_a_high_accuracy(case: Case) -> None:
    p, targets = case
    for one in p:
        assert accuracy(one, targets) >= certificate(loss(one, targets)) - ROUNDING


@given(cases())
def test_total_variation_is_bounded_by_the_losses(case: Case) -> None:
    first, second = BY_ID["loss"](*case)[:2]
    assert value("tv-half_l1-pairs", *case) <= 1 - math.exp(-(first + second)) + ROUNDING


def test_the_certificate_by_hand() -> None:
    # The loss and the accuracy once reported for one model: not of the same positions.
    assert certificate(0.0077) == pytest.approx(0.9889, abs=1e-4)
    assert certificate(0.0) == 1
    assert certificate(LN2) == 0
    assert certificate(5.0) == certificate(math.inf) == 0


def test_the_certificate_is_attained() -> None:
    # Wrong at p_y just below ½, else certain.
    p = np.array([[[0.5001, 0.4999]], [[1, 0]]], np.float32).swapaxes(0, 1)
    targets = np.array([1, 0])
    assert accuracy(p[0], targets) == 0.5
    assert certificate(loss(p[0], targets)) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0.9, 0.7, (0.2, 0.4)),
        (0.3, 0.3, (0.0, 1.0)),
        (1.0, 1.0, (0.0, 0.0)),
        (0.0, 1.0, (1.0, 1.0)),
    ],
)
def test_the_range_of_churn_by_hand(
    first: float, second: float, expected: tuple[float, float]
) -> None:
    assert churn_range(first, second) == pytest.approx(expected)


@settings(max_examples=20)
@given(st.integers(0, 9999))
def test_small_divergences_are_right_to_a_millionth(seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = 3 * generator.standard_normal((200, 65))
    shaken = logits + 0.01 * generator.standard_normal((200, 65))
    exact = np.exp(np.stack([logits, shaken]))
    exact /= exact.sum(axis=2, keepdims=True)
    mean = exact.mean(axis=0)
    divergence = (exact * np.log(exact / mean)).sum(axis=2).mean()
    p, targets = exact.astype(np.float32), np.zeros(200, int)
    assert value("js-nats-pairs", p, targets) == pytest.approx(divergence, abs=ROUNDING)
    assert value("mi-nats-mean", p, targets) == pytest.approx(divergence, abs=ROUNDING)
