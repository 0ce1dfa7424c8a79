"""The report's section on costs: what the study took, what larger ones would, and a calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from markupsafe import Markup

from actrepro.core import paths
from actrepro.core.formats import (
    MISSING,
    count,
    counted,
    counts_spread,
    duration,
    listed,
    number,
    spread,
)
from actrepro.core.model_cards import Card, ModelCards, ModelCounts
from actrepro.report.kit.job_times import Stage, stages
from actrepro.report.kit.markup import script_data
from actrepro.report.kit.tables import Row, Table, stats_key
from actrepro.results.cells import Stats, finished_runs, known
from actrepro.results.contrasts import alpha
from actrepro.results.schema import Example

# What the calculator knows of.
SEEDS = range(2, 31)
# Choices of the table for readers without scripts.
FEW_SEEDS = (3, 5, 10, 20)


@dataclass(frozen=True)
class Calculator:
    """A form that tells what a smaller or larger study would cost and could find.

    Attributes
    ----------
    data
        JSON for the page's script: see `calculator.js`.
    table
        The same for a few choices, for readers without scripts.
    """

    id: str
    scale: str
    models: Sequence[str]
    activations: Sequence[str]
    scales: Sequence[str]
    seeds: int
    data: Markup
    table: Table


@dataclass(frozen=True)
class Section:
    """What the section shows."""

    line: str
    tables: Sequence[Table]
    calculators: Sequence[Calculator]


def section(every: Sequence[Stats], models: ModelCards, benchmarks: Path | None) -> Section:
    """The section: of each scale the training, of the study the stages, and estimates.

    Parameters
    ----------
    every
        `stats.json` of each scale of the study.
    models
        `models.json`.
    benchmarks
        Where Snakemake keeps the times of jobs; None where it kept none.

    Raises
    ------
    ActreproError
        When a benchmark file is damaged.
    """
    spent = [] if benchmarks is None else stages(benchmarks, _names(every))
    estimates = [estimate_table(stats, models) for stats in every]
    calculators = [calculator(stats, models) for stats in every]
    return Section(
        line(every),
        [
            *(training_table(stats) for stats in every),
            *([stages_table(spent)] if spent else []),
            *(table for table in estimates if table is not None),
        ],
        [one for one in calculators if one is not None],
    )


def _names(every: Sequence[Stats]) -> set[str]:
    """The scales and the corpora of a study."""
    corpora = {model["protocol"]["corpus"] for stats in every for model in stats["models"].values()}
    return {*(stats["scale"] for stats in every), *corpora}


def line(every: Sequence[Stats]) -> str:
    """What training took, in a sentence, and that energy is unknown."""
    runs = [run for stats in every for model in stats["models"].values() for run in model["runs"]]
    devices = list(dict.fromkeys(run["device"] for run in runs))
    seconds = sum(stats["training_seconds"] for stats in every)
    return (
        f"{counted(len(runs), 'run')} took {duration(seconds)} of training, each run’s own time "
        f"added up, on {listed(devices)}; jobs that ran side by side took less of the clock. "
        f"Energy was not measured."
    )


def training_table(stats: Stats) -> Table:
    """Seconds and speed of a model's runs."""
    rows = [_training(stats, name) for name in stats["models"]]
    return Table(
        f"Training at scale {stats['scale']}",
        "Of finished runs: training time of one, mean and range over activations and seeds, and "
        "characters of training text per second.",
        ["model", "runs", "seconds", "from", "to", "characters per second"],
        rows,
        source=stats_key(stats, "models.*.runs"),
        keys=[f"models.{name}.runs" for name in stats["models"]],
    )


def _training(stats: Stats, name: str) -> Row:
    runs = finished_runs(stats, name)
    means = stats["models"][name]["training"]["finished"]
    if means is None:
        return Row([name, "0", *[MISSING] * 4])
    seconds = [run["seconds"] for run in runs]
    ends = (means["seconds"], min(seconds), max(seconds))
    speeds = counts_spread(round(run["characters_per_second"]) for run in runs)
    return Row([name, str(len(runs)), *(number(one, 1) for one in ends), speeds])


def stages_table(spent: Sequence[Stage]) -> Table:
    """What each stage cost."""
    return Table(
        "Time by stage",
        "As Snakemake measured the jobs when they last ran here, added up; a job that was not "
        "needed again keeps its old time, one of another machine has none, and the report itself "
        "is not over yet. Memory is the largest of any one job.",
        ["stage", "jobs", "time", "CPU time", "memory, MB"],
        [
            Row(
                [
                    one.name,
                    count(one.jobs),
                    duration(one.seconds),
                    MISSING if one.cpu_seconds is None else duration(one.cpu_seconds),
                    MISSING if one.megabytes is None else count(round(one.megabytes)),
                ]
            )
            for one in spent
        ],
        source=f"{paths.BENCHMARKS}/*/*.tsv",
    )


def estimate_table(stats: Stats, models: ModelCards) -> Table | None:
    """What the study's models, activations and seeds would cost at each scale of the config.

    None where no run's rate is known.
    """
    rates = rates_of(stats, models)
    if not rates:
        return None
    size = len(stats["activations"]) * len(stats["seeds"])
    rows = []
    for scale, sizes in models["scales"].items():
        needed = counted_models(sizes)
        if needed:
            rows.append(_estimated(scale, needed, rates, size))
    low, high = (pick(rates.values()) / 1e9 for pick in (min, max))
    return Table(
        f"What other scales would take, from scale {stats['scale']}",
        f"An estimate for {counted(len(stats['models']), 'model')} × "
        f"{counted(len(stats['activations']), 'activation')} × "
        f"{counted(len(stats['seeds']), 'seed')}, one run after another on this machine: "
        f"operations of training, at the rates that this study’s runs had, {number(low, 1)} to "
        f"{number(high, 1)} GFLOP/s by model. Larger models reach higher rates and runs go side "
        "by side, so it is probably too much; another machine or a GPU is another matter.",
        ["scale", "operations of a run, 10¹²", "at the highest rate", "at the lowest rate"],
        rows,
        source=f"{paths.MODELS}: scales.*.*.flops_per_character",
    )


def rates_of(stats: Stats, models: ModelCards) -> dict[str, float]:
    """Operations per second of a model's finished runs, by model: the median run's."""
    found = {}
    for name, one in counted_models(models["scales"].get(stats["scale"], {})).items():
        flops = one["flops_per_character"]
        runs = finished_runs(stats, name) if name in stats["models"] else []
        rates = [
            flops[run["activation"]] * run["characters_per_second"]
            for run in runs
            if run["activation"] in flops
        ]
        if rates:
            found[name] = median(rates)
    return found


def counted_models(cards: Mapping[str, Card]) -> dict[str, ModelCounts]:
    """Of a scale's models those whose operations are known: a user's may refuse the scale."""
    return {name: card for name, card in cards.items() if "why" not in card}


def _estimated(
    scale: str, sizes: Mapping[str, ModelCounts], rates: Mapping[str, float], runs: int
) -> Row:
    operations = {name: _operations(one) for name, one in sizes.items()}
    total = runs * sum(operations.values())
    counts = sorted(one / 1e12 for one in operations.values())
    ends = [f"{one:.3g}" if one < 1000 else count(round(one)) for one in (counts[0], counts[-1])]
    return Row(
        [
            scale,
            ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}",
            duration(total / max(rates.values())),
            duration(total / min(rates.values())),
        ]
    )


def _operations(size: ModelCounts) -> float:
    """Of training one run, mean over the activations that are known."""
    return float(fmean(size["flops_per_character"].values()) * size["characters"])


def calculator(stats: Stats, models: ModelCards) -> Calculator | None:
    """The calculator of a scale; None where training has no rate or contrasts no spread."""
    rates = rates_of(stats, models)
    spreads = spreads_of(stats)
    if not rates or not spreads or len(stats["activations"]) < 2:
        return None
    seconds = seconds_of(stats, models, rates)
    planning = stats["planning"]
    choices = planning["choices"]
    first, last = planning["seeds"][0], planning["seeds"][-1]
    data = {
        "seconds": seconds,
        "spread": spreads,
        "first": first,
        "smallest": planning["p_smallest"],
        "alpha": alpha(stats),
        "needed": {one["activations"]: one["seeds_needed"] for one in choices},
        "detectable": {one["activations"]: _short(one["detectable"]) for one in choices},
        "margin": stats["margins"]["total_variation"],
        "power": f"{planning['power']:.0%}",
    }
    return Calculator(
        id=f"calculator-{stats['scale']}",
        scale=stats["scale"],
        models=[name for name in stats["models"] if name in rates],
        activations=stats["activations"],
        scales=list(seconds),
        seeds=min(max(len(stats["seeds"]), first), last),
        data=script_data(data),
        table=calculator_table(stats, seconds[stats["scale"]]),
    )


def _short(sizes: Sequence[float | None]) -> list[float | None]:
    """Numbers with as many digits as the form needs."""
    return [None if size is None else round(size, 4) for size in sizes]


def spreads_of(stats: Stats) -> dict[str, float]:
    """By model, the median standard deviation of its contrasts in total variation."""
    plans = stats["planning"]["plans"].items()
    return {model: plan["median"]["sd"] for model, plan in plans if plan is not None}


def seconds_of(
    stats: Stats, models: ModelCards, rates: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Seconds of one run, by scale and model: measured at the study's own scale, else estimated."""
    found: dict[str, dict[str, float]] = {}
    for scale, cards in models["scales"].items():
        sizes = counted_models(cards)
        for name, rate in rates.items():
            if scale == stats["scale"]:
                training = stats["models"][name]["training"]
                found.setdefault(scale, {})[name] = known(training["finished"])["seconds"]
            elif "flops_per_character" in sizes.get(name, {}):
                found.setdefault(scale, {})[name] = _operations(sizes[name]) / rate
    return found


def calculator_table(stats: Stats, seconds: Mapping[str, float]) -> Table:
    """A few choices of activations and seeds: cost and certainty."""
    planning = stats["planning"]
    every, power = planning["choices"][-1]["pairs"], f"{planning['power']:.0%}"
    return Table(
        f"Fewer activations or other numbers of seeds, at scale {stats['scale']}",
        "Of all models: training one run after another, and what remains to be known. Activations "
        "that are skipped are not compared at all, which is not the same as alike. Detectable: the "
        f"smallest difference in total variation that a model’s contrast shows with {power} "
        "power, with this study’s median spread, by model; a dash where so few seeds show none.",
        ["activations", "seeds", "runs", "training", "pairs compared", "detectable"],
        [_example(one, every, seconds) for one in planning["examples"]],
        source=stats_key(stats, "planning.examples"),
    )


def _example(one: Example, every: int, seconds: Mapping[str, float]) -> Row:
    k, n = one["activations"], one["seeds"]
    ends = MISSING if one["detectable"] is None else spread(one["detectable"], 3)
    return Row(
        [
            str(k),
            str(n),
            count(len(seconds) * k * n),
            duration(k * n * sum(seconds.values())),
            f"{one['pairs']} of {every}",
            ends,
        ]
    )
