"""Running programs of this package as simultaneous processes, which print one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from actrepro.core.errors import ActreproError


@dataclass(frozen=True)
class Program:
    """A module of this package with its arguments and its number of threads."""

    module: str
    arguments: Sequence[str]
    threads: int
    standard_input: str = ""


@dataclass(frozen=True)
class Finished:
    """A program's output, and the seconds from its start until it had ended."""

    output: Any
    seconds: float


@dataclass(frozen=True)
class Lost:
    """A measurement that could not be made, with the reason."""

    why: str


def side_by_side(programs: Sequence[Program]) -> list[Finished] | Lost:
    """Start all programs at once and wait for the last; if any fails, return its error."""
    with ThreadPoolExecutor(len(programs)) as waiting:
        ended = list(waiting.map(_run, programs))
    lost = [process for process in ended if isinstance(process, Lost)]
    return lost[0] if lost else [process for process in ended if isinstance(process, Finished)]


def _run(program: Program) -> Finished | Lost:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.programs.{program.module}", *program.arguments],
        input=program.standard_input,
        capture_output=True,
        text=True,
        env={**os.environ, **_settings(program)},
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        return Lost(_last_words(done.stderr) or _signal(done.returncode))
    return Finished(json.loads(done.stdout.splitlines()[-1]), seconds)


def _settings(program: Program) -> dict[str, str]:
    return {
        # As Snakemake sets it for a job with this number of threads.
        "OMP_NUM_THREADS": str(program.threads),
        # Snakemake may have put this package on its own search path only, which children of a
        # job do not inherit.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


def _last_words(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    return lines[-1].removeprefix(f"{ActreproError.__module__}.ActreproError: ") if lines else ""


def _signal(status: int) -> str:
    return f"ended with status {status}, without a word" + (
        " (killed, perhaps for want of memory)" if status < 0 else ""
    )


def ask(programs: Sequence[Program]) -> list[Any]:
    """Run programs side by side whose output the benchmark cannot do without, and return it.

    Raises
    ------
    ActreproError
        When a program fails.
    """
    ended = side_by_side(programs)
    if isinstance(ended, Lost):
        module = programs[0].module
        raise ActreproError(
            f"{__package__}.programs.{module}: expected a measurement, found: {ended.why}; "
            "correct that and run the benchmark again"
        )
    return [process.output for process in ended]
