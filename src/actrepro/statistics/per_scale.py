"""Statistics of a scale: what its models share once, then each model's, and what spans them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actrepro.core.files import read_json, write_json
from actrepro.core.vocabulary import FINISHED
from actrepro.gates.after import distinct, shared_hashes
from actrepro.gates.outcome import failed, in_order
from actrepro.measures import PRIMARY
from actrepro.predict.store import RULES
from actrepro.results.cells import Stats, every_cell, sound
from actrepro.results.contrasts import LOSS
from actrepro.statistics.contrasts import mark_unsound
from actrepro.statistics.decomposition import decompose
from actrepro.statistics.inference import holm
from actrepro.statistics.per_model import CLASSICAL, OMNIBUS
from actrepro.statistics.planning import planning, reach, undecided
from actrepro.statistics.sensitivity import averages, boxes, effects, sensitivities

SHARED = (
    "schema",
    "activations",
    "seeds",
    "smoke",
    "recommended_seeds",
    "confidence",
    "margins",
    "corpus_sha256",
    "evaluation",
    "measures",
)


def scale_statistics(
    scale: str, study: str, model_paths: Sequence[Path], output: Path
) -> dict[str, Any]:
    """Write `stats.json` of a scale."""
    models = {one["model"]: one for one in map(read_json, model_paths)}
    first = next(iter(models.values()))
    merged: dict[str, Any] = {
        "study": study,
        "scale": scale,
        **{key: first[key] for key in SHARED},
        "shared_between_models": shared_between_models(models),
        "omnibus": {
            rule: {metric: omnibus_over_models(models, rule, metric) for metric in OMNIBUS}
            for rule in RULES
        },
        "decomposition": {
            rule: {metric: decomposition(models, rule, metric) for metric in CLASSICAL}
            for rule in RULES
        },
        "models": {
            name: {key: value for key, value in model.items() if key not in SHARED}
            for name, model in models.items()
        },
    }
    merged |= spanning(merged)
    write_json(output, merged)
    return merged


def spanning(stats: Stats) -> dict[str, Any]:
    """Compute what spans the models of a scale, from their sound cells and their runs."""
    grid = averages(stats)
    seconds = (model["training"]["seconds"] for model in stats["models"].values())
    return {
        "training_seconds": math.fsum(seconds),
        "effects": effects(stats),
        "averages": None if grid is None else grid.as_json(),
        "boxes": boxes(stats),
        "sensitivity": [one.as_json() for one in sensitivities(stats)],
        "pareto_front": pareto_front(stats),
        "reach": reach(stats),
        "undecided": undecided(stats),
        "planning": planning(stats),
    }


def pareto_front(stats: Stats) -> list[dict[str, str]]:
    """Return the sound cells that no other beats in loss and in total variation between seeds.

    The one with the lowest loss comes first. Means are taken as they are.
    """
    cells = [
        (model, activation, cell)
        for model, activation, cell in every_cell(stats)
        if sound(cell) and cell["differences"][PRIMARY] is not None
    ]
    points = [
        (cell["metrics"][LOSS]["value"], cell["differences"][PRIMARY]["value"])
        for _, _, cell in cells
    ]
    names = [{"model": model, "activation": activation} for model, activation, _ in cells]
    return [names[place] for place in front(points)]


def shared_between_models(models: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Mark the cells of runs that share weights or predictions with another model's.

    A model's own statistics can't see the other models, so here their gate
    *distinct* fails, and their contrasts become *unsound*. Returns what is shared.
    """
    facts = {
        (name, run["activation"], run["seed"]): {
            "weights_sha256": run["weights_sha256"]["final"],
            "predictions_sha256": run["predictions_sha256"],
        }
        for name, model in models.items()
        for run in model["runs"]
        if run["status"] == FINISHED
    }
    shared = shared_hashes(facts)
    found = []
    for name, model in models.items():
        for activation in model["activations"]:
            cell = [run for run in facts if run[:2] == (name, activation)]
            outcome = distinct(cell, shared)
            already = model["rules"]["final"]["cells"][activation]["gates"]["distinct"]["passed"]
            if not outcome.passed and already:
                _mark(model, activation, outcome.as_json())
                found += outcome.measured["shared"]
    return found


def _mark(model: Mapping[str, Any], activation: str, outcome: Mapping[str, Any]) -> None:
    for rule in model["rules"].values():
        cell = rule["cells"][activation]
        cell["gates"]["distinct"] = outcome
        cell["failed_gates"] = failed(cell["gates"])
        for contrast in rule["contrasts"]:
            if activation in (contrast["a"], contrast["b"]):
                mark_unsound(contrast, "distinct")
        for one in rule["across"]:
            if activation in (one["a"], one["b"]):
                one["failed_gates"] = in_order({*one["failed_gates"], "distinct"})
        # They compare all sound cells at once, and this one was among them.
        for tests in (rule["omnibus"], rule["classical"]):
            for metric, test in tests.items():
                if test is not None and activation in test["activations"]:
                    tests[metric] = None


def omnibus_over_models(
    models: Mapping[str, Any], rule: str, metric: str
) -> dict[str, dict[str, float]]:
    """Each model's test that its activations are all alike, adjusted for the models (Holm)."""
    found = {name: model["rules"][rule]["omnibus"][metric] for name, model in models.items()}
    p_values = {name: test["p"] for name, test in found.items() if test is not None}
    adjusted = holm(list(p_values.values()))
    return {
        name: {"p": p, "p_holm": corrected}
        for (name, p), corrected in zip(p_values.items(), adjusted, strict=True)
    }


def decomposition(models: Mapping[str, Any], rule: str, metric: str) -> dict[str, Any] | None:
    """Variance of a score by activation, model, their interaction, and seed.

    Over the largest complete grid of sound cells that is had by leaving out
    either the activations or the models with an unsound cell, and over the
    seeds that all of them have. None where fewer than two seeds are left.
    """
    grid = sound_grid(models, rule)
    if grid is None:
        return None
    names, activations = grid
    metrics = {
        (name, activation): models[name]["rules"][rule]["cells"][activation]["metrics"][metric]
        for name in names
        for activation in activations
    }
    seeds = [
        seed
        for seed in models[names[0]]["seeds"]
        if all(str(seed) in one["by_seed"] for one in metrics.values())
    ]
    values = [
        [[metrics[name, activation]["by_seed"][str(seed)] for seed in seeds] for name in names]
        for activation in activations
    ]
    found = decompose(np.array(values)) if len(seeds) > 1 else None
    if found is None:
        return None
    return {"activations": activations, "models": names, "seeds": seeds, **found.as_json()}


def sound_grid(models: Mapping[str, Any], rule: str) -> tuple[list[str], list[str]] | None:
    """The models and activations of a complete grid without unsound cells; None where none is."""
    activations = list(next(iter(models.values()))["activations"])
    unsound = {
        (name, activation)
        for name, model in models.items()
        for activation, cell in model["rules"][rule]["cells"].items()
        if cell["failed_gates"] or not cell["n"]
    }
    fewer_models = [name for name in models if name not in {name for name, _ in unsound}]
    fewer_activations = [one for one in activations if one not in {one for _, one in unsound}]
    grids = [(list(models), fewer_activations), (fewer_models, activations)]
    best = max(grids, key=lambda grid: len(grid[0]) * len(grid[1]))
    return best if all(best) else None


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The Pareto front: places of the points that no other beats, by their first coordinate.

    Smaller is better in both. A point beats another where it is nowhere larger
    and somewhere smaller, so equal points stand or fall together.

    >>> front([(2.0, 1.0), (1.0, 2.0), (2.0, 2.0)])
    [1, 0]
    """
    order = sorted(range(len(points)), key=lambda place: points[place])
    kept: list[int] = []
    for place in order:
        if not kept or _stands(points[place], points[kept[-1]]):
            kept.append(place)
    return kept


def _stands(point: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the front's last point, which is no larger in the first, does not beat a point."""
    return point == last or point[1] < last[1]
