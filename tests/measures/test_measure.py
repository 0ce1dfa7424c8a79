"""Measures against loops in double precision, closed forms, scipy and statsmodels."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from synthetic import normalised, probabilities

from actrepro.core.errors import ActreproError
from actrepro.measures import (
    BY_ID,
    CHUNK,
    GENERATED_ID,
    GROUP_MEASURES,
    PAIR_MEASURES,
    PRIMARY,
    RUN_MEASURES,
    Measure,
    accuracy,
    all_pairs,
    edit_differences,
    entropy,
    group_measure_ids,
    is_agreement,
    loss,
    measure_descriptions,
    measure_ids,
    run_measure_ids,
)

LN2 = math.log(2)
ROUNDING = 1e-6
MEASURES = (*RUN_MEASURES, *PAIR_MEASURES, *GROUP_MEASURES)
RUNS, PAIRS, GROUPS = (
    [one.id for one in kind] for kind in (RUN_MEASURES, PAIR_MEASURES, GROUP_MEASURES)
)
Case = tuple[np.ndarray, np.ndarray]
Rows = list[list[float]]


@st.composite
def cases(draw: st.DrawFn, least: int = 2) -> Case:
    """Draw predictions `[M, N, V]` with ties and zeros, and true symbols."""
    models, rows = draw(st.integers(least, 4)), draw(st.integers(1, 5))
    symbols = draw(st.integers(2, 8))
    weights = draw(
        st_numpy.arrays(np.float64, (models * rows, symbols), elements=st.integers(0, 6))
    )
    weights[:, draw(st.integers(0, symbols - 1))] += 1
    targets = draw(st_numpy.arrays(np.int64, rows, elements=st.integers(0, symbols - 1)))
    return normalised(weights).reshape(models, rows, symbols), targets


def _best(row: list[float], k: int = 1) -> list[int]:
    return sorted(range(len(row)), key=lambda v: (-row[v], v))[:k]


def _entropy(row: list[float]) -> float:
    return -sum(a * math.log(a) for a in row if a)


def _mean_row(rows: Rows) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0


def _slow_pair(id_: str, p: list[float], q: list[float], y: int) -> float:
    """Compute a measure of two models at one position, symbol by symbol."""
    entries = list(zip(p, q, strict=True))
    a, b, k = _best(p)[0], _best(q)[0], min(5, len(p))
    slow: dict[str, Callable[[], float]] = {
        "tv-half_l1-pairs": lambda: sum(abs(x - z) for x, z in entries) / 2,
        "churn-top1-pairs": lambda: a != b,
        "churn-good-pairs": lambda: a != y and b == y,
        "churn-bad-pairs": lambda: a == y and b != y,
        "churn-neutral-pairs": lambda: a != b and y not in (a, b),
        "rpd-true_label-pairs": lambda: _ratio(abs(p[y] - q[y]), p[y] + q[y]),
        "srpd-mean_labels-pairs": lambda: (
            sum(_ratio(2 * abs(x - z), x + z) for x, z in entries) / len(p)
        ),
        "js-nats-pairs": lambda: sum(
            _ratio(x, 2) * math.log(_ratio(x, (p[v] + q[v]) / 2) or 1)
            for row in (p, q)
            for v, x in enumerate(row)
        ),
        "overlap-top5-pairs": lambda: len({*_best(p, k)} & {*_best(q, k)}) / k,
    }
    return float(slow[id_]())


def _slow_group(id_: str, rows: Rows, y: int) -> float:
    """Compute a measure of several models at one position, symbol by symbol."""
    mean = _mean_row(rows)

    def of_each(value: Callable[[list[float]], float]) -> float:
        return sum(map(value, rows)) / len(rows)

    slow: dict[str, Callable[[], float]] = {
        "pd-l1-mean": lambda: of_each(
            lambda p: sum(abs(x - m) for x, m in zip(p, mean, strict=True))
        ),
        "pd-l2-mean": lambda: of_each(lambda p: math.dist(p, mean)),
        "rpd-l1-mean": lambda: of_each(
            lambda p: sum(_ratio(abs(x - m), m) for x, m in zip(p, mean, strict=True))
        ),
        "rpd-true_label-mean": lambda: of_each(lambda p: _ratio(abs(p[y] - mean[y]), mean[y])),
        "mi-nats-mean": lambda: _entropy(mean) - of_each(_entropy),
    }
    return slow[id_]()


def _positions(p: np.ndarray, targets: np.ndarray) -> list[tuple[Rows, int]]:
    """Yield the rows of all models and the true symbol, position by position."""
    return list(zip(p.swapaxes(0, 1).tolist(), targets.tolist(), strict=True))


@pytest.mark.parametrize("id_", PAIRS)
@given(case=cases())
def test_measures_of_pairs_are_their_slow_versions(id_: str, case: Case) -> None:
    p, targets = case
    measure = BY_ID[id_]
    pairs = np.concatenate([all_pairs(len(p)), all_pairs(len(p))[:, ::-1]])
    sums = measure.sums(p, targets, pairs)
    assert (sums.dtype, sums.shape) == (np.float64, (len(pairs), 1))
    found = measure.finish(sums, len(targets))
    matrix = measure(p, targets)
    for (i, j), value in zip(pairs, found, strict=True):
        at = [_slow_pair(id_, rows[i], rows[j], y) for rows, y in _positions(p, targets)]
        assert value == pytest.approx(np.mean(at), abs=ROUNDING)
        assert matrix[i, j] == pytest.approx(value, abs=ROUNDING)
    assert matrix.diagonal().tolist() == [float(measure.agreement)] * len(p)


@pytest.mark.parametrize("id_", [id_ for id_ in GROUPS if id_ != "kappa-fleiss"])
@given(case=cases())
def test_measures_of_groups_are_their_slow_versions(id_: str, case: Case) -> None:
    p, targets = case
    measure = BY_ID[id_]
    sums = measure.sums(p, targets)
    assert (sums.dtype, sums.shape) == (np.float64, (1,))
    expected = np.mean([_slow_group(id_, rows, y) for rows, y in _positions(p, targets)])
    # Relative differences are as large as the number of symbols allows.
    assert measure.finish(sums, len(targets)) == pytest.approx(expected, rel=1e-5, abs=ROUNDING)
    assert measure(p, targets) == pytest.approx(expected, rel=1e-5, abs=ROUNDING)


def _slow_calibration(p: Rows, targets: list[int]) -> float:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row, y in zip(p, targets, strict=True):
        sure = max(row)
        edge = next(b for b in range(1, 16) if sure <= b / 15 or b == 15)
        bins.setdefault(edge, []).append((sure, _best(row)[0] == y))
    error = 0.0
    for inside in bins.values():
        confidence = sum(sure for sure, _ in inside) / len(inside)
        hits = sum(hit for _, hit in inside) / len(inside)
        error += len(inside) / len(p) * abs(hits - confidence)
    return error


@given(cases(least=1))
def test_measures_of_a_run_are_their_slow_versions(case: Case) -> None:
    p, targets = case
    slow: dict[str, Callable[[Rows], float]] = {
        "loss": lambda rows: np.mean(
            [-math.log(row[y]) if row[y] else math.inf for row, y in zip(rows, truth, strict=True)]
        ),
        "accuracy": lambda rows: np.mean(
            [_best(row)[0] == y for row, y in zip(rows, truth, strict=True)]
        ),
        "calibration": lambda rows: _slow_calibration(rows, truth),
        "entropy": lambda rows: np.mean([_entropy(row) for row in rows]),
    }
    truth = targets.tolist()
    assert list(slow) == RUNS
    for id_, of_rows in slow.items():
        found = BY_ID[id_](p, targets)
        assert found.dtype == np.float64
        assert found == pytest.approx([of_rows(one.tolist()) for one in p], abs=ROUNDING)
    assert loss(p[0], targets) == BY_ID["loss"](p, targets)[0]
    assert accuracy(p[0], targets) == BY_ID["accuracy"](p, targets)[0]


@given(st.integers(2, 6), st.integers(2, 30), st.integers(2, 5), st.integers(0, 999))
def test_kappa_is_statsmodels(models: int, positions: int, symbols: int, seed: int) -> None:
    chosen = np.random.default_rng(seed).integers(0, symbols, (models, positions))
    p = np.eye(symbols, dtype=np.float32)[chosen]
    targets = np.zeros(positions, int)
    if len(np.unique(chosen)) == 1:
        assert math.isnan(BY_ID["kappa-fleiss"](p, targets))
    else:
        expected = fleiss_kappa(aggregate_raters(chosen.T, symbols)[0])
        assert BY_ID["kappa-fleiss"](p, targets) == pytest.approx(expected, abs=1e-12)


def test_constant_predictions_do_not_look_reproducible() -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 8, 400)
    p = np.stack([probabilities(generator, 400, 8) for _ in range(3)])
    p[..., 3] += 10
    assert BY_ID["churn-top1-pairs"](p, targets).max() == 0
    assert math.isnan(BY_ID["kappa-fleiss"](p, targets))
    # One model's one exception is no agreement either, though all but one position agree.
    p[0, 0, 3] = 0
    assert BY_ID["kappa-fleiss"](p, targets) == pytest.approx(0, abs=0.01)


@given(cases())
def test_jensen_shannon_is_scipys_squared(case: Case) -> None:
    p, targets = case
    found = BY_ID["js-nats-pairs"](p, targets)
    for i, j in all_pairs(len(p)):
        roots = jensenshannon(p[i].astype(float), p[j].astype(float), axis=1, base=math.e)
        # scipy's root of a rounding error below zero is no number.
        expected = np.nan_to_num(roots**2).mean()
        assert found[i, j] == pytest.approx(expected, abs=ROUNDING)


def test_by_hand() -> None:
    p = np.array(
        [[[0.5, 0.25, 0.25], [0.2, 0.7, 0.1]], [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]]], np.float32
    )
    targets = np.array([0, 2])
    found = {one.id: one(p, targets) for one in MEASURES}
    off = {id_: (found[id_][0, 1], found[id_][1, 0]) for id_ in PAIRS}
    assert found["loss"][0] == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)
    assert found["accuracy"].tolist() == [0.5, 0.0]
    # Bins of 0.5 and 0.7, hit and missed.
    assert found["calibration"][0] == pytest.approx((0.5 + 0.7) / 2)
    assert found["entropy"][0] == pytest.approx((1.5 * LN2 + 0.801819) / 2, abs=ROUNDING)
    assert off["tv-half_l1-pairs"] == pytest.approx([0.175, 0.175])
    assert off["churn-top1-pairs"] == (0.5, 0.5)
    assert off["churn-good-pairs"] == (0.0, 0.5)
    assert off["churn-bad-pairs"] == (0.5, 0.0)
    assert off["churn-neutral-pairs"] == (0.0, 0.0)
    assert off["rpd-true_label-pairs"] == pytest.approx([1 / 6, 1 / 6])
    relative = (4 / 3 / 3 + (2 / 3 + 0.2 / 1.5) / 3) / 2
    assert off["srpd-mean_labels-pairs"] == pytest.approx([relative, relative])
    assert off["overlap-top5-pairs"] == (1.0, 1.0)
    assert found["pd-l1-mean"] == pytest.approx(0.175)
    assert found["pd-l2-mean"] == pytest.approx((math.sqrt(2) / 8 + math.sqrt(2) / 20) / 2)
    assert found["rpd-l1-mean"] == pytest.approx(3 / 2 * relative)
    # They agree on one of two positions; the shares are 1/4 and 3/4.
    assert found["kappa-fleiss"] == pytest.approx((1 / 2 - 10 / 16) / (1 - 10 / 16))


def test_the_five_most_probable_are_a_set_and_the_lower_of_equals_comes_first() -> None:
    p = normalised(
        np.array(
            [
                [9, 8, 7, 6, 5, 4, 3],
                [5, 6, 7, 8, 9, 4, 3],
                [1, 1, 1, 1, 1, 1, 1],
                [3, 4, 5, 6, 7, 8, 9],
            ]
        )
    )[:, None]
    found = BY_ID["overlap-top5-pairs"](p, np.array([0]))
    assert found[0].tolist() == pytest.approx([1, 1, 1, 3 / 5])
    assert found[2, 3] == 3 / 5


def test_point_masses_on_different_symbols_are_as_far_apart_as_can_be() -> None:
    p = np.eye(7, dtype=np.float32)[[[0, 0], [1, 1]]]
    targets = np.array([0, 2])
    found = {one.id: one(p, targets) for one in MEASURES}
    pairs = {id_: found[id_][0, 1] for id_ in PAIRS}
    assert pairs == {
        "tv-half_l1-pairs": 1.0,
        "churn-top1-pairs": 1.0,
        "churn-good-pairs": 0.0,
        "churn-bad-pairs": 0.5,
        "churn-neutral-pairs": 0.5,
        "rpd-true_label-pairs": 0.5,
        "srpd-mean_labels-pairs": pytest.approx(2 * 2 / 7),
        "js-nats-pairs": pytest.approx(LN2, abs=ROUNDING),
        # Of the equals with probability 0 the lower ones: {0, 1, 2, 3, 4} both.
        "overlap-top5-pairs": 1.0,
    }
    assert {id_: found[id_] for id_ in GROUPS} == {
        "pd-l1-mean": 1.0,
        "pd-l2-mean": pytest.approx(math.sqrt(0.5)),
        "rpd-l1-mean": 2.0,
        "rpd-true_label-mean": 0.5,
        "mi-nats-mean": pytest.approx(LN2, abs=ROUNDING),
        "kappa-fleiss": -1.0,
    }
    assert found["loss"].tolist() == [math.inf, math.inf]
    assert found["accuracy"].tolist() == [0.5, 0.0]
    assert found["calibration"].tolist() == [0.5, 1.0]
    assert found["entropy"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("spread", [0.0, 2.0, 40.0])
def test_a_model_does_not_differ_from_itself(spread: float) -> None:
    generator = np.random.default_rng(1)
    one = probabilities(generator, 50, 65, spread)
    p = np.stack([one, one, one])
    targets = generator.integers(0, 65, 50)
    for measure in PAIR_MEASURES:
        assert (measure(p, targets) == float(measure.agreement)).all()
    for measure in GROUP_MEASURES:
        value = measure(p, targets)
        if measure.agreement:
            assert value == 1 or (spread == 0 and math.isnan(value))
        else:
            assert value == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("symbols", [2, 65, 1000])
def test_entropy_of_certainty_and_of_ignorance(symbols: int) -> None:
    assert entropy(np.eye(symbols, dtype=np.float32)).tolist() == [0.0] * symbols
    uniform = np.full((2, 3, symbols), 1 / symbols, np.float32)
    found = entropy(uniform)
    assert (found.shape, found.dtype) == ((2, 3), np.float64)
    assert found.ravel() == pytest.approx([math.log(symbols)] * 6, rel=1e-6)


def test_calibrated_predictions_have_no_calibration_error() -> None:
    # Sure to 3/4, right in 3 of 4; sure to 1, always right.
    p = np.zeros((1, 9, 4), np.float32)
    p[0, :4, 0], p[0, :4, 1] = 0.75, 0.25
    p[0, 4:, 2] = 1
    targets = np.array([0, 0, 0, 1, 2, 2, 2, 2, 2])
    assert BY_ID["calibration"](p, targets) == pytest.approx([0], abs=ROUNDING)
    sums = BY_ID["calibration"].sums(p, targets).reshape(3, 15)
    assert sums[:, [11, 14]].tolist() == [[4, 5], [3, 5], [3, 5]]
    assert np.count_nonzero(sums) == 6


def test_more_symbols_than_a_byte_can_number() -> None:
    p = np.zeros((2, 3, 300), np.float32)
    p[0, :, 1], p[1, :, 257] = 1, 1
    targets = np.array([1, 257, 299])
    assert BY_ID["churn-top1-pairs"](p, targets)[0, 1] == 1
    assert BY_ID["churn-good-pairs"](p, targets)[0, 1] == pytest.approx(1 / 3)
    assert BY_ID["overlap-top5-pairs"](p, targets)[0, 1] == pytest.approx(4 / 5)
    assert BY_ID["kappa-fleiss"](p, targets) == -1


def test_the_primary_measure_is_total_variation_on_every_character() -> None:
    assert PRIMARY == "tv-half_l1-pairs.all"
    assert PRIMARY in measure_ids()


def test_the_ids_name_measure_and_positions() -> None:
    for ids, kind in (
        (run_measure_ids(), RUNS),
        (measure_ids(), PAIRS),
        (group_measure_ids(), GROUPS),
    ):
        of_text = [f"{id_}.{where}" for id_, where in itertools.product(kind, ("all", "last"))]
        assert ids == of_text + ([GENERATED_ID] if kind is PAIRS else [])
    assert RUNS == ["loss", "accuracy", "calibration", "entropy"]
    assert PAIRS == [
        "tv-half_l1-pairs",
        "churn-top1-pairs",
        "churn-good-pairs",
        "churn-bad-pairs",
        "churn-neutral-pairs",
        "rpd-true_label-pairs",
        "srpd-mean_labels-pairs",
        "js-nats-pairs",
        "overlap-top5-pairs",
    ]
    assert GROUPS == [
        "pd-l1-mean",
        "pd-l2-mean",
        "rpd-l1-mean",
        "rpd-true_label-mean",
        "mi-nats-mean",
        "kappa-fleiss",
    ]
    assert list(BY_ID) == [*RUNS, *PAIRS, *GROUPS]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.id)
def test_every_measure_has_name_formula_and_source(measure: Measure) -> None:
    assert measure.name
    assert measure.formula
    assert measure.source
    assert measure.range[0] < measure.range[1]


def test_all_pairs_are_in_order() -> None:
    for models in (1, 2, 5, 15):
        expected = list(itertools.combinations(range(models), 2))
        assert [tuple(pair) for pair in all_pairs(models).tolist()] == expected
    assert all_pairs(1).shape == (0, 2)


@pytest.mark.parametrize(
    ("shape", "targets", "message"),
    [
        ((4, 3), [0, 1, 2, 0], "p of shape"),
        ((2, 4, 3), [0, 1, 2], "targets of shape"),
        ((2, 0, 3), [], "one target per position"),
        ((2, 4, 3), [0, 1, 2, 3], "targets from 0 to 3 for 3 symbols"),
        ((2, 4, 3), [0, 1, 2, -1], "targets from -1 to 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    shape: tuple[int, ...], targets: list[int], message: str
) -> None:
    for measure in MEASURES:
        with pytest.raises(ActreproError, match=message):
            measure(np.full(shape, 1 / 3, np.float32), np.array(targets, int))


def test_one_model_is_no_group() -> None:
    p, targets = np.full((1, 4, 3), 1 / 3, np.float32), np.zeros(4, int)
    for measure in GROUP_MEASURES:
        with pytest.raises(ActreproError, match="at least two models"):
            measure(p, targets)
    assert BY_ID["tv-half_l1-pairs"](p, targets).tolist() == [[0.0]]


def test_whole_arrays_of_several_chunks() -> None:
    generator = np.random.default_rng(2)
    n = 2 * CHUNK + 7
    p = np.stack([probabilities(generator, n, 3) for _ in range(3)])
    targets = generator.integers(0, 3, n)
    tv = np.abs(p[0].astype(float) - p[2]).sum(axis=1).mean() / 2
    assert BY_ID["tv-half_l1-pairs"](p, targets)[2, 0] == pytest.approx(tv, abs=ROUNDING)
    assert accuracy(p[1], targets) == (p[1].argmax(axis=1) == targets).mean()


def test_edit_distances_of_generated_text() -> None:
    texts = [np.array([[1, 2, 3, 4], [1, 1, 1, 1]]), np.array([[1, 2, 4, 4], [1, 1, 1, 1]])]
    texts.append(np.array([[2, 3, 4, 1], [5, 6, 7, 8]]))
    found = edit_differences(texts, all_pairs(3))
    # One substitution; a shift is an insertion and a deletion; nothing in common.
    assert found == pytest.approx([1 / 8, (2 / 4 + 1) / 2, (3 / 4 + 1) / 2])
    assert edit_differences([texts[0], texts[0]], all_pairs(2)) == [0]


def test_every_measure_is_described() -> None:
    described = measure_descriptions()
    ids = [*run_measure_ids(), *measure_ids(), *group_measure_ids()]
    assert {id_.partition(".")[0] for id_ in ids} == described.keys()
    for id_, one in described.items():
        assert one["name"]
        assert one["formula"]
        assert one["source"]
        assert is_agreement(f"{id_}.all") == one["agreement"]
