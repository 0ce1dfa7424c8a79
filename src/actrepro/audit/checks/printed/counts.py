"""Counts of runs, seeds, experiments, answers and points, held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

from actrepro.audit.claims import Claim
from actrepro.audit.findings import IMPOSSIBLE, NOT_TESTABLE, Finding, found, upheld
from actrepro.audit.printed import as_printed, joined, look_up_one, values_of
from actrepro.audit.registry import Context, check
from actrepro.core.formats import listed


@check
def runs_are(claim: Claim, context: Context, *, rows: Sequence[str]) -> Finding:
    """Whether each cell is printed with as many runs as the protocol says, else contradicted.

    Counts the printed runs of `rows`, or takes their printed number of trials.
    """
    counts = sorted({_runs(context.table.claim(row)) for row in rows})
    return upheld(
        counts == [claim.number()],
        f"The cells are printed with {listed(list(map(str, counts)))} runs; the protocol says "
        f"{claim.number():.0f}.",
        rows=tuple(rows),
    )


def _runs(row: Claim) -> int:
    return int(row.number("trials")) if "trials" in row.printed else len(row.numbers("runs"))


@check
def thousandths(claim: Claim, context: Context, *, rows: Sequence[str], of: int) -> Finding:
    """Whether printed accuracies of runs are whole numbers of right answers among `of` characters.

    Else contradicted.
    """
    runs = values_of(joined(claim, context, [f"{row}.runs" for row in rows]))
    broken = [x for x in runs if abs(x / 100 * of - round(x / 100 * of)) > 1e-6]
    return upheld(
        not broken,
        f"All {len(runs)} printed accuracies of single runs are whole numbers of {of} characters."
        if not broken
        else f"{as_printed(broken[0])}% of {of} characters is no whole number.",
        rows=tuple(rows),
    )


@check
def counted_in_one_unit(
    claim: Claim,
    context: Context,
    *,
    cells: Sequence[Sequence[int]],
    runs_per_cell: int,
    printed: str = "value",
) -> Finding:
    """Whether a number of experiments counts either all cells or all trainings.

    Else contradicted: it adds what the documents count in different units.

    Parameters
    ----------
    cells
        What it may have counted: for each possibility, the cells of each study.
    """
    options = [sum(studies) * unit for studies in cells for unit in (1, runs_per_cell)]
    stated = look_up_one(claim, context, printed).value
    told = listed(
        [
            f"{_added(studies)} cells or {sum(studies) * runs_per_cell} trainings"
            for studies in cells
        ]
    )
    return upheld(stated in options, f"The studies have {told}; printed {as_printed(stated)}.")


def _added(studies: Sequence[int]) -> str:
    terms = " + ".join(map(str, studies))
    return terms if len(studies) == 1 else f"{terms} = {sum(studies)}"


@check
def trainings_add_up(claim: Claim, context: Context, *, runs: str, experiments: str) -> Finding:
    """Whether activations by model, times runs, give the number of experiments, else impossible.

    The claim's printed numbers are the activations of each model; the arguments are rows.
    """
    each = context.table.claim(runs).number()
    said = context.table.claim(experiments).number()
    cells = sum(claim.number(name) for name in claim.printed)
    return upheld(
        cells * each == said,
        f"{len(claim.printed)} models with {cells:.0f} activations in all, {each:.0f} runs each, "
        f"are {cells * each:.0f} trainings; {said:.0f} are printed.",
        otherwise=IMPOSSIBLE,
        rows=(runs, experiments),
    )


@check
def results_are_printed(claim: Claim, context: Context, *, of: str) -> Finding:
    """Whether the table has a number of every model or activation (`of`) that is listed.

    Else contradicted.
    """
    names = claim.printed["names"]
    known: dict[str, str] = {}
    for row in context.table.claims.values():
        if row.kind == "reported number" and row.scale == claim.scale:
            for name in [row.model] if of == "model" else row.activations:
                known.setdefault(name or "", row.id)
    missing = [name for name in names if name not in known]
    return upheld(
        not missing,
        f"No number is printed of {', '.join(missing)}."
        if missing
        else f"Numbers are printed of all {len(names)}: {', '.join(names)}.",
        rows=tuple(dict.fromkeys(known[name] for name in names if name in known)),
    )


@check
def curve_every(claim: Claim, context: Context, *, curve: str = "") -> Finding:
    """Whether the points of a printed curve are as many steps apart as it was evaluated.

    Else contradicted. `curve` is the beginning of the ids of the rows, which end in the
    step. Without a curve the interval leaves no trace in anything printed: not testable.
    """
    said = int(claim.number())
    steps = sorted(losses_by_step(context, curve)) if curve else []
    if len(steps) < 2:
        return found(
            NOT_TESTABLE,
            f"No curve of these runs is printed, so evaluating every {said} steps left no trace; "
            "here evaluation draws no random numbers, and training is the same without it.",
        )
    apart = sorted({b - a for a, b in pairwise(steps)})
    return upheld(
        apart == [said],
        f"The printed curve has {len(steps)} points, from step {steps[0]} to {steps[-1]}, "
        f"{' or '.join(map(str, apart))} steps apart.",
        rows=tuple(f"{curve}-{step:04}" for step in steps),
    )


def losses_by_step(context: Context, curve: str) -> dict[int, float]:
    """The mean losses of the rows whose ids begin with `curve` and end in a step."""
    return dict(_points(context, curve))


def _points(context: Context, curve: str) -> Iterator[tuple[int, float]]:
    for row in context.table.claims.values():
        stem, _, step = row.id.rpartition("-")
        if stem == curve and step.isdigit():
            yield int(step), fmean(row.numbers("runs"))
