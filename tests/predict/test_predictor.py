"""Stored predictions equal the model's output for each character in its context."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
import torch
from torch import Tensor, nn

from actrepro.config.names import model_names
from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_npz, write_npz
from actrepro.core.vocabulary import DIVERGED, FAILED, LOST
from actrepro.data.evaluation_set import EvaluationSet, evaluation_set
from actrepro.measures import loss
from actrepro.models import build_from_protocol
from actrepro.predict import predictor
from actrepro.predict.predictor import (
    CellFiles,
    predict,
    predict_cell,
    predict_last,
    predict_scored,
    write_on,
)
from actrepro.predict.store import (
    OWN_RULES,
    POSITIONS,
    of_lost,
    open_predictions,
    save_predictions,
    stream,
)
from actrepro.predict.validity import targets_of
from actrepro.train.checkpoints import (
    Checkpoint,
    Weights,
    copy_weights,
    hash_weights,
    save_checkpoint,
)

HEADS = {"lost", "evaluation_sha256", "rules", "weights_sha256"}
CPU = torch.device("cpu")


def _model(name: str = "charlm", seed: int = 0) -> nn.Module:
    """Make a model sharper than a new one, so predictions differ between symbols."""
    symbols = len(synthetic.corpus().symbols)
    model = build_from_protocol(name, synthetic.protocol(), "relu", symbols, seed=seed).eval()
    with torch.no_grad():
        model.head.weight.mul_(20)
    return model


def _softmax(logits: Tensor) -> np.ndarray:
    return torch.softmax(logits.double(), dim=-1).numpy()


@pytest.mark.parametrize("name", model_names())
def test_each_character_is_predicted_from_its_window(name: str, evaluation: EvaluationSet) -> None:
    model = _model(name)
    scored = predict_scored(model, evaluation, CPU)
    assert scored.dtype == np.float32
    assert scored.shape == (len(evaluation.targets), len(evaluation.symbols))
    codes = synthetic.corpus().codes.astype(np.int64)
    for row in range(0, len(scored), 7):
        position, before = evaluation.positions[row], evaluation.offset[row] + 1
        # The window's part up to the character is all that a causal model can have used.
        context = torch.from_numpy(codes[position - before : position])
        with torch.no_grad():
            expected = _softmax(model(context[None])[0, -1])
        np.testing.assert_allclose(scored[row], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["charlm", "tinylstm"])
def test_the_last_position_of_each_full_window(name: str, evaluation: EvaluationSet) -> None:
    model = _model(name)
    last = predict_last(model, evaluation, CPU)
    assert last.shape == (len(evaluation.last_targets), len(evaluation.symbols))
    for row, window in zip(last, evaluation.last_inputs, strict=True):
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
    """A model so sure of the first symbol that float32 gives all others probability 0."""

    def forward(self, codes: Tensor) -> Tensor:
        logits = torch.zeros(*codes.shape, len(synthetic.corpus().symbols))
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
    monkeypatch.setattr(predictor, "BATCH", size)
    results = predict_scored(model, evaluation, CPU), predict_last(model, evaluation, CPU)
    for result, reference in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, reference, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 63, 64, 65])
def test_every_batch_has_the_same_size(rows: int) -> None:
    inputs = torch.arange(rows * 2).view(rows, 2)
    batches = predictor._padded_batches(inputs, 64)
    assert all(batch.shape == (64, 2) for batch in batches)
    assert torch.equal(torch.cat(batches)[:rows], inputs)


def test_more_text_does_not_change_the_predictions_before_it() -> None:
    # The last window ends where the text does; all others are the same.
    model, corpus = _model(), synthetic.corpus()
    some, all_ = (evaluation_set(corpus, synthetic.BLOCK, size) for size in (100, 200))
    short, long = (predict_scored(model, one, CPU) for one in (some, all_))
    before = some.window < some.window.max()
    np.testing.assert_allclose(short[before], long[:100][before], rtol=0, atol=1e-6)


def _request() -> RunConfig:
    return synthetic.request()


def _weights(final: nn.Module, best: nn.Module) -> dict[str, Weights]:
    return {"final": copy_weights(final), "best": copy_weights(best)}


def _symbols() -> int:
    return len(synthetic.corpus().symbols)


def test_both_rules_are_predicted_with_their_own_weights(evaluation: EvaluationSet) -> None:
    weights = _weights(_model(), _model(seed=1))
    predictions = predict(_request(), weights, _symbols(), evaluation, CPU)
    assert predictions.evaluation_sha256 == evaluation.sha256
    for rule, seed in (("final", 0), ("best", 1)):
        assert predictions.weights_sha256[rule] == hash_weights(copy_weights(_model(seed=seed)))
        expected = predict_scored(_model(seed=seed), evaluation, CPU)
        np.testing.assert_array_equal(predictions.probabilities[rule, "all"], expected)
        expected = predict_last(_model(seed=seed), evaluation, CPU)
        np.testing.assert_array_equal(predictions.probabilities[rule, "last"], expected)
        written = write_on(_model(seed=seed), evaluation, CPU)
        np.testing.assert_array_equal(predictions.generated[rule], written)


def test_one_prediction_serves_both_rules_when_they_agree(evaluation: EvaluationSet) -> None:
    predictions = predict(_request(), _weights(_model(), _model()), _symbols(), evaluation, CPU)
    for positions in POSITIONS:
        assert (
            predictions.probabilities["best", positions]
            is predictions.probabilities["final", positions]
        )
    assert predictions.generated["best"] is predictions.generated["final"]


@pytest.mark.parametrize("lost", LOST)
def test_a_run_that_did_not_finish_predicts_nothing(
    tmp_path: Path, evaluation: EvaluationSet, lost: str
) -> None:
    evaluation.save(tmp_path / "evaluation.npz")
    synthetic.corpus().save(tmp_path / "corpus.npz")
    weights = copy_weights(_model())
    save_checkpoint(tmp_path / "checkpoint", Checkpoint(weights, 3, None, 3, lost))
    request = _request()
    files = CellFiles(
        corpus=tmp_path / "corpus.npz",
        evaluation=tmp_path / "evaluation.npz",
        checkpoints={request.seed: tmp_path / "checkpoint"},
        predictions={request.seed: tmp_path / "a.npz"},
    )
    predict_cell([request], files, threads=1)
    stored = open_predictions(tmp_path / "a.npz")
    assert stored.lost == lost
    assert stored.evaluation_sha256 == evaluation.sha256
    assert read_npz(tmp_path / "a.npz").keys() == HEADS


def test_weights_that_give_no_numbers_count_as_diverged(evaluation: EvaluationSet) -> None:
    # The history's windows may all have had a loss where one of the test half has none.
    broken = _model()
    with torch.no_grad():
        broken.tokens.weight[evaluation.targets[0]] = torch.nan
    predictions = predict(_request(), _weights(broken, _model()), _symbols(), evaluation, CPU)
    assert (predictions.probabilities, predictions.generated, predictions.lost) == (
        {},
        {},
        DIVERGED,
    )
    assert predictions.weights_sha256.keys() == set(OWN_RULES)


@pytest.mark.parametrize("name", ["charlm", "hybridlm"])
def test_text_is_always_the_most_probable_next_character(
    name: str, evaluation: EvaluationSet
) -> None:
    model = _model(name)
    written = write_on(model, evaluation, CPU)
    assert written.shape == (32, evaluation.context // 2)
    assert written.dtype == evaluation.last_inputs.dtype
    windows = evaluation.last_inputs
    chosen = np.linspace(0, len(windows) - 1, 32).astype(int)
    for place in (0, 7, 31):
        text = windows[chosen[place], : evaluation.context // 2].astype(np.int64).tolist()
        for code in written[place]:
            with torch.no_grad():
                logits = model(torch.tensor([text]))[0, -1]
            # A near tie may fall the other way in a batch of another size.
            assert logits[int(code)] > logits.max() - 1e-5
            text.append(int(code))


@pytest.mark.parametrize("best_is_final", [True, False])
def test_save_and_open_are_inverse(
    tmp_path: Path, evaluation: EvaluationSet, best_is_final: bool
) -> None:
    predictions = synthetic.predictions(evaluation, 1, best_is_final)
    save_predictions(tmp_path / "a.npz", predictions)
    stored = open_predictions(tmp_path / "a.npz")
    assert stored.evaluation_sha256 == predictions.evaluation_sha256
    assert stored.weights_sha256 == predictions.weights_sha256
    assert stored.lost is None
    for (rule, positions), values in predictions.probabilities.items():
        assert stored.read(rule, positions).dtype == np.float32
        np.testing.assert_array_equal(stored.read(rule, positions), values)
        pieces = list(stored.rows(rule, positions, 7))
        np.testing.assert_array_equal(np.concatenate(pieces), values)
        np.testing.assert_array_equal(stored.generated(rule), predictions.generated[rule])
    save_predictions(tmp_path / "b.npz", predictions)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_both_rules_share_is_stored_once(tmp_path: Path, evaluation: EvaluationSet) -> None:
    save_predictions(tmp_path / "a.npz", synthetic.predictions(evaluation, 1, best_is_final=True))
    of_final = {"final_all", "final_last", "final_generated"}
    assert read_npz(tmp_path / "a.npz").keys() == of_final | HEADS


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("weights", [{}, {"final": "one", "best": "other"}])
def test_a_lost_run_is_still_one_when_read(
    tmp_path: Path, evaluation: EvaluationSet, lost: str, weights: dict[str, str]
) -> None:
    save_predictions(tmp_path / "a.npz", of_lost(lost, evaluation.sha256, weights))
    stored = open_predictions(tmp_path / "a.npz")
    assert stored.lost == lost
    assert stored.evaluation_sha256 == evaluation.sha256
    assert stored.weights_sha256 == weights


def test_runs_side_by_side(tmp_path: Path, evaluation: EvaluationSet) -> None:
    made = [synthetic.predictions(evaluation, seed) for seed in (1, 2, 3)]
    stored = []
    for place, one in enumerate(made):
        save_predictions(tmp_path / f"{place}.npz", one)
        stored.append(open_predictions(tmp_path / f"{place}.npz"))
    for rule, positions in itertools.product(OWN_RULES, POSITIONS):
        pieces = list(stream(stored, rule, positions, 30))
        expected = np.stack([one.probabilities[rule, positions] for one in made])
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), expected)
        assert pieces[0].shape[1] == 30
        assert sum(piece.shape[1] for piece in pieces) == len(targets_of(evaluation)[positions])


def test_runs_of_other_lengths_are_not_put_side_by_side(
    tmp_path: Path, evaluation: EvaluationSet
) -> None:
    foreign = evaluation_set(synthetic.corpus(), synthetic.BLOCK, 120)
    for name, text in (("a", evaluation), ("b", foreign)):
        save_predictions(tmp_path / f"{name}.npz", synthetic.predictions(text, 1))
    for names in ("ab", "ba"):
        runs = [open_predictions(tmp_path / f"{name}.npz") for name in names]
        with pytest.raises(ActreproError, match=r"different shapes .*a\.npz.*delete them"):
            list(stream(runs, "final", "all", 50))


def test_damage_and_other_files_are_named(tmp_path: Path, evaluation: EvaluationSet) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(ActreproError, match=r"a\.npz: there is no such file"):
        open_predictions(path)
    save_predictions(path, synthetic.predictions(evaluation, 1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ActreproError, match=r"a\.npz: the file is damaged"):
        open_predictions(path)
    evaluation.save(path)
    with pytest.raises(ActreproError, match=r"a\.npz: not a predictions file"):
        open_predictions(path)


@pytest.mark.parametrize("missing", ["best_all", "final_last", "final_generated"])
def test_predictions_that_lack_a_part_are_refused_not_filled_in(
    tmp_path: Path, evaluation: EvaluationSet, missing: str
) -> None:
    save_predictions(tmp_path / "a.npz", synthetic.predictions(evaluation, 1))
    arrays = read_npz(tmp_path / "a.npz")
    del arrays[missing]
    write_npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(ActreproError, match=r"a\.npz: not a predictions file"):
        open_predictions(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("lost", "stored", "complaint"),
    [
        ("", False, "holds no predictions of a run that finished, expected best_all, "),
        (
            FAILED,
            True,
            r"holds best_all, .* of a run that failed, expected .* none of one that was",
        ),
        ("gone", False, "not a predictions file; delete it"),
    ],
)
def test_predictions_of_a_lost_run_and_none_of_a_finished_one_are_refused(
    tmp_path: Path, evaluation: EvaluationSet, lost: str, stored: bool, complaint: str
) -> None:
    save_predictions(tmp_path / "a.npz", synthetic.predictions(evaluation, 1))
    arrays = read_npz(tmp_path / "a.npz")
    kept = {name: one for name, one in arrays.items() if stored or name in HEADS}
    write_npz(tmp_path / "a.npz", **{**kept, "lost": np.array(lost)})
    with pytest.raises(ActreproError, match=complaint):
        open_predictions(tmp_path / "a.npz")
