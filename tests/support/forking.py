"""Processes that a test may kill: forked, since starting Python and torch again takes seconds."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable

import pytest
import torch

# torch's own threads do not survive a fork, and with a GPU it has some.
needs_forks = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a process that computes on a GPU cannot be forked"
)


def started(work: Callable[[], object]) -> int:
    """Start a process that does the work; return its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        os._exit(_exit_code(work))
    return process


def ended(process: int) -> int:
    """Return a process's exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def forked(work: Callable[[], object]) -> int:
    """Do the work in a process; return its exit code, or minus the signal that killed it."""
    return ended(started(work))


def _exit_code(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
        return 99
    return 0


def kill() -> None:
    """End the process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(moment: int) -> Callable[[], None]:
    """Return a function that makes its process end at the n-th call of or return from a function.

    Functions of C count as well.
    """
    count = itertools.count()

    def look(*_: object) -> None:
        if next(count) == moment:
            kill()

    return lambda: sys.setprofile(look)


def moments(work: Callable[[], object]) -> int:
    """Count these moments in the work."""
    count = itertools.count()
    sys.setprofile(lambda *_: next(count) and None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return next(count)
