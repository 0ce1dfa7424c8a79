"""Whether printed savings, amounts and prices follow from what is printed elsewhere.

A saving that its own parts cannot give is impossible. Two statements of one amount that
are further apart than a factor given beforehand are contradicted: what a document calls
approximate needs that room.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.stats

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    CONTRADICTED,
    IMPOSSIBLE,
    INCONCLUSIVE,
    NOT_TESTABLE,
    SUPPORTED,
    Finding,
    found,
    upheld,
)
from actrepro.audit.printed import (
    RANGE,
    Computed,
    Printed,
    Reference,
    all_printed,
    as_printed,
    joined,
    look_up,
    look_up_one,
    rows_of,
    shown,
    span,
    values_of,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.words import place
from actrepro.core.formats import listed

# An estimate of a share that is off by more is of no use for planning.
USEFUL_SHARE = 0.1


@check
def share_saved_is(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[int],
    within: float,
    printed: Sequence[Reference] = ("value",),
) -> Finding:
    """Whether running one of k saves the printed percentages, 1 − 1/k, else impossible.

    Parameters
    ----------
    of
        The numbers k, one for each percentage.
    within
        Points of percent.
    """
    shares = [100 * (1 - 1 / k) for k in of]
    stated = joined(claim, context, printed)
    off = max(abs(a - b.value) for a, b in zip(shares, stated, strict=True))
    told = listed([f"1 − 1/{k} = {share:.1f}%" for k, share in zip(of, shares, strict=True)])
    return upheld(
        off <= within,
        f"One run of k saves {told}; printed {all_printed(values_of(stated))}%.",
        otherwise=IMPOSSIBLE,
    )


@check
def saving_is(claim: Claim, context: Context, *, of: Mapping[Reference, int]) -> Finding:
    """Whether a saving is what running one activation saves, else impossible.

    Where it is more than all that was spent, that is told.

    Parameters
    ----------
    of
        For each total time, how many activations it covers; one of them would have been kept.
    """
    parts = [look_up_one(claim, context, one) for one in of]
    times, counts = values_of(parts), list(of.values())
    saved = math.fsum((1 - 1 / k) * time for time, k in zip(times, counts, strict=True))
    stated = look_up_one(claim, context, "value")
    spent = math.fsum(times)
    terms = " + ".join(
        f"{as_printed(time)} × {k - 1}/{k}" for time, k in zip(times, counts, strict=True)
    )
    said = f"{terms} = {shown(saved)}, printed {as_printed(stated.value)}."
    agrees = Computed(saved, math.fsum(part.half for part in parts)).agrees_with(stated)
    if not agrees and stated.value > spent:
        said += f" All these runs together took {shown(spent)}."
    return upheld(agrees, said, otherwise=IMPOSSIBLE, rows=rows_of(parts))


@check
def same_amount(
    claim: Claim,
    context: Context,
    *,
    against: Sequence[Reference],
    within: float,
    times: float = 1,
    per: float = 1,
    printed: Sequence[str] = (),
) -> Finding:
    """Whether other rows' printed numbers, added up, give what this one says, else contradicted.

    Parameters
    ----------
    against
        Numbers that are added; a range is added with both its ends.
    within
        The factor by which two statements of one amount may differ.
    times, per
        The sum is multiplied and divided by these.
    printed
        The claim's own number, or its ends; `value`, or else the range, when absent.
    """
    parts = joined(claim, context, against)
    low = times / per * math.fsum(x for one in parts for x in _added(one, min))
    high = times / per * math.fsum(x for one in parts for x in _added(one, max))
    rows = rows_of(parts)
    where = "; ".join(dict.fromkeys(place(context.table.claim(row)) for row in rows))
    how = f"printed elsewhere ({where}): {{}}" if rows else "its parts add up to {}"
    return amounts_meet(claim, context, printed, (low, high), within, how, rows)


def _added(part: Printed, end: Callable[[Sequence[float]], float]) -> Sequence[float]:
    return [end(part.values)] if part.is_range else part.values


def amounts_meet(
    claim: Claim,
    context: Context,
    printed: Sequence[str],
    there: tuple[float, float],
    within: float,
    how: str,
    rows: Sequence[str],
) -> Finding:
    """Whether a claim's amount is another one but for a factor; `how` tells the other, as {}.

    A number agrees with a range that holds it. Two ranges agree where both their ends do.
    """
    low, high = there
    own_low, own_high = own_range(claim, context, printed)
    unit = unit_of(claim)
    apart = ""
    if low > own_high:
        apart = f", {low / own_high:.2g} times as much"
    if own_low > high:
        apart = f", {high / own_low:.2g} times as much"
    other = how.format(span(there, shown) + unit)
    return upheld(
        _meet((own_low, own_high), there, within),
        f"It says {span((own_low, own_high))}{unit}; {other}{apart}.",
        rows=tuple(rows),
    )


def _meet(one: tuple[float, float], other: tuple[float, float], within: float) -> bool:
    if one[0] == one[1] or other[0] == other[1]:
        return other[0] <= one[1] * within and one[0] <= other[1] * within
    return all(a <= b * within and b <= a * within for a, b in zip(one, other, strict=True))


def own_range(claim: Claim, context: Context, printed: Sequence[str] = ()) -> tuple[float, float]:
    """The smallest and largest of a claim's own numbers: `printed`, or its value or range."""
    names = printed or ["value" if "value" in claim.printed else RANGE]
    values = values_of(joined(claim, context, names))
    return min(values), max(values)


def unit_of(claim: Claim) -> str:
    """The unit of a claim's main number, behind a blank."""
    return f" {claim.unit}" if claim.unit else ""


@check
def sweep_is(
    claim: Claim,
    context: Context,
    *,
    sizes: Reference,
    base: float,
    of: Mapping[Reference, float],
    within: float,
    in_units: str,
) -> Finding:
    """Whether a sweep over model sizes fits its budget, at the printed times of one size.

    Time is taken to be proportional to the parameters, as the number of operations is.
    Else contradicted.

    Parameters
    ----------
    sizes, base
        The sizes of the sweep, and the size at which times are known, in one unit.
    of
        By a time at that size, what it is multiplied by to be that of all runs of one size
        in the budget's unit.
    within
        The factor by which the budget may be off.
    in_units
        Of the sizes, for the sentence.
    """
    parts = [look_up_one(claim, context, one) for one in of]
    once = math.fsum(a * b for a, b in zip(values_of(parts), of.values(), strict=True))
    factor = math.fsum(look_up(claim, context, sizes).values) / base
    budget = look_up_one(claim, context, "value").value
    return upheld(
        budget / within <= factor * once <= budget * within,
        f"All runs of {shown(base)} {in_units} took {shown(once)}{unit_of(claim)}; the sizes of "
        f"the sweep are {shown(factor)} times that, so {shown(factor * once)} if time grows with "
        f"size, against {as_printed(budget)}.",
        rows=rows_of(parts),
    )


@check
def price_fits(claim: Claim, context: Context, *, hours: Reference, price_of: str) -> Finding:
    """Whether the hours of a study cost the printed sum, at the price another row implies.

    Else contradicted.

    Parameters
    ----------
    hours
        The longest time printed, in minutes.
    price_of
        A row with `low` and `high` dollars for `hours`.
    """
    other = context.table.claim(price_of)
    low, high = (other.number(end) / other.number("hours") for end in ("low", "high"))
    time = look_up_one(claim, context, hours)
    length = time.value / 60
    own_low, own_high = own_range(claim, context)
    return upheld(
        own_low <= length * high and length * low <= own_high,
        f"At the {shown(low)} to {shown(high)} dollars an hour that {place(other)}, imply, the "
        f"longest study, {shown(length)} h, cost {shown(length * low)} to "
        f"{shown(length * high)} dollars, not {span((own_low, own_high))}.",
        rows=(price_of, *rows_of([time])),
    )


@check
def price_is_assumed(claim: Claim, context: Context) -> Finding:
    """What an hour must cost for the printed dollars: not testable, since no price is printed."""
    low, high = own_range(claim, context)
    length = claim.number("hours")
    return found(
        NOT_TESTABLE,
        f"{as_printed(length)} hours cost {span((low, high))} dollars at "
        f"{span((low / length, high / length), shown)} dollars an hour; the document names no "
        "price.",
    )


@check
def share_of_few(claim: Claim, context: Context, *, successes: int, of: int) -> Finding:
    """Whether a share of a few cases can stand for a probability: inconclusive where it is wide.

    The exact 95 % interval (Clopper & Pearson 1934, by scipy) must reach no further than
    ten points of percent to both sides, and hold the printed share, else contradicted. It
    would take a sample of independent cases, too.
    """
    stated = claim.number("share")
    low, high = exact_interval(successes, of)
    said = (
        f"{successes} of {of} are {100 * successes / of:.0f}%, printed {as_printed(stated)}; "
        f"the exact 95% interval is {low:.0f} to {high:.0f}%"
    )
    if not low <= stated <= high:
        return found(CONTRADICTED, f"{said}.")
    if max(stated - low, high - stated) <= 100 * USEFUL_SHARE:
        return found(SUPPORTED, f"{said}.")
    needed = _cases_needed(stated / 100)
    return found(
        INCONCLUSIVE,
        f"{said}.",
        settles=f"about {needed} architectures, not {of}, chosen at random",
    )


def exact_interval(successes: int, of: int) -> tuple[float, float]:
    """The exact 95% interval of a share, in percent (Clopper & Pearson 1934)."""
    bounds = scipy.stats.binomtest(successes, of).proportion_ci()
    return 100 * bounds.low, 100 * bounds.high


def _cases_needed(share: float) -> int:
    """Fewest cases whose exact interval reaches at most USEFUL_SHARE to both sides of a share."""
    n = np.arange(5, 2000)
    successes = np.round(share * n)
    # The interval of `binomtest`, for many numbers of cases at once.
    low = scipy.stats.beta.ppf(0.025, successes, n - successes + 1)
    high = scipy.stats.beta.ppf(0.975, successes + 1, n - successes)
    reach = np.maximum(share - np.nan_to_num(low), np.nan_to_num(high, nan=1.0) - share)
    return int(n[np.argmax(reach <= USEFUL_SHARE)])
