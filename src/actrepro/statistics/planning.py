"""What more seeds could find: the smallest detectable difference by number of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from actrepro.measures import PRIMARY
from actrepro.results.cells import Stats
from actrepro.results.contrasts import alpha, tested
from actrepro.statistics.inference import smallest_p
from actrepro.statistics.power import detectable

MOST_SEEDS = 64
POINTS = 12
POWER = 0.8


@dataclass(frozen=True)
class Plan:
    """A model's contrasts in total variation, and what numbers of seeds could find.

    Attributes
    ----------
    family
        Contrasts that were tested; each at α divided by so many, Holm's hardest step.
    sds
        Standard deviations of their differences between seeds, in rising order.
    seeds
        Numbers of seeds, from the fewest whose exact test can reach that level at all;
        empty where none up to `MOST_SEEDS` does.
    sizes
        Smallest difference that so many seeds find with a power of 80%, in standard deviations.
    """

    model: str
    family: int
    sds: Sequence[float]
    seeds: Sequence[int]
    sizes: Sequence[float]

    def detectable(self, sd: float) -> list[float]:
        """Smallest detectable differences of a contrast with this spread, by `seeds`."""
        return [sd * size for size in self.sizes]

    @property
    def typical(self) -> float:
        """The median of `sds`."""
        return median(self.sds)


def plan_of(stats: Stats, model: str) -> Plan | None:
    """A model's plan; None where no contrast was tested or none has a spread."""
    contrasts = tested(stats, model, PRIMARY)
    sds = sorted(one["sd"] for one in contrasts if one["sd"] is not None)
    if not sds:
        return None
    level, family = alpha(stats), len(contrasts)
    able = [n for n in range(2, MOST_SEEDS + 1) if smallest_p(n) < level / family]
    seeds = _spread(able)
    sizes = [detectable(1.0, n, level, family, POWER) or 0.0 for n in seeds]
    return Plan(model, family, sds, seeds, sizes)


def _spread(numbers: Sequence[int]) -> list[int]:
    """About `POINTS` of consecutive numbers, ever farther apart, with the first and the last."""
    if len(numbers) < 2:
        return list(numbers)
    first, last = numbers[0], numbers[-1]
    ratio = (last / first) ** (1 / (POINTS - 1))
    return sorted({min(last, round(first * ratio**step)) for step in range(POINTS)})
