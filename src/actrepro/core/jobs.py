"""The frame of every job's script: a log, and errors that a user can read."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actrepro.core.errors import ActreproError, Stopped, is_out_of_memory

LOG = logging.getLogger("actrepro")


@contextmanager
def job(log: str) -> Iterator[None]:
    """Log to a file and to stderr, and turn a failure into a message.

    An `ActreproError` ends the job with its message alone. Any other error is a bug,
    and its traceback goes to the log.
    """
    _log_to(Path(log))
    try:
        yield
    except Stopped as stopped:
        LOG.warning("%s", stopped)
        # The exit status that a shell reports for a process ended by a signal.
        sys.exit(128 + stopped.number)
    except ActreproError as error:
        LOG.error("%s", error)
        sys.exit(1)
    except OSError as error:
        LOG.error("%s; check the disk's space and the folder's permissions", error)
        sys.exit(1)
    except Exception as error:
        if is_out_of_memory(error):
            LOG.error("%s", _out_of_memory_message(error))
        else:
            LOG.exception("an unexpected error; please report it with this log")
        sys.exit(1)


def _out_of_memory_message(error: Exception) -> str:
    """Return the message for a job that ran out of memory, on a CPU or a GPU."""
    if isinstance(error, MemoryError) or "CPUAllocator" in str(error):
        return "out of memory; run fewer jobs at once (--cores) or a smaller scale"
    return f"the GPU is out of memory ({error}); choose a smaller scale or device: cpu"


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    for handler in (logging.FileHandler(path, mode="w", encoding="utf-8"), logging.StreamHandler()):
        handler.setFormatter(formatter)
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
