"""The report as Markdown, for repositories and terminals: the same words and numbers.

What `report.html` shows in pictures stands here as links to the figures beside it.
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

# Characters that Markdown would take for its own.
OWN = "\\`*_[]<>|"
# Longer tables are files of their own, which are named.
MOST_ROWS = 400


def write_markdown(page: Mapping[str, Any], output: Path) -> None:
    """Write the report as Markdown; `page` is what `actrepro.report.page.contents` makes."""
    functions = {"table": markdown_table, "words": escaped, "link": figure_link}
    write_text(output, fill_text("report.md.j2", **functions, **page))


def markdown_table(made: Table) -> str:
    """A table with its name and caption above it and its source below it."""
    names = [_column(made, place) for place in range(len(made.columns))]
    lines = [
        f"**{escaped(made.title)}.** {escaped(made.caption)}",
        "",
        _line(names),
        _line(["---" if place < made.names else "--:" for place in range(len(names))]),
        *(_line(_cells(row)) for row in made.rows[:MOST_ROWS]),
        "",
    ]
    if left_out := len(made.rows) - MOST_ROWS:
        lines += [f"{left_out} more rows are in the CSV tables.", ""] if left_out > 0 else []
    if made.source:
        lines += [f"From `{made.source}`.", ""]
    return "\n".join(lines)


def _column(made: Table, place: int) -> str:
    """A column's name, with that of its group, for Markdown has no second line of names."""
    start = 0
    for heading, width in made.groups:
        if start <= place < start + width and heading and len(made.groups) > 2:
            return escaped(f"{heading}: {made.columns[place]}")
        start += width
    return escaped(made.columns[place])


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
    """Text that Markdown shows as it is, on one line.

    >>> escaped("smelu_1 | a*b")
    'smelu\\\\_1 \\\\| a\\\\*b'
    """
    return "".join(f"\\{sign}" if sign in OWN else sign for sign in " ".join(text.split()))


def figure_link(source: str) -> str:
    """Where a figure's picture lies, from the Markdown file's folder."""
    folder = Path(paths.REPORT_TEXT).parent
    return os.path.relpath(source, folder)
