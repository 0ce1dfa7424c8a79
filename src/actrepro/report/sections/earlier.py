"""The section on an earlier study: shown as the audit leaves it, while its evidence stands."""

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
    """What the section shows.

    Attributes
    ----------
    note
        That the evidence has changed, in a sentence; then there are no verdicts to show.
    verdicts
        Each with the number of claims that have it.
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


def section(made: SectionFile, root: Path, records: Records) -> Section:
    """Return the section from what the audit left, and the files it rests on as they are now."""
    changed = [
        file for file, digest in made["files"].items() if _digest(file, root, records) != digest
    ]
    if changed:
        files = formats.counted(len(changed), "file")
        note = f"{files} that the verdicts rest on changed or went since they were given."
        return Section(made["title"], made["page"], made["command"], note)
    return Section(
        made["title"],
        made["page"],
        made["command"],
        text=made["text"],
        verdicts=made["verdicts"],
        points=made["points"],
        table=_table(made["table"], made["page"]),
    )


def _digest(file: str, root: Path, records: Records) -> str | None:
    if record_of(file):
        return records.sha256_of(file)
    return sha256_of(root / file) if (root / file).is_file() else None


def _table(made: SectionTable, page: str) -> Table:
    rows = [Row([_cell(cell, page) for cell in cells]) for cells in made["rows"]]
    return Table(
        made["title"], made["caption"], made["columns"], rows, names=2, source=made["source"]
    )


def _cell(cell: str | EntryCell | Links, page: str) -> str | Entry:
    if isinstance(cell, str):
        return cell
    if "links" not in cell:
        return Entry(cell["text"], cell["below"], cell["hint"], cell["kind"])
    link = Markup('<a href="{}#{}">{}</a>')
    return Markup(", ").join(link.format(page, one["anchor"], one["text"]) for one in cell["links"])
