"""Types of `gates.json` and `gates-after.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from actrepro.core.shapes import Name, closed
from actrepro.predict.store import Rule


@closed
class Gate(TypedDict):
    """The outcome of a gate."""

    passed: Annotated[bool, Field(description="Whether the bound holds.")]
    measured: Annotated[
        JsonValue, Field(description="What was measured; its keys depend on the gate.")
    ]
    bound: Annotated[str, Field(description="What it was held against, in words.")]


# What two runs may share.
What = Literal["weights", "predictions"]
# By gate, its outcome in one cell.
Outcomes = dict[str, Gate]


@closed
class GatesBefore(TypedDict):
    """`gates.json`: by activation, each gate's outcome before training."""

    scale: Name
    model: Name
    activations: dict[Name, Outcomes]


@closed
class GatesAfter(TypedDict):
    """`gates-after.json`: by checkpoint rule and activation, each gate's outcome after training."""

    scale: Name
    model: Name
    rules: dict[Rule, dict[Name, Outcomes]]


# `with` cannot be written as the name of a field.
_Shared = TypedDict(
    "_Shared",
    {
        "run": Annotated[str, Field(description="Model, activation, seed.")],
        "what": Annotated[What, Field(description="What is the same, to the bit.")],
        "with": Annotated[list[str], Field(description="The other runs that have it.")],
    },
)


@closed
class Shared(_Shared):
    """Runs that share weights or predictions."""
