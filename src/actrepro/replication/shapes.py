"""Types of `elsewhere.json`: differences between the same runs in two folders."""

from __future__ import annotations

from pydantic import JsonValue
from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Interval, Name, Seed, Sha256, closed
from actrepro.measures.shapes import Measure, MeasureId
from actrepro.results.schema import Estimate


@closed
class Tally(TypedDict):
    """A value, and the number of runs with it."""

    value: JsonValue
    runs: Count


@closed
class RanOn(TypedDict):
    """A property that runs were made on: its values on both sides, and the runs that differ."""

    what: str
    here: list[Tally]
    there: list[Tally]
    differ: Count


@closed
class Excluded(TypedDict):
    """A run that was not compared, and why."""

    model: Name
    activation: Name
    seed: Seed
    why: str


@closed
class SideScore(TypedDict):
    """A measure of single runs on one side."""

    value: float
    sd: float | None


@closed
class ScoreDifference(Estimate):
    """There minus here, within seeds."""

    sd: float | None


@closed
class ComparedScore(TypedDict):
    """A measure of single runs on both sides, and the difference."""

    here: SideScore
    there: SideScore
    difference: ScoreDifference


@closed
class MadeElsewhere(Estimate):
    """The difference between a run here and there, with the smallest and the largest."""

    range: Interval


@closed
class ComparedDifference(TypedDict):
    """A measure of two runs: of one run made twice, and between seeds on each side."""

    elsewhere: MadeElsewhere
    seeds_here: Estimate | None
    seeds_there: Estimate | None
    ratio: float | None


@closed
class Sides(TypedDict):
    """A number on each side."""

    here: float
    there: float


@closed
class SideHashes(TypedDict):
    """A SHA-256 on each side."""

    here: Sha256 | None
    there: Sha256 | None


@closed
class ComparedRun(TypedDict):
    """One run in both folders; `differing` lists the properties in which they differ."""

    seed: Seed
    same_weights: bool
    same_predictions: bool
    weights_sha256: SideHashes
    predictions_sha256: SideHashes
    differing: list[str]
    scores: dict[MeasureId, Sides]
    differences: dict[MeasureId, float]


@closed
class ComparedUnderRule(TypedDict):
    """A cell under one checkpoint rule."""

    n: Count
    same_weights: Count
    same_predictions: Count
    scores: dict[MeasureId, ComparedScore]
    differences: dict[MeasureId, ComparedDifference]
    runs: list[ComparedRun]


@closed
class ComparedRules(TypedDict):
    """A cell under the rules that choose a checkpoint from one run alone."""

    final: ComparedUnderRule
    best: ComparedUnderRule


@closed
class ComparedCell(TypedDict):
    """One model with one activation."""

    model: Name
    activation: Name
    rules: ComparedRules


@closed
class Elsewhere(TypedDict):
    """`elsewhere.json`."""

    scale: Name
    evaluation_sha256: Sha256
    confidence: float
    measures: dict[str, Measure]
    ran_on: list[RanOn]
    excluded: list[Excluded]
    cells: list[ComparedCell]
