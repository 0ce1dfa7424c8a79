"""The report's section on the earlier study: what the audit found, in short."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actrepro.audit.page import parts
from actrepro.audit.staleness import TARGET, current
from actrepro.core import paths
from actrepro.replication.archive import NONE, Records
from actrepro.report.kit.tables import Row, Table

# The audit's page, as the report links to it.
PAGE = os.path.relpath(paths.AUDIT_PAGE, Path(paths.REPORT).parent)
COMMAND = f"{TARGET} --cores 2"


@dataclass(frozen=True)
class Section:
    """What the section shows.

    Attributes
    ----------
    note
        How many rows are outdated, in a sentence; empty where none is.
    size
        Rows of the table, documents that they are from.
    claims
        Their verdicts.
    """

    note: str
    size: tuple[int, int]
    claims: parts.Tally
    headlines: Sequence[parts.Headline]
    controls: Table
    page: str = PAGE


def section(audit: Mapping[str, Any], root: Path = Path(), records: Records = NONE) -> Section:
    """The section, from `claims.json` as read and the results files as they are now."""
    shown = current(audit, root, records)
    return Section(
        note=parts.outdated_note(shown),
        size=(len(shown["claims"]), len(shown["documents"])),
        claims=parts.claims_tally(shown),
        headlines=parts.headlines(shown),
        controls=controls_table(shown),
    )


def controls_table(audit: Mapping[str, Any]) -> Table:
    """All controls side by side; a control's title stands at its first line."""
    rows = []
    for control in audit["controls"]:
        title = control["title"]
        for line in parts.control_rows(control, audit, PAGE):
            rows.append(Row([title, *line.cells]))
            title = ""
    return Table(
        "Mistakes made again",
        "Each control makes one mistake of the earlier study on purpose. Beside the numbers that "
        "were printed: those that the mistake gives, and those of the same experiment without it.",
        ["mistake", *parts.SIDES],
        rows,
        names=2,
        source=f"{paths.CLAIMS_JSON}: controls",
    )
