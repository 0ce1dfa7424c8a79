"""Tiny invented data for tests: a text of random words, a protocol, runs, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from actrepro.config import Protocol, RunConfig
from actrepro.corpus import Corpus
from actrepro.differences import cell_differences, model_differences
from actrepro.evaluation import EvaluationSet, load_evaluation, make_evaluation
from actrepro.files import write_json
from actrepro.predictions import POSITIONS, Predictions, save_predictions
from actrepro.statistics import model_statistics

LETTERS = "aeioulmnrst"
BLOCK = 16


def text(length: int = 4000, seed: int = 0) -> str:
    """Sentences of invented words; a few words are frequent, as in a language."""
    generator = np.random.default_rng(seed)
    words = ["".join(generator.choice(list(LETTERS), generator.integers(2, 6))) for _ in range(20)]
    shares = 1 / np.arange(1, 21)
    drawn = generator.choice(words, length, p=shares / shares.sum())
    lines = [" ".join(drawn[start : start + 6]) + ".\n" for start in range(0, length, 6)]
    return "".join(lines)[:length]


def corpus() -> Corpus:
    """200 characters of the text are for selection, 200 for the test."""
    return Corpus.of_text(text())


def protocol(**changes: Any) -> Protocol:
    """A scale that trains in a tenth of a second."""
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
    """A run at the tiny scale, on the CPU whatever the machine has."""
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
    """`[rows, symbols]` distributions; a larger spread makes them more certain."""
    return normalised(np.exp(spread * generator.standard_normal((rows, symbols))))


def normalised(weights: np.ndarray) -> np.ndarray:
    """Rows that sum to one, as they are stored."""
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def predictions(
    evaluation: EvaluationSet, seed: int, best_is_final: bool = False, diverged: bool = False
) -> Predictions:
    """What a run of that seed might have predicted."""
    hashes = {"final": f"final-{seed}", "best": f"{'final' if best_is_final else 'best'}-{seed}"}
    if diverged:
        return Predictions({}, evaluation.sha256, hashes)
    generator = np.random.default_rng(seed)
    rows = {"all": len(evaluation.targets), "last": len(evaluation.last_targets)}
    symbols = len(evaluation.symbols)
    drawn = {
        (rule, positions): probabilities(generator, rows[positions], symbols)
        for rule, positions in product(("final", "best"), POSITIONS)
    }
    if best_is_final:
        drawn |= {("best", positions): drawn["final", positions] for positions in POSITIONS}
    return Predictions(drawn, evaluation.sha256, hashes)


@dataclass
class Model:
    """The files of one model at the tiny scale, made of made-up predictions."""

    folder: Path
    activations: Sequence[str]
    seeds: Sequence[int]
    diverged: Iterable[tuple[str, int]] = ()
    best_is_final: bool = False
    name: str = "charlm"
    changed: Mapping[tuple[str, int], Predictions] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = list(product(self.activations, self.seeds))
        self.evaluation_path = self.folder / "evaluation.npz"
        self.manifest_path = self.folder / "evaluation.json"
        if not self.evaluation_path.exists():
            corpus().save(self.folder / "corpus.npz")
            paths = (self.folder / "corpus.npz", BLOCK, None)
            make_evaluation(*paths, self.evaluation_path, self.manifest_path)
        self.evaluation = load_evaluation(self.evaluation_path)
        self.predictions = {run: self._predicted(run) for run in self.runs} | dict(self.changed)

    def _predicted(self, run: tuple[str, int]) -> Predictions:
        # Another model, activation or seed gives other numbers.
        own = sum(map(ord, f"{self.name} {run[0]}")) * 1000 + run[1]
        return predictions(self.evaluation, own, self.best_is_final, run in set(self.diverged))

    def path(self, *parts: object) -> Path:
        return self.folder.joinpath(self.name, *map(str, parts))

    @property
    def matrices(self) -> Path:
        return self.path("differences.npz")

    @property
    def stats(self) -> Path:
        return self.path("stats.json")

    def prediction_paths(self) -> list[Path]:
        return [self.path(*run, "predictions.npz") for run in self.runs]

    def write(self, confidence: float = 0.95) -> None:
        """Go from predictions to the model's statistics."""
        for (run, made), path in zip(
            self.predictions.items(), self.prediction_paths(), strict=True
        ):
            save_predictions(path, made)
            write_json(self.path(*run, "run.json"), record(*run, diverged=made.diverged))
        for activation in self.activations:
            self.write_cell(activation)
        model_differences(self.runs, self.prediction_paths(), self.evaluation_path, self.matrices)
        model_statistics(
            {"scale": "tiny", "model": self.name},
            self.activations,
            self.seeds,
            confidence,
            [self.path(activation, "differences.json") for activation in self.activations],
            self.matrices,
            [self.path(*run, "run.json") for run in self.runs],
            self.manifest_path,
            self.stats,
        )

    def write_cell(self, activation: str) -> Path:
        """Write a cell's differences."""
        output = self.path(activation, "differences.json")
        cell_differences(
            {"scale": "tiny", "model": self.name, "activation": activation},
            self.seeds,
            [self.path(activation, seed, "predictions.npz") for seed in self.seeds],
            self.evaluation_path,
            output,
        )
        return output


def record(activation: str, seed: int, diverged: bool) -> dict[str, Any]:
    """A `run.json`, as far as statistics read it."""
    return {
        "status": "diverged" if diverged else "finished",
        "config": request(activation=activation, seed=seed).model_dump(mode="json"),
        "corpus_sha256": corpus().sha256,
        "parameters": 1234,
        "final_step": 12,
        "best_step": 10,
        "seconds": 0.5,
        "characters_per_second": 1000.0,
        "peak_memory_bytes": 1,
        "device": "cpu",
        "threads": 1,
        "machine": {"system": "Linux"},
        "packages": {"python": "3"},
        "git": {"commit": None, "dirty": None},
    }
