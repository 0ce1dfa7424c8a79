"""Costs of jobs by stage, as Snakemake measured them.

The times come from the benchmark files that each job leaves. A job that was not run again keeps
the times of its last run; a job without a file is excluded from every sum.
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
    """Cost of one job.

    Attributes
    ----------
    stage
        The rule.
    seconds
        Time from start to end.
    cpu_seconds
        CPU time of all threads; None if Snakemake could not measure it.
    megabytes
        Peak memory; None if Snakemake could not measure it.
    """

    stage: str
    seconds: float
    cpu_seconds: float | None
    megabytes: float | None


@dataclass(frozen=True)
class Stage:
    """Cost of all jobs of a rule; `megabytes` is the largest of any job."""

    name: str
    jobs: int
    seconds: float
    cpu_seconds: float | None
    megabytes: float | None


def stages(folder: Path, names: Collection[str]) -> list[Stage]:
    """Return the costs of a study's stages, the most expensive first.

    Parameters
    ----------
    folder
        Snakemake's folder of benchmarks: `{rule}/{wildcards}.tsv`.
    names
        The study's scales and corpora. A job belongs to the study if its first wildcard is one
        of them, or if its rule is listed in `OF_STUDY`.

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
    of_study = [_stage(name, ran) for name, ran in jobs.items()]
    return sorted(of_study, key=lambda of_rule: (-of_rule.seconds, of_rule.name))


def _stage(name: str, jobs: Collection[Job]) -> Stage:
    return Stage(
        name,
        len(jobs),
        sum(job.seconds for job in jobs),
        _sum(job.cpu_seconds for job in jobs),
        max((job.megabytes for job in jobs if job.megabytes is not None), default=None),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; None if none is known."""
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
    """Read CPU time and memory; Snakemake writes NA for a job too short to measure."""
    for column in ("cpu_time", "max_rss"):
        yield None if row[column] in ("NA", "-") else float(row[column])
