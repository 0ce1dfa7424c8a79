"""Means, sums, products, ratios, changes and ranges of printed numbers, computed again.

What arithmetic refutes is impossible; nothing wrong is *supported*, and other checks then
decide. Where a number and its parts are printed in different places (`elsewhere`), either
may be wrong, and it is contradicted. References to printed numbers are those of
`printed.look_up`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    CONTRADICTED,
    IMPOSSIBLE,
    Evidence,
    Finding,
    decisive,
    upheld,
)
from actrepro.audit.printed import (
    EXACT,
    RANGE,
    Computed,
    Printed,
    Reference,
    all_printed,
    are_printed,
    as_printed,
    computed,
    joined,
    look_up,
    look_up_one,
    rows_of,
    shown,
    span,
    values_of,
)
from actrepro.audit.registry import Context, check, put
from actrepro.audit.words import place
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed, signed


@check
def mean_of(
    claim: Claim,
    context: Context,
    *,
    digits: int,
    of: Sequence[Reference] = ("runs",),
    run_digits: int | None = None,
    printed: str = "value",
    elsewhere: bool = False,
) -> Finding:
    """Whether a printed mean is that of printed numbers, rounding allowed for; else impossible.

    Parameters
    ----------
    digits, run_digits
        Behind the point, of the mean and of the numbers; as many of these when absent.
    elsewhere
        Whether it is printed in another place than the numbers: then contradicted. Where
        it is one of the numbers, that is told.
    """
    parts = joined(claim, context, of, digits if run_digits is None else run_digits)
    stated, values = look_up_one(claim, context, printed, digits), values_of(parts)
    one = computed(fmean, parts)
    agrees = one.agrees_with(stated)
    is_run = any(Computed(value, parts[0].half).agrees_with(stated) for value in values)
    mean, said = f"{one.value:.{digits}f}", f"{stated.value:.{digits}f}"
    ending = f", not {said}{', which is that of a single one' if is_run else ''}"
    if agrees:
        ending = ", as printed" if mean == said else f"; {said} is printed, {rounding_of(of)}"
    return upheld(
        agrees,
        f"The mean of the printed {all_printed(values)} is {mean}{ending}.",
        otherwise=_refuted(elsewhere),
        rows=rows_of([*parts, stated]),
    )


def rounding_of(of: Sequence[Reference]) -> str:
    """Why a number that rounds differently still agrees with what it is computed from."""
    runs = all(str(one).endswith("runs") for one in of)
    return f"within the rounding of the {'runs' if runs else 'numbers'}"


def _refuted(elsewhere: bool) -> str:
    return CONTRADICTED if elsewhere else IMPOSSIBLE


@check
def sum_of(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[Reference],
    less: Sequence[Reference] = (),
    per: float = 1,
    digits: int | None = None,
    within: float | None = None,
    printed: str = "value",
    elsewhere: bool = False,
) -> Finding:
    """Whether a printed total, or a difference, is that of its parts; else impossible.

    Parameters
    ----------
    of, less
        What is added, and what is taken away.
    per
        How many of the parts' units are one of the total's: 60 for seconds in minutes.
    digits
        Behind the point of all of them.
    within
        The largest distance allowed; by default what rounding explains.
    elsewhere
        Whether the parts are printed in another place: then contradicted.
    """
    added, taken = joined(claim, context, of, digits), joined(claim, context, less, digits)
    terms = len(values_of(added))

    def total(values: Sequence[float]) -> float:
        return (math.fsum(values[:terms]) - math.fsum(values[terms:])) / per

    said = " + ".join(map(as_printed, values_of(added)))
    said += "".join(f" − {as_printed(value)}" for value in values_of(taken))
    parts = [*added, *taken]
    stated = look_up_one(claim, context, printed, digits)
    return _equal(computed(total, parts), stated, said + _over(per), parts, within, elsewhere)


@check
def product_of(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[Reference],
    per: float = 1,
    within: float | None = None,
    printed: str = "value",
) -> Finding:
    """Whether a printed number is the product of others, divided by `per`; else impossible.

    `within` is the largest distance allowed, by default what rounding explains.
    """
    parts = joined(claim, context, of)

    def product(values: Sequence[float]) -> float:
        return math.prod(values) / per

    said = " × ".join(map(as_printed, values_of(parts))) + _over(per)
    stated = look_up_one(claim, context, printed)
    return _equal(computed(product, parts), stated, said, parts, within)


@check
def ratio_of(
    claim: Claim,
    context: Context,
    *,
    of: Reference,
    to: Reference,
    factor: float = 1,
    within: float | None = None,
    steps: float | None = None,
    printed: str = "value",
    elsewhere: bool = False,
) -> Finding:
    """Whether a printed number is the ratio of two others; else impossible.

    Parameters
    ----------
    factor
        Times the ratio is the printed number: 100 for a share in percent.
    within
        The largest distance allowed; by default what rounding explains.
    steps
        How many times as many steps the first took, where both are times: what is left
        of the ratio is then told for one step.
    elsewhere
        Whether the two are printed in another place: then contradicted.
    """
    parts = [look_up_one(claim, context, one) for one in (of, to)]

    def ratio(values: Sequence[float]) -> float:
        return factor * values[0] / values[1]

    one = computed(ratio, parts)
    said = f"{as_printed(parts[0].value)} / {as_printed(parts[1].value)}"
    said = said if factor == 1 else f"{shown(factor)} × {said}"
    stated = look_up_one(claim, context, printed)
    finding = _equal(one, stated, said, parts, within, elsewhere)
    if steps is None:
        return finding
    more = Evidence(
        f"It took {shown(steps)} times as many steps, so one step took "
        f"{shown(one.value / steps)} times as long."
    )
    return Finding(finding.verdict, (*finding.evidence, more))


def _equal(
    one: Computed,
    stated: Printed,
    said: str,
    parts: Sequence[Printed],
    within: float | None = None,
    elsewhere: bool = False,
) -> Finding:
    return upheld(
        one.agrees_with(stated, within),
        f"{said} = {shown(one.value)}; {are_printed(stated.values)}.",
        otherwise=_refuted(elsewhere),
        rows=rows_of([*parts, stated]),
    )


def _over(per: float) -> str:
    return "" if per == 1 else f" over {shown(per)}"


@check
def change_of(
    claim: Claim,
    context: Context,
    *,
    before: Reference,
    after: Reference,
    within: float,
    printed: str = "change_percent",
    elsewhere: bool = False,
) -> Finding:
    """Whether a printed change in percent is that from one printed number to another.

    Of several numbers, as runs, the mean counts. A sign that the document leaves to words
    ("60% better") is left out of the comparison. Else impossible.

    Parameters
    ----------
    within
        Points of percent.
    elsewhere
        Whether the change is printed of other numbers of the same, such as means beside
        these runs: then contradicted.
    """
    parts = joined(claim, context, (before, after))
    stated = look_up_one(claim, context, printed)
    first, second = (part.mean for part in parts)
    change = 100 * (second - first) / first
    write = as_printed if all(len(part.values) == 1 for part in parts) else _to_four_digits
    what = "" if write is as_printed else ", means of printed runs,"
    return upheld(
        Computed(abs(change)).agrees_with(Printed((abs(stated.value),), stated.half), within),
        f"From {write(first)} to {write(second)}{what} is {signed(change, 2)}% of "
        f"{write(first)}; {as_printed(stated.value)}% is printed.",
        otherwise=_refuted(elsewhere),
        rows=rows_of([*parts, stated]),
    )


def _to_four_digits(value: float) -> str:
    return f"{value:.4f}"


@check
def range_of(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[Reference],
    within: float,
    low: Reference = "low",
    high: Reference = "high",
    factor: float = 1,
) -> Finding:
    """Whether a printed range has the ends of the printed numbers it is of; else impossible.

    `within` is the largest distance of either end, and `factor` brings the numbers to the
    range's unit.
    """
    parts = joined(claim, context, of)
    values = values_of(parts)
    ends = factor * min(values), factor * max(values)
    stated = [look_up_one(claim, context, one) for one in (low, high)]
    agrees = all(
        Computed(end).agrees_with(one, within) for end, one in zip(ends, stated, strict=True)
    )
    return upheld(
        agrees,
        f"The printed numbers run from {span(ends, as_printed if factor == 1 else shown)}; as a "
        f"range {span(values_of(stated))} is printed.",
        otherwise=IMPOSSIBLE,
        rows=rows_of([*parts, *stated]),
    )


@check
def lies_within(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[Reference],
    within: float = 0,
    whole: bool = False,
) -> Finding:
    """Whether a printed range has room for other numbers printed of the same; else contradicted.

    Parameters
    ----------
    within
        How far outside they may lie.
    whole
        Whether they must be whole numbers too, as counts are.
    """
    parts = joined(claim, context, of)
    values = values_of(parts)
    ends, room = look_up(claim, context, RANGE), within + EXACT
    outside = [x for x in values if not ends.low - room <= x <= ends.high + room]
    broken = [x for x in values if whole and x != round(x)]
    told, what = values, f"within {ends.told()}{', as whole numbers' if whole else ''}"
    if broken:
        told, what = broken, "not as a whole number"
    if outside:
        told, what = outside, f"outside {ends.told()}"
    return upheld(
        not (outside or broken),
        f"Of the same {are_printed(told)}, {what}.",
        rows=rows_of(parts),
    )


@check
def average_between(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[Reference],
    within: float,
    printed: str = "value",
    each: str = "models",
    elsewhere: bool = False,
) -> Finding:
    """Whether a printed average lies in what the averaged ranges allow; else impossible.

    Parameters
    ----------
    within
        The rounding of the ranges' ends, averaged.
    each
        What the ranges are of, each with the same weight in the average.
    elsewhere
        Whether the ranges are of all activations, printed in another place: then
        contradicted.
    """
    parts, stated = joined(claim, context, of), look_up_one(claim, context, printed)
    low, high = fmean(part.low for part in parts), fmean(part.high for part in parts)
    return upheld(
        low - within - EXACT <= stated.value <= high + within + EXACT,
        f"The average of {listed([part.told() for part in parts])}, with equal weights of the "
        f"{len(parts)} {each}, lies between {low:.2f} and {high:.2f}; "
        f"{are_printed(stated.values)}.",
        otherwise=_refuted(elsewhere),
        rows=rows_of([*parts, stated]),
    )


@check
def made_of(claim: Claim, context: Context, *, rows: Sequence[str]) -> Finding:
    """What the checks of the rows that a number is made of find: the gravest of their verdicts."""
    if claim.id in rows:
        raise ActreproError(f"claim {claim.id}: it cannot be made of itself")
    findings = {row: _of_row(context.table.claim(row), context) for row in rows}
    worst = decisive(list(findings.values()))
    row = next(row for row, finding in findings.items() if finding is worst)
    first = worst.evidence[0]
    where = place(context.table.claim(row))
    says = f"It is made of what {where}, has ({worst.verdict}): {first.says}"
    named = tuple(dict.fromkeys((row, *first.rows)))
    evidence = Evidence(says, first.numbers, named, first.files)
    return replace(worst, evidence=(evidence,))


def _of_row(claim: Claim, context: Context) -> Finding:
    calls: Sequence[Any] = claim.checks
    return decisive([put(claim, call, context) for call in calls])
