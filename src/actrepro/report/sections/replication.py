"""The report's section on runs that another results folder has too."""

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
    """Content of the section for one scale: a warning alone, or the comparison.

    Attributes
    ----------
    line
        The results in sentences.
    excluded
        The runs that were not compared, with the reasons; None without any.
    """

    name: str
    warning: str = ""
    line: str = ""
    results: Table | None = None
    ran_on: Table | None = None
    excluded: Table | None = None


def section(stats: Stats, comparison: Elsewhere) -> Section:
    """Return a scale's section, from its `stats.json` and `elsewhere.json` as read."""
    scale = str(stats["scale"])
    if not matches(stats, comparison):
        warning = (
            f"{_file(stats)} compares other runs than those that this report shows, so it is not "
            "shown here."
        )
        return Section(scale, warning)
    return Section(
        scale,
        line=comparison_line(comparison),
        results=results_table(stats, comparison) if comparison["cells"] else None,
        ran_on=ran_on_table(stats, comparison) if comparison["cells"] else None,
        excluded=excluded_table(stats, comparison) if comparison["excluded"] else None,
    )


def _file(stats: Stats) -> str:
    return paths.at(paths.ELSEWHERE, scale=stats["scale"])


def matches(stats: Stats, comparison: Elsewhere) -> bool:
    """Check by hash whether the compared runs are those of these statistics."""
    shown = {
        (model, run["activation"], run["seed"]): (
            run["weights_sha256"][FINAL],
            run["predictions_sha256"],
        )
        for model, of_model in stats["models"].items()
        for run in of_model["runs"]
    }
    compared = {
        (cell["model"], cell["activation"], run["seed"]): (
            run["weights_sha256"]["here"],
            run["predictions_sha256"]["here"],
        )
        for cell in comparison["cells"]
        for run in cell["rules"][FINAL]["runs"]
    }
    same_text = comparison["evaluation_sha256"] == stats["evaluation"]["sha256"]
    return same_text and compared.items() <= shown.items()


def comparison_line(comparison: Elsewhere) -> str:
    """Count the compared runs, with their differences and those of the two sides."""
    finals = _finals(comparison)
    compared = sum(final["n"] for final in finals)
    line = f"{compared} of {counted(compared + len(comparison['excluded']), 'run')} compared"
    if not compared:
        return f"{line}."
    weights = sum(final["same_weights"] for final in finals)
    predictions = sum(final["same_predictions"] for final in finals)
    return (
        f"{line}: {weights} ended in the same weights, {predictions} in the same predictions, to "
        f"the byte. {_variation(finals)} {_sides_line(comparison)}"
    )


def _finals(comparison: Elsewhere) -> list[ComparedUnderRule]:
    return [cell["rules"][FINAL] for cell in comparison["cells"]]


def _variation(finals: Sequence[ComparedUnderRule]) -> str:
    differences = [final["differences"][PRIMARY] for final in finals]
    sentence = (
        "Made elsewhere, a cell’s runs differ from themselves by a mean total variation of "
        f"{spread((final['elsewhere']['value'] for final in differences), 4)}"
    )
    seeds = [final["seeds_here"]["value"] for final in differences if final["seeds_here"]]
    ratios = [final["ratio"] for final in differences if final["ratio"] is not None]
    if seeds:
        sentence += f", and from one seed to another here by {spread(seeds, 4)}"
    if ratios:
        sentence += f": {spread(ratios, 2)} times as much"
    return f"{sentence}."


def _sides_line(comparison: Elsewhere) -> str:
    differing = [_words(part["what"]) for part in comparison["ran_on"] if part["differ"]]
    if not differing:
        return "Nothing that is recorded of the two sides differs."
    return f"The two sides differ in {listed(differing)}."


def _words(what: str) -> str:
    """Return the name of a part of `ran_on` for readers."""
    return what.removeprefix("packages.").replace(".", " ").replace("_", " ")


def results_table(stats: Stats, comparison: Elsewhere) -> Table:
    """Return each cell's differences between the two folders, beside those between seeds."""
    return Table(
        "Made elsewhere, and with another seed",
        "Means over the n runs that both folders have, at their final step: made elsewhere, with "
        "the smallest and the largest below; between seeds, over the pairs of these runs. Ratio: "
        "made elsewhere, as a multiple of another seed here. Loss: with Student’s "
        f"{level(comparison['confidence'])} interval over runs.",
        [
            "cell",
            "n",
            "same bytes",
            *("elsewhere", "seeds here", "seeds there", "ratio") * 2,
            "there − here",
        ],
        [_result(stats, cell) for cell in comparison["cells"]],
        source=f"{_file(stats)}: cells.*.rules.{FINAL}",
        groups=[("", 3), ("total variation", 4), ("churn", 4), ("loss, nats", 1)],
    )


def _result(stats: Stats, compared: ComparedCell) -> Row:
    cell = cells_of(stats, compared["model"])[compared["activation"]]
    final = compared["rules"][FINAL]
    loss = final["scores"][LOSS]["difference"]
    return Row(
        [
            marked(f"{compared['model']} {compared['activation']}", cell),
            str(final["n"]),
            str(final["same_predictions"]),
            *_difference(final["differences"][PRIMARY]),
            *_difference(final["differences"][CHURN]),
            Entry(signed(loss["value"]), interval(loss["interval"]) if loss["interval"] else ""),
        ],
        note=gate_mark(cell),
        failed=not sound(cell),
    )


def _difference(difference: ComparedDifference) -> list[str | Entry]:
    elsewhere, seeds = (
        difference["elsewhere"],
        (difference["seeds_here"], difference["seeds_there"]),
    )
    return [
        Entry(number(elsewhere["value"]), spread(elsewhere["range"], 4)),
        *(number(estimate and estimate["value"]) for estimate in seeds),
        number(difference["ratio"], 2),
    ]


def ran_on_table(stats: Stats, comparison: Elsewhere) -> Table:
    """Return the machines and packages of each side's runs."""
    rows = [
        Row(
            [_words(part["what"]), _tally(part["here"]), _tally(part["there"]), str(part["differ"])]
        )
        for part in comparison["ran_on"]
    ]
    return Table(
        "The two sides",
        "What the compared runs were trained on here and there, and how many runs differ in it.",
        ["what", "here", "there", "runs that differ"],
        rows,
        names=3,
        source=f"{_file(stats)}: ran_on",
    )


def _tally(values: Sequence[Tally]) -> str:
    if len(values) == 1:
        return _value_words(values[0]["value"])
    return ", ".join(
        f"{_value_words(value['value'])} ({counted(value['runs'], 'run')})" for value in values
    )


def _value_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def excluded_table(stats: Stats, comparison: Elsewhere) -> Table:
    """Return the runs that were not compared, with the reasons."""
    rows = [
        Row([run["model"], run["activation"], str(run["seed"]), run["why"]])
        for run in comparison["excluded"]
    ]
    return Table(
        "Not compared",
        "Nothing replaces them.",
        ["model", "activation", "seed", "why"],
        rows,
        names=4,
        source=f"{_file(stats)}: excluded",
    )
