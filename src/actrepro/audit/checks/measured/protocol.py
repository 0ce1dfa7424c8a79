"""Whether settings, data and machines are as printed, by what follows from them.

Losses of a whole protocol confirm a setting where runs with another one would end
elsewhere. What leaves no trace in anything printed is not testable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from actrepro.audit.checks.printed.counts import losses_by_step
from actrepro.audit.checks.printed.repeats import in_words
from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    NOT_RUN,
    NOT_TESTABLE,
    Evidence,
    Finding,
    Number,
    found,
    upheld,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.words import place

LOSS = "loss.all"


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
    """Whether training again by this protocol ends at the printed losses, else contradicted.

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
        Whether losses can tell the claimed setting from others. Where they cannot, since as
        many heads or another learning rate may end at the same ones, their agreement makes
        it not testable.
    """
    other = other_setting(claim, context, setting, claim.scale or "")
    if other is not None:
        return other
    gaps, numbers = [], []
    for row in rows:
        printed = context.table.claim(row)
        own = _own_losses(printed, context)
        if isinstance(own, Finding):
            return own
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


def _own_losses(printed: Claim, context: Context) -> list[Number] | Finding:
    """This project's losses of the cells that a printed loss is of."""
    scale, model = printed.scale or "", printed.model or ""
    own = context.results.having(scale, model, printed.activations)
    if isinstance(own, Finding):
        return own
    losses = [own.score(one, LOSS) for one in printed.activations or own.activations]
    usable = [one for one in losses if one is not None]
    return usable or context.results.without(scale, model, why="none of its runs is usable")


def other_setting(claim: Claim, context: Context, setting: str, scale: str) -> Finding | None:
    """The finding where the config's scale has another value of a setting than the claim."""
    if not setting:
        return None
    has = getattr(context.results.study.protocols[scale], setting)
    if has == claim.number():
        return None
    return found(
        NOT_RUN,
        f"The config's scale {scale} has {setting} {has:g}, the claim {claim.number():g}, so its "
        "runs are of another protocol.",
        settles=f"protocols.{scale}.{setting}: {claim.number():g} in the config",
    )


@check
def optimiser_agrees(
    claim: Claim, context: Context, *, within: float, rows: Sequence[str]
) -> Finding:
    """As `rerun_agrees`; told beside it is what its optimiser has that the printed one has not."""
    agrees = rerun_agrees(claim, context, within=within, rows=rows, tells=False)
    if agrees.verdict == NOT_RUN:
        return agrees
    decay = context.results.number_of_facts("optimiser", "weight_decay")
    if decay is None:
        return context.results.without_facts("optimiser")
    protocol = context.results.study.protocols[claim.scale or ""]
    shrinks = -math.expm1(-decay.value * protocol.learning_rate * protocol.iterations)
    says = (
        f"It uses {context.results.fact('optimiser', 'name')}, whose decay shrinks a weight by "
        f"{shrinks:.2%} in {protocol.iterations} steps: too little to tell it from Adam."
    )
    return Finding(agrees.verdict, (*agrees.evidence, Evidence(says, (decay,))))


@check
def dropout_fits(
    claim: Claim, context: Context, *, training: str, beside: Sequence[str], curve: str
) -> Finding:
    """Whether printed losses look as they do with the printed dropout, else contradicted.

    `training` is the model's last training loss, `beside` those of a model of the same
    size with dropout, `curve` the beginning of the ids of its validation losses by step.
    Without dropout, the training loss falls below half of theirs.
    """
    low = fmean(context.table.claim(training).numbers("runs"))
    usual = fmean(fmean(context.table.claim(row).numbers("runs")) for row in beside)
    by_step = losses_by_step(context, curve)
    best = min(by_step, key=by_step.__getitem__)
    without = low < usual / 2
    return upheld(
        without == (claim.number() == 0),
        f"The training loss ends at {low:.2f}, that of a model of the same size with dropout at "
        f"{usual:.2f}; validation rises from {by_step[best]:.2f} at step {best} to "
        f"{by_step[max(by_step)]:.2f}. That is training {'without' if without else 'with'} "
        "dropout.",
        rows=(training, *beside, *(f"{curve}-{step:04}" for step in (best, max(by_step)))),
    )


@check
def prints_no_losses(claim: Claim, context: Context, *, scale: str, within: float) -> Finding:
    """Settings of runs of which no loss is printed: nothing that a re-run gives tells them.

    That is not testable. Where losses are printed after all, `rerun_agrees` with them, within so
    many nats.
    """
    rows = [row.id for row in context.table.claims.values() if _is_loss(row, scale)]
    if not rows:
        return found(
            NOT_TESTABLE,
            f"No loss of the runs of {place(claim)} is printed, so the losses of a re-run with "
            "these settings have nothing to be held against.",
        )
    return rerun_agrees(claim, context, within=within, rows=rows)


def _is_loss(row: Claim, scale: str) -> bool:
    return row.scale == scale and row.unit == "nats" and "value" in row.printed


@check
def corpus_has(claim: Claim, context: Context, *, what: str) -> Finding:
    """Whether a size of the corpus is the printed one, else contradicted.

    `what` is its name in `facts.json`.
    """
    own = context.results.number_of_facts("corpus", what)
    if own is None:
        return context.results.without_facts("corpus", what)
    return upheld(
        own.value == claim.number(),
        f"The text has {own.value:,.0f} ({what}); {claim.number():,.0f} is printed.",
        own,
    )


@check
def machine_unseen(
    claim: Claim, context: Context, *, compare: str = "", rows: Sequence[str] = ()
) -> Finding:
    """Which machine and packages were used: not testable, since nothing here would tell.

    Where `compare` is named, what other rows print of it is told.
    """
    says = "Nothing printed, and nothing that can be run here, tells what was used."
    if compare:
        asked = [claim, *map(context.table.claim, rows)]
        words = [in_words(row.printed.get(compare)) for row in asked]
        listed = ", ".join(f"{word} ({place(row)})" for word, row in zip(words, asked, strict=True))
        agree = "agree on" if len(set(words)) == 1 else "differ in"
        says += f" The documents {agree} {compare}: {listed}."
    return found(NOT_TESTABLE, says, rows=tuple(rows))
