"""Printed words compared: names of one thing, and winners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actrepro.audit.claims import Claim
from actrepro.audit.findings import Finding, upheld
from actrepro.audit.printed import as_printed, look_up_one
from actrepro.audit.registry import Context, check
from actrepro.audit.words import place
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed


@check
def same_words(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[str],
    printed: str = "value",
    what: str = "",
) -> Finding:
    """Compare words printed in several places: supported if they are the same, else contradicted.

    Parameters
    ----------
    of, printed
        Keys of the row, or `row.key`; `printed` is what the others are held against.
    what
        Their subject, for the sentence.
    """
    mine = _entry(claim, context, printed, "here")
    others = [_entry(claim, context, one) for one in of]
    agree = all(value == mine[0] for value, _, _ in others)
    name = what or "printed"
    told = "; ".join(f"{_in_words(value)} ({where})" for value, where, _ in (mine, *others))
    rows = (row for _, _, row in (mine, *others) if row)
    return upheld(agree, f"{name[0].upper()}{name[1:]}: {told}.", rows=tuple(dict.fromkeys(rows)))


def _entry(claim: Claim, context: Context, reference: str, own: str = "") -> tuple[Any, str, str]:
    """Return the printed words, their place, and the other row that has them."""
    if reference in claim.printed:
        return claim.printed[reference], own or reference.replace("_", " "), ""
    row, _, key = reference.partition(".")
    other = context.table.numbers(row)
    value = other.printed.get(key or "value")
    if value is None:
        raise ActreproError(f"claim {claim.id}: {row} does not have printed.{key or 'value'}")
    return value, place(other), row


def _in_words(value: Any) -> str:
    """Something printed, in a sentence."""
    if isinstance(value, list):
        return listed([_in_words(one) for one in value])
    if value is None:
        return "nothing"
    return str(value) if isinstance(value, str) else as_printed(value)


@check
def wins_are(claim: Claim, context: Context, *, rows: Sequence[str], activation: str) -> Finding:
    """Compare an activation's printed wins with those in the table of models.

    Supported from its wins alone up to those with all ties; else contradicted.
    The rows print `best_activation`, tied ones with a bar between them, and the row itself
    its wins and contests: 3/5.
    """
    bests = [str(context.table.numbers(row).printed["best_activation"]).split("|") for row in rows]
    alone = sum(best == [activation] for best in bests)
    shared = sum(activation in best for best in bests)
    value = int(str(claim.printed["wins"]).partition("/")[0])
    return upheld(
        alone <= value <= shared,
        f"The table of models has {activation} best {alone} times alone and {shared} with ties; "
        f"{value} is printed.",
        rows=tuple(rows),
    )


@check
def best_of_equals(claim: Claim, context: Context, *, equal: str, best: str = "best") -> Finding:
    """Check that no activation is best where another row prints one number for several.

    `equal` is that row, `best` the key of the activation, tied ones with a bar between them.
    """
    row = context.table.claim(equal)
    winners = str(claim.printed[best]).split("|")
    losers = [name for name in row.activations if name not in winners]
    winners_there = [name for name in winners if name in row.activations]
    said = (
        f"Elsewhere {listed(row.activations)} all have "
        f"{as_printed(look_up_one(claim, context, equal).value)}"
    )
    wrong = f": {' or '.join(winners_there)} is not better than {' or '.join(losers)}"
    agrees = not (losers and winners_there)
    return upheld(agrees, f"{said}{'' if agrees else wrong}.", rows=(equal,))
