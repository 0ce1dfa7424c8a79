"""The shape of `stats.json`, of a scale and of a model: every key, its unit and its meaning.

`StatsFile.model_validate_json(path.read_bytes())` checks a file;
`python -m actrepro.results.schema` prints the JSON schema. No job of a study
needs this module: what is checked here is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from actrepro.config.protocol import Margins, Protocol
from actrepro.gates.outcome import GATES
from actrepro.results.schema_version import VERSION

MeasureId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9_]+)*\.(all|last|generated)$")]
Sha256 = str
Name = str
Seed = int
Count = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0)]
Interval = tuple[float, float]


def _all_gates(names: Iterable[str]) -> Any:
    if list(names) != list(GATES):
        raise ValueError(f"expected the gates {', '.join(GATES)}, in this order")
    return names


def _known_gates(names: list[str]) -> list[str]:
    if names != [gate for gate in GATES if gate in names]:
        raise ValueError(f"expected some of the gates {', '.join(GATES)}, in this order")
    return names


FailedGates = Annotated[
    list[str],
    AfterValidator(_known_gates),
    Field(description="The gates that failed; empty when all passed."),
]


class _Part(BaseModel):
    """All keys are there, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Estimate(_Part):
    """A value with its uncertainty."""

    value: float = Field(description="In the measure's unit (see `measures`).")
    n: Count = Field(description="Seeds behind the value.")
    standard_error: Positive | None = Field(
        description="In the measure's unit; null with too few seeds: fewer than two, or fewer "
        "than three where seeds are compared in pairs or groups."
    )
    interval: Interval | None = Field(
        description="Low and high end at the study's `confidence`; null where the error is."
    )


class Score(Estimate):
    """A measure of single runs over a cell's seeds."""

    interval_over: Literal["seeds", "seeds and text"] = Field(
        description="What the interval allows for: other seeds (Student), or also other text "
        "(two-way bootstrap)."
    )
    interval_over_seeds: Interval | None = Field(
        description="Student's interval over the seeds alone; null with one seed."
    )
    sd: Positive | None = Field(
        description="Standard deviation over seeds, divided by n − 1; null with one seed."
    )
    by_seed: dict[str, float] = Field(description="The value of each run, by its seed.")


class Pair(_Part):
    """Two runs of a cell."""

    seeds: tuple[Seed, Seed] = Field(description="Of the two runs.")
    value: float = Field(description="Their difference: the mean of both directions.")


class Difference(Estimate):
    """A measure of two runs, mean over a cell's pairs of seeds; the error is a jackknife's."""

    half_width: Positive | None = Field(
        description="Half the width of the interval; null where there is none."
    )
    pairs: list[Pair] = Field(description="Every two runs of the cell.")


class Gate(_Part):
    """What a gate found."""

    passed: bool = Field(description="Whether the bound holds.")
    measured: JsonValue = Field(description="What was measured; its keys depend on the gate.")
    bound: str = Field(description="What it was held against, in words.")


class Excluded(_Part):
    """A run that no number of its cell has."""

    seed: Seed = Field(description="The run's.")
    why: str = Field(
        description="Why it cannot be compared, in words; `diverged` or `failed`, for example."
    )


class Cell(_Part):
    """One model with one activation, over its seeds."""

    n: Count = Field(description="Seeds whose runs can be compared.")
    excluded: list[Excluded] = Field(description="The other runs.")
    gates: Annotated[dict[str, Gate], AfterValidator(_all_gates)] = Field(
        description="Each gate's outcome. "
        + "; ".join(f"`{gate}`: {text}" for gate, text in GATES.items())
        + "."
    )
    failed_gates: FailedGates
    metrics: dict[MeasureId, Score | None] = Field(
        description="Measures of single runs; null without runs."
    )
    differences: dict[MeasureId, Difference | None] = Field(
        description="Measures of two runs; null with fewer than two seeds."
    )
    group: dict[MeasureId, Estimate | None] = Field(
        description="Measures of all runs together; null with fewer than two seeds, and for a "
        "kappa of runs that all always predict one and the same symbol."
    )
    beats: dict[Literal["unigram", "bigram", "trigram"], bool | None] = Field(
        description="Whether every run's loss is below this table's; null without runs."
    )


class SeedsToSettle(_Part):
    """Fewest seeds that would decide a contrast if the present spread is the true one."""

    different: Count | None = Field(
        description="To find the observed difference with 80% power; null above 1,000."
    )
    equivalent: Count | None = Field(
        description="To show it to be within the margin with 80% power; null above 1,000 and for "
        "a difference as large as the margin."
    )
    either: Count | None = Field(description="The smaller of both; null where both are.")


class Contrast(_Part):
    """Two activations of a model in one measure, compared within seeds."""

    metric: MeasureId = Field(description="The measure.")
    a: Name = Field(description="An activation.")
    b: Name = Field(description="Another; later in the study's list.")
    seeds: list[Seed] = Field(description="Seeds at which both runs can be compared.")
    value: float | None = Field(
        description="a − b in the measure's unit; null with too few runs for the measure."
    )
    n: Count = Field(description="Seeds behind the value.")
    standard_error: Positive | None = Field(
        description="Of the value; null with too few seeds for one."
    )
    interval: Interval | None = Field(
        description="Low and high end at the study's `confidence`; null where the error is."
    )
    interval_over: Literal["seeds", "seeds and text"] | None = Field(
        description="What the interval allows for; null where the value is."
    )
    sd: Positive | None = Field(
        description="Standard deviation of one seed's contribution; null with too few seeds."
    )
    test: str | None = Field(description="The test behind `p`, in words; null where none is made.")
    exact: bool | None = Field(
        description="Whether all relabelings were gone through; null where there is no test."
    )
    p: Probability | None = Field(
        description="Two-sided, that a and b are alike; null where there is no test."
    )
    p_smallest: Probability | None = Field(
        description="The smallest p that so many seeds can give; null where there is no test."
    )
    margin: Positive | None = Field(
        description="Largest difference that counts as none, from the config; null for a measure "
        "without one."
    )
    p_equivalent: Probability | None = Field(
        description="Two one-sided tests, that the difference is as large as the margin; null "
        "without margin or standard error."
    )
    p_holm: Probability | None = Field(
        description="`p` adjusted for its family: the model's sound contrasts in this measure "
        "(Holm); null where `p` is, and when unsound."
    )
    p_equivalent_holm: Probability | None = Field(
        description="`p_equivalent` adjusted likewise; null where that is, and when unsound."
    )
    failed_gates: FailedGates
    significant: bool | None = Field(
        description="Whether `p_holm` is below 1 − confidence; null without a test, or unsound."
    )
    verdict: Literal["different", "equivalent", "inconclusive", "unsound"] | None = Field(
        description="`unsound`: a or b failed a gate. `equivalent`: `p_equivalent_holm` is below "
        "1 − confidence. Otherwise `different`: `p_holm` is. Otherwise `inconclusive`. Null "
        "without margin or test."
    )
    seeds_to_settle: SeedsToSettle | None = Field(
        description="Of an inconclusive contrast, at 1 − confidence over the number of sound "
        "contrasts; null for any other, and without spread between seeds."
    )
    detectable: Positive | None = Field(
        description="Smallest difference that n seeds find with 80% power; null without margin "
        "or spread, when unsound, and where the exact test cannot reach significance with n seeds."
    )


class Omnibus(_Part):
    """Whether activations differ at all: labels permuted within seeds, over sound cells."""

    activations: list[Name] = Field(description="Those compared.")
    seeds: list[Seed] = Field(description="Those that all of them have.")
    statistic: Positive = Field(
        description="Of a score, the sum of squares between activations; of a difference, the "
        "variance between activations; 0 where all are alike."
    )
    p: Probability = Field(description="Share of relabelings whose statistic is as large.")
    p_smallest: Probability = Field(description="The smallest p that is possible here.")
    exact: bool = Field(description="Whether all relabelings were gone through, or a sample.")
    relabelings: Count = Field(description="How many there were.")


class OmnibusTest(_Part):
    """A classical test that all activations are alike."""

    statistic: float = Field(description="F, or Friedman's χ².")
    p: Probability = Field(description="By the statistic's distribution.")
    df: list[float] = Field(description="Degrees of freedom: numerator, denominator; of χ² one.")


class Comparison(_Part):
    """Two activations in a classical test of all pairs."""

    a: Name = Field(description="An activation.")
    b: Name = Field(description="Another.")
    difference: float = Field(description="Of means, a − b.")
    p: Probability = Field(description="Adjusted for all pairs, as the test does it.")


class Classical(_Part):
    """The tests that readers ask for, over sound cells and the seeds they share."""

    activations: list[Name] = Field(description="Those compared.")
    seeds: list[Seed] = Field(description="Those that all of them have.")
    one_way: OmnibusTest | None = Field(
        description="Analysis of variance; null where no score differs between seeds."
    )
    welch: OmnibusTest | None = Field(
        description="The same with unequal variances; null where an activation's scores are equal."
    )
    blocked: OmnibusTest | None = Field(
        description="Analysis of variance with seeds as blocks; null without residual spread."
    )
    friedman: OmnibusTest | None = Field(
        description="Friedman's test of ranks within seeds; null with two activations."
    )
    tukey: list[Comparison] | None = Field(
        description="Tukey's honestly significant differences; null as `one_way` is."
    )
    games_howell: list[Comparison] | None = Field(
        description="Games and Howell's test; null where two activations' scores are equal."
    )


class KindsOfPairs(_Part):
    """Mean difference between two runs of a model, by what they share."""

    same_activation_other_seed: float | None = Field(
        description="The seed's own effect; null without such pairs."
    )
    other_activation_same_seed: float | None = Field(
        description="The activation's effect at one seed; null without such pairs."
    )
    other_activation_other_seed: float | None = Field(
        description="Both effects together; null without such pairs."
    )


class Across(_Part):
    """Two activations' runs compared with each other."""

    metric: MeasureId = Field(description="The measure, of two runs.")
    a: Name = Field(description="An activation.")
    b: Name = Field(description="Another; later in the study's list.")
    failed_gates: FailedGates
    seeds: list[Seed] = Field(description="Seeds at which both runs can be compared.")
    same_seed: Estimate | None = Field(
        description="Mean from a's run to b's with the same seed; null without seeds."
    )
    other_seed: Estimate | None = Field(
        description="Mean between runs of a and b with different seeds; null with fewer than two."
    )
    effect: Estimate | None = Field(
        description="`other_seed` less the mean of both cells' differences between seeds: what the "
        "activation adds to what the seed does alone; null with fewer than two seeds."
    )


class UnderRule(_Part):
    """Everything about a model under one checkpoint rule."""

    cells: dict[Name, Cell] = Field(description="By activation.")
    contrasts: list[Contrast] = Field(description="Every two activations in every measure.")
    omnibus: dict[MeasureId, Omnibus | None] = Field(
        description="Of the main measures; null with fewer than two sound cells or shared seeds."
    )
    classical: dict[MeasureId, Classical | None] = Field(
        description="Of loss and accuracy; null with fewer than two sound cells or shared seeds."
    )
    kinds_of_pairs: dict[MeasureId, KindsOfPairs] = Field(description="Of measures of two runs.")
    across: list[Across] = Field(description="Every two activations in every measure of two runs.")


class Rules(_Part):
    """Which checkpoint of each run the numbers are of; all from the same training."""

    final: UnderRule = Field(description="The last step.")
    best: UnderRule = Field(description="The step with the lowest loss on the selection text.")
    matched: UnderRule = Field(
        description="The step whose loss on the selection text is nearest `common_loss`."
    )


class RunHashes(_Part):
    """SHA-256 of a run's weights."""

    final: Sha256 = Field(description="At the final step.")
    best: Sha256 = Field(description="At the best step.")


class LastHistory(_Part):
    """A run's losses at its last step, on the history's fixed windows."""

    step: Count = Field(description="The last step.")
    train_loss: float | None = Field(
        description="On training text, nats per character; null where it is no number."
    )
    selection_loss: float | None = Field(
        description="On the selection text; null where it is no number."
    )


class GitState(_Part):
    """The source tree that trained."""

    commit: str | None = Field(description="The commit; null outside a checkout.")
    dirty: bool | None = Field(description="Whether it had changes; null outside a checkout.")


class Run(_Part):
    """One training run."""

    activation: Name = Field(description="The run's.")
    seed: Seed = Field(description="The run's.")
    status: Literal["finished", "diverged", "failed"] = Field(
        description="`diverged`: a loss was no number, and training stopped there. `failed`: the "
        "machine could not train it, for want of memory."
    )
    why: str | None = Field(
        description="What happened to a run that `diverged` or `failed`, and at which step; null "
        "for one that finished."
    )
    parameters: Count = Field(description="Trained numbers of the model.")
    final_step: Count = Field(description="The last step.")
    best_step: Count = Field(description="The step with the lowest loss on the selection text.")
    last_history: LastHistory | None = Field(
        description="The last row of its history; null for a run that failed before the first."
    )
    weights_sha256: RunHashes = Field(description="Of the kept weights.")
    seconds: Positive = Field(description="Training took so long.")
    characters_per_second: Positive = Field(description="Trained characters per second.")
    peak_memory_bytes: Count = Field(description="The most memory that the process held.")
    peak_gpu_memory_bytes: Count | None = Field(description="The same of the GPU; null without.")
    device: str = Field(description="`cpu`, or the GPU's name.")
    threads: Count = Field(description="CPU threads.")
    machine: dict[str, str | int | None] = Field(
        description="System, processor, cores; null where unknown."
    )
    packages: dict[str, str] = Field(description="Versions of Python and of packages.")
    git: GitState = Field(description="Where the code came from.")
    matched_step: Count | None = Field(
        description="The step nearest the model's `common_loss`; null for a run that diverged "
        "or failed."
    )
    matched_selection_loss: float | None = Field(
        description="Its loss on the selection text, nats per character; null for a run that "
        "diverged or failed."
    )
    predictions_sha256: Sha256 | None = Field(
        description="Of the final checkpoint's predictions; null for a run that diverged or failed."
    )


class OverRuns(Estimate):
    """A mean over an activation's finished runs, with Student's interval."""

    by_seed: dict[str, float] = Field(description="The value of each run, by its seed.")


class Fit(_Part):
    """How well an activation's finished runs fit."""

    train_gap: OverRuns | None = Field(
        description="Selection loss minus training loss at the end of the history, nats per "
        "character; null without a finished run."
    )
    best_gap: OverRuns | None = Field(
        description="Test loss of the final minus that of the best checkpoint, nats per "
        "character; null without a run that can be compared under both rules."
    )


class RunMeans(_Part):
    """Means over finished runs."""

    seconds: Positive = Field(description="Of training.")
    characters_per_second: Positive = Field(description="Trained characters per second.")


class Training(_Part):
    """What training a model's runs took."""

    seconds: Positive = Field(description="Of all runs together, each run's own time.")
    finished: RunMeans | None = Field(
        description="Over the model's finished runs; null without one."
    )
    activations: dict[Name, RunMeans | None] = Field(
        description="By activation; null without a finished run."
    )


class Baseline(_Part):
    """An n-gram table of the training text on the scored characters."""

    loss: Positive = Field(description="Nats per character.")
    accuracy: Probability = Field(description="Share of characters.")


class Evaluation(_Part):
    """The characters that every run predicted."""

    block: Count = Field(description="Context length in characters.")
    characters: Count = Field(description="Scored at positions `all`.")
    first_position: Count = Field(description="Index in the corpus of the first of them.")
    windows: Count = Field(description="Windows they are predicted in.")
    last_windows: Count = Field(description="Full windows, scored at positions `last`.")
    sha256: Sha256 = Field(description="Of the evaluation set.")
    corpus_sha256: Sha256 = Field(description="Of the corpus.")
    smoothing: Positive = Field(description="Added to every count of the tables.")
    baselines: dict[Literal["unigram", "bigram", "trigram"], Baseline] = Field(
        description="What tables of the training text reach on the same characters."
    )
    selection_bigram_loss: Positive = Field(
        description="The bigram table's loss on the selection text, nats per character."
    )


class Measure(_Part):
    """What a measure is, by the part of its id before the point."""

    name: str = Field(description="As the report calls it.")
    formula: str = Field(description="In symbols; its unit too, where it has one.")
    range: tuple[float, float | None] = Field(
        description="Smallest and largest value; null for no bound."
    )
    source: str = Field(description="Where the definition is published.")
    agreement: bool = Field(description="Whether more means more alike.")


class Shared(_Part):
    """Runs that are too much alike to be two."""

    run: str = Field(description="Model, activation, seed.")
    what: Literal["weights", "predictions"] = Field(description="What is the same, to the bit.")
    with_: list[str] = Field(alias="with", description="The other runs that have it.")


class Source(_Part):
    """One row of the analysis of variance."""

    source: Literal["activation", "model", "activation:model", "seed", "residual"] = Field(
        description="What varies."
    )
    ss: Positive = Field(description="Sum of squares, in the measure's unit squared.")
    df: Count = Field(description="Degrees of freedom.")
    ms: Positive = Field(description="ss / df.")
    f: Positive | None = Field(
        description="ms over the residual's; null of the residual, and without any."
    )
    p: Probability | None = Field(description="Of f; null where that is.")
    eta2: Probability | None = Field(
        description="η², share of the total sum of squares; null where nothing varies."
    )
    partial_eta2: Probability | None = Field(
        description="ss / (ss + residual ss); null where f is."
    )
    omega2: float | None = Field(
        description="ω², nearly unbiased share, may be below 0; null where f is."
    )


class Decomposition(_Part):
    """Variance of a score by activation, model, their interaction, and seed."""

    activations: list[Name] = Field(description="Those of the complete grid of sound cells.")
    models: list[Name] = Field(description="Those of the grid.")
    seeds: list[Seed] = Field(description="Those that all cells of the grid have.")
    sources: list[Source] = Field(
        description="Residual last; a term that one activation or one model cannot have is absent."
    )
    variance_seed: Positive | None = Field(
        description="Between seeds, by expected mean squares, at least 0; null without residual."
    )
    variance_seed_raw: float | None = Field(
        description="The same before that bound; null without residual."
    )
    variance_residual: Positive | None = Field(
        description="Mean square of the residual; null without one."
    )
    icc: Probability | None = Field(
        description="variance_seed / (variance_seed + variance_residual): the correlation of two "
        "runs of one seed; null where both are 0 or missing."
    )


class Effects(_Part):
    """Mean total variation between two runs of a model's sound cells, by what they differ in."""

    activation: Positive | None = Field(
        description="Runs of one seed with two activations; null without such cells."
    )
    seed: Positive | None = Field(
        description="Runs of one activation with two seeds, the mean over the cells; null "
        "without such cells."
    )


class Averages(_Part):
    """Mean total variation by activation, over the same models for each."""

    models: list[Name] = Field(description="Those of the complete grid of sound cells.")
    means: dict[Name, Estimate] = Field(
        description="By activation; errors of the models are taken as independent."
    )


class Box(_Part):
    """How an activation's single pairs of seeds spread, in total variation, over all models.

    A pair counts by its distance from the mean of its model's sound cells.
    """

    lowest: float = Field(description="The smallest distance.")
    lower_quartile: float = Field(description="A quarter of the pairs lie below.")
    median: float = Field(description="Half of the pairs lie below.")
    upper_quartile: float = Field(description="A quarter of the pairs lie above.")
    highest: float = Field(description="The largest distance.")


class Sensitivity(_Part):
    """How far the activation moves a model's mean total variation."""

    model: Name = Field(description="The model.")
    cells: Count = Field(description="Sound activations that have a mean.")
    range: Positive | None = Field(
        description="The largest minus the smallest mean; null with fewer than two."
    )
    typical: Positive | None = Field(
        description="The median of that range if all true means were the same; null where a cell "
        "has no standard error."
    )
    high: Positive | None = Field(
        description="The quantile of that range at the study's `confidence`; null likewise."
    )
    beyond_noise: bool | None = Field(
        description="Whether the range is above `high`; null where either is."
    )


class CellName(_Part):
    """A cell by its names."""

    model: Name = Field(description="The model.")
    activation: Name = Field(description="The activation.")


class Reach(_Part):
    """What the seeds allow contrasts in total variation to show at the fixed step."""

    p: Probability | None = Field(
        description="The smallest p of any contrast's exact test; null without a test."
    )
    p_holm: Probability | None = Field(
        description="The smallest p after Holm's correction within a model; null without a test."
    )
    p_omnibus: Probability | None = Field(
        description="The smallest p of a test of all of a model's activations; null without one."
    )
    contrasts: Count = Field(description="Tested contrasts of the model with the most.")
    seeds_needed: Count | None = Field(
        description="Fewest seeds at which one of that many contrasts can be significant after "
        "correction; null without a test."
    )


class SeedEnds(_Part):
    """Numbers of seeds."""

    least: Count = Field(description="The smallest.")
    median: Count = Field(description="The median, the larger of two.")
    most: Count = Field(description="The largest.")


class SizeEnds(_Part):
    """Sizes of differences."""

    least: Positive = Field(description="The smallest.")
    median: Positive = Field(description="The median, the larger of two.")
    most: Positive = Field(description="The largest.")


class Undecided(_Part):
    """Inconclusive contrasts, and what would settle them."""

    contrasts: Count = Field(description="How many there are.")
    planned: Count = Field(description="Those that have `seeds_to_settle`.")
    settled: Count = Field(description="Those of `planned` that at most 1,000 seeds would settle.")
    seeds: SeedEnds | None = Field(
        description="Seeds that would settle one, over `settled`; null without any."
    )
    median_seeds: Count | None = Field(
        description="The median over `planned`, the larger of two; null above 1,000, and without "
        "any."
    )
    detectable: SizeEnds | None = Field(
        description="Smallest difference that the present seeds find with 80% power, over "
        "`planned`; null where none can be found."
    )


class UndecidedContrasts(_Part):
    """The inconclusive contrasts of one measure under one checkpoint rule."""

    together: Undecided = Field(description="Of all models.")
    models: dict[Name, Undecided] = Field(description="By model.")


class PlanLine(_Part):
    """What numbers of seeds could find for one spread between seeds."""

    sd: Positive = Field(description="Standard deviation of one seed's contribution.")
    detectable: list[Positive] = Field(
        description="Smallest difference that is found, by the plan's `seeds`."
    )


class Plan(_Part):
    """What numbers of seeds could find in one model."""

    contrasts: Count = Field(description="Tested contrasts; each at α divided by their number.")
    seeds: list[Count] = Field(
        description="From the fewest whose exact test reaches that level, up to `most_seeds`."
    )
    least: PlanLine = Field(description="Of the contrast with the smallest spread.")
    median: PlanLine = Field(description="Of the median spread.")
    most: PlanLine = Field(description="Of the contrast with the largest spread.")


class Choice(_Part):
    """What comparing some of the activations asks for."""

    activations: Count = Field(description="How many are compared.")
    pairs: Count = Field(description="Contrasts of a model.")
    seeds_needed: Count = Field(description="Fewest seeds at which one can be significant.")
    detectable: list[Positive | None] = Field(
        description="Smallest difference that is found, in standard deviations of one seed's "
        "contribution, by `seeds`; null where the exact test cannot reach the level."
    )


class Example(_Part):
    """What a few choices could find, over the models."""

    activations: Count = Field(description="How many are compared.")
    seeds: Count = Field(description="How many.")
    pairs: Count = Field(description="Contrasts of a model.")
    detectable: tuple[Positive, Positive] | None = Field(
        description="Smallest difference that is found with a model's median spread, in the "
        "least and in the most variable model; null where the exact test cannot reach the level."
    )


class Planning(_Part):
    """What numbers of seeds and of activations could find in total variation."""

    power: Probability = Field(description="With which a difference is found.")
    most_seeds: Count = Field(description="Where plans end.")
    plans: dict[Name, Plan | None] = Field(
        description="By model; null where no contrast was tested or none has a spread."
    )
    seeds: list[Count] = Field(description="Numbers of seeds that choices are for.")
    p_smallest: list[Probability] = Field(
        description="The smallest p of the exact test, by `seeds`."
    )
    choices: list[Choice] = Field(description="By number of activations, from two on.")
    examples: list[Example] = Field(description="All activations, and two of them.")


class OmnibusOfModel(_Part):
    """One model's test that its activations are all alike, among those of the other models."""

    p: Probability = Field(description="As in the model's `omnibus`.")
    p_holm: Probability = Field(description="Adjusted for the models (Holm).")


class DecompositionUnderRule(_Part):
    """Variance decompositions, by checkpoint rule."""

    final: dict[MeasureId, Decomposition | None] = Field(
        description="Of loss and accuracy; null without a grid of sound cells with two seeds."
    )
    best: dict[MeasureId, Decomposition | None] = Field(
        description="As `final`; null where that would be."
    )
    matched: dict[MeasureId, Decomposition | None] = Field(
        description="As `final`; null where that would be."
    )


class _Study(_Part):
    """What all models of a scale share."""

    schema_: int = Field(
        alias="schema", ge=VERSION, le=VERSION, description="Version of this shape."
    )
    activations: list[Name] = Field(description="In the study's order.")
    seeds: list[Seed] = Field(description="In the study's order.")
    smoke: bool = Field(description="Whether there are too few seeds for claims.")
    recommended_seeds: Count = Field(description="Seeds from which on there are enough.")
    confidence: Probability = Field(description="Level of every interval and verdict.")
    margins: Margins = Field(description="Largest differences that count as none.")
    corpus_sha256: Sha256 = Field(description="Of the corpus.")
    evaluation: Evaluation = Field(description="What every run predicted.")
    measures: dict[str, Measure] = Field(
        description="By the part of a measure id before the point."
    )


class _Model(_Part):
    """What a model has of its own."""

    scale: Name = Field(description="The scale.")
    model: Name = Field(description="The model.")
    protocol: Protocol = Field(description="What its runs were trained with.")
    common_loss: float = Field(
        description="Nats per character: the lowest loss on the selection text that every run "
        "reaches (of those that beat the bigram table there, if any do). `matched` matches it."
    )
    runs: list[Run] = Field(description="By activation, then seed.")
    training: Training = Field(description="What training took.")
    fit: dict[Name, Fit] = Field(description="Gaps of fit, by activation.")
    rules: Rules = Field(description="All numbers, by checkpoint rule.")


class ModelOfScale(_Model):
    """One model's part of a scale's `stats.json`; what models share stands above."""


class StatsFile(_Study):
    """`results/{scale}/stats.json`."""

    study: Name = Field(description="The study's name.")
    scale: Name = Field(description="The scale.")
    shared_between_models: list[Shared] = Field(
        description="Weights or predictions that runs of different models share; none should."
    )
    omnibus: dict[
        Literal["final", "best", "matched"], dict[MeasureId, dict[Name, OmnibusOfModel]]
    ] = Field(
        description="By checkpoint rule, measure and model: whether a model's activations differ "
        "at all, adjusted for the models; a model without such a test is absent."
    )
    decomposition: DecompositionUnderRule = Field(description="Where the scale's variance is.")
    training_seconds: Positive = Field(
        description="Training time of all runs, each run's own time added up."
    )
    effects: dict[Name, Effects] = Field(
        description="How far the activation and how far the seed changes predictions, by model."
    )
    averages: Averages | None = Field(
        description="Total variation by activation; null without a grid of sound cells with two "
        "seeds."
    )
    boxes: dict[Name, Box | None] = Field(
        description="Single pairs of seeds, by activation; null without a sound cell that has any."
    )
    sensitivity: list[Sensitivity] = Field(
        description="How far the activation moves each model, the most sensitive model first."
    )
    pareto_front: list[CellName] = Field(
        description="The sound cells that no other beats in loss and in total variation, from the "
        "lowest loss on."
    )
    reach: Reach = Field(description="What the seeds allow contrasts to show.")
    undecided: dict[Literal["final", "matched"], dict[MeasureId, UndecidedContrasts]] = Field(
        description="By checkpoint rule and measure: what would settle inconclusive contrasts."
    )
    planning: Planning = Field(description="What numbers of seeds and activations could find.")
    models: dict[Name, ModelOfScale] = Field(description="By model.")


class ModelStatsFile(_Study, _Model):
    """`results/{scale}/{model}/stats.json`."""


def schema() -> str:
    """The JSON schema of both files, as it stands in `resources/stats.schema.json`."""
    made = TypeAdapter[Any](StatsFile | ModelStatsFile).json_schema()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
