"""Checkpoints: weights on disk as safetensors, under two rules that are fixed in advance.

`final` is the last step. `best` is the step with the lowest loss on the selection text. If they
are the same step, the weights are stored once.

Snapshots are the weights at earlier steps. They lie in another file, which only the comparison
of runs at matched loss reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from actrepro.core.errors import ActreproError
from actrepro.core.files import replacing
from actrepro.core.vocabulary import FINISHED

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The final and the best weights of a run, and their steps.

    `best` is None if the final weights are the best. `status` is how the run ended (see
    `actrepro.core.vocabulary`).
    """

    final: Weights
    final_step: int
    best: Weights | None
    best_step: int
    status: str

    def weights(self, rule: str) -> Weights:
        """Return the weights under a checkpoint rule, `final` or `best`."""
        return self.best if rule == "best" and self.best is not None else self.final


def copy_weights(model: nn.Module) -> Weights:
    """Copy the current weights of a model to the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """Compute the SHA-256 (hex) of names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. The same weights give the same bytes."""
    tensors = {f"final/{name}": value for name, value in checkpoint.final.items()}
    tensors |= {f"best/{name}": value for name, value in (checkpoint.best or {}).items()}
    training = {
        "final_step": checkpoint.final_step,
        "best_step": checkpoint.best_step,
        "status": checkpoint.status,
    }
    # One entry only: safetensors writes several entries in an order that varies.
    _write(path, tensors, {"training": json.dumps(training)})


def save_snapshots(path: Path, snapshots: Mapping[int, Weights]) -> None:
    """Write weights by step. The same weights give the same bytes."""
    tensors = {
        f"{step}/{name}": value
        for step, weights in snapshots.items()
        for name, value in weights.items()
    }
    _write(path, tensors, {"steps": json.dumps(list(snapshots))})


def _write(path: Path, tensors: Weights, metadata: dict[str, str]) -> None:
    with replacing(path) as partial:
        partial.write_bytes(save({name: tensors[name].contiguous() for name in tensors}, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    with _reading(path) as file:
        training = _training(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    best = _under("best/", tensors)
    return Checkpoint(
        final=_under("final/", tensors),
        final_step=training["final_step"],
        best=best or None,
        best_step=training["best_step"],
        status=training["status"],
    )


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a checkpoint. Errors while it is read name its file."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ActreproError(
            f"{path}: not a readable checkpoint ({error}); delete it and run again"
        ) from None


def _training(file: Any) -> dict[str, Any]:
    training: dict[str, Any] = json.loads((file.metadata() or {})["training"])
    return {key: training[key] for key in ("final_step", "best_step", "status")}


def status_of(path: Path) -> str:
    """Read how the run of a checkpoint ended, without its weights.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    with _reading(path) as file:
        return str(_training(file)["status"])


def is_finished(path: Path) -> bool:
    """Return True if the run of a checkpoint finished. Weights are not read.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    return status_of(path) == FINISHED


def own_steps(path: Path) -> dict[int, str]:
    """Read the steps of the weights in a checkpoint, and their rules, without the weights.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    with _reading(path) as file:
        training = _training(file)
    return {training["best_step"]: "best", training["final_step"]: "final"}


def load_snapshot(path: Path, step: int) -> Weights:
    """Read the weights of a snapshot at one step.

    Raises
    ------
    ActreproError
        When the file is missing or damaged, or has no such step.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(f"{step}/")]  # noqa: SIM118
            weights = {name.removeprefix(f"{step}/"): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise ActreproError(
            f"{path}: not readable snapshots ({error}); delete it and run again"
        ) from None
    if not weights:
        raise ActreproError(
            f"{path}: has no snapshot of step {step}, which the run's history.csv names; "
            "delete both and run again"
        )
    return weights


def _under(prefix: str, tensors: Weights) -> Weights:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
