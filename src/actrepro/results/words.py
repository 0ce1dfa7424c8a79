"""Sentences about cells: lost runs, failed gates, and missing numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from actrepro.core.formats import counted, listed
from actrepro.core.vocabulary import LOST
from actrepro.data.shapes import Table
from actrepro.results.cells import Cell, Stats, failures

MOST_NAMED = 4


def absence(cell: Cell, needed: int = 1) -> str:
    """Say why a cell has no number; empty if it has the runs that are needed."""
    if cell["n"] >= needed:
        return ""
    if not cell["excluded"]:
        return f"needs {needed} seeds"
    reasons = {run["why"] for run in cell["excluded"]}
    if reasons <= set(LOST):
        what = " or ".join(status for status in LOST if status in reasons)
    else:
        what = "is unusable"
    return f"every run {what}" if cell["n"] == 0 else f"only 1 seed left: rest {what}"


def remark(cell: Cell, needed: int = 1) -> str:
    """Say all that a reader must know of a cell besides its number."""
    return "; ".join(filter(None, [absence(cell, needed) or without(cell), gate_mark(cell)]))


def without(cell: Cell) -> str:
    """List the seeds that a cell's numbers leave out, with reasons; empty when none."""
    by_reason: dict[str, list[str]] = {}
    for run in cell["excluded"]:
        by_reason.setdefault(run["why"], []).append(str(run["seed"]))
    left_out = [f"seed {', '.join(seeds)} ({why})" for why, seeds in by_reason.items()]
    return f"without {'; '.join(left_out)}" if left_out else ""


def lost_line(stats: Stats, most: int = MOST_NAMED) -> str:
    """Count and name the lost runs in a sentence, with reasons; empty when none."""
    lost = [
        (run["status"], f"{model} {run['activation']} seed {run['seed']} ({run['why']})")
        for model, model_stats in stats["models"].items()
        for run in model_stats["runs"]
        if run["status"] in LOST
    ]
    if not lost:
        return ""
    counts = lost_counts((status for status, _ in lost), lambda runs: counted(runs, "run"))
    return (
        f"{listed(counts)}; {'it is' if len(lost) == 1 else 'they are'} excluded from every "
        f"statistic and never replaced: {listed([name for _, name in lost], most)}."
    )


def lost_counts(statuses: Iterable[str], first: Callable[[int], str]) -> list[str]:
    """Count the lost runs by status, in words; `first` formats the first of the counts."""
    ended = Counter(statuses)
    counts = [(status, ended[status]) for status in LOST if ended[status]]
    return [
        f"{number if place else first(number)} {status}"
        for place, (status, number) in enumerate(counts)
    ]


def gate_mark(cell: Cell) -> str:
    """Name the gates that a cell failed; empty when none."""
    return failed_mark(cell["failed_gates"])


def failed_mark(gates: Sequence[str]) -> str:
    """Format failed gates for a place beside a number; empty when none."""
    return f"failed: {', '.join(map(gate_name, gates))}" if gates else ""


def gate_name(gate: str) -> str:
    """Format a gate's id for readers."""
    return gate.replace("_", " ")


def failures_note(cells: Mapping[str, Cell], most: int = MOST_NAMED) -> str:
    """List failed gates with their cells; empty when none.

    For example `learned in charlm relu and minigpt elu`.
    """
    by_gate = failures(cells).items()
    return "; ".join(f"{gate_name(gate)} in {listed(names, most)}" for gate, names in by_gate)


def smoke_note(stats: Stats) -> str:
    """Warn that a study has few seeds; empty when it has enough for claims."""
    if not stats["smoke"]:
        return ""
    seeds = counted(len(stats["seeds"]), "seed")
    return f"Smoke study: {seeds}. At least {stats['recommended_seeds']} are needed for claims."


def learned(beats: Mapping[Table, bool | None]) -> str:
    """Name the strongest n-gram table that every run of a cell beats."""
    strongest: tuple[Table, ...] = ("trigram", "bigram", "unigram")
    beaten = [table for table in strongest if beats[table]]
    return f"beats {beaten[0]}" if beaten else "not learned"
