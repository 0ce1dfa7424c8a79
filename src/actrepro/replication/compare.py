"""Differences between the same runs made in two results folders.

On one machine a request gives the same bytes; on another, under another version of torch
or in another precision it does not. The measures that compare seeds also compare the two
versions of a run, so a machine's noise is known as a multiple of a seed's.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actrepro.core.files import write_json
from actrepro.data.evaluation_set import EvaluationSet, load_evaluation
from actrepro.measures import (
    GENERATED_ID,
    PAIR_MEASURES,
    PRIMARY,
    RUN_MEASURES,
    Floats,
    all_pairs,
    measure_descriptions,
)
from actrepro.measures.differences import Values, pair_differences, run_scores
from actrepro.measures.shapes import Measure
from actrepro.predict.store import FINAL, OwnRule
from actrepro.replication.folder import RunName
from actrepro.replication.pairing import Property, RunPair, read_pair
from actrepro.replication.shapes import (
    ComparedCell,
    ComparedDifference,
    ComparedRules,
    ComparedRun,
    ComparedScore,
    ComparedUnderRule,
    Elsewhere,
    Excluded,
    RanOn,
    Sides,
    Tally,
)
from actrepro.results.schema import Estimate as EstimateJson
from actrepro.statistics.contrasts import estimate_json
from actrepro.statistics.inference import jackknife_pairs, mean_estimate

LOG = logging.getLogger("actrepro")

# Only a symmetric difference can be given as a multiple of the difference between seeds.
MEASURES = tuple(
    measure for measure in PAIR_MEASURES if measure.symmetric and not measure.agreement
)


@dataclass(frozen=True)
class ComparisonFiles:
    """The files of `compare_scale`.

    Attributes
    ----------
    here, there
        The two results folders; neither is changed.
    evaluation
        The evaluation set that both must have predicted.
    elsewhere
        Is written.
    """

    here: Path
    there: Path
    evaluation: Path
    elsewhere: Path


def compare_scale(
    scale: str, runs: Sequence[RunName], confidence: float, files: ComparisonFiles
) -> None:
    """Write the differences between a scale's runs and the same runs in another folder.

    Parameters
    ----------
    runs
        The study's runs. Those that cannot be compared are listed with the reason.
    """
    evaluation = load_evaluation(files.evaluation)
    results = {run: read_pair(files.here, files.there, scale, run, evaluation) for run in runs}
    pairs = {run: pair for run, pair in results.items() if isinstance(pair, RunPair)}
    compared: Elsewhere = {
        "scale": scale,
        "evaluation_sha256": evaluation.sha256,
        "confidence": confidence,
        "measures": _described(),
        "ran_on": ran_on(list(pairs.values())),
        "excluded": [_excluded(run, why) for run, why in results.items() if isinstance(why, str)],
        "cells": [
            _cell(cell, _of_cell(cell, pairs), evaluation, confidence)
            for cell in dict.fromkeys(run[:2] for run in pairs)
        ],
    }
    write_json(files.elsewhere, compared)


def _described() -> dict[str, Measure]:
    used = {*(measure.id for measure in (*RUN_MEASURES, *MEASURES)), GENERATED_ID.partition(".")[0]}
    return {id_: description for id_, description in measure_descriptions().items() if id_ in used}


def _excluded(run: RunName, why: str) -> Excluded:
    model, activation, seed = run
    return {"model": model, "activation": activation, "seed": seed, "why": why}


def _of_cell(cell: tuple[str, str], pairs: Mapping[RunName, RunPair]) -> dict[int, RunPair]:
    """Return a cell's runs by seed."""
    return {run[2]: pair for run, pair in pairs.items() if run[:2] == cell}


def ran_on(pairs: Sequence[RunPair]) -> list[RanOn]:
    """Return the properties that runs were made on: values here and there, with counts.

    `differ` counts the runs whose two sides differ in the property. A value that was not
    recorded is None.
    """
    differ = Counter(name for pair in pairs for name in pair.differing)
    names = dict.fromkeys(
        name for pair in pairs for run in (pair.here, pair.there) for name in run.ran_on
    )
    return [
        {
            "what": name,
            "here": _tally(pair.here.ran_on.get(name) for pair in pairs),
            "there": _tally(pair.there.ran_on.get(name) for pair in pairs),
            "differ": differ[name],
        }
        for name in names
    ]


def _tally(values: Iterable[Property]) -> list[Tally]:
    return [{"value": value, "runs": runs} for value, runs in Counter(values).most_common()]


def _cell(
    cell: tuple[str, str],
    pairs: Mapping[int, RunPair],
    evaluation: EvaluationSet,
    confidence: float,
) -> ComparedCell:
    rules: ComparedRules = {
        "final": _under("final", pairs, evaluation, confidence),
        "best": _under("best", pairs, evaluation, confidence),
    }
    _log(cell, rules[FINAL])
    return {"model": cell[0], "activation": cell[1], "rules": rules}


def _log(cell: tuple[str, str], compared: ComparedUnderRule) -> None:
    primary = compared["differences"][PRIMARY]
    seeds = primary["seeds_here"]
    LOG.info(
        "%s %s: %d runs made twice, %d of them the same to the byte; total variation %.4f, "
        "between seeds %s",
        *cell,
        compared["n"],
        compared["same_predictions"],
        primary["elsewhere"]["value"],
        "unknown" if seeds is None else f"{seeds['value']:.4f}",
    )


def _under(
    rule: OwnRule, pairs: Mapping[int, RunPair], evaluation: EvaluationSet, confidence: float
) -> ComparedUnderRule:
    """Compare a cell under one checkpoint rule: its runs made twice, and its seeds."""
    n = len(pairs)
    stored_runs = *(pair.here for pair in pairs.values()), *(pair.there for pair in pairs.values())
    stored = [run.predictions for run in stored_runs]
    seeds = all_pairs(n)
    twice = np.stack([np.arange(n), n + np.arange(n)], axis=1)
    asked = np.concatenate([twice, seeds, n + seeds])
    differences = pair_differences(stored, rule, evaluation, asked, MEASURES)
    scores = run_scores(stored, rule, evaluation)
    runs = [
        _run(rule, seed, pair, _at(place, differences), _sides(place, n, scores))
        for place, (seed, pair) in enumerate(pairs.items())
    ]
    return {
        "n": n,
        "same_weights": sum(run["same_weights"] for run in runs),
        "same_predictions": sum(run["same_predictions"] for run in runs),
        "scores": {
            id_: _score(values[:n], values[n:], confidence) for id_, values in scores.items()
        },
        "differences": {
            id_: _difference(values[:n], values[n:].reshape(2, -1), n, confidence)
            for id_, values in differences.items()
        },
        "runs": runs,
    }


def _run(
    rule: OwnRule,
    seed: int,
    pair: RunPair,
    differences: dict[str, float],
    scores: dict[str, Sides],
) -> ComparedRun:
    here, there = pair.here.facts[rule], pair.there.facts[rule]
    return {
        "seed": seed,
        "same_weights": here.weights_sha256 == there.weights_sha256,
        "same_predictions": here.predictions_sha256 == there.predictions_sha256,
        "weights_sha256": {"here": here.weights_sha256, "there": there.weights_sha256},
        "predictions_sha256": {
            "here": here.predictions_sha256,
            "there": there.predictions_sha256,
        },
        "differing": pair.differing,
        "scores": scores,
        "differences": differences,
    }


def _at(place: int, values: Values) -> dict[str, float]:
    return {id_: float(by_pair[place]) for id_, by_pair in values.items()}


def _sides(place: int, n: int, values: Values) -> dict[str, Sides]:
    return {
        id_: {"here": float(by_run[place]), "there": float(by_run[n + place])}
        for id_, by_run in values.items()
    }


def _score(here: Floats, there: Floats, confidence: float) -> ComparedScore:
    """Compare a measure of single runs: both sides, and there minus here within seeds."""
    difference = mean_estimate(there - here, confidence)
    return {
        "here": {"value": float(here.mean()), "sd": _sd(here)},
        "there": {"value": float(there.mean()), "sd": _sd(there)},
        "difference": {**estimate_json(difference), "sd": _sd(there - here)},
    }


def _sd(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _difference(twice: Floats, between: Floats, n: int, confidence: float) -> ComparedDifference:
    """Estimate a measure of two runs: one run made twice, and two seeds on each side.

    The difference between two versions of a run is independent for each seed, so Student's
    interval applies; pairs of seeds share runs and need a jackknife.
    """
    elsewhere = mean_estimate(twice, confidence)
    here, there = (_between_seeds(values, n, confidence) for values in between)
    return {
        "elsewhere": {
            **estimate_json(elsewhere),
            "range": [float(twice.min()), float(twice.max())],
        },
        "seeds_here": here,
        "seeds_there": there,
        "ratio": elsewhere.value / here["value"] if here and here["value"] > 0 else None,
    }


def _between_seeds(values: Floats, n: int, confidence: float) -> EstimateJson | None:
    """Estimate from the values of all pairs of n seeds; None where there is no pair."""
    if not len(values):
        return None
    matrix = np.zeros((n, n))
    matrix[tuple(all_pairs(n).T)] = values
    return estimate_json(jackknife_pairs([matrix + matrix.T], [1], confidence))
