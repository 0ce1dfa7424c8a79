"""Printed formulas of activations compared with the values that the program computes."""

from __future__ import annotations

from collections.abc import Sequence

from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import Claim
from actrepro.audit.expressions import Expression
from actrepro.audit.findings import Finding, Number, upheld
from actrepro.audit.printed import EXACT, measured
from actrepro.audit.registry import Context, check
from actrepro.core.formats import minus


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
