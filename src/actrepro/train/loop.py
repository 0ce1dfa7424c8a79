"""The training loop of a run: one model, activation, scale and seed.

On one machine with one thread, the same request gives the same bytes, even if the run was
killed and resumed. Evaluation draws no random numbers, so the evaluation interval does not
change the trained weights.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.config.protocol import Protocol
from actrepro.config.study import RunConfig
from actrepro.core import seeds
from actrepro.core.errors import ActreproError, is_out_of_memory
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED, Status
from actrepro.data.corpus import Corpus
from actrepro.models import build_from_protocol, count_parameters
from actrepro.train.checkpoints import (
    Checkpoint,
    Weights,
    copy_weights,
)
from actrepro.train.history import HistoryRow
from actrepro.train.optimiser import AdamW
from actrepro.train.resume import ResumeFile, ResumePoint
from actrepro.train.stepping import (
    GraphedStepper,
    Stepper,
    random_states,
    restore_random_states,
)

LOG = logging.getLogger("actrepro")


@dataclass(frozen=True)
class TrainedRun:
    """The outcome of training a run.

    Attributes
    ----------
    checkpoint
        The final and the best weights.
    snapshots
        By step, the weights that were the best on the selection text at that step. Matched loss
        chooses among them.
    history
        Losses at each evaluation, up to the step at which the run was lost.
    status, why
        How the run ended, and the reason if it did not finish.
    seconds
        Wall time of all processes that trained it.
    microbatch
        Sequences in one forward pass.
    taken_up_at
        Steps at which a process resumed the run.
    """

    checkpoint: Checkpoint
    snapshots: Mapping[int, Weights]
    history: list[HistoryRow]
    status: Status
    why: str | None
    parameters: int
    seconds: float
    characters_per_second: float
    microbatch: int
    taken_up_at: list[int]


def train(
    request: RunConfig, corpus: Corpus, device: torch.device, resume_file: ResumeFile | None = None
) -> TrainedRun:
    """Train a model from its seed to the protocol's last step, or until it is lost.

    Raises
    ------
    Stopped
        When a signal asked the process to stop.
    """
    model = build_from_protocol(
        request.model,
        request.protocol,
        request.activation,
        len(corpus.symbols),
        seed=seeds.stream_seed(request.seed, seeds.INITIALISATION),
        custom_models=request.custom_models,
    )
    parameters = count_parameters(model)
    LOG.info("%s: %s parameters on %s", request.name, f"{parameters:,}", device)
    started = time.perf_counter()
    try:
        trainer = _Trainer(request, corpus, model.to(device), device, resume_file)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return _not_begun(request, model, error, time.perf_counter() - started)
    status, why = trainer.run()
    if why is not None:
        LOG.warning("%s: %s: %s", request.name, status, why)
    seconds = trainer.seconds()
    return TrainedRun(
        checkpoint=trainer.checkpoint(status),
        snapshots=trainer.snapshots,
        history=trainer.history,
        status=status,
        why=why,
        parameters=parameters,
        seconds=seconds,
        characters_per_second=trainer.characters() / seconds,
        microbatch=trainer.stepper.microbatch,
        taken_up_at=trainer.taken_up_at,
    )


def _not_begun(
    request: RunConfig, model: nn.Module, error: BaseException, seconds: float
) -> TrainedRun:
    """Return a run that ran out of memory before its first step: initial weights, no history."""
    why = f"out of memory before the first step: {first_line(error)}"
    LOG.warning("%s: %s: %s", request.name, FAILED, why)
    return TrainedRun(
        checkpoint=Checkpoint(copy_weights(model), 0, best=None, best_step=0, status=FAILED),
        snapshots={},
        history=[],
        status=FAILED,
        why=why,
        parameters=count_parameters(model),
        seconds=seconds,
        characters_per_second=0.0,
        microbatch=request.protocol.batch,
        taken_up_at=[],
    )


class _Trainer:
    """The state of a training loop: model, optimiser, history, best weights so far."""

    def __init__(
        self,
        request: RunConfig,
        corpus: Corpus,
        model: nn.Module,
        device: torch.device,
        resume_file: ResumeFile | None,
    ) -> None:
        self.started = time.perf_counter()
        self.request = request
        self.protocol = request.protocol
        self.model = model
        self.device = device
        self.resume_file = resume_file
        self.windows = {
            "train": fixed_windows(corpus.train, self.protocol).to(device),
            "selection": fixed_windows(corpus.selection, self.protocol).to(device),
        }
        self.optimiser = AdamW(model, self.protocol.learning_rate)
        self.stepper = self._stepper(corpus)
        self.history: list[HistoryRow] = []
        self.best: tuple[float, int, Weights] | None = None
        self.snapshots: dict[int, Weights] = {}
        self.step = 0
        self.seconds_before = 0.0
        self.taken_up_at: list[int] = []

    def _stepper(self, corpus: Corpus) -> Stepper:
        protocol = self.protocol
        starts = seeds.batch_starts(
            self.request.seed,
            protocol.iterations,
            protocol.batch,
            len(corpus.train),
            protocol.context,
        )
        kind = GraphedStepper if self.device.type == "cuda" else Stepper
        text = torch.from_numpy(corpus.train.astype(np.int64)).to(self.device)
        return kind(self.model, self.optimiser, text, starts, protocol.context, protocol.precision)

    def run(self) -> tuple[Status, str | None]:
        """Train to the last step, or until the run is lost. Return the status and the reason."""
        try:
            if not self._taken_up():
                torch.manual_seed(seeds.stream_seed(self.request.seed, seeds.DROPOUT))
                self._record()
            while self._is_finite() and self.step < self.protocol.iterations:
                self._advance()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return FAILED, f"out of memory after step {self.step}: {first_line(error)}"
        if not self._is_finite():
            return DIVERGED, f"the loss at step {self.step} is no number"
        return FINISHED, None

    def _advance(self) -> None:
        """Take one step, then evaluate and write a resume point if they are due."""
        self.stepper.step(self.step)
        self.step += 1
        if self.step % self.protocol.evaluate_every == 0 or self.step == self.protocol.iterations:
            self._record()
        goes_on = self._is_finite() and self.step < self.protocol.iterations
        if self.resume_file is not None and goes_on:
            self.resume_file.after_step(self._resume_point)

    def _record(self) -> None:
        """Add a row to the history, and copy the weights if their loss is the best so far."""
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
            f"{self.characters() / self.seconds():,.0f}",
        )
        if self._is_finite() and (self.best is None or row.selection_loss < self.best[0]):
            self._keep_best(row.selection_loss)

    def _is_finite(self) -> bool:
        """True if the last losses are finite."""
        last = self.history[-1]
        return math.isfinite(last.train_loss) and math.isfinite(last.selection_loss)

    def _keep_best(self, loss: float) -> None:
        # The former best becomes a snapshot, unless its weights are untrained.
        if self.best is not None and self.best[1] > 0:
            self.snapshots[self.best[1]] = self.best[2]
        self.best = (loss, self.step, copy_weights(self.model))

    def seconds(self) -> float:
        """Return the seconds of training so far, in all processes."""
        return self.seconds_before + time.perf_counter() - self.started

    def characters(self) -> int:
        """Return the number of characters trained on so far."""
        return self.step * self.protocol.batch * self.protocol.context

    def checkpoint(self, status: str) -> Checkpoint:
        """Copy the current and the best weights."""
        final = copy_weights(self.model)
        _, best_step, best = self.best or (math.nan, self.step, final)
        return Checkpoint(
            final=final,
            final_step=self.step,
            best=None if best_step == self.step else best,
            best_step=best_step,
            status=status,
        )

    def _resume_point(self) -> ResumePoint:
        """Collect the state that another process needs to continue exactly as this one would."""
        best_loss, best_step, best = self.best or (math.nan, 0, {})
        parts: dict[str, Weights] = {
            "model": copy_weights(self.model),
            "optimiser": {name: value.cpu() for name, value in self.optimiser.state().items()},
            "random": random_states(self.device),
            "best": best,
            **{str(step): weights for step, weights in self.snapshots.items()},
        }
        tensors = {
            f"{part}/{name}": value
            for part, named in parts.items()
            for name, value in named.items()
        }
        return ResumePoint(
            tensors,
            {
                "step": self.step,
                "history": self.history,
                "best": [best_loss, best_step],
                "snapshots": list(self.snapshots),
                "microbatch": self.stepper.microbatch,
                "seconds": self.seconds(),
                "taken_up_at": self.taken_up_at,
            },
        )

    def _taken_up(self) -> bool:
        """Continue from the resume point, if there is one."""
        point = self.resume_file.load() if self.resume_file is not None else None
        if point is None:
            return False
        facts = point.facts
        self.model.load_state_dict(_part("model", point.tensors))
        for name, value in self.optimiser.state().items():
            value.copy_(point.tensors[f"optimiser/{name}"])
        restore_random_states(_part("random", point.tensors))
        best_loss, best_step = facts["best"]
        self.best = (best_loss, best_step, _part("best", point.tensors))
        self.snapshots = {step: _part(str(step), point.tensors) for step in facts["snapshots"]}
        self.history = [HistoryRow(*row) for row in facts["history"]]
        self.step = facts["step"]
        self.stepper.microbatch = facts["microbatch"]
        self.seconds_before = facts["seconds"]
        self.taken_up_at = [*facts["taken_up_at"], self.step]
        LOG.info("%s: taken up at step %d", self.request.name, self.step)
        return True


def _part(name: str, tensors: Weights) -> Weights:
    prefix = f"{name}/"
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message. torch adds further lines."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def fixed_windows(text: npt.NDArray[Any], protocol: Protocol) -> Tensor:
    """Select evenly spaced windows `[windows, context + 1]`, the same for every run."""
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
    # Added up where it is computed: reading a number would make the host wait for each part.
    total = torch.zeros((), dtype=torch.float64, device=windows.device)
    for part in torch.split(windows, max(batch, 64)):
        logits = model(part[:, :-1]).flatten(0, 1)
        total += F.cross_entropy(logits, part[:, 1:].flatten(), reduction="sum")
    model.train()
    return float(total) / windows[:, 1:].numel()
