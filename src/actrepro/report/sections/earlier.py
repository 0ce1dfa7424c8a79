"""The section on an earlier study, as the audit wrote it, unless its evidence has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from actrepro.core import formats
from actrepro.core.files import sha256_of
from actrepro.core.paths import record_of
from actrepro.replication.archive import Records
from actrepro.report.kit.tables import Entry, Row, Table
from actrepro.report.shapes import EntryCell, Links, Point, SectionFile, SectionTable, Tally


@dataclass(frozen=True)
class Section:
    """Content of the section.

    Attributes
    ----------
    note
        Sentence that says if the evidence has changed; then no verdicts are shown.
    verdicts
        Verdicts with their numbers of claims.
    points
        The claims that matter most.
    """

    title: str
    page: str
    command: str
    note: str = ""
    text: str = ""
    verdicts: Sequence[Tally] = ()
    points: Sequence[Point] = ()
    table: Table | None = field(default=None)


def section(section_file: SectionFile, root: Path, records: Records) -> Section:
    """Return the section from the audit's file, after checking the files that it rests on."""
    changed = [
        file
        for file, digest in section_file["files"].items()
        if _digest(file, root, records) != digest
    ]
    if changed:
        files = formats.counted(len(changed), "file")
        note = f"Since the verdicts were given, {files} that they rest on changed or disappeared."
        return Section(section_file["title"], section_file["page"], section_file["command"], note)
    return Section(
        section_file["title"],
        section_file["page"],
        section_file["command"],
        text=section_file["text"],
        verdicts=section_file["verdicts"],
        points=section_file["points"],
        table=_table(section_file["table"], section_file["page"]),
    )


def _digest(file: str, root: Path, records: Records) -> str | None:
    if record_of(file):
        return records.sha256_of(file)
    return sha256_of(root / file) if (root / file).is_file() else None


def _table(table: SectionTable, page: str) -> Table:
    rows = [Row([_cell(cell, page) for cell in cells]) for cells in table["rows"]]
    return Table(
        table["title"], table["caption"], table["columns"], rows, names=2, source=table["source"]
    )


def _cell(cell: str | EntryCell | Links, page: str) -> str | Entry:
    if isinstance(cell, str):
        return cell
    if "links" not in cell:
        return Entry(cell["text"], cell["below"], cell["hint"], cell["kind"])
    link = Markup('<a href="{}#{}">{}</a>')
    return Markup(", ").join(
        link.format(page, target["anchor"], target["text"]) for target in cell["links"]
    )
