"""What the report's tables are made of: text ready to be shown, and where it came from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from actrepro.core import paths
from actrepro.report.kit.origins import origin
from actrepro.results.cells import Stats

# A longer table is shown by pages: its first rows as markup, all of them as data.
LONG = 60
FIRST = 20
# From so many rows on a table can be searched.
SEARCHED = 8


@dataclass(frozen=True)
class Entry:
    """A table's cell that is more than a text.

    Attributes
    ----------
    below
        A smaller second line.
    hint
        Told when pointed at.
    kind
        How it looks: a verdict, `passed` or `failed`.
    """

    text: str
    below: str = ""
    hint: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """Cells of a table's row; the first one names it. A failed row is greyed."""

    cells: Sequence[str | Entry]
    note: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Table:
    """A table; its first `names` columns are words, the others numbers.

    `groups` are headings above the columns, each with the number of columns below it.
    `source` is the file, and where in it; `keys` say the latter row by row, where rows differ.
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
        """The function that computed them."""
        return origin(self.source)

    @property
    def long(self) -> bool:
        """Whether it is shown by pages; what holds markup never is."""
        return len(self.rows) > LONG and not any(
            isinstance(cell, Markup) for row in self.rows for cell in row.cells
        )

    @property
    def searched(self) -> bool:
        """Whether its rows can be searched."""
        return len(self.rows) >= SEARCHED

    @property
    def first_rows(self) -> Sequence[Row]:
        """The rows that are markup."""
        return self.rows[:FIRST] if self.long else self.rows

    @property
    def data(self) -> list[list[object]]:
        """Every row as the page's script reads it: cells, note, whether failed, key."""
        return [
            [list(map(_plain, row.cells)), row.note, int(row.failed), self.key_of(place)]
            for place, row in enumerate(self.rows)
        ]

    def key_of(self, place: int) -> str:
        """Where in the file a row's numbers stand; empty where all rows are from one place."""
        return self.keys[place] if self.keys else ""

    @property
    def edges(self) -> set[int]:
        """The columns, from 0, that begin a group after the first."""
        return set(itertools.accumulate(width for _, width in self.groups[:-1]))


def stats_key(stats: Stats, key: str) -> str:
    """Where in a scale's `stats.json` a table's numbers stand."""
    return f"{paths.at(paths.SCALE_STATS, scale=stats['scale'])}: {key}"


def _plain(cell: str | Entry) -> str | list[str]:
    """A cell without names for its parts."""
    if isinstance(cell, str):
        return cell
    parts = [cell.text, cell.below, cell.hint, cell.kind]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts
