"""Total variation over models and activations: averages, pairs, and sensitivity.

Noise alone makes the range of several means positive, and more noise makes it larger. So it
is compared with the ranges that the cells' own standard errors would give.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import scipy.special

from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL
from actrepro.results import schema
from actrepro.results.cells import Stats, cells_of, known, sound
from actrepro.results.contrasts import LOSS
from actrepro.results.schema import Difference
from actrepro.statistics.contrasts import estimate_json
from actrepro.statistics.inference import Estimate

DRAWS = 10_000


@dataclass(frozen=True)
class Sensitivity:
    """A model's range between the means of its sound activations.

    Attributes
    ----------
    cells
        Number of sound activations with a mean.
    range
        The largest mean minus the smallest; None with fewer than two.
    typical, high
        Median and upper quantile of that range if all true means were the same; None
        where any cell has no standard error.
    """

    model: str
    cells: int
    range: float | None
    typical: float | None
    high: float | None

    @property
    def beyond_noise(self) -> bool | None:
        """True if the range exceeds what seeds alone would give; None where unknown."""
        return None if self.range is None or self.high is None else self.range > self.high

    def as_json(self) -> schema.Sensitivity:
        """Return the form of results files."""
        return {
            "model": self.model,
            "cells": self.cells,
            "range": self.range,
            "typical": self.typical,
            "high": self.high,
            "beyond_noise": self.beyond_noise,
        }


def sensitivities(stats: Stats) -> list[Sensitivity]:
    """Compute the sensitivity of each model, the largest first, models without a range last."""
    models = [_sensitivity(stats, model) for model in stats["models"]]
    return sorted(models, key=lambda model: math.inf if model.range is None else -model.range)


def _sensitivity(stats: Stats, model: str) -> Sensitivity:
    cells = [
        difference
        for cell in cells_of(stats, model).values()
        if sound(cell) and (difference := cell["differences"][PRIMARY]) is not None
    ]
    if len(cells) < 2:
        return Sensitivity(model, len(cells), None, None, None)
    values = [cell["value"] for cell in cells]
    errors = [(cell["standard_error"], cell["n"]) for cell in cells]
    typical, high = noise_range(errors, stats["confidence"])
    return Sensitivity(model, len(cells), max(values) - min(values), typical, high)


def noise_range(
    errors: Sequence[tuple[float | None, int]], confidence: float
) -> tuple[float | None, float | None]:
    """Compute median and `confidence` quantile of the range of means that differ by noise alone.

    Each mean is drawn around 0 as Student's t with n − 1 degrees of freedom times its
    standard error, independent of the others. Activations share their seeds, so the
    true range may be a little narrower. The draws are the same at every call.

    Parameters
    ----------
    errors
        By mean, its standard error and the number of seeds n.
    """
    known = [(error, n) for error, n in errors if error is not None]
    if len(known) < len(errors):
        return None, None
    generator = np.random.Generator(np.random.PCG64(len(known)))
    drawn = np.array([error * generator.standard_t(n - 1, DRAWS) for error, n in known])
    typical, high = np.quantile(np.ptp(drawn, axis=0), (0.5, confidence))
    return float(typical), float(high)


@dataclass(frozen=True)
class Averages:
    """Mean total variation by activation, over the same models for each.

    `models` and the activations in `means` are the largest complete grid of sound cells.
    """

    models: list[str]
    means: dict[str, Estimate]

    def as_json(self) -> schema.Averages:
        """Return the form of results files."""
        means = {activation: estimate_json(mean) for activation, mean in self.means.items()}
        return {"models": self.models, "means": means}


def averages(stats: Stats) -> Averages | None:
    """Compute activations' means over models; None without a complete grid of sound cells."""
    grid = stats["decomposition"][FINAL][LOSS]
    if grid is None:
        return None
    means = {
        activation: _average(
            [
                cells_of(stats, model)[activation]["differences"][PRIMARY]
                for model in grid["models"]
            ],
            stats["confidence"],
        )
        for activation in grid["activations"]
    }
    return Averages(
        grid["models"], {name: mean for name, mean in means.items() if mean is not None}
    )


def _average(cells: Sequence[Difference | None], confidence: float) -> Estimate | None:
    """Compute the mean of cells with independent errors; None where one has no value.

    Student's quantile has the degrees of freedom of a single cell: too wide where
    many models are averaged, never too narrow.
    """
    known = [cell for cell in cells if cell is not None]
    if len(known) < len(cells):
        return None
    value = math.fsum(cell["value"] for cell in known) / len(known)
    n = min(cell["n"] for cell in known)
    errors = [cell["standard_error"] for cell in known if cell["standard_error"] is not None]
    if len(errors) < len(known):
        return Estimate(value, n, None, None)
    error = math.hypot(*errors) / len(errors)
    reach = error * float(scipy.special.stdtrit(n - 1, (1 + confidence) / 2))
    return Estimate(value, n, error, (value - reach, value + reach))


def effects(stats: Stats) -> dict[str, schema.Effects]:
    """Compute the mean total variation between two runs of sound cells, by model.

    `activation` is the mean over runs with one seed and two activations. `seed` is the mean over
    cells of their means over runs with one activation and two seeds.
    """
    return {
        model: {
            "activation": _mean(_between_activations(stats, model)),
            "seed": _mean(_between_seeds(stats, model).values()),
        }
        for model in stats["models"]
    }


def _between_activations(stats: Stats, model: str) -> list[float]:
    cells = cells_of(stats, model)
    return [
        row["same_seed"]["value"]
        for row in stats["models"][model]["rules"][FINAL]["across"]
        if row["metric"] == PRIMARY
        and row["same_seed"] is not None
        and all(sound(cells[end]) for end in (row["a"], row["b"]))
    ]


def _between_seeds(stats: Stats, model: str) -> dict[str, float]:
    """Return the means of a model's sound cells, by activation."""
    return {
        activation: difference["value"]
        for activation, cell in cells_of(stats, model).items()
        if sound(cell) and (difference := cell["differences"][PRIMARY]) is not None
    }


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return fmean(known) if known else None


def boxes(stats: Stats) -> dict[str, schema.Box | None]:
    """Compute quartiles and extremes of each activation's single pairs of seeds, over models.

    A pair counts by its distance from the mean of its model's sound cells.
    """
    distances: dict[str, list[float]] = {activation: [] for activation in stats["activations"]}
    for model in stats["models"]:
        values = _between_seeds(stats, model)
        centre = _mean(values.values()) or 0.0
        for activation in values:
            difference = known(cells_of(stats, model)[activation]["differences"][PRIMARY])
            distances[activation] += [pair["value"] - centre for pair in difference["pairs"]]
    return {activation: _box(values) for activation, values in distances.items()}


def _box(values: Sequence[float]) -> schema.Box | None:
    if not values:
        return None
    lowest, lower, middle, upper, highest = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    return {
        "lowest": lowest,
        "lower_quartile": lower,
        "median": middle,
        "upper_quartile": upper,
        "highest": highest,
    }
