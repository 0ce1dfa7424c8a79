"""The audit's page: one self-contained HTML file with a verdict on every claim.

It shows what `claims.json` says, as far as the evidence still is what it was. Without
scripts it is a plain page with every row; with them, rows can be filtered and searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actrepro.audit import recorded
from actrepro.audit.claims import CLAIMS_FOLDER
from actrepro.audit.page import parts
from actrepro.audit.page.section import section
from actrepro.audit.staleness import TARGET, current, outdated
from actrepro.core import formats
from actrepro.core.files import read_json, write_json, write_text
from actrepro.replication.archive import NONE, Records, read_records
from actrepro.report.kit.markup import fill
from actrepro.report.kit.tables import Row, Table
from actrepro.report.sections.gates import words

ANY_SCALE = "none or several"


@dataclass(frozen=True)
class Filter:
    """A filter of rows: its name, its label, and its values with their labels."""

    name: str
    label: str
    choices: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Control:
    """A control with its description and its tables."""

    told: Mapping[str, Any]
    sizes: str
    numbers: Table
    gates: Table


def write_page(
    claims_json: Path,
    output: Path,
    section_output: Path,
    root: Path = Path(),
    records: Sequence[Path] = (),
) -> None:
    """Write the audit's page, and its section of the report; the same inputs give the same bytes.

    Parameters
    ----------
    claims_json
        The verdicts.
    output
        The HTML file.
    section_output
        The section, as JSON.
    root
        The folder that the names of results files start from.
    records
        Folders of records.

    Raises
    ------
    ActreproError
        When `claims.json` is missing or damaged.
    """
    audit, known = read_json(claims_json), read_records(records)
    write_text(output, page(audit, root, known))
    write_json(section_output, section(current(audit, root, known)))


def page(audit: Mapping[str, Any], root: Path = Path(), records: Records = NONE) -> str:
    """The page as text."""
    shown = current(audit, root, records)
    return fill(
        "audit.html.j2",
        audit=shown,
        note=parts.outdated_note(shown),
        recorded_note=recorded.note(shown),
        target_command=TARGET,
        claims=parts.claims_tally(shown),
        tallies=parts.tallies(shown),
        counts=counts_table(shown),
        headlines=parts.headlines(shown),
        controls=[_control(control, shown) for control in shown["controls"]],
        filters=filters(shown),
        any_scale=ANY_SCALE,
        files=files_table(audit, outdated(audit, root, records)),
        claims_folder=CLAIMS_FOLDER,
        anchor=parts.anchor,
        deciding=parts.deciding,
        measured=parts.measured,
        tolerance=tolerance,
    )


def counts_table(audit: Mapping[str, Any]) -> Table:
    """Return the numbers of rows by kind and verdict."""
    tallies = parts.tallies(audit)
    rows = [
        Row([one.name, *map(str, one.verdicts.values()), formats.count(one.total)])
        for one in tallies
    ]
    return Table(
        "Verdicts by kind",
        "Rows of each kind by their verdict.",
        ["kind", *audit["verdicts"], "all"],
        rows,
    )


def _control(control: Mapping[str, Any], audit: Mapping[str, Any]) -> Control:
    return Control(
        control,
        words(_sizes(control["about"] or {})),
        parts.control_table(control, audit),
        parts.gates_table(control),
    )


def _sizes(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes in a control's file, without hashes."""
    return {name: value for name, value in about.items() if not name.endswith("sha256")}


def filters(audit: Mapping[str, Any]) -> list[Filter]:
    """Return the filters of rows, besides verdict and search."""
    rows = audit["claims"]
    documents = {
        name: f"{name} {one['name']}"
        for name, one in audit["documents"].items()
        if any(row["document"] == name for row in rows)
    }
    return [
        Filter("kind", "Kind", [(one.name, one.name) for one in parts.tallies(audit)]),
        Filter("document", "Document", list(documents.items())),
        Filter("scale", "Scale", _values(row["scale"] for row in rows)),
        Filter("model", "Model", _values(row["model"] for row in rows)),
    ]


def _values(found: Iterable[str | None]) -> list[tuple[str, str]]:
    """Return each value once, in the order of the rows; rows without one come last."""
    each = dict.fromkeys(found)
    named = [(value, value) for value in each if value is not None]
    return [*named, (ANY_SCALE, ANY_SCALE)] if None in each else named


def tolerance(arguments: Mapping[str, Any]) -> str:
    """A check's arguments as they stand in the table of claims.

    >>> tolerance({"within": 0.02, "rows": ["a", "b"]})
    'within 0.02; rows a, b'
    """
    return "; ".join(f"{name.replace('_', ' ')} {_argument(arguments[name])}" for name in arguments)


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_argument(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_argument, value))
    return parts.printed(value)


def files_table(audit: Mapping[str, Any], changed: set[str]) -> Table:
    """The files that the verdicts were given with."""
    rows = [
        Row([file, digest, "changed or gone" if file in changed else "as it was"])
        for file, digest in audit["files"].items()
    ]
    return Table(
        "Files",
        "Every file that was read, with its SHA-256 then, and whether it still is that file.",
        ["file", "SHA-256 then", "now"],
        rows,
        names=3,
    )
