"""Gates after training: healthy runs pass, and each fault fails its gate."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from synthetic import Model

from actrepro.core.files import read_json
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import EvaluationSet, evaluation_set
from actrepro.gates.after import (
    churn_bounds,
    distinct,
    learned,
    loss_accuracy_certificate,
    shared_hashes,
    split,
)
from actrepro.gates.outcome import AFTER, failed
from actrepro.measures import PAIR_MEASURES, accuracy, loss
from actrepro.predict.store import RULES, Predictions

ACTIVATIONS = ["relu", "gelu", "swiglu"]
SEEDS = [1, 2, 3]
CHURN = next(one for one in PAIR_MEASURES if one.id == "churn-top1-pairs")


def _failed(model: Model, rule: str = "final") -> dict[str, list[str]]:
    """Return, by activation, the gates after training that failed under a rule."""
    model.write()
    stored = read_json(model.path("gates-after.json"))["rules"][rule]
    assert all(list(outcomes) == list(AFTER) for outcomes in stored.values())
    return {activation: failed(outcomes) for activation, outcomes in stored.items()}


def _measured(model: Model, activation: str, gate: str, rule: str = "final") -> Any:
    return read_json(model.path("gates-after.json"))["rules"][rule][activation][gate]["measured"]


def _altered(predictions: Predictions, change: Any) -> Predictions:
    """Change the predictions under the final rule, on all positions."""
    rows = predictions.probabilities["final", "all"].copy()
    change(rows)
    return replace(predictions, probabilities={**predictions.probabilities, ("final", "all"): rows})


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("healthy"), ACTIVATIONS, SEEDS)


@pytest.mark.parametrize("rule", RULES)
def test_healthy_runs_pass_every_gate(healthy: Model, rule: str) -> None:
    assert _failed(healthy, rule) == {activation: [] for activation in ACTIVATIONS}


def test_what_was_measured_is_told(healthy: Model) -> None:
    healthy.write()
    tables = read_json(healthy.manifest_path)["baselines"]
    for activation in ACTIVATIONS:
        losses = [
            loss(healthy.predictions[activation, seed].probabilities["final", "all"], targets)
            for seed in SEEDS
            for targets in [healthy.evaluation.targets]
        ]
        measured = _measured(healthy, activation, "learned")
        assert measured["highest_loss"] == pytest.approx(max(losses))
        assert max(losses) < tables["bigram"]["loss"]
        # Three own runs, each with eight others, on two sets of positions.
        assert _measured(healthy, activation, "churn_bounds")["pairs"] == 3 * 8 * 2
        assert _measured(healthy, activation, "distinct")["compared_with"] == 9
        scored = _measured(healthy, activation, "split")
        assert (scored["first_scored"], scored["scored"]) == (
            synthetic.corpus().selection_end,
            len(healthy.evaluation.targets),
        )


def test_a_run_whose_predictions_were_copied_from_another(tmp_path: Path) -> None:
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    copied = model.predictions["relu", 1]
    original = model.predictions["gelu", 3]
    # Its own weights are on record: only the predictions are another run's.
    changed = {("gelu", 3): replace(copied, weights_sha256=original.weights_sha256)}
    gates = _failed(Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed))
    assert gates == {"relu": ["distinct"], "gelu": ["distinct"], "swiglu": []}
    shared = _measured(model, "gelu", "distinct")["shared"]
    assert shared == [{"run": "gelu seed3", "what": "predictions", "with": ["relu seed1"]}]


def test_a_predictions_file_copied_whole_is_not_of_the_runs_weights(tmp_path: Path) -> None:
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    changed = {("gelu", 3): model.predictions["relu", 1]}
    records = {("gelu", 3): {"weights_sha256": model.predictions["gelu", 3].weights_sha256}}
    gates = _failed(Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed, records=records))
    assert gates["gelu"] == ["recorded", "distinct"]
    assert [difference["what"] for difference in _measured(model, "gelu", "recorded")["wrong"]] == [
        "weights_sha256"
    ]


def test_predictions_copied_from_a_run_that_is_gone(tmp_path: Path, evaluation: Any) -> None:
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    changed = {("relu", 2): synthetic.predictions(evaluation, 999)}
    records = {("relu", 2): {"weights_sha256": model.predictions["relu", 2].weights_sha256}}
    failures = _failed(Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed, records=records))
    assert failures == {"relu": ["recorded"], "gelu": [], "swiglu": []}


@pytest.mark.parametrize("same_record", [True, False])
def test_two_runs_that_share_a_seed(tmp_path: Path, same_record: bool) -> None:
    """Train seed 3 as seed 2; its record may show it or not."""
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    changed = {("relu", 3): model.predictions["relu", 2]}
    trained_as = synthetic.request(activation="relu", seed=2).model_dump(mode="json")
    records: Mapping[Any, Any] = {("relu", 3): {"config": trained_as}} if same_record else {}
    failures = _failed(Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed, records=records))
    gates = ["recorded", "distinct"] if same_record else ["distinct"]
    assert failures == {"relu": gates, "gelu": [], "swiglu": []}


def test_activations_that_are_not_wired_give_the_same_runs(tmp_path: Path) -> None:
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    changed = {
        (activation, seed): model.predictions["relu", seed]
        for activation in ACTIVATIONS
        for seed in SEEDS
    }
    gates = _failed(Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed))
    assert gates == {activation: ["distinct"] for activation in ACTIVATIONS}
    shared = _measured(model, "relu", "distinct")["shared"]
    assert {
        "run": "relu seed1",
        "what": "weights",
        "with": ["gelu seed1", "swiglu seed1"],
    } in shared


def test_an_evaluation_set_that_differs_between_seeds(tmp_path: Path) -> None:
    foreign = evaluation_set(synthetic.corpus(), synthetic.BLOCK, 120)
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    original = model.predictions["gelu", 2]
    changed = {
        ("gelu", 2): replace(
            synthetic.predictions(foreign, 5), weights_sha256=original.weights_sha256
        )
    }
    model = Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed)
    assert _failed(model) == {"relu": [], "gelu": ["shared_evaluation"], "swiglu": []}
    assert _measured(model, "gelu", "shared_evaluation")["others"] == {"seed2": foreign.sha256}
    # It stops nothing: the others are compared, without that run.
    cell = read_json(model.stats)["rules"]["final"]["cells"]["gelu"]
    assert cell["excluded"] == [{"seed": 2, "why": "predicted another evaluation set"}]
    assert cell["differences"]["tv-half_l1-pairs.all"]["n"] == 2


def _nan(rows: np.ndarray) -> None:
    rows[7, 1] = np.nan


def _unnormalised(rows: np.ndarray) -> None:
    rows *= np.float32(1.01)


@pytest.mark.parametrize("fault", [_nan, _unnormalised])
def test_predictions_that_are_no_probabilities(tmp_path: Path, fault: Any) -> None:
    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    changed = {("swiglu", 1): _altered(model.predictions["swiglu", 1], fault)}
    model = Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed)
    assert _failed(model) == {"relu": [], "gelu": [], "swiglu": ["probabilities"]}
    assert _measured(model, "swiglu", "probabilities")["wrong_seeds"] == [1]
    assert _measured(model, "swiglu", "probabilities", "best")["wrong_seeds"] == []


def test_a_run_that_predicts_letter_frequencies_has_not_learned(tmp_path: Path) -> None:
    codes = synthetic.corpus().train
    shares = np.bincount(codes, minlength=len(synthetic.corpus().symbols)) / len(codes)

    def constant(rows: np.ndarray) -> None:
        rows[:] = shares

    model = Model(tmp_path, ACTIVATIONS, SEEDS)
    changed = {("relu", 1): _altered(model.predictions["relu", 1], constant)}
    model = Model(tmp_path, ACTIVATIONS, SEEDS, changed=changed)
    assert _failed(model) == {"relu": ["learned"], "gelu": [], "swiglu": []}
    assert _failed(model, "best")["relu"] == []


def test_beating_the_unigram_table_only_is_not_learned() -> None:
    tables = {"unigram": {"loss": 3.0}, "bigram": {"loss": 2.5}}
    for losses, beats in (({1: 2.4, 2: 2.6}, ["unigram"]), ({1: 2.4, 2: 3.1}, []), ({}, [])):
        outcome = learned(losses, tables)
        assert not outcome.passed
        assert outcome.measured["beats"] == beats
    assert learned({1: 2.4, 2: 2.3}, tables).passed


def _with(evaluation: EvaluationSet, **changes: Any) -> EvaluationSet:
    return replace(evaluation, **changes)


def test_scored_characters_of_the_selection_half(evaluation: EvaluationSet) -> None:
    corpus = synthetic.corpus()
    assert split(evaluation, corpus).passed
    positions = evaluation.positions - 1
    shifted = _with(evaluation, positions=positions, targets=corpus.codes[positions])
    outcome = split(shifted, corpus)
    assert not outcome.passed
    assert outcome.measured["outside_the_test_half"] == 1


def test_scored_characters_that_repeat_or_are_not_the_texts(evaluation: EvaluationSet) -> None:
    corpus = synthetic.corpus()
    twice = evaluation.positions.copy()
    twice[1] = twice[0]
    repeated = _with(evaluation, positions=twice, targets=corpus.codes[twice])
    assert split(repeated, corpus).measured["scored_twice"] == 1
    assert not split(repeated, corpus).passed
    foreign = Corpus.of_text(synthetic.text(seed=1))
    assert not split(evaluation, foreign).passed
    beyond = _with(evaluation, positions=evaluation.positions + len(corpus.codes))
    assert not split(beyond, corpus).passed


def test_the_earlier_studys_convolution_breaks_the_certificate() -> None:
    # Its loss was a mean over positions that saw their answer, its accuracy the last position's.
    outcome = loss_accuracy_certificate([("ConvLM", 0.0077, 0.4197), ("honest", 1.48, 0.56)])
    assert not outcome.passed
    assert outcome.measured["broken"].keys() == {"ConvLM"}
    assert outcome.measured["smallest_room"] == pytest.approx(0.4197 - (1 - 0.0077 / math.log(2)))


def test_the_earlier_studys_unpaired_churn_breaks_its_bounds() -> None:
    assert not churn_bounds([("a", 0.05, 0.6, 0.5)]).passed
    assert not churn_bounds([("a", 0.936, 0.6, 0.6)]).passed
    assert churn_bounds([("a", 0.1, 0.6, 0.5), ("b", 0.8, 0.6, 0.6)]).passed
    assert churn_bounds([]).passed


def test_numbers_that_are_none_pass_no_bound() -> None:
    assert not loss_accuracy_certificate([("a", math.nan, 0.5)]).passed
    assert not churn_bounds([("a", math.nan, 0.5, 0.5)]).passed


@given(st_numpy.arrays(np.float64, (2, 20, 4), elements=st.floats(1e-6, 1)))
def test_no_two_models_break_certificate_or_bounds(weights: np.ndarray) -> None:
    p = synthetic.normalised(weights.reshape(-1, 4)).reshape(weights.shape)
    targets = np.arange(20) % 4
    scores = [(str(i), loss(one, targets), accuracy(one, targets)) for i, one in enumerate(p)]
    assert loss_accuracy_certificate(scores).passed
    pair = ("pair", CHURN(p, targets)[0, 1], scores[0][2], scores[1][2])
    assert churn_bounds([pair]).passed


def test_hashes_that_are_unknown_are_not_shared() -> None:
    unknown = {"weights_sha256": None, "predictions_sha256": None}
    shared = shared_hashes({("relu", 1): unknown, ("relu", 2): unknown})
    assert distinct([("relu", 1), ("relu", 2)], shared).passed


def test_a_lost_run_fails_no_gate_but_has_no_number(tmp_path: Path) -> None:
    model = Model(tmp_path, ACTIVATIONS, SEEDS, diverged=[("relu", 1)], out_of_memory=[("gelu", 1)])
    assert _failed(model) == {activation: [] for activation in ACTIVATIONS}


def test_a_cell_of_lost_runs_has_not_learned(tmp_path: Path) -> None:
    diverged, failed = ([(name, seed) for seed in SEEDS] for name in ("relu", "gelu"))
    model = Model(tmp_path, ACTIVATIONS, SEEDS, diverged=diverged, out_of_memory=failed)
    assert _failed(model) == {"relu": ["learned"], "gelu": ["learned"], "swiglu": []}
