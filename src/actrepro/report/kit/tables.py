"""Parts of the report's tables: text ready to be shown, and its source."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from actrepro.core import paths
from actrepro.report.kit.origins import origin
from actrepro.results.cells import Stats

# A longer table is shown page by page: its first rows are markup, all rows are data.
LONG = 60
FIRST = 20
# A table with at least this many rows can be searched.
SEARCHED = 8


@dataclass(frozen=True)
class Entry:
    """A table's cell with more than one text.

    Attributes
    ----------
    below
        A smaller second line.
    hint
        Text shown when a pointer rests on the cell.
    kind
        Its look: a verdict, `passed` or `failed`.
    """

    text: str
    below: str = ""
    hint: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """Cells of a table's row, the first of which names it. A failed row is greyed."""

    cells: Sequence[str | Entry]
    note: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Table:
    """A table; its first `names` columns are words, the others numbers.

    `groups` are headings above the columns, each with the number of columns below it.
    `source` is the file and the key in it; `keys` has the key of each row, if rows differ.
    """

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    names: int = 1
    source: str = ""
    groups: Sequence[tuple[str, int]] = ()
    keys: Sequence[str] = ()

    @property
    def function(self) -> str:
        """The function that computed the numbers."""
        return origin(self.source)

    @property
    def long(self) -> bool:
        """True if the table is shown page by page; a table with markup in its cells never is."""
        return len(self.rows) > LONG and not any(
            isinstance(cell, Markup) for row in self.rows for cell in row.cells
        )

    @property
    def searched(self) -> bool:
        """True if the rows can be searched."""
        return len(self.rows) >= SEARCHED

    @property
    def first_rows(self) -> Sequence[Row]:
        """The rows that are written as markup."""
        return self.rows[:FIRST] if self.long else self.rows

    @property
    def data(self) -> list[list[object]]:
        """Every row for the page's script: cells, note, whether failed, key."""
        return [
            [list(map(_plain, row.cells)), row.note, int(row.failed), self.key_of(place)]
            for place, row in enumerate(self.rows)
        ]

    def key_of(self, place: int) -> str:
        """Return a row's key in the source file; empty if all rows have the same source."""
        return self.keys[place] if self.keys else ""

    @property
    def edges(self) -> set[int]:
        """The columns, counted from 0, that begin a group after the first."""
        return set(itertools.accumulate(width for _, width in self.groups[:-1]))


def stats_key(stats: Stats, key: str) -> str:
    """Return the source of a table's numbers: a scale's `stats.json` and a key."""
    return f"{paths.at(paths.SCALE_STATS, scale=stats['scale'])}: {key}"


def _plain(cell: str | Entry) -> str | list[str]:
    """Return a cell as a list of its parts, without trailing empty ones."""
    if isinstance(cell, str):
        return cell
    parts = [cell.text, cell.below, cell.hint, cell.kind]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts
