"""Settings as printed, judged by the losses that follow from them.

Losses of a whole protocol confirm a setting where runs with another one would end
elsewhere. What leaves no trace in anything printed is not testable.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from actrepro.audit.claims import Claim
from actrepro.audit.compared import LOSS, usable
from actrepro.audit.findings import (
    NOT_RUN,
    NOT_TESTABLE,
    Finding,
    MissingError,
    Number,
    found,
    upheld,
)
from actrepro.audit.registry import Context, check


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
    require_setting(claim, context, setting, claim.scale or "")
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


def require_setting(claim: Claim, context: Context, setting: str, scale: str) -> None:
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
