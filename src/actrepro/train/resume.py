"""Resume points: the state from which a killed run continues.

The file of a resume point is not an output of the job, so Snakemake does not delete it. It is
written atomically, contains its run's identity and a hash of its own content, and is deleted
when the run is done. A file that is damaged, or has another identity, is ignored with a warning.
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
class ResumePoint:
    """The state of training after a step: tensors by name, and the rest as JSON values."""

    tensors: Weights
    facts: dict[str, Any]


@dataclass
class ResumeFile:
    """Reads and writes the resume point of one run.

    Attributes
    ----------
    path
        Of the file.
    identity
        The run's identity, part by part. A file that differs in any part is ignored.
    seconds
        Between two resume points.
    stopped_by
        The signal that asked the process to stop, or None.
    """

    path: Path
    identity: Mapping[str, str]
    seconds: float
    stopped_by: int | None = None
    _last: float = field(default_factory=time.monotonic)

    def load(self) -> ResumePoint | None:
        """Read the resume point. None if there is none, or it is damaged or of another run."""
        try:
            point = _read(self.path)
            identity = point.facts.pop("identity")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            LOG.warning("%s is damaged (%s): it is ignored", self.path, error)
            return None
        differing = sorted(
            name
            for name in identity.keys() | self.identity.keys()
            if identity.get(name) != self.identity.get(name)
        )
        if differing:
            LOG.warning("%s is of another %s: it is ignored", self.path, ", ".join(differing))
            return None
        return point

    def after_step(self, make: Callable[[], ResumePoint]) -> None:
        """Write a resume point if one is due, or if the process has to stop.

        Raises
        ------
        Stopped
            When a signal has asked the process to stop.
        """
        if self.stopped_by is not None:
            saved = self._save(make())
            raise Stopped(
                self.stopped_by,
                "the same command takes training up where it is now"
                if saved
                else "the same command begins training again",
            )
        if time.monotonic() - self._last >= self.seconds:
            self._save(make())

    def discard(self) -> None:
        """Delete the resume point: the run is done."""
        self.path.unlink(missing_ok=True)
        partial_of(self.path).unlink(missing_ok=True)

    def _save(self, point: ResumePoint) -> bool:
        """Write a resume point. A full disk ends no training, which can do without one."""
        facts = json.dumps({**point.facts, "identity": dict(self.identity)})
        metadata = {"facts": facts, "sha256": _hash(point.tensors, facts)}
        try:
            with replacing(self.path) as partial:
                partial.write_bytes(save(_contiguous(point.tensors), metadata))
        except OSError as error:
            LOG.warning("%s: no resume point could be written (%s)", self.path, error)
            return False
        finally:
            self._last = time.monotonic()
        return True


def _read(path: Path) -> ResumePoint:
    with path.open("rb"), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata["sha256"] != _hash(tensors, metadata["facts"]):
        raise ValueError("its hash is not that of its content")
    return ResumePoint(tensors, json.loads(metadata["facts"]))


def _contiguous(tensors: Weights) -> Weights:
    return {name: value.contiguous() for name, value in tensors.items()}


def _hash(tensors: Weights, facts: str) -> str:
    return hashlib.sha256(f"{hash_weights(tensors)}{facts}".encode()).hexdigest()


def identity_of(
    request: RunConfig, corpus_sha256: str, device: torch.device, threads: int
) -> dict[str, str]:
    """Compute the identity of a run that this process makes on this machine."""
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
def catching_signals(resume_file: ResumeFile) -> Iterator[None]:
    """Record SIGTERM and SIGINT in the resume file, instead of stopping immediately.

    Slurm and `kill` send SIGTERM, a terminal sends SIGINT. In the middle of a step the weights
    belong to no step, so the process stops after the step.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        resume_file.stopped_by = number

    # Python delivers signals to the main thread, and sets handlers only there.
    caught = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, note) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
