"""What names of activations stand for: printed formulas against values that the program computes.

The values are in `facts.json`. A formula or property that they do not have is contradicted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from actrepro.audit.claims import Claim
from actrepro.audit.findings import NOT_TESTABLE, Finding, Number, found, upheld
from actrepro.audit.printed import Computed, as_printed, look_up_one
from actrepro.audit.registry import Context, check
from actrepro.core import paths
from actrepro.core.formats import minus

# The formulas that the documents give for activations of one tensor.
FORMULAS: Mapping[str, Callable[[float], float]] = {
    "relu": lambda x: max(0.0, x),
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "swish": lambda x: x / (1 + math.exp(-x)),
}
HALF_WIDTHS = {"smelu_05": 0.5, "smelu_1": 1.0}
# How far two evaluations beside a point lie apart for a function without a jump.
CONTINUOUS = 1e-6


def _value(context: Context, activation: str, x: float) -> Number | None:
    """An activation's value at a point of the grid, from `facts.json`."""
    grid = context.results.fact("activations", activation, "x")
    values = context.results.fact("activations", activation, "y")
    if grid is None or values is None or x not in grid:
        return None
    where = grid.index(x)
    return Number(values[where], paths.FACTS, f"activations.{activation}.y.{where}")


def _only(claim: Claim) -> str:
    return claim.activations[0]


@check
def smelu_as_stated(claim: Claim, context: Context, *, within: float) -> Finding:
    """Whether the printed formula is SmeLU at −β, 0 and β, for each β that was used."""
    lines, numbers, holds = [], [], True
    for name, beta in HALF_WIDTHS.items():
        right = [_value(context, name, x) for x in (-beta, 0.0, beta)]
        known = [one for one in right if one is not None]
        if len(known) < len(right):
            return context.results.without_facts("activations", name)
        stated = [_stated_smelu(x, beta) for x in (-beta, 0.0, beta)]
        holds &= all(abs(a - one.value) <= within for a, one in zip(stated, known, strict=True))
        numbers += known
        lines.append(
            f"β = {beta:g}: at −β, 0, β the printed formula gives {_three(stated)}, SmeLU "
            f"{_three([one.value for one in known])}; at β the formula jumps from {beta:g} to "
            f"{stated[2]:.3f}."
        )
    return upheld(holds, " ".join(lines), *numbers)


def _stated_smelu(x: float, beta: float) -> float:
    """The formula as it is printed."""
    return (x + beta) / (1 + math.exp(-x)) if x >= beta else x


def _three(values: Sequence[float]) -> str:
    return ", ".join(minus(f"{value:.3f}".rstrip("0").rstrip(".")) for value in values)


@check
def rounds_relus_corner(claim: Claim, context: Context, *, within: float) -> Finding:
    """Whether each SmeLU is ReLU but for its corner: farthest from it at 0, and there by β/4."""
    numbers, parts, holds = [], [], True
    for name in claim.activations:
        gap = context.results.number_of_facts("activations", name, "farthest_from_relu", "gap")
        where = context.results.number_of_facts("activations", name, "farthest_from_relu", "x")
        if gap is None or where is None:
            return context.results.without_facts("activations", name)
        quarter = HALF_WIDTHS[name] / 4
        holds &= abs(gap.value - quarter) <= within and abs(where.value) <= within
        numbers += [gap, where]
        parts.append(f"{name} by {gap.value:.4g} at {where.value:g} (β/4 is {quarter:g})")
    return upheld(holds, f"Farthest from ReLU: {'; '.join(parts)}.", *numbers)


@check
def formula_is(claim: Claim, context: Context, *, within: float) -> Finding:
    """Whether the program's activation has the values that the printed formula gives."""
    name = _only(claim)
    grid = context.results.fact("activations", name, "x")
    if grid is None:
        return context.results.without_facts("activations", name)
    values = [one for x in grid if (one := _value(context, name, x)) is not None]
    gaps = [abs(FORMULAS[name](x) - one.value) for x, one in zip(grid, values, strict=True)]
    worst = max(range(len(gaps)), key=gaps.__getitem__)
    return upheld(
        gaps[worst] <= within,
        minus(
            f"From {min(grid):g} to {max(grid):g} {name} and the printed formula differ by at most "
            f"{gaps[worst]:.1g}."
        ),
        values[worst],
    )


@check
def jumps_at_zero(claim: Claim, context: Context) -> Finding:
    """Whether an activation is discontinuous at 0."""
    name = _only(claim)
    jump = context.results.number_of_facts("activations", name, "jump_at_zero")
    slope = context.results.number_of_facts("activations", name, "slope_jump_at_zero")
    if jump is None or slope is None:
        return context.results.without_facts("activations", name)
    return upheld(
        abs(jump.value) > CONTINUOUS,
        f"Just left and right of 0 {name} differs by {abs(jump.value):.0e}: it has no jump. "
        f"Its slope jumps by {slope.value:.3g}."
        if abs(jump.value) <= CONTINUOUS
        else f"At 0 {name} jumps by {jump.value:.3g}.",
        jump,
        slope,
    )


@check
def is_random(claim: Claim, context: Context) -> Finding:
    """Whether an activation draws anything at random."""
    name = _only(claim)
    same = context.results.number_of_facts("activations", name, "repeatable")
    if same is None:
        return context.results.without_facts("activations", name)
    return upheld(
        not same.value,
        f"Two evaluations of {name} at the same points "
        + ("are equal: it draws nothing." if same.value else "differ."),
        same,
    )


@check
def value_is(claim: Claim, context: Context, *, at: float) -> Finding:
    """Whether an activation's value at a point is the printed one, to its last digit."""
    name = _only(claim)
    own = _value(context, name, at)
    if own is None:
        return context.results.without_facts("activations", name)
    stated = look_up_one(claim, context, "value")
    return upheld(
        Computed(own.value).agrees_with(stated),
        minus(f"{name}({at:g}) is {own.value:.4f}; {as_printed(stated.value)} is printed."),
        own,
    )


@check
def is_learned(claim: Claim, context: Context) -> Finding:
    """Whether an activation has anything that is learned."""
    name = _only(claim)
    learned = context.results.number_of_facts("activations", name, "parameters")
    if learned is None:
        return context.results.without_facts("activations", name)
    return upheld(
        learned.value > 0,
        f"{name} depends on its input and on {learned.value:.0f} learned numbers.",
        learned,
    )


@check
def bounded_below_only(claim: Claim, context: Context) -> Finding:
    """Whether an activation is bounded below, unbounded above and not monotone."""
    name = _only(claim)
    keys = [("least", "y"), ("least", "x"), ("far_left",), ("far_right",), ("rises_everywhere",)]
    read = [context.results.number_of_facts("activations", name, *key) for key in keys]
    known = [one for one in read if one is not None]
    if len(known) < len(read):
        return context.results.without_facts("activations", name)
    least, where, left, right, rises = known
    return upheld(
        left.value > least.value and right.value > 10 and not rises.value,
        minus(
            f"{name} is least at {where.value:.3f}, {least.value:.4f}, rises from there on both "
            f"sides, to {left.value:.1g} far on the left, and grows like x on the right."
        ),
        *known,
    )


@check
def widths_untold(claim: Claim, context: Context, *, parameters: str) -> Finding:
    """SwiGLU without a formula or a width: two networks of different sizes have that name.

    So it is not testable. `parameters` is the row that prints one count for all activations.
    """
    cut, full = (
        context.results.number_of_facts("parameters_swiglu", one)
        for one in ("cut_width", "full_width")
    )
    if cut is None or full is None:
        return context.results.without_facts("parameters_swiglu")
    said = context.table.claim(parameters).number()
    return found(
        NOT_TESTABLE,
        "No formula and no width is printed. With the MLP's width kept CharLM has "
        f"{full.value:,.0f} parameters, with the width cut to two thirds {cut.value:,.0f}; "
        f"{said:,.0f} is printed for all activations alike.",
        cut,
        full,
        rows=(parameters,),
    )
