"""Whether models of printed sizes have the printed numbers of parameters, and the named parts."""

from __future__ import annotations

from collections.abc import Sequence

from actrepro.audit.checks.measured.protocol import other_setting
from actrepro.audit.claims import Claim
from actrepro.audit.findings import CONTRADICTED, IMPOSSIBLE, NOT_TESTABLE, Finding, found, upheld
from actrepro.audit.printed import Computed, as_printed, joined, look_up_one, rows_of, values_of
from actrepro.audit.registry import Context, check
from actrepro.audit.words import called

# A block of a transformer holds at least this many matrices of width × width: four of its
# attention, and eight of an MLP that is four times as wide.
MATRICES = 12


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
    """Whether a model that is built at these sizes has the printed number of parameters.

    Else contradicted. A model that is sized to match CharLM, for want of printed sizes, tells
    nothing: not testable.

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
    if own is None:
        return context.results.without_facts(*keys)
    other = other_setting(claim, context, setting, keys[1])
    if other is not None:
        return other
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
    """How many parameters there are, beside the number that is printed."""
    if own == said:
        return "exactly as printed"
    percent = 100 * abs(own - said) / said
    by = f"{percent:.0f}%" if percent >= 10 else f"{percent:.2f}%"
    return f"{by} {'more' if own > said else 'fewer'} than the {said:,.0f} that are printed"


@check
def parameters_at_least(
    claim: Claim, context: Context, *, layers: str, width: str, parameters: str
) -> Finding:
    """Whether a transformer of these layers and width can have so few parameters.

    The arguments are rows. Attention takes 4·d² weights of a block and an MLP of the
    usual width 8·d², whatever else the model has. Where that is more than the printed
    count, the count is impossible, and the sizes are contradicted by it.
    """
    rows = [context.table.claim(one) for one in (layers, width, parameters)]
    depth, d, said = (one.number() for one in rows)
    least = MATRICES * depth * d * d
    says = (
        f"{depth:.0f} blocks of width {d:.0f}, with an MLP four times as wide, hold {depth:.0f} × "
        f"{MATRICES} × {d:.0f}² = {least:,.0f} weights in their matrices alone; {said:,.0f} "
        "parameters are printed."
    )
    return upheld(
        least <= said,
        says,
        otherwise=IMPOSSIBLE if claim.id == parameters else CONTRADICTED,
        rows=tuple(one.id for one in rows if one.id != claim.id),
    )


@check
def parameters_divide(claim: Claim, context: Context, *, width: str, symbols: str) -> Finding:
    """Whether layers that all have the printed width can add up to the printed count.

    Else contradicted. Every matrix, bias, LayerNorm and table then has a multiple of the width,
    the MLP four times as wide too; only a bias of the head, one for each symbol, is none. The
    arguments are rows.
    """
    said = int(claim.number())
    d, v = (int(context.table.claim(one).number()) for one in (width, symbols))
    rest = said % d
    return upheld(
        rest in (0, v % d),
        f"{said:,} leaves {rest} when divided by the width {d}; layers of that width leave 0, or "
        f"{v % d} with a bias for each of the {v} symbols.",
        rows=(width, symbols),
    )


@check
def ratio_of_parameters(
    claim: Claim, context: Context, *, over: Sequence[str], under: Sequence[str]
) -> Finding:
    """Whether a ratio of two models' sizes is the printed one, else contradicted.

    `over` and `under` are each a scale and a model.
    """
    above, below = (context.results.number_of_facts("parameters", *one) for one in (over, under))
    if above is None or below is None:
        return context.results.without_facts("parameters", *(over if above is None else under))
    ratio, stated = above.value / below.value, look_up_one(claim, context, "value")
    return upheld(
        Computed(ratio).agrees_with(stated),
        f"{called(over[1])} has {above.value:,.0f} parameters at the scale {over[0]} and "
        f"{called(under[1])} {below.value:,.0f} at {under[0]}: {ratio:.2f} times. "
        f"{as_printed(stated.value)} is printed.",
        above,
        below,
    )


@check
def ratio_at_most(claim: Claim, context: Context, *, over: str, layers: str, width: str) -> Finding:
    """Whether the smaller model can be so much smaller, else impossible. The arguments are rows.

    Its blocks' matrices alone bound its size from below, and so the ratio from above.
    """
    rows = (over, layers, width)
    above, depth, d = values_of(joined(claim, context, rows))
    least = MATRICES * depth * d * d
    stated = look_up_one(claim, context, "value")
    return upheld(
        stated.value - stated.half <= above / least,
        f"With {depth:.0f} blocks of width {d:.0f}, and an MLP four times as wide, the smaller "
        f"model has at least {least:,.0f} weights, so {above:,.0f} is at most "
        f"{above / least:.2f} times as many; "
        f"{as_printed(stated.value)} is printed.",
        otherwise=IMPOSSIBLE,
        rows=rows,
    )


@check
def parts_are(
    claim: Claim,
    context: Context,
    *,
    anchored_by: str,
    has: Sequence[str] = (),
    lacks: Sequence[str] = (),
) -> Finding:
    """Whether a model is made of the parts it `has`, without those it `lacks`; else contradicted.

    The built-in model tells, where its count is exactly the one that the row
    `anchored_by` prints; a model that is tied to the earlier one by nothing tells nothing:
    not testable.
    """
    anchor = context.table.claim(anchored_by)
    model, scale = claim.model or "", anchor.scale or ""
    census = context.results.fact("parts", model)
    own = context.results.number_of_facts("parameters", scale, model)
    if census is None or own is None:
        return context.results.without_facts("parts", model)
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
