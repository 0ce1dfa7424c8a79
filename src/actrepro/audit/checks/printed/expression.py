"""Expressions over the printed numbers of a claim: equal, at most, and in order.

Names in an expression are keys of the claim's printed numbers, or of `of`, which names other
numbers: those of another row (`row` or `row.key`), of `facts.json` (`facts.corpus.symbols`),
of a control (`control.no_dropout.rise` with its mistake, `honest.no_dropout.rise`
without), or of own runs: `cells.MEASURE` for each of the claim's activations, and
`cells.SCALE/MODEL.MEASURE` or `cells.SCALE/MODEL/ACTIVATION.MEASURE` for other cells;
`whole.loss` for their losses on the whole validation text; and `stats.KEYS` or
`stats.SCALE/MODEL:KEYS` for entries of `stats.json`. KEYS have slashes between them: `*` is
each of the claim's activations, `name=value` each entry of a list that has this value, and
of `a|b` the first that is there counts. A list of references is a list of numbers.

Two numbers agree where rounding explains their distance: half a unit of the last printed
digit of each. Where the table gives a tolerance (`within`), that counts instead.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from actrepro.audit.checks.measured.artefacts import undecided
from actrepro.audit.claims import Claim
from actrepro.audit.compared import cell, own_results, place_of, usable, whole_loss
from actrepro.audit.expressions import Expression, Value, flat, lifted
from actrepro.audit.findings import (
    ARTEFACT,
    CONTRADICTED,
    IMPOSSIBLE,
    SUPPORTED,
    Finding,
    MissingError,
    Number,
    found,
)
from actrepro.audit.printed import (
    EXACT,
    Printed,
    Reference,
    as_printed,
    look_up,
    rows_of,
    shown,
    span,
)
from actrepro.audit.registry import Context, check
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed

References = Mapping[str, Reference | Sequence[Reference]]
Digits = int | Mapping[str, int] | None
Order = Sequence[Sequence[str]]
UNDECIDED = "undecided"
# The pairs that break an order and are listed.
MOST_LISTED = 3
# The measured numbers of one name that are written out.
MOST_WRITTEN = 6
# In a reference to `stats.json`: each of the claim's activations.
EACH = "*"
# An expression within a sentence.
_EMBEDDED = re.compile(r"\{(.+?)\}")


# The values that a reference stands for, and the numbers that they are made of.
Found = tuple[list[float], list[Number]]


def _as_they_are(numbers: list[Number]) -> Found:
    return [one.value for one in numbers], numbers


def _fact(claim: Claim, context: Context, key: str) -> Found:
    return _as_they_are([context.results.number_of_facts(*key.split("."))])


def _side(claim: Claim, context: Context, key: str, side: str) -> Found:
    control, _, quantity = key.partition(".")
    if control not in context.results.controls:
        raise MissingError(context.results.without_control(control))
    number = context.results.control(control, quantity, side)
    if number is None:
        says = f"Undefined in control {control}: {quantity}."
        raise MissingError(undecided(claim, context, says))
    return _as_they_are([number])


def _cells(claim: Claim, context: Context, key: str) -> Found:
    place, slash, rest = key.rpartition("/")
    name, _, measure = rest.partition(".") if slash else ("", "", key)
    where = cell(claim, f"{place}/{name}" if slash else claim.model or "")
    names = where.activations or claim.activations
    model = context.results.having(*where.place, names)
    numbers = [usable(context, where.place, name, model.number(name, measure)) for name in names]
    return _as_they_are(numbers)


def _whole(claim: Claim, context: Context, key: str) -> Found:
    own_results(claim, context, claim.activations)
    losses = [whole_loss(context, place_of(claim), name) for name in claim.activations]
    numbers = [one for _, test, selection in losses for one in (test, *selection)]
    return [value for value, _, _ in losses], numbers


def _stats(claim: Claim, context: Context, key: str) -> Found:
    place, _, path = key.rpartition(":")
    where = cell(claim, place or claim.model or "")
    model = context.results.having(*where.place, where.activations)
    keys = path.split("/")
    entries = list(_entries(model.stats, keys, where.activations or model.activations))
    known = [(key, entry) for key, entry in entries if entry is not None]
    if not known or (EACH in keys and len(known) < len(entries)):
        raise MissingError(context.results.without(*where.place, why=f"it does not have {path}"))
    return _as_they_are([_number(entry, model.file, key) for key, entry in known])


def _entries(value: Any, keys: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield what keys lead to in nested results, each entry with its own key."""
    if not keys or value is None:
        yield "", value
        return
    first, rest = keys[0], keys[1:]
    for place, entry in _step(value, first, names):
        for key, found_ in _entries(entry, rest, names):
            yield f"{place}.{key}".rstrip("."), found_


def _step(value: Any, key: str, names: Sequence[str]) -> Iterator[tuple[str | int, Any]]:
    name, equals_, wanted = key.partition("=")
    if equals_:
        for place, entry in enumerate(value):
            if entry[name] == wanted and entry.get("activation", names[0]) in names:
                yield place, entry
    elif key == EACH:
        yield from ((name, value[name]) for name in names)
    else:
        known = next((one for one in key.split("|") if value.get(one) is not None), key)
        yield known, value.get(known)


def _number(entry: Any, file: str, key: str) -> Number:
    if not isinstance(entry, Mapping):
        return Number(float(entry), file, key)
    low, high = entry["interval"] or (None, None)
    return Number(entry["value"], file, key, n=entry["n"], low=low, high=high)


# Where numbers of results are found, by the first word of a reference to them.
_SOURCES: Mapping[str, Callable[[Claim, Context, str], Found]] = {
    "facts": _fact,
    "control": partial(_side, side="control"),
    "honest": partial(_side, side="honest"),
    "cells": _cells,
    "whole": _whole,
    "stats": _stats,
}


def _written(part: Printed) -> list[str]:
    """Write numbers that a name stands for; of many measured ones, the least and the greatest."""
    if part.half:
        return [as_printed(value) for value in part.values]
    if len(part.values) > MOST_WRITTEN:
        return [span(part.values, shown)]
    return [shown(value) for value in part.values]


@dataclass
class Numbers:
    """The numbers behind the names of a check, looked up on first use."""

    claim: Claim
    context: Context
    of: References
    digits: Digits = None
    parts: dict[str, list[Printed]] = field(default_factory=dict)
    measured: list[Number] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self.of:
            self._find(name)

    def expression(self, text: str | float) -> Expression:
        """Parse an expression, and find the numbers that it names."""
        expression = Expression(text, self.claim.id)
        for name in expression.names:
            self._find(name)
        return expression

    def _find(self, name: str) -> None:
        if name in self.parts:
            return
        reference = self.of.get(name, name)
        several = [reference] if isinstance(reference, str | int | float) else reference
        self.parts[name] = [self._one(name, one) for one in several]

    def _one(self, name: str, reference: Reference) -> Printed:
        source, _, key = str(reference).partition(".")
        if key and source in _SOURCES:
            values, numbers = _SOURCES[source](self.claim, self.context, key)
            self.measured += numbers
            return Printed(tuple(values), 0.0)
        digits = self.digits.get(name) if isinstance(self.digits, Mapping) else self.digits
        return look_up(self.claim, self.context, reference, digits)

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that numbers are from."""
        return rows_of(itertools.chain.from_iterable(self.parts.values()))

    def values(self, moved: Mapping[tuple[str, int, int], float] | None = None) -> dict[str, Value]:
        """Return each name's value, with some of the numbers moved."""
        moved = moved or {}

        def value(name: str, place: int, part: Printed) -> Value:
            numbers = tuple(
                one + moved.get((name, place, index), 0.0) for index, one in enumerate(part.values)
            )
            return numbers if len(numbers) > 1 else numbers[0]

        made = {}
        for name, parts in self.parts.items():
            each = tuple(value(name, place, part) for place, part in enumerate(parts))
            made[name] = each if len(each) > 1 else each[0]
        return made

    def halves(self) -> Iterator[tuple[tuple[str, int, int], float]]:
        """Yield each number's place, and how far rounding may have moved it."""
        for name, parts in self.parts.items():
            for place, part in enumerate(parts):
                for index in range(len(part.values)):
                    if part.half:
                        yield (name, place, index), part.half

    def words(self) -> dict[str, list[str]]:
        """Return each name's numbers, as sentences write them."""
        return {
            name: [word for part in parts for word in _written(part)]
            for name, parts in self.parts.items()
        }

    def written(self, expression: Expression) -> str:
        """Return an expression with its numbers."""
        return expression.written({name: ", ".join(one) for name, one in self.words().items()})

    def difference(self, a: Expression, b: Expression) -> tuple[list[float], list[float]]:
        """Return a − b, element by element, and how far rounding of every number can move it.

        To first order, which is close for numbers of three digits and exact for sums.
        """

        def minus(moved: Mapping[tuple[str, int, int], float] | None = None) -> list[float]:
            values = self.values(moved)
            left, right = a.value(values), b.value(values)
            try:
                return list(flat(lifted(operator.sub, left, right)))
            except ValueError as error:
                raise ActreproError(
                    f"claim {self.claim.id}: '{a.text}' and '{b.text}': {error}"
                ) from None

        centre = minus()
        slack = [0.0] * len(centre)
        for place, half in self.halves():
            up, down = minus({place: half}), minus({place: -half})
            for index, middle in enumerate(centre):
                slack[index] += max(abs(up[index] - middle), abs(down[index] - middle))
        return centre, slack

    def filled(self, text: str) -> str:
        """Return a sentence with the values of the expressions that it has in braces."""

        def value(match: re.Match[str]) -> str:
            found = self.expression(match[1]).value(self.values())
            return listed([shown(one) for one in flat(found)])

        return _EMBEDDED.sub(value, text)

    def said(self, expression: Expression) -> str:
        """Return an expression with its numbers, and what it comes to."""
        if expression.text in self.parts:
            return listed(self.words()[expression.text])
        written = self.written(expression)
        values = list(flat(expression.value(self.values())))
        if written == ", ".join(map(as_printed, values)):
            return written
        return f"{written} = {listed([shown(one) for one in values])}"


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
