"""Differences between the runs of a cell, and between all runs of a model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from actrepro.evaluation import EvaluationSet, load_evaluation
from actrepro.files import write_json, write_npz
from actrepro.measures import MEASURES, Targets, accuracy, loss, measure_ids
from actrepro.predictions import POSITIONS, RULES, Predictions, load_predictions, same_evaluation

Matrix = npt.NDArray[np.float64]


def pair_differences(
    a: Predictions, b: Predictions, evaluation: EvaluationSet, rule: str
) -> dict[str, float]:
    """Every measure between two runs; NaN where one diverged: there is nothing to compare."""
    if a.diverged or b.diverged:
        return dict.fromkeys(measure_ids(), math.nan)
    targets = targets_of(evaluation)
    return {
        f"{measure.id}.{positions}": measure(
            a.probabilities[rule, positions], b.probabilities[rule, positions], targets[positions]
        )
        for measure in MEASURES
        for positions in POSITIONS
    }


def run_scores(predictions: Predictions, evaluation: EvaluationSet, rule: str) -> dict[str, float]:
    """Loss and accuracy of one run by positions; empty for a run that diverged."""
    if predictions.diverged:
        return {}
    scores: dict[str, float] = {}
    for positions, targets in targets_of(evaluation).items():
        p = predictions.probabilities[rule, positions]
        scores[f"loss.{positions}"] = loss(p, targets)
        scores[f"accuracy.{positions}"] = accuracy(p, targets)
    return scores


def targets_of(evaluation: EvaluationSet) -> Mapping[str, Targets]:
    """The true symbols, by positions."""
    return {"all": evaluation.targets, "last": evaluation.last_targets}


def cell_differences(
    cell: Mapping[str, Any],
    seeds: Sequence[int],
    prediction_paths: Sequence[Path],
    evaluation_path: Path,
    output: Path,
) -> None:
    """Write the scores of a cell's runs and the differences of all pairs of seeds.

    `cell` names scale, model and activation.
    """
    evaluation = load_evaluation(evaluation_path)
    paths = zip(seeds, prediction_paths, strict=True)
    predictions = {seed: load_predictions(path) for seed, path in paths}
    write_json(
        output,
        {
            **cell,
            "seeds": list(seeds),
            "evaluation_sha256": same_evaluation(predictions),
            "measures": {
                measure.id: {"name": measure.name, "formula": measure.formula}
                for measure in MEASURES
            },
            "rules": {rule: _cell_under(rule, predictions, evaluation) for rule in RULES},
        },
    )


def _cell_under(
    rule: str, predictions: Mapping[int, Predictions], evaluation: EvaluationSet
) -> dict[str, Any]:
    pairs = [
        {
            "seeds": [a, b],
            **_finite(pair_differences(predictions[a], predictions[b], evaluation, rule)),
        }
        for a, b in itertools.combinations(predictions, 2)
    ]
    runs = [
        {
            "seed": seed,
            "weights_sha256": one.weights_sha256[rule],
            **_scores_or_diverged(run_scores(one, evaluation, rule)),
        }
        for seed, one in predictions.items()
    ]
    return {"runs": runs, "pairs": pairs}


def _scores_or_diverged(scores: Mapping[str, float]) -> dict[str, Any]:
    """A run without predictions, or with an infinite loss, diverged: statistics leave it out."""
    diverged = not scores or not all(map(math.isfinite, scores.values()))
    return {"diverged": diverged, **_finite(scores)}


def model_differences(
    runs: Sequence[tuple[str, int]],
    prediction_paths: Sequence[Path],
    evaluation_path: Path,
    output: Path,
) -> None:
    """Write every measure between every two of a model's runs, `(activation, seed)` each.

    Arrays: `activation` and `seed` `[R]` name the runs; `{rule}.{measure id}`
    `[R, R]` is symmetric with a zero diagonal, NaN where a run diverged.
    """
    evaluation = load_evaluation(evaluation_path)
    paths = zip(runs, prediction_paths, strict=True)
    predictions = {run: load_predictions(path) for run, path in paths}
    ordered = list(predictions.values())
    final = pairwise(ordered, evaluation, "final")
    matrices = {"final": final, "best": pairwise(ordered, evaluation, "best", known=final)}
    write_npz(
        output,
        activation=np.array([activation for activation, _ in runs]),
        seed=np.array([seed for _, seed in runs]),
        evaluation_sha256=np.array(same_evaluation(predictions)),
        **{f"{rule}.{id_}": matrix for rule in RULES for id_, matrix in matrices[rule].items()},
    )


def pairwise(
    predictions: Sequence[Predictions],
    evaluation: EvaluationSet,
    rule: str,
    known: Mapping[str, Matrix] | None = None,
) -> dict[str, Matrix]:
    """Measure id → symmetric matrix `[R, R]` over runs, zero diagonal.

    `known` are the matrices under the final rule: pairs of runs whose best step
    is their final one are taken from there.
    """
    runs = range(len(predictions))
    start = known or {id_: np.zeros((len(runs), len(runs))) for id_ in measure_ids()}
    matrices = {id_: matrix.copy() for id_, matrix in start.items()}
    for i, j in itertools.combinations(runs, 2):
        a, b = predictions[i], predictions[j]
        if known is not None and a.best_is_final and b.best_is_final:
            continue
        for id_, value in pair_differences(a, b, evaluation, rule).items():
            matrices[id_][i, j] = matrices[id_][j, i] = value
    return matrices


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN or infinity: what is no number is written as null, never imputed."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
