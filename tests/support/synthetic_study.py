"""A made-up study: the files that `load_study` reads, made of made-up predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from synthetic import Model

from actrepro.core.runs import Run
from actrepro.predict.store import Predictions
from actrepro.report.summary import write_summary
from actrepro.results.tables import COLUMNS, write_tables
from actrepro.statistics.per_scale import scale_statistics

MODELS = ("charlm", "tinylstm")
ACTIVATIONS = ("relu", "smelu_05")
SEEDS = (42, 43, 44)


def make_models(
    folder: Path,
    activations: Sequence[str] = ACTIVATIONS,
    seeds: Sequence[int] = SEEDS,
    models: Sequence[str] = MODELS,
    diverged: Iterable[tuple[str, str, int]] = (),
    failed: Mapping[str, str] | None = None,
    changed: Mapping[Run, Predictions] | None = None,
    out_of_memory: Iterable[tuple[str, str, int]] = (),
) -> list[Model]:
    """Write each model's results; lost runs are named with their model."""
    made = []
    for name in models:
        made.append(
            Model(
                folder / "made",
                activations,
                seeds,
                diverged=_of_model(name, diverged),
                out_of_memory=_of_model(name, out_of_memory),
                name=name,
                failed=failed or {},
                changed=changed or {},
            )
        )
        made[-1].write()
    return made


def _of_model(name: str, runs: Iterable[tuple[str, str, int]]) -> list[Run]:
    return [(activation, seed) for model, activation, seed in runs if model == name]


def write_scale(models: Sequence[Model], folder: Path, scale: str = "tiny") -> Path:
    """Write a scale's statistics, tables and summary; returns its folder."""
    stats = folder / "stats.json"
    scale_statistics(scale, "mine", [model.stats for model in models], stats)
    matrices = {model.name: model.matrices for model in models}
    write_tables(stats, matrices, {name: folder / f"{name}.csv" for name in COLUMNS})
    write_summary(stats, folder / "summary.txt")
    return folder
