"""The audit's section of the report, as data that the report shows unchanged."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from actrepro.audit import paths as audit_paths
from actrepro.audit.page import parts
from actrepro.audit.staleness import TARGET
from actrepro.core import paths
from actrepro.report.kit.tables import Entry

# The audit's page, as the report links to it.
PAGE = os.path.relpath(audit_paths.AUDIT_PAGE, Path(paths.REPORT).parent)
COMMAND = f"{TARGET} --cores 2"


def section(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section of verdicts as `claims.json` has them."""
    claims, documents = len(audit["claims"]), len(audit["documents"])
    return {
        "title": "The earlier study",
        "text": f"{claims} claims of the {documents} documents of an earlier study were put to "
        "checks:",
        "verdicts": parts.claims_tally(audit).found,
        "points": [_point(one) for one in parts.headlines(audit)],
        "table": {
            "title": "Mistakes made again",
            "caption": "Each control makes one mistake of the earlier study on purpose. Beside the "
            "numbers that were printed: those that the mistake gives, and those of the same "
            "experiment without it.",
            "columns": ["mistake", *parts.SIDES],
            "rows": _rows(audit),
            "source": f"{paths.AUDIT_SECTION}: table",
        },
        "page": PAGE,
        "command": COMMAND,
        # The verdicts hold for these files alone.
        "files": audit["files"],
    }


def _point(headline: parts.Headline) -> dict[str, Any]:
    return {
        "title": headline.title,
        "verdicts": headline.verdicts,
        "says": headline.first.says,
    }


def _rows(audit: Mapping[str, Any]) -> list[list[Any]]:
    """Return the controls side by side; a control's title stands at its first line."""
    rows = []
    units = {row["id"]: row["unit"] for row in audit["claims"]}
    for control in audit["controls"]:
        title = control["title"]
        for row, line in zip(parts.control_rows(control, audit), control["lines"], strict=True):
            links = [
                {"text": parts.earlier(one, units[one["row"]]), "anchor": parts.anchor(one["row"])}
                for one in line["earlier"]
            ]
            cells = [asdict(one) if isinstance(one, Entry) else str(one) for one in row.cells]
            rows.append([title, cells[0], {"links": links} if links else cells[1], *cells[2:]])
            title = ""
    return rows
