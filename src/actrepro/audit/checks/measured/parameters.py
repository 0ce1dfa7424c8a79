"""Numbers of parameters and parts of models that are built at printed sizes."""

from __future__ import annotations

from collections.abc import Sequence

from actrepro.audit.checks.measured.protocol import require_setting
from actrepro.audit.claims import Claim
from actrepro.audit.findings import NOT_TESTABLE, Finding, found, upheld
from actrepro.audit.printed import look_up_one, rows_of
from actrepro.audit.registry import Context, check
from actrepro.audit.words import called


@check
def parameters_are(
    claim: Claim,
    context: Context,
    *,
    within: float,
    printed: str = "value",
    scale: str = "",
    model: str = "",
    setting: str = "",
) -> Finding:
    """Compare the printed number of parameters with that of a model built at these sizes.

    Another number contradicts it. A model that is sized to match CharLM, since no sizes are
    printed, makes it not testable.

    Parameters
    ----------
    within
        Relative to the printed number; 0 asks for every digit.
    scale, model
        The claim's when absent.
    setting
        A key of protocols of which the config's scale must have the claim's value; not run
        where it has another.
    """
    keys = ("parameters", scale or claim.scale or "", model or claim.model or "")
    own = context.results.number_of_facts(*keys)
    require_setting(claim, context, setting, keys[1])
    stated = look_up_one(claim, context, printed)
    said = stated.value
    if keys[2] in (context.results.fact("sized_to_match") or ()):
        return found(
            NOT_TESTABLE,
            f"{called(keys[2])}'s count follows from sizes that no document prints. The built-in "
            f"one is sized to match CharLM and has {own.value:,.0f}; {said:,.0f} are printed.",
            own,
        )
    protocol = context.results.study.protocols[keys[1]]
    sizes = f"{protocol.layers} layers × {protocol.width}, context {protocol.context}"
    return upheld(
        abs(own.value - said) <= within * said,
        f"{called(keys[2])} with {sizes} has {own.value:,.0f} parameters here, "
        f"{_beside(own.value, said)}.",
        own,
        rows=rows_of([stated]),
    )


def _beside(own: float, said: float) -> str:
    """Write a number of parameters relative to the printed one."""
    if own == said:
        return "exactly as printed"
    percent = 100 * abs(own - said) / said
    by = f"{percent:.0f}%" if percent >= 10 else f"{percent:.2f}%"
    return f"{by} {'more' if own > said else 'fewer'} than the {said:,.0f} that are printed"


@check
def parts_are(
    claim: Claim,
    context: Context,
    *,
    anchored_by: str,
    has: Sequence[str] = (),
    lacks: Sequence[str] = (),
) -> Finding:
    """Check that a model has the parts `has` and not those it `lacks`; else contradicted.

    The built-in model tells, where its count is exactly the one that the row
    `anchored_by` prints; a model with another count says nothing of the earlier one:
    not testable.
    """
    anchor = context.table.claim(anchored_by)
    model, scale = claim.model or "", anchor.scale or ""
    own = context.results.number_of_facts("parameters", scale, model)
    census = context.results.fact("parts", model)
    parts = [part for part, present in census.items() if present]
    if own.value != anchor.number():
        return found(
            NOT_TESTABLE,
            f"The built-in {called(model)} has {', '.join(parts)}, but {own.value:,.0f} parameters "
            f"where {anchor.number():,.0f} are printed, so it says nothing about the earlier one.",
            own,
            rows=(anchored_by,),
        )
    holds = set(has) <= set(parts) and not set(lacks) & set(parts)
    return upheld(
        holds,
        f"{called(model)} built with {', '.join(parts)} has exactly the {own.value:,.0f} "
        f"parameters that are printed; the claim needs {_needs(has, lacks)}.",
        own,
        rows=(anchored_by,),
    )


def _needs(has: Sequence[str], lacks: Sequence[str]) -> str:
    return ", ".join([*has, *(f"no {one}" for one in lacks)])
