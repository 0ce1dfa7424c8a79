"""What the documents print more than once: the same both times, or two things that are equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actrepro.audit.claims import Claim
from actrepro.audit.findings import NOT_TESTABLE, SUPPORTED, Finding, found, upheld
from actrepro.audit.printed import EXACT, Reference, as_printed, look_up, look_up_one
from actrepro.audit.registry import Context, check
from actrepro.audit.words import place
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed


@check
def printed_alike(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[str],
    printed: str = "value",
    within: float = 0,
    what: str = "",
) -> Finding:
    """Whether what is printed in several places, numbers or words, is one and the same.

    Else contradicted. A single number is the same as a list where it is the same as each.

    Parameters
    ----------
    of, printed
        Keys of the row, or `row.key`; `printed` is what the others are held against.
    within
        By how much numbers may differ.
    what
        What they are, for the sentence.
    """
    mine = _entry(claim, context, printed, "here")
    others = [_entry(claim, context, one) for one in of]
    agree = all(_same(mine[0], other, within) for other, _, _ in others)
    name = what or "printed"
    told = "; ".join(f"{in_words(value)} ({where})" for value, where, _ in (mine, *others))
    rows = (row for _, _, row in (mine, *others) if row)
    return upheld(agree, f"{name[0].upper()}{name[1:]}: {told}.", rows=tuple(dict.fromkeys(rows)))


def _entry(claim: Claim, context: Context, reference: str, own: str = "") -> tuple[Any, str, str]:
    """What is printed, where, and in which other row."""
    if reference in claim.printed:
        return claim.printed[reference], own or reference.replace("_", " "), ""
    row, _, key = reference.partition(".")
    other = context.table.claim(row)
    value = other.printed.get(key or "value")
    if value is None:
        raise ActreproError(f"claim {claim.id}: {row} does not have printed.{key or 'value'}")
    return value, place(other), row


def _same(a: Any, b: Any, within: float) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    first, second = (one if isinstance(one, list) else [one] for one in (a, b))
    if len(first) == 1:
        first = first * len(second)
    return len(first) == len(second) and all(
        x == y or (not isinstance(x, str) and abs(x - y) <= within + EXACT)
        for x, y in zip(first, second, strict=True)
    )


def in_words(value: Any) -> str:
    """Something printed, in a sentence."""
    if isinstance(value, list):
        return listed([in_words(one) for one in value])
    if value is None:
        return "nothing"
    return str(value) if isinstance(value, str) else as_printed(value)


@check
def copied_from(claim: Claim, context: Context, *, other: Reference, digits: int) -> Finding:
    """Whether a number is, digit for digit, that of another cell.

    That two cells agree so far refutes neither: it is not testable, or not run where a run
    would tell, and where there is one, other checks read it.
    """
    value = look_up_one(claim, context, "value").value
    there = look_up(claim, context, other)
    if f"{value:.{digits}f}" != f"{there.value:.{digits}f}":
        says = f"The other cell has {there.value:.{digits}f}, not {value:.{digits}f}."
        return found(SUPPORTED, says, rows=(there.row,))
    says = f"{value:.{digits}f} is printed of another cell too, digit for digit; one may be a copy."
    if claim.scale is None or claim.model is None:
        return found(NOT_TESTABLE, says, rows=(there.row,))
    missing = context.results.missing({(claim.scale, claim.model): ()})
    if missing is None:
        own = context.results.models[claim.scale, claim.model]
        says = f"{says} Own runs tell of this one."
        return found(SUPPORTED, says, rows=(there.row,), files=(own.file,))
    says = f"{says} {missing.evidence[0].says}"
    return found(missing.verdict, says, rows=(there.row,), settles=missing.settles)


@check
def distinct_runs(
    claim: Claim, context: Context, *, digits: int, runs: Reference = "runs"
) -> Finding:
    """Whether runs with other seeds have other numbers.

    Equal ones cannot be told from a copy: not testable.
    """
    part = look_up(claim, context, runs)
    words = [f"{value:.{digits}f}" for value in part.values]
    twice = [word for word in dict.fromkeys(words) if words.count(word) > 1]
    rows = (part.row,) if part.row else ()
    if not twice:
        return found(SUPPORTED, f"The printed {listed(words)} are distinct.", rows=rows)
    says = (
        f"Runs with different seeds print {listed(twice)} twice; whether one is a copy the "
        "documents do not tell."
    )
    return found(NOT_TESTABLE, says, rows=rows)
