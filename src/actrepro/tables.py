"""The tables of a scale: `runs.csv`, `pairs.csv`, and the summary."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actrepro.files import read_npz, write_text
from actrepro.measures import measure_ids, run_measure_ids
from actrepro.predictions import RULES
from actrepro.scale import scale_statistics
from actrepro.summary import summary_text

RUN_COLUMNS = (
    "scale",
    "model",
    "activation",
    "seed",
    "rule",
    "status",
    "step",
    *run_measure_ids(),
    "parameters",
    "seconds",
    "characters_per_second",
    "device",
)
PAIR_COLUMNS = ("scale", "model", "activation_a", "seed_a", "activation_b", "seed_b", "rule")


def scale_tables(
    scale: str,
    study: str,
    model_paths: Sequence[Path],
    matrices_paths: Mapping[str, Path],
    stats: Path,
    runs: Path,
    pairs: Path,
    summary: Path,
) -> None:
    """Write a scale's `stats.json`, `runs.csv`, `pairs.csv` and `summary.txt`.

    `matrices_paths` maps each model to its `differences.npz`.
    """
    merged = scale_statistics(scale, study, model_paths, stats)
    write_text(runs, _csv(RUN_COLUMNS, run_rows(merged)))
    write_text(pairs, _csv((*PAIR_COLUMNS, *measure_ids()), pair_rows(scale, matrices_paths)))
    write_text(summary, summary_text(merged))


def run_rows(stats: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """A row per run and checkpoint rule; a run that diverged has no scores."""
    for model, one in stats["models"].items():
        for run, rule in itertools.product(one["runs"], RULES):
            metrics = one["rules"][rule]["cells"][run["activation"]]["metrics"]
            scores = {name: _by_seed(metrics[name], run["seed"]) for name in run_measure_ids()}
            yield {
                **{name: run.get(name) for name in RUN_COLUMNS},
                **scores,
                "scale": stats["scale"],
                "model": model,
                "rule": rule,
                "step": run[f"{rule}_step"],
            }


def _by_seed(metric: Mapping[str, Any] | None, seed: int) -> float | None:
    return None if metric is None else metric["by_seed"].get(str(seed))


def pair_rows(scale: str, matrices_paths: Mapping[str, Path]) -> Iterable[dict[str, Any]]:
    """A row per pair of a model's runs and checkpoint rule, across activations too."""
    for model, path in matrices_paths.items():
        matrices = read_npz(path)
        runs = list(zip(matrices["activation"], matrices["seed"], strict=True))
        for rule, (i, j) in itertools.product(RULES, itertools.combinations(range(len(runs)), 2)):
            ends = (*runs[i], *runs[j])
            yield {
                **dict(zip(PAIR_COLUMNS, (scale, model, *ends, rule), strict=True)),
                **{id_: _number(matrices[f"{rule}.{id_}"][i, j]) for id_ in measure_ids()},
            }


def _number(value: float) -> float | None:
    """None, an empty field, for the difference to a run that diverged."""
    return None if math.isnan(value) else float(value)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
