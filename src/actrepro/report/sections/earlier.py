"""The section on an earlier study: shown as the audit leaves it, while its evidence stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from actrepro.core import formats
from actrepro.core.files import sha256_of
from actrepro.core.paths import record_of
from actrepro.replication.archive import Records
from actrepro.report.kit.tables import Entry, Row, Table


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
    verdicts: Sequence[tuple[str, int]] = ()
    points: Sequence[Mapping[str, Any]] = ()
    table: Table | None = field(default=None)


def section(made: Mapping[str, Any], root: Path, records: Records) -> Section:
    """Return the section from what the audit left, and the files it rests on as they are now."""
    always = {key: made[key] for key in ("title", "page", "command")}
    changed = [
        file for file, digest in made["files"].items() if _digest(file, root, records) != digest
    ]
    if changed:
        files = formats.counted(len(changed), "file")
        note = f"{files} that the verdicts rest on changed or went since they were given."
        return Section(note=note, **always)
    kept = {key: made[key] for key in ("text", "verdicts", "points")}
    return Section(**always, **kept, table=_table(made["table"], made["page"]))


def _digest(file: str, root: Path, records: Records) -> str | None:
    if record_of(file):
        return records.sha256_of(file)
    return sha256_of(root / file) if (root / file).is_file() else None


def _table(made: Mapping[str, Any], page: str) -> Table:
    rows = [Row([_cell(cell, page) for cell in cells]) for cells in made["rows"]]
    return Table(
        made["title"], made["caption"], made["columns"], rows, names=2, source=made["source"]
    )


def _cell(cell: Any, page: str) -> str | Entry:
    if isinstance(cell, str):
        return cell
    if "links" not in cell:
        return Entry(**cell)
    link = Markup('<a href="{}#{}">{}</a>')
    return Markup(", ").join(link.format(page, one["anchor"], one["text"]) for one in cell["links"])
