"""What names of measures and classes stand for, by the numbers printed under them or run here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from actrepro.audit.claims import Claim
from actrepro.audit.compared import measure_name
from actrepro.audit.findings import ARTEFACT, SUPPORTED, Finding, found, upheld
from actrepro.audit.registry import Context, check


@check
def name_is(claim: Claim, context: Context, *, literature: str, source: str) -> Finding:
    """Whether the printed name is the one that the literature gives, else contradicted.

    Letters only are compared. `source` is who gives it.
    """
    said = str(claim.printed["name"])
    return upheld(
        _letters(said) == _letters(literature),
        f"{source} call it {literature}; {said} is printed.",
    )


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


@check
def relative_form_gives(
    claim: Claim,
    context: Context,
    *,
    measure: str,
    rows: Sequence[str],
    within: float,
) -> Finding:
    """Whether the named measure gives the printed numbers on this project's runs.

    Else contradicted. `rows` print it for one activation each, at one scale and model; `within`
    is relative.
    """
    first = context.table.claim(rows[0])
    scale, model = claim.scale or "", first.model or ""
    own = context.results.having(scale, model)
    if isinstance(own, Finding):
        return own
    numbers, parts, holds = [], [], True
    for row in rows:
        printed = context.table.claim(row)
        (activation,) = printed.activations
        value = own.number(activation, measure) if activation in own.activations else None
        if value is None:
            return context.results.without(scale, model, why=f"it has no usable {activation}")
        stated = printed.number()
        holds &= abs(value.value - stated) <= within * stated
        numbers.append(value)
        parts.append(f"{activation} {value.value:.3g} ({stated:g})")
    said = measure_name(context, (scale, model), measure)
    return upheld(holds, f"{said} here, printed in brackets: {', '.join(parts)}.", *numbers)


@check
def no_difference_is_no_wiring(
    claim: Claim, context: Context, *, control: str, quantity: str
) -> Finding:
    """Whether a threshold of zero sorts models by more than whether the activation reaches them.

    The control's model ignores its activation, the honest one does not: an artefact where
    only the first has no difference at all.
    """
    sides = context.results.sides(control, quantity)
    if sides is None:
        return context.results.without_control(control)
    ignored, heeded = sides
    says = (
        f"Between activations a model that ignores its activation differs by {ignored.value:.4g} "
        f"nats, the same model with it connected by {heeded.value:.4g}"
    )
    if ignored.value == 0 and heeded.value > 0:
        verdict, more = ARTEFACT, "a threshold of zero tells only whether it is connected"
    else:
        verdict, more = SUPPORTED, "a threshold of zero tells more than whether it is connected"
    return found(verdict, f"{says}: {more}.", ignored, heeded)


@check
def large_models_differ(
    claim: Claim, context: Context, *, parameters: str, difference: str, printed: str
) -> Finding:
    """Whether no model beyond the stated size is printed with a difference between activations.

    Else contradicted. `parameters` is the row with its size, `difference` the row with
    `printed`, in percent.
    """
    size = context.table.claim(parameters).number()
    percent = context.table.claim(difference).number(printed)
    most = claim.number()
    return upheld(
        size <= most or percent == 0,
        f"A model of {size:,.0f} parameters, above {most:,.0f}, is printed with a difference of "
        f"{percent:g}% between activations.",
        rows=(parameters, difference),
    )
