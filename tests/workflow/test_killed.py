"""The real workflow, killed as a power cut or a scheduler does, then called again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from study_folder import TINY, Study

from actrepro.core import paths

pytestmark = pytest.mark.workflow

CELL = "tiny/charlm/relu"
RESULTS = ("checkpoint.safetensors", "history.csv", "snapshots.safetensors")
SEEDS = (1, 2)
TARGETS = [f"results/{CELL}/seed{seed}/checkpoint.safetensors" for seed in SEEDS]
# Long enough to be killed on its way, a snapshot after each step.
LONGER = """
save_state_seconds: 0
protocols: {tiny: {iterations: 150, evaluate_every: 30}}
"""
ONE_BY_ONE, TOGETHER = "", "trained_together: [tiny]\n"


def _arguments(study: Study) -> list[str]:
    return [
        *TARGETS,
        "--cores",
        "1",
        "--configfile",
        str(study.workflow / TINY),
        str(study.folder / "longer.yaml"),
    ]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two runs that nothing stopped."""
    study = Study(tmp_path_factory.mktemp("unbroken"))
    (study.folder / "longer.yaml").write_text(LONGER, encoding="utf-8")
    study.snakemake(*_arguments(study), "--cores", "2")
    return study


@pytest.fixture
def study(tmp_path: Path, unbroken: Study) -> Study:
    """The same study before any training."""
    made = Study(tmp_path / "study")
    shutil.copytree(unbroken.folder / "results/corpora", made.folder / "results/corpora")
    return made


def _results(study: Study) -> dict[str, bytes]:
    runs = [study.folder / f"results/{CELL}/seed{seed}" for seed in SEEDS]
    return {f"{run.name}/{name}": (run / name).read_bytes() for run in runs for name in RESULTS}


@contextmanager
def _training(study: Study, seed: int) -> Iterator[subprocess.Popen[str]]:
    """Yield a running snakemake once the seed's run has written a new snapshot."""
    snapshot = study.folder / f"state/{CELL}/seed{seed}/snapshot.safetensors"
    before = _stamp(snapshot)
    with study.started(*_arguments(study)) as process:
        try:
            while _stamp(snapshot) == before:
                assert process.poll() is None
                time.sleep(0.01)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _taken_up_at(study: Study, seed: int) -> list[int]:
    return study.json(f"results/{CELL}/seed{seed}/run.json")["taken_up_at"]


def _log(study: Study, seed: int, together: bool) -> str:
    pattern = paths.log_of("train", paths.CELL if together else paths.RUN)
    names = {"scale": "tiny", "model": "charlm", "activation": "relu", "seed": seed}
    return (study.folder / paths.at(pattern, **names)).read_text(encoding="utf-8")


@pytest.mark.parametrize("how", [ONE_BY_ONE, TOGETHER])
def test_a_workflow_killed_with_all_its_jobs_goes_on_to_the_same_bytes(
    how: str, study: Study, unbroken: Study
) -> None:
    (study.folder / "longer.yaml").write_text(LONGER + how, encoding="utf-8")
    with _training(study, seed=2) as process:
        os.killpg(process.pid, signal.SIGKILL)
    study.snakemake(*_arguments(study), "--unlock")
    study.snakemake(*_arguments(study))
    (step,) = _taken_up_at(study, seed=2)
    assert 0 < step < 150
    log = _log(study, 2, how == TOGETHER)
    assert f"seed2: taken up at step {step}\n" in log
    # What was done in time is not done again.
    assert ("seed1: is there already" in log) == (how == TOGETHER)
    assert _results(study) == _results(unbroken)
    assert not list(study.folder.glob("state/tiny/**/*.*"))


def test_a_training_process_asked_to_stop_goes_on_to_the_same_bytes(
    study: Study, unbroken: Study
) -> None:
    (study.folder / "longer.yaml").write_text(LONGER, encoding="utf-8")
    with _training(study, seed=1) as process:
        lock = study.folder / f"state/{CELL}/seed1.lock"
        os.kill(json.loads(lock.read_text(encoding="utf-8"))["process"], signal.SIGTERM)
        output, _ = process.communicate()
    assert process.returncode == 1
    stopped = "stopped by SIGTERM: the same command takes training up where it is now"
    assert stopped in _log(study, 1, together=False)
    assert stopped in output
    assert "Error in rule train" in output
    # The other run is trained all the same.
    assert _taken_up_at(study, seed=2) == []
    study.snakemake(*_arguments(study))
    (step,) = _taken_up_at(study, seed=1)
    assert f"taken up at step {step}\n" in _log(study, 1, together=False)
    assert _results(study) == _results(unbroken)


def test_neither_cores_nor_training_together_change_a_byte(tmp_path: Path) -> None:
    runs = [
        f"{model}/{activation}/seed{seed}"
        for model in ("charlm", "convlm")
        for activation in ("relu", "swiglu")
        for seed in (1, 2, 3)
    ]
    targets = [f"results/tiny/{run}/checkpoint.safetensors" for run in runs]
    found = []
    for how in (["--cores", "1", "--config", "trained_together=tiny"], ["--cores", "2"]):
        study = Study(tmp_path / how[1])
        study.tiny(*targets, *how)
        found.append(
            [
                (study.folder / f"results/tiny/{run}/{name}").read_bytes()
                for run in runs
                for name in RESULTS
            ]
        )
    assert found[0] == found[1]
