"""Predictions: what is stored is what the model says of each character in its context."""

from pathlib import Path
from typing import Any

import made_up
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actrepro import prediction
from actrepro.checkpoints import Checkpoint, copy_weights, hash_weights
from actrepro.config import RunConfig
from actrepro.errors import ActreproError
from actrepro.evaluation import EvaluationSet, evaluation_set
from actrepro.files import read_npz, write_npz
from actrepro.measures import loss
from actrepro.models import build_from_protocol
from actrepro.prediction import predict, predict_last, predict_scored
from actrepro.predictions import (
    POSITIONS,
    RULES,
    Predictions,
    load_predictions,
    same_evaluation,
    save_predictions,
)
from actrepro.registry import model_names

CPU = torch.device("cpu")


def _model(name: str = "charlm", seed: int = 0) -> nn.Module:
    """Sharper than a new model, so that predictions differ from symbol to symbol."""
    symbols = len(made_up.corpus().symbols)
    model = build_from_protocol(name, made_up.protocol(), "relu", symbols, seed=seed).eval()
    with torch.no_grad():
        model.head.weight.mul_(20)
    return model


def _softmax(logits: Tensor) -> np.ndarray:
    return torch.softmax(logits.double(), dim=-1).numpy()


@pytest.mark.parametrize("name", model_names())
def test_each_character_is_predicted_from_its_window(name: str, evaluation: EvaluationSet) -> None:
    model = _model(name)
    found = predict_scored(model, evaluation, CPU)
    assert found.dtype == np.float32
    assert found.shape == (len(evaluation.targets), len(evaluation.symbols))
    codes = made_up.corpus().codes.astype(np.int64)
    for row in range(0, len(found), 7):
        position, before = evaluation.positions[row], evaluation.offset[row] + 1
        # The window's part up to the character is all that a causal model can have used.
        context = torch.from_numpy(codes[position - before : position])
        with torch.no_grad():
            expected = _softmax(model(context[None])[0, -1])
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["charlm", "tinylstm"])
def test_the_last_position_of_each_full_window(name: str, evaluation: EvaluationSet) -> None:
    model = _model(name)
    found = predict_last(model, evaluation, CPU)
    assert found.shape == (len(evaluation.last_targets), len(evaluation.symbols))
    for row, window in zip(found, evaluation.last_inputs, strict=True):
        with torch.no_grad():
            expected = _softmax(model(torch.from_numpy(window.astype(np.int64))[None])[0, -1])
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("predicted", [predict_scored, predict_last])
def test_each_row_is_a_distribution(predicted: Any, evaluation: EvaluationSet) -> None:
    rows = predicted(_model(), evaluation, CPU)
    assert rows.min() >= 0
    np.testing.assert_allclose(rows.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=1e-6)
    assert rows.max() > 0.3


class Certain(nn.Module):
    """So sure of the first symbol that all others have probability 0 in single precision."""

    def forward(self, codes: Tensor) -> Tensor:
        logits = torch.zeros(*codes.shape, len(made_up.corpus().symbols))
        logits[..., 0] = 500
        return logits


def test_no_loss_is_infinite_by_rounding(evaluation: EvaluationSet) -> None:
    rows = predict_scored(Certain(), evaluation, CPU)
    np.testing.assert_allclose(rows.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=1e-6)
    assert 50 < loss(rows, evaluation.targets) < 100


@pytest.mark.parametrize("size", [1, 3, 64, 1000])
def test_the_batch_size_does_not_matter(
    size: int, evaluation: EvaluationSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model()
    expected = predict_scored(model, evaluation, CPU), predict_last(model, evaluation, CPU)
    monkeypatch.setattr(prediction, "BATCH", size)
    found = predict_scored(model, evaluation, CPU), predict_last(model, evaluation, CPU)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 63, 64, 65])
def test_every_batch_has_the_same_size(rows: int) -> None:
    inputs = torch.arange(rows * 2).view(rows, 2)
    batches = prediction._padded_batches(inputs, 64)
    assert all(batch.shape == (64, 2) for batch in batches)
    assert torch.equal(torch.cat(batches)[:rows], inputs)


def test_more_text_does_not_change_the_predictions_before_it() -> None:
    # The last window ends where the text does; all others are the same.
    model, corpus = _model(), made_up.corpus()
    some, all_ = (evaluation_set(corpus, made_up.BLOCK, size) for size in (100, 200))
    short, long = (predict_scored(model, one, CPU) for one in (some, all_))
    before = some.window < some.window.max()
    np.testing.assert_allclose(short[before], long[:100][before], rtol=0, atol=1e-6)


def _request() -> RunConfig:
    return made_up.request()


def _checkpoint(best: nn.Module | None, finished: bool = True) -> Checkpoint:
    weights = None if best is None else copy_weights(best)
    return Checkpoint(copy_weights(_model()), 12, weights, 12 if best is None else 10, finished)


def test_both_rules_are_predicted_with_their_own_weights(evaluation: EvaluationSet) -> None:
    checkpoint = _checkpoint(_model(seed=1))
    made = predict(_request(), checkpoint, made_up.corpus(), evaluation, CPU)
    assert made.evaluation_sha256 == evaluation.sha256
    for rule, seed in (("final", 0), ("best", 1)):
        assert made.weights_sha256[rule] == hash_weights(copy_weights(_model(seed=seed)))
        expected = predict_scored(_model(seed=seed), evaluation, CPU)
        np.testing.assert_array_equal(made.probabilities[rule, "all"], expected)
        expected = predict_last(_model(seed=seed), evaluation, CPU)
        np.testing.assert_array_equal(made.probabilities[rule, "last"], expected)
    assert not made.best_is_final
    assert not made.diverged


def test_one_prediction_serves_both_rules_when_they_agree(evaluation: EvaluationSet) -> None:
    made = predict(_request(), _checkpoint(None), made_up.corpus(), evaluation, CPU)
    assert made.best_is_final
    for positions in POSITIONS:
        assert made.probabilities["best", positions] is made.probabilities["final", positions]


def test_a_run_that_did_not_finish_predicts_nothing(evaluation: EvaluationSet) -> None:
    for best in (None, _model(seed=1)):
        checkpoint = _checkpoint(best, finished=False)
        made = predict(_request(), checkpoint, made_up.corpus(), evaluation, CPU)
        assert made.diverged
        assert made.probabilities == {}
        assert made.best_is_final == (best is None)


def test_weights_that_give_no_numbers_count_as_diverged(evaluation: EvaluationSet) -> None:
    # The history's windows may all have had a loss where one of the test half has none.
    broken = _model()
    with torch.no_grad():
        broken.tokens.weight[evaluation.targets[0]] = torch.nan
    checkpoint = Checkpoint(copy_weights(broken), 12, None, 12, finished=True)
    assert predict(_request(), checkpoint, made_up.corpus(), evaluation, CPU).diverged


@pytest.mark.parametrize("best_is_final", [True, False])
def test_save_and_load_are_inverse(
    tmp_path: Path, evaluation: EvaluationSet, best_is_final: bool
) -> None:
    made = made_up.predictions(evaluation, 1, best_is_final)
    save_predictions(tmp_path / "a.npz", made)
    loaded = load_predictions(tmp_path / "a.npz")
    assert loaded.evaluation_sha256 == made.evaluation_sha256
    assert loaded.weights_sha256 == made.weights_sha256
    assert loaded.best_is_final == best_is_final
    assert loaded.probabilities.keys() == {(r, p) for r in RULES for p in POSITIONS}
    for key, values in made.probabilities.items():
        assert loaded.probabilities[key].dtype == np.float32
        np.testing.assert_array_equal(loaded.probabilities[key], values)
    save_predictions(tmp_path / "b.npz", loaded)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_both_rules_share_is_stored_once(tmp_path: Path, evaluation: EvaluationSet) -> None:
    save_predictions(tmp_path / "a.npz", made_up.predictions(evaluation, 1, best_is_final=True))
    arrays = read_npz(tmp_path / "a.npz").keys()
    assert arrays == {"final_all", "final_last", "evaluation_sha256", "weights_sha256"}


@pytest.mark.parametrize("best_is_final", [True, False])
def test_a_diverged_run_is_still_one_when_read(
    tmp_path: Path, evaluation: EvaluationSet, best_is_final: bool
) -> None:
    save_predictions(
        tmp_path / "a.npz", made_up.predictions(evaluation, 1, best_is_final, diverged=True)
    )
    assert load_predictions(tmp_path / "a.npz").diverged


def test_damage_and_other_files_are_named(tmp_path: Path, evaluation: EvaluationSet) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(ActreproError, match=r"a\.npz: there is no such file"):
        load_predictions(path)
    save_predictions(path, made_up.predictions(evaluation, 1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ActreproError, match=r"a\.npz: the file is damaged"):
        load_predictions(path)
    evaluation.save(path)
    with pytest.raises(ActreproError, match=r"a\.npz: not a predictions file"):
        load_predictions(path)


@pytest.mark.parametrize("missing", ["best_all", "final_last"])
def test_predictions_that_lack_a_part_are_refused_not_filled_in(
    tmp_path: Path, evaluation: EvaluationSet, missing: str
) -> None:
    save_predictions(tmp_path / "a.npz", made_up.predictions(evaluation, 1))
    arrays = read_npz(tmp_path / "a.npz")
    del arrays[missing]
    write_npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(ActreproError, match=r"a\.npz: not a predictions file"):
        load_predictions(tmp_path / "a.npz")


def test_runs_must_have_predicted_the_same_text(evaluation: EvaluationSet) -> None:
    other = evaluation_set(made_up.corpus(), made_up.BLOCK, 120)
    runs = {seed: made_up.predictions(evaluation, seed) for seed in (1, 2)}
    assert same_evaluation(runs) == evaluation.sha256
    runs[3] = made_up.predictions(other, 3)
    with pytest.raises(ActreproError, match=f"different evaluation sets .*3: {other.sha256[:12]}"):
        same_evaluation(runs)


def test_a_diverged_run_too_says_which_text_it_would_have_predicted() -> None:
    runs = {
        1: Predictions({}, "a" * 64, {"final": "x", "best": "x"}),
        2: Predictions({}, "b" * 64, {"final": "y", "best": "y"}),
    }
    with pytest.raises(ActreproError, match="different evaluation sets"):
        same_evaluation(runs)
