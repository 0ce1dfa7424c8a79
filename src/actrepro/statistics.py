"""Statistics of a model at a scale, and of a scale: from results files to `stats.json`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actrepro import inference
from actrepro.files import read_json, read_npz, write_json
from actrepro.measures import measure_ids
from actrepro.predictions import POSITIONS, RULES

METRICS = tuple(
    f"{metric}.{positions}" for metric in ("loss", "accuracy") for positions in POSITIONS
)


@dataclass(frozen=True)
class _Model:
    """What is known of one model's runs under one checkpoint rule."""

    activations: Sequence[str]
    seeds: Sequence[int]
    scores: Mapping[tuple[str, int], Mapping[str, Any]]
    differences: Mapping[str, inference.Floats]
    confidence: float

    def finished(self, activation: str) -> list[int]:
        """Seeds whose run did not diverge."""
        return [seed for seed in self.seeds if not self.scores[activation, seed]["diverged"]]

    def index(self, activation: str, seeds: Sequence[int]) -> list[int]:
        """Rows of the difference matrices."""
        start = self.activations.index(activation) * len(self.seeds)
        return [start + self.seeds.index(seed) for seed in seeds]

    def values(self, activation: str, seeds: Sequence[int], metric: str) -> list[float]:
        """A metric by seed."""
        return [self.scores[activation, seed][metric] for seed in seeds]


def model_statistics(
    model: Mapping[str, str],
    activations: Sequence[str],
    seeds: Sequence[int],
    confidence: float,
    differences_paths: Sequence[Path],
    matrices_path: Path,
    record_paths: Sequence[Path],
    evaluation_manifest: Path,
    output: Path,
) -> None:
    """Write `stats.json` of one model at one scale.

    Parameters
    ----------
    model
        Names scale and model.
    differences_paths
        `differences.json` of each activation's cell.
    matrices_path
        The model's `differences.npz`.
    record_paths
        `run.json` of every run, by activation then seed.
    """
    cells = {cell["activation"]: cell for cell in map(read_json, differences_paths)}
    matrices = read_npz(matrices_path)
    records = [read_json(path) for path in record_paths]
    evaluation = read_json(evaluation_manifest)
    rules = {}
    for rule in RULES:
        scores = {
            (activation, run["seed"]): run
            for activation in activations
            for run in cells[activation]["rules"][rule]["runs"]
        }
        chosen = {id_: matrices[f"{rule}.{id_}"] for id_ in measure_ids()}
        rules[rule] = _under_rule(
            _Model(activations, seeds, scores, chosen, confidence), evaluation["baselines"]
        )
    write_json(
        output,
        {
            **model,
            "activations": list(activations),
            "seeds": list(seeds),
            "confidence": confidence,
            "protocol": records[0]["config"]["protocol"],
            "corpus_sha256": records[0]["corpus_sha256"],
            "evaluation": evaluation,
            "measures": cells[activations[0]]["measures"],
            "runs": [_run_summary(record) for record in records],
            "rules": rules,
        },
    )


def _run_summary(record: Mapping[str, Any]) -> dict[str, Any]:
    config = record["config"]
    kept = (
        "status",
        "parameters",
        "final_step",
        "best_step",
        "seconds",
        "characters_per_second",
        "peak_memory_bytes",
        "device",
        "threads",
        "machine",
        "packages",
        "git",
    )
    return {
        "activation": config["activation"],
        "seed": config["seed"],
        **{key: record[key] for key in kept},
    }


def _under_rule(model: _Model, baselines: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cells": {
            activation: _cell(model, activation, baselines) for activation in model.activations
        },
        "contrasts": [
            contrast
            for metric in (*METRICS, *measure_ids())
            for contrast in contrasts(model, metric)
        ],
        "kinds_of_pairs": {id_: kinds_of_pairs(model, id_) for id_ in measure_ids()},
    }


def _cell(model: _Model, activation: str, baselines: Mapping[str, Any]) -> dict[str, Any]:
    seeds = model.finished(activation)
    return {
        "n": len(seeds),
        "excluded_seeds": [seed for seed in model.seeds if seed not in seeds],
        "metrics": {metric: _metric(model, activation, seeds, metric) for metric in METRICS},
        "differences": {id_: _difference(model, activation, seeds, id_) for id_ in measure_ids()},
        "beats": {
            table: all(
                loss < baselines[table]["loss"]
                for loss in model.values(activation, seeds, "loss.all")
            )
            if seeds
            else None
            for table in ("unigram", "bigram")
        },
    }


def _metric(
    model: _Model, activation: str, seeds: Sequence[int], metric: str
) -> dict[str, Any] | None:
    if not seeds:
        return None
    values = model.values(activation, seeds, metric)
    return {
        **_numbers(inference.mean_estimate(values, model.confidence)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "by_seed": dict(zip(map(str, seeds), values, strict=True)),
    }


def _difference(
    model: _Model, activation: str, seeds: Sequence[int], id_: str
) -> dict[str, Any] | None:
    if len(seeds) < 2:
        return None
    rows = model.index(activation, seeds)
    matrix = model.differences[id_][np.ix_(rows, rows)]
    return {
        **_numbers(inference.jackknife_pairs([matrix], [1], model.confidence)),
        "pairs": [
            {"seeds": [seeds[i], seeds[j]], "value": float(matrix[i, j])}
            for i, j in itertools.combinations(range(len(seeds)), 2)
        ],
    }


def contrasts(model: _Model, metric: str) -> list[dict[str, Any]]:
    """Every two activations compared within seeds: a − b, interval, exact p, Holm over the family.

    The family is one metric of one model under one checkpoint rule.
    """
    compare = _compare_scores if metric in METRICS else _compare_differences
    found = []
    for a, b in itertools.combinations(model.activations, 2):
        seeds = [seed for seed in model.finished(a) if seed in model.finished(b)]
        compared = compare(model, metric, a, b, seeds)
        found.append({"metric": metric, "a": a, "b": b, "seeds": seeds, **compared})
    tested = [contrast for contrast in found if contrast["p"] is not None]
    for contrast in found:
        contrast["p_holm"] = None
    for contrast, p in zip(tested, inference.holm([c["p"] for c in tested]), strict=True):
        contrast["p_holm"] = p
    return found


Comparison = Callable[[_Model, str, str, str, Sequence[int]], dict[str, Any]]


def _compare_scores(
    model: _Model, metric: str, a: str, b: str, seeds: Sequence[int]
) -> dict[str, Any]:
    if not seeds:
        return _no_contrast()
    paired = np.subtract(model.values(a, seeds, metric), model.values(b, seeds, metric))
    estimate = inference.mean_estimate(paired, model.confidence)
    return {
        **_numbers(estimate),
        "test": f"sign flip within seeds, {inference.relabelings(len(seeds))}",
        "p": inference.sign_flip_p(paired),
        "p_smallest": inference.smallest_p(len(seeds)),
    }


def _compare_differences(
    model: _Model, id_: str, a: str, b: str, seeds: Sequence[int]
) -> dict[str, Any]:
    if len(seeds) < 2:
        return _no_contrast()
    matrix = model.differences[id_]
    rows_a, rows_b = model.index(a, seeds), model.index(b, seeds)
    within = [matrix[np.ix_(rows, rows)] for rows in (rows_a, rows_b)]
    both = rows_a + rows_b
    return {
        **_numbers(inference.jackknife_pairs(within, [1, -1], model.confidence)),
        "test": f"labels swapped within seeds, {inference.relabelings(len(seeds))}",
        "p": inference.label_swap_p(matrix[np.ix_(both, both)]),
        "p_smallest": inference.smallest_p(len(seeds)),
    }


def _no_contrast() -> dict[str, Any]:
    return {
        "value": None,
        "n": 0,
        "standard_error": None,
        "interval": None,
        "test": None,
        "p": None,
        "p_smallest": None,
    }


def kinds_of_pairs(model: _Model, id_: str) -> dict[str, float | None]:
    """Mean difference between two runs, by what they share.

    The activation's own effect on predictions stands beside the seed's: the
    same seed with another activation, another seed with the same activation,
    and both others.
    """
    runs = [(a, seed) for a in model.activations for seed in model.seeds]
    kinds: dict[str, list[float]] = {
        "same_activation_other_seed": [],
        "other_activation_same_seed": [],
        "other_activation_other_seed": [],
    }
    for (i, (a, s)), (j, (b, t)) in itertools.combinations(enumerate(runs), 2):
        value = model.differences[id_][i, j]
        if not np.isnan(value):
            activation = "same_activation" if a == b else "other_activation"
            seed = "same_seed" if s == t else "other_seed"
            kinds[f"{activation}_{seed}"].append(float(value))
    return {kind: float(np.mean(values)) if values else None for kind, values in kinds.items()}


def _numbers(estimate: inference.Estimate) -> dict[str, Any]:
    interval = None if estimate.interval is None else list(estimate.interval)
    return {
        "value": estimate.value,
        "n": estimate.n,
        "standard_error": estimate.standard_error,
        "interval": interval,
    }


def scale_statistics(
    scale: str, study: str, model_paths: Sequence[Path], output: Path
) -> dict[str, Any]:
    """Write `stats.json` of a scale: what its models share once, then each model's statistics."""
    models = [read_json(path) for path in model_paths]
    shared = ("activations", "seeds", "confidence", "corpus_sha256", "evaluation", "measures")
    merged = {
        "study": study,
        "scale": scale,
        **{key: models[0][key] for key in shared},
        "models": {
            model["model"]: {key: value for key, value in model.items() if key not in shared}
            for model in models
        },
    }
    write_json(output, merged)
    return merged
