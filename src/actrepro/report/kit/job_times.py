"""What jobs cost: the times that Snakemake measured, by stage.

Read from the benchmark files that each job leaves. A job that was not run again keeps the
times of its last run; one whose file is gone is in no sum.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from actrepro.core.errors import ActreproError

# Rules without wildcards that belong to every study.
OF_STUDY = ("models",)


@dataclass(frozen=True)
class Job:
    """One job's cost.

    Attributes
    ----------
    stage
        The rule.
    seconds
        From its start to its end.
    cpu_seconds
        Of all its threads; None where Snakemake could not measure it.
    megabytes
        The most memory that it had; None likewise.
    """

    stage: str
    seconds: float
    cpu_seconds: float | None
    megabytes: float | None


@dataclass(frozen=True)
class Stage:
    """What all jobs of a rule cost together; the largest memory of any one."""

    name: str
    jobs: int
    seconds: float
    cpu_seconds: float | None
    megabytes: float | None


def stages(folder: Path, names: Collection[str]) -> list[Stage]:
    """The stages of a study by what they cost, the dearest first.

    Parameters
    ----------
    folder
        Where Snakemake keeps benchmarks: `{rule}/{wildcards}.tsv`.
    names
        The study's scales and corpora: jobs whose first wildcard is none of them are of
        something else, but for those of the whole study.

    Raises
    ------
    ActreproError
        When a file is not a benchmark of Snakemake's.
    """
    jobs: dict[str, list[Job]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        stage, first = path.relative_to(folder).with_suffix("").parts[:2]
        if first in names or stage in OF_STUDY:
            jobs.setdefault(stage, []).append(_job(stage, path))
    found = [_stage(name, ran) for name, ran in jobs.items()]
    return sorted(found, key=lambda one: (-one.seconds, one.name))


def _stage(name: str, jobs: Collection[Job]) -> Stage:
    return Stage(
        name,
        len(jobs),
        sum(job.seconds for job in jobs),
        _sum(job.cpu_seconds for job in jobs),
        max((job.megabytes for job in jobs if job.megabytes is not None), default=None),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _job(stage: str, path: Path) -> Job:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            [row] = csv.DictReader(file, delimiter="\t")
        return Job(stage, float(row["s"]), *_measured(row))
    except (OSError, KeyError, ValueError) as error:
        raise ActreproError(
            f"{path}: not a benchmark file of Snakemake's ({error}); delete it: only the "
            "report's costs are read from it"
        ) from None


def _measured(row: Mapping[str, str]) -> Iterator[float | None]:
    """CPU time and memory; Snakemake writes NA for a job too short to be looked at."""
    for column in ("cpu_time", "max_rss"):
        yield None if row[column] in ("NA", "-") else float(row[column])
