"""The report's section on costs: what the study took, what larger ones would, and a calculator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from actrepro.report.kit.job_times import Stage, stages
from actrepro.report.kit.markup import script_data
from actrepro.report.kit.tables import Row, Table, stats_key
from actrepro.results.cells import Stats, finished_runs
from actrepro.results.contrasts import alpha
from actrepro.results.schema import Example
from actrepro.statistics.shapes import Choice, Costs, Estimate


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
    """The content of the section."""

    line: str
    tables: Sequence[Table]
    calculators: Sequence[Calculator]


def section(every: Sequence[Stats], costs: Sequence[Costs], benchmarks: Path | None) -> Section:
    """The section: of each scale the training, of the study the stages, and estimates.

    Parameters
    ----------
    every, costs
        `stats.json` and `costs.json` of each scale of the study.
    benchmarks
        Where Snakemake keeps the times of jobs; None where it kept none.

    Raises
    ------
    ActreproError
        When a benchmark file is damaged.
    """
    spent = [] if benchmarks is None else stages(benchmarks, _names(every))
    scales = list(zip(every, costs, strict=True))
    estimates = [estimate_table(stats, of_scale) for stats, of_scale in scales]
    calculators = [calculator(stats, of_scale) for stats, of_scale in scales]
    return Section(
        line(every),
        [
            *(training_table(stats) for stats in every),
            *([stages_table(spent)] if spent else []),
            *(table for table in estimates if table is not None),
        ],
        [form for form in calculators if form is not None],
    )


def _names(every: Sequence[Stats]) -> set[str]:
    """The scales and the corpora of a study."""
    corpora = {model["protocol"]["corpus"] for stats in every for model in stats["models"].values()}
    return {*(stats["scale"] for stats in every), *corpora}


def line(every: Sequence[Stats]) -> str:
    """State the training time in a sentence, and that energy is unknown."""
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
    """Tabulate the cost of each stage."""
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


def estimate_table(stats: Stats, costs: Costs) -> Table | None:
    """Tabulate the estimated cost of the study at each scale of the config.

    None where no run's rate is known.
    """
    rates = costs["rates"].values()
    if not rates:
        return None
    low, high = min(rates) / 1e9, max(rates) / 1e9
    return Table(
        f"What other scales would take, from scale {stats['scale']}",
        f"An estimate for {counted(len(stats['models']), 'model')} × "
        f"{counted(len(stats['activations']), 'activation')} × "
        f"{counted(len(stats['seeds']), 'seed')}, one run after another on this machine: "
        f"operations of training, at the rates that this study’s runs had, {number(low, 1)} to "
        f"{number(high, 1)} GFLOP/s by model. Larger models reach higher rates and runs go side "
        "by side, so this is likely an overestimate. It does not apply to GPUs.",
        ["scale", "operations of a run, 10¹²", "at the highest rate", "at the lowest rate"],
        [_estimated(scale, estimate) for scale, estimate in costs["estimates"].items()],
        source=_costs_key(stats, "estimates"),
    )


def _costs_key(stats: Stats, key: str) -> str:
    return f"{paths.at(paths.COSTS, scale=stats['scale'])}: {key}"


def _estimated(scale: str, estimate: Estimate) -> Row:
    counts = [size / 1e12 for size in estimate["operations"]]
    low, high = (f"{size:.3g}" if size < 1000 else count(round(size)) for size in counts)
    seconds = map(duration, estimate["seconds"])
    return Row([scale, low if low == high else f"{low} to {high}", *seconds])


def calculator(stats: Stats, costs: Costs) -> Calculator | None:
    """The calculator of a scale; None where training has no rate or contrasts no spread."""
    rates, seconds = costs["rates"], costs["seconds"]
    spreads = spreads_of(stats)
    if not rates or not spreads or len(stats["activations"]) < 2:
        return None
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
        table=calculator_table(stats, costs),
    )


def _short(sizes: Sequence[float | None]) -> list[float | None]:
    """Round numbers to the digits that the form needs."""
    return [None if size is None else round(size, 4) for size in sizes]


def spreads_of(stats: Stats) -> dict[str, float]:
    """By model, the median standard deviation of its contrasts in total variation."""
    plans = stats["planning"]["plans"].items()
    return {model: plan["median"]["sd"] for model, plan in plans if plan is not None}


def calculator_table(stats: Stats, costs: Costs) -> Table:
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
        [
            _example(example, every, choice)
            for example, choice in zip(planning["examples"], costs["choices"], strict=True)
        ],
        source=_costs_key(stats, "choices"),
    )


def _example(example: Example, every: int, choice: Choice) -> Row:
    ends = MISSING if example["detectable"] is None else spread(example["detectable"], 3)
    return Row(
        [
            str(choice["activations"]),
            str(choice["seeds"]),
            count(choice["runs"]),
            duration(choice["seconds"]),
            f"{example['pairs']} of {every}",
            ends,
        ]
    )
