"""Weights on disk: safetensors, never pickle, under two rules fixed in advance.

`final` is the last step; `best` is the step with the lowest loss on the
selection text. When both are the same step, the weights are stored once.

Snapshots are the weights at earlier steps, in a file of their own: only the
comparison of runs at a common loss reads them.
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
    """Final and best weights, and the steps they stand for (`best` None: it is the final).

    `status` says how their run ended (see `actrepro.core.vocabulary`).
    """

    final: Weights
    final_step: int
    best: Weights | None
    best_step: int
    status: str

    def weights(self, rule: str) -> Weights:
        """The weights under a checkpoint rule, `final` or `best`."""
        return self.best if rule == "best" and self.best is not None else self.final


def copy_weights(model: nn.Module) -> Weights:
    """The model's weights as they are now, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the same weights give the same bytes."""
    tensors = {f"final/{name}": value for name, value in checkpoint.final.items()}
    tensors |= {f"best/{name}": value for name, value in (checkpoint.best or {}).items()}
    training = {
        "final_step": checkpoint.final_step,
        "best_step": checkpoint.best_step,
        "status": checkpoint.status,
    }
    # One entry: safetensors writes several in an order that differs from call to call.
    _write(path, tensors, {"training": json.dumps(training)})


def save_snapshots(path: Path, snapshots: Mapping[int, Weights]) -> None:
    """Write weights by step; the same weights give the same bytes."""
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
    """An open checkpoint; what is missing or damaged in it is said of its file."""
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
    """How a checkpoint's run ended; its weights are not read.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    with _reading(path) as file:
        return str(_training(file)["status"])


def is_finished(path: Path) -> bool:
    """Whether a checkpoint's run came to its end; its weights are not read.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    return status_of(path) == FINISHED


def own_steps(path: Path) -> dict[int, str]:
    """The steps whose weights a checkpoint holds, and the rule of each; no weights are read.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    with _reading(path) as file:
        training = _training(file)
    return {training["best_step"]: "best", training["final_step"]: "final"}


def load_snapshot(path: Path, step: int) -> Weights:
    """The weights at one step.

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
