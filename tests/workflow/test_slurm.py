"""The real workflow on a real Slurm: a node, a stand-in for a GPU, no accounting database."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cluster
import pytest
from study_folder import REPOSITORY, TINY, Study

pytestmark = pytest.mark.workflow

PROFILE = REPOSITORY / "profiles/slurm"
PATIENCE = 240.0  # seconds, for what a busy machine does in ten
# CharLM, whose training a test may hold up, and which takes its time where it has a minute.
HELD = """
import os, subprocess, sys, time
from pathlib import Path
from actrepro.models.zoo import charlm

def training():
    return sys.argv[0].endswith("train.py")

def has_a_minute():
    job = os.environ.get("SLURM_JOB_ID")
    limit = ["squeue", "--noheader", "--format=%l", f"--jobs={job}"]
    return job and subprocess.check_output(limit, text=True).strip() == "1:00"

def build(spec):
    while training() and Path("held").exists():
        time.sleep(0.1)
    model = charlm.build(spec)
    if training() and has_a_minute():
        model.register_forward_pre_hook(lambda *_: time.sleep(0.5))
    return model
"""
SETTINGS = """
models: [heldlm]
seeds: [1, 2]
custom_models: {heldlm: heldlm, brokenlm: brokenlm}
protocols: {tiny: {iterations: 200, evaluate_every: 50}}
save_state_seconds: 0
"""
PARTITIONS = """
partitions:
  cpu: {max_gpu: 0}
  gpu: {max_gpu: 1}
"""
LOGIN_NODE = """
import importlib.metadata

found = importlib.metadata.version
importlib.metadata.version = lambda name: found(name).removesuffix("+cpu")
"""
TOGETHER = "trained_together=tiny"
RUNS = {1: "results/tiny/heldlm/gelu/seed1", 2: "results/tiny/heldlm/gelu/seed2"}
RECORDS = [f"{run}/run.json" for run in RUNS.values()]
BROKEN = "results/tiny/brokenlm/gates.json"
SUMMARY = "results/tiny/summary.txt"


def _study(folder: Path) -> Study:
    study = Study(folder)
    (folder / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
    (folder / "partitions.yaml").write_text(PARTITIONS, encoding="utf-8")
    (folder / "heldlm.py").write_text(HELD, encoding="utf-8")
    (folder / "brokenlm.py").write_text("def build(spec):\n    return None\n", encoding="utf-8")
    return study


def _settings(study: Study, *config: str) -> list[str]:
    named = ["--config", *config] if config else []
    return [*named, "--configfile", str(study.workflow / TINY), str(study.folder / "settings.yaml")]


def _on_slurm(study: Study, *resources: str) -> list[str]:
    return [
        "--profile",
        str(PROFILE),
        "--slurm-init-seconds-before-status-checks=2",
        f"--slurm-partition-config={study.folder / 'partitions.yaml'}",
        "--set-resources",
        *resources,
    ]


# What would ask for a GPU where one is: here the jobs hold it, and compute on the CPU.
WITH_GPU = [f"{rule}:gpu=1" for rule in ("gates", "train_cell", "predict", "predict_matched")]


class Output:
    """Output of a process, read while it runs."""

    def __init__(self, path: Path, process: subprocess.Popen[str]) -> None:
        self.path = path
        self.process = process

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def ended(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def _begun(study: Study, name: str, *arguments: str) -> Iterator[Output]:
    """Yield a running snakemake with its output in a file; kill it at the end if it still runs."""
    path = study.folder / f"{name}.out"
    with path.open("w", encoding="utf-8") as out:
        # No --cores: it would bound all jobs of the cluster together.
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "snakemake",
                "--snakefile",
                REPOSITORY / "Snakefile",
                *arguments,
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=study.folder,
            env=study.environment(),
        )
        try:
            yield Output(path, process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait_for(found: Callable[[], object], output: Output) -> None:
    until = time.monotonic() + PATIENCE
    while not found():
        assert output.process.poll() is None, output.text
        assert time.monotonic() < until, output.text
        time.sleep(0.1)


def _holder(study: Study, run: str) -> str | None:
    """Return the Slurm job that trains a run."""
    lock = study.folder / f"{run.replace('results', 'state')}.lock"
    try:
        return json.loads(lock.read_text(encoding="utf-8"))["slurm_job"]
    except (OSError, ValueError):
        return None


def _slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Happened:
    """Finished studies with Snakemake's output."""

    local: Study
    whole: Study
    stopped: Study
    before_the_kill: str = ""
    after_the_kill: str = ""
    went_on: str = ""
    stops: str = ""
    cancelled: str = ""


@pytest.fixture(scope="module")
def _slurm_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    reason = cluster.obstacle()
    if reason is None and importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        reason = "needs snakemake-executor-plugin-slurm, which is not installed"
    if reason is not None:
        pytest.skip(reason)
    with cluster.running(tmp_path_factory.mktemp("slurm"), cores=8):
        yield


@pytest.fixture(scope="module")
def happened(_slurm_runs: None, tmp_path_factory: pytest.TempPathFactory) -> Happened:
    """Run a whole study and, since each takes minutes, stopped jobs at the same time."""
    local, whole, stopped = (
        _study(tmp_path_factory.mktemp(name)) for name in ("local", "whole", "stopped")
    )
    found = Happened(local, whole, stopped)
    here = ["summary", *RECORDS, "--cores", "2", *_settings(local, TOGETHER)]
    with _begun(local, "local", *here) as reference, _stopping(stopped, found):
        _kill_and_restart(whole, found)
        assert reference.ended() == 0, reference.text
    return found


@contextmanager
def _stopping(study: Study, found: Happened) -> Iterator[None]:
    """Run two runs that Slurm ends: one cancelled by a user, one by its time limit."""
    minute = "train:runtime=1 if attempt == 1 else 9"
    arguments = [*RECORDS, BROKEN, *_on_slurm(study, minute), *_settings(study)]
    with _begun(study, "stops", *arguments) as output:
        snapshot = study.folder / "state/tiny/heldlm/gelu/seed2/snapshot.safetensors"
        _wait_for(snapshot.exists, output)
        found.cancelled = _holder(study, RUNS[2]) or ""
        _slurm("scancel", found.cancelled)
        yield
        # One target cannot be made.
        assert output.ended() == 1, output.text
        found.stops = output.text


def _kill_and_restart(study: Study, found: Happened) -> None:
    """Kill a study's Snakemake while a cell is in training, then start it again."""
    (study.folder / "held").touch()
    arguments = [*_on_slurm(study, *WITH_GPU), *_settings(study, TOGETHER)]
    cells = [f"results/tiny/heldlm/{activation}/seed1" for activation in ("relu", "swiglu")]
    with _begun(study, "killed", *arguments) as output:
        _wait_for(lambda: any(_holder(study, cell) for cell in cells), output)
        found.went_on = next(filter(None, (_holder(study, cell) for cell in cells)))
        os.kill(output.process.pid, signal.SIGKILL)
        output.ended()
        found.before_the_kill = output.text
    study.snakemake("--unlock", *_settings(study, TOGETHER))
    with _begun(study, "restarted", *arguments) as output:
        _wait_for(lambda: "has been submitted" in output.text, output)
        (study.folder / "held").unlink()
        assert output.ended() == 0, output.text
        found.after_the_kill = output.text


def _same(made: Study, local: Study, pattern: str) -> None:
    """Check whether a study's files equal the local study's to the byte."""
    files = sorted(path.relative_to(made.folder) for path in made.folder.glob(pattern))
    assert files
    for path in files:
        assert (made.folder / path).read_bytes() == (local.folder / path).read_bytes(), path


@pytest.mark.parametrize(
    "pattern",
    [
        "results/tiny/*lm/*/*/*.safetensors",
        "results/tiny/*lm/*/*/history.csv",
        "results/tiny/*lm/*/*/predictions*.npz",
        "results/tiny/*lm/*/differences.json",
        "results/tiny/*lm/differences*",
        "results/tiny/[cp]*.csv",
        SUMMARY,
    ],
)
def test_a_study_on_slurm_is_to_the_byte_a_local_one(happened: Happened, pattern: str) -> None:
    _same(happened.whole, happened.local, pattern)


def test_a_study_is_a_few_jobs(happened: Happened) -> None:
    submitted = re.findall(r"submitted with SLURM jobid (\d+)", happened.after_the_kill)
    # Gates, two cells, their common loss, and their statistics.
    assert 3 <= len(submitted) <= 5


def test_a_finished_study_submits_nothing(happened: Happened) -> None:
    study = happened.whole
    arguments = [*_on_slurm(study, *WITH_GPU), *_settings(study, TOGETHER)]
    with _begun(study, "again", *arguments) as output:
        assert output.ended() == 0
        assert "Nothing to be done" in output.text


def test_jobs_with_a_gpu_have_it_one_after_another(happened: Happened) -> None:
    fields = "Partition:20,tres-per-job:20,StartTime:20,EndTime:20,WorkDir:999"
    listed = _slurm("squeue", "--states=all", "--noheader", f"--Format={fields}").splitlines()
    jobs = [line.split() for line in listed if line.split()[-1] == str(happened.whole.folder)]
    assert all((partition == "gpu") == (gpu == "gres:gpu:1") for partition, gpu, *_ in jobs)
    with_gpu = sorted((begin, end) for partition, _, begin, end, _ in jobs if partition == "gpu")
    assert len(with_gpu) >= 5
    for (_, end), (begin, _) in pairwise(with_gpu):
        assert end <= begin


def _log(study: Study, name: str) -> str:
    return (study.folder / f"logs/{name}.log").read_text(encoding="utf-8")


def test_a_run_that_went_on_without_its_snakemake_is_not_trained_twice(happened: Happened) -> None:
    assert f"jobid {happened.went_on} " in happened.before_the_kill
    assert f"jobid {happened.went_on} " not in happened.after_the_kill
    state = _slurm(
        "squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={happened.went_on}"
    )
    assert state == "COMPLETED"
    for activation in ("relu", "swiglu"):
        log = _log(happened.whole, f"train/tiny/heldlm/{activation}")
        assert log.count("is there already") == 2, log
        assert "step" not in log


def test_a_cancelled_job_shows_its_log_and_is_taken_up(happened: Happened) -> None:
    assert (
        f"SLURM-job '{happened.cancelled}' failed, SLURM status is: 'CANCELLED'" in happened.stops
    )
    _goes_on(happened, 2)


def test_a_job_out_of_time_shows_its_log_and_is_taken_up(happened: Happened) -> None:
    assert "SLURM status is: 'TIMEOUT'" in happened.stops
    _goes_on(happened, 1)


def _goes_on(happened: Happened, seed: int) -> None:
    stopped = "stopped by SIGTERM: the same command takes training up where it is now"
    assert happened.stops.count(stopped) >= 2
    (step,) = happened.stopped.json(RECORDS[seed - 1])["taken_up_at"]
    assert 0 < step < 200
    _same(happened.stopped, happened.local, f"{RUNS[seed]}/*.safetensors")


def test_a_job_that_fails_shows_its_log_and_stops_no_other(happened: Happened) -> None:
    assert "a model's build(spec) must return a module" in happened.stops
    assert not (happened.stopped.folder / BROKEN).exists()


def test_the_machine_that_submits_does_not_guess_the_device(happened: Happened) -> None:
    """A login node has torch with CUDA but no GPU."""
    study = happened.stopped
    (study.folder / "sitecustomize.py").write_text(LOGIN_NODE, encoding="utf-8")
    arguments = [BROKEN, *_on_slurm(study, "train:runtime=1"), *_settings(study, "device=auto")]
    with _begun(study, "guess", *arguments) as output:
        assert output.ended() == 1
    assert "say --config device=cuda" in output.text
    assert "submitted" not in output.text


def test_the_benchmark_asks_for_as_many_cores_as_it_is_given(happened: Happened) -> None:
    """More than the machine that submits has: `cores: all` of profiles/default is no limit."""
    study = happened.stopped
    arguments = ["benchmark", "--cores", "3", *_on_slurm(study, "train:runtime=1")]
    with _begun(study, "benchmark", *arguments, *_settings(study)) as output:
        assert output.ended() == 0, output.text
    (job,) = re.findall(r"submitted with SLURM jobid (\d+)", output.text)
    asked = _slurm("squeue", "--states=all", "--noheader", "--format=%C", f"--jobs={job}")
    assert asked == "3"
