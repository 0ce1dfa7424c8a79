"""A timed run of this library: what the workflow's training job does, in a process of its own.

    python -m actrepro.benchmarking.ours RUN CORPUS FOLDER SNAPSHOT_SECONDS

RUN is a `RunConfig` as JSON. The run's files go to FOLDER; one line of JSON tells what it took.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from actrepro.config import RunConfig
from actrepro.errors import ActreproError
from actrepro.files import read_json
from actrepro.quickstart import leave_at_once, start_torch
from actrepro.status import FINISHED


def main(run: str, corpus: str, folder: str, snapshot_seconds: str) -> None:
    """Train the run on one thread, write its files, and print what it took.

    Raises
    ------
    ActreproError
        When the run diverges or fails: it has trained less than it was to.
    """
    request, out = RunConfig.model_validate_json(run), Path(folder)
    start_torch([request])
    from actrepro.training import RunOutputs, train_run

    outputs = RunOutputs(
        out / "checkpoint.safetensors",
        out / "snapshots.safetensors",
        out / "history.csv",
        out / "run.json",
    )
    train_run(request, Path(corpus), outputs, out / "state", float(snapshot_seconds), threads=1)
    record = read_json(outputs.record)
    if record["status"] != FINISHED:
        raise ActreproError(f"{request.name} {record['status']}: {record['why']}")
    protocol = request.protocol
    print(
        json.dumps(
            {
                "characters": record["final_step"] * protocol.batch * protocol.context,
                "training_seconds": record["seconds"],
                "selection_loss": record["last_history"]["selection_loss"],
                **{
                    key: record[key]
                    for key in ("parameters", "peak_memory_bytes", "peak_gpu_memory_bytes")
                },
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
    leave_at_once()
