"""A synthetic scale for figures and report: everything from predictions to `stats.json`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import synthetic

from actrepro.core import paths
from actrepro.core.files import read_json, write_json, write_text
from actrepro.core.vocabulary import DIVERGED, FAILED
from actrepro.statistics.per_scale import scale_statistics, spanning

MODELS = ("charlm", "my_model")
ACTIVATIONS = ("relu", "my-act")
MACHINE = {"system": "Linux", "architecture": "x86_64", "processor": "A <Chip> & Co", "cores": 2}
PACKAGES = {"python": "3.11", "torch": "2.6"}


@dataclass(frozen=True)
class Scale:
    """The files of a scale, and its statistics as written."""

    folder: Path
    numbers: dict[str, Any]

    @property
    def stats(self) -> Path:
        return self.folder / paths.at(paths.SCALE_STATS, scale="tiny")

    @property
    def corpus(self) -> Path:
        return self.folder / paths.at(paths.CORPUS_MANIFEST, corpus="words")

    def figure(self, name: str) -> tuple[Path, Path]:
        """Return the paths of a figure's SVG and PNG."""
        patterns = (paths.FIGURE_SVG, paths.FIGURE_PNG)
        svg, png = (self.folder / paths.at(p, scale="tiny", figure=name) for p in patterns)
        return svg, png

    def histories(self, model: str) -> list[Path]:
        """Return the training histories of a model's runs."""
        return sorted((self.folder / "results/tiny" / model).glob("*/seed*/history.csv"))


def make_scale(
    folder: Path,
    seeds: Sequence[int] = (1, 2, 3),
    diverged: Iterable[tuple[str, int]] = (),
    models: Sequence[str] = MODELS,
    activations: Sequence[str] = ACTIVATIONS,
    best_is_final: bool = False,
    failed: Mapping[str, str] | None = None,
    changed_runs: Mapping[tuple[str, int], synthetic.Predictions] | None = None,
    out_of_memory: Iterable[tuple[str, int]] = (),
) -> Scale:
    """Write a scale; lost runs, `failed` and `changed_runs` apply to every model."""
    made = [
        synthetic.Model(
            folder / "made",
            activations,
            seeds,
            diverged,
            best_is_final,
            name,
            changed=changed_runs or {},
            failed=failed or {},
            out_of_memory=out_of_memory,
        )
        for name in models
    ]
    for model in made:
        model.write()
        _write_histories(folder, model)
    scale = Scale(folder, {})
    scale_statistics("tiny", "a study", [model.stats for model in made], scale.stats)
    _write_corpus(scale)
    return changed(scale, _with_whole_records)


def unusable(folder: Path, seed: int) -> synthetic.Predictions:
    """Return predictions of another text, which are excluded from every number."""
    evaluation = synthetic.Model(folder / "made", ACTIVATIONS, [seed]).evaluation
    return dataclasses.replace(synthetic.predictions(evaluation, seed), evaluation_sha256="other")


def ignorant(folder: Path, seed: int) -> synthetic.Predictions:
    """Return predictions of a run that has learned nothing, not even symbol frequencies."""
    evaluation = synthetic.Model(folder / "made", ACTIVATIONS, [seed]).evaluation
    predicted = synthetic.predictions(evaluation, seed)
    drawn = {
        (rule, positions): synthetic.probabilities(
            np.random.default_rng([seed, place]), *p.shape, spread=0.3
        )
        for place, ((rule, positions), p) in enumerate(predicted.probabilities.items())
    }
    return dataclasses.replace(predicted, probabilities=drawn)


def changed(scale: Scale, change: Any, folder: Path | None = None) -> Scale:
    """Change a scale's statistics and write them, to another folder if one is given."""
    numbers = copy.deepcopy(read_json(scale.stats))
    change(numbers)
    written = Scale(folder or scale.folder, numbers)
    write_json(written.stats, numbers)
    if folder:
        _write_corpus(written)
    return written


def renewed(numbers: dict[str, Any]) -> dict[str, Any]:
    """Statistics whose cells were changed, with what spans them computed again."""
    return {**numbers, **spanning(numbers)}


def _with_whole_records(numbers: dict[str, Any]) -> None:
    for model in numbers["models"].values():
        for run in model["runs"]:
            run.update(
                machine=MACHINE, packages=PACKAGES, git={"commit": "c0ffee" * 5, "dirty": True}
            )


def _write_histories(folder: Path, model: synthetic.Model) -> None:
    for place, (activation, seed) in enumerate(model.runs):
        lost = model.lost((activation, seed))
        rows = [(0, 4.0, 4.1), (6, 2.6 + place / 50, 2.7), (12, *[2.5 + place / 50] * 2)]
        if lost == DIVERGED:
            rows[-1] = (12, float("nan"), float("inf"))
        elif lost == FAILED:
            rows.pop()
        lines = ["step,train_loss,selection_loss", *(",".join(map(repr, row)) for row in rows)]
        path = paths.at(
            paths.HISTORY, scale="tiny", model=model.name, activation=activation, seed=seed
        )
        write_text(folder / path, "\n".join(lines) + "\n")


def _write_corpus(scale: Scale) -> None:
    corpus = synthetic.corpus()
    write_json(
        scale.corpus,
        {
            "corpus": "words",
            "source": "file",
            "origin": "file <words>.txt",
            "sha256": corpus.sha256,
            "characters": len(corpus.codes),
            "symbols": corpus.symbols,
            "train": len(corpus.train),
            "selection": len(corpus.selection),
            "test": len(corpus.test),
        },
    )


CASES: dict[str, dict[str, Any]] = {
    "one seed": {"seeds": (1,)},
    "two seeds": {"seeds": (1, 2)},
    "one diverged": {"diverged": [("relu", 2)]},
    "one failed": {"out_of_memory": [("relu", 2)]},
    "one left, two lost": {"diverged": [("relu", 2)], "out_of_memory": [("relu", 3)]},
    "one or none left": {
        "seeds": (1, 2),
        "diverged": [("relu", 1), ("my-act", 1), ("my-act", 2)],
    },
    "all diverged": {"diverged": [(name, 1) for name in ACTIVATIONS], "seeds": (1,)},
    "all failed": {"out_of_memory": [(name, 1) for name in ACTIVATIONS], "seeds": (1,)},
    "one cell": {"models": ("my_model",), "activations": ("relu",)},
    "a failed gate": {"failed": {"relu": "causal"}},
    "all gates failed": {"failed": {"relu": "causal", "my-act": "wired"}},
}
