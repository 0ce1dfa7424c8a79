"""A study's results as pandas frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from actrepro.core.errors import ActreproError
from actrepro.results.schema import StatsFile, read_stats
from actrepro.results.tables import COLUMNS


@dataclass(frozen=True, eq=False)
class Study:
    """Tables of a study, with the rows of all scales, and the statistics behind them.

    Columns are described in docs/results.md. Missing numbers and answers are
    NaN or `pandas.NA`; a missing text is empty.

    Attributes
    ----------
    runs
        A row per run and checkpoint rule.
    pairs
        A row per two runs of a model and checkpoint rule.
    cells
        A row per model, activation, checkpoint rule and measure: estimates.
    contrasts
        A row per two activations of a model, checkpoint rule and measure: tests and verdicts.
    gates
        A row per model, activation, checkpoint rule and gate.
    across
        A row per two activations of a model, checkpoint rule, measure and kind of
        difference between their runs.
    tests
        A row per test of several activations at once, and per pair of tests of all pairs.
    variance
        A row per checkpoint rule, measure and source of variance of a scale.
    stats
        By scale, all of its `stats.json`.
    """

    runs: pd.DataFrame
    pairs: pd.DataFrame
    cells: pd.DataFrame
    contrasts: pd.DataFrame
    gates: pd.DataFrame
    across: pd.DataFrame
    tests: pd.DataFrame
    variance: pd.DataFrame
    stats: Mapping[str, StatsFile]


def load_study(path: str | Path = "results") -> Study:
    """Read the tables of all scales of a study, or of one.

    Parameters
    ----------
    path
        A results folder, a scale's folder in it, or a scale's `stats.json`.

    Raises
    ------
    ActreproError
        When there is no scale's `stats.json`, when a table beside it is missing
        or damaged, or when they were written by another version.

    Examples
    --------
    The difference between seeds of every sound cell, by model and activation:

    >>> import actrepro
    >>> cells = actrepro.load_study("results").cells
    >>> chosen = cells.query("measure == 'tv-half_l1-pairs.all' and rule == 'final'")
    >>> sound = chosen[chosen.failed_gates == ""]
    >>> sound.pivot(index=["scale", "activation"], columns="model", values="value")
    """
    stats: dict[str, StatsFile] = {}
    folders = []
    for stats_path in _stats_paths(Path(path)):
        scale_stats = read_stats(stats_path)
        scale = scale_stats["scale"]
        if scale in stats:
            raise ActreproError(
                f"{path}: found more than one scale of the name '{scale}', expected one; "
                f"load them one by one, such as load_study('{stats_path.parent}')"
            )
        stats[scale] = scale_stats
        folders.append(stats_path.parent)
    tables = {
        name: pd.concat([_read_table(folder, name) for folder in folders], ignore_index=True)
        for name in COLUMNS
    }
    return Study(**tables, stats=stats)


def _stats_paths(path: Path) -> list[Path]:
    """Find `stats.json` of every scale below a path."""
    if path.is_file():
        return [path]
    if (path / "stats.json").is_file():
        return [path / "stats.json"]
    paths = sorted(path.glob("*/stats.json"))
    if not paths:
        what = "no stats.json in it or one folder below" if path.is_dir() else "no such folder"
        raise ActreproError(
            f"{path}: expected the results of a study, found {what}; run the workflow "
            "(snakemake), or pass load_study the folder that holds its scales"
        )
    return paths


def _read_table(folder: Path, name: str) -> pd.DataFrame:
    path, columns = folder / f"{name}.csv", COLUMNS[name]
    # An activation may be called "None" or "NA": only empty fields are missing, and no text is.
    missing = {column: [""] for column, kind in columns.items() if kind != "str"}
    try:
        frame = pd.read_csv(
            path,
            dtype=dict(columns),
            keep_default_na=False,
            na_values=missing,
        )
    except FileNotFoundError:
        raise ActreproError(
            f"{path}: there is no such file, expected the table beside stats.json; run the "
            "workflow again, or copy all of the scale's files"
        ) from None
    except (OSError, ValueError) as error:
        raise ActreproError(
            f"{path}: the file is damaged ({error}); delete it and run the workflow again"
        ) from None
    if list(frame) != list(columns):
        wrong = sorted(set(map(str, frame)) ^ set(columns)) or ["their order"]
        raise ActreproError(
            f"{path}: found other columns than expected ({', '.join(wrong)}); run the workflow "
            "again, or read it with the version of actrepro that wrote it"
        )
    return frame
