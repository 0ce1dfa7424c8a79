"""The report as Markdown, for repositories and terminals: the same words and numbers.

Figures are links to the files beside it.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actrepro.core import paths
from actrepro.core.files import write_text
from actrepro.report.kit.markup import fill_text
from actrepro.report.kit.tables import Entry, Row, Table

# Characters with a meaning in Markdown.
OWN = "\\`*_[]<>|"
# A longer table is cut; the CSV files have all rows.
MOST_ROWS = 400


def write_markdown(page: Mapping[str, Any], output: Path) -> None:
    """Write the report as Markdown; `page` is the result of `actrepro.report.page.contents`."""
    functions = {"table": markdown_table, "words": escaped, "link": figure_link}
    write_text(output, fill_text("report.md.j2", **functions, **page))


def markdown_table(table: Table) -> str:
    """Return a table with its title and caption above it and its source below it."""
    names = [_column(table, place) for place in range(len(table.columns))]
    lines = [
        f"**{escaped(table.title)}.** {escaped(table.caption)}",
        "",
        _line(names),
        _line(["---" if place < table.names else "--:" for place in range(len(names))]),
        *(_line(_cells(row)) for row in table.rows[:MOST_ROWS]),
        "",
    ]
    if left_out := len(table.rows) - MOST_ROWS:
        lines += [f"{left_out} more rows are in the CSV tables.", ""] if left_out > 0 else []
    if table.source:
        lines += [f"From `{table.source}`.", ""]
    return "\n".join(lines)


def _column(table: Table, place: int) -> str:
    """Return a column's name, with its group's: Markdown has no second line of headings."""
    start = 0
    for heading, width in table.groups:
        if start <= place < start + width and heading and len(table.groups) > 2:
            return escaped(f"{heading}: {table.columns[place]}")
        start += width
    return escaped(table.columns[place])


def _cells(row: Row) -> list[str]:
    first, *others = row.cells
    named = _cell(first)
    return [f"{named} ({escaped(row.note)})" if row.note else named, *map(_cell, others)]


def _cell(cell: str | Entry) -> str:
    if isinstance(cell, str):
        return escaped(cell)
    return escaped(f"{cell.text} {cell.below}" if cell.below else cell.text)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Return text that Markdown shows unchanged, on one line.

    >>> escaped("smelu_1 | a*b")
    'smelu\\\\_1 \\\\| a\\\\*b'
    """
    return "".join(f"\\{sign}" if sign in OWN else sign for sign in " ".join(text.split()))


def figure_link(source: str) -> str:
    """Return the path to a figure, relative to the Markdown file's folder."""
    folder = Path(paths.REPORT_TEXT).parent
    return os.path.relpath(source, folder)
