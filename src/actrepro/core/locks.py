"""A lock that dies with its process: a file that one process at a time holds.

The kernel keeps the lock, so one left by a killed process is free. The file only names the
holder, which removes it when it is done.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from actrepro.core.errors import ActreproError

LOG = logging.getLogger("actrepro")
POLL = 1.0  # seconds between two looks at a lock that is held
# The errors of `flock` on a file system that does not know it, or has no lock server.
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at `path` until the block ends; `what`, in the plural, is made in it.

    Wait while another process holds it: that process makes the same, and its results are used.
    The log names that process, as far as the lock file does.

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
    """Return the lock at `path`, held until the stack is closed, or None when it is not free.

    A second lock on the same path is refused in the same process too.

    Raises
    ------
    ActreproError
        When the file system keeps no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = _Holder(path)
    lock = FileLock(path, blocking=False, fallback_to_soft=False, on_acquired=holder.sign)
    while not _acquired(lock):
        # Where the file is gone, its last holder has removed it since it was opened.
        if path.exists():
            return None
    with ExitStack() as held:
        held.callback(lock.release)
        # Comes before the release: once unlocked, the path may be another process's.
        held.callback(holder.remove)
        return held.pop_all()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise ActreproError(
            f"{lock.lock_file}: its file system keeps no locks ({error.strerror}), expected one "
            "that knows flock; work in a folder on another, or have this one mounted with the "
            "option flock"
        ) from None
    return True


class _Holder:
    """This process, as the lock file at `path` names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signed: os.stat_result | None = None

    def sign(self, descriptor: int) -> None:
        """Write who holds the lock over what a killed process may have left."""
        holder = {
            "process": os.getpid(),
            "host": platform.node(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "since": datetime.now().isoformat(sep=" ", timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        self.signed = os.fstat(descriptor)

    def remove(self) -> None:
        """Remove the file, unless it was deleted by hand and another process made it anew."""
        try:
            ours = self.signed is not None and os.path.samestat(self.signed, self.path.stat())
        except FileNotFoundError:
            return
        if ours:
            self.path.unlink()


def _holder(path: Path) -> str:
    """Name the holder of a lock, as far as the file does."""
    try:
        holder = json.loads(path.read_bytes())
        slurm = f" (Slurm job {holder['slurm_job']})" if holder["slurm_job"] else ""
        where = f"process {holder['process']} on host {holder['host']}{slurm}"
        return f"{where} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        # Damaged, not yet written, or removed just now.
        return f"another process (which one, {path} does not say)"
