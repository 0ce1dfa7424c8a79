"""The activation is an option that the model does not look at."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np

from actrepro.audit.controls.faulty import not_wired as fault
from actrepro.audit.controls.kit import (
    Found,
    Inputs,
    Quantity,
    Run,
    both,
    file_of,
    gates_before,
    of_runs,
    paired,
    run,
    spread,
)
from actrepro.data.evaluation_set import EvaluationSet
from actrepro.gates.after import distinct, shared_hashes
from actrepro.gates.outcome import Outcome

ACTIVATIONS = ("relu", "gelu", "swish")
SEEDS = (42, 43)
MODEL = "nanotransformer"
FAULTY = "nanotransformer_not_wired"

QUANTITIES = {
    "identical_share": Quantity("share of pairs of activations, same seed, with equal weights"),
    "loss_range": Quantity("greatest less least mean loss of the activations", "nats", "loss.all"),
    "initial_loss_range": Quantity(
        "greatest less least mean selection loss of the activations before the first step", "nats"
    ),
    "tv_range": Quantity(
        "greatest less least total variation between seeds of the activations",
        "",
        "tv-half_l1-pairs.all",
    ),
    "same_seed_tv": Quantity(
        "total variation between activations, same seed", "", "tv-half_l1-pairs.all"
    ),
    "same_seed_churn": Quantity("churn between activations, same seed", "", "churn-top1-pairs.all"),
}


def measure(inputs: Inputs) -> dict[str, Any]:
    """Train NanoTransformer with each activation: not wired to it, and as it is built in."""
    evaluation = inputs.evaluation()
    sides = {
        "control": _runs(inputs, evaluation, FAULTY, fault),
        "honest": _runs(inputs, evaluation, MODEL, None),
    }
    gates = gates_before(inputs, sides["control"][0].request, sides["honest"][0].request)
    gates["distinct"] = both(**{side: _distinct(runs) for side, runs in sides.items()})
    found = {side: _numbers(runs) for side, runs in sides.items()}
    return file_of(sides, QUANTITIES, found, gates)


def _runs(
    inputs: Inputs, evaluation: EvaluationSet, model: str, fault: ModuleType | None
) -> list[Run]:
    return [
        run(inputs, inputs.request(model, activation, seed, fault), evaluation)
        for activation, seed in itertools.product(ACTIVATIONS, SEEDS)
    ]


def _numbers(runs: list[Run]) -> Found:
    by_activation = {
        activation: [one for one in runs if one.request.activation == activation]
        for activation in ACTIVATIONS
    }
    by_seed = {seed: [one for one in runs if one.request.seed == seed] for seed in SEEDS}
    losses = {name: of_runs(cell, Run.loss).mean() for name, cell in by_activation.items()}
    initial = {
        name: of_runs(cell, lambda one: one.trained.history[0].selection_loss).mean()
        for name, cell in by_activation.items()
    }
    between_seeds = {name: paired(cell)[:, 0].mean() for name, cell in by_activation.items()}
    same_seed = np.concatenate([paired(one) for one in by_seed.values()])
    equal = [
        one.weights_sha256 == other.weights_sha256
        for together in by_seed.values()
        for one, other in itertools.combinations(together, 2)
    ]
    return {
        "identical_share": float(np.mean(equal)),
        "loss_range": spread(losses.values()),
        "initial_loss_range": spread(initial.values()),
        "tv_range": spread(between_seeds.values()),
        "same_seed_tv": same_seed[:, 0],
        "same_seed_churn": same_seed[:, 1],
    }


def _distinct(runs: list[Run]) -> Outcome:
    facts = {(one.request.activation, one.request.seed): one.facts() for one in runs}
    return distinct(facts, shared_hashes(facts))
