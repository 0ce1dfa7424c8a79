"""Inputs of a synthetic scale's figures besides its statistics, and drawing them."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

from synthetic_scale import Scale

from actrepro.core import paths
from actrepro.core.files import read_json, write_json
from actrepro.figures.catalogue import (
    BREAKDOWNS,
    MODELS,
    OF_ACTIVATION,
    OF_MODEL,
    figure_kind,
    figure_need,
)
from actrepro.figures.draw import Sources, draw_figure, read_histories
from actrepro.measures.breakdown import model_breakdown


def histories(scale: Scale, name: str) -> list[Path]:
    """Return the histories that a figure shows."""
    need, (_, shown) = figure_need(name), figure_kind(name)
    if need == OF_MODEL:
        return scale.histories(shown)
    if need == OF_ACTIVATION:
        return sorted((scale.folder / "results/tiny").glob(f"*/{shown}/seed*/history.csv"))
    return []


def breakdowns(scale: Scale) -> list[Path]:
    """Write `breakdown.json` of every model from its runs' predictions."""
    made = scale.folder / "made"
    runs = list(product(scale.numbers["activations"], scale.numbers["seeds"]))
    found = []
    for model in scale.numbers["models"]:
        path = scale.folder / paths.at(paths.BREAKDOWN, scale="tiny", model=model)
        if not path.exists():
            predictions = {
                run: made.joinpath(model, *map(str, run), "predictions.npz") for run in runs
            }
            names = {"scale": "tiny", "model": model}
            where = (made / "corpus.npz", made / "evaluation.npz", path)
            model_breakdown(names, predictions, *where)
        found.append(path)
    return found


def models(scale: Scale) -> Path:
    """Write the parts of `models.json` that figures read; the second activation is gated."""
    path = scale.folder / paths.MODELS
    x = [step / 10 for step in range(-40, 41)]
    curve: dict[str, Any] = {
        "repeatable": True,
        "x": x,
        "y": [math.tanh(at) for at in x],
        "derivative": [1 - math.tanh(at) ** 2 for at in x],
    }
    names = scale.numbers["activations"]
    activations = {name: {**curve, "gated": place == 1} for place, name in enumerate(names)}
    write_json(path, {"schema": 1, "scales": {}, "activations": activations})
    return path


def sources(scale: Scale, name: str) -> Sources:
    """Return a figure's sources, the argument of `compose`."""
    of_activation = figure_need(name) == OF_ACTIVATION
    return Sources(
        read_histories(histories(scale, name), of_activation),
        {found["model"]: found for found in map(read_json, breakdowns(scale))},
        read_json(models(scale))["activations"],
    )


def draw(scale: Scale, name: str) -> tuple[Path, Path]:
    """Draw a figure to its path in the study."""
    svg, png = scale.figure(name)
    draw_figure(
        name,
        scale.stats,
        histories(scale, name),
        svg,
        png,
        breakdowns=breakdowns(scale) if figure_need(name) == BREAKDOWNS else [],
        models=models(scale) if figure_need(name) == MODELS else None,
    )
    return svg, png
