"""The tables of a scale: CSV files with one observation per row.

What each column means is in docs/results.md.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from actrepro.core.files import read_json, read_npz, writing
from actrepro.gates.outcome import all_failed
from actrepro.measures import measure_ids, run_measure_ids
from actrepro.predict.store import RULES

Stats = Mapping[str, Any]
Row = dict[str, Any]

KINDS = ("same_seed", "other_seed", "effect")

_CELL = {"scale": "str", "model": "str", "activation": "str", "rule": "str"}
_CONTRAST = {
    "scale": "str",
    "model": "str",
    "rule": "str",
    "measure": "str",
    "a": "str",
    "b": "str",
}
_ESTIMATE = {"value": "float64", "standard_error": "float64", "low": "float64", "high": "float64"}

# By table, its columns and their types in pandas; "Int64" and "boolean" may be missing, as may
# numbers. A text is never missing: it is empty.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "runs": {
        "scale": "str",
        "model": "str",
        "activation": "str",
        "seed": "int64",
        "rule": "str",
        "status": "str",
        "why": "str",
        "failed_gates": "str",
        "step": "Int64",
        "weights_sha256": "str",
        **dict.fromkeys(run_measure_ids(), "float64"),
        "parameters": "int64",
        "seconds": "float64",
        "characters_per_second": "float64",
        "device": "str",
    },
    "pairs": {
        "scale": "str",
        "model": "str",
        "activation_a": "str",
        "seed_a": "int64",
        "activation_b": "str",
        "seed_b": "int64",
        "rule": "str",
        "failed_gates": "str",
        **dict.fromkeys(measure_ids(), "float64"),
    },
    "cells": {
        **_CELL,
        "measure": "str",
        "n": "int64",
        **_ESTIMATE,
        "interval_over": "str",
        "sd": "float64",
        "failed_gates": "str",
        "gates_passed": "int64",
        "gates_asked": "int64",
    },
    "contrasts": {
        **_CONTRAST,
        "n": "int64",
        **_ESTIMATE,
        "interval_over": "str",
        "sd": "float64",
        "test": "str",
        "exact": "boolean",
        "p": "float64",
        "p_smallest": "float64",
        "p_holm": "float64",
        "margin": "float64",
        "p_equivalent": "float64",
        "p_equivalent_holm": "float64",
        "significant": "boolean",
        "verdict": "str",
        "seeds_to_settle_different": "Int64",
        "seeds_to_settle_equivalent": "Int64",
        "seeds_to_settle_either": "Int64",
        "detectable": "float64",
        "failed_gates": "str",
    },
    "gates": {**_CELL, "gate": "str", "passed": "bool", "measured": "str", "bound": "str"},
    "across": {**_CONTRAST, "kind": "str", "n": "int64", **_ESTIMATE, "failed_gates": "str"},
    "tests": {
        "scale": "str",
        "model": "str",
        "rule": "str",
        "measure": "str",
        "test": "str",
        "a": "str",
        "b": "str",
        "activations": "str",
        "n": "int64",
        "statistic": "float64",
        "df": "float64",
        "df_residual": "float64",
        "p": "float64",
        "p_holm": "float64",
        "p_smallest": "float64",
        "exact": "boolean",
    },
    "variance": {
        "scale": "str",
        "rule": "str",
        "measure": "str",
        "activations": "str",
        "models": "str",
        "n": "int64",
        "source": "str",
        "ss": "float64",
        "df": "int64",
        "ms": "float64",
        "f": "float64",
        "p": "float64",
        "eta2": "float64",
        "partial_eta2": "float64",
        "omega2": "float64",
        "icc": "float64",
    },
}


def write_tables(stats: Path, matrices: Mapping[str, Path], tables: Mapping[str, Path]) -> None:
    """Write the tables of a scale.

    Parameters
    ----------
    stats
        `stats.json` of the scale.
    matrices
        `differences.npz` by model.
    tables
        Where each table belongs, by the names in `COLUMNS`.

    Raises
    ------
    ActreproError
        When a file is missing or damaged.
    """
    numbers = read_json(stats)
    rows = {
        "runs": run_rows(numbers),
        "pairs": pair_rows(numbers, matrices),
        "cells": cell_rows(numbers),
        "contrasts": contrast_rows(numbers),
        "gates": gate_rows(numbers),
        "across": across_rows(numbers),
        "tests": omnibus_rows(numbers),
        "variance": variance_rows(numbers),
    }
    for table in COLUMNS:
        _write(tables[table], table, rows[table])


def run_rows(stats: Stats) -> Iterator[Row]:
    """A row per run and checkpoint rule; a run that cannot be compared says why, without scores."""
    kept = ("activation", "seed", "status", "parameters", "seconds", "characters_per_second")
    for model, one in stats["models"].items():
        for run, rule in itertools.product(one["runs"], RULES):
            cell = one["rules"][rule]["cells"][run["activation"]]
            reasons = {other["seed"]: other["why"] for other in cell["excluded"]}
            yield {
                "scale": stats["scale"],
                "model": model,
                "rule": rule,
                **{name: run[name] for name in (*kept, "device")},
                "why": run["why"] or reasons.get(run["seed"]),
                "failed_gates": _listed(cell["failed_gates"]),
                "step": run[f"{rule}_step"],
                # Those of a matched checkpoint are not recorded with the run.
                "weights_sha256": run["weights_sha256"].get(rule),
                **{id_: _of_seed(found, run["seed"]) for id_, found in cell["metrics"].items()},
            }


def _of_seed(metric: Mapping[str, Any] | None, seed: int) -> float | None:
    return None if metric is None else metric["by_seed"].get(str(seed))


def pair_rows(stats: Stats, matrices_paths: Mapping[str, Path]) -> Iterator[Row]:
    """A row per pair of a model's runs and checkpoint rule, across activations too.

    A difference is from a to b, where it has a direction.
    """
    for model, path in matrices_paths.items():
        matrices = read_npz(path)
        runs = list(zip(map(str, matrices["activation"]), matrices["seed"].tolist(), strict=True))
        for rule, (i, j) in itertools.product(RULES, itertools.combinations(range(len(runs)), 2)):
            cells = stats["models"][model]["rules"][rule]["cells"]
            (a, seed_a), (b, seed_b) = runs[i], runs[j]
            yield {
                "scale": stats["scale"],
                "model": model,
                "activation_a": a,
                "seed_a": seed_a,
                "activation_b": b,
                "seed_b": seed_b,
                "rule": rule,
                "failed_gates": _listed(all_failed(cells[name]["gates"] for name in (a, b))),
                **{id_: _number(matrices[f"{rule}.{id_}"][i, j]) for id_ in measure_ids()},
            }


def _number(value: float) -> float | None:
    """None, an empty field, for the difference to a run that cannot be compared."""
    return None if math.isnan(value) else float(value)


def cell_rows(stats: Stats) -> Iterator[Row]:
    """A row per cell, checkpoint rule and measure, of runs, of pairs and of groups."""
    for named, cell in _cells(stats):
        outcomes = [gate["passed"] for gate in cell["gates"].values()]
        found = {**cell["metrics"], **cell["differences"], **cell["group"]}
        for measure, estimate in found.items():
            row = {**named, "measure": measure, **_estimate(estimate, cell["n"])}
            yield {
                **row,
                # Measures of pairs and groups have a jackknife over seeds.
                "interval_over": None
                if row["low"] is None
                else estimate.get("interval_over", "seeds"),
                "sd": (estimate or {}).get("sd"),
                "failed_gates": _listed(cell["failed_gates"]),
                "gates_passed": sum(outcomes),
                "gates_asked": len(outcomes),
            }


def gate_rows(stats: Stats) -> Iterator[Row]:
    """A row per cell, checkpoint rule and gate."""
    for named, cell in _cells(stats):
        for gate, outcome in cell["gates"].items():
            measured = json.dumps(outcome["measured"], ensure_ascii=False, separators=(",", ":"))
            yield {**named, "gate": gate, **outcome, "measured": measured}


def contrast_rows(stats: Stats) -> Iterator[Row]:
    """A row per two activations, measure and checkpoint rule of a model."""
    kept = (
        *("interval_over", "sd", "test", "exact", "p", "p_smallest", "p_holm", "margin"),
        *("p_equivalent", "p_equivalent_holm", "significant", "verdict", "detectable"),
    )
    for named, contrast in _between(stats, "contrasts"):
        settling = contrast["seeds_to_settle"] or dict.fromkeys(
            ("different", "equivalent", "either")
        )
        yield {
            **named,
            **_estimate(contrast, contrast["n"]),
            **{name: contrast[name] for name in kept},
            **{f"seeds_to_settle_{what}": seeds for what, seeds in settling.items()},
        }


def across_rows(stats: Stats) -> Iterator[Row]:
    """A row per two activations, measure, checkpoint rule of a model, and kind of difference."""
    for named, one in _between(stats, "across"):
        for kind in KINDS:
            yield {**named, "kind": kind, **_estimate(one[kind], len(one["seeds"]))}


def omnibus_rows(stats: Stats) -> Iterator[Row]:
    """A row per test of several activations at once, and per pair of those that test all pairs."""
    for named, under in _rules(stats):
        for measure, found in under["omnibus"].items():
            if found is not None:
                kept = {name: found[name] for name in ("statistic", "p", "p_smallest", "exact")}
                row = {**named, "measure": measure, "test": "permutation", **_compared(found)}
                among_models = stats["omnibus"][named["rule"]][measure][named["model"]]
                yield _whole("tests", {**row, **kept, "p_holm": among_models["p_holm"]})
        for measure, found in under["classical"].items():
            if found is not None:
                for row in _classical_rows(found):
                    yield _whole("tests", {**named, "measure": measure, **row})


def _classical_rows(found: Mapping[str, Any]) -> Iterator[Row]:
    for name, test in found.items():
        row = {"test": name, **_compared(found)}
        if isinstance(test, Mapping):
            df = dict(zip(("df", "df_residual"), test["df"], strict=False))
            yield {**row, "statistic": test["statistic"], "p": test["p"], **df}
        elif name in ("tukey", "games_howell"):
            for pair in test or ():
                ends = {"a": pair["a"], "b": pair["b"]}
                yield {**row, **ends, "statistic": pair["difference"], "p": pair["p"]}


def _compared(found: Mapping[str, Any]) -> Row:
    """Which activations a test compares, over how many seeds."""
    return {"activations": _listed(found["activations"]), "n": len(found["seeds"])}


def variance_rows(stats: Stats) -> Iterator[Row]:
    """A row per checkpoint rule, measure and source of variance of the scale."""
    for rule, by_measure in stats["decomposition"].items():
        for measure, found in by_measure.items():
            for source in found["sources"] if found is not None else ():
                yield {
                    "scale": stats["scale"],
                    "rule": rule,
                    "measure": measure,
                    **_compared(found),
                    "models": _listed(found["models"]),
                    **source,
                    "icc": found["icc"] if source["source"] == "seed" else None,
                }


def _whole(table: str, row: Row) -> Row:
    """A row with a field for every column of its table."""
    return {**dict.fromkeys(COLUMNS[table]), **row}


def _rules(stats: Stats) -> Iterator[tuple[dict[str, str], Mapping[str, Any]]]:
    """What each model has under each checkpoint rule."""
    for (model, one), rule in itertools.product(stats["models"].items(), RULES):
        yield {"scale": stats["scale"], "model": model, "rule": rule}, one["rules"][rule]


def _cells(stats: Stats) -> Iterator[tuple[dict[str, str], Mapping[str, Any]]]:
    for named, under in _rules(stats):
        for activation, cell in under["cells"].items():
            yield {**named, "activation": activation}, cell


def _between(stats: Stats, what: str) -> Iterator[tuple[dict[str, str], Mapping[str, Any]]]:
    """Every entry about two activations."""
    for named, under in _rules(stats):
        for one in under[what]:
            ends = {"measure": one["metric"], "a": one["a"], "b": one["b"]}
            yield {**named, **ends, "failed_gates": _listed(one["failed_gates"])}, one


def _estimate(estimate: Mapping[str, Any] | None, n: int) -> Row:
    """An estimate's fields; of a missing one, only the number of seeds there were."""
    if estimate is None:
        return {"n": n, **dict.fromkeys(_ESTIMATE)}
    low, high = estimate["interval"] or (None, None)
    return {
        "value": estimate["value"],
        "n": estimate["n"],
        "standard_error": estimate["standard_error"],
        "low": low,
        "high": high,
    }


def _listed(names: Sequence[str]) -> str:
    return ";".join(names)


def _write(path: Path, table: str, rows: Iterable[Row]) -> None:
    # Row by row: the pairs of a large study are hundreds of megabytes of text.
    with writing(path) as text:
        writer = csv.DictWriter(text, list(COLUMNS[table]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
