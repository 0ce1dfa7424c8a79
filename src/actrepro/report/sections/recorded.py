"""The report's section on archived results, which stay apart from those of this run.

No ranking, verdict, sentence or figure of the run uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from actrepro.core.formats import MISSING, count, counted, interval, level, listed, mean_sd, number
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL
from actrepro.replication.archive import PROVENANCE, Record, Records
from actrepro.report.kit.tables import Row, Table
from actrepro.report.sections.cells_by_model import RULE_NAMES, marked
from actrepro.report.sections.run import describe_commit, describe_machine, machines_table
from actrepro.results.cells import Cell, Stats, cells_of, sound
from actrepro.results.contrasts import CHURN
from actrepro.results.schema import Estimate
from actrepro.results.words import remark


@dataclass(frozen=True)
class Recorded:
    """Content of the section for one record.

    Attributes
    ----------
    description
        The runs and their machines, in words.
    provenance
        The file with the whole description.
    command
        The command that repeats the study.
    results, machines
        A table per scale.
    """

    name: str
    description: str
    provenance: str
    command: str
    results: Sequence[Table]
    machines: Sequence[Table]


@dataclass(frozen=True)
class Section:
    """Content of the section; `ignored` has the reasons why records cannot be used."""

    records: Sequence[Recorded]
    ignored: Sequence[str]


def section(records: Records, this_run: Sequence[Stats]) -> Section | None:
    """Return the section; None if there is no record.

    Parameters
    ----------
    this_run
        `stats.json` of each scale of this run: results that were recorded from this very run
        are distinguished from those that it did not compute.
    """
    if not records.whole and not records.ignored:
        return None
    return Section(
        [_recorded(record, this_run) for record in records.whole.values()],
        list(records.ignored.values()),
    )


def _recorded(record: Record, this_run: Sequence[Stats]) -> Recorded:
    of_scales = [record.stats(scale) for scale in record.scales]
    return Recorded(
        name=record.name,
        description=describe(record),
        provenance=record.named(PROVENANCE),
        command=record.provenance.command,
        results=[
            results_table(record, file, stats, stats in this_run) for file, stats in of_scales
        ],
        machines=[_machines(file, stats) for file, stats in of_scales],
    )


def describe(record: Record) -> str:
    """Describe a record's runs and machines in two sentences, without dates."""
    provenance, asked = record.provenance, record.provenance.config
    ended = [f"{count(runs)} {status}" for status, runs in provenance.status.items()]
    size = " × ".join(
        counted(len(names), noun)
        for names, noun in (
            (asked.models, "model"),
            (asked.activations, "activation"),
            (asked.seeds, "seed"),
        )
    )
    machines = _each((describe_machine(used.machine), used.runs) for used in provenance.machines)
    sources = _each(
        (describe_commit({"commit": used.commit, "dirty": used.dirty}), used.runs)
        for used in provenance.sources
    )
    return (
        f"Study {asked.study} at scale {listed(asked.scales)}: {size}, runs {listed(ended)}. "
        f"Recorded on {devices(record)} ({machines}), from {sources}."
    )


def devices(record: Record) -> str:
    """List the devices that runs were trained on."""
    return _each((used.device, used.runs) for used in record.provenance.devices)


def _each(values: Iterable[tuple[str, int]]) -> str:
    """List values in words, each with its number of runs if there are several."""
    pairs = list(values)
    if len(pairs) == 1:
        return pairs[0][0]
    return listed([f"{value} ({counted(runs, 'run')})" for value, runs in pairs])


def results_table(record: Record, file: str, stats: Stats, of_this_run: bool) -> Table:
    """Return a scale's cells, of all models, at their final step."""
    where = "the same numbers as this run’s" if of_this_run else "not computed by this run"
    columns = ["model", "activation", "n", "loss ± sd", "accuracy ± sd"]
    return Table(
        f"Record {record.name}, scale {stats['scale']}",
        f"Recorded on {devices(record)}, {where}. {RULE_NAMES[FINAL]}.",
        [*columns, f"total variation [{level(stats['confidence'])}]", "churn", "gates passed"],
        [
            _row(model, activation, cell)
            for model in stats["models"]
            for activation, cell in cells_of(stats, model).items()
        ],
        names=2,
        source=f"{file}: models.*.rules.{FINAL}.cells",
    )


def _row(model: str, activation: str, cell: Cell) -> Row:
    metrics, differences = cell["metrics"], cell["differences"]
    passed = [gate["passed"] for gate in cell["gates"].values()]
    return Row(
        [
            model,
            marked(activation, cell),
            str(cell["n"]),
            mean_sd(metrics["loss.all"]),
            mean_sd(metrics["accuracy.all"], share=True),
            _difference(differences[PRIMARY], with_interval=True),
            _difference(differences[CHURN]),
            f"{sum(passed)} of {len(passed)}",
        ],
        note=remark(cell),
        failed=not sound(cell),
    )


def _difference(estimate: Estimate | None, with_interval: bool = False) -> str:
    if estimate is None:
        return MISSING
    bounds = f" {interval(estimate['interval'])}" if with_interval else ""
    return f"{number(estimate['value'])}{bounds}"


def _machines(file: str, stats: Stats) -> Table:
    return replace(machines_table(stats), source=f"{file}: models.*.runs")
