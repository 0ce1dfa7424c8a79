"""Tiny invented data for tests: a text of random words, a protocol, runs, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from actrepro.config.protocol import Protocol
from actrepro.config.study import RunConfig
from actrepro.core.files import write_json
from actrepro.core.runs import Run
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import EvaluationSet, load_evaluation, make_evaluation
from actrepro.gates.after import GateFiles, check_runs
from actrepro.gates.outcome import BEFORE, Outcome
from actrepro.measures.differences import DifferencesFiles, cell_differences, model_differences
from actrepro.predict.store import (
    MATCHED,
    OWN_RULES,
    RULES,
    Predictions,
    of_lost,
    save_predictions,
)
from actrepro.predict.validity import targets_of
from actrepro.statistics.contrasts import Settings
from actrepro.statistics.per_model import StatisticsFiles, model_statistics

LETTERS = "aeioulmnrst"
BLOCK = 16
# What gates before training measured, where anything reads it.
MEASURED = {"initial_loss": {"loss": 2.5, "ln_symbols": 2.485}}
WHY = {DIVERGED: "the loss at step 12 is no number", FAILED: "out of memory at step 6"}
# By status, the last step of a run, and its losses there on train and selection text.
ENDS = {FINISHED: (12, 2.4, 2.5), DIVERGED: (12, None, None), FAILED: (6, 2.6, 2.7)}
SETTINGS = Settings(0.95, {"loss": 0.01, "accuracy": 0.005, "total_variation": 0.01, "churn": 0.01})


def text(length: int = 4000, seed: int = 0) -> str:
    """Draw sentences of invented words; a few words are frequent, as in a language."""
    generator = np.random.default_rng(seed)
    words = ["".join(generator.choice(list(LETTERS), generator.integers(2, 6))) for _ in range(20)]
    shares = 1 / np.arange(1, 21)
    drawn = generator.choice(words, length, p=shares / shares.sum())
    lines = [" ".join(drawn[start : start + 6]) + ".\n" for start in range(0, length, 6)]
    return "".join(lines)[:length]


def corpus() -> Corpus:
    """Return a corpus with 200 characters for selection and 200 for the test."""
    return Corpus.of_text(text())


def protocol(**changes: Any) -> Protocol:
    """Return a scale that trains in a tenth of a second."""
    tiny: dict[str, Any] = {
        "corpus": "words",
        "layers": 2,
        "width": 16,
        "heads": 2,
        "context": BLOCK,
        "batch": 4,
        "iterations": 12,
        "learning_rate": 1e-2,
        "dropout": 0.0,
        "evaluate_every": 5,
        "history_windows": 8,
    }
    return Protocol.model_validate({**tiny, **changes})


def request(
    model: str = "charlm",
    activation: str = "relu",
    seed: int = 1,
    custom_models: Mapping[str, str] | None = None,
    **changes: Any,
) -> RunConfig:
    """Return a run at the tiny scale, always on the CPU."""
    return RunConfig(
        scale="tiny",
        model=model,
        activation=activation,
        seed=seed,
        protocol=protocol(**changes),
        device="cpu",
        custom_models=dict(custom_models or {}),
    )


def probabilities(
    generator: np.random.Generator, rows: int, symbols: int, spread: float = 2.0
) -> np.ndarray:
    """Draw `[rows, symbols]` distributions; a larger spread makes them more certain."""
    return normalised(np.exp(spread * generator.standard_normal((rows, symbols))))


def normalised(weights: np.ndarray) -> np.ndarray:
    """Divide rows by their sums, and round as in storage."""
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def predictions(
    evaluation: EvaluationSet,
    seed: int,
    best_is_final: bool = False,
    lost: str | None = None,
    rules: Sequence[str] = OWN_RULES,
) -> Predictions:
    """Draw the predictions of a run, better than chance; none for a lost run."""
    same = {"best": "final"} if best_is_final else {}
    hashes = {rule: f"{same.get(rule, rule)}-{seed}" for rule in rules}
    if lost:
        return of_lost(lost, evaluation.sha256)
    drawn: dict[tuple[str, str], np.ndarray] = {}
    written = {}
    for rule in rules:
        generator = np.random.default_rng([seed, RULES.index(same.get(rule, rule))])
        for positions, targets in targets_of(evaluation).items():
            drawn[rule, positions] = informed(generator, targets, len(evaluation.symbols))
        shape = (4, evaluation.context // 2)
        written[rule] = generator.integers(len(evaluation.symbols), size=shape, dtype=np.uint8)
    return Predictions(drawn, written, evaluation.sha256, hashes)


def informed(generator: np.random.Generator, targets: np.ndarray, symbols: int) -> np.ndarray:
    """Draw `[N, V]` distributions that favour the true symbols, as a trained model's do."""
    weights = np.exp(1.5 * generator.standard_normal((len(targets), symbols)))
    weights[np.arange(len(targets)), targets] += 60 * generator.random(len(targets))
    return normalised(weights)


@dataclass
class Model:
    """The files of one model at the tiny scale, made from synthetic predictions.

    `scale` is its scale's name. `changed` are predictions, and `records` parts of
    `run.json`, that a test puts in place of the made-up ones; `failed` are gates before
    training, by activation, that the model is to have failed. Runs that are `diverged` or
    `out_of_memory` are lost.
    """

    folder: Path
    activations: Sequence[str]
    seeds: Sequence[int]
    diverged: Iterable[Run] = ()
    best_is_final: bool = False
    name: str = "charlm"
    scale: str = "tiny"
    changed: Mapping[Run, Predictions] = field(default_factory=dict)
    records: Mapping[Run, Mapping[str, Any]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    out_of_memory: Iterable[Run] = ()

    def __post_init__(self) -> None:
        self.runs = list(product(self.activations, self.seeds))
        self.corpus_path = self.folder / "corpus.npz"
        self.evaluation_path = self.folder / "evaluation.npz"
        self.manifest_path = self.folder / "evaluation.json"
        if not self.evaluation_path.exists():
            corpus().save(self.corpus_path)
            paths = (self.corpus_path, BLOCK, None)
            make_evaluation(*paths, self.evaluation_path, self.manifest_path)
        self.evaluation = load_evaluation(self.evaluation_path)
        made = {run: self._predicted(run, OWN_RULES) for run in self.runs}
        self.predictions = made | dict(self.changed)
        self.matched = {run: self._predicted(run, [MATCHED]) for run in self.runs}

    def _predicted(self, run: Run, rules: Sequence[str]) -> Predictions:
        # Another model, activation or seed gives other numbers.
        own = sum(map(ord, f"{self.name} {run[0]}")) * 1000 + run[1]
        return predictions(self.evaluation, own, self.best_is_final, self.lost(run), rules)

    def lost(self, run: Run) -> str | None:
        """Return the status of a lost run; None for a finished one."""
        if run in set(self.diverged):
            return DIVERGED
        return FAILED if run in set(self.out_of_memory) else None

    def path(self, *parts: object) -> Path:
        return self.folder.joinpath(self.name, *map(str, parts))

    def of_runs(self, file: str) -> dict[Run, Path]:
        """Return the path of a file of each run."""
        return {run: self.path(*run, file) for run in self.runs}

    def of_cells(self, file: str) -> dict[str, Path]:
        """Return the path of a file of each cell."""
        return {activation: self.path(activation, file) for activation in self.activations}

    @property
    def names(self) -> dict[str, str]:
        return {"scale": self.scale, "model": self.name}

    @property
    def matrices(self) -> Path:
        return self.path("differences.npz")

    @property
    def stats(self) -> Path:
        return self.path("stats.json")

    def write(self, settings: Settings = SETTINGS) -> None:
        """Write everything from predictions to the model's statistics."""
        self.write_runs()
        for activation in self.activations:
            self.write_cell(activation)
        self.write_differences()
        self.write_gates()
        self.write_statistics(settings)

    def write_statistics(self, settings: Settings = SETTINGS) -> None:
        """Write the model's statistics from its files."""
        model_statistics(
            self.names,
            settings,
            StatisticsFiles(
                evaluation=self.manifest_path,
                differences=self.of_cells("differences.json"),
                matched=self.path("matched.json"),
                matched_differences=self.path("differences-matched.json"),
                matrices=self.matrices,
                records=self.of_runs("run.json"),
                gates=self.path("gates.json"),
                gates_after=self.path("gates-after.json"),
                stats=self.stats,
            ),
        )

    def write_runs(self) -> None:
        """Write predictions, records, and the matched steps."""
        for run in self.runs:
            made = self.predictions[run]
            save_predictions(self.path(*run, "predictions.npz"), made)
            save_predictions(self.path(*run, "predictions-matched.npz"), self.matched[run])
            own = record(self.name, *run, made) | self.records.get(run, {})
            write_json(self.path(*run, "run.json"), own)
        matched = [
            {"activation": activation, "seed": seed, "step": 10, "selection_loss": 2.5}
            for activation, seed in self.runs
        ]
        write_json(self.path("matched.json"), {**self.names, "common_loss": 2.5, "runs": matched})

    def write_cell(self, activation: str) -> Path:
        """Write a cell's differences."""
        output = self.path(activation, "differences.json")
        cell_differences(
            {**self.names, "activation": activation},
            {seed: self.path(activation, seed, "predictions.npz") for seed in self.seeds},
            self.evaluation_path,
            output,
        )
        return output

    def write_differences(self) -> None:
        """Write the differences between all runs, and the cells at the common loss."""
        model_differences(
            DifferencesFiles(
                evaluation=self.evaluation_path,
                predictions=self.of_runs("predictions.npz"),
                matched=self.of_runs("predictions-matched.npz"),
                matrices=self.matrices,
                matched_differences=self.path("differences-matched.json"),
            )
        )

    def write_gates(self) -> None:
        """Write the gates: before training as the test sets them, after training as computed."""
        before = {
            activation: {
                gate: Outcome(
                    self.failed.get(activation) != gate, MEASURED.get(gate, {}), "made up"
                ).as_json()
                for gate in BEFORE
            }
            for activation in self.activations
        }
        write_json(self.path("gates.json"), {**self.names, "activations": before})
        check_runs(
            self.names,
            GateFiles(
                corpus=self.corpus_path,
                evaluation=self.evaluation_path,
                manifest=self.manifest_path,
                differences=self.of_cells("differences.json"),
                matched=self.path("differences-matched.json"),
                matrices=self.matrices,
                records=self.of_runs("run.json"),
                gates_after=self.path("gates-after.json"),
            ),
        )


def record(model: str, activation: str, seed: int, made: Predictions) -> dict[str, Any]:
    """Return a `run.json`."""
    asked = request(model="charlm", activation=activation, seed=seed).model_dump(mode="json")
    status = made.lost or FINISHED
    step, train_loss, selection_loss = ENDS[status]
    return {
        "run": f"tiny/{model}/{activation}/seed{seed}",
        "status": status,
        "why": WHY.get(status),
        "config": {**asked, "model": model},
        "corpus_sha256": corpus().sha256,
        "symbols": len(corpus().symbols),
        "weights_sha256": dict(made.weights_sha256)
        or {rule: f"lost {rule} {model} {activation} {seed}" for rule in OWN_RULES},
        "parameters": 1234,
        "final_step": step,
        "best_step": min(step, 10),
        "last_history": {
            "step": step,
            "train_loss": train_loss,
            "selection_loss": selection_loss,
        },
        "seconds": 0.5,
        "characters_per_second": 1000.0,
        "sequences_at_once": 4,
        "taken_up_at": [],
        "peak_memory_bytes": 1,
        "peak_gpu_memory_bytes": None,
        "device": "cpu",
        "threads": 1,
        "machine": {
            "system": "Linux",
            "architecture": "x86_64",
            "processor": "made up",
            "cores": 2,
        },
        "packages": {"python": "3"},
        "git": {"commit": None, "dirty": None},
    }
