"""Exceptions that end a job without a traceback."""

from __future__ import annotations

import signal
from collections.abc import Sequence


class ActreproError(Exception):
    """An error that the user can correct: a config, a file, a download.

    The message names the file or key, what was found, what was expected and
    what to do. Jobs print it without a traceback.
    """


# Names that a message lists; it counts the rest.
MOST_NAMED = 3


def few(names: Sequence[str]) -> str:
    """Join names for a message: the first three, and a count of the rest."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


# torch's messages for running out of memory where it raises a plain RuntimeError: on a CPU, for
# CUDA's own memory, and for the workspaces of CUDA's libraries.
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an exception means out of memory, on a CPU or a GPU."""
    if isinstance(error, MemoryError):
        return True
    # torch's class by its name, since this module does not import torch.
    classes = {base.__name__ for base in type(error).__mro__}
    by_message = any(words in str(error) for words in NO_MEMORY)
    return isinstance(error, RuntimeError) and ("OutOfMemoryError" in classes or by_message)


class Stopped(Exception):  # noqa: N818 - a requested stop is no error
    """A signal asked the job to end, and the job saved the state that it can resume from."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}: {message}")
        self.number = number
