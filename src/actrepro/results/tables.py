"""The tables of a scale: CSV files with one observation per row.

docs/results.md describes the columns.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from typing_extensions import TypedDict

from actrepro.core.files import read_npz, writing
from actrepro.gates.outcome import all_failed
from actrepro.measures import measure_ids, run_measure_ids
from actrepro.predict.store import MATCHED, RULES, Rule
from actrepro.results.cells import Stats, step_of
from actrepro.results.schema import (
    Across,
    Cell,
    Classical,
    Contrast,
    Decomposition,
    Estimate,
    Omnibus,
    Score,
    UnderRule,
    read_stats,
)

Kind = Literal["same_seed", "other_seed", "effect"]
KINDS: tuple[Kind, ...] = ("same_seed", "other_seed", "effect")
# By column, a value as the csv module writes it.
Row = dict[str, object]

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
    numbers = read_stats(stats)
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
    """Yield a row per run and checkpoint rule; a run that cannot be compared has no scores."""
    for model, model_stats in stats["models"].items():
        for run, rule in itertools.product(model_stats["runs"], RULES):
            cell = model_stats["rules"][rule]["cells"][run["activation"]]
            reasons = {excluded["seed"]: excluded["why"] for excluded in cell["excluded"]}
            yield {
                "scale": stats["scale"],
                "model": model,
                "rule": rule,
                "activation": run["activation"],
                "seed": run["seed"],
                "status": run["status"],
                "parameters": run["parameters"],
                "seconds": run["seconds"],
                "characters_per_second": run["characters_per_second"],
                "device": run["device"],
                "why": run["why"] or reasons.get(run["seed"]),
                "failed_gates": _listed(cell["failed_gates"]),
                "step": step_of(run, rule),
                # Those of a matched checkpoint are not recorded with the run.
                "weights_sha256": None if rule == MATCHED else run["weights_sha256"][rule],
                **{id_: _of_seed(score, run["seed"]) for id_, score in cell["metrics"].items()},
            }


def _of_seed(metric: Score | None, seed: int) -> float | None:
    return None if metric is None else metric["by_seed"].get(str(seed))


def pair_rows(stats: Stats, matrices_paths: Mapping[str, Path]) -> Iterator[Row]:
    """Yield a row per pair of a model's runs and checkpoint rule, across activations too.

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
    """Return None, an empty field, for the difference to a run that cannot be compared."""
    return None if math.isnan(value) else float(value)


def cell_rows(stats: Stats) -> Iterator[Row]:
    """Yield a row per cell, checkpoint rule and measure, of runs, of pairs and of groups."""
    for named, cell in _cells(stats):
        outcomes = [gate["passed"] for gate in cell["gates"].values()]
        estimates = {**cell["metrics"], **cell["differences"], **cell["group"]}
        for measure, estimate in estimates.items():
            row = {**named, "measure": measure, **_estimate(estimate, cell["n"])}
            score = cell["metrics"].get(measure)
            # Measures of pairs and groups have a jackknife over seeds.
            over = "seeds" if score is None else score["interval_over"]
            yield {
                **row,
                "interval_over": None if row["low"] is None else over,
                "sd": None if score is None else score["sd"],
                "failed_gates": _listed(cell["failed_gates"]),
                "gates_passed": sum(outcomes),
                "gates_asked": len(outcomes),
            }


def gate_rows(stats: Stats) -> Iterator[Row]:
    """Yield a row per cell, checkpoint rule and gate."""
    for named, cell in _cells(stats):
        for gate, outcome in cell["gates"].items():
            measured = json.dumps(outcome["measured"], ensure_ascii=False, separators=(",", ":"))
            yield {**named, "gate": gate, **outcome, "measured": measured}


def contrast_rows(stats: Stats) -> Iterator[Row]:
    """Yield a row per two activations, measure and checkpoint rule of a model."""
    for named, under in _rules(stats):
        for contrast in under["contrasts"]:
            settling = contrast["seeds_to_settle"]
            yield {
                **named,
                **_pair_fields(contrast),
                **_numbers(contrast),
                "interval_over": contrast["interval_over"],
                "sd": contrast["sd"],
                "test": contrast["test"],
                "exact": contrast["exact"],
                "p": contrast["p"],
                "p_smallest": contrast["p_smallest"],
                "p_holm": contrast["p_holm"],
                "margin": contrast["margin"],
                "p_equivalent": contrast["p_equivalent"],
                "p_equivalent_holm": contrast["p_equivalent_holm"],
                "significant": contrast["significant"],
                "verdict": contrast["verdict"],
                "detectable": contrast["detectable"],
                "seeds_to_settle_different": settling and settling["different"],
                "seeds_to_settle_equivalent": settling and settling["equivalent"],
                "seeds_to_settle_either": settling and settling["either"],
            }


def across_rows(stats: Stats) -> Iterator[Row]:
    """Yield a row per two activations, measure, checkpoint rule and kind of difference."""
    for named, under in _rules(stats):
        for contrast in under["across"]:
            for kind in KINDS:
                numbers = _estimate(contrast[kind], len(contrast["seeds"]))
                yield {**named, **_pair_fields(contrast), "kind": kind, **numbers}


def omnibus_rows(stats: Stats) -> Iterator[Row]:
    """Yield a row per test of several activations, or per pair for tests of all pairs."""
    for named, under in _rules(stats):
        for measure, test in under["omnibus"].items():
            if test is not None:
                among_models = stats["omnibus"][named["rule"]][measure][named["model"]]
                row = {
                    **named,
                    "measure": measure,
                    "test": "permutation",
                    **_compared(test),
                    "statistic": test["statistic"],
                    "p": test["p"],
                    "p_smallest": test["p_smallest"],
                    "exact": test["exact"],
                    "p_holm": among_models["p_holm"],
                }
                yield _filled("tests", row)
        for measure, classical in under["classical"].items():
            if classical is not None:
                for row in _classical_rows(classical):
                    yield _filled("tests", {**named, "measure": measure, **row})


def _classical_rows(tests: Classical) -> Iterator[Row]:
    compared = _compared(tests)
    whole = {
        "one_way": tests["one_way"],
        "welch": tests["welch"],
        "blocked": tests["blocked"],
        "friedman": tests["friedman"],
    }
    for name, test in whole.items():
        if test is not None:
            df = dict(zip(("df", "df_residual"), test["df"], strict=False))
            numbers = {"statistic": test["statistic"], "p": test["p"], **df}
            yield {"test": name, **compared, **numbers}
    for name, pairs in {"tukey": tests["tukey"], "games_howell": tests["games_howell"]}.items():
        for pair in pairs or ():
            numbers = {"statistic": pair["difference"], "p": pair["p"]}
            yield {"test": name, **compared, "a": pair["a"], "b": pair["b"], **numbers}


def _compared(test: Omnibus | Classical | Decomposition) -> Row:
    """Return the activations that a test compares, and its number of seeds."""
    return {"activations": _listed(test["activations"]), "n": len(test["seeds"])}


def variance_rows(stats: Stats) -> Iterator[Row]:
    """Yield a row per checkpoint rule, measure and source of variance of the scale."""
    for rule in RULES:
        for measure, decomposition in stats["decomposition"][rule].items():
            if decomposition is None:
                continue
            for source in decomposition["sources"]:
                yield {
                    "scale": stats["scale"],
                    "rule": rule,
                    "measure": measure,
                    **_compared(decomposition),
                    "models": _listed(decomposition["models"]),
                    **source,
                    "icc": decomposition["icc"] if source["source"] == "seed" else None,
                }


def _filled(table: str, row: Row) -> Row:
    """Return a row with a field for every column of its table."""
    return {**dict.fromkeys(COLUMNS[table]), **row}


class _Named(TypedDict):
    scale: str
    model: str
    rule: Rule


def _rules(stats: Stats) -> Iterator[tuple[_Named, UnderRule]]:
    """Yield the results of each model under each checkpoint rule."""
    for (model, model_stats), rule in itertools.product(stats["models"].items(), RULES):
        yield {"scale": stats["scale"], "model": model, "rule": rule}, model_stats["rules"][rule]


def _cells(stats: Stats) -> Iterator[tuple[Row, Cell]]:
    for named, under in _rules(stats):
        for activation, cell in under["cells"].items():
            yield {**named, "activation": activation}, cell


def _pair_fields(contrast: Contrast | Across) -> Row:
    """Return the compared activations, the measure and the failed gates."""
    ends = {"measure": contrast["metric"], "a": contrast["a"], "b": contrast["b"]}
    return {**ends, "failed_gates": _listed(contrast["failed_gates"])}


def _estimate(estimate: Estimate | None, n: int) -> Row:
    """Return an estimate's fields; of a missing one, only the number of seeds."""
    return {"n": n, **dict.fromkeys(_ESTIMATE)} if estimate is None else _numbers(estimate)


def _numbers(estimate: Estimate | Contrast) -> Row:
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
