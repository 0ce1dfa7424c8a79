"""Fit and training time of a model's runs, by activation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from actrepro.core.vocabulary import FINISHED
from actrepro.results import schema
from actrepro.results.cells import known
from actrepro.results.contrasts import LOSS
from actrepro.results.schema import Cell, Run
from actrepro.statistics.contrasts import estimate_json
from actrepro.statistics.inference import mean_estimate


def fit(
    runs: Sequence[Run], final: Mapping[str, Cell], best: Mapping[str, Cell], confidence: float
) -> dict[str, schema.Fit]:
    """Compute the gaps of finished runs between texts and between checkpoints, by activation.

    Parameters
    ----------
    final, best
        The model's cells under these checkpoint rules, by activation.
    """
    finished = _finished(runs, final)
    return {
        activation: {
            "train_gap": _over_runs(_train_gaps(finished[activation]), confidence),
            "best_gap": _over_runs(_best_gaps(cell, best[activation]), confidence),
        }
        for activation, cell in final.items()
    }


def _train_gaps(runs: Sequence[Run]) -> dict[int, float]:
    """Selection loss minus training loss where each run's history ends, by seed."""
    lasts = {run["seed"]: run["last_history"] for run in runs}
    return {
        seed: known(last["selection_loss"]) - known(last["train_loss"])
        for seed, last in lasts.items()
        if last is not None
    }


def _best_gaps(final: Cell, best: Cell) -> dict[int, float]:
    """Test loss of each run's final minus that of its best checkpoint, by seed."""
    final_loss, best_loss = final["metrics"][LOSS], best["metrics"][LOSS]
    if final_loss is None or best_loss is None:
        return {}
    found, other = final_loss["by_seed"], best_loss["by_seed"]
    return {int(seed): loss - other[seed] for seed, loss in found.items() if seed in other}


def _over_runs(values: Mapping[int, float], confidence: float) -> schema.OverRuns | None:
    if not values:
        return None
    estimate = mean_estimate(list(values.values()), confidence)
    by_seed = {str(seed): value for seed, value in values.items()}
    return {**estimate_json(estimate), "by_seed": by_seed}


def training(runs: Sequence[Run], activations: Sequence[str]) -> schema.Training:
    """Compute what training a model took: time of all runs, and means of finished ones."""
    finished = _finished(runs, activations)
    return {
        "seconds": math.fsum(run["seconds"] for run in runs),
        "finished": _means([run for own in finished.values() for run in own]),
        "activations": {activation: _means(own) for activation, own in finished.items()},
    }


def _means(runs: Sequence[Run]) -> schema.RunMeans | None:
    if not runs:
        return None
    return {
        "seconds": fmean(run["seconds"] for run in runs),
        "characters_per_second": fmean(run["characters_per_second"] for run in runs),
    }


def _finished(runs: Sequence[Run], activations: Iterable[str]) -> dict[str, list[Run]]:
    """The runs that did not diverge or fail, by activation."""
    return {
        name: [run for run in runs if run["activation"] == name and run["status"] == FINISHED]
        for name in activations
    }
