"""The table of claims: statements of five earlier documents, and the checks of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actrepro.core.errors import ActreproError

# The subject of each kind of claim. Each kind has a file in `resources/claims/`, below.
KINDS = {
    "reported number": "a number that the earlier study printed",
    "comparison": "which of several does better, or by how much",
    "identity": "activations that gave the same numbers",
    "statistic": "a test, a spread, a number of trials",
    "cost": "times, totals, savings, prices",
    "protocol": "how models were built and trained",
    "definition": "what a name stands for",
}
FILES = {
    "reported number": "reported_numbers.yaml",
    "comparison": "comparisons.yaml",
    "identity": "identities.yaml",
    "statistic": "statistics.yaml",
    "cost": "costs.yaml",
    "protocol": "protocols.yaml",
    "definition": "definitions.yaml",
}

# The scales whose results claims are put to; no other scale's are read.
SCALES = ("cpu", "cpu500", "lite", "partial", "full")
# Where the table lies in the repository, and all of its files.
CLAIMS_FOLDER = "resources/claims"
DOCUMENTS, HEADLINES, CONTROLS = "documents.yaml", "headlines.yaml", "controls.yaml"
CITED = "cited.yaml"
CLAIM_FILES = (*FILES.values(), CITED, DOCUMENTS, HEADLINES, CONTROLS)


Row = TypeVar("Row", bound="Cited")
Shape = TypeVar("Shape")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Part):
    """The origin of a claim: a document of `documents.yaml`, and its lines."""

    document: str
    lines: str


class Cited(_Part):
    """Printed numbers.

    Attributes
    ----------
    id
        Their name, unique in the table.
    printed
        By name, a number or a list of numbers.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    origin: Origin
    printed: Mapping[str, Any] = Field(default_factory=dict)

    def number(self, name: str = "value") -> float:
        """A printed number.

        Raises
        ------
        ActreproError
            When the row has no such number.
        """
        value = self.printed.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ActreproError(
                f"claim {self.id}: its check needs the number printed.{name}, found {value!r}; "
                f"printed has: {', '.join(self.printed) or 'nothing'}"
            )
        return float(value)

    def numbers(self, name: str) -> list[float]:
        """A printed list of numbers.

        Raises
        ------
        ActreproError
            When the row has no such list.
        """
        values = self.printed.get(name)
        if not isinstance(values, list) or not all(
            isinstance(value, int | float) for value in values
        ):
            raise ActreproError(
                f"claim {self.id}: its check needs the list of numbers printed.{name}, "
                f"found {values!r}"
            )
        return [float(value) for value in values]


class Claim(Cited):
    """A row of the table: printed numbers, a statement, and its checks.

    Attributes
    ----------
    says
        The claim, in a sentence with the printed numbers.
    scale, model, activations
        Its subject, where that is one scale, one model, or some activations.
    unit
        Of the printed numbers.
    checks
        Calls of checks: each the name of one under `check`, beside its arguments.
    """

    says: str = Field(min_length=10)
    scale: str | None = None
    model: str | None = None
    activations: tuple[str, ...] = ()
    unit: str = ""
    checks: tuple[Mapping[str, Any], ...] = Field(min_length=1)
    kind: str


class Document(_Part):
    """A document of the earlier study."""

    name: str
    about: str
    date: str


class Headline(_Part):
    """One of the claims that matter most, in plain words, and the rows that give its evidence."""

    title: str
    claimed: str = Field(description="What the earlier study said, in a sentence.")
    rows: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Table:
    """All claims by id, in the order of the files, and the documents that they are from.

    `cited` are numbers of the documents that checks refer to and that are no claims.
    """

    claims: Mapping[str, Claim]
    documents: Mapping[str, Document]
    cited: Mapping[str, Cited] = field(default_factory=dict)

    def claim(self, id_: str) -> Claim:
        """Return a claim that another one's check refers to.

        Raises
        ------
        ActreproError
            When there is none of that id.
        """
        if id_ not in self.claims:
            raise ActreproError(f"the table of claims has no row '{id_}', which a check refers to")
        return self.claims[id_]

    def numbers(self, id_: str) -> Cited:
        """Return the printed numbers of a row, be it a claim or only cited; as `claim`."""
        return self.cited[id_] if id_ in self.cited else self.claim(id_)


def read_table(folder: Path) -> Table:
    """Read the table of claims from its folder.

    Raises
    ------
    ActreproError
        Naming the file and row that are wrong, and what was expected.
    """
    documents = read_shaped(folder / DOCUMENTS, dict[str, Document])
    claims: dict[str, Claim] = {}
    for kind, file in FILES.items():
        path = folder / file
        for claim in _rows(path, Claim, kind=kind):
            if claim.id in claims:
                raise ActreproError(f"{path}: '{claim.id}' is in the table twice")
            if claim.origin.document not in documents:
                raise ActreproError(
                    f"{path}: '{claim.id}' is from {claim.origin.document}, which "
                    f"documents.yaml does not have; valid: {', '.join(documents)}"
                )
            claims[claim.id] = claim
    cited = {one.id: one for one in _rows(folder / CITED, Cited)}
    twice = next((id_ for id_ in cited if id_ in claims), None)
    if twice is not None:
        raise ActreproError(f"{folder / CITED}: '{twice}' is a claim; name its row as `row.key`")
    return Table(claims, documents, cited)


def read_headlines(path: Path, table: Table) -> list[dict[str, Any]]:
    """Read the headlines, whose rows must be in the table.

    Raises
    ------
    ActreproError
        When the file is malformed, or names a row that the table does not have.
    """
    headlines = read_shaped(path, list[Headline])
    for headline in headlines:
        for row in headline.rows:
            table.claim(row)
    return [headline.model_dump(mode="json") for headline in headlines]


def read_shaped(path: Path, shape: type[Shape]) -> Shape:
    """Read a YAML file of the table that must have a shape.

    Raises
    ------
    ActreproError
        Naming the file, the wrong key, and what was found.
    """
    try:
        return TypeAdapter(shape).validate_python(read_yaml(path))
    except ValidationError as error:
        raise ActreproError(f"{path}: {_first(error)}") from None


def _rows(path: Path, shape: type[Row], **more: str) -> Sequence[Row]:
    rows = read_yaml(path)
    if not isinstance(rows, list):
        raise ActreproError(f"{path}: expected a list of claims, found {type(rows).__name__}")
    found = []
    for number, row in enumerate(rows, start=1):
        name = row.get("id", f"row {number}") if isinstance(row, dict) else f"row {number}"
        try:
            found.append(shape.model_validate({**row, **more}))
        except (ValidationError, TypeError) as error:
            what = _first(error) if isinstance(error, ValidationError) else "is no mapping"
            raise ActreproError(f"{path}: {name}: {what}") from None
    return found


def _first(error: ValidationError) -> str:
    one = error.errors()[0]
    return f"{'.'.join(map(str, one['loc']))}: {one['msg']} (found {one['input']!r})"


def read_yaml(path: Path) -> Any:
    """Read a YAML file of the table.

    Raises
    ------
    ActreproError
        When the file is missing or is not YAML.
    """
    # libyaml's loader where PyYAML was built with it: ten times as fast, and the same.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except FileNotFoundError:
        raise ActreproError(
            f"{path}: there is no such file; the table of claims needs it"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ActreproError(f"{path}: not a readable table of claims: {error}") from None
