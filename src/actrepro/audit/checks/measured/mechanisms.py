"""Explanations and trade-offs: what decides them, or what would have to be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import scipy.stats

from actrepro.audit import paths as audit_paths
from actrepro.audit.checks.measured.artefacts import UNPAIRED
from actrepro.audit.checks.measured.orders import order as judge_order
from actrepro.audit.checks.printed.expression import Order, stated_pairs
from actrepro.audit.claims import Claim
from actrepro.audit.compared import cell, compare, missing, own_results, results_of
from actrepro.audit.findings import (
    ARTEFACT,
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_RUN,
    SUPPORTED,
    Evidence,
    Finding,
    Number,
    found,
    upheld,
)
from actrepro.audit.registry import Context, check
from actrepro.core import paths
from actrepro.core.formats import counted, listed, number
from actrepro.measures import PRIMARY
from actrepro.results.words import gate_name

# As `stats.json` names it in its runs: where a GPU was used, its own memory.
MEMORY = ("peak_gpu_memory_bytes", "peak_memory_bytes")


@check
def pd_follows_sharpness(claim: Claim, context: Context, *, cells: Sequence[str]) -> Finding:
    """What unpaired scoring alone makes of better predictions, beside a claim on their PD.

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
    absent = missing(context, [cell(claim, name) for name in cells])
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
    """Whether unpaired scoring gives the stated order of activations, and paired does not.

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
    if own.verdict == NOT_RUN:
        return own
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


@check
def gate_holds(claim: Claim, context: Context, *, gate: str) -> Finding:
    """Whether every cell of the claim's scale and model passes a gate in own results.

    Else contradicted.
    """
    results = own_results(claim, context, claim.activations)
    if isinstance(results, Finding):
        return results
    names = claim.activations or results.activations
    outcomes = {name: results.cell(name)["gates"].get(gate) for name in names}
    known = {name: outcome["passed"] for name, outcome in outcomes.items() if outcome is not None}
    if len(known) < len(names):
        return context.results.without(
            claim.scale or "", claim.model or "", f"gate {gate_name(gate)} was not run"
        )
    failed = [name for name, passed in known.items() if not passed]
    says = (
        f"Gate {gate_name(gate)} is passed by {len(known) - len(failed)} of "
        f"{counted(len(known), 'cell')}{f'; failed: {listed(failed)}' if failed else ''}."
    )
    return upheld(not failed, says, files=(results.file,))


@check
def best_step_near(claim: Claim, context: Context, *, step: str, within: int) -> Finding:
    """Whether own runs have their best selection loss near a printed step.

    Supported where all runs of the claim's cells do, contradicted where none does, else
    inconclusive. `step` is the key of the printed step, `within` counts steps.
    """
    results = own_results(claim, context, claim.activations)
    if isinstance(results, Finding):
        return results
    stated = claim.number(step)
    names = claim.activations or results.activations
    steps = [
        Number(run["best_step"], results.file, f"runs.{place}.best_step")
        for place, run in results.finished()
        if run["activation"] in names and run["best_step"] is not None
    ]
    near = [one for one in steps if abs(one.value - stated) <= within]
    says = (
        f"{len(near)} of {counted(len(steps), 'run')} have their best step within {within:,} of "
        f"{stated:,.0f}."
    )
    if near and len(near) < len(steps):
        seeds = results.stats["recommended_seeds"]
        return found(INCONCLUSIVE, says, *steps, settles=f"{seeds} seeds at the least")
    return found(SUPPORTED if near else CONTRADICTED, says, *steps)


@check
def memory_order(claim: Claim, context: Context, *, order: Order) -> Finding:
    """Whether the peak memory of training is in the order that the claim states.

    Else contradicted; inconclusive where no run has kept it. That of the GPU counts where
    the runs had one. `order` is that of `orders.order`.
    """
    cells = {name: cell(claim, name) for group in order for name in group}
    pairs = stated_pairs(claim, order)
    absent = missing(context, cells.values())
    if absent is not None:
        return absent
    peaks = {
        name: [
            peak
            for place, run in results_of(context, one).finished()
            if (peak := _peak(run, results_of(context, one).file, place)) is not None
        ]
        for name, one in cells.items()
    }
    if not all(peaks.values()):
        lacking = listed([name for name, numbers in peaks.items() if not numbers])
        return found(
            INCONCLUSIVE,
            f"No run of {lacking} has kept its peak memory.",
            files=tuple(results_of(context, one).file for one in cells.values()),
            settles="1 seed whose memory is kept",
        )
    told = listed([f"{name} {_mebibytes(numbers)}" for name, numbers in peaks.items()])
    used = tuple(one for numbers in peaks.values() for one in numbers)
    holds = all(max(_values(peaks[a])) < min(_values(peaks[b])) for a, b in pairs)
    return upheld(holds, f"Peak memory of own training runs: {told}.", *used)


def _peak(run: Mapping[str, Any], file: str, place: int) -> Number | None:
    for key in MEMORY:
        if run[key] is not None:
            return Number(run[key], file, f"runs.{place}.{key}")
    return None


def _mebibytes(numbers: Sequence[Number]) -> str:
    return f"{fmean(_values(numbers)) / 2**20:,.0f} MiB"
