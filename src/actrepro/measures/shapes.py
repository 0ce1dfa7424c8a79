"""The shapes of `differences.json`, `differences-matched.json` and `breakdown.json`."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, with_config
from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Name, Probability, Seed, Sha256, checked_as, closed
from actrepro.predict.shapes import Extremes

MeasureId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9_]+)*\.(all|last|generated)$")]


@closed
class Measure(TypedDict):
    """The description of a measure, by the part of its id before the point."""

    name: Annotated[str, Field(description="As the report calls it.")]
    formula: Annotated[str, Field(description="In symbols; its unit too, where it has one.")]
    range: Annotated[
        list[float | None],
        checked_as(tuple[float, float | None]),
        Field(description="Smallest and largest value; null for no bound."),
    ]
    source: Annotated[str, Field(description="Where the definition is published.")]
    agreement: Annotated[bool, Field(description="Whether more means more alike.")]


@with_config(ConfigDict(extra="allow", strict=True))
class RunUnderRule(Extremes):
    """A run under one checkpoint rule: its predictions, and, under each measure's id, its score.

    A run that cannot be compared has no scores and says why.
    """

    seed: Seed
    why: str | None
    evaluation_sha256: Sha256
    weights_sha256: Sha256 | None
    predictions_sha256: Sha256 | None


@closed
class GroupValue(TypedDict):
    """A measure of all runs together, and without each of them, by seed."""

    value: float | None
    without: dict[str, float | None]


@closed
class CellUnderRule(TypedDict):
    """A cell under one checkpoint rule; of each pair `seeds`, and under each measure its value."""

    runs: list[RunUnderRule]
    pairs: list[dict[str, JsonValue]]
    group: dict[MeasureId, GroupValue]


# By activation, a model's cells under one rule: `differences-matched.json`.
Cells = dict[Name, CellUnderRule]


@closed
class UnderOwnRules(TypedDict):
    """A cell at the checkpoints that each run chooses alone."""

    final: CellUnderRule
    best: CellUnderRule


@closed
class CellDifferences(TypedDict):
    """`differences.json`."""

    scale: Name
    model: Name
    activation: Name
    seeds: list[Seed]
    evaluation_sha256: Sha256
    measures: dict[str, Measure]
    rules: UnderOwnRules


@closed
class SymbolRow(TypedDict):
    """The characters whose true symbol is this one; null where a single run has no number."""

    symbol: str
    count: Count
    churn: float | None
    total_variation: float | None
    loss: float | None
    accuracy: float | None


@closed
class ConfidenceRow(TypedDict):
    """The characters of a bin of confidence, and their share of all."""

    low: Probability
    high: Probability
    share: Probability
    churn: float | None
    total_variation: float | None


@closed
class Stretch(TypedDict):
    """A stretch of the scored text."""

    start: Count
    characters: Count
    churn: float | None
    total_variation: float | None


@closed
class ReliabilityBin(TypedDict):
    """Share of right predictions in a bin of confidence; null where there are none."""

    low: Probability
    high: Probability
    share: Probability
    confidence: float | None
    accuracy: float | None


@closed
class Calibration(TypedDict):
    """Bins of confidence, and the expected calibration error."""

    bins: list[ReliabilityBin]
    error: float


@closed
class EnsembleSize(TypedDict):
    """Mean loss and accuracy of ensembles of k runs."""

    k: Count
    loss: float
    accuracy: float


@closed
class Ensembles(TypedDict):
    """Ensembles by size, and what all runs together gain on one; null of a single run."""

    sizes: list[EnsembleSize]
    gain: float | None


@closed
class BrokenDownCell(TypedDict):
    """Disagreement of a cell's runs; null without usable runs."""

    n: Count
    by_symbol: list[SymbolRow] | None
    by_confidence: list[ConfidenceRow] | None
    by_position: list[Stretch] | None
    calibration: Calibration | None
    ensemble: Ensembles | None


@closed
class ShownCell(TypedDict):
    """A cell on the page: differences at each character; by seed and rank, what is likeliest."""

    seeds: list[Seed]
    total_variation: list[float]
    churn: list[float]
    top: list[list[str]]
    share: list[list[list[int]]]


@closed
class ShownPage(TypedDict):
    """A page of text, character by character."""

    start: Count
    text: str
    context: str
    cells: dict[Name, ShownCell]


@closed
class BrokenDown(TypedDict):
    """Disagreement of a model's runs; the page is null where no cell has two runs to compare."""

    evaluation_sha256: Sha256
    characters: Count
    cells: dict[Name, BrokenDownCell]
    page: ShownPage | None


@closed
class Breakdown(BrokenDown):
    """`breakdown.json`."""

    schema: int
    scale: Name
    model: Name
