"""Explanation of a dry run: the jobs that would run, and the changes that cause them.

    snakemake --dry-run | python -m actrepro.provenance.explain

Snakemake prints reasons for every job. Most jobs only follow others, and a changed parameter is
shown as two values. This module groups the jobs by cause and names it: the modules of the
library, the keys of the config, the files.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from actrepro.core import paths
from actrepro.core.errors import ActreproError, few
from actrepro.core.files import read_json, write_json
from actrepro.provenance.fingerprint import source_of_script

FOLLOWS = "Input files updated by another job: "
MISSING = "Missing output files: "
UPDATED = "Updated input files: "
INCOMPLETE = "Incomplete output files: "
PARAMS = "Params have changed since last execution: "
STARTS = (FOLLOWS, MISSING, UPDATED, INCOMPLETE, PARAMS)
PLAIN = {
    "Set of input files has changed since last execution": (
        "its set of input files has changed (a seed, an activation, a model or a figure was added "
        "or removed)"
    ),
    "Software environment definition has changed since last execution": (
        "the versions of its packages have changed (envs/)"
    ),
    "Code has changed since last execution": "its rule has changed",
    "Forced execution": "you asked for it (--force, --forcerun)",
}
NOTHING = "Nothing to be done"
IS_DRY_RUN = "This was a dry-run"
SHOWN = 3


class Job(NamedTuple):
    """A job's message, and the reasons that Snakemake prints for it."""

    message: str
    reasons: tuple[str, ...]


def explain(text: str) -> str:
    """Describe the jobs that a dry run would run, and why.

    Parameters
    ----------
    text
        All that `snakemake --dry-run` printed.

    Raises
    ------
    ActreproError
        When it is not the output of a dry run; the message holds its last lines.
    """
    if NOTHING in text:
        return "Nothing is stale: every file is what the config and the code would make."
    if IS_DRY_RUN not in text:
        end = "\n".join(text.strip().splitlines()[-12:])
        raise ActreproError(f"expected what `snakemake --dry-run` prints, found:\n{end}")
    jobs = jobs_of(text)
    roots = [job for job in jobs if _causes(job)]
    head = f"{_jobs(len(jobs))} would run. What is stale, and why:\n"
    return "\n".join([head, *_describe(roots), *_followers(len(jobs) - len(roots))])


def jobs_of(text: str) -> list[Job]:
    """Return the jobs of a dry run, without targets that make no file."""
    pairs = re.findall(r"^Job \d+: (.*)\nReason: (.*)$", text, re.MULTILINE)
    return [Job(message, tuple(_reasons(reason))) for message, reason in pairs]


def remember_code(
    fingerprint: str,
    hashes: Mapping[str, str],
    script: Path,
    modules: Collection[str],
    activations: Collection[str] | None,
) -> None:
    """Record the hashes behind a fingerprint, so that later code can be compared with them.

    Parameters
    ----------
    hashes
        SHA-256 by module or file.
    script, modules, activations
        The arguments of `actrepro.provenance.fingerprint.source_of_script` and `Source.hashes`.
    """
    path = Path(paths.at(paths.CODE, fingerprint=fingerprint))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        hashed = {"script": os.path.relpath(script), "modules": modules, "activations": activations}
        write_json(path, {**hashed, "hashes": dict(hashes)})


def _reasons(text: str) -> Iterator[str]:
    """Yield a job's reasons, which Snakemake prints on one line."""
    begins = "|".join(re.escape(start) for start in (*STARTS, *PLAIN))
    yield from (part.strip() for part in re.split(f"; (?={begins})", text))


def _causes(job: Job) -> list[str]:
    """Return the reasons that do not follow from another job."""
    direct = [reason for reason in job.reasons if not reason.startswith(FOLLOWS)]
    changes = [reason for reason in direct if not reason.startswith(MISSING)]
    # A missing output is a cause only where the job does not also follow another.
    return changes or (direct if len(direct) == len(job.reasons) else [])


def _describe(roots: list[Job]) -> Iterator[str]:
    """Yield the lines about jobs, grouped by cause."""
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in roots:
        words = dict.fromkeys(line for reason in _causes(job) for line in _why(reason))
        groups.setdefault(tuple(words), []).append(job)
    for why, group in groups.items():
        yield from sorted(job.message for job in group)[:SHOWN]
        if len(group) > SHOWN:
            yield f"… and {_jobs(len(group) - SHOWN)} like these"
        yield from (f"    because {line}" for line in why)
        yield ""


def _followers(count: int) -> list[str]:
    return [f"Made from these: the other {_jobs(count)}."] if count else []


def _jobs(count: int) -> str:
    return f"{count} job" + "s" * (count != 1)


def _why(reason: str) -> Iterator[str]:
    """Describe a reason."""
    if reason.startswith(MISSING):
        yield "there is no result yet, or it was deleted"
    elif reason.startswith(UPDATED):
        yield f"changed since: {_files(reason, UPDATED)}"
    elif reason.startswith(INCOMPLETE):
        yield f"a job was stopped while it wrote {_files(reason, INCOMPLETE)}"
    elif reason.startswith(PARAMS):
        yield from _changes(reason.removeprefix(PARAMS))
    else:
        yield PLAIN.get(reason, reason)


def _files(reason: str, start: str) -> str:
    return few(sorted(reason.removeprefix(start).split(", ")))


def _changes(text: str) -> Iterator[str]:
    """Describe the differences between the parameters before and now."""
    match = re.fullmatch(r".*?before: (.*) now: (.*)", text.strip())
    before, now = map(_values, match.groups()) if match else ([], [])
    code_before = [value for value in before if _is_code(value)]
    before, now = ([value for value in side if not _is_code(value)] for side in (before, now))
    if code_before:
        yield from _code_changes(code_before, alone=before == now)
    yield from (f"the config has changed: {line}" for line in _differing(before, now))


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value) is not None


def _code_changes(fingerprints: list[str], alone: bool) -> Iterator[str]:
    """Name the modules and files whose code has changed."""
    changed = sorted({name for digest in fingerprints for name in _changed_since(digest)})
    if changed:
        yield f"code has changed: {few(changed)}"
    elif alone:
        yield "the code that it depends on has changed"


def _changed_since(fingerprint: str) -> set[str]:
    """Return the modules and files that changed since a fingerprint; empty where unknown."""
    path = Path(paths.at(paths.CODE, fingerprint=fingerprint))
    if not path.exists():
        return set()
    known = read_json(path)
    now = source_of_script(Path(known["script"]), known["modules"]).hashes(known["activations"])
    before = known["hashes"]
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


def _values(text: str) -> list[Any]:
    """Parse parameters as Snakemake writes them: Python literals, separated by commas."""
    if text.strip() == "<nothing exclusive>":
        return []
    try:
        return list(ast.literal_eval(f"[{text}]"))
    except (SyntaxError, ValueError):
        return [text]


def _differing(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """Describe where two values differ, key by key; equal lines about a list's items once."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and key == "":
        lines = (line for pair in zip(old, new, strict=True) for line in _differing(*pair))
        yield from dict.fromkeys(lines)
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _differing(
                old.get(name, "nothing"), new.get(name, "nothing"), f"{key}.{name}".lstrip(".")
            )
    elif old != new:
        yield f"{key or 'a setting'} was {_short(old)}, is {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


if __name__ == "__main__":
    try:
        print(explain(sys.stdin.read()))
    except ActreproError as error:
        sys.exit(str(error))
