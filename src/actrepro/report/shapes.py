"""Data that another package leaves for the report, to be shown as a section."""

from __future__ import annotations

from typing import Annotated, final

from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Sha256, checked_as, closed

# A verdict, and how many claims have it.
Tally = Annotated[list[str | int], checked_as(tuple[str, Count])]


@final
@closed
class EntryCell(TypedDict):
    """A table's cell that is more than a text, as `tables.Entry` has it."""

    text: str
    below: str
    hint: str
    kind: str


@closed
class Link(TypedDict):
    """A text that leads to a place in the section's page."""

    text: str
    anchor: str


@final
@closed
class Links(TypedDict):
    """A table's cell of links."""

    links: list[Link]


@closed
class SectionTable(TypedDict):
    """A table of the section."""

    title: str
    caption: str
    columns: list[str]
    rows: list[list[str | EntryCell | Links]]
    source: str


@closed
class Point(TypedDict):
    """One of the claims that matter most."""

    title: str
    verdicts: list[Tally]
    says: str


@closed
class SectionFile(TypedDict):
    """The section, and the files by hash that it holds for."""

    title: str
    text: str
    verdicts: list[Tally]
    points: list[Point]
    table: SectionTable
    page: str
    command: str
    files: dict[str, Sha256 | None]
