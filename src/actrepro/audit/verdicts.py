"""From the table of claims and the results to a verdict on every row: `claims.json`."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actrepro.audit import checks, recorded
from actrepro.audit.claims import (
    CLAIMS_FOLDER,
    CONTROLS,
    FILES,
    HEADLINES,
    KINDS,
    Claim,
    Table,
)
from actrepro.audit.controls.side_by_side import side_by_side
from actrepro.audit.findings import VERDICTS, Evidence, Finding, decisive
from actrepro.audit.headlines import read_headlines
from actrepro.audit.registry import Context, put
from actrepro.audit.results import Results

for _module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
    importlib.import_module(_module.name)


@dataclass(frozen=True)
class Judged:
    """A claim with what all its checks found; the one that decides its verdict stands first."""

    claim: Claim
    findings: Sequence[Finding]

    @property
    def verdict(self) -> str:
        """The claim's verdict."""
        return self.findings[0].verdict


def judge(claim: Claim, context: Context) -> Judged:
    """Put a claim to all its checks."""
    findings = [put(claim, call, context) for call in claim.checks]
    first = decisive(findings)
    return Judged(claim, [first, *(one for one in findings if one is not first)])


def judge_all(table: Table, results: Results) -> list[Judged]:
    """A verdict on every claim, in the order of the table."""
    context = Context(table, results)
    return [judge(claim, context) for claim in table.claims.values()]


def audit_json(
    table: Table, results: Results, judged: Sequence[Judged], claims_folder: Path
) -> dict[str, Any]:
    """What `claims.json` holds."""
    rows = [_row(one, table) for one in judged]
    return {
        "verdicts": VERDICTS,
        "kinds": KINDS,
        "counts": _counts(judged),
        "documents": {name: one.model_dump() for name, one in table.documents.items()},
        # What a reader compares with the files there are now: a verdict holds for these alone.
        "files": dict(results.hashes),
        "records": dict(results.records),
        "ignored_records": dict(results.ignored_records),
        "headlines": read_headlines(claims_folder / HEADLINES, table),
        "controls": side_by_side(claims_folder / CONTROLS, table, results),
        "claims": rows,
    }


def _counts(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """How many claims of each kind have which verdict."""
    found = Counter((one.claim.kind, one.verdict) for one in judged)
    return {kind: {verdict: found[kind, verdict] for verdict in VERDICTS} for kind in KINDS}


def _row(one: Judged, table: Table) -> dict[str, Any]:
    claim = one.claim
    return {
        "id": claim.id,
        "kind": claim.kind,
        "document": claim.origin.document,
        "lines": claim.origin.lines,
        "says": claim.says,
        "scale": claim.scale,
        "model": claim.model,
        "activations": list(claim.activations),
        "printed": dict(claim.printed),
        "unit": claim.unit,
        "verdict": one.verdict,
        "settles": one.findings[0].settles,
        "findings": [_finding(claim, finding, table) for finding in one.findings],
    }


def _finding(claim: Claim, finding: Finding, table: Table) -> dict[str, Any]:
    return {
        "check": finding.check,
        "verdict": finding.verdict,
        "tolerance": finding.arguments,
        "settles": finding.settles,
        "evidence": [_evidence(claim, one, table) for one in finding.evidence],
    }


def _evidence(claim: Claim, evidence: Evidence, table: Table) -> dict[str, Any]:
    file = f"{CLAIMS_FOLDER}/{FILES[claim.kind]}"
    records = recorded.records_behind(evidence.all_files)
    files = (*evidence.all_files, *map(recorded.provenance_of, records))
    return {
        "says": recorded.marked(evidence.says, records),
        "numbers": [_number(asdict(number)) for number in evidence.numbers],
        "rows": [row for row in evidence.rows if row in table.claims],
        # What follows from printed numbers alone is from the table.
        "files": list(files) or [file],
        "records": records,
    }


def _number(number: Mapping[str, Any]) -> dict[str, Any]:
    return {**number, "failed_gates": list(number["failed_gates"])}
