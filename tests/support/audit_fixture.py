"""The audit's CharLM study, made up: its losses are what a test says they are."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import synthetic
from study_folder import REPOSITORY

from actrepro.audit import paths as audit_paths
from actrepro.audit.config import parse_audit
from actrepro.audit.results import Results, read_results
from actrepro.config.reading import default_study
from actrepro.config.study import Study
from actrepro.core import paths
from actrepro.core.files import read_json, read_npz, write_json, write_npz

STUDY = default_study()
CLAIMS = REPOSITORY / "resources/claims"
Run = tuple[str, int]


def _history(loss: float) -> dict[str, float]:
    return {"step": 100, "train_loss": loss, "selection_loss": loss}


class Audited:
    """A folder with the statistics of the audit's CharLM, as the workflow leaves them.

    `losses` are losses at the final step by activation and seed, in nats: the same on the
    test half, on the selection half, and on training text.
    """

    def __init__(self, folder: Path, losses: Mapping[Run, float], study: Study = STUDY) -> None:
        self.folder = folder
        self.study = study
        self.audit = parse_audit(study)
        runs_of = self.audit.study_of(study)
        self.file = Path(paths.at(paths.MODEL_STATS, scale=self.audit.folder, model="charlm"))
        part = self.audit
        runs = [(activation, seed) for activation in part.activations for seed in part.seeds]
        config = {
            run: runs_of.run_config(self.audit.folder, "charlm", *run).model_dump(mode="json")
            for run in runs
        }
        self.model = synthetic.Model(
            folder / "made",
            part.activations,
            part.seeds,
            scale=self.audit.folder,
            records={
                run: {"config": config[run], "last_history": _history(losses.get(run, 2.5))}
                for run in runs
            },
        )
        self.model.write()
        for run, loss in losses.items():
            self._set_loss(run, loss)
        self._write()

    def add_to_loss(self, run: Run, by: float) -> None:
        """Change one run's test loss, and everything that statistics make of it."""
        self._set_loss(run, self.loss(run) + by)
        self._write()

    def loss(self, run: Run) -> float:
        """A run's test loss."""
        return float(self._scores(read_json(self._cell(run)), run)["loss.all"])

    def _cell(self, run: Run) -> Path:
        return self.model.path(run[0], "differences.json")

    @staticmethod
    def _scores(cell: Mapping[str, Any], run: Run) -> dict[str, Any]:
        found: dict[str, Any] = next(
            one for one in cell["rules"]["final"]["runs"] if one["seed"] == run[1]
        )
        return found

    def _set_loss(self, run: Run, loss: float) -> None:
        cell = read_json(self._cell(run))
        scores = self._scores(cell, run)
        by = loss - scores["loss.all"]
        scores["loss.all"] = loss
        write_json(self._cell(run), cell)
        arrays = read_npz(self.model.matrices)
        blocks = np.array(arrays["final.blocks.loss"])
        blocks[self.model.runs.index(run)] += by
        write_npz(self.model.matrices, **{**arrays, "final.blocks.loss": blocks})

    def _write(self) -> None:
        self.model.write_statistics()
        target = self.folder / self.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.model.stats, target)

    def results(self, controls: Mapping[str, Any], facts: Mapping[str, Any] | None) -> Results:
        """What the audit reads, its files named as they lie below the working folder."""
        files = []
        for name, control in controls.items():
            path = self.folder / paths.at(audit_paths.CONTROL, control=name)
            write_json(path, control)
            files.append(path)
        if facts is not None:
            write_json(self.folder / audit_paths.FACTS, facts)
        return read_results(
            self.study,
            [self.file],
            [path.relative_to(self.folder) for path in files],
            None if facts is None else Path(audit_paths.FACTS),
        )
