"""Statistics of a model at a scale: from results files to `stats.json`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actrepro.core.files import read_npz, write_json
from actrepro.core.runs import ByRun
from actrepro.core.shapes import read_as
from actrepro.data.shapes import Baseline, Evaluation, Table
from actrepro.gates.shapes import GatesAfter, GatesBefore, Outcomes
from actrepro.measures import PRIMARY, group_measure_ids, measure_ids, run_measure_ids
from actrepro.measures.differences import read_cells
from actrepro.measures.shapes import CellDifferences, Cells
from actrepro.predict.shapes import MatchedRun, MatchedSteps
from actrepro.predict.store import FINAL, Rule
from actrepro.results.cells import known
from actrepro.results.schema import (
    Across,
    Cell,
    Classical,
    ClassicalTests,
    Comparison,
    Difference,
    Estimate,
    KindsOfPairs,
    ModelStatsFile,
    Omnibus,
    OmnibusTest,
    Rules,
    Run,
    Score,
    UnderRule,
)
from actrepro.results.schema_version import VERSION
from actrepro.statistics import classical, inference
from actrepro.statistics.contrasts import (
    RECOMMENDED_SEEDS,
    Settings,
    compared_metrics,
    estimate_json,
    family,
    group_estimate,
    interval_over,
    score_estimate,
)
from actrepro.statistics.permutation import blocked_omnibus_p, blocked_omnibus_pairs_p
from actrepro.statistics.runs import Floats, ModelRuns
from actrepro.statistics.training import fit, training
from actrepro.train.shapes import RunRecord

# Measures for classical tests; differences between pairs are not independent.
CLASSICAL = ("loss.all", "accuracy.all")
OMNIBUS = (*CLASSICAL, PRIMARY, "churn-top1-pairs.all")


@dataclass(frozen=True)
class StatisticsFiles:
    """The files of `model_statistics`.

    Attributes
    ----------
    evaluation
        The manifest of the evaluation set.
    differences
        `differences.json` of each activation's cell.
    matched, matched_differences, matrices
        The model's `matched.json`, `differences-matched.json` and `differences.npz`.
    records
        `run.json` of each run, activation by activation.
    gates, gates_after
        The model's gates, before and after training.
    stats
        Is written.
    """

    evaluation: Path
    differences: Mapping[str, Path]
    matched: Path
    matched_differences: Path
    matrices: Path
    records: ByRun
    gates: Path
    gates_after: Path
    stats: Path


def model_statistics(model: Mapping[str, str], settings: Settings, files: StatisticsFiles) -> None:
    """Write `stats.json` of one model at one scale.

    Parameters
    ----------
    model
        Names scale and model.
    """
    activations = list(files.differences)
    seeds = list(dict.fromkeys(seed for _, seed in files.records))
    cells = read_cells(files.differences.values(), files.matched_differences)
    matched = read_as(MatchedSteps, files.matched)
    matrices = read_npz(files.matrices)
    before = read_as(GatesBefore, files.gates)["activations"]
    after = read_as(GatesAfter, files.gates_after)["rules"]
    records = [read_as(RunRecord, path) for path in files.records.values()]
    evaluation = read_as(Evaluation, files.evaluation)

    def under(rule: Rule) -> UnderRule:
        gates = {name: {**before[name], **after[rule][name]} for name in activations}
        runs = _model_runs(rule, activations, seeds, cells[rule], matrices, gates)
        return _under_rule(runs, evaluation["baselines"], settings)

    rules: Rules = {"final": under("final"), "best": under("best"), "matched": under("matched")}
    runs = _run_summaries(records, matched["runs"], cells[FINAL])
    stats: ModelStatsFile = {
        "schema": VERSION,
        "scale": model["scale"],
        "model": model["model"],
        "activations": activations,
        "seeds": seeds,
        "smoke": len(seeds) < RECOMMENDED_SEEDS,
        "recommended_seeds": RECOMMENDED_SEEDS,
        "confidence": settings.confidence,
        "margins": settings.margins,
        "protocol": records[0]["config"]["protocol"],
        "corpus_sha256": records[0]["corpus_sha256"],
        "evaluation": evaluation,
        "measures": read_as(CellDifferences, files.differences[activations[0]])["measures"],
        "common_loss": matched["common_loss"],
        "runs": runs,
        "training": training(runs, activations),
        "fit": fit(runs, rules[FINAL]["cells"], rules["best"]["cells"], settings.confidence),
        "rules": rules,
    }
    write_json(files.stats, stats)


def _model_runs(
    rule: Rule,
    activations: Sequence[str],
    seeds: Sequence[int],
    cells: Cells,
    matrices: Mapping[str, Floats],
    gates: Mapping[str, Outcomes],
) -> ModelRuns:
    return ModelRuns(
        rule=rule,
        activations=activations,
        seeds=seeds,
        runs={(name, run["seed"]): run for name in activations for run in cells[name]["runs"]},
        matrices={id_: matrices[f"{rule}.{id_}"] for id_ in measure_ids()},
        groups={name: cells[name]["group"] for name in activations},
        blocks={id_: matrices[f"{rule}.blocks.{id_}"] for id_ in ("loss", "accuracy")},
        block_characters=matrices["block_characters"].astype(np.float64),
        gates=gates,
    )


def _run_summaries(
    records: Sequence[RunRecord], matches: Sequence[MatchedRun], cells: Cells
) -> list[Run]:
    predicted = {
        (name, run["seed"]): run["predictions_sha256"]
        for name, cell in cells.items()
        for run in cell["runs"]
    }
    steps = {(match["activation"], match["seed"]): match for match in matches}
    summaries: list[Run] = []
    for record in records:
        run = record["config"]["activation"], record["config"]["seed"]
        summaries.append(
            {
                "activation": run[0],
                "seed": run[1],
                "status": record["status"],
                "why": record["why"],
                "parameters": record["parameters"],
                "final_step": record["final_step"],
                "best_step": record["best_step"],
                "last_history": record["last_history"],
                "weights_sha256": record["weights_sha256"],
                "seconds": record["seconds"],
                "characters_per_second": record["characters_per_second"],
                "peak_memory_bytes": record["peak_memory_bytes"],
                "peak_gpu_memory_bytes": record["peak_gpu_memory_bytes"],
                "device": record["device"],
                "threads": record["threads"],
                "machine": record["machine"],
                "packages": record["packages"],
                "git": record["git"],
                "matched_step": steps[run]["step"],
                "matched_selection_loss": steps[run]["selection_loss"],
                "predictions_sha256": predicted[run],
            }
        )
    return summaries


def _under_rule(
    model: ModelRuns, baselines: Mapping[Table, Baseline], settings: Settings
) -> UnderRule:
    return {
        "cells": {name: _cell(model, name, baselines, settings) for name in model.activations},
        "contrasts": [
            contrast
            for metric in compared_metrics()
            for contrast in family(model, metric, settings)
        ],
        "omnibus": {metric: omnibus(model, metric) for metric in OMNIBUS},
        "classical": {metric: classical_tests(model, metric) for metric in CLASSICAL},
        "kinds_of_pairs": {id_: kinds_of_pairs(model, id_) for id_ in measure_ids()},
        "across": [row for id_ in measure_ids() for row in across(model, id_, settings.confidence)],
    }


def _cell(
    model: ModelRuns, activation: str, baselines: Mapping[Table, Baseline], settings: Settings
) -> Cell:
    seeds = model.usable(activation)
    level = settings.confidence
    worst = max(model.scores(activation, seeds, "loss.all"), default=None)
    return {
        "n": len(seeds),
        "excluded": [
            {"seed": seed, "why": known(model.runs[activation, seed]["why"])}
            for seed in model.seeds
            if seed not in seeds
        ],
        "gates": dict(model.gates[activation]),
        "failed_gates": model.failed(activation),
        "metrics": {
            id_: _metric(model, activation, seeds, id_, level) for id_ in run_measure_ids()
        },
        "differences": {
            id_: _difference(model, activation, seeds, id_, level) for id_ in measure_ids()
        },
        "group": {id_: _group(model, activation, seeds, id_, level) for id_ in group_measure_ids()},
        "beats": {
            table: None if worst is None else bool(worst < baselines[table]["loss"])
            for table in baselines
        },
    }


def _metric(
    model: ModelRuns, activation: str, seeds: Sequence[int], metric: str, confidence: float
) -> Score | None:
    if not seeds:
        return None
    values = model.scores(activation, seeds, metric)
    blocks = model.text_blocks(activation, seeds, metric)
    estimate = score_estimate(values, blocks, model.block_characters, confidence)
    over_seeds = inference.mean_estimate(values, confidence).interval
    return {
        **estimate_json(estimate),
        "interval_over": interval_over(blocks),
        "interval_over_seeds": None if over_seeds is None else list(over_seeds),
        "sd": float(values.std(ddof=1)) if len(seeds) > 1 else None,
        "by_seed": dict(zip(map(str, seeds), values.tolist(), strict=True)),
    }


def _difference(
    model: ModelRuns, activation: str, seeds: Sequence[int], id_: str, confidence: float
) -> Difference | None:
    if len(seeds) < 2:
        return None
    matrix = model.within(activation, seeds, id_)
    estimate = inference.jackknife_pairs([matrix], [1], confidence)
    ends = estimate.interval
    return {
        **estimate_json(estimate),
        "half_width": None if ends is None else (ends[1] - ends[0]) / 2,
        "pairs": [
            {"seeds": [seeds[i], seeds[j]], "value": float(matrix[i, j])}
            for i, j in itertools.combinations(range(len(seeds)), 2)
        ],
    }


def _group(
    model: ModelRuns, activation: str, seeds: Sequence[int], id_: str, confidence: float
) -> Estimate | None:
    if len(seeds) < 2:
        return None
    full, left = model.without(activation, seeds, id_)
    if not np.isfinite(full):
        return None
    return estimate_json(group_estimate(full, left, confidence))


def omnibus(model: ModelRuns, metric: str) -> Omnibus | None:
    """Test whether activations differ at all, by permuting labels within seeds of sound cells."""
    names, seeds = _comparable(model)
    if len(names) < 2 or len(seeds) < 2:
        return None
    if metric in model.matrices:
        rows = [row for name in names for row in model.index(name, seeds)]
        matrix = model.matrices[metric][np.ix_(rows, rows)]
        test = blocked_omnibus_pairs_p(matrix, len(names), len(seeds))
    else:
        scores = [model.scores(name, seeds, metric) for name in names]
        test = blocked_omnibus_p(np.array(scores).T)
    return {
        "activations": names,
        "seeds": seeds,
        "statistic": test.statistic,
        "p": test.p,
        "p_smallest": test.p_smallest,
        "exact": test.exact,
        "relabelings": test.relabelings,
    }


def _comparable(model: ModelRuns) -> tuple[list[str], list[int]]:
    """Return the activations with sound cells, and the seeds that all of them have."""
    names = model.sound()
    return names, model.usable(*names) if names else []


def classical_tests(model: ModelRuns, metric: str) -> Classical | None:
    """Compute the classical tests over sound cells and the seeds they share."""
    names, seeds = _comparable(model)
    if len(names) < 2 or len(seeds) < 2:
        return None
    scores = tuple((name, tuple(model.scores(name, seeds, metric).tolist())) for name in names)
    return {"activations": names, "seeds": seeds, **_classical(scores)}


@functools.lru_cache
def _classical(scores: tuple[tuple[str, tuple[float, ...]], ...]) -> ClassicalTests:
    """Compute all classical tests. Cached: rules may choose the same runs, and Tukey's is slow."""
    values = dict(scores)
    return {
        "one_way": _of_all(classical.one_way(values)),
        "welch": _of_all(classical.welch(values)),
        "blocked": _of_all(classical.blocked(values)),
        "friedman": _of_all(classical.friedman(values)),
        "tukey": _of_pairs(classical.tukey(values)),
        "games_howell": _of_pairs(classical.games_howell(values)),
    }


def _of_all(test: classical.OmnibusTest | None) -> OmnibusTest | None:
    return None if test is None else test.as_json()


def _of_pairs(pairs: Sequence[classical.Comparison] | None) -> list[Comparison] | None:
    return None if pairs is None else [pair.as_json() for pair in pairs]


def kinds_of_pairs(model: ModelRuns, id_: str) -> KindsOfPairs:
    """Compute the mean difference between two runs, by what they share.

    The pairs share the seed, the activation, or neither, so the effect of the activation
    can be compared with that of the seed. Only sound cells count.
    """
    sound = model.sound()
    runs = list(itertools.product(model.activations, model.seeds))
    kinds: dict[tuple[bool, bool], list[float]] = {}
    for (i, (a, s)), (j, (b, t)) in itertools.combinations(enumerate(runs), 2):
        value = model.matrices[id_][i, j]
        if a in sound and b in sound and not np.isnan(value):
            kinds.setdefault((a == b, s == t), []).append(float(value))
    return {
        "same_activation_other_seed": _mean(kinds.get((True, False))),
        "other_activation_same_seed": _mean(kinds.get((False, True))),
        "other_activation_other_seed": _mean(kinds.get((False, False))),
    }


def _mean(values: list[float] | None) -> float | None:
    return None if values is None else float(np.mean(values))


def across(model: ModelRuns, id_: str, confidence: float) -> list[Across]:
    """Compare the runs of every two activations, beside the seeds' own differences.

    `same_seed` is the mean difference from a's run to b's with the same seed,
    `other_seed` with another seed. `effect` is `other_seed` minus the mean of both
    cells' differences between seeds: the part that the activation adds to the seed's
    (half an energy distance where the measure is a metric; Székely & Rizzo 2013).
    """
    return [
        _across(model, id_, a, b, confidence)
        for a, b in itertools.combinations(model.activations, 2)
    ]


def _across(model: ModelRuns, id_: str, a: str, b: str, confidence: float) -> Across:
    seeds = model.usable(a, b)
    n = len(seeds)
    between = model.between(a, b, seeds, id_)
    within = [model.within(name, seeds, id_) for name in (a, b)]
    row: Across = {
        "metric": id_,
        "a": a,
        "b": b,
        "failed_gates": model.failed(a, b),
        "seeds": seeds,
        "same_seed": None,
        "other_seed": None,
        "effect": None,
    }
    if n:
        row["same_seed"] = estimate_json(inference.mean_estimate(np.diag(between), confidence))
    if n > 1:
        off = (between + between.T) / 2
        row["other_seed"] = estimate_json(inference.jackknife_pairs([off], [1.0], confidence))
        added = inference.jackknife_pairs([off, *within], [1.0, -0.5, -0.5], confidence)
        row["effect"] = estimate_json(added)
    return row
