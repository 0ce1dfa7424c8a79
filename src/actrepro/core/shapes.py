"""The shapes of results files: what their types are made of, and reading a file as one of them.

Each stage describes the files that it writes in its own `shapes` module, as TypedDicts. A reader
asks `read_as` for a file of such a type, so that a type checker knows its keys, and what is read
has them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, GetPydanticSchema, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json

Sha256 = str
Name = str
Seed = int
Count = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0)]


def checked_as(kind: Any) -> GetPydanticSchema:
    """Annotate a type whose values are checked, and described, as those of another type."""
    return GetPydanticSchema(lambda _, describe: describe(kind))


# The ends, lower first. JSON has lists only, and this one has two entries.
Interval = Annotated[list[float], checked_as(tuple[float, float])]

# Decorates a TypedDict whose keys are all there, and no others.
closed = with_config(ConfigDict(extra="forbid", strict=True))


@closed
class GitState(TypedDict):
    """The source tree that trained."""

    commit: Annotated[str | None, Field(description="The commit; null outside a checkout.")]
    dirty: Annotated[
        bool | None, Field(description="Whether it had changes; null outside a checkout.")
    ]


@closed
class Machine(TypedDict):
    """A machine; nothing that names it."""

    system: Annotated[str, Field(description="The operating system.")]
    architecture: Annotated[str, Field(description="The processor's.")]
    processor: Annotated[str, Field(description="Its name; `unknown` where none is.")]
    cores: Annotated[int | None, Field(description="CPU cores; null where unknown.")]


_LONGEST = 60  # characters of what was found, in a message

Shape = TypeVar("Shape")


def read_as(kind: type[Shape], path: str | Path) -> Shape:
    """Read a JSON file that has the shape `kind`, a TypedDict.

    The values are those in the file, as `read_json` gives them: the type checks them and
    converts none.

    Raises
    ------
    ActreproError
        When the file is missing, damaged, or has another shape.
    """
    value: Shape = read_json(path)
    try:
        _adapter(kind).validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise ActreproError(
            f"{path}: {_difference(error)}; it is not what this version of actrepro writes there: "
            "delete it and run the workflow again, or read it with the version that wrote it"
        ) from None
    return value


# One for each shape: building it takes as long as reading a large file.
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def _difference(error: ValidationError) -> str:
    """Return what is different in the first place that differs."""
    first, *_ = error.errors()
    place = ".".join(map(str, first["loc"])) or "the file"
    if first["type"] == "missing":
        return f"found no {place}, expected one"
    found = repr(first["input"])
    shown = found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"
    if first["type"] == "extra_forbidden":
        return f"found {place} ({shown}), expected no such key"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: found {shown}, expected otherwise: {message[0].lower()}{message[1:]}"
