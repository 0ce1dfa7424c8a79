"""From predictions to `stats.json`: every number is recomputed here with numpy and scipy."""

import itertools
import json
from pathlib import Path
from typing import Any

import made_up
import numpy as np
import pytest
import scipy.stats
from made_up import Model

from actrepro.evaluation import EvaluationSet
from actrepro.files import read_json, read_npz
from actrepro.inference import holm, jackknife_pairs, label_swap_p, sign_flip_p
from actrepro.measures import PRIMARY, measure_ids
from actrepro.predictions import RULES, Predictions
from actrepro.statistics import METRICS, scale_statistics

ACTIVATIONS = ["relu", "gelu", "swiglu"]
TV = PRIMARY


def _write(model: Model, confidence: float = 0.95) -> dict[str, Any]:
    model.write(confidence)
    # No NaN and no infinity, which are not JSON.
    stats: dict[str, Any] = json.loads(model.stats.read_text(), parse_constant=pytest.fail)
    return stats


def _loss(model: Model, activation: str, seed: int, rule: str = "final") -> float:
    p = model.predictions[activation, seed].probabilities[rule, "all"].astype(float)
    return float(-np.log(p[np.arange(len(p)), model.evaluation.targets]).mean())


def _tv(model: Model, one: tuple[str, int], other: tuple[str, int], rule: str = "final") -> float:
    p, q = (model.predictions[run].probabilities[rule, "all"].astype(float) for run in (one, other))
    return float(np.abs(p - q).sum(axis=1).mean() / 2)


def _contrast(
    stats: dict[str, Any], metric: str, a: str, b: str, rule: str = "final"
) -> dict[str, Any]:
    [found] = [
        contrast
        for contrast in stats["rules"][rule]["contrasts"]
        if (contrast["metric"], contrast["a"], contrast["b"]) == (metric, a, b)
    ]
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("model"), ACTIVATIONS, [42, 43, 44, 45])


@pytest.fixture(scope="module")
def stats(model: Model) -> dict[str, Any]:
    return _write(model)


def test_a_model_says_what_was_compared(model: Model, stats: dict[str, Any]) -> None:
    assert (stats["scale"], stats["model"], stats["confidence"]) == ("tiny", "charlm", 0.95)
    assert (stats["activations"], stats["seeds"]) == (ACTIVATIONS, [42, 43, 44, 45])
    assert stats["protocol"] == made_up.protocol().model_dump(mode="json")
    assert stats["corpus_sha256"] == made_up.corpus().sha256
    assert stats["evaluation"] == read_json(model.manifest_path)
    assert [(run["activation"], run["seed"]) for run in stats["runs"]] == model.runs
    assert stats["rules"].keys() == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_metrics_of_a_cell(model: Model, stats: dict[str, Any], rule: str) -> None:
    cells = stats["rules"][rule]["cells"]
    assert list(cells) == ACTIVATIONS
    for activation, cell in cells.items():
        losses = [_loss(model, activation, seed, rule) for seed in model.seeds]
        found = cell["metrics"]["loss.all"]
        assert cell["metrics"].keys() == set(METRICS)
        assert (cell["n"], cell["excluded_seeds"]) == (4, [])
        assert list(found["by_seed"]) == ["42", "43", "44", "45"]
        assert list(found["by_seed"].values()) == pytest.approx(losses)
        assert found["value"] == pytest.approx(np.mean(losses))
        assert found["sd"] == pytest.approx(np.std(losses, ddof=1))
        assert found["standard_error"] == pytest.approx(scipy.stats.sem(losses))
        interval = scipy.stats.ttest_1samp(losses, 0).confidence_interval(0.95)
        assert found["interval"] == pytest.approx([interval.low, interval.high])


@pytest.mark.parametrize("rule", RULES)
def test_differences_of_a_cell(model: Model, stats: dict[str, Any], rule: str) -> None:
    for activation in ACTIVATIONS:
        found = stats["rules"][rule]["cells"][activation]["differences"]
        assert list(found) == measure_ids()
        pairs = list(itertools.combinations(model.seeds, 2))
        values = [_tv(model, (activation, s), (activation, t), rule) for s, t in pairs]
        assert [tuple(pair["seeds"]) for pair in found[TV]["pairs"]] == pairs
        assert [pair["value"] for pair in found[TV]["pairs"]] == pytest.approx(values, abs=1e-7)
        assert found[TV]["value"] == pytest.approx(np.mean(values), abs=1e-7)
        matrix = np.zeros((4, 4))
        matrix[np.triu_indices(4, k=1)] = values
        expected = jackknife_pairs([matrix + matrix.T], [1], 0.95)
        assert found[TV]["standard_error"] == pytest.approx(expected.standard_error, abs=1e-7)
        assert found[TV]["interval"] == pytest.approx(expected.interval, abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_contrasts_of_losses_are_paired_by_seed(
    model: Model, stats: dict[str, Any], rule: str
) -> None:
    for a, b in itertools.combinations(ACTIVATIONS, 2):
        found = _contrast(stats, "loss.all", a, b, rule)
        paired = [_loss(model, a, seed, rule) - _loss(model, b, seed, rule) for seed in model.seeds]
        test = scipy.stats.ttest_1samp(paired, 0).confidence_interval(0.95)
        assert (found["seeds"], found["n"]) == (model.seeds, 4)
        assert found["value"] == pytest.approx(np.mean(paired))
        assert found["interval"] == pytest.approx([test.low, test.high])
        assert found["p"] == sign_flip_p(paired)
        assert found["p_smallest"] == 2 / 16
        assert found["p"] >= found["p_smallest"]


@pytest.mark.parametrize("rule", RULES)
def test_contrasts_of_differences_swap_labels_within_seeds(
    model: Model, stats: dict[str, Any], rule: str
) -> None:
    for a, b in itertools.combinations(ACTIVATIONS, 2):
        runs = [(activation, seed) for activation in (a, b) for seed in model.seeds]
        matrix = np.array([[_tv(model, one, other, rule) for other in runs] for one in runs])
        found = _contrast(stats, TV, a, b, rule)
        expected = jackknife_pairs([matrix[:4, :4], matrix[4:, 4:]], [1, -1], 0.95)
        assert found["value"] == pytest.approx(expected.value, abs=1e-6)
        assert found["standard_error"] == pytest.approx(expected.standard_error, abs=1e-6)
        assert found["interval"] == pytest.approx(expected.interval, abs=1e-6)
        assert found["p"] == pytest.approx(label_swap_p(matrix))
        assert found["p_smallest"] == 2 / 16


def test_every_metric_is_a_family_of_its_own(stats: dict[str, Any]) -> None:
    for rule, metric in itertools.product(RULES, (*METRICS, *measure_ids())):
        family = [c for c in stats["rules"][rule]["contrasts"] if c["metric"] == metric]
        assert [(c["a"], c["b"]) for c in family] == list(itertools.combinations(ACTIVATIONS, 2))
        assert [c["p_holm"] for c in family] == pytest.approx(holm([c["p"] for c in family]))


def test_the_confidence_asked_for(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu"], [1, 2, 3])
    found = _write(model, 0.8)["rules"]["final"]["cells"]["relu"]["metrics"]["loss.all"]
    losses = [_loss(model, "relu", seed) for seed in model.seeds]
    interval = scipy.stats.ttest_1samp(losses, 0).confidence_interval(0.8)
    assert found["interval"] == pytest.approx([interval.low, interval.high])


@pytest.mark.parametrize("rule", RULES)
def test_kinds_of_pairs_by_brute_force(tmp_path: Path, rule: str) -> None:
    gone = ("gelu", 2)
    model = Model(tmp_path, ACTIVATIONS, [1, 2, 3], diverged=[gone])
    found = _write(model)["rules"][rule]["kinds_of_pairs"]
    assert list(found) == measure_ids()
    kinds: dict[str, list[float]] = {
        "same_activation_other_seed": [],
        "other_activation_same_seed": [],
        "other_activation_other_seed": [],
    }
    for one, other in itertools.combinations(model.runs, 2):
        if gone not in (one, other):
            activation = "same" if one[0] == other[0] else "other"
            seed = "same" if one[1] == other[1] else "other"
            kinds[f"{activation}_activation_{seed}_seed"].append(_tv(model, one, other, rule))
    # Of 36 pairs, 8 have the diverged run.
    assert sorted(map(len, kinds.values())) == [7, 7, 14]
    for kind, values in kinds.items():
        assert found[TV][kind] == pytest.approx(np.mean(values), abs=1e-7)


def test_one_activation_has_no_pairs_across(tmp_path: Path) -> None:
    stats = _write(Model(tmp_path, ["relu"], [1, 2]))
    under = stats["rules"]["final"]
    assert under["contrasts"] == []
    assert under["kinds_of_pairs"][TV]["other_activation_same_seed"] is None
    assert under["kinds_of_pairs"][TV]["same_activation_other_seed"] > 0


def test_one_seed_has_values_and_nothing_that_needs_more(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu", "gelu"], [1])
    stats = _write(model)
    cell = stats["rules"]["final"]["cells"]["relu"]
    found = cell["metrics"]["loss.all"]
    assert found["value"] == pytest.approx(_loss(model, "relu", 1))
    assert (found["n"], found["sd"], found["standard_error"], found["interval"]) == (
        1,
        None,
        None,
        None,
    )
    assert set(cell["differences"].values()) == {None}
    contrast = _contrast(stats, "loss.all", "relu", "gelu")
    assert (contrast["n"], contrast["interval"], contrast["p"]) == (1, None, 1.0)
    contrast = _contrast(stats, TV, "relu", "gelu")
    assert (contrast["value"], contrast["p"], contrast["p_holm"]) == (None, None, None)


def test_two_seeds_have_a_difference_without_an_interval(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu", "gelu"], [1, 2])
    stats = _write(model)
    found = stats["rules"]["final"]["cells"]["relu"]["differences"][TV]
    assert found["value"] == pytest.approx(_tv(model, ("relu", 1), ("relu", 2)), abs=1e-7)
    assert (found["n"], found["standard_error"], found["interval"]) == (2, None, None)
    contrast = _contrast(stats, TV, "relu", "gelu")
    assert contrast["value"] is not None
    assert contrast["interval"] is None
    assert contrast["p"] >= contrast["p_smallest"] == 0.5


def test_a_diverged_run_is_excluded_and_its_seed_is_named(tmp_path: Path) -> None:
    model = Model(tmp_path, ACTIVATIONS, [1, 2, 3, 4], diverged=[("gelu", 2)])
    stats = _write(model)
    assert [run["status"] for run in stats["runs"]].count("diverged") == 1
    for rule in RULES:
        cell = stats["rules"][rule]["cells"]["gelu"]
        assert (cell["n"], cell["excluded_seeds"]) == (3, [2])
        losses = [_loss(model, "gelu", seed, rule) for seed in (1, 3, 4)]
        assert cell["metrics"]["loss.all"]["value"] == pytest.approx(np.mean(losses))
        assert list(cell["metrics"]["loss.all"]["by_seed"]) == ["1", "3", "4"]
        pairs = [pair["seeds"] for pair in cell["differences"][TV]["pairs"]]
        assert pairs == [[1, 3], [1, 4], [3, 4]]
        # A pair needs both, and what does not need the run keeps all seeds.
        for metric in ("loss.all", TV):
            assert _contrast(stats, metric, "relu", "gelu", rule)["seeds"] == [1, 3, 4]
            assert _contrast(stats, metric, "relu", "swiglu", rule)["seeds"] == [1, 2, 3, 4]
    paired = [_loss(model, "relu", seed) - _loss(model, "gelu", seed) for seed in (1, 3, 4)]
    found = _contrast(stats, "loss.all", "relu", "gelu")
    assert found["value"] == pytest.approx(np.mean(paired))
    assert found["p_smallest"] == 2 / 8


def test_a_cell_of_diverged_runs_has_no_numbers(tmp_path: Path) -> None:
    seeds = [1, 2, 3]
    model = Model(tmp_path, ACTIVATIONS, seeds, diverged=[("gelu", seed) for seed in seeds])
    stats = _write(model)
    cell = stats["rules"]["final"]["cells"]["gelu"]
    assert (cell["n"], cell["excluded_seeds"]) == (0, seeds)
    assert set(cell["metrics"].values()) == set(cell["differences"].values()) == {None}
    assert set(cell["beats"].values()) == {None}
    for metric in ("loss.all", TV):
        contrasts = {
            pair: _contrast(stats, metric, *pair) for pair in itertools.combinations(ACTIVATIONS, 2)
        }
        for pair, found in contrasts.items():
            assert (found["p"] is None) == (found["p_holm"] is None) == ("gelu" in pair)
        # The family is what was tested.
        tested = contrasts["relu", "swiglu"]
        assert tested["p_holm"] == tested["p"]


def _always_true(evaluation: EvaluationSet, share: float) -> Predictions:
    """Gives each true symbol this probability."""
    symbols = len(evaluation.symbols)
    rows = {"all": evaluation.targets, "last": evaluation.last_targets}
    made = {}
    for positions, targets in rows.items():
        p = np.full((len(targets), symbols), (1 - share) / (symbols - 1), np.float32)
        p[np.arange(len(targets)), targets] = share
        made |= {(rule, positions): p for rule in RULES}
    hashes = {"final": f"share-{share}", "best": f"share-{share}"}
    return Predictions(made, evaluation.sha256, hashes)


def test_a_cell_beats_a_table_when_each_of_its_runs_does(
    tmp_path: Path, evaluation: EvaluationSet
) -> None:
    seeds = [1, 2]
    losses = {
        name: scores["loss"]
        for name, scores in read_json(Model(tmp_path, [], []).manifest_path)["baselines"].items()
    }
    assert losses["bigram"] < losses["unigram"] - 0.2
    better, between, worse = (
        _always_true(evaluation, float(np.exp(-loss)))
        for loss in (losses["bigram"] - 0.1, losses["bigram"] + 0.1, losses["unigram"] + 0.1)
    )
    made = {
        "relu": [better, better],
        "gelu": [better, between],
        "swiglu": [better, worse],
    }
    changed = {
        (a, seed): run for a, runs in made.items() for seed, run in zip(seeds, runs, strict=True)
    }
    model = Model(tmp_path, list(made), seeds, changed=changed)
    cells = _write(model)["rules"]["final"]["cells"]
    assert {activation: cell["beats"] for activation, cell in cells.items()} == {
        "relu": {"unigram": True, "bigram": True},
        "gelu": {"unigram": True, "bigram": False},
        "swiglu": {"unigram": False, "bigram": False},
    }


def test_both_rules_agree_where_they_chose_the_same_weights(tmp_path: Path) -> None:
    rules = _write(Model(tmp_path, ["relu", "gelu"], [1, 2, 3], best_is_final=True))["rules"]
    assert rules["final"] == rules["best"]


def test_the_rules_differ_where_they_chose_other_weights(stats: dict[str, Any]) -> None:
    rules = stats["rules"]
    for activation in ACTIVATIONS:
        values = [rules[rule]["cells"][activation]["differences"][TV]["value"] for rule in RULES]
        assert values[0] != values[1]


def test_runs_with_the_same_predictions_differ_by_exactly_nothing(
    tmp_path: Path, evaluation: EvaluationSet
) -> None:
    one = made_up.predictions(evaluation, 1)
    runs = {("relu", seed): one for seed in (1, 2, 3)}
    stats = _write(Model(tmp_path, ["relu"], [1, 2, 3], changed=runs))
    for found in stats["rules"]["final"]["cells"]["relu"]["differences"].values():
        assert (found["value"], found["standard_error"], found["interval"]) == (0, 0, [0, 0])


def test_a_run_of_infinite_loss_is_left_out_as_diverged(tmp_path: Path) -> None:
    model = Model(tmp_path, ["relu"], [1, 2, 3])
    sure = model.predictions["relu", 2].probabilities["final", "all"]
    sure[:] = 0
    sure[:, 0] = 1
    cell = _write(model)["rules"]["final"]["cells"]["relu"]
    assert cell["excluded_seeds"] == [2]
    assert list(cell["metrics"]["loss.all"]["by_seed"]) == ["1", "3"]
    assert cell["differences"][TV]["n"] == 2


def test_a_scales_statistics_name_what_its_models_share_once(tmp_path: Path) -> None:
    models = [Model(tmp_path, ["relu", "gelu"], [1, 2], name=name) for name in ("charlm", "convlm")]
    each = [_write(model) for model in models]
    output = tmp_path / "stats.json"
    merged = scale_statistics("tiny", "my-study", [model.stats for model in models], output)
    assert read_json(output) == merged
    assert (merged["study"], merged["scale"], merged["seeds"]) == ("my-study", "tiny", [1, 2])
    assert list(merged["models"]) == ["charlm", "convlm"]
    for one in each:
        under = merged["models"][one["model"]]
        assert under["rules"] == one["rules"]
        assert {**merged, **under}.items() >= one.items()


def test_the_matrix_is_read_in_the_order_of_the_runs(tmp_path: Path) -> None:
    # Seeds out of order, activations not in the order of the alphabet.
    model = Model(tmp_path, ["swish", "gelu"], [9, 2, 5])
    found = _write(model)["rules"]["final"]["cells"]["gelu"]["differences"][TV]["pairs"]
    assert found[1]["seeds"] == [9, 5]
    assert found[1]["value"] == pytest.approx(_tv(model, ("gelu", 9), ("gelu", 5)), abs=1e-7)
    assert found[1]["value"] == read_npz(model.matrices)[f"final.{TV}"][3, 5]
