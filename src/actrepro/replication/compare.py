"""How far the same runs differ that were made in two results folders.

On one machine a request gives the same bytes; on another, under another version of torch
or in another precision it does not. What that does to predictions is measured here, with
the measures that compare seeds, beside the differences between seeds: a machine's noise
as a multiple of a seed's.
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
from actrepro.replication.pairing import Counterparts, Property, counterparts
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

# A multiple of the difference between seeds has a meaning for these alone.
MEASURES = tuple(one for one in PAIR_MEASURES if one.symmetric and not one.agreement)


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
    """Write how far a scale's runs differ from the same runs in another results folder.

    Parameters
    ----------
    runs
        The study's; those that cannot be compared are listed with the reason.
    """
    evaluation = load_evaluation(files.evaluation)
    found = {run: counterparts(files.here, files.there, scale, run, evaluation) for run in runs}
    pairs = {run: one for run, one in found.items() if isinstance(one, Counterparts)}
    compared: Elsewhere = {
        "scale": scale,
        "evaluation_sha256": evaluation.sha256,
        "confidence": confidence,
        "measures": _described(),
        "ran_on": ran_on(list(pairs.values())),
        "excluded": [_excluded(run, why) for run, why in found.items() if isinstance(why, str)],
        "cells": [
            _cell(cell, _of_cell(cell, pairs), evaluation, confidence)
            for cell in dict.fromkeys(run[:2] for run in pairs)
        ],
    }
    write_json(files.elsewhere, compared)


def _described() -> dict[str, Measure]:
    used = {*(one.id for one in (*RUN_MEASURES, *MEASURES)), GENERATED_ID.partition(".")[0]}
    return {id_: told for id_, told in measure_descriptions().items() if id_ in used}


def _excluded(run: RunName, why: str) -> Excluded:
    model, activation, seed = run
    return {"model": model, "activation": activation, "seed": seed, "why": why}


def _of_cell(
    cell: tuple[str, str], pairs: Mapping[RunName, Counterparts]
) -> dict[int, Counterparts]:
    """A cell's runs by seed."""
    return {run[2]: one for run, one in pairs.items() if run[:2] == cell}


def ran_on(pairs: Sequence[Counterparts]) -> list[RanOn]:
    """On what the runs were made: each property's values here and there, with how many runs.

    `differ` is the number of runs whose two makings do not have the same; a value that
    nobody recorded is None.
    """
    differ = Counter(name for pair in pairs for name in pair.differing)
    names = dict.fromkeys(
        name for pair in pairs for one in (pair.here, pair.there) for name in one.ran_on
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
    pairs: Mapping[int, Counterparts],
    evaluation: EvaluationSet,
    confidence: float,
) -> ComparedCell:
    rules: ComparedRules = {
        "final": _under("final", pairs, evaluation, confidence),
        "best": _under("best", pairs, evaluation, confidence),
    }
    _log(cell, rules[FINAL])
    return {"model": cell[0], "activation": cell[1], "rules": rules}


def _log(cell: tuple[str, str], found: ComparedUnderRule) -> None:
    primary = found["differences"][PRIMARY]
    seeds = primary["seeds_here"]
    LOG.info(
        "%s %s: %d runs made twice, %d of them the same to the byte; total variation %.4f, "
        "between seeds %s",
        *cell,
        found["n"],
        found["same_predictions"],
        primary["elsewhere"]["value"],
        "unknown" if seeds is None else f"{seeds['value']:.4f}",
    )


def _under(
    rule: OwnRule, pairs: Mapping[int, Counterparts], evaluation: EvaluationSet, confidence: float
) -> ComparedUnderRule:
    """A cell under one checkpoint rule: its runs made twice, and how far seeds differ beside."""
    n = len(pairs)
    makings = *(one.here for one in pairs.values()), *(one.there for one in pairs.values())
    stored = [making.predictions for making in makings]
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
    pair: Counterparts,
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
    return {id_: float(found[place]) for id_, found in values.items()}


def _sides(place: int, n: int, values: Values) -> dict[str, Sides]:
    return {
        id_: {"here": float(found[place]), "there": float(found[n + place])}
        for id_, found in values.items()
    }


def _score(here: Floats, there: Floats, confidence: float) -> ComparedScore:
    """A measure of single runs: on each side, and there less here within seeds."""
    difference = mean_estimate(there - here, confidence)
    return {
        "here": {"value": float(here.mean()), "sd": _sd(here)},
        "there": {"value": float(there.mean()), "sd": _sd(there)},
        "difference": {**estimate_json(difference), "sd": _sd(there - here)},
    }


def _sd(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _difference(twice: Floats, between: Floats, n: int, confidence: float) -> ComparedDifference:
    """A measure of two runs: of one run made twice, and of two seeds on each side.

    What is made elsewhere differs for each seed on its own, so Student's interval holds;
    pairs of seeds share runs and have a jackknife.
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
    """From the values of all pairs of n seeds; None where there is no pair."""
    if not len(values):
        return None
    matrix = np.zeros((n, n))
    matrix[tuple(all_pairs(n).T)] = values
    return estimate_json(jackknife_pairs([matrix + matrix.T], [1], confidence))
