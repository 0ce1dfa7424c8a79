"""Predicting the frozen evaluation set with trained runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from actrepro.checkpoints import Checkpoint, hash_weights, load_checkpoint
from actrepro.config import RunConfig
from actrepro.corpus import Corpus, load_corpus
from actrepro.evaluation import EvaluationSet, load_evaluation
from actrepro.models import build_from_protocol
from actrepro.predictions import RULES, Predictions, Probabilities, save_predictions
from actrepro.training import prepare_torch

LOG = logging.getLogger("actrepro")

# Kernels may round differently for another batch size, so it is fixed for every run.
BATCH = 64


def predict_cell(
    requests: Sequence[RunConfig],
    corpus_path: Path,
    evaluation_path: Path,
    checkpoint_paths: Sequence[Path],
    prediction_paths: Sequence[Path],
    threads: int,
) -> None:
    """Predict with each run of a cell and write its predictions."""
    device = prepare_torch(requests[0].device, threads)
    corpus = load_corpus(corpus_path)
    evaluation = load_evaluation(evaluation_path)
    for request, source, target in zip(requests, checkpoint_paths, prediction_paths, strict=True):
        checkpoint = load_checkpoint(source)
        save_predictions(target, predict(request, checkpoint, corpus, evaluation, device))
        LOG.info("%s: predicted %s characters", request.name, f"{len(evaluation.targets):,}")


def predict(
    request: RunConfig,
    checkpoint: Checkpoint,
    corpus: Corpus,
    evaluation: EvaluationSet,
    device: torch.device,
) -> Predictions:
    """Probabilities of a run's final and best weights on the evaluation set."""
    hashes = {rule: hash_weights(checkpoint.weights(rule)) for rule in RULES}
    if not checkpoint.finished:
        return Predictions({}, evaluation.sha256, hashes)
    model = build_from_protocol(
        request.model,
        request.protocol,
        request.activation,
        len(corpus.symbols),
        custom_models=request.custom_models,
    ).to(device)
    probabilities: dict[tuple[str, str], Probabilities] = {}
    for rule in RULES:
        if rule == "best" and checkpoint.best is None:
            both = {
                ("best", positions): probabilities["final", positions]
                for positions in ("all", "last")
            }
            probabilities |= both
            continue
        model.load_state_dict(checkpoint.weights(rule))
        probabilities[rule, "all"] = predict_scored(model, evaluation, device)
        probabilities[rule, "last"] = predict_last(model, evaluation, device)
    if not all(np.isfinite(values).all() for values in probabilities.values()):
        LOG.warning("%s: its weights give no numbers; it counts as diverged", request.name)
        return Predictions({}, evaluation.sha256, hashes)
    return Predictions(probabilities, evaluation.sha256, hashes)


def predict_scored(
    model: nn.Module, evaluation: EvaluationSet, device: torch.device
) -> Probabilities:
    """Probabilities `[N, V]` at every scored position."""
    everywhere = _forward(model, evaluation.inputs, device)
    return everywhere[evaluation.window, evaluation.offset]


def predict_last(
    model: nn.Module, evaluation: EvaluationSet, device: torch.device
) -> Probabilities:
    """Probabilities `[K, V]` at the last position of the fixed full-context windows."""
    return _forward(model, evaluation.last_inputs, device, last_only=True)


@torch.no_grad()
def _forward(
    model: nn.Module, inputs: np.ndarray, device: torch.device, last_only: bool = False
) -> Probabilities:
    """Softmax in double precision, stored as float32: a stored row sums to one to 1e-6.

    The smallest float32 stands for anything smaller, so that no loss is infinite by rounding.
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
    """Batches of one size; the last is filled up with repeats, which the caller cuts off."""
    missing = -len(inputs) % size
    filled = torch.cat([inputs, inputs[:1].expand(missing, -1)])
    return list(torch.split(filled, size))
