"""Whether printed times of runs add up and fit each other, by clock, by step and by machine.

Arithmetic within one document makes a time impossible; a time that another printed one
refutes is contradicted. Seconds of a machine that is not here are not testable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Any

from actrepro.audit.checks.printed.costs import amounts_meet, unit_of
from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    IMPOSSIBLE,
    NOT_TESTABLE,
    SUPPORTED,
    Finding,
    Number,
    found,
    upheld,
)
from actrepro.audit.printed import (
    Computed,
    Reference,
    as_printed,
    computed,
    joined,
    look_up,
    look_up_one,
    rows_of,
    shown,
    values_of,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.words import called
from actrepro.config.protocol import Protocol
from actrepro.core.formats import listed

MINUTE = timedelta(minutes=1)


@check
def already_counted(
    claim: Claim,
    context: Context,
    *,
    total: Reference,
    runs: int,
    shortest: Reference,
    longest: Reference,
) -> Finding:
    """Whether a total that is multiplied once more by the activations covers all of them already.

    It does where as many runs as all activations have, each between the shortest and the
    longest printed, take it. What is printed as spent is then impossible. Runs are in seconds,
    the total in minutes.
    """
    parts = [look_up_one(claim, context, one) for one in (total, shortest, longest)]
    whole, low, high = parts
    stated = look_up_one(claim, context, "value").value
    ends = [runs * one.value / 60 for one in (low, high)]
    said = (
        f"{runs} runs of {as_printed(low.value)} to {as_printed(high.value)} take "
        f"{shown(ends[0])} to {shown(ends[1])}{unit_of(claim)}, so {as_printed(whole.value)}"
    )
    least = ends[0] - runs * low.half / 60 - whole.half
    most = ends[1] + runs * high.half / 60 + whole.half
    if least <= whole.value <= most and stated > whole.value:
        return found(
            IMPOSSIBLE,
            f"{said} is what all activations took together and {as_printed(stated)} counts "
            "them again.",
            rows=rows_of(parts),
        )
    return found(SUPPORTED, f"{said} does not cover them.", rows=rows_of(parts))


@check
def holds_its_runs(
    claim: Claim,
    context: Context,
    *,
    of: Sequence[Reference],
    times: int = 1,
) -> Finding:
    """Whether a total time is at least that of its runs, else impossible.

    Parameters
    ----------
    of
        Seconds of runs; with `times`, of the shortest of so many.
    """
    parts = joined(claim, context, of)

    def together(values: Sequence[float]) -> float:
        return times * math.fsum(values) / 60

    runs, stated = computed(together, parts), look_up_one(claim, context, "minutes")
    fits = stated.value - runs.value >= -(runs.slack + stated.half)
    return upheld(
        fits,
        f"The {times * len(values_of(parts))} runs take {'' if times == 1 else 'at least '}"
        f"{shown(runs.value)} of the printed {as_printed(stated.value)}"
        f"{'' if fits else ', which is more than all'}.",
        otherwise=IMPOSSIBLE,
        rows=rows_of(parts),
    )


@check
def end_less_start(claim: Claim, context: Context, *, within: float) -> Finding:
    """Whether the printed minutes are the printed end less the start, else impossible.

    `within` so many minutes of rounding.
    """
    start, end = (_time(claim.printed[name]) for name in ("start", "end"))
    minutes, stated = (end - start) / MINUTE, look_up_one(claim, context, "minutes")
    return upheld(
        Computed(minutes).agrees_with(stated, within),
        f"From {claim.printed['start']} to {claim.printed['end']} are {minutes:.0f} minutes; "
        f"{as_printed(stated.value)} are printed.",
        otherwise=IMPOSSIBLE,
    )


def _time(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))


@check
def stamps_fit(
    claim: Claim, context: Context, *, times: Mapping[str, Reference], within: float
) -> Finding:
    """Whether files were written as far apart as the training between them took.

    Else contradicted. The claim prints a time of writing for each activation.

    Parameters
    ----------
    times
        For each activation after the first its runs' seconds.
    within
        The share by which a gap may exceed them: loading, evaluating and saving.
    """
    stamps = {name: _time(value) for name, value in claim.printed.items()}
    parts = {name: look_up(claim, context, reference) for name, reference in times.items()}
    gaps, holds = [], True
    for (_, before), (name, stamp) in pairwise(stamps.items()):
        gap = (stamp - before).total_seconds()
        trained = math.fsum(parts[name].values)
        holds &= trained <= gap <= trained * (1 + within)
        gaps.append(f"{name}'s was written {gap:,.0f} s later, and trained {trained:,.0f} s")
    return upheld(
        holds,
        f"One file for each activation: {'; '.join(gaps)}.",
        rows=rows_of(parts.values()),
    )


@check
def at_pace(
    claim: Claim,
    context: Context,
    *,
    pace: Reference,
    steps: int,
    iterations: Sequence[int],
    runs: int,
    within: float,
    per: float = 60,
) -> Finding:
    """Whether so many runs take the printed time at a pace printed elsewhere, else contradicted.

    Parameters
    ----------
    pace, steps
        Seconds of a run elsewhere, and its iterations.
    iterations
        Of one run here: one number, or the fewest and the most.
    within
        The factor by which the two times may differ.
    per
        Seconds in one unit of the printed time.
    """
    part = look_up_one(claim, context, pace)
    second = part.value / steps
    there = runs * min(iterations) * second / per, runs * max(iterations) * second / per
    counts = listed([f"{count:,}" for count in dict.fromkeys(iterations)])
    how = f"at {shown(second)} s an iteration, {runs} runs of {counts} iterations take {{}}"
    return amounts_meet(claim, context, (), there, within, how, rows_of([part]))


@check
def time_per_step(
    claim: Claim,
    context: Context,
    *,
    seconds: Sequence[Reference],
    steps: Sequence[Reference],
    printed: str,
    within: float,
) -> Finding:
    """Whether training time grows by a printed factor per step, two printed runs compared.

    Contradicted where it does not: what grew is the number of steps.

    Parameters
    ----------
    seconds, steps
        Of the smaller run and of the larger one.
    """
    times = [look_up_one(claim, context, one) for one in seconds]
    counts = [look_up_one(claim, context, one) for one in steps]
    small, large = (time.value / count.value for time, count in zip(times, counts, strict=True))
    stated = look_up_one(claim, context, printed)
    told = [
        f"{as_printed(time.value)} s for {as_printed(count.value)}"
        for time, count in zip(times, counts, strict=True)
    ]
    return upheld(
        Computed(large / small).agrees_with(stated, within),
        f"Per step it is {small:.3f} and {large:.3f} s ({told[0]} steps, {told[1]}), "
        f"{large / small:.2f} times as long; near-linear would be about "
        f"{as_printed(stated.value)}.",
        rows=rows_of([*times, *counts]),
    )


@check
def speed_fits_work(
    claim: Claim,
    context: Context,
    *,
    large: str,
    small: str,
    model: str,
    symbols: Reference,
    within: float,
) -> Finding:
    """Whether a ratio of seconds per step is near the ratio of the steps' operations.

    Operations by `operations_per_step`. On one machine a step that does r times the work
    takes about r times as long; `within` is the factor that caches, memory and start-up may
    make of it. Further off is contradicted.

    Parameters
    ----------
    large, small
        Scales of the config, whose `model` is compared.
    symbols
        How many the models tell apart.
    """
    protocols = context.results.study.protocols
    vocabulary = look_up_one(claim, context, symbols)
    work = [
        operations_per_step(protocols[scale].for_model(model), int(vocabulary.values[0]))
        for scale in (large, small)
    ]
    ratio, stated = work[0] / work[1], claim.number("ratio")
    return upheld(
        ratio / within <= stated <= ratio * within,
        f"A step of the large model has {work[0]:.2e} operations, one of the small "
        f"{work[1]:.2e}: {shown(ratio)} times as many, not {as_printed(stated)}.",
        rows=rows_of([vocabulary]),
    )


def operations_per_step(protocol: Protocol, symbols: int) -> float:
    """Floating-point operations of a training step of a GPT-like model, multiplications and sums.

    Kaplan et al. 2020 (arXiv:2001.08361), table 1: forward 2·(12·L·d² + d·V) + 2·L·c·d a
    position, with L layers of width d, context c and V symbols in the head; twice that
    backward. Embeddings, norms and activations are left out: they are below a percent.
    """
    layers, width = protocol.layers, protocol.width
    weights = 12 * layers * width**2 + width * symbols
    forward = 2 * weights + 2 * layers * protocol.context * width
    return 3.0 * forward * protocol.context * protocol.batch


@check
def ratio_elsewhere(
    claim: Claim, context: Context, *, of: Reference, to: Reference, elsewhere: Sequence[Reference]
) -> Finding:
    """How two models' times compare here and on another machine: not testable, told only."""
    parts = [look_up_one(claim, context, one) for one in (of, to, *elsewhere)]
    a, b, c, d = values_of(parts)
    other = called(context.table.claim(parts[1].row).model)
    return found(
        NOT_TESTABLE,
        f"It takes {shown(a / b)} times as long as {other} here, and {shown(c / d)} times "
        "on the other machine; whether both hold needs both machines.",
        rows=rows_of(parts),
    )


@check
def hardware_bound(
    claim: Claim,
    context: Context,
    *,
    machine: str = "a machine that is not here",
    what: str = "seconds",
    against: str | None = None,
) -> Finding:
    """Times and loads belong to a machine: not testable, but how cells compare can be told.

    Parameters
    ----------
    against
        Another row of the same metric, whose own runs the row's are compared with.
    """
    says = f"{what[0].upper()}{what[1:]} on {machine}, of a program that was not kept."
    if against is None or claim.scale is None or claim.model is None:
        return found(NOT_TESTABLE, says)
    other = context.table.claim(against)
    here, there = _seconds(claim, context), _seconds(other, context)
    ratio = claim.number() / other.number()
    beside = " and ".join(other.activations) or called(other.model)
    says += f" Printed, it takes {ratio:.2f} times as long as {beside}"
    if not here or not there:
        return found(NOT_TESTABLE, f"{says}.", rows=(against,))
    own = fmean(one.value for one in here) / fmean(one.value for one in there)
    says = f"{says}; own runs on one machine {own:.2f} times ({len(here)} and {len(there)} runs)."
    return found(NOT_TESTABLE, says, *here, *there, rows=(against,))


def _seconds(claim: Claim, context: Context) -> list[Number]:
    """Training times of a cell's own finished runs."""
    model = context.results.model(claim.scale or "", claim.model or "")
    if model is None or len(claim.activations) != 1:
        return []
    return [
        Number(run["seconds"], model.file, f"runs.{place}.seconds")
        for place, run in model.finished()
        if run["activation"] == claim.activations[0] and run["seconds"] is not None
    ]
