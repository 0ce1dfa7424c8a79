"""The report's section on runs that were made a second time in another results folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actrepro.core import paths
from actrepro.core.formats import counted, interval, level, listed, number, signed, spread
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL
from actrepro.replication.shapes import (
    ComparedCell,
    ComparedDifference,
    ComparedUnderRule,
    Elsewhere,
    Tally,
)
from actrepro.report.kit.tables import Entry, Row, Table
from actrepro.report.sections.cells_by_model import marked
from actrepro.results.cells import Stats, cells_of, sound
from actrepro.results.words import gate_mark

COMMAND = "snakemake elsewhere --config elsewhere=/path/to/results"
CHURN = "churn-top1-pairs.all"
LOSS = "loss.all"


@dataclass(frozen=True)
class Section:
    """What the section shows of one scale: a warning alone, or what was found.

    Attributes
    ----------
    line
        What was found, in sentences.
    excluded
        The runs that were not compared, and why; None without any.
    """

    name: str
    warning: str = ""
    line: str = ""
    results: Table | None = None
    ran_on: Table | None = None
    excluded: Table | None = None


def section(stats: Stats, made: Elsewhere) -> Section:
    """A scale's section, from its `stats.json` and `elsewhere.json` as read."""
    scale = str(stats["scale"])
    if not is_of(stats, made):
        warning = (
            f"{_file(stats)} was made of other runs than those that this report shows, and nothing "
            "of it is shown here."
        )
        return Section(scale, warning)
    return Section(
        scale,
        line=found_line(made),
        results=results_table(stats, made) if made["cells"] else None,
        ran_on=ran_on_table(stats, made) if made["cells"] else None,
        excluded=excluded_table(stats, made) if made["excluded"] else None,
    )


def _file(stats: Stats) -> str:
    return paths.at(paths.ELSEWHERE, scale=stats["scale"])


def is_of(stats: Stats, made: Elsewhere) -> bool:
    """Whether what was compared here are the runs of these statistics, to the hash."""
    shown = {
        (model, run["activation"], run["seed"]): (
            run["weights_sha256"][FINAL],
            run["predictions_sha256"],
        )
        for model, one in stats["models"].items()
        for run in one["runs"]
    }
    compared = {
        (cell["model"], cell["activation"], run["seed"]): (
            run["weights_sha256"]["here"],
            run["predictions_sha256"]["here"],
        )
        for cell in made["cells"]
        for run in cell["rules"][FINAL]["runs"]
    }
    same_text = made["evaluation_sha256"] == stats["evaluation"]["sha256"]
    return same_text and compared.items() <= shown.items()


def found_line(made: Elsewhere) -> str:
    """How many runs were compared, how far they differ, and in what the two sides differ."""
    finals = _finals(made)
    compared = sum(one["n"] for one in finals)
    line = f"{compared} of {counted(compared + len(made['excluded']), 'run')} compared"
    if not compared:
        return f"{line}."
    weights = sum(one["same_weights"] for one in finals)
    predictions = sum(one["same_predictions"] for one in finals)
    return (
        f"{line}: {weights} ended in the same weights, {predictions} in the same predictions, to "
        f"the byte. {_variation(finals)} {_sides_line(made)}"
    )


def _finals(made: Elsewhere) -> list[ComparedUnderRule]:
    return [cell["rules"][FINAL] for cell in made["cells"]]


def _variation(finals: Sequence[ComparedUnderRule]) -> str:
    found = [one["differences"][PRIMARY] for one in finals]
    said = (
        "Made elsewhere, a cell’s runs differ from themselves by a mean total variation of "
        f"{spread((one['elsewhere']['value'] for one in found), 4)}"
    )
    seeds = [one["seeds_here"]["value"] for one in found if one["seeds_here"]]
    ratios = [one["ratio"] for one in found if one["ratio"] is not None]
    if seeds:
        said += f", and from one seed to another here by {spread(seeds, 4)}"
    if ratios:
        said += f": {spread(ratios, 2)} times as much"
    return f"{said}."


def _sides_line(made: Elsewhere) -> str:
    differing = [_words(one["what"]) for one in made["ran_on"] if one["differ"]]
    if not differing:
        return "Nothing that is recorded of the two sides differs."
    return f"The two sides differ in {listed(differing)}."


def _words(what: str) -> str:
    """The name of a part of `ran_on` as readers see it."""
    return what.removeprefix("packages.").replace(".", " ").replace("_", " ")


def results_table(stats: Stats, made: Elsewhere) -> Table:
    """Each cell's differences between its runs made here and elsewhere, beside the seeds'."""
    return Table(
        "Made elsewhere, and with another seed",
        "Means over the n runs that both folders have, at their final step: made elsewhere, with "
        "the smallest and the largest below; between seeds, over the pairs of these runs. Ratio: "
        "made elsewhere, as a multiple of another seed here. Loss: with Student’s "
        f"{level(made['confidence'])} interval over runs.",
        [
            "cell",
            "n",
            "same bytes",
            *("elsewhere", "seeds here", "seeds there", "ratio") * 2,
            "there − here",
        ],
        [_result(stats, cell) for cell in made["cells"]],
        source=f"{_file(stats)}: cells.*.rules.{FINAL}",
        groups=[("", 3), ("total variation", 4), ("churn", 4), ("loss, nats", 1)],
    )


def _result(stats: Stats, made: ComparedCell) -> Row:
    cell = cells_of(stats, made["model"])[made["activation"]]
    found = made["rules"][FINAL]
    loss = found["scores"][LOSS]["difference"]
    return Row(
        [
            marked(f"{made['model']} {made['activation']}", cell),
            str(found["n"]),
            str(found["same_predictions"]),
            *_difference(found["differences"][PRIMARY]),
            *_difference(found["differences"][CHURN]),
            Entry(signed(loss["value"]), interval(loss["interval"]) if loss["interval"] else ""),
        ],
        note=gate_mark(cell),
        failed=not sound(cell),
    )


def _difference(found: ComparedDifference) -> list[str | Entry]:
    elsewhere, seeds = found["elsewhere"], (found["seeds_here"], found["seeds_there"])
    return [
        Entry(number(elsewhere["value"]), spread(elsewhere["range"], 4)),
        *(number(one and one["value"]) for one in seeds),
        number(found["ratio"], 2),
    ]


def ran_on_table(stats: Stats, made: Elsewhere) -> Table:
    """On what each side's runs were made."""
    rows = [
        Row([_words(one["what"]), _tally(one["here"]), _tally(one["there"]), str(one["differ"])])
        for one in made["ran_on"]
    ]
    return Table(
        "The two sides",
        "On what the compared runs were made here and there, and how many runs differ in it.",
        ["what", "here", "there", "runs that differ"],
        rows,
        names=3,
        source=f"{_file(stats)}: ran_on",
    )


def _tally(values: Sequence[Tally]) -> str:
    if len(values) == 1:
        return _told(values[0]["value"])
    return ", ".join(f"{_told(one['value'])} ({counted(one['runs'], 'run')})" for one in values)


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def excluded_table(stats: Stats, made: Elsewhere) -> Table:
    """The runs that were not compared."""
    rows = [
        Row([one["model"], one["activation"], str(one["seed"]), one["why"]])
        for one in made["excluded"]
    ]
    return Table(
        "Not compared",
        "Nothing stands in their place.",
        ["model", "activation", "seed", "why"],
        rows,
        names=4,
        source=f"{_file(stats)}: excluded",
    )
