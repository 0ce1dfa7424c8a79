"""Snapshots of training: what a killed run has left, and the same run takes up again.

A snapshot is an undeclared file, so Snakemake does not delete it with a job's outputs. It
is written whole or not at all, carries what it is a snapshot of and a hash of itself, and
goes when the run is done. One that is of something else, or damaged, is told and ignored.
"""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from actrepro.config.study import RunConfig
from actrepro.core import machine as provenance
from actrepro.core.errors import Stopped
from actrepro.core.files import partial_of, replacing
from actrepro.provenance.fingerprint import training_fingerprint
from actrepro.provenance.identity import BYTES_DEPEND_ON, identity_parts
from actrepro.train.checkpoints import Weights, hash_weights

LOG = logging.getLogger("actrepro")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Snapshot:
    """A moment of training: tensors by name, and everything else as JSON holds it."""

    tensors: Weights
    facts: dict[str, Any]


@dataclass
class Keeper:
    """Keeps the snapshot of one run.

    Attributes
    ----------
    path
        Where it lies.
    identity
        What it is a snapshot of, part by part: one that differs in any is ignored.
    seconds
        Between two snapshots.
    stopped_by
        The signal that asked the process to end, once it has.
    """

    path: Path
    identity: Mapping[str, str]
    seconds: float
    stopped_by: int | None = None
    _last: float = field(default_factory=time.monotonic)

    def load(self) -> Snapshot | None:
        """The snapshot, if there is one and it is of this very run and whole."""
        try:
            snapshot = _read(self.path)
            identity = snapshot.facts.pop("identity")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            LOG.warning("%s is damaged (%s): it is ignored", self.path, error)
            return None
        other = sorted(
            name
            for name in identity.keys() | self.identity.keys()
            if identity.get(name) != self.identity.get(name)
        )
        if other:
            LOG.warning("%s is of another %s: it is ignored", self.path, ", ".join(other))
            return None
        return snapshot

    def after_step(self, take: Callable[[], Snapshot]) -> None:
        """Put a snapshot away when it is time to, or when the process has to end.

        Raises
        ------
        Stopped
            When a signal has asked the process to end.
        """
        if self.stopped_by is not None:
            kept = self._save(take())
            raise Stopped(
                self.stopped_by,
                "the same command takes training up where it is now"
                if kept
                else "the same command begins training again",
            )
        if time.monotonic() - self._last >= self.seconds:
            self._save(take())

    def discard(self) -> None:
        """The run is done."""
        self.path.unlink(missing_ok=True)
        partial_of(self.path).unlink(missing_ok=True)

    def _save(self, snapshot: Snapshot) -> bool:
        """Write a snapshot; training can do without one, so no disk is no reason to end it."""
        facts = json.dumps({**snapshot.facts, "identity": dict(self.identity)})
        metadata = {"facts": facts, "sha256": _hash(snapshot.tensors, facts)}
        try:
            with replacing(self.path) as partial:
                partial.write_bytes(save(_contiguous(snapshot.tensors), metadata))
        except OSError as error:
            LOG.warning("%s: no snapshot could be written (%s)", self.path, error)
            return False
        finally:
            self._last = time.monotonic()
        return True


def _read(path: Path) -> Snapshot:
    with path.open("rb"), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata["sha256"] != _hash(tensors, metadata["facts"]):
        raise ValueError("its hash is not that of its content")
    return Snapshot(tensors, json.loads(metadata["facts"]))


def _contiguous(tensors: Weights) -> Weights:
    return {name: value.contiguous() for name, value in tensors.items()}


def _hash(tensors: Weights, facts: str) -> str:
    return hashlib.sha256(f"{hash_weights(tensors)}{facts}".encode()).hexdigest()


def identity_of(
    request: RunConfig, corpus_sha256: str, device: torch.device, threads: int
) -> dict[str, str]:
    """The identity of a run that is made here and now."""
    cuda = device.type == "cuda"
    custom = request.custom_models.get(request.model)
    return identity_parts(
        request,
        corpus_sha256,
        training_fingerprint(request.model, [request.activation], custom),
        provenance.package_versions(BYTES_DEPEND_ON),
        provenance.machine(),
        torch.cuda.get_device_name(device) if cuda else "cpu",
        threads,
    )


@contextmanager
def heeding_signals(keeper: Keeper) -> Iterator[None]:
    """Let the keeper know of a signal to end, instead of ending at once.

    Slurm and `kill` send SIGTERM, a terminal SIGINT. A step that is half done has weights
    that belong to no step, so what asks to end waits for the step's end.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        keeper.stopped_by = number

    # Python delivers signals to the main thread alone, and only there lets them be heeded.
    heeded = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
