"""Claims that rest on others, and parts of claims that nothing here would tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    INCONCLUSIVE,
    NOT_TESTABLE,
    SUPPORTED,
    Evidence,
    Finding,
    decisive,
    found,
)
from actrepro.audit.registry import Context, check, put
from actrepro.audit.words import place
from actrepro.core.errors import ActreproError
from actrepro.core.formats import counted


@check
def made_of(claim: Claim, context: Context, *, rows: Sequence[str]) -> Finding:
    """Judge the rows that a number is made of: the gravest of their verdicts counts."""
    if claim.id in rows:
        raise ActreproError(f"claim {claim.id}: it cannot be made of itself")
    findings = {row: _of_row(context.table.claim(row), context) for row in rows}
    worst = decisive(list(findings.values()))
    row = next(row for row, finding in findings.items() if finding is worst)
    first = worst.evidence[0]
    where = place(context.table.claim(row))
    says = f"It is made of what {where}, has ({worst.verdict}): {first.says}"
    named = tuple(dict.fromkeys((row, *first.rows)))
    evidence = Evidence(says, first.numbers, named, first.files)
    return replace(worst, evidence=(evidence,))


def _of_row(claim: Claim, context: Context) -> Finding:
    calls: Sequence[Any] = claim.checks
    return decisive([put(claim, call, context) for call in calls])


@check
def not_testable(claim: Claim, context: Context, *, why: str) -> Finding:
    """State that no run would settle a part of the claim; its other checks can still refute it."""
    return found(NOT_TESTABLE, why)


@check
def no_pairs_to_spread(
    claim: Claim, context: Context, *, runs: int, claimed: bool = False
) -> Finding:
    """State that a mean over pairs of few runs has no printed spread, so it shows no order.

    Supported where that there are too few is what is `claimed`, else inconclusive.
    """
    pairs = counted(runs * (runs - 1) // 2, "pair")
    says = f"{runs} runs have {pairs}, and only the mean is printed: no spread and no test of it."
    if claimed:
        return found(SUPPORTED, says)
    needed = f"more than {runs} seeds, with the difference of every pair"
    return found(INCONCLUSIVE, says, settles=needed)
