"""The exceptions that a job ends in without a traceback."""

from __future__ import annotations

import signal


class ActreproError(Exception):
    """A mistake outside the code: a config, a file, a download.

    The message says what was looked at, what was found, what was expected and
    what to do. Jobs print it without a traceback.
    """


class Stopped(Exception):  # noqa: N818 - being told to stop is no error
    """A signal asked the job to end, and it has put away what it can take up again."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}: {message}")
        self.number = number
