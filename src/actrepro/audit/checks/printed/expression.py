"""Expressions over the printed numbers of a claim: equal, at most, and in order.

`audit.references` says what names in an expression stand for. Two numbers agree where
rounding explains their distance: half a unit of the last printed digit of each. Where the
table gives a tolerance (`within`), that counts instead.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from actrepro.audit.claims import Claim
from actrepro.audit.compared import undecided
from actrepro.audit.expressions import Expression, flat, lifted
from actrepro.audit.findings import ARTEFACT, CONTRADICTED, IMPOSSIBLE, SUPPORTED, Finding, found
from actrepro.audit.printed import EXACT, Printed, look_up, rows_of
from actrepro.audit.references import Digits, Numbers, References
from actrepro.audit.registry import Context, check
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed

Order = Sequence[Sequence[str]]
UNDECIDED = "undecided"
# The pairs that break an order and are listed.
MOST_LISTED = 3


def _allowed(numbers: Numbers, within: str | float | None) -> float | None:
    """Return the tolerance that the table gives, which may be an expression too."""
    if within is None:
        return None
    return float(numbers.expression(within).value(numbers.values()))


def _finding(
    numbers: Numbers, holds: bool, says: str, otherwise: str, note: str, settles: str = ""
) -> Finding:
    verdict = SUPPORTED if holds else otherwise
    says = f"{says}. {numbers.filled(note)}".rstrip()
    remedy = "" if holds else numbers.filled(settles)
    return found(verdict, says, *numbers.measured, settles=remedy, rows=numbers.rows)


@check
def equals(
    claim: Claim,
    context: Context,
    *,
    is_: str | float | Sequence[str | float],
    printed: str | float = "value",
    of: References | None = None,
    digits: Digits = None,
    within: str | float | None = None,
    factor: float | None = None,
    otherwise: str = IMPOSSIBLE,
    note: str = "",
) -> Finding:
    """Compare a printed number with an expression, or with several, one of which must give it.

    Parameters
    ----------
    is_
        The expression (`is` in the table), or several, one of which must give the number.
    printed
        The printed number, an expression too.
    of
        References of names in the expressions, besides the claim's own printed numbers.
    digits
        Digits behind the point, of all numbers or by name, where YAML has dropped zeros.
    within
        The largest distance, in place of what rounding explains.
    factor
        By how much one number may be a multiple of the other, in place of a distance.
    otherwise
        The verdict where they differ.
    note
        A sentence that is added to the evidence, with expressions in braces.
    """
    numbers = Numbers(claim, context, of or {}, digits)
    stated = numbers.expression(printed)
    ways = [is_] if isinstance(is_, str | int | float) else list(is_)
    expressions = [numbers.expression(way) for way in ways]
    allowed = _allowed(numbers, within)
    fits = [_agree(numbers, one, stated, allowed, factor) for one in expressions]
    said = "; ".join(numbers.said(one) for one in expressions)
    says = f"{said}; {numbers.said(stated)} {_verb(numbers, stated)} printed"
    return _finding(numbers, any(fits), says, otherwise, note)


def _verb(numbers: Numbers, stated: Expression) -> str:
    return "is" if len(list(flat(stated.value(numbers.values())))) == 1 else "are"


def _agree(
    numbers: Numbers,
    expression: Expression,
    stated: Expression,
    within: float | None,
    factor: float | None,
) -> bool:
    if factor is not None:
        values = numbers.values()
        ratios = lifted(lambda a, b: a / b, expression.value(values), stated.value(values))
        return all(1 / factor <= one <= factor for one in flat(ratios))
    centre, slack = numbers.difference(expression, stated)
    return all(
        abs(one) <= (room if within is None else within) + EXACT
        for one, room in zip(centre, slack, strict=True)
    )


@check
def at_most(
    claim: Claim,
    context: Context,
    *,
    printed: str | float = "value",
    most: str | float | None = None,
    least: str | float | None = None,
    of: References | None = None,
    digits: Digits = None,
    within: str | float | None = None,
    otherwise: str = IMPOSSIBLE,
    settles: str = "",
    note: str = "",
) -> Finding:
    """Compare a printed number with bounds that expressions give.

    A list must keep to the bounds with every number. `most` or `least` is needed, and
    `settles` says what would settle what is otherwise inconclusive; the other
    parameters are those of `equals`.

    Raises
    ------
    ActreproError
        When neither bound is given.
    """
    if most is None and least is None:
        raise ActreproError(f"claim {claim.id}: at_most needs most, least, or both; found neither")
    numbers = Numbers(claim, context, of or {}, digits)
    stated = numbers.expression(printed)
    bounds = [
        (sign, numbers.expression(bound))
        for sign, bound in ((1, most), (-1, least))
        if bound is not None
    ]
    allowed = _allowed(numbers, within)
    holds = True
    for sign, bound in bounds:
        centre, slack = numbers.difference(stated, bound)
        room = slack if allowed is None else [allowed] * len(centre)
        holds &= all(sign * a <= b + EXACT for a, b in zip(centre, room, strict=True))
    words = [f"{'most' if sign > 0 else 'least'} {numbers.said(bound)}" for sign, bound in bounds]
    says = f"{numbers.said(stated)}, where it may be at {' and at '.join(words)}"
    return _finding(numbers, holds, says, otherwise, note, settles)


@check
def artefact_where(
    claim: Claim,
    context: Context,
    *,
    that: str,
    of: References,
    otherwise: str = UNDECIDED,
    note: str = "",
) -> Finding:
    """Compare a control's numbers with printed ones: an artefact where the comparison holds.

    Parameters
    ----------
    that
        A comparison, such as `honest < unigram < min(wrong, value)`.
    of
        The numbers of controls and other rows in it.
    otherwise
        The verdict where it does not hold. *undecided* leaves it to the row's own runs.
    """
    numbers = Numbers(claim, context, of)
    comparison = numbers.expression(that)
    holds = bool(comparison.value(numbers.values()))
    says = f"{note} {numbers.written(comparison)}: this {'holds' if holds else 'fails'}."
    says = says.strip()
    if holds or otherwise != UNDECIDED:
        verdict = ARTEFACT if holds else otherwise
        return found(verdict, says, *numbers.measured, rows=numbers.rows)
    return undecided(claim, context, says, *numbers.measured)


def stated_pairs(claim: Claim, order: Order) -> list[tuple[str, str]]:
    """Return what an order states: each of a group is below each of every later group.

    Raises
    ------
    ActreproError
        When the order has fewer than two groups, or an empty one.
    """
    if len(order) < 2 or not all(order):
        raise ActreproError(
            f"claim {claim.id}: an order is two or more groups of names, the lowest first, "
            f"found {list(order)!r}"
        )
    couples = itertools.combinations(order, 2)
    return [pair for below, above in couples for pair in itertools.product(below, above)]


@check
def in_order(
    claim: Claim, context: Context, *, order: Order, printed: str = "", what: str = "numbers"
) -> Finding:
    """Compare printed numbers with a stated order: supported if they keep it, else contradicted.

    Where a name stands for several numbers, a range or runs, the order must hold for all.

    Parameters
    ----------
    order
        Groups of references, the lowest group first; no order is stated within a group.
    printed
        The key that is meant wherever a reference is just a row.
    what
        A word for the numbers, for the sentence.
    """
    names = [name for group in order for name in group]
    numbers = {name: named(claim, context, name, printed) for name in names}
    wrong: dict[str, list[str]] = {}
    for a, b in stated_pairs(claim, order):
        if numbers[a].high >= numbers[b].low - EXACT:
            wrong.setdefault(b, []).append(a)
    labels = apart(names)
    told = {name: f"{labels[name]} {one.told()}" for name, one in numbers.items()}
    rows = rows_of(numbers.values())
    if wrong:
        says = [
            f"{listed([told[a] for a in some])} not below {told[b]}" for b, some in wrong.items()
        ]
        rest = ["others likewise"] if len(says) > MOST_LISTED else []
        says = [*says[:MOST_LISTED], *rest]
        return found(CONTRADICTED, f"Printed {what}: {'; '.join(says)}.", rows=rows)
    groups = (listed([told[name] for name in group]) for group in order)
    return found(SUPPORTED, f"Printed {what}, as claimed: {' < '.join(groups)}.", rows=rows)


def named(claim: Claim, context: Context, name: str, key: str = "") -> Printed:
    """Return printed numbers by name, with the key that is meant where it is just a row."""
    just_a_row = "." not in name and name not in claim.printed
    return look_up(claim, context, f"{name}.{key}" if key and just_a_row else name)


def apart(names: Sequence[str]) -> dict[str, str]:
    """Return each name without the words that all of them begin or end with."""
    words = [re.split(r"[-.]", name) for name in names]
    fewest = min(map(len, words))
    front = next((n for n in range(fewest) if len({one[n] for one in words}) > 1), 0)
    back = next((n for n in range(fewest - front) if len({one[-1 - n] for one in words}) > 1), 0)
    short = ["-".join(one[front : len(one) - back]) for one in words]
    return dict(zip(names, short if all(short) else names, strict=True))
