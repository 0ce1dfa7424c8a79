"""Claims that activations gave the same numbers."""

from __future__ import annotations

import math

from actrepro.audit import paths as audit_paths
from actrepro.audit.checks.measured.artefacts import control_told, sides_of
from actrepro.audit.claims import Claim
from actrepro.audit.expressions import exact_interval
from actrepro.audit.findings import ARTEFACT, CONTRADICTED, SUPPORTED, Evidence, Finding, Number
from actrepro.audit.printed import measured
from actrepro.audit.registry import Context, check
from actrepro.audit.words import called

LOSS = "loss.all"
NOT_WIRED = "not_wired"


@check
def identical(
    claim: Claim,
    context: Context,
    *,
    control: str = NOT_WIRED,
    share: tuple[int, int] | None = None,
) -> Finding:
    """Compare activations that give the same numbers with an activation that is not used.

    An artefact where every two runs of the control with the same seed end in the same
    weights, and those of its wired twin do not. The control is a small NanoTransformer, so
    that it reproduces the sameness and not the values. The evidence adds by how
    much untrained models of the claim's kind, with equal weights, differ; and the range of
    its own cells where they were run: no difference at all is *supported*.

    Parameters
    ----------
    share
        The insensitive models and all models: the evidence adds the share's interval.
    """
    pairs = sides_of(claim, context, control, "identical_share", "loss_range", "same_seed_tv")
    own = _own_range(claim, context)
    if own is not None and own[1] == 0:
        return Finding(SUPPORTED, (own[0],))
    numbers = tuple(one for pair in pairs for one in pair)
    equal, loss, variation = pairs
    about = context.results.controls[control]["about"]
    names = called(about["model"]), called(claim.model)
    but = f", not {names[1]}," if claim.model and names[0] != names[1] else ""
    count = math.comb(len(about["activations"]), 2) * len(about["seeds"])
    says = (
        f"The control is {control_told(context, control, but)}. Where its activation is not used, "
        f"{_of_pairs(equal.control, count)} of activations with one seed end in the same weights, "
        f"with losses {measured(loss.control.value)} nats apart; where it is, "
        f"{_of_pairs(equal.honest, count)}, with losses {measured(loss.honest.value)} nats apart "
        f"and a total variation of {measured(variation.honest.value)} between predictions."
    )
    if share is None and _prints_values(claim):
        says += " It reproduces that activations give the same, not the printed values."
    beside = (_untrained(claim, context), None if own is None else own[0], _few(share))
    evidence = (Evidence(says, numbers), *(one for one in beside if one is not None))
    differs = equal.honest.value < 1 and loss.honest.value > 0
    if not (differs and variation.honest.value > 0):
        return Finding(SUPPORTED, evidence)
    return Finding(ARTEFACT if equal.control.value == 1 else CONTRADICTED, evidence)


def _untrained(claim: Claim, context: Context) -> Evidence | None:
    """Return the losses of the claim's model before training; None where they are not known."""
    losses = context.results.fact("untrained", claim.model or "")
    if losses is None:
        return None
    ends = sorted(losses, key=losses.__getitem__)
    numbers = (
        Number(losses[name], audit_paths.FACTS, f"untrained.{claim.model}.{name}")
        for name in (ends[0], ends[-1])
    )
    says = (
        f"Untrained, with equal weights, {len(losses)} activations of {called(claim.model)} "
        f"already differ by up to {measured(losses[ends[-1]] - losses[ends[0]])} nats."
    )
    return Evidence(says, tuple(numbers))


def _few(share: tuple[int, int] | None) -> Evidence | None:
    """Return the interval of a share of few models."""
    if share is None:
        return None
    hits, of = share
    low, high = exact_interval(hits, of)
    says = (
        f"{hits} of {of} models are {100 * hits / of:.0f}%, with an exact 95% interval of "
        f"{low:.0f} to {high:.0f}%."
    )
    return Evidence(says)


def _of_pairs(share: Number, count: int) -> str:
    """Write a share of pairs: all, none, or in percent."""
    if share.value in (0, 1):
        return f"all {count} pairs" if share.value else f"none of {count} pairs"
    return f"{100 * share.value:.0f}% of {count} pairs"


def _prints_values(claim: Claim) -> bool:
    """Return True if a row prints numbers other than zeros."""
    printed = [
        one
        for entry in claim.printed.values()
        for one in (entry if isinstance(entry, list) else [entry])
    ]
    return any(isinstance(one, int | float) and one != 0 for one in printed)


def _own_range(claim: Claim, context: Context) -> tuple[Evidence, float] | None:
    """Return the range of losses of the claim's own cells; None where they were not run."""
    results = context.results.model(claim.scale or "", claim.model or "")
    if results is None:
        return None
    names = [name for name in claim.activations if name in results.activations]
    scores = [results.score(name, LOSS) for name in names or results.activations]
    known = [one for one in scores if one is not None]
    if len(known) < 2:
        return None
    extent = max(one.value for one in known) - min(one.value for one in known)
    says = (
        f"In {results.file} the mean losses of {len(known)} activations range over "
        f"{measured(extent)} nats."
    )
    return Evidence(says, tuple(known)), extent
