"""Training one run: a model, an activation, a scale, a seed.

On one machine with one thread the same request gives the same bytes. Nothing in
evaluation draws random numbers, so the evaluation interval does not change what
is trained.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro import provenance, streams
from actrepro.checkpoints import (
    Checkpoint,
    Weights,
    copy_weights,
    hash_weights,
    save_checkpoint,
    save_snapshots,
)
from actrepro.config import Protocol, RunConfig
from actrepro.corpus import Corpus, load_corpus
from actrepro.errors import ActreproError
from actrepro.files import write_json, write_text
from actrepro.history import HistoryRow, history_csv
from actrepro.models import build_from_protocol, count_parameters
from actrepro.optimiser import AdamW

LOG = logging.getLogger("actrepro")


@dataclass(frozen=True)
class TrainedRun:
    """What training leaves: weights, history, and how it went.

    `snapshots` are the weights at earlier steps, each the best of its time on
    the selection text: where a run can be met at a higher loss than its best.
    """

    checkpoint: Checkpoint
    snapshots: Mapping[int, Weights]
    history: list[HistoryRow]
    status: str
    parameters: int
    seconds: float
    characters_per_second: float


def train_run(
    request: RunConfig,
    corpus_path: Path,
    checkpoint_path: Path,
    snapshots_path: Path,
    history_path: Path,
    record_path: Path,
    threads: int,
) -> None:
    """Train one run and write its checkpoint, snapshots, history and record."""
    device = prepare_torch(request.device, threads)
    corpus = load_corpus(corpus_path)
    run = train(request, corpus, device)
    save_checkpoint(checkpoint_path, run.checkpoint)
    save_snapshots(snapshots_path, run.snapshots)
    write_text(history_path, history_csv(run.history))
    write_json(record_path, run_record(request, corpus, run, device, threads))


def prepare_torch(device: str, threads: int) -> torch.device:
    """Fix threads and deterministic kernels, and choose the device.

    Raises
    ------
    ActreproError
        When CUDA is asked for and torch finds none.
    """
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise ActreproError(
            "device: cuda was asked for, but torch finds no CUDA device; set device: auto or cpu, "
            "or install a CUDA build of torch and its driver"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        _use_deterministic_kernels()
    return torch.device(device)


def _use_deterministic_kernels() -> None:
    """On a GPU the fast kernels add in any order. A CPU's do not, on one thread.

    The switch imports torch's compiler (two seconds), so a CPU job leaves it alone.
    """
    # cuBLAS reads this when CUDA starts; without it its reductions differ from call to call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def train(request: RunConfig, corpus: Corpus, device: torch.device) -> TrainedRun:
    """Train a model from its seed to the protocol's last step, or until it diverges."""
    protocol = request.protocol
    model = build_from_protocol(
        request.model,
        protocol,
        request.activation,
        len(corpus.symbols),
        seed=streams.stream_seed(request.seed, streams.INITIALISATION),
        custom_models=request.custom_models,
    ).to(device)
    LOG.info("%s: %s parameters on %s", request.name, f"{count_parameters(model):,}", device)
    started = time.perf_counter()
    trainer = _Trainer(request, corpus, model, device)
    status = trainer.run()
    seconds = time.perf_counter() - started
    return TrainedRun(
        checkpoint=trainer.checkpoint(finished=status == "finished"),
        snapshots=trainer.snapshots,
        history=trainer.history,
        status=status,
        parameters=count_parameters(model),
        seconds=seconds,
        characters_per_second=trainer.characters / seconds,
    )


class _Trainer:
    """The state of a training loop: model, optimiser, history, best weights so far."""

    def __init__(
        self, request: RunConfig, corpus: Corpus, model: nn.Module, device: torch.device
    ) -> None:
        self.request = request
        self.protocol = request.protocol
        self.model = model
        self.device = device
        self.text = torch.from_numpy(corpus.train.astype(np.int64)).to(device)
        self.windows = {
            "train": fixed_windows(corpus.train, self.protocol).to(device),
            "selection": fixed_windows(corpus.selection, self.protocol).to(device),
        }
        self.optimiser = AdamW(model, self.protocol.learning_rate)
        self.history: list[HistoryRow] = []
        self.best: tuple[float, int, Weights] | None = None
        self.snapshots: dict[int, Weights] = {}
        self.step = 0
        self.characters = 0

    def run(self) -> str:
        """Train to the end. Returns `finished`, or `diverged` at a loss that is no number."""
        torch.manual_seed(streams.stream_seed(self.request.seed, streams.DROPOUT))
        started = time.perf_counter()
        if not self._record(started):
            return "diverged"
        for codes, targets in self._batches():
            self._update(codes, targets)
            self.step += 1
            self.characters += targets.numel()
            if self._due() and not self._record(started):
                return "diverged"
        return "finished"

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        protocol = self.protocol
        starts = streams.batch_starts(
            self.request.seed,
            protocol.iterations,
            protocol.batch,
            len(self.text),
            protocol.context,
        )
        offsets = torch.arange(protocol.context + 1, device=self.device)
        for batch in torch.from_numpy(starts).to(self.device):
            sequences = self.text[batch[:, None] + offsets]
            yield sequences[:, :-1], sequences[:, 1:]

    def _update(self, codes: Tensor, targets: Tensor) -> None:
        loss = F.cross_entropy(self.model(codes).flatten(0, 1), targets.flatten())
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()

    def _due(self) -> bool:
        return self.step % self.protocol.evaluate_every == 0 or (
            self.step == self.protocol.iterations
        )

    def _record(self, started: float) -> bool:
        """Add a history row; False when a loss is no number."""
        row = HistoryRow(
            self.step,
            mean_loss(self.model, self.windows["train"], self.protocol.batch),
            mean_loss(self.model, self.windows["selection"], self.protocol.batch),
        )
        self.history.append(row)
        LOG.info(
            "%s: step %d of %d, train loss %.4f, selection loss %.4f, %s characters/s",
            self.request.name,
            row.step,
            self.protocol.iterations,
            row.train_loss,
            row.selection_loss,
            f"{self.characters / (time.perf_counter() - started):,.0f}",
        )
        if not (math.isfinite(row.train_loss) and math.isfinite(row.selection_loss)):
            LOG.warning("%s: diverged at step %d", self.request.name, self.step)
            return False
        if self.best is None or row.selection_loss < self.best[0]:
            self._keep_best(row.selection_loss)
        return True

    def _keep_best(self, loss: float) -> None:
        # The best so far becomes a snapshot; untrained weights are none.
        if self.best is not None and self.best[1] > 0:
            self.snapshots[self.best[1]] = self.best[2]
        self.best = (loss, self.step, copy_weights(self.model))

    def checkpoint(self, finished: bool) -> Checkpoint:
        """The weights as they are now, and the best."""
        final = copy_weights(self.model)
        _, best_step, best = self.best or (math.nan, self.step, final)
        return Checkpoint(
            final=final,
            final_step=self.step,
            best=None if best_step == self.step else best,
            best_step=best_step,
            finished=finished,
        )


def fixed_windows(text: npt.NDArray[Any], protocol: Protocol) -> Tensor:
    """Evenly spaced windows `[windows, context + 1]`, the same for every run."""
    length = protocol.context + 1
    count = min(protocol.history_windows, len(text) // length)
    if count == 0:
        raise ActreproError(
            f"the text has {len(text)} characters where a context of {protocol.context} needs "
            f"{length}; use a longer text or a smaller context"
        )
    starts = np.linspace(0, len(text) - length, count).astype(np.int64)
    return torch.from_numpy(text[starts[:, None] + np.arange(length)].astype(np.int64))


@torch.no_grad()
def mean_loss(model: nn.Module, windows: Tensor, batch: int) -> float:
    """Mean loss in nats per character over windows. Draws no random numbers."""
    model.eval()
    total = 0.0
    for part in torch.split(windows, max(batch, 64)):
        logits = model(part[:, :-1]).flatten(0, 1)
        total += float(F.cross_entropy(logits, part[:, 1:].flatten(), reduction="sum"))
    model.train()
    return total / windows[:, 1:].numel()


def run_record(
    request: RunConfig, corpus: Corpus, run: TrainedRun, device: torch.device, threads: int
) -> dict[str, Any]:
    """Everything needed to trace a run: what was asked, on what it ran, what came out."""
    cuda = device.type == "cuda"
    return {
        "run": request.name,
        "status": run.status,
        "config": request.model_dump(mode="json"),
        "corpus_sha256": corpus.sha256,
        "symbols": len(corpus.symbols),
        "parameters": run.parameters,
        "final_step": run.checkpoint.final_step,
        "best_step": run.checkpoint.best_step,
        "weights_sha256": {
            rule: hash_weights(run.checkpoint.weights(rule)) for rule in ("final", "best")
        },
        "last_history": _finite(run.history[-1]._asdict()),
        "seconds": run.seconds,
        "characters_per_second": run.characters_per_second,
        "peak_memory_bytes": provenance.peak_memory_bytes(),
        "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated(device) if cuda else None,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "threads": threads,
        "machine": provenance.machine(),
        "packages": provenance.package_versions(),
        "git": provenance.git_state(),
    }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
