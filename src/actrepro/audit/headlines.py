"""The claims that matter most: a title in plain words, and the rows behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actrepro.audit.claims import Table, read_yaml
from actrepro.core.errors import ActreproError


class Headline(BaseModel):
    """A claim in plain words, and the ids of the rows whose evidence is told with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    claimed: str = Field(description="What the earlier study said, in a sentence.")
    rows: tuple[str, ...] = Field(min_length=1)


def read_headlines(path: Path, table: Table) -> list[dict[str, Any]]:
    """The headlines, whose rows must stand in the table.

    Raises
    ------
    ActreproError
        When the file is not as it must be, or names a row that is not in the table.
    """
    try:
        headlines = TypeAdapter(list[Headline]).validate_python(read_yaml(path))
    except ValidationError as error:
        one = error.errors()[0]
        place = ".".join(map(str, one["loc"]))
        raise ActreproError(f"{path}: {place}: {one['msg']} (found {one['input']!r})") from None
    for headline in headlines:
        for row in headline.rows:
            table.claim(row)
    return [headline.model_dump(mode="json") for headline in headlines]
