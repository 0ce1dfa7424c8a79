"""Common parts of the controls: runs with and without a mistake, their scores, their gates."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from actrepro.audit.config import Control
from actrepro.audit.controls.unpaired import differences, quantity, span, unpaired_differences
from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import BASELINES, EvaluationSet, evaluation_set, ngram_baseline
from actrepro.data.shapes import Baseline, Table
from actrepro.gates.after import Hashed, learned
from actrepro.gates.before import check_activation
from actrepro.gates.outcome import Outcome
from actrepro.measures import accuracy, loss
from actrepro.models import build_from_protocol
from actrepro.predict.predictor import predict_scored
from actrepro.predict.store import FINAL, Probabilities
from actrepro.train.checkpoints import hash_weights
from actrepro.train.loop import TrainedRun, train

# Enough for two decimals of a loss, few enough for a control to take seconds.
TEST_CHARACTERS = 8192
# What to lower in the protocol of a control whose run was lost.
REMEDIES = {DIVERGED: "learning_rate", FAILED: "batch"}

Floats = npt.NDArray[np.float64]
# A number, or one for each run, pair or draw.
Found = Mapping[str, float | Floats | None]


@dataclass(frozen=True)
class Inputs:
    """Inputs of a control: its name and protocol, the corpus, and the device."""

    name: str
    protocol: Control
    corpus: Corpus
    device: torch.device

    def request(
        self,
        model: str,
        activation: str,
        seed: int,
        fault: ModuleType | None = None,
        **changes: Any,
    ) -> RunConfig:
        """A run under the control's protocol with some `changes`; `fault` builds the model."""
        return RunConfig(
            scale=f"audit/{self.name}",
            model=model,
            activation=activation,
            seed=seed,
            protocol=self.protocol.model_copy(update=changes),
            device="cuda" if self.device.type == "cuda" else "cpu",
            custom_models={} if fault is None else {model: fault.__name__},
        )

    def evaluation(self) -> EvaluationSet:
        """The frozen evaluation set on the first of the test characters."""
        return evaluation_set(self.corpus, self.protocol.context, TEST_CHARACTERS)


@dataclass(frozen=True)
class Run:
    """A trained run and its predictions of an evaluation set, by checkpoint rule."""

    request: RunConfig
    trained: TrainedRun
    predictions: Mapping[str, Probabilities]
    evaluation: EvaluationSet

    @property
    def p(self) -> Probabilities:
        """The probabilities `[N, V]` of the last step."""
        return self.predictions[FINAL]

    @property
    def weights_sha256(self) -> str:
        """Hash of the last step's weights."""
        return hash_weights(self.trained.checkpoint.final)

    def loss(self, rule: str = FINAL) -> float:
        """Mean loss on the evaluation set, nats per character."""
        return loss(self.predictions[rule], self.evaluation.targets)

    def accuracy(self, rule: str = FINAL) -> float:
        """Accuracy on the evaluation set."""
        return accuracy(self.predictions[rule], self.evaluation.targets)

    def facts(self) -> Hashed:
        """Return the hashes that gates compare."""
        return {
            "weights_sha256": self.weights_sha256,
            "predictions_sha256": hashlib.sha256(self.p.tobytes()).hexdigest(),
        }

    def record(self, side: str) -> dict[str, Any]:
        """Return the run as it is in the control's file."""
        last = self.trained.history[-1]
        return {
            "side": side,
            "model": self.request.model,
            "activation": self.request.activation,
            "seed": self.request.seed,
            "learning_rate": self.request.protocol.learning_rate,
            "dropout": self.request.protocol.dropout,
            "steps": last.step,
            "best_step": self.trained.checkpoint.best_step,
            "parameters": self.trained.parameters,
            "train_loss": last.train_loss,
            "selection_loss": last.selection_loss,
            "loss": self.loss(),
            "accuracy": self.accuracy(),
            "weights_sha256": self.weights_sha256,
        }


def run(
    inputs: Inputs,
    request: RunConfig,
    evaluation: EvaluationSet,
    rules: Sequence[str] = (FINAL,),
    corpus: Corpus | None = None,
) -> Run:
    """Train as asked, on the inputs' corpus or on another, and predict under each rule.

    Raises
    ------
    ActreproError
        When training diverges or fails.
    """
    trained = train(request, corpus or inputs.corpus, inputs.device)
    if trained.status != FINISHED:
        raise ActreproError(
            f"control {inputs.name}: {request.name} {trained.status} ({trained.why}), expected a "
            f"run that finishes; lower audit.controls.{inputs.name}.{REMEDIES[trained.status]}"
        )
    model = build_from_protocol(
        request.model,
        request.protocol,
        request.activation,
        len(inputs.corpus.symbols),
        custom_models=request.custom_models,
    ).to(inputs.device)
    predictions = {}
    for rule in rules:
        model.load_state_dict(trained.checkpoint.weights(rule))
        predictions[rule] = predict_scored(model, evaluation, inputs.device)
    return Run(request, trained, predictions, evaluation)


def of_runs(runs: Sequence[Run], score: Callable[[Run], float]) -> Floats:
    """A number of each run."""
    return np.array([score(one) for one in runs])


def paired(runs: Sequence[Run]) -> Floats:
    """Total variation and churn `[pairs, 2]` of every two runs, on the same characters."""
    pairs = itertools.combinations(runs, 2)
    return np.array([differences(one.p, other.p) for one, other in pairs])


def unpaired(runs: Sequence[Run], name: str) -> Floats:
    """Return the same, `[pairs · draws, 2]`, each run on characters of its own."""
    pairs = itertools.combinations(runs, 2)
    return np.concatenate(
        [
            unpaired_differences(one.p, other.p, f"{name}/{one.request.seed}/{other.request.seed}")
            for one, other in pairs
        ]
    )


def spread(values: Iterable[float]) -> float:
    """Return the greatest minus the least."""
    low, high = span(np.array(list(values)))
    return high - low


def table_losses(corpus: Corpus, evaluation: EvaluationSet) -> dict[Table, Baseline]:
    """Loss and accuracy of the n-gram tables of the training text, as gates ask for them."""
    scores = {
        name: ngram_baseline(corpus, evaluation.positions, order)
        for name, order in BASELINES.items()
    }
    return {name: {"loss": loss, "accuracy": hits} for name, (loss, hits) in scores.items()}


def has_learned(losses: Floats, runs: Sequence[Run], tables: Mapping[Table, Baseline]) -> Outcome:
    """The gate `learned` of runs with these losses."""
    seeds = [one.request.seed for one in runs]
    return learned(dict(zip(seeds, losses.tolist(), strict=True)), tables)


def gates_before(inputs: Inputs, control: RunConfig, honest: RunConfig) -> dict[str, Any]:
    """Every gate before training, with the mistake and without it."""
    faulty = check_activation(control, inputs.corpus, inputs.device)
    sound = check_activation(honest, inputs.corpus, inputs.device)
    return {gate: both(faulty[gate], sound[gate]) for gate in faulty}


def both(control: Outcome, honest: Outcome) -> dict[str, Any]:
    """Return a gate's outcomes as they are in the control's file."""
    return {"control": control.as_json(), "honest": honest.as_json()}


@dataclass(frozen=True)
class Quantity:
    """A number of a control: its name in words, its unit, and the measure's id if it has one."""

    what: str
    unit: str = ""
    measure: str = ""


def side_by_side(
    quantities: Mapping[str, Quantity], control: Found, honest: Found, seeds: int
) -> dict[str, Any]:
    """The control's `numbers`; several values become their mean, least and greatest."""
    numbers = {}
    for name, one in quantities.items():
        sides: dict[str, Any] = {}
        for side, values in (("control", control[name]), ("honest", honest[name])):
            if isinstance(values, np.ndarray):
                sides |= {side: float(values.mean()), f"{side}_interval": span(values)}
            else:
                sides[side] = values
        numbers[name] = quantity(
            what=one.what, unit=one.unit, measure=one.measure, n=seeds, **sides
        )
    return numbers


def file_of(
    sides: Mapping[str, Sequence[Run]],
    quantities: Mapping[str, Quantity],
    numbers: Mapping[str, Found],
    gates: Mapping[str, Any],
    **about: Any,
) -> dict[str, Any]:
    """Return a control's file, but for its name and protocol.

    Parameters
    ----------
    sides
        Runs with the mistake (`control`) and without it (`honest`), as in `numbers`.
    about
        Sizes that are the control's own.
    """
    honest = sides["honest"]
    activations, seeds = (
        list(dict.fromkeys(getattr(one.request, key) for one in honest))
        for key in ("activation", "seed")
    )
    return {
        "about": {
            "model": honest[0].request.model,
            "activations": activations,
            "seeds": seeds,
            "parameters": honest[0].trained.parameters,
            **about,
        },
        "numbers": side_by_side(quantities, numbers["control"], numbers["honest"], len(seeds)),
        "gates": gates,
        "runs": [one.record(side) for side, runs in sides.items() for one in runs],
    }
