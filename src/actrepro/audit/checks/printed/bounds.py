"""What bounds forbid of printed numbers: accuracies by losses, differences by accuracies.

A number beyond its bound is impossible. A definition that numbers under it do not keep to
is contradicted. A bound that excludes nothing supports nothing: a row without other checks
is then not testable.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    IMPOSSIBLE,
    NOT_TESTABLE,
    SUPPORTED,
    Finding,
    found,
    upheld,
)
from actrepro.audit.printed import (
    EXACT,
    Reference,
    all_printed,
    are_printed,
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
from actrepro.core.formats import listed
from actrepro.measures import certificate, churn_range

# Of the documents' windows; and how many runs a printed mean stands for.
POSITIONS = 256
RUNS = 3
# Where the master report defines the prediction difference.
DEFINED = "S0, lines 875-879"
# The checks of this module that may find their bound to be empty.
MAY_BE_EMPTY = ("certificate_holds", "churn_bound", "is_share")


def _empty(claim: Claim, says: str, rows: tuple[str, ...]) -> Finding:
    """A bound that excludes nothing, which leaves the row to its other checks."""
    others = {call.get("check") for call in claim.checks} - set(MAY_BE_EMPTY)
    return found(SUPPORTED if others else NOT_TESTABLE, says, rows=rows)


@check
def certificate_holds(
    claim: Claim, context: Context, *, loss: Reference, accuracy: Reference
) -> Finding:
    """Whether a mean loss in nats allows an accuracy in percent on the same positions.

    A wrong prediction costs ln 2 at the least: accuracy ≥ 1 − loss / ln 2
    (`measures.certificate`), else impossible. Of an accuracy's range the higher end counts.
    What the loss would be if all of it came from one of `POSITIONS` positions is told.
    """
    stated, percents = look_up_one(claim, context, loss), look_up(claim, context, accuracy)
    least = 100 * certificate(stated.value)
    rows = rows_of([stated, percents])
    told = as_printed(stated.value)
    if least <= 0:
        says = f"A loss of {told} nats is above ln 2 and allows any accuracy: the bound is empty."
        return _empty(claim, says, rows)
    if percents.high >= least - EXACT:
        says = f"A loss of {told} nats allows {percents.told()}% right: {least:.1f}% or more."
        return found(SUPPORTED, says, rows=rows)
    fewest = (1 - percents.high / 100) * math.log(2)
    says = (
        f"A loss of {told} nats needs {least:.1f}% right on the same positions; "
        f"{percents.told()}% is printed and allows no loss below {fewest:.3f}. "
        f"{POSITIONS} × {told} = "
        f"{POSITIONS * stated.value:.2f} nats is an ordinary loss at the last of {POSITIONS} "
        "positions alone."
    )
    return found(IMPOSSIBLE, says, rows=rows)


@check
def loss_fits_accuracy(
    claim: Claim, context: Context, *, cells: Mapping[Reference, Reference]
) -> Finding:
    """Whether accuracies can be over a random sample of what the losses are over.

    Contradicted where an accuracy is lower than its loss allows (`measures.certificate`).
    `cells` names for each loss its accuracy in percent.
    """
    broken, parts = [], []
    for loss, accuracy in cells.items():
        nats, percent = (look_up_one(claim, context, one) for one in (loss, accuracy))
        least = certificate(nats.value)
        if percent.value + percent.half < 100 * least:
            broken += [nats, percent]
            parts.append(
                f"a loss of {as_printed(nats.value)} needs {least:.1%} right, "
                f"{as_printed(percent.value)}% is printed"
            )
    return upheld(
        not broken,
        f"On the same positions {'; '.join(parts)}: loss and accuracy are of different ones."
        if broken
        else "No printed accuracy is below what its loss needs.",
        rows=rows_of(broken or joined(claim, context, cells)),
    )


@check
def churn_bound(
    claim: Claim,
    context: Context,
    *,
    accuracies: Reference,
    together: bool = False,
    digits: int = 1,
    printed: str = "value",
) -> Finding:
    """Whether runs so often right, in percent, can differ on so large a share of the examples.

    The premise is the documents' own: the prediction difference is the share of predictions
    that differ on the same examples (`DEFINED`).
    Two runs agree where both are right: they differ on at most
    1 − max(0, a₁ + a₂ − 1) (`measures.churn_range`), averaged over pairs of runs. With
    `together`, M runs that saw the same examples: with S = Σ aₘ, k = ⌊S⌋ and f = S − k,
    pairs agree on [k(k − 1) + 2kf] / [M(M − 1)] at the least, since the number right on
    an example has the mean S and C(·, 2) is convex. More is impossible.

    Parameters
    ----------
    accuracies
        The runs' accuracies, or their mean, which then stands for `RUNS`.
    digits
        Of the printed accuracies: half a unit of the last is allowed for.
    """
    percents = look_up(claim, context, accuracies, digits)
    stated = look_up_one(claim, context, printed)
    rows = rows_of([stated, percents])
    if stated.value > 1:
        return found(IMPOSSIBLE, _above_one(stated.values), rows=rows)
    each = percents.values if len(percents.values) > 1 else percents.values * RUNS
    right = [min(1.0, max(0.0, one / 100 - percents.half / 100)) for one in each]
    most = _most_together(right) if together else _most_in_pairs(right)
    several = "" if len(percents.values) > 1 else " each"
    runs = f"Of {_count(len(each))} runs with {all_printed(percents.values)}% right{several}"
    if most >= 1:
        says = f"{runs}, two may differ on every example: the bound is empty."
        return _empty(claim, says, rows)
    said = (
        f"{runs}, two differ on at most {100 * most:.1f}% of the same examples, on average over "
        f"pairs; read as the share of predictions that differ ({DEFINED}), "
        f"{100 * stated.value:.1f}% is printed."
    )
    return upheld(stated.value <= most + EXACT, said, otherwise=IMPOSSIBLE, rows=rows)


def _count(runs: int) -> str:
    return {2: "two", 3: "three", 4: "four", 5: "five"}.get(runs, str(runs))


def _most_in_pairs(right: Sequence[float]) -> float:
    return fmean(churn_range(a, b)[1] for a, b in itertools.combinations(right, 2))


def _most_together(right: Sequence[float]) -> float:
    models, total = len(right), math.fsum(right)
    whole = math.floor(total)
    part = total - whole
    return 1 - (whole * (whole - 1) + 2 * whole * part) / (models * (models - 1))


def _above_one(values: Sequence[float]) -> str:
    return (
        f"S0 (lines 875-879) gives prediction differences the range 0 to 1; {are_printed(values)}."
    )


@check
def differences_are_shares(
    claim: Claim, context: Context, *, cells: Mapping[Reference, Reference]
) -> Finding:
    """Whether printed prediction differences can be shares of predictions that differ.

    Contradicted where one is above the bound of `churn_bound` for pairs. `cells` names for
    each difference its runs' accuracies in percent.
    """
    above, parts = [], []
    for difference, accuracies in cells.items():
        stated = look_up_one(claim, context, difference)
        percents = look_up(claim, context, accuracies)
        most = _most_in_pairs([percent / 100 for percent in percents.values])
        if stated.value > most + stated.half:
            above += [stated, percents]
            parts.append(f"{stated.value:.4f} where {most:.4f} is the most ({stated.row})")
    all_of_them = [one for cell in cells.items() for one in joined(claim, context, cell)]
    return upheld(
        not above,
        f"As a share of predictions, the accuracies allow less than is printed: {'; '.join(parts)}."
        if above
        else f"The accuracies allow all {len(cells)} printed numbers as shares.",
        rows=rows_of(above or all_of_them),
    )


@check
def is_share(claim: Claim, context: Context, *, of: Sequence[Reference] = ("value",)) -> Finding:
    """Whether prediction differences, said to be shares of predictions, are at most 1.

    Else impossible. `of` names what the number is made of, where it is no difference itself.
    """
    parts = joined(claim, context, of)
    values, rows = values_of(parts), rows_of(parts)
    above = [value for value in values if value > 1]
    if not above:
        lie = "lies" if len(values) == 1 else "lie"
        says = f"{all_printed(values)} {lie} between 0 and 1, which is all that this bound asks."
        return _empty(claim, says, rows)
    return found(IMPOSSIBLE, _above_one(above), rows=rows)


@check
def average_of_shares(
    claim: Claim,
    context: Context,
    *,
    known: Reference,
    models: Sequence[int],
    printed: str = "value",
) -> Finding:
    """Whether an average prediction difference leaves the other models at most 1 each.

    Impossible when it does not with any of the numbers of models.

    Parameters
    ----------
    known
        One of the averaged numbers.
    models
        How many models the average may be over.
    """
    one, stated = (look_up_one(claim, context, name) for name in (known, printed))
    rows = rows_of([one])
    if stated.value > 1:
        return found(IMPOSSIBLE, _above_one(stated.values), rows=rows)
    rest = {n: (n * stated.value - one.value) / (n - 1) for n in models}
    told = listed([f"{x:.3f} ({n} models)" for n, x in rest.items()])
    said = f"With {as_printed(one.value)} of one model, the others average {told}"
    if one.value <= 1 and min(rest.values()) <= 1:
        return found(SUPPORTED, f"{said}.", rows=rows)
    above = as_printed(one.value) if one.value > 1 else "what is left"
    says = f"{said}; {above} is above 1, and prediction differences go from 0 to 1 ({DEFINED})."
    return found(IMPOSSIBLE, says, rows=rows)


@check
def share_of_counts(
    claim: Claim,
    context: Context,
    *,
    counts: Sequence[Reference],
    of: float,
    shares: Sequence[Reference] = ("value",),
    within: float | None = None,
) -> Finding:
    """Whether printed shares are their own counts divided by `of`, else contradicted.

    The document's formula is disagreements over predictions, and it prints both; `shares`
    and `counts` are in pairs. `within` is the largest distance, by default rounding.
    """
    stated, counted = joined(claim, context, shares), joined(claim, context, counts)
    follow = [count.value / of for count in counted]
    agrees = all(
        abs(share - one.value) <= (one.half if within is None else within) + EXACT
        for share, one in zip(follow, stated, strict=True)
    )
    times = [one.value / share for one, share in zip(stated, follow, strict=True)]
    apart = "" if agrees else f", {span(times, lambda x: f'{x:.2f}')} times as much"
    return upheld(
        agrees,
        f"{all_printed(values_of(counted))} of {shown(of)} are {listed(list(map(shown, follow)))}; "
        f"{are_printed(values_of(stated))}{apart}.",
        rows=rows_of([*stated, *counted]),
    )
