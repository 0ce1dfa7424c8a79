"""Training: the same request gives the same bytes, and diverged runs stay diverged."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows

from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, read_npz
from actrepro.core.runs import Run
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.data.evaluation_set import make_evaluation
from actrepro.gates.after import GateFiles, check_runs
from actrepro.gates.before import check_model
from actrepro.measures import PRIMARY
from actrepro.measures.differences import DifferencesFiles, cell_differences, model_differences
from actrepro.models import build_from_protocol
from actrepro.predict import predictor
from actrepro.predict.matching import match
from actrepro.predict.predictor import (
    CellFiles,
    MatchedFiles,
    predict,
    predict_cell,
    predict_matched,
)
from actrepro.predict.store import RULES, Predictions, open_predictions
from actrepro.results.schema import read_model_stats
from actrepro.statistics.per_model import StatisticsFiles, model_statistics
from actrepro.train import loop, runs
from actrepro.train.checkpoints import (
    Weights,
    hash_weights,
    load_checkpoint,
    load_snapshot,
    own_steps,
)
from actrepro.train.history import history_csv, improvements, read_history
from actrepro.train.loop import TrainedRun, fixed_windows, mean_loss, train
from actrepro.train.runs import RunOutputs, train_run
from actrepro.train.stepping import Stepper

CPU = torch.device("cpu")
OUT_OF_MEMORY = "out of memory at step 0"
FILES = ("checkpoint.safetensors", "snapshots.safetensors", "history.csv", "run.json")


def _train(request: RunConfig) -> TrainedRun:
    return train(request, synthetic.corpus(), CPU)


def _train_into(folder: Path, request: RunConfig) -> Path:
    synthetic.corpus().save(folder / "corpus.npz")
    outputs = RunOutputs(*(folder / name for name in FILES))
    train_run(request, folder / "corpus.npz", outputs, folder / "state", 3600, threads=1)
    assert not (folder / "state").exists()
    return folder


def _bytes(folder: Path) -> tuple[bytes, ...]:
    return tuple((folder / name).read_bytes() for name in FILES[:3])


def _final(run: TrainedRun) -> str:
    return hash_weights(run.checkpoint.final)


@pytest.mark.parametrize(
    ("model", "dropout"),
    [("charlm", 0.0), ("charlm", 0.2), ("convlm", 0.2), ("hybridlm", 0.2), ("tinylstm", 0.2)],
)
def test_the_same_request_gives_the_same_bytes(tmp_path: Path, model: str, dropout: float) -> None:
    request = synthetic.request(model, dropout=dropout)
    torch.manual_seed(1)
    first = _bytes(_train_into(tmp_path / "a", request))
    # What was drawn before must not matter.
    torch.manual_seed(2)
    np.random.seed(3)
    assert _bytes(_train_into(tmp_path / "b", request)) == first


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    first = _bytes(_train_into(tmp_path / "a", synthetic.request(seed=1)))
    second = _bytes(_train_into(tmp_path / "b", synthetic.request(seed=2)))
    assert first[0] != second[0]
    assert first[1] != second[1]


@pytest.mark.parametrize(
    "changes", [{"activation": "gelu"}, {"dropout": 0.2}, {"learning_rate": 1e-3}, {"batch": 5}]
)
def test_what_is_asked_for_reaches_the_weights(changes: dict[str, Any]) -> None:
    assert _final(_train(synthetic.request(**changes))) != _final(_train(synthetic.request()))


@pytest.mark.parametrize("model", ["charlm", "hybridlm"])
def test_how_often_a_run_is_evaluated_does_not_change_it(model: str) -> None:
    often = _train(synthetic.request(model, dropout=0.2, evaluate_every=2))
    seldom = _train(synthetic.request(model, dropout=0.2, evaluate_every=5, history_windows=3))
    assert _final(often) == _final(seldom)
    at = {row.step: row.selection_loss for row in often.history}
    assert at.keys() == {0, 2, 4, 6, 8, 10, 12}


@pytest.mark.parametrize(
    ("every", "steps"), [(5, [0, 5, 10, 12]), (4, [0, 4, 8, 12]), (100, [0, 12])]
)
def test_the_history_has_the_first_and_last_step_and_every_interval(
    every: int, steps: list[int]
) -> None:
    assert [row.step for row in _train(synthetic.request(evaluate_every=every)).history] == steps


def _seen(monkeypatch: pytest.MonkeyPatch, request: RunConfig) -> list[torch.Tensor]:
    """Return every batch that a run is trained on."""
    seen: list[torch.Tensor] = []
    train_on = Stepper._train_on

    def noting(self: Stepper, starts: torch.Tensor) -> None:
        seen.append(self.text[starts[:, None] + self.offsets])
        train_on(self, starts)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "_train_on", noting)
        _train(request)
    return seen


def test_a_seed_shows_every_activation_and_model_the_same_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = _seen(monkeypatch, synthetic.request())
    assert len(first) == 12
    assert first[0].shape == (4, synthetic.BLOCK + 1)
    for request in (
        synthetic.request(activation="swiglu"),
        synthetic.request("tinylstm"),
        synthetic.request(dropout=0.5, layers=1),
    ):
        same = zip(first, _seen(monkeypatch, request), strict=True)
        assert all(torch.equal(one, other) for one, other in same)
    others = zip(first, _seen(monkeypatch, synthetic.request(seed=2)), strict=True)
    assert not any(torch.equal(one, other) for one, other in others)


def test_training_sees_the_training_text_only(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = synthetic.corpus()
    text = corpus.decode(corpus.train)
    for batch in _seen(monkeypatch, synthetic.request()):
        assert all(corpus.decode(row.numpy()) in text for row in batch)


def test_dropout_does_not_change_where_a_run_starts() -> None:
    plain, dropped = (_train(synthetic.request(dropout=dropout)) for dropout in (0.0, 0.2))
    assert plain.history[0] == dropped.history[0]
    assert plain.history[1] != dropped.history[1]


def test_training_lowers_the_loss() -> None:
    run = _train(synthetic.request(iterations=60, evaluate_every=20))
    first, last = run.history[0], run.history[-1]
    symbols = len(synthetic.corpus().symbols)
    assert first.train_loss == pytest.approx(np.log(symbols), abs=0.1)
    assert last.train_loss < first.train_loss - 0.5
    assert last.selection_loss < first.selection_loss - 0.5
    assert (run.status, run.why) == (FINISHED, None)
    assert run.checkpoint.status == FINISHED


def _selection_loss(request: RunConfig, weights: dict[str, torch.Tensor]) -> float:
    """Compute the mean loss on the selection windows, window by window."""
    corpus, protocol = synthetic.corpus(), request.protocol
    names = (request.model, protocol, request.activation, len(corpus.symbols))
    model = build_from_protocol(*names).eval()
    model.load_state_dict(weights)
    losses = []
    with torch.no_grad():
        for window in fixed_windows(corpus.selection, protocol):
            losses.append(F.cross_entropy(model(window[None, :-1])[0], window[1:]).item())
    return float(np.mean(losses))


def test_best_is_the_step_with_the_lowest_selection_loss() -> None:
    # So fast that the loss goes up again.
    request = synthetic.request(learning_rate=0.1, iterations=15, evaluate_every=3)
    run = _train(request)
    lowest = min(run.history, key=lambda row: row.selection_loss)
    assert 0 < lowest.step < 15
    assert run.checkpoint.best_step == lowest.step
    assert run.checkpoint.final_step == 15
    for rule, row in (("best", lowest), ("final", run.history[-1])):
        loss = _selection_loss(request, run.checkpoint.weights(rule))
        assert loss == pytest.approx(row.selection_loss, rel=1e-5)


def test_best_is_final_when_the_loss_falls_to_the_end() -> None:
    checkpoint = _train(synthetic.request()).checkpoint
    assert checkpoint.best is None
    assert checkpoint.best_step == checkpoint.final_step == 12
    assert checkpoint.weights("best") is checkpoint.final


def test_the_losses_of_the_history_are_means_over_all_characters() -> None:
    corpus, protocol = synthetic.corpus(), synthetic.protocol(history_windows=100, batch=2)
    model = build_from_protocol("charlm", protocol, "relu", len(corpus.symbols), seed=0)
    windows = fixed_windows(corpus.train, protocol)
    assert len(windows) == 100
    losses = []
    with torch.no_grad():
        for window in windows:
            rows = torch.log_softmax(model.eval()(window[None, :-1])[0], dim=-1)
            losses.append(-rows[torch.arange(synthetic.BLOCK), window[1:]].mean().item())
    mean = mean_loss(model.train(), windows, protocol.batch)
    assert mean == pytest.approx(np.mean(losses), rel=1e-5)
    assert model.training


def test_evaluating_draws_no_random_numbers() -> None:
    corpus, protocol = synthetic.corpus(), synthetic.protocol(dropout=0.5)
    model = build_from_protocol("minigpt", protocol, "relu", len(corpus.symbols), seed=0)
    windows = fixed_windows(corpus.selection, protocol)
    before = torch.get_rng_state()
    losses = [mean_loss(model, windows, 4) for _ in range(2)]
    assert losses[0] == losses[1]
    assert torch.equal(before, torch.get_rng_state())


def test_windows_are_spread_over_the_whole_text() -> None:
    text = np.arange(200)
    windows = fixed_windows(text, synthetic.protocol(history_windows=5))
    assert windows.shape == (5, synthetic.BLOCK + 1)
    assert windows[0, 0] == 0
    assert windows[-1, -1] == 199
    assert len(windows[:, 0].unique()) == 5
    # No more windows than fit side by side.
    assert len(fixed_windows(text, synthetic.protocol(history_windows=1000))) == 200 // 17


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ActreproError, match="16 characters where a context of 16 needs 17"):
        fixed_windows(np.arange(16), synthetic.protocol())


def test_the_history_is_written_in_full(tmp_path: Path) -> None:
    run = _train(synthetic.request())
    _train_into(tmp_path, synthetic.request())
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [(int(r["step"]), float(r["train_loss"]), float(r["selection_loss"])) for r in rows] == [
        tuple(row) for row in run.history
    ]
    assert history_csv(run.history) == (tmp_path / "history.csv").read_text()


def test_the_record_tells_all_about_a_run(tmp_path: Path) -> None:
    request = synthetic.request("minigpt", "swiglu", seed=5, dropout=0.1)
    record = read_json(_train_into(tmp_path, request) / "run.json")
    checkpoint = load_checkpoint(tmp_path / "checkpoint.safetensors")
    corpus = synthetic.corpus()
    assert record["run"] == "tiny/minigpt/swiglu/seed5"
    assert (record["status"], record["why"]) == (FINISHED, None)
    assert RunConfig.model_validate(record["config"]) == request
    assert record["config"]["seed"] == 5
    assert (record["corpus_sha256"], record["symbols"]) == (corpus.sha256, len(corpus.symbols))
    assert record["parameters"] == sum(value.numel() for value in checkpoint.final.values())
    assert record["weights_sha256"] == {
        rule: hash_weights(checkpoint.weights(rule)) for rule in ("final", "best")
    }
    assert (record["final_step"], record["best_step"]) == (12, checkpoint.best_step)
    assert record["last_history"]["step"] == 12
    assert (record["device"], record["threads"]) == ("cpu", 1)
    assert record["packages"]["torch"] == torch.__version__
    assert record["packages"].keys() >= {"python", "numpy", "safetensors", "actrepro"}
    assert record["git"].keys() == {"commit", "dirty"}
    assert record["machine"].keys() == {"system", "architecture", "processor", "cores"}
    assert record["seconds"] > 0
    characters = 12 * 4 * synthetic.BLOCK
    assert record["characters_per_second"] == pytest.approx(characters / record["seconds"])
    assert record["peak_memory_bytes"] > 1e6
    assert record["peak_gpu_memory_bytes"] is None


EXPLODING = """
import torch
from torch import nn

class Exploding(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.table = nn.Embedding(spec.symbols, spec.symbols)
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, codes):
        return torch.exp(40 * self.table(codes))

def build(spec):
    return Exploding(spec)
"""


@pytest.fixture
def exploding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A model whose logits overflow when a large learning rate has moved its weights."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_exploding").mkdir()
    (tmp_path / "own_exploding/model.py").write_text(EXPLODING)
    return {"model": "mine", "custom_models": {"mine": "own_exploding.model"}}


def test_a_learning_rate_too_large_makes_a_diverged_run(
    tmp_path: Path, exploding: dict[str, Any]
) -> None:
    request = synthetic.request(**exploding, learning_rate=1.0)
    record = read_json(_train_into(tmp_path / "run", request) / "run.json")
    checkpoint = load_checkpoint(tmp_path / "run/checkpoint.safetensors")
    assert (record["status"], record["why"]) == (DIVERGED, "the loss at step 5 is no number")
    assert record["last_history"] == {"step": 5, "train_loss": None, "selection_loss": None}
    assert checkpoint.status == DIVERGED
    assert (checkpoint.final_step, checkpoint.best_step) == (5, 0)
    last = (tmp_path / "run/history.csv").read_text().splitlines()[-1]
    assert last in ("5,nan,nan", "5,inf,inf")
    assert "NaN" not in (tmp_path / "run/run.json").read_text()


def test_the_same_model_trains_at_a_small_learning_rate(exploding: dict[str, Any]) -> None:
    run = _train(synthetic.request(**exploding, learning_rate=1e-4))
    assert run.status == FINISHED


def test_a_run_without_a_loss_at_its_start_has_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "mean_loss", lambda *_: math.nan)
    run = _train(synthetic.request())
    assert (run.status, run.why) == (DIVERGED, "the loss at step 0 is no number")
    assert (run.checkpoint.final_step, run.checkpoint.best_step) == (0, 0)
    assert run.checkpoint.status == DIVERGED


class Cell:
    """Four seeds of one cell, the second of which diverges, and the fourth fails at once."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seeds = [1, 2, 3, 4]
        self.requests = [synthetic.request(seed=seed) for seed in self.seeds]
        self.folders = [folder / f"seed{seed}" for seed in self.seeds]
        for request, run in zip(self.requests, self.folders, strict=True):
            with monkeypatch.context() as patch:
                if request.seed == 2:
                    patch.setattr(loop, "mean_loss", _nan_after(4))
                if request.seed == 4:
                    patch.setattr(runs, "train", _out_of_memory)
                _train_into(run, request)
        self.corpus = self.folders[0] / "corpus.npz"
        self.evaluation, self.manifest = folder / "evaluation.npz", folder / "evaluation.json"
        make_evaluation(self.corpus, synthetic.BLOCK, None, self.evaluation, self.manifest)
        self.predictions = self._of_runs("predictions.npz")
        self.matched_predictions = self._of_runs("predictions-matched.npz")
        self.matched = folder / "matched.json"
        checkpoints, snapshots, histories, self.records = map(self._of_runs, FILES)
        cell = CellFiles(
            self.corpus,
            self.evaluation,
            checkpoints={seed: path for (_, seed), path in checkpoints.items()},
            predictions={seed: path for (_, seed), path in self.predictions.items()},
        )
        predict_cell(self.requests, cell, threads=1)
        self.files = MatchedFiles(
            corpus=self.corpus,
            evaluation=self.evaluation,
            manifest=self.manifest,
            histories=histories,
            checkpoints=checkpoints,
            snapshots=snapshots,
            predictions=self.predictions,
            matched=self.matched,
            matched_predictions=self.matched_predictions,
        )
        self.match()
        self.differences = folder / "differences.json"
        self.matched_differences = folder / "differences-matched.json"
        self.matrices = folder / "differences.npz"
        self.gates_after = folder / "gates-after.json"
        self.stats = folder / "stats.json"
        self._compare(folder / "gates.json")

    def match(self) -> None:
        predict_matched(self.requests, self.files, threads=1)

    def _of_runs(self, file: str) -> dict[Run, Path]:
        return {("relu", s): run / file for s, run in zip(self.seeds, self.folders, strict=True)}

    def _compare(self, gates: Path) -> None:
        names = {"scale": "tiny", "model": "charlm"}
        cell_differences(
            {**names, "activation": "relu"},
            {seed: path for (_, seed), path in self.predictions.items()},
            self.evaluation,
            self.differences,
        )
        model_differences(
            DifferencesFiles(
                evaluation=self.evaluation,
                predictions=self.predictions,
                matched=self.matched_predictions,
                matrices=self.matrices,
                matched_differences=self.matched_differences,
            )
        )
        check_model(self.requests[:1], self.corpus, gates, threads=1)
        check_runs(
            names,
            GateFiles(
                corpus=self.corpus,
                evaluation=self.evaluation,
                manifest=self.manifest,
                differences={"relu": self.differences},
                matched=self.matched_differences,
                matrices=self.matrices,
                records=self.records,
                gates_after=self.gates_after,
            ),
        )
        model_statistics(
            names,
            synthetic.SETTINGS,
            StatisticsFiles(
                evaluation=self.manifest,
                differences={"relu": self.differences},
                matched=self.matched,
                matched_differences=self.matched_differences,
                matrices=self.matrices,
                records=self.records,
                gates=gates,
                gates_after=self.gates_after,
                stats=self.stats,
            ),
        )


def _nan_after(calls: int) -> Any:
    made = iter(range(calls))
    true = mean_loss
    return lambda *arguments: math.nan if next(made, None) is None else true(*arguments)


def _out_of_memory(*asked: Any) -> TrainedRun:
    """Make a run that was lost before its history had a row."""
    run = train(*asked)
    checkpoint = replace(run.checkpoint, status=FAILED, final_step=0, best=None, best_step=0)
    return replace(run, checkpoint=checkpoint, history=[], status=FAILED, why=OUT_OF_MEMORY)


def test_what_a_run_has_predicted_at_its_matched_step_is_not_predicted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(tmp_path, monkeypatch)
    steps = {run["seed"]: run["step"] for run in read_json(cell.matched)["runs"]}
    own = [own_steps(path) for path in cell.files.checkpoints.values()]
    taken = [step in steps_ for step, steps_ in zip(steps.values(), own, strict=True)]
    made = [path.read_bytes() for path in cell.matched_predictions.values()]
    calls = []

    def counted(request: RunConfig, *rest: Any) -> Predictions:
        calls.append(request.seed)
        return predict(request, *rest)

    monkeypatch.setattr(predictor, "predict", counted)
    cell.match()
    assert any(taken)
    needed = zip(steps.items(), taken, strict=True)
    assert calls == [seed for (seed, step), one in needed if step is not None and not one]
    # Without its own predictions at hand it predicts anew, and the bytes are the same.
    monkeypatch.setattr(predictor, "own_steps", lambda _: {})
    monkeypatch.setattr(predictor, "load_snapshot", lambda path, step: _at(path.parent, step))
    cell.match()
    assert [path.read_bytes() for path in cell.matched_predictions.values()] == made


def _at(run: Path, step: int) -> Weights:
    checkpoint = load_checkpoint(run / "checkpoint.safetensors")
    rules = {checkpoint.best_step: "best", checkpoint.final_step: "final"}
    if step in rules:
        return checkpoint.weights(rules[step])
    return load_snapshot(run / "snapshots.safetensors", step)


def test_lost_runs_are_excluded_to_the_end_and_never_imputed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(tmp_path, monkeypatch)
    records = [read_json(run / "run.json") for run in cell.folders]
    ended = [FINISHED, DIVERGED, FINISHED, FAILED]
    lost = [None, DIVERGED, None, FAILED]
    why = [None, "the loss at step 10 is no number", None, OUT_OF_MEMORY]
    assert [record["status"] for record in records] == ended
    assert [record["why"] for record in records] == why
    assert records[1]["last_history"] == {"step": 10, "train_loss": None, "selection_loss": None}
    assert records[3]["last_history"] is None
    for paths in (cell.predictions, cell.matched_predictions):
        assert [open_predictions(path).lost for path in paths.values()] == lost
    for under in read_json(cell.differences)["rules"].values():
        assert [run["why"] for run in under["runs"]] == lost
        assert ["loss.all" in run for run in under["runs"]] == [True, False, True, False]
        assert [pair["seeds"] for pair in under["pairs"]] == [[1, 3]]
    matched = read_json(cell.matched)["runs"]
    assert [run["step"] is None for run in matched] == [False, True, False, True]
    arrays = read_npz(cell.matrices)
    for rule in RULES:
        gone = np.isnan(arrays[f"{rule}.{PRIMARY}"])
        is_lost = np.array([False, True, False, True])
        np.testing.assert_array_equal(gone, is_lost[:, None] | is_lost)
    stats = read_json(cell.stats)
    assert [run["status"] for run in stats["runs"]] == ended
    assert [run["why"] for run in stats["runs"]] == why
    excluded = [{"seed": 2, "why": DIVERGED}, {"seed": 4, "why": FAILED}]
    for under in stats["rules"].values():
        relu = under["cells"]["relu"]
        assert (relu["n"], relu["excluded"]) == (2, excluded)
        assert relu["metrics"]["loss.all"]["by_seed"].keys() == {"1", "3"}
        difference = relu["differences"][PRIMARY]
        assert [pair["seeds"] for pair in difference["pairs"]] == [[1, 3]]
        assert difference["value"] == difference["pairs"][0]["value"]
    json.loads(cell.stats.read_text(), parse_constant=pytest.fail)
    read_model_stats(cell.stats)


def test_a_snapshot_is_where_a_shorter_run_ends() -> None:
    run = _train(synthetic.request())
    steps = [row.step for row in improvements(run.history) if row.step > 0]
    assert [*run.snapshots, run.checkpoint.best_step] == steps
    assert run.snapshots
    for step, weights in run.snapshots.items():
        shorter = _train(synthetic.request(iterations=step))
        assert hash_weights(weights) == _final(shorter)


def test_runs_are_matched_at_the_step_nearest_their_common_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(tmp_path, monkeypatch)
    matched = read_json(cell.matched)
    for run, folder in zip(matched["runs"], cell.folders, strict=True):
        if run["step"] is not None:
            history = read_history(folder / "history.csv")
            assert (run["step"], run["selection_loss"]) == tuple(
                vars(match(history, matched["common_loss"])).values()
            )
            retrained = _train(synthetic.request(seed=run["seed"], iterations=run["step"]))
            stored = open_predictions(folder / "predictions-matched.npz")
            assert stored.weights_sha256 == {"matched": _final(retrained)}
