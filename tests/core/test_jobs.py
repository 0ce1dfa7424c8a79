"""The output of a job: a log, a message for an ActreproError, a traceback for a bug."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from actrepro.core.errors import ActreproError, Stopped
from actrepro.core.jobs import LOG, job


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Remove the log's handlers, which end with the process in a real job."""
    before, level = list(LOG.handlers), LOG.level
    yield
    for handler in set(LOG.handlers) - set(before):
        LOG.removeHandler(handler)
        handler.close()
    LOG.setLevel(level)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "deep/er/job.log"


def _fail(log: Path, error: BaseException) -> str:
    """Return the log of a job that fails."""
    with pytest.raises(SystemExit) as caught, job(str(log)):
        raise error
    assert caught.value.code == 1
    return log.read_text(encoding="utf-8")


def test_what_is_logged_goes_to_the_file_and_to_the_terminal(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with job(str(log)):
        logging.getLogger("actrepro").info("step %d, β", 7)
    for text in (log.read_text(encoding="utf-8"), capsys.readouterr().err):
        assert text.endswith(" INFO step 7, β\n")


def test_a_users_mistake_is_its_message_alone(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _fail(log, ActreproError("seeds: found -1; choose others"))
    assert text.endswith(" ERROR seeds: found -1; choose others\n")
    assert text.count("\n") == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_leaves_its_traceback(log: Path) -> None:
    text = _fail(log, ZeroDivisionError("oh"))
    assert "ERROR an unexpected error; please report it with this log\nTraceback" in text
    assert text.rstrip().endswith("ZeroDivisionError: oh")


def test_a_full_disk_and_missing_memory_say_what_to_do(log: Path) -> None:
    text = _fail(log, OSError(28, "No space left on device", "a.npz"))
    assert "No space left on device: 'a.npz'; check the disk's space" in text
    assert "Traceback" not in text
    assert "run fewer jobs at once" in _fail(log, MemoryError())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_job_exits_with_the_signals_status(log: Path, number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as caught, job(str(log)):
        raise Stopped(number, "the same command goes on")
    assert caught.value.code == 128 + number
    text = log.read_text(encoding="utf-8")
    assert text.endswith(f" WARNING stopped by {number.name}: the same command goes on\n")
    assert text.count("\n") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_job_stays_interrupted(log: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), job(str(log)):
        raise error
    assert log.read_text(encoding="utf-8") == ""


def test_a_new_try_begins_a_new_log(log: Path) -> None:
    _fail(log, ActreproError("first"))
    for handler in LOG.handlers[:]:
        LOG.removeHandler(handler)
    with job(str(log)):
        LOG.info("second")
    assert "first" not in log.read_text(encoding="utf-8")


def test_a_full_gpu_is_a_message(log: Path) -> None:
    full = type("OutOfMemoryError", (RuntimeError,), {})("tried to allocate 2 GiB")
    text = _fail(log, full)
    assert "ERROR the GPU is out of memory (tried to allocate 2 GiB); choose a smaller" in text
    assert "Traceback" not in text
