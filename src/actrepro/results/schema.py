"""Types of `stats.json`, of a scale and of a model: every key, its unit and its meaning.

`read_stats` and `read_model_stats` read the files and check them against these types;
`python -m actrepro.results.schema` prints the JSON schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter
from typing_extensions import TypedDict

from actrepro.config.protocol import Margins, Protocol
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json
from actrepro.core.shapes import (
    Count,
    GitState,
    Interval,
    Machine,
    Name,
    Positive,
    Probability,
    Seed,
    Sha256,
    checked_as,
    closed,
    read_as,
)
from actrepro.core.vocabulary import Status
from actrepro.data.shapes import Evaluation, Table
from actrepro.gates.outcome import GATES
from actrepro.gates.shapes import Gate, Shared
from actrepro.measures.shapes import Measure, MeasureId
from actrepro.predict.store import Rule
from actrepro.results.schema_version import VERSION
from actrepro.results.verdicts import Verdict
from actrepro.train.shapes import LastHistory, ProtocolValues, RunHashes


def _all_gates(names: dict[str, Gate]) -> dict[str, Gate]:
    if list(names) != list(GATES):
        raise ValueError(f"expected the gates {', '.join(GATES)}, in this order")
    return names


def _known_gates(names: list[str]) -> list[str]:
    if names != [gate for gate in GATES if gate in names]:
        raise ValueError(f"expected some of the gates {', '.join(GATES)}, in this order")
    return names


# What an interval allows for.
IntervalOver = Literal["seeds", "seeds and text"]
PositiveEnds = Annotated[list[float], checked_as(tuple[Positive, Positive])]
FailedGates = Annotated[
    list[str],
    AfterValidator(_known_gates),
    Field(description="The gates that failed; empty when all passed."),
]


@closed
class Estimate(TypedDict):
    """A value with its uncertainty."""

    value: Annotated[float, Field(description="In the measure's unit (see `measures`).")]
    n: Annotated[Count, Field(description="Seeds behind the value.")]
    standard_error: Annotated[
        Positive | None,
        Field(
            description="In the measure's unit; null with too few seeds: fewer than two, or fewer "
            "than three where seeds are compared in pairs or groups."
        ),
    ]
    interval: Annotated[
        Interval | None,
        Field(description="Low and high end at the study's `confidence`; null where the error is."),
    ]


@closed
class Score(Estimate):
    """A measure of single runs over a cell's seeds."""

    interval_over: Annotated[
        IntervalOver,
        Field(
            description="What the interval allows for: other seeds (Student), or also other text "
            "(two-way bootstrap)."
        ),
    ]
    interval_over_seeds: Annotated[
        Interval | None,
        Field(description="Student's interval over the seeds alone; null with one seed."),
    ]
    sd: Annotated[
        Positive | None,
        Field(description="Standard deviation over seeds, divided by n − 1; null with one seed."),
    ]
    by_seed: Annotated[dict[str, float], Field(description="The value of each run, by its seed.")]


@closed
class Pair(TypedDict):
    """Two runs of a cell."""

    seeds: Annotated[
        list[Seed], checked_as(tuple[Seed, Seed]), Field(description="Of the two runs.")
    ]
    value: Annotated[float, Field(description="Their difference: the mean of both directions.")]


@closed
class Difference(Estimate):
    """A measure of two runs, mean over a cell's pairs of seeds; the error is a jackknife's."""

    half_width: Annotated[
        Positive | None,
        Field(description="Half the width of the interval; null where there is none."),
    ]
    pairs: Annotated[list[Pair], Field(description="Every two runs of the cell.")]


@closed
class Excluded(TypedDict):
    """A run that is excluded from every number of its cell."""

    seed: Annotated[Seed, Field(description="The run's.")]
    why: Annotated[
        str,
        Field(
            description="Why it cannot be compared, in words; `diverged` or `failed`, for example."
        ),
    ]


@closed
class Cell(TypedDict):
    """One model with one activation, over its seeds."""

    n: Annotated[Count, Field(description="Seeds whose runs can be compared.")]
    excluded: Annotated[list[Excluded], Field(description="The other runs.")]
    gates: Annotated[
        dict[str, Gate],
        AfterValidator(_all_gates),
        Field(
            description="Each gate's outcome. "
            + "; ".join(f"`{gate}`: {text}" for gate, text in GATES.items())
            + "."
        ),
    ]
    failed_gates: FailedGates
    metrics: Annotated[
        dict[MeasureId, Score | None],
        Field(description="Measures of single runs; null without runs."),
    ]
    differences: Annotated[
        dict[MeasureId, Difference | None],
        Field(description="Measures of two runs; null with fewer than two seeds."),
    ]
    group: Annotated[
        dict[MeasureId, Estimate | None],
        Field(
            description="Measures of all runs together; null with fewer than two seeds, and for a "
            "kappa of runs that all always predict one and the same symbol."
        ),
    ]
    beats: Annotated[
        dict[Table, bool | None],
        Field(description="Whether every run's loss is below this table's; null without runs."),
    ]


@closed
class SeedsToSettle(TypedDict):
    """Fewest seeds that would decide a contrast if the present spread is the true one."""

    different: Annotated[
        Count | None,
        Field(description="To find the observed difference with 80% power; null above 1,000."),
    ]
    equivalent: Annotated[
        Count | None,
        Field(
            description="To show it to be within the margin with 80% power; null above "
            "1,000 and for a difference as large as the margin."
        ),
    ]
    either: Annotated[Count | None, Field(description="The smaller of both; null where both are.")]


@closed
class Contrast(TypedDict):
    """Two activations of a model in one measure, compared within seeds."""

    metric: Annotated[MeasureId, Field(description="The measure.")]
    a: Annotated[Name, Field(description="An activation.")]
    b: Annotated[Name, Field(description="Another; later in the study's list.")]
    seeds: Annotated[list[Seed], Field(description="Seeds at which both runs can be compared.")]
    value: Annotated[
        float | None,
        Field(description="a − b in the measure's unit; null with too few runs for the measure."),
    ]
    n: Annotated[Count, Field(description="Seeds behind the value.")]
    standard_error: Annotated[
        Positive | None, Field(description="Of the value; null with too few seeds for one.")
    ]
    interval: Annotated[
        Interval | None,
        Field(description="Low and high end at the study's `confidence`; null where the error is."),
    ]
    interval_over: Annotated[
        IntervalOver | None,
        Field(description="What the interval allows for; null where the value is."),
    ]
    sd: Annotated[
        Positive | None,
        Field(
            description="Standard deviation of one seed's contribution; null with too few seeds."
        ),
    ]
    test: Annotated[
        str | None, Field(description="The test behind `p`, in words; null where none is made.")
    ]
    exact: Annotated[
        bool | None,
        Field(
            description="Whether all relabelings were gone through; null where there is no test."
        ),
    ]
    p: Annotated[
        Probability | None,
        Field(description="Two-sided, that a and b are alike; null where there is no test."),
    ]
    p_smallest: Annotated[
        Probability | None,
        Field(description="The smallest p that n seeds can give; null where there is no test."),
    ]
    margin: Annotated[
        Positive | None,
        Field(
            description="Largest difference that counts as none, from the config; null "
            "for a measure without one."
        ),
    ]
    p_equivalent: Annotated[
        Probability | None,
        Field(
            description="Two one-sided tests, that the difference is as large as the margin; null "
            "without margin or standard error."
        ),
    ]
    p_holm: Annotated[
        Probability | None,
        Field(
            description="`p` adjusted for its family: the model's sound contrasts in this measure "
            "(Holm); null where `p` is, and when unsound."
        ),
    ]
    p_equivalent_holm: Annotated[
        Probability | None,
        Field(
            description="`p_equivalent` adjusted likewise; null where that is, and when unsound."
        ),
    ]
    failed_gates: FailedGates
    significant: Annotated[
        bool | None,
        Field(
            description="Whether `p_holm` is below 1 − confidence; null without a test, or unsound."
        ),
    ]
    verdict: Annotated[
        Verdict | None,
        Field(
            description="`unsound`: a or b failed a gate. `equivalent`: "
            "`p_equivalent_holm` is below 1 − confidence. Otherwise "
            "`different`: `p_holm` is. Otherwise `inconclusive`. Null "
            "without margin or test."
        ),
    ]
    seeds_to_settle: Annotated[
        SeedsToSettle | None,
        Field(
            description="Of an inconclusive contrast, at 1 − confidence over the number of sound "
            "contrasts; null for any other, and without spread between seeds."
        ),
    ]
    detectable: Annotated[
        Positive | None,
        Field(
            description="Smallest difference that n seeds find with 80% power; null "
            "without margin or spread, when unsound, and where the exact "
            "test cannot reach significance with n seeds."
        ),
    ]


@closed
class Omnibus(TypedDict):
    """Test that all activations are alike, by permuting labels within seeds; over sound cells."""

    activations: Annotated[list[Name], Field(description="Those compared.")]
    seeds: Annotated[list[Seed], Field(description="Those that all of them have.")]
    statistic: Annotated[
        Positive,
        Field(
            description="Of a score, the sum of squares between activations; of a difference, the "
            "variance between activations; 0 where all are alike."
        ),
    ]
    p: Annotated[
        Probability, Field(description="Share of relabelings whose statistic is as large.")
    ]
    p_smallest: Annotated[Probability, Field(description="The smallest p that is possible here.")]
    exact: Annotated[
        bool, Field(description="Whether all relabelings were gone through, or a sample.")
    ]
    relabelings: Annotated[Count, Field(description="How many there were.")]


@closed
class OmnibusTest(TypedDict):
    """A classical test that all activations are alike."""

    statistic: Annotated[float, Field(description="F, or Friedman's χ².")]
    p: Annotated[Probability, Field(description="By the statistic's distribution.")]
    df: Annotated[
        list[float], Field(description="Degrees of freedom: numerator, denominator; of χ² one.")
    ]


@closed
class Comparison(TypedDict):
    """Two activations in a classical test of all pairs."""

    a: Annotated[Name, Field(description="An activation.")]
    b: Annotated[Name, Field(description="Another.")]
    difference: Annotated[float, Field(description="Of means, a − b.")]
    p: Annotated[Probability, Field(description="Adjusted for all pairs, as the test does it.")]


class Together(TypedDict):
    """The activations and seeds that tests of several activations compare."""

    activations: Annotated[list[Name], Field(description="Those compared.")]
    seeds: Annotated[list[Seed], Field(description="Those that all of them have.")]


class ClassicalTests(TypedDict):
    """The classical tests of some scores."""

    one_way: Annotated[
        OmnibusTest | None,
        Field(description="Analysis of variance; null where no score differs between seeds."),
    ]
    welch: Annotated[
        OmnibusTest | None,
        Field(
            description="The same with unequal variances; null where an activation's "
            "scores are equal."
        ),
    ]
    blocked: Annotated[
        OmnibusTest | None,
        Field(
            description="Analysis of variance with seeds as blocks; null without residual spread."
        ),
    ]
    friedman: Annotated[
        OmnibusTest | None,
        Field(description="Friedman's test of ranks within seeds; null with two activations."),
    ]
    tukey: Annotated[
        list[Comparison] | None,
        Field(description="Tukey's honestly significant differences; null as `one_way` is."),
    ]
    games_howell: Annotated[
        list[Comparison] | None,
        Field(description="Games and Howell's test; null where two activations' scores are equal."),
    ]


@closed
class Classical(Together, ClassicalTests):
    """The tests that readers ask for, over sound cells and the seeds they share."""


@closed
class KindsOfPairs(TypedDict):
    """Mean difference between two runs of a model, by what they share."""

    same_activation_other_seed: Annotated[
        float | None, Field(description="The seed's own effect; null without such pairs.")
    ]
    other_activation_same_seed: Annotated[
        float | None,
        Field(description="The activation's effect at one seed; null without such pairs."),
    ]
    other_activation_other_seed: Annotated[
        float | None, Field(description="Both effects together; null without such pairs.")
    ]


@closed
class Across(TypedDict):
    """Two activations' runs compared with each other."""

    metric: Annotated[MeasureId, Field(description="The measure, of two runs.")]
    a: Annotated[Name, Field(description="An activation.")]
    b: Annotated[Name, Field(description="Another; later in the study's list.")]
    failed_gates: FailedGates
    seeds: Annotated[list[Seed], Field(description="Seeds at which both runs can be compared.")]
    same_seed: Annotated[
        Estimate | None,
        Field(description="Mean from a's run to b's with the same seed; null without seeds."),
    ]
    other_seed: Annotated[
        Estimate | None,
        Field(
            description="Mean between runs of a and b with different seeds; null with "
            "fewer than two."
        ),
    ]
    effect: Annotated[
        Estimate | None,
        Field(
            description="`other_seed` minus the mean of both cells' differences between "
            "seeds: what the activation adds to what the seed does alone; "
            "null with fewer than two seeds."
        ),
    ]


@closed
class UnderRule(TypedDict):
    """All results of a model under one checkpoint rule."""

    cells: Annotated[dict[Name, Cell], Field(description="By activation.")]
    contrasts: Annotated[
        list[Contrast], Field(description="Every two activations in every measure.")
    ]
    omnibus: Annotated[
        dict[MeasureId, Omnibus | None],
        Field(
            description="Of the main measures; null with fewer than two sound cells or "
            "shared seeds."
        ),
    ]
    classical: Annotated[
        dict[MeasureId, Classical | None],
        Field(
            description="Of loss and accuracy; null with fewer than two sound cells or "
            "shared seeds."
        ),
    ]
    kinds_of_pairs: Annotated[
        dict[MeasureId, KindsOfPairs], Field(description="Of measures of two runs.")
    ]
    across: Annotated[
        list[Across], Field(description="Every two activations in every measure of two runs.")
    ]


@closed
class Rules(TypedDict):
    """Results by the checkpoint rule that chose each run's weights, all from the same training."""

    final: Annotated[UnderRule, Field(description="The last step.")]
    best: Annotated[
        UnderRule, Field(description="The step with the lowest loss on the selection text.")
    ]
    matched: Annotated[
        UnderRule,
        Field(description="The step whose loss on the selection text is nearest `common_loss`."),
    ]


@closed
class Run(TypedDict):
    """One training run."""

    activation: Annotated[Name, Field(description="The run's.")]
    seed: Annotated[Seed, Field(description="The run's.")]
    status: Annotated[
        Status,
        Field(
            description="`diverged`: a loss was no number, and training stopped there. "
            "`failed`: the machine could not train it, for want of memory."
        ),
    ]
    why: Annotated[
        str | None,
        Field(
            description="What happened to a run that `diverged` or `failed`, and at "
            "which step; null for one that finished."
        ),
    ]
    parameters: Annotated[Count, Field(description="Trained numbers of the model.")]
    final_step: Annotated[Count, Field(description="The last step.")]
    best_step: Annotated[
        Count, Field(description="The step with the lowest loss on the selection text.")
    ]
    last_history: Annotated[
        LastHistory | None,
        Field(
            description="The last row of its history; null for a run that failed before the first."
        ),
    ]
    weights_sha256: Annotated[RunHashes, Field(description="Of the kept weights.")]
    seconds: Annotated[Positive, Field(description="Training took so long.")]
    characters_per_second: Annotated[Positive, Field(description="Trained characters per second.")]
    peak_memory_bytes: Annotated[Count, Field(description="The most memory that the process held.")]
    peak_gpu_memory_bytes: Annotated[
        Count | None, Field(description="The same of the GPU; null without.")
    ]
    device: Annotated[str, Field(description="`cpu`, or the GPU's name.")]
    threads: Annotated[Count, Field(description="CPU threads.")]
    machine: Annotated[Machine, Field(description="System, processor, cores.")]
    packages: Annotated[dict[str, str], Field(description="Versions of Python and of packages.")]
    git: Annotated[GitState, Field(description="Where the code came from.")]
    matched_step: Annotated[
        Count | None,
        Field(
            description="The step nearest the model's `common_loss`; null for a run that diverged "
            "or failed."
        ),
    ]
    matched_selection_loss: Annotated[
        float | None,
        Field(
            description="Its loss on the selection text, nats per character; null for a run that "
            "diverged or failed."
        ),
    ]
    predictions_sha256: Annotated[
        Sha256 | None,
        Field(
            description="Of the final checkpoint's predictions; null for a run that "
            "diverged or failed."
        ),
    ]


@closed
class OverRuns(Estimate):
    """A mean over an activation's finished runs, with Student's interval."""

    by_seed: Annotated[dict[str, float], Field(description="The value of each run, by its seed.")]


@closed
class Fit(TypedDict):
    """Gaps in the loss of an activation's finished runs."""

    train_gap: Annotated[
        OverRuns | None,
        Field(
            description="Selection loss minus training loss at the end of the history, nats per "
            "character; null without a finished run."
        ),
    ]
    best_gap: Annotated[
        OverRuns | None,
        Field(
            description="Test loss of the final minus that of the best checkpoint, nats per "
            "character; null without a run that can be compared under both rules."
        ),
    ]


@closed
class RunMeans(TypedDict):
    """Means over finished runs."""

    seconds: Annotated[Positive, Field(description="Of training.")]
    characters_per_second: Annotated[Positive, Field(description="Trained characters per second.")]


@closed
class Training(TypedDict):
    """Cost of training a model's runs."""

    seconds: Annotated[Positive, Field(description="Of all runs together, each run's own time.")]
    finished: Annotated[
        RunMeans | None, Field(description="Over the model's finished runs; null without one.")
    ]
    activations: Annotated[
        dict[Name, RunMeans | None],
        Field(description="By activation; null without a finished run."),
    ]


# What varies.
SourceName = Literal["activation", "model", "activation:model", "seed", "residual"]


@closed
class Source(TypedDict):
    """One row of the analysis of variance."""

    source: Annotated[
        SourceName,
        Field(description="What varies."),
    ]
    ss: Annotated[Positive, Field(description="Sum of squares, in the measure's unit squared.")]
    df: Annotated[Count, Field(description="Degrees of freedom.")]
    ms: Annotated[Positive, Field(description="ss / df.")]
    f: Annotated[
        Positive | None,
        Field(description="ms over the residual's; null of the residual, and without any."),
    ]
    p: Annotated[Probability | None, Field(description="Of f; null where that is.")]
    eta2: Annotated[
        Probability | None,
        Field(description="η², share of the total sum of squares; null where nothing varies."),
    ]
    partial_eta2: Annotated[
        Probability | None, Field(description="ss / (ss + residual ss); null where f is.")
    ]
    omega2: Annotated[
        float | None,
        Field(description="ω², nearly unbiased share, may be below 0; null where f is."),
    ]


class Variances(TypedDict):
    """Rows of an analysis of variance, and what follows from them."""

    sources: Annotated[
        list[Source],
        Field(
            description="Residual last; a term that one activation or one model cannot "
            "have is absent."
        ),
    ]
    variance_seed: Annotated[
        Positive | None,
        Field(
            description="Between seeds, by expected mean squares, at least 0; null "
            "without residual."
        ),
    ]
    variance_seed_raw: Annotated[
        float | None, Field(description="The same before that bound; null without residual.")
    ]
    variance_residual: Annotated[
        Positive | None, Field(description="Mean square of the residual; null without one.")
    ]
    icc: Annotated[
        Probability | None,
        Field(
            description="variance_seed / (variance_seed + variance_residual): the "
            "correlation of two runs of one seed; null where both are 0 or "
            "missing."
        ),
    ]


class Grid(TypedDict):
    """The activations, models and seeds of an analysis of variance."""

    activations: Annotated[
        list[Name], Field(description="Those of the complete grid of sound cells.")
    ]
    models: Annotated[list[Name], Field(description="Those of the grid.")]
    seeds: Annotated[list[Seed], Field(description="Those that all cells of the grid have.")]


@closed
class Decomposition(Grid, Variances):
    """Variance of a score by activation, model, their interaction, and seed."""


@closed
class Effects(TypedDict):
    """Mean total variation between two runs of a model's sound cells, by what they differ in."""

    activation: Annotated[
        Positive | None,
        Field(description="Runs of one seed with two activations; null without such cells."),
    ]
    seed: Annotated[
        Positive | None,
        Field(
            description="Runs of one activation with two seeds, the mean over the cells; null "
            "without such cells."
        ),
    ]


@closed
class Averages(TypedDict):
    """Mean total variation by activation, over the same models for each."""

    models: Annotated[list[Name], Field(description="Those of the complete grid of sound cells.")]
    means: Annotated[
        dict[Name, Estimate],
        Field(description="By activation; errors of the models are taken as independent."),
    ]


@closed
class Box(TypedDict):
    """Spread of an activation's single pairs of seeds in total variation, over all models.

    A pair counts by its distance from the mean of its model's sound cells.
    """

    lowest: Annotated[float, Field(description="The smallest distance.")]
    lower_quartile: Annotated[float, Field(description="A quarter of the pairs lie below.")]
    median: Annotated[float, Field(description="Half of the pairs lie below.")]
    upper_quartile: Annotated[float, Field(description="A quarter of the pairs lie above.")]
    highest: Annotated[float, Field(description="The largest distance.")]


@closed
class Sensitivity(TypedDict):
    """Effect of the activation on a model's mean total variation."""

    model: Annotated[Name, Field(description="The model.")]
    cells: Annotated[Count, Field(description="Sound activations that have a mean.")]
    range: Annotated[
        Positive | None,
        Field(description="The largest minus the smallest mean; null with fewer than two."),
    ]
    typical: Annotated[
        Positive | None,
        Field(
            description="The median of that range if all true means were the same; null "
            "where a cell has no standard error."
        ),
    ]
    high: Annotated[
        Positive | None,
        Field(description="The quantile of that range at the study's `confidence`; null likewise."),
    ]
    beyond_noise: Annotated[
        bool | None, Field(description="Whether the range is above `high`; null where either is.")
    ]


@closed
class CellName(TypedDict):
    """A cell by its names."""

    model: Annotated[Name, Field(description="The model.")]
    activation: Annotated[Name, Field(description="The activation.")]


@closed
class Reach(TypedDict):
    """Smallest p-values that the seeds allow in total variation at the fixed step."""

    p: Annotated[
        Probability | None,
        Field(description="The smallest p of any contrast's exact test; null without a test."),
    ]
    p_holm: Annotated[
        Probability | None,
        Field(
            description="The smallest p after Holm's correction within a model; null "
            "without a test."
        ),
    ]
    p_omnibus: Annotated[
        Probability | None,
        Field(
            description="The smallest p of a test of all of a model's activations; null "
            "without one."
        ),
    ]
    contrasts: Annotated[Count, Field(description="Tested contrasts of the model with the most.")]
    seeds_needed: Annotated[
        Count | None,
        Field(
            description="Fewest seeds at which one of that many contrasts can be significant after "
            "correction; null without a test."
        ),
    ]


@closed
class SeedEnds(TypedDict):
    """Numbers of seeds."""

    least: Annotated[Count, Field(description="The smallest.")]
    median: Annotated[Count, Field(description="The median, the larger of two.")]
    most: Annotated[Count, Field(description="The largest.")]


@closed
class SizeEnds(TypedDict):
    """Sizes of differences."""

    least: Annotated[Positive, Field(description="The smallest.")]
    median: Annotated[Positive, Field(description="The median, the larger of two.")]
    most: Annotated[Positive, Field(description="The largest.")]


@closed
class Undecided(TypedDict):
    """Inconclusive contrasts, and what would settle them."""

    contrasts: Annotated[Count, Field(description="How many there are.")]
    planned: Annotated[Count, Field(description="Those that have `seeds_to_settle`.")]
    settled: Annotated[
        Count, Field(description="Those of `planned` that at most 1,000 seeds would settle.")
    ]
    seeds: Annotated[
        SeedEnds | None,
        Field(description="Seeds that would settle one, over `settled`; null without any."),
    ]
    median_seeds: Annotated[
        Count | None,
        Field(
            description="The median over `planned`, the larger of two; null above "
            "1,000, and without any."
        ),
    ]
    detectable: Annotated[
        SizeEnds | None,
        Field(
            description="Smallest difference that the present seeds find with 80% power, over "
            "`planned`; null where none can be found."
        ),
    ]


@closed
class UndecidedContrasts(TypedDict):
    """The inconclusive contrasts of one measure under one checkpoint rule."""

    together: Annotated[Undecided, Field(description="Of all models.")]
    models: Annotated[dict[Name, Undecided], Field(description="By model.")]


@closed
class PlanLine(TypedDict):
    """Differences that numbers of seeds could find for one spread between seeds."""

    sd: Annotated[Positive, Field(description="Standard deviation of one seed's contribution.")]
    detectable: Annotated[
        list[Positive],
        Field(description="Smallest difference that is found, by the plan's `seeds`."),
    ]


@closed
class Plan(TypedDict):
    """Differences that numbers of seeds could find in one model."""

    contrasts: Annotated[
        Count, Field(description="Tested contrasts; each at α divided by their number.")
    ]
    seeds: Annotated[
        list[Count],
        Field(
            description="From the fewest whose exact test reaches that level, up to `most_seeds`."
        ),
    ]
    least: Annotated[PlanLine, Field(description="Of the contrast with the smallest spread.")]
    median: Annotated[PlanLine, Field(description="Of the median spread.")]
    most: Annotated[PlanLine, Field(description="Of the contrast with the largest spread.")]


@closed
class Choice(TypedDict):
    """Seeds and differences for a comparison of some of the activations."""

    activations: Annotated[Count, Field(description="How many are compared.")]
    pairs: Annotated[Count, Field(description="Contrasts of a model.")]
    seeds_needed: Annotated[
        Count, Field(description="Fewest seeds at which one can be significant.")
    ]
    detectable: Annotated[
        list[Positive | None],
        Field(
            description="Smallest difference that is found, in standard deviations of one seed's "
            "contribution, by `seeds`; null where the exact test cannot reach the level."
        ),
    ]


@closed
class Example(TypedDict):
    """Differences that a few choices could find, over the models."""

    activations: Annotated[Count, Field(description="How many are compared.")]
    seeds: Annotated[Count, Field(description="How many.")]
    pairs: Annotated[Count, Field(description="Contrasts of a model.")]
    detectable: Annotated[
        PositiveEnds | None,
        Field(
            description="Smallest difference that is found with a model's median "
            "spread, in the least and in the most variable model; null "
            "where the exact test cannot reach the level."
        ),
    ]


@closed
class Planning(TypedDict):
    """Differences that numbers of seeds and of activations could find in total variation."""

    power: Annotated[Probability, Field(description="With which a difference is found.")]
    most_seeds: Annotated[Count, Field(description="Where plans end.")]
    plans: Annotated[
        dict[Name, Plan | None],
        Field(description="By model; null where no contrast was tested or none has a spread."),
    ]
    seeds: Annotated[list[Count], Field(description="Numbers of seeds that choices are for.")]
    p_smallest: Annotated[
        list[Probability], Field(description="The smallest p of the exact test, by `seeds`.")
    ]
    choices: Annotated[list[Choice], Field(description="By number of activations, from two on.")]
    examples: Annotated[list[Example], Field(description="All activations, and two of them.")]


@closed
class OmnibusOfModel(TypedDict):
    """One model's test that its activations are all alike, adjusted for the other models."""

    p: Annotated[Probability, Field(description="As in the model's `omnibus`.")]
    p_holm: Annotated[Probability, Field(description="Adjusted for the models (Holm).")]


@closed
class DecompositionUnderRule(TypedDict):
    """Variance decompositions, by checkpoint rule."""

    final: Annotated[
        dict[MeasureId, Decomposition | None],
        Field(
            description="Of loss and accuracy; null without a grid of sound cells with two seeds."
        ),
    ]
    best: Annotated[
        dict[MeasureId, Decomposition | None],
        Field(description="As `final`; null where that would be."),
    ]
    matched: Annotated[
        dict[MeasureId, Decomposition | None],
        Field(description="As `final`; null where that would be."),
    ]


# The checkpoint rules under which activations are compared down to a verdict.
ComparedRule = Literal["final", "matched"]
# The measures that have a margin.
MarginName = Literal["loss", "accuracy", "total_variation", "churn"]


class MarginValues(TypedDict):
    """The values of `Margins`, key by key."""

    loss: float
    accuracy: float
    total_variation: float
    churn: float


class _Study(TypedDict):
    """Keys that all models of a scale share."""

    schema: Annotated[int, Field(ge=VERSION, le=VERSION, description="Version of this shape.")]
    activations: Annotated[list[Name], Field(description="In the study's order.")]
    seeds: Annotated[list[Seed], Field(description="In the study's order.")]
    smoke: Annotated[bool, Field(description="Whether there are too few seeds for claims.")]
    recommended_seeds: Annotated[Count, Field(description="Seeds from which on there are enough.")]
    confidence: Annotated[Probability, Field(description="Level of every interval and verdict.")]
    margins: Annotated[
        MarginValues,
        checked_as(Margins),
        Field(description="Largest differences that count as none."),
    ]
    corpus_sha256: Annotated[Sha256, Field(description="Of the corpus.")]
    evaluation: Annotated[Evaluation, Field(description="What every run predicted.")]
    measures: Annotated[
        dict[str, Measure], Field(description="By the part of a measure id before the point.")
    ]


class _Model(TypedDict):
    """Keys that each model has for itself."""

    scale: Annotated[Name, Field(description="The scale.")]
    model: Annotated[Name, Field(description="The model.")]
    protocol: Annotated[
        ProtocolValues, checked_as(Protocol), Field(description="What its runs were trained with.")
    ]
    common_loss: Annotated[
        float,
        Field(
            description="Nats per character: the lowest loss on the selection text that every run "
            "reaches (of those that beat the bigram table there, if any do). `matched` matches it."
        ),
    ]
    runs: Annotated[list[Run], Field(description="By activation, then seed.")]
    training: Annotated[Training, Field(description="What training took.")]
    fit: Annotated[dict[Name, Fit], Field(description="Gaps of fit, by activation.")]
    rules: Annotated[Rules, Field(description="All numbers, by checkpoint rule.")]


@closed
class ModelOfScale(_Model):
    """One model's part of a scale's `stats.json`, without the keys that models share."""


class ScaleModels(_Study):
    """The models of a scale, and the results that are computed before `Spanning`."""

    study: Annotated[Name, Field(description="The study's name.")]
    scale: Annotated[Name, Field(description="The scale.")]
    shared_between_models: Annotated[
        list[Shared],
        Field(
            description="Weights or predictions that runs of different models share; none should."
        ),
    ]
    omnibus: Annotated[
        dict[Rule, dict[MeasureId, dict[Name, OmnibusOfModel]]],
        Field(
            description="By checkpoint rule, measure and model: whether a model's "
            "activations differ at all, adjusted for the models; a model "
            "without such a test is absent."
        ),
    ]
    decomposition: Annotated[
        DecompositionUnderRule, Field(description="Where the scale's variance is.")
    ]
    models: Annotated[dict[Name, ModelOfScale], Field(description="By model.")]


class Spanning(TypedDict):
    """Results that span the models of a scale."""

    training_seconds: Annotated[
        Positive, Field(description="Training time of all runs, each run's own time added up.")
    ]
    effects: Annotated[
        dict[Name, Effects],
        Field(
            description="How far the activation and how far the seed changes predictions, by model."
        ),
    ]
    averages: Annotated[
        Averages | None,
        Field(
            description="Total variation by activation; null without a grid of sound "
            "cells with two seeds."
        ),
    ]
    boxes: Annotated[
        dict[Name, Box | None],
        Field(
            description="Single pairs of seeds, by activation; null without a sound "
            "cell that has any."
        ),
    ]
    sensitivity: Annotated[
        list[Sensitivity],
        Field(
            description="How far the activation moves each model, the most sensitive model first."
        ),
    ]
    pareto_front: Annotated[
        list[CellName],
        Field(
            description="The sound cells that no other beats in loss and in total "
            "variation, from the lowest loss on."
        ),
    ]
    reach: Annotated[Reach, Field(description="What the seeds allow contrasts to show.")]
    undecided: Annotated[
        dict[ComparedRule, dict[MeasureId, UndecidedContrasts]],
        Field(
            description="By checkpoint rule and measure: what would settle inconclusive contrasts."
        ),
    ]
    planning: Annotated[
        Planning, Field(description="What numbers of seeds and activations could find.")
    ]


@closed
class StatsFile(ScaleModels, Spanning):
    """`results/{scale}/stats.json`."""


@closed
class ModelStatsFile(_Model, _Study):
    """`results/{scale}/{model}/stats.json`."""


def read_stats(path: str | Path) -> StatsFile:
    """Read `stats.json` of a scale.

    Raises
    ------
    ActreproError
        When the file is missing or damaged, is of one model, or was written by another version.
    """
    if "models" not in _of_this_version(path):
        raise ActreproError(
            f"{path}: found the statistics of one model, expected those of a scale; pass a "
            "scale's folder, and run the workflow where it has no stats.json"
        )
    return read_as(StatsFile, path)


def read_model_stats(path: str | Path) -> ModelStatsFile:
    """Read `stats.json` of a model at a scale.

    Raises
    ------
    ActreproError
        When the file is missing or damaged, is of a scale, or was written by another version.
    """
    if "models" in _of_this_version(path):
        raise ActreproError(
            f"{path}: found the statistics of a scale, expected those of one model; pass a "
            "model's folder, and run the workflow where it has no stats.json"
        )
    return read_as(ModelStatsFile, path)


def _of_this_version(path: str | Path) -> dict[str, Any]:
    stats = read_json(path)
    version = stats.get("schema") if isinstance(stats, dict) else None
    if version != VERSION:
        found = "none" if version is None else repr(version)
        raise ActreproError(
            f"{path}: found results of schema {found}, expected {VERSION}; run the workflow "
            "again, or read them with the version of actrepro that wrote them"
        )
    return dict(stats)


def schema() -> str:
    """Return the JSON schema of both files, as `resources/stats.schema.json` has it."""
    types = TypeAdapter[Any](StatsFile | ModelStatsFile).json_schema()
    return json.dumps(types, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
