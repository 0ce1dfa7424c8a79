"""The tables of a scale: `runs.csv`, `pairs.csv` and a summary to read in a terminal."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actrepro import formats
from actrepro.cells import learned
from actrepro.files import read_npz, write_text
from actrepro.measures import PRIMARY, measure_ids
from actrepro.predictions import RULES
from actrepro.statistics import METRICS, scale_statistics

RUN_COLUMNS = (
    "scale",
    "model",
    "activation",
    "seed",
    "rule",
    "status",
    "step",
    *METRICS,
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
            scores = {name: _by_seed(metrics[name], run["seed"]) for name in METRICS}
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


def summary_text(stats: Mapping[str, Any], rule: str = "final") -> str:
    """A scale's loss, accuracy and difference between seeds, a line per cell."""
    percent = formats.level(stats["confidence"])
    widths = (_width("model", stats["models"]), _width("activation", stats["activations"]))
    lines = [
        f"{stats['scale']}: seeds {', '.join(map(str, stats['seeds']))}; "
        f"{rule} checkpoint; {stats['evaluation']['characters']:,} characters of the test half",
        f"loss in nats per character: mean ± sd (n−1); TV: mean total variation over pairs of "
        f"seeds [{percent} jackknife interval]",
        "",
        f"{'model':<{widths[0]}}{'activation':<{widths[1]}}{'n':>2}  "
        f"{'loss':<17}{'accuracy':<15}{'TV':<26}{'churn':<8}learned",
    ]
    for model, one in stats["models"].items():
        cells = one["rules"][rule]["cells"]
        for activation, cell in cells.items():
            named = f"{model:<{widths[0]}}{activation:<{widths[1]}}{cell['n']:>2}  "
            lines.append(named + _summary_line(cell))
    lines += ["", *_baseline_lines(stats["evaluation"]["baselines"], sum(widths) + 4)]
    return "\n".join(lines) + "\n"


def _width(heading: str, names: Iterable[str]) -> int:
    """Of a column with room for its longest name."""
    return 2 + max(map(len, (heading, *names)))


def _summary_line(cell: Mapping[str, Any]) -> str:
    if not cell["n"]:
        return "every run diverged"
    loss, accuracy = (cell["metrics"][f"{metric}.all"] for metric in ("loss", "accuracy"))
    churn = cell["differences"]["churn-top1-pairs.all"]
    excluded = cell["excluded_seeds"]
    note = f"  without diverged seeds {', '.join(map(str, excluded))}" if excluded else ""
    return (
        f"{formats.mean_sd(loss):<17}{formats.mean_sd(accuracy, share=True):<15}"
        f"{_with_interval(cell['differences'][PRIMARY]):<26}"
        f"{formats.number(churn and churn['value']):<8}{learned(cell['beats'])}{note}"
    )


def _with_interval(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "needs 2 seeds"
    if difference["interval"] is None:
        return f"{difference['value']:.4f} [needs 3 seeds]"
    low, high = difference["interval"]
    return f"{difference['value']:.4f} [{low:.4f}, {high:.4f}]"


def _baseline_lines(baselines: Mapping[str, Mapping[str, float]], width: int) -> list[str]:
    return [
        f"{table + ' table':<{width}}{values['loss']:<17.4f}{values['accuracy']:.2%}"
        for table, values in baselines.items()
    ]
