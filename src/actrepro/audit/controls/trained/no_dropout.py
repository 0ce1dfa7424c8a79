"""A decoder without dropout, reported at its last step, long after its best."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from actrepro.audit.controls.kit import (
    TEST_CHARACTERS,
    Inputs,
    Quantity,
    Run,
    both,
    file_of,
    has_learned,
    of_runs,
    run,
    table_losses,
    unpaired,
)
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import evaluation_set
from actrepro.predict.store import FINAL

SEEDS = (42, 43)
ACTIVATION = "relu"
MODEL = "charlm"
BEST = "best"

QUANTITIES = {
    "train_loss": Quantity("loss on training text at the reported step", "nats"),
    "final_loss": Quantity("test loss of the reported step", "nats", "loss.all"),
    "best_loss": Quantity("test loss of the step best on the selection text", "nats", "loss.all"),
    "unigram_loss": Quantity("loss of the unigram table of the whole training text", "nats"),
    "final_accuracy": Quantity("test accuracy of the reported step", "", "accuracy.all"),
    "rise": Quantity("selection loss at the last step less its lowest", "nats"),
    "unpaired_tv": Quantity(
        "total variation of two seeds at the reported step, on different positions",
        "",
        "tv-half_l1-pairs.all",
    ),
}


def measure(inputs: Inputs) -> dict[str, Any]:
    """Train CharLM on little text: without dropout to the last step, and with it to the best."""
    evaluation = inputs.evaluation()
    short = shortened(inputs.corpus, inputs.protocol.train_characters)
    sides = {}
    for side, dropout in (("control", 0.0), ("honest", inputs.protocol.dropout)):
        requests = [inputs.request(MODEL, ACTIVATION, seed, dropout=dropout) for seed in SEEDS]
        sides[side] = [run(inputs, one, evaluation, (FINAL, BEST), short) for one in requests]
    unigram = table_losses(inputs.corpus, evaluation)["unigram"]["loss"]
    reported = {"control": FINAL, "honest": BEST}
    found = {side: _numbers(runs, reported[side], unigram) for side, runs in sides.items()}
    # What a run can learn is in the text that it saw.
    seen = table_losses(short, evaluation_set(short, inputs.protocol.context, TEST_CHARACTERS))
    learned = {
        side: has_learned(found[side]["final_loss"], runs, seen) for side, runs in sides.items()
    }
    gates = {"learned": both(**learned)}
    return file_of(sides, QUANTITIES, found, gates, train_characters=short.train_end)


def shortened(corpus: Corpus, characters: int | None) -> Corpus:
    """The corpus with the first of its training text only; what is scored stays as it is."""
    if characters is None or characters >= corpus.train_end:
        return corpus
    codes = np.concatenate([corpus.codes[:characters], corpus.codes[corpus.train_end :]])
    return replace(
        corpus,
        codes=codes,
        train_end=characters,
        selection_end=characters + len(corpus.selection),
        sha256=hashlib.sha256(corpus.decode(codes).encode("utf-8")).hexdigest(),
    )


def _numbers(runs: list[Run], reported: str, unigram: float) -> dict[str, Any]:
    histories = [one.trained.history for one in runs]
    steps = {
        FINAL: [one.trained.checkpoint.final_step for one in runs],
        BEST: [one.trained.checkpoint.best_step for one in runs],
    }[reported]
    train = [
        next(row.train_loss for row in history if row.step == step)
        for history, step in zip(histories, steps, strict=True)
    ]
    rise = [
        history[-1].selection_loss - min(row.selection_loss for row in history)
        for history in histories
    ]
    at_step = [replace(one, predictions={FINAL: one.predictions[reported]}) for one in runs]
    return {
        "train_loss": np.array(train),
        "final_loss": of_runs(at_step, Run.loss),
        "best_loss": of_runs(runs, lambda one: one.loss(BEST)),
        "unigram_loss": unigram,
        "final_accuracy": of_runs(at_step, Run.accuracy),
        "rise": np.array(rise),
        "unpaired_tv": unpaired(at_step, "no_dropout")[:, 0],
    }
