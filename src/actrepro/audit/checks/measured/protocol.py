"""Settings, sizes and formulas as printed, compared with the program and its runs.

Losses of a whole protocol confirm a setting where runs with another one would end
elsewhere. A setting that leaves no trace in anything printed is not testable.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import Claim
from actrepro.audit.compared import LOSS, usable
from actrepro.audit.expressions import Expression
from actrepro.audit.findings import (
    NOT_RUN,
    NOT_TESTABLE,
    Finding,
    MissingError,
    Number,
    found,
    upheld,
)
from actrepro.audit.printed import EXACT, look_up_one, measured, rows_of
from actrepro.audit.registry import Context, check
from actrepro.audit.words import called
from actrepro.core.formats import minus


@check
def rerun_agrees(
    claim: Claim,
    context: Context,
    *,
    within: float,
    rows: Sequence[str],
    setting: str = "",
    tells: bool = True,
) -> Finding:
    """Compare the printed losses with those of training again: contradicted where they differ.

    The printed losses are over the whole validation text, this project's over its second
    half, which is a little harder; `within` must leave room for that.

    Parameters
    ----------
    within
        Of the mean over the rows, of how far this project's loss is from the printed one: nats.
    rows
        Claims that print a loss of a scale and model.
    setting
        A key of protocols of which the config's scale must have the claim's value; not run
        where it has another.
    tells
        True if losses can distinguish the claimed setting from others. Where they cannot,
        since other settings may end at the same losses, agreement makes it not testable.
    """
    _require_setting(claim, context, setting, claim.scale or "")
    gaps, numbers = [], []
    for row in rows:
        printed = context.table.claim(row)
        own = _own_losses(printed, context)
        gaps.append(abs(fmean(one.value for one in own) - printed.number()))
        numbers += own
    gap = fmean(gaps)
    if gap <= within and not tells:
        return found(
            NOT_TESTABLE,
            f"The re-run with this value ends at the printed losses ({gap:.3f} nats from "
            f"{len(gaps)} of them on average), but so might one with another.",
            *numbers,
            rows=tuple(rows),
        )
    says = (
        f"The re-run's losses are {gap:.3f} nats from the printed ones on average "
        f"({len(gaps)} of them; at most {within:g} is allowed)"
    )
    return upheld(
        gap <= within,
        f"{says}."
        if gap <= within
        else f"{says}: not all of the printed settings can be what was run.",
        *numbers,
        rows=tuple(rows),
    )


def _own_losses(printed: Claim, context: Context) -> list[Number]:
    """Return this project's losses of the cells that a printed loss is of."""
    place = printed.scale or "", printed.model or ""
    own = context.results.having(*place, printed.activations)
    names = printed.activations or own.activations
    losses = [one for one in (own.score(name, LOSS) for name in names) if one is not None]
    return losses or [usable(context, place, names[0], None)]


def _require_setting(claim: Claim, context: Context, setting: str, scale: str) -> None:
    """Raise a finding where the config's scale has another value of a setting than the claim.

    Raises
    ------
    MissingError
        With the value that the config would need.
    """
    if not setting:
        return
    has = getattr(context.results.study.protocols[scale], setting)
    if has == claim.number():
        return
    says = (
        f"The config's scale {scale} has {setting} {has:g}, the claim {claim.number():g}, so its "
        "runs are of another protocol."
    )
    settles = f"protocols.{scale}.{setting}: {claim.number():g} in the config"
    raise MissingError(found(NOT_RUN, says, settles=settles))


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
    _require_setting(claim, context, setting, keys[1])
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


@check
def follows_formula(
    claim: Claim,
    context: Context,
    *,
    is_: str,
    within: float,
    activation: str = "",
    at: Sequence[float] = (),
) -> Finding:
    """Compare an activation's values with a printed formula: contradicted where they differ.

    Parameters
    ----------
    is_
        The formula (`is` in the table), an expression of `x` and of the claim's own numbers.
    within
        The largest difference.
    activation
        The claim's only one when absent.
    at
        Points of the grid of `facts.json`; all of them when absent.
    """
    name = activation or claim.activations[0]
    grid = context.results.fact("activations", name, "x")
    values = context.results.fact("activations", name, "y")
    if grid is None or values is None or not set(at) <= set(grid):
        return context.results.without_facts("activations", name)
    formula = Expression(is_, claim.id)
    own = {key: claim.number(key) for key in formula.names if key != "x"}
    places = [grid.index(x) for x in at] if at else range(len(grid))
    gaps = {k: abs(float(formula.value({**own, "x": grid[k]})) - values[k]) for k in places}
    worst = max(gaps, key=gaps.__getitem__)
    told = places if at else [worst]
    numbers = [Number(values[k], audit_paths.FACTS, f"activations.{name}.y.{k}") for k in told]
    return upheld(
        gaps[worst] <= within + EXACT,
        minus(
            f"The printed formula and {name} differ by at most {measured(gaps[worst])}, at "
            f"{grid[worst]:g}, where {name} is {measured(values[worst])}."
        ),
        *numbers,
    )
