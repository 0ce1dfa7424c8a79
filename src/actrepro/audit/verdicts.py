"""A verdict on every row of the table of claims: `claims.json` and `claims.csv`."""

from __future__ import annotations

import csv
import importlib
import io
import pkgutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    read_headlines,
    read_table,
)
from actrepro.audit.controls.side_by_side import side_by_side
from actrepro.audit.findings import VERDICTS, Evidence, Finding, decisive
from actrepro.audit.recorded import with_records
from actrepro.audit.registry import Context, put
from actrepro.audit.results import Results, read_results
from actrepro.audit.staleness import files_of
from actrepro.config.study import Study
from actrepro.core.files import write_json, write_text
from actrepro.replication.archive import read_records

for _module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
    importlib.import_module(_module.name)

# The columns of `claims.csv`, and what each holds. A text that is missing is empty, as is a number.
MEANING: Mapping[str, str] = {
    "id": "the claim's name in `resources/claims/`",
    "kind": "what it is about: see `kinds` in `claims.json`",
    "document": "the document that it is from, S0 to S4",
    "lines": "its lines there",
    "scale": "the scale that it is about; empty where it is about none or several",
    "model": "the model, likewise",
    "activations": "the activations, with ; between them",
    "says": "what is claimed",
    "verdict": "the verdict",
    "settles": "what would settle it: a target to run, or the seeds needed",
    "evidence": "the sentences that decide",
    "files": "the results files that the row rests on, with ; between them",
    "measures": "the measures of the deciding numbers, with ; between them",
    "n": "the seeds behind the first deciding number",
    "value": "the first deciding number",
    "low": "its interval's lower end",
    "high": "its interval's upper end",
    "checks": "the checks that the claim was put to, the deciding one first, with ; between them",
}
COLUMNS = tuple(MEANING)


@dataclass(frozen=True)
class Judged:
    """A claim and the findings of its checks; the one that decides its verdict comes first."""

    claim: Claim
    findings: Sequence[Finding]

    @property
    def verdict(self) -> str:
        """The claim's verdict."""
        return self.findings[0].verdict


def write_verdicts(
    study: Study,
    claims_folder: Path,
    stats: Sequence[Path],
    controls: Sequence[Path],
    facts: Path | None,
    output: Path,
    csv_output: Path,
    records: Sequence[Path] = (),
) -> None:
    """Judge every claim by the results at hand, and write `claims.json` and `claims.csv`.

    Parameters
    ----------
    claims_folder
        `resources/claims`.
    stats
        `stats.json` of models, those that exist.
    controls
        Files of the controls that were run.
    facts
        `facts.json`, or None.
    records
        Folders of records; one that cannot be used is logged and ignored.

    Raises
    ------
    ActreproError
        When the table of claims or a results file is not as it must be.
    """
    table = read_table(claims_folder)
    made_here = read_results(study, stats, controls, facts)
    results = with_records(made_here, read_records(records))
    audit = audit_json(table, results, judge_all(table, results), claims_folder)
    write_json(output, audit)
    write_text(csv_output, claims_csv(audit))


def judge(claim: Claim, context: Context) -> Judged:
    """Put a claim to all its checks."""
    findings = [put(claim, call, context) for call in claim.checks]
    first = decisive(findings)
    return Judged(claim, [first, *(one for one in findings if one is not first)])


def judge_all(table: Table, results: Results) -> list[Judged]:
    """Judge every claim, in the order of the table."""
    context = Context(table, results)
    return [judge(claim, context) for claim in table.claims.values()]


def audit_json(
    table: Table, results: Results, judged: Sequence[Judged], claims_folder: Path
) -> dict[str, Any]:
    """Return the contents of `claims.json`."""
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
    """Count the claims by kind and verdict."""
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


def claims_csv(audit: Mapping[str, Any]) -> str:
    """Write the claims as CSV, in the order of `claims.json`, with the columns of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_csv_row(claim) for claim in audit["claims"])
    return text.getvalue()


def _csv_row(claim: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "kind", "document", "lines", "scale", "model", "says", "verdict", "settles")
    evidence = claim["findings"][0]["evidence"]
    numbers = [number for one in evidence for number in one["numbers"]]
    first = numbers[0] if numbers else {}
    return {
        **{name: claim[name] for name in kept},
        "activations": _listed(claim["activations"]),
        "evidence": " ".join(one["says"] for one in evidence),
        "files": _listed(sorted(files_of(claim))),
        "measures": _listed(number["measure"] for number in numbers),
        **{name: first.get(name) for name in ("n", "value", "low", "high")},
        "checks": _listed(finding["check"] for finding in claim["findings"]),
    }


def _listed(names: Iterable[str]) -> str:
    """Join names, each once."""
    return ";".join(dict.fromkeys(filter(None, names)))
