"""A lock that dies with its process, tried with processes."""

import errno
import fcntl
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actrepro.core import locks
from actrepro.core.errors import ActreproError
from actrepro.core.locks import hold, try_hold

WHAT = "results of quick/charlm/relu/seed42"

# Holds the lock until it is told to end, or killed.
HOLDER = """
import sys
from pathlib import Path
from actrepro.core.locks import hold
with hold(Path(sys.argv[1]), "results"):
    print("held", flush=True)
    sys.stdin.readline()
"""

# Holds the lock and leaves a child that ends when our end of its pipe is closed.
PARENT = """
import signal, subprocess, sys
from pathlib import Path
from actrepro.core.locks import hold
with hold(Path(sys.argv[1]), "results"):
    subprocess.Popen(["cat"], stdout=subprocess.DEVNULL, close_fds=False)
    print("held", flush=True)
    signal.pause()
"""

# Takes the lock again and again; a folder, which only one can make, shows that it is alone.
RACER = """
import sys
from pathlib import Path
from actrepro.core.locks import try_hold
path, alone, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
while rounds:
    lock = try_hold(path)
    if lock is not None:
        with lock:
            alone.mkdir()
            alone.rmdir()
        rounds -= 1
"""


@contextmanager
def _running(code: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it holds the lock."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"SLURM_JOB_ID": "7"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seed42/run.lock"


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would wait for a lock gives up."""

    def give_up(_seconds: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(locks.time, "sleep", give_up)


def _said(path: Path, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    with pytest.raises(TimeoutError), hold(path, WHAT):
        pass
    return caplog.messages[0]


def _free(path: Path) -> bool:
    lock = try_hold(path)
    if lock is None:
        return False
    lock.close()
    return True


@pytest.mark.usefixtures("_hurried")
def test_a_second_process_says_for_whom_it_waits(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _running(HOLDER, path) as holder:
        expected = (
            f"{WHAT} are being made by process {holder.pid} on host {platform.node()} "
            "(Slurm job 7) since TIME: waiting for it to end"
        )
        pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        assert re.fullmatch(re.escape(expected).replace("TIME", pattern), _said(path, caplog))
        assert try_hold(path) is None
        holder.communicate("end\n")
    assert not path.exists()
    assert _free(path)


@pytest.mark.usefixtures("_hurried")
def test_without_slurm_no_job_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with hold(path, "results"):
        said = _said(path, caplog)
        assert f"made by process {os.getpid()} on host {platform.node()} since " in said


def test_a_second_process_waits_for_the_first(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with _running(HOLDER, path) as holder:
        monkeypatch.setattr(locks.time, "sleep", lambda _seconds: holder.communicate("end\n"))
        with hold(path, WHAT):
            assert json.loads(path.read_bytes())["process"] == os.getpid()
    assert len(caplog.messages) == 1


def test_a_killed_holder_leaves_its_file_but_not_the_lock(path: Path) -> None:
    with _running(HOLDER, path) as holder:
        holder.kill()
        holder.wait()
        # Longer than what is written over it.
        path.write_bytes(path.read_bytes() + b" " * 1000)
        with hold(path, WHAT):
            assert json.loads(path.read_bytes())["process"] == os.getpid()
            assert path.stat().st_size < 1000
    assert not path.exists()


def test_a_child_that_outlives_the_holder_keeps_no_lock(path: Path) -> None:
    with _running(PARENT, path) as holder:
        holder.kill()
        holder.wait()
        assert _free(path)


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"7", b"[]", b"{}", b'{"process": 7}'])
def test_a_damaged_file_names_nobody(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with hold(path, "results"):
        path.write_bytes(content)
        assert _said(path, caplog).startswith(
            f"{WHAT} are being made by another process (which one, {path} does not say): wait"
        )


def test_what_fails_inside_frees_the_lock(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(path, WHAT):
        _ = 1 / 0
    assert not path.exists()
    assert _free(path)


def test_racing_processes_are_never_both_inside(path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACER, str(path), str(tmp_path / "alone"), "100"]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [racer.communicate()[1] for racer in racers]
    assert errors == ["", "", ""]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert not path.exists()


@pytest.mark.parametrize("held_by_another", [False, True])
def test_a_file_that_was_removed_since_it_was_opened_locks_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, held_by_another: bool
) -> None:
    """As when its holder ends between this process's open and its lock."""
    lock = fcntl.flock
    others = []

    def late(descriptor: int, operation: int) -> None:
        if not others:
            others.append(os.open(path, os.O_RDWR))
            if held_by_another:
                lock(others[0], fcntl.LOCK_EX)
            path.unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with hold(path, WHAT):
        assert path.exists()
        assert not os.path.samestat(path.stat(), os.fstat(others[0]))
    os.close(others[0])


def test_a_file_made_anew_by_another_is_not_removed(path: Path) -> None:
    with hold(path, WHAT):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"
    path.unlink()
    with hold(path, WHAT):
        path.unlink()


def test_a_file_system_without_locks_is_a_message(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    message = f"{path}: its file system keeps no locks (Function not implemented), expected one"
    with pytest.raises(ActreproError, match=re.escape(message)):
        try_hold(path)


def test_no_descriptor_is_left_open(path: Path) -> None:
    def count() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = count()
    with hold(path, WHAT):
        assert not _free(path)
        assert count() == before + 1
    assert count() == before
