"""What the report's tables are made of: text ready to be shown, and where it came from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from actrepro import paths
from actrepro.cells import Stats


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
    """

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    names: int = 1
    source: str = ""
    groups: Sequence[tuple[str, int]] = ()

    @property
    def edges(self) -> set[int]:
        """The columns, from 0, that begin a group after the first."""
        return set(itertools.accumulate(width for _, width in self.groups[:-1]))


def stats_key(stats: Stats, key: str) -> str:
    """Where in a scale's `stats.json` a table's numbers stand."""
    return f"{paths.at(paths.SCALE_STATS, scale=stats['scale'])}: {key}"
