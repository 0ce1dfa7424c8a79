"""The numbers that names in an expression stand for.

Names are keys of the claim's printed numbers, or of `of`, which names other
numbers: those of another row (`row` or `row.key`), of `facts.json` (`facts.corpus.symbols`),
of a control (`control.no_dropout.rise` with its mistake, `honest.no_dropout.rise`
without), or of own runs: `cells.MEASURE` for each of the claim's activations, and
`cells.SCALE/MODEL.MEASURE` or `cells.SCALE/MODEL/ACTIVATION.MEASURE` for other cells;
`whole.loss` for their losses on the whole validation text; and `stats.KEYS` or
`stats.SCALE/MODEL:KEYS` for entries of `stats.json`. KEYS have slashes between them: `*` is
each of the claim's activations, `name=value` each entry of a list that has this value, and
`a|b` the first of the two that is there. A list of references is a list of numbers.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from actrepro.audit.claims import Claim
from actrepro.audit.compared import cell, own_results, place_of, undecided, usable, whole_loss
from actrepro.audit.expressions import Expression, Value, flat, lifted
from actrepro.audit.findings import MissingError, Number
from actrepro.audit.printed import Printed, Reference, as_printed, look_up, rows_of, shown, span
from actrepro.audit.registry import Context
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed

References = Mapping[str, Reference | Sequence[Reference]]
Digits = int | Mapping[str, int] | None
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
    if key != "loss":
        raise ActreproError(f"claim {claim.id}: 'whole.{key}' is not known; valid: whole.loss")
    own_results(claim, context, claim.activations)
    losses = [whole_loss(context, place_of(claim), name) for name in claim.activations]
    numbers = [one for _, test, selection in losses for one in (test, *selection)]
    return [value for value, _, _ in losses], numbers


def _stats(claim: Claim, context: Context, key: str) -> Found:
    place, _, path = key.rpartition(":")
    where = cell(claim, place or claim.model or "")
    model = context.results.having(*where.place, where.activations)
    keys = path.split("/")
    names = where.activations or model.activations
    try:
        entries = list(_entries(model.stats, keys, names))
    except (AttributeError, KeyError, TypeError) as error:
        raise ActreproError(
            f"claim {claim.id}: 'stats.{key}' does not fit {model.file}: {error!r}; expected its "
            "keys with slashes between them"
        ) from None
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
