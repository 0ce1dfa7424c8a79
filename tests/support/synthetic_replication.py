"""Two results folders with synthetic runs, as two machines would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import synthetic

from actrepro.core.files import read_json, write_json
from actrepro.data.evaluation_set import EvaluationSet, evaluation_set
from actrepro.predict.store import OWN_RULES, Predictions, save_predictions
from actrepro.predict.validity import targets_of
from actrepro.replication.compare import ComparisonFiles, compare_scale
from actrepro.replication.folder import RunName, files_of_run

SCALE = "tiny"
MACHINE = {"system": "Linux", "architecture": "x86_64", "processor": "A <Chip> & Co", "cores": 2}
GPU = {"device": "NVIDIA H100", "packages": {"python": "3.11", "torch": "2.7"}}


def certain(evaluation: EvaluationSet, share: float, name: str) -> Predictions:
    """Return predictions that give each true symbol `share` and all others equal parts.

    Two of them have the total variation |share - share'|, and the loss -ln(share).
    """
    probabilities = {}
    for rule in OWN_RULES:
        for positions, targets in targets_of(evaluation).items():
            rest = (1 - share) / (len(evaluation.symbols) - 1)
            rows = np.full((len(targets), len(evaluation.symbols)), rest)
            rows[np.arange(len(targets)), targets] = share
            probabilities[rule, positions] = synthetic.normalised(rows)
    text = np.zeros((4, 8), dtype=np.uint8)
    hashes = {rule: f"{rule} {name}" for rule in OWN_RULES}
    return Predictions(probabilities, dict.fromkeys(OWN_RULES, text), evaluation.sha256, hashes)


class Folders:
    """Our results folder and theirs."""

    def __init__(self, folder: Path) -> None:
        self.here = folder / "results"
        self.there = folder / "gpu/results"
        self.evaluation = evaluation_set(synthetic.corpus(), synthetic.BLOCK, None)
        self.evaluation_path = folder / "evaluation.npz"
        self.output = folder / "elsewhere.json"
        self.runs: list[RunName] = []
        self.evaluation.save(self.evaluation_path)

    def add(self, run: RunName, here: Predictions, there: Predictions) -> None:
        """Write a run to both folders; theirs ran on a GPU, with another torch."""
        self.runs.append(run)
        write(self.here, run, here)
        write(self.there, run, there, **GPU)

    def compare(self, confidence: float = 0.95) -> dict[str, Any]:
        compare_scale(
            SCALE,
            self.runs,
            confidence,
            ComparisonFiles(self.here, self.there, self.evaluation_path, self.output),
        )
        return read_json(self.output)


def write(folder: Path, run: RunName, made: Predictions, **record: Any) -> None:
    """Write a run's record, with parts of it replaced, and its predictions."""
    record_path, predictions_path = files_of_run(folder, SCALE, run)
    write_json(record_path, synthetic.record(*run, made) | {"machine": MACHINE} | record)
    save_predictions(predictions_path, made)


def change_record(folder: Path, run: RunName, **changes: Any) -> None:
    """Change parts of a run's record."""
    path = files_of_run(folder, SCALE, run)[0]
    write_json(path, read_json(path) | changes)


def asked(folder: Path, run: RunName, **protocol: Any) -> Mapping[str, Any]:
    """Return a run's request, with parts of its protocol replaced."""
    config = read_json(files_of_run(folder, SCALE, run)[0])["config"]
    return {**config, "protocol": config["protocol"] | protocol}
