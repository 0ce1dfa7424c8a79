"""What every job's script does around its work: a log, and errors a user can read."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actrepro.errors import ActreproError, Stopped

LOG = logging.getLogger("actrepro")


@contextmanager
def job(log: str) -> Iterator[None]:
    """Log to a file and to stderr, and turn a failure into a message.

    A user's mistake (`ActreproError`) ends in its message alone; anything else
    is a fault of ours, and its traceback goes to the log.
    """
    _log_to(Path(log))
    try:
        yield
    except Stopped as stopped:
        LOG.warning("%s", stopped)
        # As a shell says it of a process that a signal ended.
        sys.exit(128 + stopped.number)
    except ActreproError as error:
        LOG.error("%s", error)
        sys.exit(1)
    except OSError as error:
        LOG.error("%s; check the disk's space and the folder's permissions", error)
        sys.exit(1)
    except Exception as error:
        message = _out_of_memory(error)
        if message is None:
            LOG.exception("an unexpected error; please report it with this log")
        else:
            LOG.error("%s", message)
        sys.exit(1)


def _out_of_memory(error: Exception) -> str | None:
    """What to do where memory did not suffice; by names and words, since torch is not here."""
    if type(error).__name__ == "OutOfMemoryError":
        return f"the GPU is out of memory ({error}); choose a smaller scale or device: cpu"
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "out of memory; run fewer jobs at once (--cores) or a smaller scale"
    return None


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    for handler in (logging.FileHandler(path, mode="w", encoding="utf-8"), logging.StreamHandler()):
        handler.setFormatter(formatter)
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
