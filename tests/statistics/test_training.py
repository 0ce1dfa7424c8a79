"""Gaps of fit and costs of training count finished runs only."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from synthetic_scale import ACTIVATIONS, Scale, make_scale

from actrepro.results.cells import cells_of
from actrepro.results.contrasts import LOSS
from actrepro.statistics.inference import mean_estimate


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder = tmp_path_factory.mktemp("scale")
    return make_scale(folder, models=("charlm",), diverged=[("relu", 2)])


def finished(scale: Scale, activation: str) -> dict[str, dict[str, Any]]:
    runs = scale.numbers["models"]["charlm"]["runs"]
    of_activation = (run for run in runs if run["activation"] == activation)
    return {str(run["seed"]): run for run in of_activation if run["status"] == "finished"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gaps_are_of_the_recorded_losses(scale: Scale, activation: str) -> None:
    runs = finished(scale, activation)
    fit = scale.numbers["models"]["charlm"]["fit"][activation]
    lasts = {seed: run["last_history"] for seed, run in runs.items()}
    final, best = (
        cells_of(scale.numbers, "charlm", rule)[activation]["metrics"][LOSS]["by_seed"]
        for rule in ("final", "best")
    )
    for name, wanted in (
        (
            "train_gap",
            {s: last["selection_loss"] - last["train_loss"] for s, last in lasts.items()},
        ),
        ("best_gap", {seed: final[seed] - best[seed] for seed in runs}),
    ):
        assert fit[name]["by_seed"] == wanted
        estimate = mean_estimate(list(wanted.values()), 0.95)
        assert (fit[name]["value"], fit[name]["n"]) == (estimate.value, len(runs))
        assert fit[name]["interval"] == list(estimate.interval or ())


def test_costs_are_means_of_finished_runs_and_a_sum_of_all(scale: Scale) -> None:
    model = scale.numbers["models"]["charlm"]
    costs = model["training"]
    assert costs["seconds"] == pytest.approx(sum(run["seconds"] for run in model["runs"]))
    assert scale.numbers["training_seconds"] == costs["seconds"]
    for key in ("seconds", "characters_per_second"):
        by_activation = {
            name: [run[key] for run in finished(scale, name).values()] for name in ACTIVATIONS
        }
        for name, values in by_activation.items():
            assert costs["activations"][name][key] == fmean(values)
        every = [value for values in by_activation.values() for value in values]
        assert costs["finished"][key] == fmean(every)


def test_lost_runs_have_no_gap_and_no_mean(tmp_path: Path) -> None:
    lost = [("relu", seed) for seed in (1, 2, 3)]
    model = make_scale(tmp_path, models=("charlm",), diverged=lost).numbers["models"]["charlm"]
    assert model["fit"]["relu"] == {"train_gap": None, "best_gap": None}
    assert model["training"]["activations"]["relu"] is None
