"""The controls side by side: the earlier number, the control's, and the honest one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import Claim, Table, read_shaped
from actrepro.audit.results import Results
from actrepro.core import paths
from actrepro.core.errors import ActreproError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Earlier(_Part):
    """A printed number: a row of the table, and which of its printed numbers."""

    row: str
    printed: str = "value"


class Line(_Part):
    """One line of a control's table."""

    quantity: str = Field(description="Under `numbers` in the control's file.")
    label: str
    unit: str = ""
    earlier: tuple[Earlier, ...] = ()


class Telling(_Part):
    """The description of a control."""

    title: str
    mistake: str = Field(description="What is done wrong on purpose.")
    shows: str = Field(description="What it does to the numbers.")
    gates: tuple[str, ...] = Field(description="The gates that must catch it.")
    lines: tuple[Line, ...]


def read_tellings(path: Path) -> dict[str, Telling]:
    """Read the description of each control, by its name.

    Raises
    ------
    ActreproError
        When the file is not as it must be.
    """
    return read_shaped(path, dict[str, Telling])


def side_by_side(path: Path, table: Table, results: Results) -> list[dict[str, Any]]:
    """Each control's table, its numbers null where it has not been run."""
    return [
        {
            "control": name,
            **telling.model_dump(mode="json", exclude={"lines", "gates"}),
            "file": paths.at(audit_paths.CONTROL, control=name),
            "run": name in results.controls,
            "about": results.controls.get(name, {}).get("about"),
            "gates": _gates(telling, results.controls.get(name)),
            "lines": [_line(name, line, table, results) for line in telling.lines],
        }
        for name, telling in read_tellings(path).items()
    ]


def _gates(telling: Telling, control: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [
        {"gate": gate, **({} if control is None else control["gates"][gate])}
        for gate in telling.gates
    ]


def _line(name: str, line: Line, table: Table, results: Results) -> dict[str, Any]:
    sides = {side: results.control(name, line.quantity, side) for side in ("control", "honest")}
    return {
        "quantity": line.quantity,
        "label": line.label,
        "unit": line.unit,
        "earlier": [
            {"row": one.row, "value": _printed(table.claim(one.row), one.printed)}
            for one in line.earlier
        ],
        **{side: None if one is None else one.value for side, one in sides.items()},
        **{
            f"{side}_interval": None if one is None or one.low is None else [one.low, one.high]
            for side, one in sides.items()
        },
    }


def _printed(claim: Claim, name: str) -> Any:
    if name not in claim.printed:
        raise ActreproError(
            f"claim {claim.id}: controls.yaml asks for printed.{name}; "
            f"printed has: {', '.join(claim.printed) or 'nothing'}"
        )
    return claim.printed[name]
