"""Verdicts that may be shown: those whose evidence is unchanged since they were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from actrepro.audit.findings import NOT_RUN
from actrepro.core import paths
from actrepro.core.files import sha256_of
from actrepro.core.paths import record_of
from actrepro.replication.archive import NONE, Records

TARGET = "snakemake audit"


def files_of(row: Mapping[str, Any]) -> set[str]:
    """The results files, made here or recorded, that a row of `claims.json` rests on."""
    return {
        file
        for finding in row["findings"]
        for evidence in finding["evidence"]
        for file in evidence["files"]
        if file.startswith((f"{paths.RESULTS}/", f"{paths.RECORDED}/"))
    }


def outdated(audit: Mapping[str, Any], root: Path = Path(), records: Records = NONE) -> set[str]:
    """The results files that are gone, or not those that the verdicts were given with.

    Parameters
    ----------
    audit
        `claims.json` as read.
    root
        The folder that the names of files start from.
    records
        Those at hand: a file of any other is gone.
    """
    return {
        file for file, digest in audit["files"].items() if _digest(file, root, records) != digest
    }


def _digest(file: str, root: Path, records: Records) -> str | None:
    if record_of(file):
        return records.sha256_of(file)
    return sha256_of(root / file) if (root / file).is_file() else None


def current(
    audit: Mapping[str, Any], root: Path = Path(), records: Records = NONE
) -> dict[str, Any]:
    """Return the audit as it may be shown.

    A row that rests on an outdated file is *not run*, and says which file it is and what to
    run; its old verdict is removed. The counts are counted anew, and a control whose
    file is outdated has no numbers. Each row and control has a new key `outdated`.
    """
    changed = sorted(outdated(audit, root, records))
    files = {file: _what_happened(file, root) for file in changed}
    rows = [_row(row, files) for row in audit["claims"]]
    return {
        **audit,
        "counts": _counts(rows, audit["kinds"], audit["verdicts"]),
        "controls": [_control(control, files.keys()) for control in audit["controls"]],
        "claims": rows,
    }


def _what_happened(file: str, root: Path) -> str:
    if record_of(file):
        return "belongs to a record that has changed since or is gone"
    return "has changed since" if (root / file).is_file() else "is gone"


def _row(row: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    lost = [file for file in files if file in files_of(row)]
    if not lost:
        return {**row, "outdated": False}
    finding = {
        "check": "",
        "verdict": NOT_RUN,
        "tolerance": {},
        "settles": TARGET,
        "evidence": [_reason(file, files[file]) for file in lost],
    }
    return {
        **row,
        "verdict": NOT_RUN,
        "settles": TARGET,
        "findings": [finding],
        "outdated": True,
    }


def _reason(file: str, what_happened: str) -> dict[str, Any]:
    says = f"The verdict rested on {file}, which {what_happened}."
    return {"says": says, "numbers": [], "rows": [], "files": [file], "records": []}


def _counts(
    rows: Iterable[Mapping[str, Any]], kinds: Iterable[str], verdicts: Iterable[str]
) -> dict[str, dict[str, int]]:
    found = Counter((row["kind"], row["verdict"]) for row in rows)
    known = list(verdicts)
    return {kind: {verdict: found[kind, verdict] for verdict in known} for kind in kinds}


def _control(control: Mapping[str, Any], files: Set[str]) -> dict[str, Any]:
    if control["file"] not in files:
        return {**control, "outdated": False}
    nothing = dict.fromkeys(("control", "honest", "control_interval", "honest_interval"))
    return {
        **control,
        "run": False,
        "about": None,
        "gates": [{"gate": gate["gate"]} for gate in control["gates"]],
        "lines": [{**line, **nothing} for line in control["lines"]],
        "outdated": True,
    }
