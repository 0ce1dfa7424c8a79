"""Explanations and trade-offs that unpaired scoring may make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import scipy.stats

from actrepro.audit import paths as audit_paths
from actrepro.audit.checks.measured.artefacts import UNPAIRED
from actrepro.audit.checks.measured.orders import order as judge_order
from actrepro.audit.checks.printed.expression import Order, stated_pairs
from actrepro.audit.claims import Claim
from actrepro.audit.compared import cell, compare, needed
from actrepro.audit.findings import ARTEFACT, NOT_RUN, SUPPORTED, Evidence, Finding, Number, found
from actrepro.audit.registry import Context, check
from actrepro.core import paths
from actrepro.core.formats import listed, number
from actrepro.measures import PRIMARY


@check
def pd_follows_sharpness(claim: Claim, context: Context, *, cells: Sequence[str]) -> Finding:
    """Show the effect of unpaired scoring alone, beside a claim on prediction differences.

    The ladder of control `unpaired`: n-gram tables of one text, each compared with itself
    on other positions, so that no seed differs. It shows that the relation comes without
    seeds, not that it cannot come with them: paired differences must tell. Not run where
    they are missing; where they are there, the row's other checks judge them.

    Parameters
    ----------
    cells
        Whose paired differences would tell, as in `orders.order`.
    """
    if UNPAIRED not in context.results.controls:
        # It decides nothing, so that its absence weighs no more than that of other results.
        return replace(context.results.without_control(UNPAIRED), instead_of="")
    ladder = context.results.controls[UNPAIRED]["ladder"]
    accuracies, differences = _steps(ladder, "accuracy"), _steps(ladder, "tv")
    rho = float(scipy.stats.spearmanr(_values(accuracies), _values(differences))[0])
    says = (
        f"Unpaired scoring gives such a relation without any seed: {len(ladder)} n-gram tables, "
        f"compared with themselves on other text, differ by {number(differences[0].value, 2)} to "
        f"{number(differences[-1].value, 2)} where {100 * accuracies[0].value:.0f} to "
        f"{100 * accuracies[-1].value:.0f}% are right (rank correlation {rho:.2f}), and on the "
        "same text by 0. Whether paired differences have it, too, runs must tell."
    )
    used = (*accuracies, *differences)
    absent = context.results.missing(needed(cell(claim, name) for name in cells))
    if absent is None:
        return found(SUPPORTED, says, *used)
    return Finding(NOT_RUN, (Evidence(says, used), *absent.evidence), absent.settles)


def _steps(ladder: Sequence[Mapping[str, Any]], key: str) -> list[Number]:
    file = paths.at(audit_paths.CONTROL, control=UNPAIRED)
    return [Number(step[key], file, f"ladder.{place}.{key}") for place, step in enumerate(ladder)]


def _values(numbers: Sequence[Number]) -> list[float]:
    return [one.value for one in numbers]


@check
def unpaired_order(
    claim: Claim,
    context: Context,
    *,
    order: Order,
) -> Finding:
    """Compare a stated order of activations with unpaired scoring, and with paired scoring.

    The control scores the audit's own runs on different positions, drawn several times. An
    artefact where all draws of each stated pair are in the stated order, and on the same
    positions no pair's interval excludes 0. Else own results decide, as in `orders.order`.
    """
    pairs = stated_pairs(claim, order)
    draws: dict[str, Number] = {}
    for name in dict.fromkeys(name for group in order for name in group):
        one = context.results.control(UNPAIRED, f"tv.{name}")
        if one is None:
            return context.results.without_control(UNPAIRED)
        draws[name] = one
    own = judge_order(claim, context, measure=PRIMARY, order=order)
    apart = all(_ends(draws[a])[1] < _ends(draws[b])[0] for a, b in pairs)
    paired = [compare(context, cell(claim, a), cell(claim, b), PRIMARY) for a, b in pairs]
    alike = all(one is not None and _holds_zero(one.estimate.interval) for one in paired)
    told = listed([f"{name} {number(one.value, 3)} ({_span(one)})" for name, one in draws.items()])
    says = (
        f"Scored on different positions, means and least to greatest of the draws: {told}; "
        f"{'no draws of a stated pair overlap' if apart else 'draws of a stated pair overlap'}."
    )
    if apart and alike:
        says += " On the same positions they cannot be told apart."
        return Finding(ARTEFACT, (Evidence(says, tuple(draws.values())), *own.evidence))
    first = Evidence(says, tuple(draws.values()))
    return Finding(own.verdict, (first, *own.evidence), own.settles)


def _ends(one: Number) -> tuple[float, float]:
    """The least and greatest of a control's draws."""
    low = one.value if one.low is None else one.low
    return low, one.value if one.high is None else one.high


def _span(one: Number) -> str:
    return " to ".join(number(end, 3) for end in _ends(one))


def _holds_zero(bounds: tuple[float, float] | None) -> bool:
    return bounds is not None and bounds[0] <= 0 <= bounds[1]
