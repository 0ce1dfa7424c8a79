"""Standard deviations, variances, coefficients of variation and ranges of printed numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev, pvariance, stdev, variance

from actrepro.audit.checks.printed.arithmetic import rounding_of
from actrepro.audit.claims import Claim
from actrepro.audit.findings import CONTRADICTED, IMPOSSIBLE, Finding, upheld
from actrepro.audit.printed import (
    EXACT,
    Computed,
    Printed,
    Reference,
    all_printed,
    as_printed,
    computed,
    halves_of,
    joined,
    look_up,
    look_up_one,
    rows_of,
    shown,
    values_of,
)
from actrepro.audit.registry import Context, check
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed, number

Spread = Callable[[Sequence[float]], float]
N, LESS_ONE = "n", "n − 1"


def _percent_of_mean(spread: Spread) -> Spread:
    return lambda values: 100 * spread(values) / abs(fmean(values))


def relative_range(values: Sequence[float]) -> float:
    """The range over the smallest, in percent."""
    return 100 * (max(values) - min(values)) / min(values)


# By kind: its name, and the spread with either divisor.
SPREADS: Mapping[str, tuple[str, Mapping[str, Spread]]] = {
    "SD": ("standard deviation", {N: pstdev, LESS_ONE: stdev}),
    "variance": ("variance", {N: pvariance, LESS_ONE: variance}),
    "CV": (
        "coefficient of variation in percent",
        {N: _percent_of_mean(pstdev), LESS_ONE: _percent_of_mean(stdev)},
    ),
}
# What a printed spread that is wrong may be instead.
INSTEAD: Mapping[str, Spread] = {
    "the SD": stdev,
    "the CV in percent": _percent_of_mean(stdev),
    "the range over the smallest in percent": relative_range,
    "the range over the mean in percent": _percent_of_mean(lambda x: max(x) - min(x)),
}


@check
def spread_of(
    claim: Claim,
    context: Context,
    *,
    kind: str = "SD",
    of: Sequence[Reference] = ("runs",),
    digits: int | None = None,
    run_digits: int | None = None,
    divisor: str | None = None,
    printed: str = "spread",
    elsewhere: bool = False,
) -> Finding:
    """Whether a printed spread is that of printed numbers, with divisor n or n − 1.

    Else impossible, and what it is instead is told. Of a coefficient of variation that one
    number makes most of, what is left without that one is told.

    Parameters
    ----------
    kind
        `SD`, `variance`, or `CV`: the coefficient of variation, in percent.
    digits, run_digits
        Behind the point, of the spread and of the numbers; as many of these when absent.
    divisor
        The only one that will do: `n` or `n − 1`.
    elsewhere
        Whether the numbers are printed in another place: then contradicted.
    """
    if kind not in SPREADS:
        raise ActreproError(f"claim {claim.id}: no spread '{kind}'; valid: {', '.join(SPREADS)}")
    name, forms = SPREADS[kind]
    parts = joined(claim, context, of, digits if run_digits is None else run_digits)
    stated, values = look_up_one(claim, context, printed, digits), values_of(parts)
    spreads = {form: _with_slack(kind, form, spread, parts) for form, spread in forms.items()}
    fitting = [form for form, one in spreads.items() if one.agrees_with(stated)]
    agrees = bool(fitting) if divisor is None else divisor in fitting
    write = shown if digits is None else (lambda value: f"{value:.{digits}f}")
    read = as_printed if digits is None else write
    told = listed([f"{write(one.value)} with divisor {form}" for form, one in spreads.items()])
    ending = f"is neither{_instead(values, stated)}"
    if fitting:
        nearest = spreads[fitting[0]].value
        same = abs(nearest - stated.value) <= stated.half + EXACT
        same = same if digits is None else write(nearest) == write(stated.value)
        ending = f"has divisor {fitting[0]}{'' if same else f', {rounding_of(of)}'}"
    more = _influence(parts) if kind == "CV" and fitting else ""
    return upheld(
        agrees,
        f"The {name} of the printed {all_printed(values)} is {told}; the printed "
        f"{read(stated.value)} {ending}.{more}",
        otherwise=CONTRADICTED if elsewhere else IMPOSSIBLE,
        rows=rows_of([*parts, stated]),
    )


def _with_slack(kind: str, form: str, spread: Spread, parts: Sequence[Printed]) -> Computed:
    if kind != "SD":
        return computed(spread, parts)
    # Deviations are a seminorm: errors of at most h in each number move the one with
    # divisor n by h at most.
    values = values_of(parts)
    reach = 1.0 if form == N else math.sqrt(len(values) / (len(values) - 1))
    return Computed(spread(values), reach * max(halves_of(parts)))


def _instead(values: Sequence[float], stated: Printed) -> str:
    """What a printed number is of the same values, where it is one of the usual spreads."""
    for name, function in INSTEAD.items():
        if Computed(function(values)).agrees_with(stated):
            return f", but {name}"
    return ""


def _influence(parts: Sequence[Printed]) -> str:
    """What is left of a CV without the number that makes most of it, where it halves at least."""
    values = values_of(parts)
    if len(values) < 4:
        return ""
    cv = _percent_of_mean(pstdev)
    left = [cv([*values[:place], *values[place + 1 :]]) for place in range(len(values))]
    place = left.index(min(left))
    if left[place] > cv(values) / 2:
        return ""
    return f" Without {as_printed(values[place])} it is {left[place]:.2f}%."


@check
def divisor_is_n(claim: Claim, context: Context, *, rows: Sequence[str]) -> Finding:
    """Whether all printed SDs of the rows are those of their runs with divisor n.

    Else contradicted.
    """
    fits: dict[str, list[bool]] = {N: [], LESS_ONE: []}
    for row in rows:
        runs, stated = (look_up(claim, context, f"{row}.{key}") for key in ("runs", "spread"))
        for form, spread in SPREADS["SD"][1].items():
            fits[form].append(_with_slack("SD", form, spread, [runs]).agrees_with(stated))
    return upheld(
        all(fits[N]),
        f"With divisor n {sum(fits[N])} of {len(rows)} printed SDs follow from their runs, with "
        f"n − 1 {sum(fits[LESS_ONE])}.",
        rows=tuple(rows),
    )


@check
def variance_is_a_range(claim: Claim, context: Context, *, of: Sequence[Reference]) -> Finding:
    """Whether a percentage that is called a variance is the coefficient of variation of means.

    Else contradicted. Told beside it are their range and their variance.
    """
    parts, stated = joined(claim, context, of), look_up_one(claim, context, "value")
    means, cv = values_of(parts), SPREADS["CV"][1]
    return upheld(
        Computed(cv[N](means)).agrees_with(stated),
        f"{as_printed(stated.value)}% is printed. The means' range over the smallest is "
        f"{relative_range(means):.2f}%; their coefficient of variation is {cv[N](means):.2f}% "
        f"({cv[LESS_ONE](means):.2f}% with divisor n − 1), their variance {pvariance(means):.5f} "
        f"({variance(means):.5f}).",
        rows=rows_of(parts),
    )


@check
def relative_range_of(
    claim: Claim,
    context: Context,
    *,
    of: Mapping[str, Sequence[Reference]],
    printed: str = "value",
) -> Finding:
    """Whether a printed percentage is the range of printed numbers over their smallest.

    Supported where it is that of one of the sets, else contradicted: the documents' numbers
    do not give it.

    Parameters
    ----------
    of
        By a name for readers, the numbers of a set.
    """
    stated = look_up_one(claim, context, printed)
    parts = {name: joined(claim, context, references) for name, references in of.items()}
    ranges = {name: computed(relative_range, part) for name, part in parts.items()}
    told = listed([f"{one.value:.2f}% ({name})" for name, one in ranges.items()])
    return upheld(
        any(one.agrees_with(stated) for one in ranges.values()),
        f"Range over smallest of the printed numbers: {told}; "
        f"{as_printed(stated.value)}% is printed.",
        rows=rows_of(itertools.chain.from_iterable(parts.values())),
    )


@check
def change_of_range(
    claim: Claim,
    context: Context,
    *,
    before: Sequence[Reference],
    after: Sequence[Reference],
    within: float,
    among: str = "",
) -> Finding:
    """Whether a range over the smallest changed so much, in percent, in one and the same measure.

    Else contradicted.

    Parameters
    ----------
    before, after
        The numbers of that measure.
    within
        Points of percent.
    among
        Whose numbers both are, for the sentence.
    """
    parts = [joined(claim, context, references) for references in (before, after)]
    first, second = (relative_range(values_of(part)) for part in parts)
    stated, change = look_up_one(claim, context, "change_percent"), 100 * (second / first - 1)
    agrees = Computed(change).agrees_with(stated, within)
    ends = f"from {first:.2f}% to {second:.2f}%, by {number(change, 0)}%"
    said = f"In one measure{among and f', of {among},'} the range goes {ends}"
    wrong = (
        f"; the printed {as_printed(stated.value)}% sets a range of one measure against that of "
        "another"
    )
    return upheld(
        agrees,
        f"{said}{'' if agrees else wrong}.",
        rows=rows_of(itertools.chain.from_iterable(parts)),
    )


@check
def range_is_below(
    claim: Claim,
    context: Context,
    *,
    of: Mapping[str, Sequence[Reference]],
) -> Finding:
    """Whether the printed numbers of every set range over less than is claimed.

    Else contradicted.

    Parameters
    ----------
    of
        By a name for readers, the numbers of a set; a printed range counts with its ends.
    """
    bound = claim.number()
    parts = {name: joined(claim, context, references) for name, references in of.items()}
    ranges = {name: max(values_of(one)) - min(values_of(one)) for name, one in parts.items()}
    told = listed([f"{shown(one)} ({name})" for name, one in ranges.items()])
    return upheld(
        all(one < bound for one in ranges.values()),
        f"The printed numbers range over {told}; claimed below {as_printed(bound)}.",
        rows=rows_of(itertools.chain.from_iterable(parts.values())),
    )


@check
def least_spread(
    claim: Claim, context: Context, *, of: Mapping[str, Reference], activation: str
) -> Finding:
    """Whether an activation's printed runs have the smallest standard deviation of several.

    Else contradicted. `of` names each activation's runs.
    """
    parts = dict(zip(of, joined(claim, context, of.values()), strict=True))
    spreads = {name: pstdev(part.values) for name, part in parts.items()}
    least = min(spreads, key=spreads.__getitem__)
    told = listed([f"{one:.4f} ({name})" for name, one in spreads.items()])
    return upheld(
        least == activation,
        f"The printed runs have SD {told}: {least} has the smallest.",
        rows=rows_of(parts.values()),
    )
