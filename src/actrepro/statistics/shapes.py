"""The shape of `costs.json`. `actrepro.results.schema` has that of `stats.json`."""

from __future__ import annotations

from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Interval, Name, Positive, closed


@closed
class Estimate(TypedDict):
    """The cost of the study's models, activations and seeds at a scale."""

    operations: Interval  # of one run, in the smallest and in the largest model
    seconds: Interval  # of all runs, at the highest and at the lowest rate


@closed
class Choice(TypedDict):
    """The cost of a number of activations and seeds at the study's scale."""

    activations: Count
    seeds: Count
    runs: Count
    seconds: Positive


@closed
class Costs(TypedDict):
    """`costs.json` of a scale."""

    scale: str
    rates: dict[Name, Positive]  # operations per second, by model
    seconds: dict[Name, dict[Name, Positive]]  # of one run, by scale and model
    estimates: dict[Name, Estimate]  # by scale of the config
    choices: list[Choice]  # as `planning.examples` in `stats.json`
