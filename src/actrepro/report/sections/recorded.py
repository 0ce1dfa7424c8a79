"""The report's section on recorded results: made elsewhere, and apart from all that this run made.

Nothing here goes into a ranking, a verdict, a sentence or a figure of the run.
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
from actrepro.report.sections.run import commit_told, machine_told, machines_table
from actrepro.results.cells import Cell, Stats, cells_of, sound
from actrepro.results.contrasts import CHURN
from actrepro.results.schema import Estimate
from actrepro.results.words import remark


@dataclass(frozen=True)
class Recorded:
    """What is shown of one record.

    Attributes
    ----------
    told
        What was run, and on what.
    provenance
        The file that says all of it.
    command
        What makes it again.
    results, machines
        A table per scale.
    """

    name: str
    told: str
    provenance: str
    command: str
    results: Sequence[Table]
    machines: Sequence[Table]


@dataclass(frozen=True)
class Section:
    """What the section shows; `ignored` says of each record that cannot be used why."""

    records: Sequence[Recorded]
    ignored: Sequence[str]


def section(records: Records, own: Sequence[Stats]) -> Section | None:
    """The section; None where there is no record at all.

    Parameters
    ----------
    own
        `stats.json` of each scale of this run: results that were recorded from this very run
        are told from those that it did not compute.
    """
    if not records.whole and not records.ignored:
        return None
    return Section(
        [_recorded(record, own) for record in records.whole.values()],
        list(records.ignored.values()),
    )


def _recorded(record: Record, own: Sequence[Stats]) -> Recorded:
    found = [record.stats(scale) for scale in record.scales]
    return Recorded(
        name=record.name,
        told=told(record),
        provenance=record.named(PROVENANCE),
        command=record.provenance.command,
        results=[results_table(record, file, stats, stats in own) for file, stats in found],
        machines=[_machines(file, stats) for file, stats in found],
    )


def told(record: Record) -> str:
    """What was run and on what, in two sentences; nothing of when."""
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
    machines = _each((machine_told(one.machine), one.runs) for one in provenance.machines)
    sources = _each(
        (commit_told({"commit": one.commit, "dirty": one.dirty}), one.runs)
        for one in provenance.sources
    )
    return (
        f"Study {asked.study} at scale {listed(asked.scales)}: {size}, runs {listed(ended)}. "
        f"Recorded on {devices(record)} ({machines}), from {sources}."
    )


def devices(record: Record) -> str:
    """The devices that runs were trained on."""
    return _each((one.device, one.runs) for one in record.provenance.devices)


def _each(values: Iterable[tuple[str, int]]) -> str:
    """Values in words, each with its runs where there are several."""
    found = list(values)
    if len(found) == 1:
        return found[0][0]
    return listed([f"{value} ({counted(runs, 'run')})" for value, runs in found])


def results_table(record: Record, file: str, stats: Stats, of_this_run: bool) -> Table:
    """A scale's cells, of all models, at their final step."""
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
