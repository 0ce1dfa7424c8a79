"""The job that trains runs: their files, resuming, and the record of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from actrepro.config.study import RunConfig
from actrepro.core import machine as provenance
from actrepro.core import paths
from actrepro.core.errors import Stopped
from actrepro.core.files import read_json, replacing, sha256_of, write_json, write_text, writing
from actrepro.core.locks import hold
from actrepro.core.vocabulary import FAILED
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.provenance.identity import identity_sha256
from actrepro.train.checkpoints import (
    hash_weights,
    save_checkpoint,
    save_snapshots,
)
from actrepro.train.devices import prepare_torch
from actrepro.train.history import history_csv
from actrepro.train.loop import LOG, TrainedRun, train
from actrepro.train.resume import Keeper, heeding_signals, identity_of


@dataclass(frozen=True)
class RunOutputs:
    """Where a run's files go."""

    checkpoint: Path
    snapshots: Path
    history: Path
    record: Path

    def write(self, run: TrainedRun, record: Mapping[str, Any]) -> None:
        """Write all four; the record comes last, and says that the others are there."""
        save_checkpoint(self.checkpoint, run.checkpoint)
        save_snapshots(self.snapshots, run.snapshots)
        write_text(self.history, history_csv(run.history))
        write_json(self.record, record)

    @property
    def files(self) -> tuple[Path, ...]:
        """All four, the record last."""
        return (self.checkpoint, self.snapshots, self.history, self.record)

    @property
    def exist(self) -> bool:
        """Whether all four are there."""
        return all(path.exists() for path in self.files)

    @property
    def sha256(self) -> str:
        """The hashes (hex) of all four, one behind the other."""
        return "".join(map(sha256_of, self.files))

    @property
    def kept(self) -> RunOutputs:
        """Second names of the same files, in a folder that Snakemake does not know.

        Snakemake deletes a job's outputs before it runs it again. Where it was killed and
        the job was not, that is one which is done, or will be.
        """
        return RunOutputs(*(path.parent / ".kept" / path.name for path in self.files))

    def link(self, other: RunOutputs) -> None:
        """Give these files the names of `other` too, where the file system has second names."""
        with suppress(OSError):
            for source, target in zip(self.files, other.files, strict=True):
                if target.exists() and target.samefile(source):
                    continue
                with replacing(target) as partial:
                    partial.unlink(missing_ok=True)
                    partial.hardlink_to(source)
                # Snakemake asks of outputs to be newer than inputs.
                target.touch()

    def keep(self) -> None:
        """Give the files their second names, with hashes by which damage is seen."""
        self.link(self.kept)
        if self.kept.exist:
            with writing(self._hashes) as stream:
                stream.write(self.kept.sha256)

    def take_kept(self, identity_sha256: str) -> None:
        """Give the files their names back, where those kept are whole and of that identity."""
        if not self._hashes.exists() or not self.kept.are_of(identity_sha256):
            return
        if self._hashes.read_text(encoding="utf-8") == self.kept.sha256:
            self.kept.link(self)

    @property
    def _hashes(self) -> Path:
        return self.kept.record.with_name("sha256.txt")

    def are_of(self, identity_sha256: str) -> bool:
        """Whether all four are there, of a run with that identity that need not be tried again."""
        if not self.exist:
            return False
        record = read_json(self.record)
        # Memory that did not suffice once may now.
        own: bool = record.get("identity_sha256") == identity_sha256
        return own and record["status"] != FAILED


def train_runs(
    requests: Sequence[RunConfig],
    corpus_path: Path,
    files: Sequence[str],
    snapshot_seconds: float,
    threads: int,
) -> None:
    """Train a cell's runs, one after another; those that are there already stay as they are.

    Parameters
    ----------
    requests
        One per seed.
    files
        Each seed's checkpoint, snapshots, history and record, in this order for each.

    Raises
    ------
    ActreproError, Stopped
        As `train_run`.
    """
    for request in requests:
        own = [Path(path) for path in files if paths.seed_of(path) == request.seed]
        names = {name: getattr(request, name) for name in ("scale", "model", "activation", "seed")}
        state = Path(paths.at(paths.TRAINING_STATE, **names))
        stopped_by = train_run(
            request, corpus_path, RunOutputs(*own), state, snapshot_seconds, threads
        )
        if stopped_by is not None and request is not requests[-1]:
            raise Stopped(stopped_by, "the same command trains the runs that are missing")


def train_run(
    request: RunConfig,
    corpus_path: Path,
    outputs: RunOutputs,
    state: Path,
    snapshot_seconds: float,
    threads: int,
) -> int | None:
    """Train one run and write its checkpoint, snapshots, history and record.

    Files that this very run has left already, of the same source, are kept. While another
    process trains it, wait for that one's files.

    Parameters
    ----------
    state
        A folder for what only an unfinished run needs; it is gone afterwards, unless the run
        failed: what it had trained is there when memory suffices another time.
    snapshot_seconds
        How much of training a killed job may lose.

    Returns
    -------
    int or None
        The signal that asked the process to end when the run was done all the same.

    Raises
    ------
    ActreproError
        When a file cannot be read.
    Stopped
        When a signal ended the process; the next one goes on from there.
    """
    # Beside the folder: in a folder that goes, another process could be about to lay its own.
    with hold(state.with_name(f"{state.name}.lock"), f"results of {request.name}"):
        device = prepare_torch(request.device, threads)
        corpus = load_corpus(corpus_path)
        identity = identity_of(request, corpus.sha256, device, threads)
        keeper = Keeper(state / "snapshot.safetensors", identity, snapshot_seconds)
        digest = identity_sha256(identity)
        if not outputs.are_of(digest):
            outputs.take_kept(digest)
        if outputs.are_of(digest):
            LOG.info("%s: is there already", request.name)
        else:
            with heeding_signals(keeper):
                run = train(request, corpus, device, keeper)
                record = run_record(request, corpus, run, device, threads)
                outputs.write(run, {**record, "identity_sha256": digest})
            if run.status == FAILED:
                return keeper.stopped_by
        outputs.keep()
        keeper.discard()
        _remove_if_empty(state)
    return keeper.stopped_by


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def run_record(
    request: RunConfig, corpus: Corpus, run: TrainedRun, device: torch.device, threads: int
) -> dict[str, Any]:
    """Everything needed to trace a run: what was asked, on what it ran, what came out."""
    cuda = device.type == "cuda"
    return {
        "run": request.name,
        "status": run.status,
        "why": run.why,
        "config": request.model_dump(mode="json"),
        "corpus_sha256": corpus.sha256,
        "symbols": len(corpus.symbols),
        "parameters": run.parameters,
        "final_step": run.checkpoint.final_step,
        "best_step": run.checkpoint.best_step,
        "weights_sha256": {
            rule: hash_weights(run.checkpoint.weights(rule)) for rule in ("final", "best")
        },
        "last_history": _finite(run.history[-1]._asdict()) if run.history else None,
        "seconds": run.seconds,
        "characters_per_second": run.characters_per_second,
        "sequences_at_once": run.at_once,
        "taken_up_at": run.taken_up_at,
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
