"""What a scale's tests could find, and what they found, from the contrasts in `stats.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from actrepro.cells import Stats
from actrepro.measures import PRIMARY

Contrast = Mapping[str, Any]


def family(stats: Stats, model: str, metric: str) -> list[Contrast]:
    """All contrasts of a metric in a model: the family that Holm's correction is over."""
    contrasts = stats["models"][model]["rules"]["final"]["contrasts"]
    return [contrast for contrast in contrasts if contrast["metric"] == metric]


def significant(stats: Stats, contrast: Contrast) -> bool:
    """Whether the corrected p-value is below 1 − confidence."""
    return contrast["p_holm"] is not None and contrast["p_holm"] < alpha(stats)


def alpha(stats: Stats) -> float:
    """The level that a corrected p-value must stay below."""
    # Rounded, because 1 − 0.95 is a little more than 0.05.
    return round(1 - float(stats["confidence"]), 12)


def smallest_p(stats: Stats, metric: str = PRIMARY) -> float | None:
    """The smallest p that any contrast's seeds allow; None where nothing is tested."""
    found = [
        contrast["p_smallest"]
        for model in stats["models"]
        for contrast in family(stats, model, metric)
        if contrast["p"] is not None
    ]
    return min(found, default=None)


def smallest_holm(stats: Stats, metric: str = PRIMARY) -> float | None:
    """The smallest corrected p that any model's family allows: its size times the smallest p."""
    found = []
    for model in stats["models"]:
        tested = [c["p_smallest"] for c in family(stats, model, metric) if c["p"] is not None]
        if tested:
            found.append(min(1.0, len(tested) * min(tested)))
    return min(found, default=None)


def seeds_needed(tests: int, level: float) -> int:
    """The fewest seeds with tests · 2/2ⁿ < level: from there on a corrected test can find one."""
    return math.floor(1 + math.log2(tests / level)) + 1
