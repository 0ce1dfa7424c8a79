"""Synthetic claims for tests of checks: rows with printed numbers, and what checks say."""

from __future__ import annotations

from typing import Any

from audit_fixture import CLAIMS

from actrepro.audit.claims import FILES, Claim, Table, _claims
from actrepro.audit.findings import Finding
from actrepro.config.reading import default_study

STUDY = default_study()


def synthetic_claim(id_: str = "claim", *, unit: str = "", **printed: Any) -> Claim:
    """A row with these printed numbers."""
    return Claim.model_validate(
        {
            "id": id_,
            "origin": {"document": "S0", "lines": "1"},
            "says": "Something that is made up.",
            "printed": printed,
            "unit": unit,
            "checks": [{"check": "none"}],
            "kind": "cost",
        }
    )


def says(finding: Finding) -> str:
    """All its evidence."""
    return " ".join(one.says for one in finding.evidence)


def whole_table() -> Table:
    """All rows of the table's files that exist."""
    paths = [(kind, CLAIMS / file) for kind, file in FILES.items() if (CLAIMS / file).exists()]
    return Table({one.id: one for kind, path in paths for one in _claims(path, kind)}, {})
