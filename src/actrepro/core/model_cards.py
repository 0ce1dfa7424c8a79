"""The shape of `models.json`, which is read where torch is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, final

from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Name, closed


@closed
class Node(TypedDict):
    """A part of a model, as `models.outline` describes it."""

    name: str
    kind: str
    parameters: Count
    repeats: Count
    calls: Count
    activation: bool
    children: list[Node]


@final
@closed
class ModelCounts(TypedDict):
    """A model at a scale, by activation; its outline only at the study's own scales."""

    parameters: dict[Name, Count]
    flops_per_character: dict[Name, float]
    characters: Count
    outline: NotRequired[list[Node]]


@final
@closed
class ModelRefused(TypedDict):
    """A user's model that does not fit a scale, and why."""

    why: str


Card = ModelCounts | ModelRefused


def counted_models(cards: Mapping[str, Card]) -> dict[str, ModelCounts]:
    """Select the models of a scale whose operations are known: a user's may refuse the scale."""
    return {name: card for name, card in cards.items() if "why" not in card}


@closed
class Curve(TypedDict):
    """An activation on a grid, with its derivative; null where it is no number."""

    gated: bool
    repeatable: bool
    x: list[float]
    y: list[float | None]
    derivative: list[float | None]


@closed
class ModelCards(TypedDict):
    """`models.json`."""

    schema: int
    scales: dict[Name, dict[Name, Card]]
    activations: dict[Name, Curve]
