"""Runs that are killed at any moment, any number of times, end in the bytes of unbroken ones.

Damaged or foreign resume points and backups are never used.
"""

from __future__ import annotations

import errno
import itertools
import json
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import synthetic
import torch
from forking import ended, forked, kill, kill_at, moments, needs_forks, started
from safetensors import safe_open
from safetensors.torch import save_file

from actrepro.config.study import RunConfig
from actrepro.core import locks
from actrepro.core import machine as provenance
from actrepro.core.errors import Stopped
from actrepro.core.files import partial_of, read_json
from actrepro.core.jobs import job
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import make_evaluation
from actrepro.predict.predictor import CellFiles, predict_cell
from actrepro.provenance.fingerprint import training_fingerprint
from actrepro.train import resume, runs
from actrepro.train.history import read_history
from actrepro.train.resume import ResumeFile, ResumePoint, catching_signals, identity_of
from actrepro.train.runs import RunOutputs, train_run
from actrepro.train.stepping import Stepper

pytestmark = needs_forks

CPU = torch.device("cpu")
KILLED = -signal.SIGKILL
NEVER = 3600.0
OUTPUTS = ("checkpoint.safetensors", "snapshots.safetensors", "history.csv", "run.json")
# What a record tells of what came out, and not of the way there.
CAME_OUT = ("status", "why", "parameters", "final_step", "best_step", "weights_sha256")
CAME_OUT += ("last_history", "sequences_at_once", "config", "corpus_sha256", "threads")
STEPS = 12
# Each keeps snapshots, and ends after its best step.
REQUESTS = {
    "charlm": synthetic.request(
        "charlm", seed=3, layers=1, dropout=0.2, evaluate_every=2, learning_rate=0.05
    ),
    "hybridlm": synthetic.request(
        "hybridlm", seed=1, layers=1, dropout=0.2, evaluate_every=2, learning_rate=0.2
    ),
    "tinylstm": synthetic.request(
        "tinylstm", seed=2, layers=1, dropout=0.2, evaluate_every=2, learning_rate=0.05
    ),
}
MODELS = tuple(REQUESTS)


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Run:
    """A run, trained in its own folder, each time by a new process."""

    folder: Path
    request: RunConfig = REQUESTS["charlm"]
    # A snapshot after each step.
    save_state_seconds: float = 0.0
    threads: int = 1
    corpus: Corpus = field(default_factory=synthetic.corpus)

    @property
    def snapshot(self) -> Path:
        return self.folder / "state/snapshot.safetensors"

    @property
    def log(self) -> str:
        """Return the log of the last process."""
        return (self.folder / "train.log").read_text(encoding="utf-8")

    @property
    def taken_up_at(self) -> list[int]:
        return read_json(self.folder / "run.json")["taken_up_at"]

    def train(self, before: Callable[[], object] = _nothing) -> int:
        """Train the run in a process, and return how it ended; `before` may interfere."""
        return forked(lambda: self.work(before))

    def work(self, before: Callable[[], object] = _nothing) -> None:
        # Asking git takes as long as the training here.
        provenance.git_state = lambda: {"commit": None, "dirty": None}
        self.folder.mkdir(exist_ok=True)
        self.corpus.save(self.folder / "corpus.npz")
        before()
        with job(str(self.folder / "train.log")):
            self.work_here()

    def work_here(self) -> None:
        train_run(
            self.request,
            self.folder / "corpus.npz",
            RunOutputs(*(self.folder / name for name in OUTPUTS)),
            self.folder / "state",
            self.save_state_seconds,
            self.threads,
        )

    def results(self) -> dict[str, Any]:
        """Return all results: bytes, and the record."""
        record = read_json(self.folder / "run.json")
        left = {name: (self.folder / name).read_bytes() for name in OUTPUTS[:3]}
        return {**left, **{key: record[key] for key in CAME_OUT}}

    def finishes_as(self, other: Run) -> None:
        """Train to the end, and check that only the results of another run are left."""
        assert self.train() == 0, self.log
        assert self.results() == other.results()
        assert not list(self.folder.glob("state*"))
        assert not list(self.folder.rglob("*.partial"))


@pytest.fixture(scope="module", autouse=True)
def _read_source() -> None:
    """Read the source once, not in every process."""
    for model in MODELS:
        training_fingerprint(model, ["relu"])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Runs that nothing stopped, each trained once."""
    trained: dict[str, Run] = {}

    def of(like: Run) -> Run:
        name = f"{like.request} {like.threads} {like.corpus.sha256}"
        if name not in trained:
            run = replace(
                like, folder=tmp_path_factory.mktemp("unbroken"), save_state_seconds=NEVER
            )
            assert run.train() == 0
            assert run.taken_up_at == []
            trained[name] = run
        return trained[name]

    return of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def _at_step(step: int, act: Callable[[], object]) -> Callable[[], None]:
    """Act, in a process, when this number of steps is done, before the next."""

    def patch() -> None:
        take = Stepper.step

        def taking(self: Stepper, number: int) -> None:
            if number == step:
                act()
            take(self, number)

        Stepper.step = taking  # type: ignore[method-assign]

    return patch


def _send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("model", MODELS)
def test_the_runs_here_have_a_best_step_and_snapshots_on_the_way(
    model: str, unbroken: Callable[..., Run]
) -> None:
    run = unbroken(Run(Path(), REQUESTS[model]))
    record = read_json(run.folder / "run.json")
    with safe_open(run.folder / "snapshots.safetensors", framework="pt") as file:
        steps = json.loads(file.metadata()["steps"])
    assert len(steps) >= 2
    assert steps[-1] < record["best_step"] < record["final_step"] == STEPS
    assert len(read_history(run.folder / "history.csv")) == 7


@pytest.mark.parametrize("model", MODELS)
def test_killed_at_any_moment_it_ends_in_the_same_bytes(
    model: str, tmp_path: Path, unbroken: Callable[..., Run]
) -> None:
    counted = Run(tmp_path / "counted", REQUESTS[model])
    assert forked(lambda: _write_number(tmp_path / "moments", moments(counted.work))) == 0
    whole = int((tmp_path / "moments").read_text(encoding="utf-8"))
    draw = random.Random(model)
    for number in range(3):
        run = Run(tmp_path / f"run{number}", REQUESTS[model])
        killed = kill_at(draw.randrange(whole - 500)), kill_at(draw.randrange(whole // 2))
        assert run.train(killed[0]) == KILLED
        # What is left to do may be less.
        assert run.train(killed[1]) in (KILLED, 0)
        run.finishes_as(unbroken(run))


def _write_number(path: Path, number: int) -> None:
    path.write_text(str(number), encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "step"), [*((model, 5) for model in MODELS), *(("charlm", one) for one in (0, 1, 11))]
)
def test_killed_before_a_step_it_goes_on_from_there(
    model: str, step: int, tmp_path: Path, unbroken: Callable[..., Run]
) -> None:
    run = Run(tmp_path / "run", REQUESTS[model])
    assert run.train(_at_step(step, kill)) == KILLED
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == ([step] if step else [])
    assert (f"taken up at step {step}" in run.log) == (step > 0)


def test_killed_twice_it_tells_where_it_went_on(run: Run, unbroken: Callable[..., Run]) -> None:
    assert run.train(_at_step(4, kill)) == KILLED
    assert run.train(_at_step(9, kill)) == KILLED
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == [4, 9]


def test_killed_from_outside_again_and_again_it_comes_to_its_end(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    draw = random.Random(0)
    for _ in range(6):
        process = started(run.work)
        time.sleep(draw.uniform(0.02, 0.2))
        os.kill(process, signal.SIGKILL)
        ended(process)
    run.finishes_as(unbroken(run))


def test_killed_before_its_first_snapshot_it_begins_again(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    assert replace(run, save_state_seconds=NEVER).train(_at_step(7, kill)) == KILLED
    assert not run.snapshot.exists()
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == []


@pytest.mark.parametrize("number", [1, 2, 7])
@pytest.mark.parametrize("save_state_seconds", [0.0, NEVER])
def test_killed_while_it_writes_a_snapshot_it_has_the_one_before(
    number: int, save_state_seconds: float, run: Run, unbroken: Callable[..., Run]
) -> None:
    assert run.train(lambda: _kill_within(run.snapshot, number)) == KILLED
    partial = partial_of(run.snapshot)
    assert partial.exists()
    assert run.snapshot.exists() == (number > 1)
    replace(run, save_state_seconds=save_state_seconds).finishes_as(unbroken(run))
    assert run.taken_up_at == ([number - 1] if number > 1 else [])


def _kill_within(path: Path, number: int) -> None:
    """End the process when it has written a part of a file for the n-th time."""
    write, begin, count = Path.write_bytes, Path.open, itertools.count(1)

    def half(self: Path, data: bytes) -> int:
        if self == partial_of(path) and next(count) == number:
            write(self, data[: len(data) // 2])
            kill()
        return write(self, data)

    def piece(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        # JSON is written piece by piece.
        if self == partial_of(path) and mode == "w" and next(count) == number:
            with begin(self, mode, *arguments, **options) as stream:
                stream.write("{")
            kill()
        return begin(self, mode, *arguments, **options)

    Path.write_bytes = half  # type: ignore[method-assign,assignment]
    Path.open = piece  # type: ignore[method-assign,assignment]


def test_killed_between_writing_a_snapshot_and_moving_it_it_has_the_one_before(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    def kill_at_third() -> None:
        move, count = Path.replace, itertools.count(1)
        Path.replace = lambda self, to: (  # type: ignore[method-assign]
            kill() if next(count) == 3 else move(self, to)
        )

    assert run.train(kill_at_third) == KILLED
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == [2]


WRITTEN = ("save_checkpoint", "save_snapshots", "write_text", "write_json")


@pytest.mark.parametrize(
    ("function", "save_state_seconds"), [*((one, 0.0) for one in WRITTEN), (WRITTEN[2], NEVER)]
)
def test_killed_between_two_of_its_results_it_writes_them_all(
    function: str, save_state_seconds: float, tmp_path: Path, unbroken: Callable[..., Run]
) -> None:
    run = Run(tmp_path / "run", save_state_seconds=save_state_seconds)
    assert run.train(lambda: setattr(runs, function, lambda *_: kill())) == KILLED
    there = [(run.folder / name).exists() for name in OUTPUTS]
    assert there == [place < WRITTEN.index(function) for place in range(4)]
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == ([] if save_state_seconds else [STEPS - 1])


@pytest.mark.parametrize("name", OUTPUTS)
def test_killed_in_the_middle_of_a_result_it_writes_them_all(
    name: str, run: Run, unbroken: Callable[..., Run]
) -> None:
    assert run.train(lambda: _kill_within(run.folder / name, 1)) == KILLED
    assert not (run.folder / name).exists()
    run.finishes_as(unbroken(run))


def test_killed_when_all_is_written_it_has_nothing_to_do(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    assert run.train(lambda: setattr(ResumeFile, "discard", lambda _: kill())) == KILLED
    assert run.snapshot.exists()
    run.finishes_as(unbroken(run))
    assert "is there already" in run.log


@pytest.mark.parametrize("model", MODELS)
def test_a_run_that_was_killed_predicts_the_same(
    model: str, tmp_path: Path, unbroken: Callable[..., Run]
) -> None:
    run = Run(tmp_path / "run", REQUESTS[model])
    assert run.train(_at_step(3, kill)) == KILLED
    assert run.train(_at_step(8, kill)) == KILLED
    assert run.train() == 0
    runs = (run, unbroken(run))
    corpus, evaluation = run.folder / "corpus.npz", tmp_path / "evaluation.npz"
    make_evaluation(corpus, synthetic.BLOCK, None, evaluation, tmp_path / "evaluation.json")
    predictions = [tmp_path / "killed.npz", tmp_path / "unbroken.npz"]
    for one, output in zip(runs, predictions, strict=True):
        seed = run.request.seed
        checkpoint = one.folder / OUTPUTS[0]
        files = CellFiles(corpus, evaluation, {seed: checkpoint}, {seed: output})
        predict_cell([run.request], files, threads=1)
    assert predictions[0].read_bytes() == predictions[1].read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_after_the_step_and_goes_on_from_there(
    number: signal.Signals, run: Run, unbroken: Callable[..., Run]
) -> None:
    stopped = replace(run, save_state_seconds=NEVER)
    assert stopped.train(_at_step(6, _send(number))) == 128 + number
    said = f"stopped by {number.name}: the same command takes training up where it is now"
    assert said in run.log
    assert "Traceback" not in run.log
    assert not list(run.folder.glob("*.*.*"))
    assert not (run.folder / "run.json").exists()
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == [7]
    assert "taken up at step 7" in run.log


def test_stopped_again_and_again_it_comes_to_its_end(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    stopped = replace(run, save_state_seconds=NEVER)
    for step in (0, 1, 5, 10):
        assert stopped.train(_at_step(step, _send(signal.SIGTERM))) == 128 + signal.SIGTERM
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == [1, 2, 6, 11]


def test_told_to_stop_without_room_for_a_snapshot_it_says_that_it_begins_again(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    def work() -> None:
        resume.save = _no_room
        _at_step(6, _send(signal.SIGTERM))()

    assert run.train(work) == 128 + signal.SIGTERM
    assert "stopped by SIGTERM: the same command begins training again" in run.log
    run.finishes_as(unbroken(run))
    assert run.taken_up_at == []


def _no_room(*_: object) -> bytes:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("function", [*WRITTEN, "its last step"])
def test_told_to_stop_when_it_is_done_it_writes_its_results(
    function: str, run: Run, unbroken: Callable[..., Run]
) -> None:
    def work() -> None:
        if function not in WRITTEN:
            return _at_step(STEPS - 1, _send(signal.SIGTERM))()
        write = getattr(runs, function)
        told = lambda *what: (_send(signal.SIGTERM)(), write(*what))  # noqa: E731
        return setattr(runs, function, told)

    assert run.train(work) == 0
    assert run.results() == unbroken(run).results()
    assert not (run.folder / "state").exists()


def test_told_to_stop_between_two_runs_of_a_cell_it_leaves_the_other_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    synthetic.corpus().save(tmp_path / "corpus.npz")
    requests = [synthetic.request(seed=seed) for seed in (1, 2)]
    files = [f"seed{seed}/{name}" for seed in (1, 2) for name in OUTPUTS]
    asked = (requests, tmp_path / "corpus.npz", files, NEVER, 1)

    def work() -> None:
        _at_step(STEPS - 1, _send(signal.SIGTERM))()
        with job("first.log"):
            runs.train_runs(*asked)

    assert forked(work) == 128 + signal.SIGTERM
    assert [Path(name).exists() for name in files] == [True] * 4 + [False] * 4
    first = Path(files[0]).stat()
    assert forked(lambda: runs.train_runs(*asked)) == 0
    assert all(Path(name).exists() for name in files)
    assert Path(files[0]).stat() == first


def test_signals_are_heeded_while_it_trains_only(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in resume.SIGNALS]
    resume_file = ResumeFile(tmp_path / "snapshot", {}, NEVER)
    with catching_signals(resume_file):
        assert [signal.getsignal(number) for number in resume.SIGNALS] != before
        assert resume_file.stopped_by is None
        signal.raise_signal(signal.SIGTERM)
        assert resume_file.stopped_by == signal.SIGTERM
    assert [signal.getsignal(number) for number in resume.SIGNALS] == before


def test_in_another_thread_signals_are_left_alone(tmp_path: Path) -> None:
    heeded = []

    def work() -> None:
        with catching_signals(ResumeFile(tmp_path / "snapshot", {}, NEVER)):
            heeded.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heeded == [signal.getsignal(signal.SIGTERM)]


def test_a_snapshot_is_taken_when_it_is_time_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume_file = ResumeFile(tmp_path / "state/snapshot", {}, seconds=10)
    began = now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    taken = []

    def take() -> ResumePoint:
        nonlocal now
        taken.append(round(now - began))
        # Writing one takes its time too.
        now += 3
        return ResumePoint({}, {})

    while now < began + 40:
        resume_file.after_step(take)
        now += 1
    assert taken == [10, 23, 36]


OTHERS: dict[str, Callable[[Run], Run]] = {
    "request": lambda run: replace(run, request=synthetic.request(seed=9, dropout=0.2)),
    "text": lambda run: replace(run, corpus=Corpus.of_text(synthetic.text(seed=1))),
    "number of threads": lambda run: replace(run, threads=2),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_snapshot_of_something_else_is_told_and_not_used(
    what: str, run: Run, unbroken: Callable[..., Run]
) -> None:
    assert run.train(_at_step(6, kill)) == KILLED
    other = OTHERS[what](run)
    other.finishes_as(unbroken(other))
    assert other.taken_up_at == []
    assert f"snapshot.safetensors is of another {what}: it is ignored" in other.log


def _another_torch() -> None:
    versions = provenance.package_versions
    provenance.package_versions = lambda *names: {**versions(*names), "torch": "another"}


CHANGES: dict[str, Callable[[], object]] = {
    "source": lambda: setattr(resume, "training_fingerprint", lambda *_: "another"),
    "set of packages": _another_torch,
    "machine": lambda: setattr(provenance, "machine", lambda: {"processor": "another"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_snapshot_made_by_something_else_is_told_and_not_used(
    what: str, run: Run, unbroken: Callable[..., Run]
) -> None:
    assert run.train(_at_step(6, kill)) == KILLED
    assert run.train(CHANGES[what]) == 0
    assert run.taken_up_at == []
    assert f"snapshot.safetensors is of another {what}: it is ignored" in run.log
    ours, theirs = run.results(), unbroken(run).results()
    assert [ours[name] for name in OUTPUTS[:3]] == [theirs[name] for name in OUTPUTS[:3]]


def test_all_that_differs_is_named(run: Run) -> None:
    assert run.train(_at_step(6, kill)) == KILLED

    def change() -> None:
        for part in CHANGES.values():
            part()

    assert replace(OTHERS["request"](run), threads=2).train(change) == 0
    assert "is of another machine, number of threads, request, set of packages, source:" in run.log


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"activation": "gelu"},
        {"model": "minigpt"},
        {"iterations": 13},
        {"precision": "bf16"},
        {"evaluate_every": 3},
        {"custom_models": {"charlm": "synthetic"}},
    ],
)
def test_whatever_is_asked_for_belongs_to_what_a_snapshot_is_of(changes: dict[str, Any]) -> None:
    one, other = (
        identity_of(synthetic.request(**asked), "text", CPU, 1) for asked in ({}, changes)
    )
    assert one["request"] != other["request"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no length": lambda whole: whole[:5],
    "no header": lambda whole: whole[:9],
    "half a header": lambda whole: whole[:200],
    "half": lambda whole: whole[: len(whole) // 2],
    "all but a byte": lambda whole: whole[:-1],
    "a byte more": lambda whole: whole + b"\0",
    "something else": lambda _: b"step,train_loss\n" * 1000,
    "zeros": lambda whole: bytes(len(whole)),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was killed, for tests that copy it."""
    run = Run(tmp_path_factory.mktemp("killed") / "run")
    assert run.train(_at_step(9, kill)) == KILLED
    return run


@pytest.fixture
def broken_off(run: Run, killed: Run) -> Run:
    """A copy of the killed run, for tests that damage it."""
    shutil.copytree(killed.folder, run.folder)
    return run


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_told_and_not_used(
    damage: str, broken_off: Run, unbroken: Callable[..., Run]
) -> None:
    whole = broken_off.snapshot.read_bytes()
    broken_off.snapshot.write_bytes(DAMAGES[damage](whole))
    broken_off.finishes_as(unbroken(broken_off))
    assert broken_off.taken_up_at == []
    assert "snapshot.safetensors is damaged (" in broken_off.log


def _resume_file(run: Run) -> ResumeFile:
    identity = identity_of(run.request, run.corpus.sha256, CPU, run.threads)
    return ResumeFile(run.snapshot, identity, run.save_state_seconds)


def test_one_wrong_bit_anywhere_is_noticed(
    broken_off: Run, caplog: pytest.LogCaptureFixture
) -> None:
    whole = broken_off.snapshot.read_bytes()
    header = int.from_bytes(whole[:8], "little")
    draw = random.Random(0)
    places = [*range(8), *draw.sample(range(8, 8 + header), 120)]
    places += [*draw.sample(range(8 + header, len(whole)), 40), len(whole) - 1]
    resume_file = _resume_file(broken_off)
    assert resume_file.load() is not None
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << draw.randrange(8)
        broken_off.snapshot.write_bytes(changed)
        assert resume_file.load() is None, place
    assert len(caplog.messages) == len(places)
    assert all("is damaged (" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"facts": "{}"},
        {"sha256": "0"},
        {"facts": "{}", "sha256": "0"},
        {"facts": "{", "sha256": resume._hash({}, "{")},
        {"facts": "{}", "sha256": resume._hash({}, "{}")},
    ],
)
def test_a_file_that_lacks_what_a_snapshot_has_is_damaged(
    metadata: dict[str, str] | None, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.snapshot.parent.mkdir(parents=True)
    save_file({}, run.snapshot, metadata)
    assert _resume_file(run).load() is None
    assert "is damaged (" in caplog.text


def test_what_is_put_away_is_what_is_taken_out(tmp_path: Path) -> None:
    tensors = {
        "numbers": torch.arange(6.0).view(2, 3),
        # As a user's own model may keep them.
        "across": torch.arange(6.0).view(2, 3).T,
        "none": torch.zeros(0),
        "one": torch.tensor(0.1, dtype=torch.float64),
        "bytes": torch.arange(7, dtype=torch.uint8),
    }
    facts = {"step": 3, "best": [0.1 + 0.2, 2], "history": [[0, 1 / 3, 5e-324]]}
    resume_file = ResumeFile(tmp_path / "state/snapshot", {"of": "this"}, seconds=0)
    resume_file.after_step(lambda: ResumePoint(tensors, facts))
    found = resume_file.load()
    assert found is not None
    assert found.facts == facts
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)


def test_a_snapshot_that_cannot_be_written_costs_a_warning_only(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    assert run.train(lambda: setattr(resume, "save", _no_room)) == 0
    assert run.log.count("no resume point could be written ([Errno 28] No space left") == STEPS - 1
    assert run.results() == unbroken(run).results()
    assert not (run.folder / "state").exists()


def test_two_processes_never_train_the_same_run(
    run: Run,
    unbroken: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reached, reach = os.pipe()
    go_on, let_go = os.pipe()

    def wait() -> None:
        os.write(reach, b"1")
        os.read(go_on, 1)

    first = started(lambda: run.work(_at_step(5, wait)))
    os.read(reached, 1)
    kept = run.snapshot.read_bytes()
    ends = []

    def while_waiting(_seconds: float) -> None:
        assert run.snapshot.read_bytes() == kept
        os.write(let_go, b"1")
        ends.append(ended(first))

    monkeypatch.setattr(locks.time, "sleep", while_waiting)
    caplog.set_level(logging.INFO, "actrepro")
    run.work_here()
    for pipe in (reached, reach, go_on, let_go):
        os.close(pipe)
    assert ends == [0]
    waiting, found = caplog.messages
    held = rf"results of tiny/charlm/relu/seed3 are being made by process {first} on host .* since"
    assert re.match(held, waiting)
    assert found == "tiny/charlm/relu/seed3: is there already"
    assert run.results() == unbroken(run).results()
    assert run.taken_up_at == []


def test_what_snakemake_deletes_of_a_finished_run_is_not_trained_again(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    """Delete outputs as Snakemake does before it repeats a job that outlived it."""
    assert run.train() == 0
    for name in OUTPUTS:
        (run.folder / name).unlink()
    assert run.train(_at_step(0, kill)) == 0
    assert "is there already" in run.log
    assert run.results() == unbroken(run).results()


def test_what_was_kept_of_another_request_is_trained_anew(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    assert replace(run, request=REQUESTS["tinylstm"]).train() == 0
    for name in OUTPUTS:
        (run.folder / name).unlink()
    run.finishes_as(unbroken(run))
    assert "is there already" not in run.log


def test_where_files_have_no_second_names_nothing_is_kept(
    run: Run, unbroken: Callable[..., Run]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    assert run.train(lambda: setattr(Path, "hardlink_to", refuse)) == 0
    assert run.results() == unbroken(run).results()
    assert not list((run.folder / ".kept").glob("*"))


def test_the_lock_of_a_killed_process_locks_nothing(run: Run, unbroken: Callable[..., Run]) -> None:
    assert run.train(_at_step(5, kill)) == KILLED
    assert (run.folder / "state.lock").exists()
    run.finishes_as(unbroken(run))


class Disk:
    """A file system of a few pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = shutil.which("mount")
        if mount is None:
            pytest.skip("no small disk: there is no mount here")
        command = [mount, "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no small disk: {done.stderr.strip()}")

    def have(self, pages: int) -> None:
        size = f"remount,size={pages * 4}k"
        subprocess.run(["mount", "-o", size, str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    subprocess.run(["umount", str(made.folder)], check=True)


@pytest.mark.parametrize("fitting", range(4))
def test_on_a_full_disk_it_leaves_whole_results_or_none(
    fitting: int, disk: Disk, unbroken: Callable[..., Run], tmp_path: Path
) -> None:
    whole = unbroken(Run(Path()))
    sizes = [(whole.folder / name).stat().st_size for name in OUTPUTS]
    # A page each for the text's file and the log, which are there before.
    disk.have(64)
    run = Run(disk.folder / "run", save_state_seconds=NEVER)

    def fill() -> None:
        used = 64 - _free(disk.folder)
        # The log and the lock may grow by a page each.
        disk.have(used + 2 + sum(_pages(size) for size in sizes[:fitting]))

    assert run.train(fill) == 1
    assert "No space left on device" in run.log
    assert "check the disk's space" in run.log
    assert "Traceback" not in run.log
    results = whole.results()
    there = [name for name in OUTPUTS if (run.folder / name).exists()]
    assert len(there) <= fitting
    assert all((run.folder / name).read_bytes() == results[name] for name in there)
    assert not list(run.folder.rglob("*.partial"))
    disk.have(1024)
    run.finishes_as(whole)


def _pages(size: int) -> int:
    return -(-size // 4096)


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize // 4096


def test_with_room_for_results_and_none_for_snapshots_it_trains_on(
    disk: Disk, tmp_path: Path, unbroken: Callable[..., Run]
) -> None:
    disk.have(8)
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    (run.folder / "state").symlink_to(disk.folder / "state")
    (disk.folder / "state").mkdir()
    assert run.train() == 0, run.log
    assert "no resume point could be written ([Errno 28] No space left" in run.log
    assert run.results() == unbroken(run).results()
    assert not list(disk.folder.rglob("*.*"))


def test_being_stopped_says_by_what(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    resume_file = ResumeFile(tmp_path / "state/snapshot", {}, NEVER, stopped_by=signal.SIGINT)
    with caplog.at_level(logging.INFO), pytest.raises(Stopped, match="stopped by SIGINT: ") as why:
        resume_file.after_step(lambda: ResumePoint({}, {}))
    assert why.value.number == signal.SIGINT
    assert resume_file.load() == ResumePoint({}, {})
