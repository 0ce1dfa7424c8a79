"""An LSTM that has learned how frequent characters are, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np

from actrepro.audit.controls.kit import (
    Inputs,
    Quantity,
    Run,
    both,
    file_of,
    has_learned,
    of_runs,
    paired,
    run,
    table_losses,
    unpaired,
)
from actrepro.data.evaluation_set import EvaluationSet
from actrepro.measures import GROUP_MEASURES

SEEDS = (42, 43, 44)
ACTIVATION = "relu"
MODEL = "tinylstm"
FLEISS = next(measure for measure in GROUP_MEASURES if measure.id == "kappa-fleiss")

QUANTITIES = {
    "loss": Quantity("test loss", "nats", "loss.all"),
    "unigram_loss": Quantity("loss of the unigram table of the training text", "nats"),
    "accuracy": Quantity("test accuracy", "", "accuracy.all"),
    "space_frequency": Quantity("share of the most frequent symbol in the test text"),
    "tv": Quantity("total variation of two seeds", "", "tv-half_l1-pairs.all"),
    "unpaired_tv": Quantity(
        "total variation of two seeds on different positions", "", "tv-half_l1-pairs.all"
    ),
    "churn": Quantity("churn of two seeds", "", "churn-top1-pairs.all"),
    "kappa": Quantity("Fleiss' kappa of all seeds", "", "kappa-fleiss.all"),
}


def measure(inputs: Inputs) -> dict[str, Any]:
    """Train TinyLSTM at the protocol's learning rate, and at that of its override."""
    evaluation = inputs.evaluation()
    rates = {
        "control": inputs.protocol.learning_rate,
        "honest": inputs.protocol.for_model(MODEL).learning_rate,
    }
    sides = {
        side: [
            run(inputs, inputs.request(MODEL, ACTIVATION, seed, learning_rate=rate), evaluation)
            for seed in SEEDS
        ]
        for side, rate in rates.items()
    }
    tables = table_losses(inputs.corpus, evaluation)
    found = {side: _numbers(runs, evaluation, tables) for side, runs in sides.items()}
    learned = {side: has_learned(found[side]["loss"], runs, tables) for side, runs in sides.items()}
    return file_of(sides, QUANTITIES, found, {"learned": both(**learned)}, learning_rates=rates)


def _numbers(runs: list[Run], evaluation: EvaluationSet, tables: Any) -> dict[str, Any]:
    differences = paired(runs)
    kappa = FLEISS(np.stack([one.p for one in runs]), evaluation.targets)
    return {
        "loss": of_runs(runs, Run.loss),
        "unigram_loss": tables["unigram"]["loss"],
        "accuracy": of_runs(runs, Run.accuracy),
        "space_frequency": np.bincount(evaluation.targets).max() / len(evaluation.targets),
        "tv": differences[:, 0],
        "unpaired_tv": unpaired(runs, "constant")[:, 0],
        "churn": differences[:, 1],
        # Undefined where all seeds predict one symbol everywhere.
        "kappa": kappa if np.isfinite(kappa) else None,
    }
