"""Predictions of the frozen evaluation set, made with the weights of trained runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from actrepro.config.study import RunConfig
from actrepro.core.files import write_json
from actrepro.core.runs import ByRun, Run
from actrepro.core.shapes import read_as
from actrepro.core.vocabulary import DIVERGED, FINISHED
from actrepro.data.corpus import load_corpus
from actrepro.data.evaluation_set import EvaluationSet, load_evaluation
from actrepro.data.shapes import Evaluation
from actrepro.models import build_from_protocol
from actrepro.predict.matching import Match, common_loss, match
from actrepro.predict.shapes import MatchedSteps
from actrepro.predict.store import (
    MATCHED,
    OWN_RULES,
    POSITIONS,
    Predictions,
    Probabilities,
    Text,
    of_lost,
    open_predictions,
    save_predictions,
)
from actrepro.train.checkpoints import (
    Weights,
    hash_weights,
    is_finished,
    load_checkpoint,
    load_snapshot,
    own_steps,
    status_of,
)
from actrepro.train.devices import prepare_torch
from actrepro.train.history import read_history

LOG = logging.getLogger("actrepro")

# Kernels may round differently for other batch sizes, so all runs are predicted with this one.
BATCH = 64
PROMPTS = 32
LONGEST_TEXT = 64


@dataclass(frozen=True)
class CellFiles:
    """The files of `predict_cell`: of each seed a checkpoint, and predictions to be written."""

    corpus: Path
    evaluation: Path
    checkpoints: Mapping[int, Path]
    predictions: Mapping[int, Path]


def predict_cell(requests: Sequence[RunConfig], files: CellFiles, threads: int) -> None:
    """Predict with each run of a cell, under its own checkpoint rules, and write it."""
    device = prepare_torch(requests[0].device, threads)
    symbols = len(load_corpus(files.corpus).symbols)
    evaluation = load_evaluation(files.evaluation)
    for request in requests:
        checkpoint = load_checkpoint(files.checkpoints[request.seed])
        if checkpoint.status == FINISHED:
            weights: dict[str, Weights] = {rule: checkpoint.weights(rule) for rule in OWN_RULES}
            predictions = predict(request, weights, symbols, evaluation, device)
            LOG.info("%s: predicted %s characters", request.name, f"{len(evaluation.targets):,}")
        else:
            predictions = of_lost(checkpoint.status, evaluation.sha256)
            LOG.info("%s: %s, predicts nothing", request.name, checkpoint.status)
        save_predictions(files.predictions[request.seed], predictions)


@dataclass(frozen=True)
class RunFiles:
    """The files of one run that its matched checkpoint is chosen from."""

    history: Path
    checkpoint: Path
    snapshots: Path
    predictions: Path


@dataclass(frozen=True)
class MatchedFiles:
    """The files of `predict_matched`.

    Attributes
    ----------
    corpus, evaluation, manifest
        The text, the evaluation set, and its manifest.
    histories, checkpoints, snapshots, predictions
        Each run's: what its matched checkpoint is chosen from.
    matched
        Is written: the common loss, and which step of each run is nearest it.
    matched_predictions
        Is written: what each run predicts at that step.
    """

    corpus: Path
    evaluation: Path
    manifest: Path
    histories: ByRun
    checkpoints: ByRun
    snapshots: ByRun
    predictions: ByRun
    matched: Path
    matched_predictions: ByRun

    def of(self, run: Run) -> RunFiles:
        """Return the files of one run."""
        return RunFiles(
            history=self.histories[run],
            checkpoint=self.checkpoints[run],
            snapshots=self.snapshots[run],
            predictions=self.predictions[run],
        )


def predict_matched(requests: Sequence[RunConfig], files: MatchedFiles, threads: int) -> None:
    """Predict with each of a model's runs at the step nearest their common loss.

    Writes which steps these are, and the predictions of each run.
    """
    device = prepare_torch(requests[0].device, threads)
    symbols = len(load_corpus(files.corpus).symbols)
    evaluation = load_evaluation(files.evaluation)
    bigram = read_as(Evaluation, files.manifest)["selection_bigram_loss"]
    runs = {
        (request.activation, request.seed): files.of((request.activation, request.seed))
        for request in requests
    }
    level, matches = _matches(runs, bigram)
    write_json(files.matched, _matched_record(requests[0], level, matches))
    for request, (run, run_files) in zip(requests, runs.items(), strict=True):
        step = matches[run].step
        if step is None:
            predictions = of_lost(status_of(run_files.checkpoint), evaluation.sha256)
        elif (before := _predicted_before(step, run_files, evaluation.sha256)) is not None:
            predictions = before
        else:
            weights = {MATCHED: _weights_at(step, run_files)}
            predictions = predict(request, weights, symbols, evaluation, device)
        save_predictions(files.matched_predictions[run], predictions)
    LOG.info("predicted at the step nearest a selection loss of %.4f", level)


def _matches(runs: Mapping[Run, RunFiles], bigram: float) -> tuple[float, dict[Run, Match]]:
    """Compute the common loss of the finished runs, and the step of each run nearest it."""
    finished = {
        run: read_history(files.history)
        for run, files in runs.items()
        if is_finished(files.checkpoint)
    }
    level = common_loss(finished, bigram) if finished else float(bigram)
    return level, {run: match(finished.get(run, []), level) for run in runs}


def _matched_record(request: RunConfig, level: float, matches: Mapping[Run, Match]) -> MatchedSteps:
    return {
        "scale": request.scale,
        "model": request.model,
        "common_loss": level,
        "runs": [
            {
                "activation": activation,
                "seed": seed,
                "step": match.step,
                "selection_loss": match.selection_loss,
            }
            for (activation, seed), match in matches.items()
        ],
    }


def _predicted_before(step: int, files: RunFiles, evaluation_sha256: str) -> Predictions | None:
    """Return predictions that the run has already made with the weights of this step, or None."""
    rule = own_steps(files.checkpoint).get(step)
    stored = open_predictions(files.predictions)
    if rule is None or stored.lost or stored.evaluation_sha256 != evaluation_sha256:
        return None
    return Predictions(
        {(MATCHED, at): stored.read(rule, at) for at in POSITIONS},
        {MATCHED: stored.generated(rule)},
        evaluation_sha256,
        {MATCHED: stored.weights_sha256[rule]},
    )


def _weights_at(step: int, files: RunFiles) -> Weights:
    rule = own_steps(files.checkpoint).get(step)
    if rule is None:
        return load_snapshot(files.snapshots, step)
    return load_checkpoint(files.checkpoint).weights(rule)


def predict(
    request: RunConfig,
    weights: Mapping[str, Weights],
    symbols: int,
    evaluation: EvaluationSet,
    device: torch.device,
) -> Predictions:
    """Predict the evaluation set and generate text, with the weights of each rule.

    If a probability is not finite, the run counts as diverged.
    """
    hashes = {rule: hash_weights(values) for rule, values in weights.items()}
    model = build_from_protocol(
        request.model,
        request.protocol,
        request.activation,
        symbols,
        custom_models=request.custom_models,
    ).to(device)
    probabilities: dict[tuple[str, str], Probabilities] = {}
    generated: dict[str, Text] = {}
    for rule, values in weights.items():
        # `final` and `best` are often the same weights: predict with them once.
        same = next((done for done in generated if hashes[done] == hashes[rule]), None)
        if same is not None:
            probabilities |= {(rule, at): probabilities[same, at] for at in POSITIONS}
            generated[rule] = generated[same]
            continue
        model.load_state_dict(values)
        probabilities[rule, "all"] = predict_scored(model, evaluation, device)
        probabilities[rule, "last"] = predict_last(model, evaluation, device)
        generated[rule] = write_on(model, evaluation, device)
    if not all(np.isfinite(values).all() for values in probabilities.values()):
        LOG.warning("%s: its weights give no numbers; it counts as diverged", request.name)
        return of_lost(DIVERGED, evaluation.sha256, hashes)
    return Predictions(probabilities, generated, evaluation.sha256, hashes)


def predict_scored(
    model: nn.Module, evaluation: EvaluationSet, device: torch.device
) -> Probabilities:
    """Compute probabilities `[N, V]` at every scored position."""
    probabilities = _forward(model, evaluation.inputs, device)
    return probabilities[evaluation.window, evaluation.offset]


def predict_last(
    model: nn.Module, evaluation: EvaluationSet, device: torch.device
) -> Probabilities:
    """Compute probabilities `[K, V]` at the last position of the fixed full-context windows."""
    return _forward(model, evaluation.last_inputs, device, last_only=True)


@torch.no_grad()
def write_on(model: nn.Module, evaluation: EvaluationSet, device: torch.device) -> Text:
    """Generate codes `[prompts, length]` with a model, always the most probable next one.

    The prompts are the first halves of full windows, spread evenly over the test half and the same
    for every run. Prompt and generated text together fill at most the context.
    """
    model.eval()
    windows = evaluation.last_inputs
    chosen = np.linspace(0, len(windows) - 1, min(PROMPTS, len(windows))).astype(np.int64)
    needed = -(-evaluation.context // 2)
    length = min(LONGEST_TEXT, evaluation.context - needed)
    text = torch.from_numpy(windows[chosen, :needed].astype(np.int64)).to(device)
    for _ in range(length):
        text = torch.cat([text, model(text)[:, -1:].argmax(dim=-1)], dim=1)
    return text[:, needed:].cpu().numpy().astype(windows.dtype)


@torch.no_grad()
def _forward(
    model: nn.Module, inputs: np.ndarray, device: torch.device, last_only: bool = False
) -> Probabilities:
    """Compute softmax in double precision and round to float32: a row sums to one to 1e-6.

    Smaller values become the smallest normal float32, so rounding makes no loss infinite.
    """
    model.eval()
    parts = []
    for batch in _padded_batches(torch.from_numpy(inputs.astype(np.int64)), BATCH):
        logits = model(batch.to(device)).double()
        logits = logits[:, -1] if last_only else logits
        stored = torch.softmax(logits, dim=-1).float().clamp_min(torch.finfo(torch.float32).tiny)
        parts.append(stored.cpu().numpy())
    return np.concatenate(parts)[: len(inputs)]


def _padded_batches(inputs: Tensor, size: int) -> list[Tensor]:
    """Split inputs into batches of one size. The last one is padded, which the caller cuts off."""
    missing = -len(inputs) % size
    filled = torch.cat([inputs, inputs[:1].expand(missing, -1)])
    return list(torch.split(filled, size))
