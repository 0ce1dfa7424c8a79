"""Statistics of a scale: what its models share once, then each model's, and what spans them."""

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
    models = {one["model"]: one for one in map(read_model_stats, model_paths)}
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
    # What spans the models is computed from these keys alone.
    stats: StatsFile = {**merged, **spanning(cast(StatsFile, merged))}
    write_json(output, stats)
    return stats


def _of_scale(model: ModelStatsFile) -> ModelOfScale:
    """A model's statistics without what all models share."""
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
        "sensitivity": [one.as_json() for one in sensitivities(stats)],
        "pareto_front": pareto_front(stats),
        "reach": reach(stats),
        "undecided": undecided(stats),
        "planning": planning(stats),
    }


def pareto_front(stats: Stats) -> list[CellName]:
    """Return the sound cells that no other beats in loss and in total variation between seeds.

    The one with the lowest loss comes first. Means are taken as they are.
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

    A model's own statistics can't see the other models, so here their gate
    *distinct* fails, and their contrasts become *unsound*. Returns what is shared.
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
    found: list[Shared] = []
    for name, model in models.items():
        for activation in model["activations"]:
            cell = [run for run in facts if run[:2] == (name, activation)]
            outcome = distinct(cell, shared)
            already = model["rules"]["final"]["cells"][activation]["gates"]["distinct"]["passed"]
            if not outcome.passed and already:
                _mark(model, activation, outcome.as_json())
                found += outcome.measured["shared"]
    return found


def _mark(model: ModelStatsFile, activation: str, outcome: Gate) -> None:
    for rule in (model["rules"][name] for name in RULES):
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
        rule["omnibus"] = _without(rule["omnibus"], activation)
        rule["classical"] = _without(rule["classical"], activation)


_Test = TypeVar("_Test", Omnibus, Classical)


def _without(tests: Mapping[str, _Test | None], activation: str) -> dict[str, _Test | None]:
    """Tests by measure, with null for those that compare this activation."""
    return {
        metric: None if test is None or activation in test["activations"] else test
        for metric, test in tests.items()
    }


def omnibus_over_models(
    models: Mapping[str, ModelStatsFile], rule: Rule, metric: str
) -> dict[str, OmnibusOfModel]:
    """Each model's test that its activations are all alike, adjusted for the models (Holm)."""
    found = {name: model["rules"][rule]["omnibus"][metric] for name, model in models.items()}
    p_values = {name: test["p"] for name, test in found.items() if test is not None}
    adjusted = holm(list(p_values.values()))
    return {
        name: {"p": p, "p_holm": corrected}
        for (name, p), corrected in zip(p_values.items(), adjusted, strict=True)
    }


def decompositions(
    models: Mapping[str, ModelStatsFile], rule: Rule
) -> dict[str, Decomposition | None]:
    """Where the scores' variance is under a checkpoint rule, by measure."""
    return {metric: decomposition(models, rule, metric) for metric in CLASSICAL}


def decomposition(
    models: Mapping[str, ModelStatsFile], rule: Rule, metric: str
) -> Decomposition | None:
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
        (name, activation): known(
            models[name]["rules"][rule]["cells"][activation]["metrics"][metric]
        )
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


def sound_grid(
    models: Mapping[str, ModelStatsFile], rule: Rule
) -> tuple[list[str], list[str]] | None:
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
