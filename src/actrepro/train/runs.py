"""The job that trains the runs of a cell: their files, their records, and what resumes them.

A run whose files are there already, from the same source and settings, is not trained again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

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
from actrepro.train.history import HistoryRow, history_csv
from actrepro.train.loop import LOG, TrainedRun, train
from actrepro.train.resume import ResumeFile, catching_signals, identity_of
from actrepro.train.shapes import LastHistory, RunAsked, RunRecord


@dataclass(frozen=True)
class RunOutputs:
    """The four files of a run."""

    checkpoint: Path
    snapshots: Path
    history: Path
    record: Path

    def write(self, run: TrainedRun, record: RunRecord) -> None:
        """Write all four files. The record comes last: it says that the others are complete."""
        save_checkpoint(self.checkpoint, run.checkpoint)
        save_snapshots(self.snapshots, run.snapshots)
        write_text(self.history, history_csv(run.history))
        write_json(self.record, record)

    @property
    def files(self) -> tuple[Path, ...]:
        """All four files, the record last."""
        return (self.checkpoint, self.snapshots, self.history, self.record)

    @property
    def exist(self) -> bool:
        """True if all four files exist."""
        return all(path.exists() for path in self.files)

    @property
    def sha256(self) -> str:
        """The SHA-256 (hex) of all four files, concatenated."""
        return "".join(map(sha256_of, self.files))

    @property
    def backup(self) -> RunOutputs:
        """Hard links to the same files, in a folder that Snakemake does not know.

        Snakemake deletes the outputs of a job before it runs the job again. If Snakemake was
        killed and the job was not, these outputs may be complete.
        """
        return RunOutputs(*(path.parent / ".kept" / path.name for path in self.files))

    def hardlink_to(self, other: RunOutputs) -> None:
        """Link the paths of `other` to these files, where the file system has hard links."""
        with suppress(OSError):
            for source, target in zip(self.files, other.files, strict=True):
                if target.exists() and target.samefile(source):
                    continue
                with replacing(target) as partial:
                    partial.unlink(missing_ok=True)
                    partial.hardlink_to(source)
                # Snakemake expects outputs to be newer than inputs.
                target.touch()

    def back_up(self) -> None:
        """Link the files to their backup, and write hashes that reveal damage."""
        self.hardlink_to(self.backup)
        if self.backup.exist:
            with writing(self._hashes) as stream:
                stream.write(self.backup.sha256)

    def restore_backup(self, identity_sha256: str) -> None:
        """Restore the files from their backup, if it is undamaged and has this identity."""
        if not self._hashes.exists() or not self.backup.belong_to(identity_sha256):
            return
        if self._hashes.read_text(encoding="utf-8") == self.backup.sha256:
            self.backup.hardlink_to(self)

    @property
    def _hashes(self) -> Path:
        return self.backup.record.with_name("sha256.txt")

    def belong_to(self, identity_sha256: str) -> bool:
        """True if all four files exist and come from a run with this identity that did not fail."""
        if not self.exist:
            return False
        record: RunRecord = read_json(self.record)
        same: bool = record.get("identity_sha256") == identity_sha256
        # A run that failed lacked memory. It may have enough this time.
        return same and record["status"] != FAILED


def train_runs(
    requests: Sequence[RunConfig],
    corpus_path: Path,
    files: Sequence[str],
    save_state_seconds: float,
    threads: int,
) -> None:
    """Train the runs of a cell one after another, except those that are there already.

    Parameters
    ----------
    requests
        One per seed.
    files
        For each seed its checkpoint, snapshots, history and record, in this order.

    Raises
    ------
    ActreproError, Stopped
        As `train_run`.
    """
    for request in requests:
        outputs = [Path(path) for path in files if paths.seed_of(path) == request.seed]
        names = {name: getattr(request, name) for name in ("scale", "model", "activation", "seed")}
        state = Path(paths.at(paths.TRAINING_STATE, **names))
        stopped_by = train_run(
            request, corpus_path, RunOutputs(*outputs), state, save_state_seconds, threads
        )
        if stopped_by is not None and request is not requests[-1]:
            raise Stopped(stopped_by, "the same command trains the runs that are missing")


def train_run(
    request: RunConfig,
    corpus_path: Path,
    outputs: RunOutputs,
    state: Path,
    save_state_seconds: float,
    threads: int,
) -> int | None:
    """Train one run and write its checkpoint, snapshots, history and record.

    If the same run has left its files already, from the same source, they stay as they are. If
    another process is training the run, wait until it has finished.

    Parameters
    ----------
    state
        The folder for the resume point of an unfinished run. It is removed when the run is done.
        A run that failed keeps it, and continues from there when it has enough memory.
    save_state_seconds
        Seconds between two resume points: at most this much training is lost with a killed job.

    Returns
    -------
    int or None
        The signal that asked the process to stop, if the run finished nevertheless.

    Raises
    ------
    ActreproError
        When a file cannot be read.
    Stopped
        When a signal stopped the process. The next process continues from the resume point.
    """
    # The lock lies beside the folder, not in it: the folder is removed while others may wait.
    with hold(state.with_name(f"{state.name}.lock"), f"results of {request.name}"):
        device = prepare_torch(request.device, threads)
        corpus = load_corpus(corpus_path)
        identity = identity_of(request, corpus.sha256, device, threads)
        resume_file = ResumeFile(state / "snapshot.safetensors", identity, save_state_seconds)
        digest = identity_sha256(identity)
        if not outputs.belong_to(digest):
            outputs.restore_backup(digest)
        if outputs.belong_to(digest):
            LOG.info("%s: is there already", request.name)
        else:
            with catching_signals(resume_file):
                run = train(request, corpus, device, resume_file)
                record = run_record(request, corpus, run, device, threads)
                outputs.write(run, {**record, "identity_sha256": digest})
            if run.status == FAILED:
                return resume_file.stopped_by
        outputs.back_up()
        resume_file.discard()
        _remove_if_empty(state)
    return resume_file.stopped_by


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def run_record(
    request: RunConfig, corpus: Corpus, run: TrainedRun, device: torch.device, threads: int
) -> RunRecord:
    """Collect what traces a run: its settings, the machine it ran on, and its outcome."""
    cuda = device.type == "cuda"
    return {
        "run": request.name,
        "status": run.status,
        "why": run.why,
        "config": cast(RunAsked, request.model_dump(mode="json")),
        "corpus_sha256": corpus.sha256,
        "symbols": len(corpus.symbols),
        "parameters": run.parameters,
        "final_step": run.checkpoint.final_step,
        "best_step": run.checkpoint.best_step,
        "weights_sha256": {
            "final": hash_weights(run.checkpoint.weights("final")),
            "best": hash_weights(run.checkpoint.weights("best")),
        },
        "last_history": _last(run.history[-1]) if run.history else None,
        "seconds": run.seconds,
        "characters_per_second": run.characters_per_second,
        "sequences_at_once": run.microbatch,
        "taken_up_at": run.taken_up_at,
        "peak_memory_bytes": provenance.peak_memory_bytes(),
        "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated(device) if cuda else None,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "threads": threads,
        "machine": provenance.machine(),
        "packages": provenance.package_versions(),
        "git": provenance.git_state(),
    }


def _last(row: HistoryRow) -> LastHistory:
    return {
        "step": row.step,
        "train_loss": _finite(row.train_loss),
        "selection_loss": _finite(row.selection_loss),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
