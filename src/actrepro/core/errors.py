"""The exceptions that a job ends in without a traceback."""

from __future__ import annotations

import signal
from collections.abc import Sequence


class ActreproError(Exception):
    """A mistake outside the code: a config, a file, a download.

    The message says what was looked at, what was found, what was expected and
    what to do. Jobs print it without a traceback.
    """


# In a message.
MOST_NAMED = 3


def few(names: Sequence[str]) -> str:
    """Some names in a message, the first of many."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


# How torch says that memory did not suffice where it has no exception of its own for it: on a
# CPU; of CUDA's own memory; of the workspaces of CUDA's libraries.
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory did not suffice, on a CPU or on a GPU."""
    if isinstance(error, MemoryError):
        return True
    # torch's own by its name, since torch is not imported here.
    names = {one.__name__ for one in type(error).__mro__}
    told = any(words in str(error) for words in NO_MEMORY)
    return isinstance(error, RuntimeError) and ("OutOfMemoryError" in names or told)


class Stopped(Exception):  # noqa: N818 - being told to stop is no error
    """A signal asked the job to end, and it has put away what it can take up again."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}: {message}")
        self.number = number
