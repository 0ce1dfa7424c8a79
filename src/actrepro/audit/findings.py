"""Findings of checks: a verdict and its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

IMPOSSIBLE = "impossible"
ARTEFACT = "artefact"
CONTRADICTED = "contradicted"
INCONCLUSIVE = "inconclusive"
NOT_RUN = "not run"
NOT_TESTABLE = "not testable"
SUPPORTED = "supported"

# Their meanings; where checks of one claim disagree, the first of these is its verdict.
VERDICTS = {
    IMPOSSIBLE: "cannot be so, by arithmetic or by a bound",
    ARTEFACT: "a control that makes one known mistake reproduces it",
    CONTRADICTED: "the evidence is against it",
    INCONCLUSIVE: "the runs there are cannot tell",
    NOT_RUN: "the runs that would tell have not been made",
    NOT_TESTABLE: "nothing that could be run here would tell",
    SUPPORTED: "the evidence agrees with it",
}


@dataclass(frozen=True)
class Number:
    """A number read from a results file.

    Attributes
    ----------
    value
        The number; `low` and `high` are its interval where it has one.
    n
        Seeds behind it.
    measure
        Id of the measure, as `stats.json` names it; empty for other numbers.
    file
        The results file, `results/…`, that holds it.
    key
        Its place in the file, as keys with dots between them.
    failed_gates
        Of the cell or cells it is from.
    """

    value: float
    file: str
    key: str
    measure: str = ""
    n: int | None = None
    low: float | None = None
    high: float | None = None
    failed_gates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """One thing a check found.

    Attributes
    ----------
    says
        A sentence with the numbers, ready to be shown.
    numbers
        The results that the sentence rests on; none where it follows from printed numbers alone.
    rows
        Ids of the other claims whose printed numbers it rests on.
    files
        Files that it rests on without a number of theirs: a control, a manifest, a program's file.
    """

    says: str
    numbers: tuple[Number, ...] = ()
    rows: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def all_files(self) -> tuple[str, ...]:
        """Every file it rests on, each once."""
        return tuple(dict.fromkeys((*(one.file for one in self.numbers), *self.files)))


@dataclass(frozen=True)
class Finding:
    """A check's verdict.

    Attributes
    ----------
    verdict
        One of `VERDICTS`.
    evidence
        The reasons; never empty.
    settles
        For *not run* the target to ask for, for *inconclusive* the seeds needed; else empty.
    instead_of
        For *not run* the verdict that the missing results might have given: it weighs as
        that one does, since lighter ones cannot decide before it is known. Else empty.
    """

    verdict: str
    evidence: tuple[Evidence, ...]
    settles: str = ""
    # Filled in by whoever called the check: which one, and the tolerance it was given.
    check: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    instead_of: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"'{self.verdict}' is no verdict; valid: {', '.join(VERDICTS)}")
        if not self.evidence:
            raise ValueError(f"a finding '{self.verdict}' without any evidence")
        if self.verdict in (NOT_RUN, INCONCLUSIVE) and not self.settles:
            raise ValueError(f"a finding '{self.verdict}' must say what would settle it")


class MissingError(Exception):
    """A result that a check needs and that is missing, with the finding that says so."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.evidence[0].says)
        self.finding = finding


def found(verdict: str, says: str, *numbers: Number, settles: str = "", **more: Any) -> Finding:
    """A finding with one piece of evidence; `more` are `rows` and `files` of it."""
    return Finding(verdict, (Evidence(says, numbers, **more),), settles)


def upheld(
    holds: bool, says: str, *numbers: Number, otherwise: str = CONTRADICTED, **more: Any
) -> Finding:
    """*Supported* where a claim holds, else `otherwise`; as `found`."""
    return found(SUPPORTED if holds else otherwise, says, *numbers, **more)


def decisive(findings: Sequence[Finding]) -> Finding:
    """The finding that decides a claim: the first verdict in the order of `VERDICTS`."""
    order = list(VERDICTS)
    return min(findings, key=lambda one: order.index(one.instead_of or one.verdict))
