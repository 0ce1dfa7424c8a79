"""Timed runs of this library: the workflow's training job in a process of its own.

    python -m actrepro.benchmark.programs.ours CORPUS FOLDER JOBS_PER_GPU SAVE_STATE_SECONDS RUN …

Each RUN is a `RunConfig` as JSON. The runs write their files to folders below FOLDER. The program
prints one line of JSON with the time and memory of all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.shapes import read_as
from actrepro.core.vocabulary import FINISHED
from actrepro.train.shapes import RunRecord
from actrepro.train.startup import exit_now, start_torch


def main(corpus: str, folder: str, jobs_per_gpu: str, save_state_seconds: str, *runs: str) -> None:
    """Train runs on one thread, one after another, and print their time and memory.

    Raises
    ------
    ActreproError
        When a run diverges or fails, since it has then trained less than it should.
    """
    requests = [RunConfig.model_validate_json(run) for run in runs]
    start_torch(requests, int(jobs_per_gpu))
    records = [
        _record(request, Path(corpus), Path(folder) / str(request.seed), float(save_state_seconds))
        for request in requests
    ]
    losses = [_selection_loss(record) for record in records]
    steps = sum(record["final_step"] for record in records)
    last, protocol = records[-1], requests[-1].protocol
    print(
        json.dumps(
            {
                "device": last["device"],
                "parameters": last["parameters"],
                "characters": steps * protocol.batch * protocol.context,
                "training_seconds": sum(record["seconds"] for record in records),
                "selection_loss": sum(losses) / len(losses),
                "peak_memory_bytes": last["peak_memory_bytes"],
                "peak_gpu_memory_bytes": last["peak_gpu_memory_bytes"],
            }
        )
    )


def _selection_loss(record: RunRecord) -> float:
    last = record["last_history"]
    if last is None or last["selection_loss"] is None:
        raise ActreproError(f"{record['run']}: found no loss on the selection text, expected one")
    return last["selection_loss"]


def _record(request: RunConfig, corpus: Path, folder: Path, seconds: float) -> RunRecord:
    from actrepro.train.runs import RunOutputs, train_run

    outputs = RunOutputs(
        folder / "checkpoint.safetensors",
        folder / "snapshots.safetensors",
        folder / "history.csv",
        folder / "run.json",
    )
    train_run(request, corpus, outputs, folder / "state", seconds, threads=1)
    record = read_as(RunRecord, outputs.record)
    if record["status"] != FINISHED:
        raise ActreproError(f"{request.name} {record['status']}: {record['why']}")
    return record


if __name__ == "__main__":
    main(*sys.argv[1:])
    exit_now()
