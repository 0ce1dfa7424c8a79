"""Statistics of a scale: what its models share, each model's own, and what spans them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from actrepro.core.files import write_json
from actrepro.core.vocabulary import FINISHED
from actrepro.gates.after import Hashed, distinct, shared_hashes
from actrepro.gates.outcome import failed, in_order
from actrepro.gates.shapes import Gate, Shared
from actrepro.measures import PRIMARY
from actrepro.predict.store import RULES, Rule
from actrepro.results.cells import Stats, every_cell, known, sound
from actrepro.results.contrasts import LOSS
from actrepro.results.schema import (
    CellName,
    Classical,
    Decomposition,
    ModelOfScale,
    ModelStatsFile,
    Omnibus,
    OmnibusOfModel,
    ScaleModels,
    Spanning,
    StatsFile,
    read_model_stats,
)
from actrepro.statistics.contrasts import mark_unsound
from actrepro.statistics.decomposition import decompose
from actrepro.statistics.inference import holm
from actrepro.statistics.per_model import CLASSICAL, OMNIBUS
from actrepro.statistics.planning import planning, reach, undecided
from actrepro.statistics.sensitivity import averages, boxes, effects, sensitivities


def scale_statistics(
    scale: str, study: str, model_paths: Sequence[Path], output: Path
) -> StatsFile:
    """Write `stats.json` of a scale."""
    models = {model["model"]: model for model in map(read_model_stats, model_paths)}
    first = next(iter(models.values()))
    merged: ScaleModels = {
        "study": study,
        "scale": scale,
        "schema": first["schema"],
        "activations": first["activations"],
        "seeds": first["seeds"],
        "smoke": first["smoke"],
        "recommended_seeds": first["recommended_seeds"],
        "confidence": first["confidence"],
        "margins": first["margins"],
        "corpus_sha256": first["corpus_sha256"],
        "evaluation": first["evaluation"],
        "measures": first["measures"],
        "shared_between_models": shared_between_models(models),
        "omnibus": {
            rule: {metric: omnibus_over_models(models, rule, metric) for metric in OMNIBUS}
            for rule in RULES
        },
        "decomposition": {
            "final": decompositions(models, "final"),
            "best": decompositions(models, "best"),
            "matched": decompositions(models, "matched"),
        },
        "models": {name: _of_scale(model) for name, model in models.items()},
    }
    # `spanning` reads only these keys, so it may take them for the whole file.
    stats: StatsFile = {**merged, **spanning(cast(StatsFile, merged))}
    write_json(output, stats)
    return stats


def _of_scale(model: ModelStatsFile) -> ModelOfScale:
    """Return a model's statistics without what all models share."""
    return {
        "scale": model["scale"],
        "model": model["model"],
        "protocol": model["protocol"],
        "common_loss": model["common_loss"],
        "runs": model["runs"],
        "training": model["training"],
        "fit": model["fit"],
        "rules": model["rules"],
    }


def spanning(stats: Stats) -> Spanning:
    """Compute what spans the models of a scale, from their sound cells and their runs."""
    grid = averages(stats)
    seconds = (model["training"]["seconds"] for model in stats["models"].values())
    return {
        "training_seconds": math.fsum(seconds),
        "effects": effects(stats),
        "averages": None if grid is None else grid.as_json(),
        "boxes": boxes(stats),
        "sensitivity": [sensitivity.as_json() for sensitivity in sensitivities(stats)],
        "pareto_front": pareto_front(stats),
        "reach": reach(stats),
        "undecided": undecided(stats),
        "planning": planning(stats),
    }


def pareto_front(stats: Stats) -> list[CellName]:
    """Return the sound cells that no other beats in both loss and total variation.

    The cell with the lowest loss comes first. The uncertainty of the means does not count.
    """
    cells = [
        (model, activation, cell)
        for model, activation, cell in every_cell(stats)
        if sound(cell) and cell["differences"][PRIMARY] is not None
    ]
    points = [
        (known(cell["metrics"][LOSS])["value"], known(cell["differences"][PRIMARY])["value"])
        for _, _, cell in cells
    ]
    names: list[CellName] = [
        {"model": model, "activation": activation} for model, activation, _ in cells
    ]
    return [names[place] for place in front(points)]


def shared_between_models(models: Mapping[str, ModelStatsFile]) -> list[Shared]:
    """Mark the cells of runs that share weights or predictions with another model's.

    A model's own statistics do not know the other models, so this function fails the gate
    *distinct* and makes the contrasts *unsound*. It returns what is shared.
    """
    facts: dict[tuple[str, str, int], Hashed] = {
        (name, run["activation"], run["seed"]): {
            "weights_sha256": run["weights_sha256"]["final"],
            "predictions_sha256": run["predictions_sha256"],
        }
        for name, model in models.items()
        for run in model["runs"]
        if run["status"] == FINISHED
    }
    shared = shared_hashes(facts)
    shared_runs: list[Shared] = []
    for name, model in models.items():
        for activation in model["activations"]:
            cell = [run for run in facts if run[:2] == (name, activation)]
            outcome = distinct(cell, shared)
            already = model["rules"]["final"]["cells"][activation]["gates"]["distinct"]["passed"]
            if not outcome.passed and already:
                _mark(model, activation, outcome.as_json())
                shared_runs += outcome.measured["shared"]
    return shared_runs


def _mark(model: ModelStatsFile, activation: str, outcome: Gate) -> None:
    for rule in (model["rules"][name] for name in RULES):
        cell = rule["cells"][activation]
        cell["gates"]["distinct"] = outcome
        cell["failed_gates"] = failed(cell["gates"])
        for contrast in rule["contrasts"]:
            if activation in (contrast["a"], contrast["b"]):
                mark_unsound(contrast, "distinct")
        for row in rule["across"]:
            if activation in (row["a"], row["b"]):
                row["failed_gates"] = in_order({*row["failed_gates"], "distinct"})
        # These tests compared all sound cells at once, including this one.
        rule["omnibus"] = _without(rule["omnibus"], activation)
        rule["classical"] = _without(rule["classical"], activation)


_Test = TypeVar("_Test", Omnibus, Classical)


def _without(tests: Mapping[str, _Test | None], activation: str) -> dict[str, _Test | None]:
    """Return tests by measure, with null for those that compare this activation."""
    return {
        metric: None if test is None or activation in test["activations"] else test
        for metric, test in tests.items()
    }


def omnibus_over_models(
    models: Mapping[str, ModelStatsFile], rule: Rule, metric: str
) -> dict[str, OmnibusOfModel]:
    """Adjust each model's test that its activations are alike for the models (Holm)."""
    tests = {name: model["rules"][rule]["omnibus"][metric] for name, model in models.items()}
    p_values = {name: test["p"] for name, test in tests.items() if test is not None}
    adjusted = holm(list(p_values.values()))
    return {
        name: {"p": p, "p_holm": corrected}
        for (name, p), corrected in zip(p_values.items(), adjusted, strict=True)
    }


def decompositions(
    models: Mapping[str, ModelStatsFile], rule: Rule
) -> dict[str, Decomposition | None]:
    """Decompose the variance of each score under a checkpoint rule, by measure."""
    return {metric: decomposition(models, rule, metric) for metric in CLASSICAL}


def decomposition(
    models: Mapping[str, ModelStatsFile], rule: Rule, metric: str
) -> Decomposition | None:
    """Decompose the variance of a score by activation, model, their interaction, and seed.

    The scores are those of the largest complete grid of sound cells after leaving out
    either the activations or the models with an unsound cell, and of the seeds that all
    its cells have. None where fewer than two seeds are left.
    """
    grid = sound_grid(models, rule)
    if grid is None:
        return None
    names, activations = grid
    metrics = {
        (name, activation): known(
            models[name]["rules"][rule]["cells"][activation]["metrics"][metric]
        )
        for name in names
        for activation in activations
    }
    seeds = [
        seed
        for seed in models[names[0]]["seeds"]
        if all(str(seed) in score["by_seed"] for score in metrics.values())
    ]
    values = [
        [[metrics[name, activation]["by_seed"][str(seed)] for seed in seeds] for name in names]
        for activation in activations
    ]
    result = decompose(np.array(values)) if len(seeds) > 1 else None
    if result is None:
        return None
    return {"activations": activations, "models": names, "seeds": seeds, **result.as_json()}


def sound_grid(
    models: Mapping[str, ModelStatsFile], rule: Rule
) -> tuple[list[str], list[str]] | None:
    """Find the models and activations of a complete grid of sound cells; None if there is none."""
    activations = list(next(iter(models.values()))["activations"])
    unsound = {
        (name, activation)
        for name, model in models.items()
        for activation, cell in model["rules"][rule]["cells"].items()
        if cell["failed_gates"] or not cell["n"]
    }
    fewer_models = [name for name in models if name not in {name for name, _ in unsound}]
    fewer_activations = [
        activation
        for activation in activations
        if activation not in {activation for _, activation in unsound}
    ]
    grids = [(list(models), fewer_activations), (fewer_models, activations)]
    best = max(grids, key=lambda grid: len(grid[0]) * len(grid[1]))
    return best if all(best) else None


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the places of the points on the Pareto front, by their first coordinate.

    Smaller is better in both. A point beats another if no coordinate is larger and at
    least one is smaller, so equal points are either all on the front or all beaten.

    >>> front([(2.0, 1.0), (1.0, 2.0), (2.0, 2.0)])
    [1, 0]
    """
    order = sorted(range(len(points)), key=lambda place: points[place])
    kept: list[int] = []
    for place in order:
        if not kept or _is_unbeaten(points[place], points[kept[-1]]):
            kept.append(place)
    return kept


def _is_unbeaten(point: tuple[float, float], last: tuple[float, float]) -> bool:
    """Check that a point is not beaten by the front's last, whose first is no larger."""
    return point == last or point[1] < last[1]
