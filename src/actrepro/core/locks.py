"""A lock that dies with its process: a file that one process at a time holds.

The kernel keeps the lock, so one left by a killed process is free. The file only says who
holds it, and goes when its holder is done.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from actrepro.core.errors import ActreproError

LOG = logging.getLogger("actrepro")
POLL = 1.0  # seconds between two looks at a lock that is held


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at `path` until the block ends; `what`, in the plural, is made in it.

    While another process holds it, wait: it makes the same, and what it leaves is used. The
    log says who it is, as far as the lock file knows.

    Raises
    ------
    ActreproError
        When the file system keeps no locks.
    """
    lock = try_hold(path)
    if lock is None:
        LOG.warning("%s are being made by %s: waiting for it to end", what, _holder(path))
    while lock is None:
        time.sleep(POLL)
        lock = try_hold(path)
    with lock:
        yield


def try_hold(path: Path) -> ExitStack | None:
    """The lock at `path`, held until the stack is closed; None when it is held already.

    A second lock on the same path is refused in the same process too.

    Raises
    ------
    ActreproError
        When the file system keeps no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with ExitStack() as lock:
            # Whoever shares the folder may take over a file that a killed process left.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            lock.callback(os.close, descriptor)
            free = _locked(descriptor, path)
            # Its holder may have removed the file since it was opened: then it locks nothing.
            if not _lies_at(descriptor, path):
                continue
            if not free:
                return None
            # Comes before the close: once unlocked, the path may be another process's.
            lock.callback(_remove, descriptor, path)
            _sign(descriptor)
            return lock.pop_all()


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ActreproError(
            f"{path}: its file system keeps no locks ({error.strerror}), expected one that knows "
            "flock; work in a folder on another, or have this one mounted with the option flock"
        ) from None
    return True


def _lies_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove(descriptor: int, path: Path) -> None:
    # Somebody may have deleted the file by hand, and another process made it anew.
    if _lies_at(descriptor, path):
        path.unlink()


def _sign(descriptor: int) -> None:
    """Write who holds the lock over what a killed process may have left."""
    holder = {
        "process": os.getpid(),
        "host": platform.node(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now().isoformat(sep=" ", timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(path: Path) -> str:
    """Who holds the lock, in words, as far as the file says."""
    try:
        found = json.loads(path.read_bytes())
        slurm = f" (Slurm job {found['slurm_job']})" if found["slurm_job"] else ""
        return f"process {found['process']} on host {found['host']}{slurm} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        # Damaged, not yet written, or removed just now.
        return f"another process (which one, {path} does not say)"
