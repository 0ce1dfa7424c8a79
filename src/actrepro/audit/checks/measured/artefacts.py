"""Printed numbers compared with controls, each of which makes one known mistake on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import Claim
from actrepro.audit.compared import undecided
from actrepro.audit.findings import (
    ARTEFACT,
    CONTRADICTED,
    SUPPORTED,
    Finding,
    MissingError,
    Number,
    found,
)
from actrepro.audit.printed import (
    EXACT,
    Reference,
    as_printed,
    joined,
    look_up_one,
    measured,
    rows_of,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.results import Sides
from actrepro.audit.words import called
from actrepro.core import paths
from actrepro.core.formats import counted, listed

UNPAIRED = "unpaired"
# The percentage points that a table may be from a printed accuracy, or outside its range.
POINTS = 2.0


@check
def reproduced_by(
    claim: Claim,
    context: Context,
    *,
    control: str,
    quantity: str,
    within: float,
    printed: str = "value",
    factor: float = 1.0,
    same_protocol: bool = False,
) -> Finding:
    """Compare a printed number with a control's, and with the honest number beside it.

    It is an artefact where only the control's is near; where the honest one is, supported.

    Parameters
    ----------
    control, quantity
        A control's file, and which of its numbers.
    within
        The largest distance, in the control's unit, that still counts as reproduced.
    factor
        Times the printed number is the control's unit: 0.01 from percent to a share.
    same_protocol
        True if the control repeats the earlier study's runs: then a number that neither
        side gives is contradicted. Otherwise other runs must decide.
    """
    stated = look_up_one(claim, context, printed)
    value, rows = stated.value * factor, rows_of([stated])
    wrong, honest = sides_of(claim, context, control, quantity)[0]
    what = context.results.controls[control]["numbers"][quantity]["what"]
    told = (
        f"{what[0].upper()}{what[1:]}: {_told(wrong)} in control {control}, {_told(honest)} "
        f"without its mistake; {as_printed(value)} is printed."
    )
    if _near(honest, value, within):
        return found(SUPPORTED, told, wrong, honest, rows=rows)
    if _near(wrong, value, within):
        return found(ARTEFACT, told, wrong, honest, rows=rows)
    if same_protocol:
        return found(CONTRADICTED, f"{told} Neither is near.", wrong, honest, rows=rows)
    return undecided(claim, context, f"{told} The control gives another number.", wrong, honest)


@check
def reproduced_by_ladder(
    claim: Claim,
    context: Context,
    *,
    accuracy: Reference,
    within: float,
    printed: str = "value",
) -> Finding:
    """Compare a printed difference with that of an equally accurate n-gram table from itself.

    Such a table has no seed, so its true difference is 0; scored on other text, it differs
    from itself. An artefact where one table is as accurate as printed and differs from
    itself by what is printed. A printed difference that only lies between those of two
    tables is not reproduced: other runs must tell.

    Parameters
    ----------
    accuracy
        In percent; a range counts with both ends.
    within
        The largest distance of the table's difference from the printed one, or from
        either end of a printed range.
    """
    _require(context, UNPAIRED)
    stated, right = joined(claim, context, (printed, accuracy))
    ladder = context.results.controls[UNPAIRED]["ladder"]
    rows = rows_of([stated, right])
    alike = [
        place
        for place, step in enumerate(ladder)
        if right.low - POINTS <= 100 * step["accuracy"] <= right.high + POINTS
        and step["tv"] - within - EXACT <= stated.low
        and stated.high <= step["tv"] + within + EXACT
    ]
    said = f"{stated.told()} is printed at {right.told()}% right"
    if alike:
        told, numbers = _steps(ladder, alike)
        return found(ARTEFACT, f"{told}; {said}.", *numbers, rows=rows)
    beside = _bracket(ladder, right.low / 100, right.high / 100)
    if beside is None:
        ends = [100 * step["accuracy"] for step in ladder]
        why = f"The n-gram tables are {min(ends):.1f} to {max(ends):.1f}% right, and {said}"
        return undecided(claim, context, f"{why}, so no table reproduces it.")
    told, numbers = _steps(ladder, beside)
    low, high = sorted(number.value for number in numbers)
    between = low <= stated.low and stated.high <= high
    why = "To lie between two tables is no reproduction" if between else "No table reproduces it"
    return undecided(claim, context, f"{told}; {said}. {why}.", *numbers)


def _steps(
    ladder: Sequence[Mapping[str, Any]], places: Sequence[int]
) -> tuple[str, tuple[Number, ...]]:
    """Describe some tables of the ladder, in a sentence without its end."""
    file = paths.at(audit_paths.CONTROL, control=UNPAIRED)
    numbers = tuple(Number(ladder[place]["tv"], file, f"ladder.{place}.tv") for place in places)
    steps = [ladder[place] for place in places]
    orders = listed([str(step["order"]) for step in steps])
    right = listed([f"{100 * step['accuracy']:.1f}" for step in steps])
    differences = listed([f"{number.value:.3f}" for number in numbers])
    one = len(steps) == 1
    context = "character" if steps[-1]["order"] == 1 else "characters"
    told = (
        f"{'A table' if one else 'Tables'} of {orders} {context} of context "
        f"{'is' if one else 'are'} {right}% right and {'differs' if one else 'differ'} from "
        f"{'itself' if one else 'themselves'} by {differences} when scored on unrelated text, by 0 "
        "on the same"
    )
    return told, numbers


def sides_of(claim: Claim, context: Context, control: str, *quantities: str) -> list[Sides]:
    """Return a control's numbers.

    Raises
    ------
    MissingError
        When it was not run, or one of them is undefined, as kappa of predictions that
        never change.
    """
    _require(context, control)
    pairs = []
    for quantity in quantities:
        sides = context.results.sides(control, quantity)
        if sides is None:
            what = context.results.controls[control]["numbers"][quantity]["what"]
            says = f"Undefined in control {control}: {what}."
            raise MissingError(undecided(claim, context, says))
        pairs.append(sides)
    return pairs


def _require(context: Context, control: str) -> None:
    if control not in context.results.controls:
        raise MissingError(context.results.without_control(control))


def control_told(context: Context, control: str, but: str = "") -> str:
    """Describe the model of a control: `a CharLM of 1 layer × 128, trained for …`.

    `but` is said after the model's name.
    """
    about = context.results.controls[control]["about"]
    protocol = about["protocol"]
    told = f"a {called(about['model'])}{but} of {counted(protocol['layers'], 'layer')} × "
    told += f"{protocol['width']}, trained for {counted(protocol['iterations'], 'step')}"
    characters = protocol["train_characters"]
    return told if characters is None else f"{told} on {characters:,} characters of training text"


def _near(number: Number, value: float, within: float) -> bool:
    return abs(number.value - value) <= within + EXACT


def _told(number: Number) -> str:
    """Write a control's number, with the range of its runs, pairs or draws where it has one."""
    if number.low is None or number.high is None or number.low == number.high:
        return measured(number.value)
    ends = f"{measured(number.low)} to {measured(number.high)}"
    return f"{measured(number.value)} ({ends}, least to greatest)"


def _bracket(
    ladder: Sequence[Mapping[str, Any]], low: float, high: float
) -> tuple[int, int] | None:
    """Places of the best table that is at most `low` right, and the worst at least `high`."""
    right = [step["accuracy"] for step in ladder]
    below = [place for place, x in enumerate(right) if x <= low]
    above = [place for place, x in enumerate(right) if x >= high]
    if not below or not above:
        return None
    return max(below, key=right.__getitem__), min(above, key=right.__getitem__)
