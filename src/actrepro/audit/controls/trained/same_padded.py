"""Convolutions padded on both sides, so that every position but the last sees its target."""

from __future__ import annotations

from typing import Any

import numpy as np

from actrepro.audit.controls.faulty import same_padded as fault
from actrepro.audit.controls.kit import Inputs, Quantity, Run, both, file_of, gates_before, run
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import LAST_WINDOWS, EvaluationSet, evaluation_set
from actrepro.gates.after import loss_accuracy_certificate
from actrepro.gates.outcome import Outcome
from actrepro.measures import accuracy, certificate, loss

SEED = 42
ACTIVATION = "relu"
MODEL = "convlm"
FAULTY = "convlm_same_padded"

QUANTITIES = {
    "loss": Quantity("mean loss over all positions of full windows", "nats"),
    "last_loss": Quantity("mean loss at the windows' last position", "nats"),
    "loss_over_context": Quantity("loss at the last position, divided by the context", "nats"),
    "accuracy": Quantity("accuracy over all positions of full windows"),
    "last_accuracy": Quantity("accuracy at the windows' last position"),
    "least_accuracy": Quantity("least accuracy that the mean loss allows, 1 − loss / ln 2"),
}


def measure(inputs: Inputs) -> dict[str, Any]:
    """Train ConvLM with same padding, and as it is built in, and score both in full windows."""
    windows = full_windows(inputs.corpus, inputs.protocol.context)
    control = run(inputs, inputs.request(FAULTY, ACTIVATION, SEED, fault), windows)
    honest = run(inputs, inputs.request(MODEL, ACTIVATION, SEED), windows)
    found, sound = _numbers(control), _numbers(honest)
    gates = gates_before(inputs, control.request, honest.request)
    gates["certificate"] = both(_certificate(found), _certificate(sound))
    return file_of(
        {"control": [control], "honest": [honest]},
        QUANTITIES,
        {"control": found, "honest": sound},
        gates,
        test_characters=len(windows.targets),
        windows=len(windows.inputs),
    )


def full_windows(corpus: Corpus, context: int) -> EvaluationSet:
    """Full windows spread over the test half, each scored at all its positions.

    The earlier study took its mean loss this way. Windows may overlap, and a character
    be scored more than once.
    """
    frozen = evaluation_set(corpus, context, None)
    choices = len(corpus.test) - context
    count = min(LAST_WINDOWS, choices)
    begins = corpus.selection_end + np.arange(count, dtype=np.int64) * choices // count
    positions = (begins[:, None] + np.arange(1, context + 1)).ravel()
    return EvaluationSet(
        inputs=corpus.codes[begins[:, None] + np.arange(context)],
        window=np.repeat(np.arange(count, dtype=np.int32), context),
        offset=np.tile(np.arange(context, dtype=np.int32), count),
        positions=positions,
        targets=corpus.codes[positions],
        last_inputs=frozen.last_inputs,
        last_targets=frozen.last_targets,
        symbols=corpus.symbols,
    )


def _numbers(one: Run) -> dict[str, float]:
    windows = one.evaluation
    last = windows.offset == windows.context - 1
    mean, last_loss = one.loss(), loss(one.p[last], windows.targets[last])
    return {
        "loss": mean,
        "last_loss": last_loss,
        "loss_over_context": last_loss / windows.context,
        "accuracy": one.accuracy(),
        "last_accuracy": accuracy(one.p[last], windows.targets[last]),
        "least_accuracy": certificate(mean),
    }


def _certificate(found: dict[str, float]) -> Outcome:
    """Return the certificate of the mean loss, compared with the accuracy printed beside it."""
    name = "mean loss, last position's accuracy"
    return loss_accuracy_certificate([(name, found["loss"], found["last_accuracy"])])
