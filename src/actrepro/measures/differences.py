"""Differences between the runs of a cell, and between all runs of a model.

Predictions are read in pieces of some thousand characters, all runs side by side,
so that memory does not grow with the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from actrepro.core.files import write_json, write_npz
from actrepro.core.runs import ByRun, Run
from actrepro.core.shapes import read_as
from actrepro.data.evaluation_set import EvaluationSet, load_evaluation
from actrepro.measures import (
    BY_ID,
    CHUNK,
    GENERATED_ID,
    GROUP_MEASURES,
    PAIR_MEASURES,
    RUN_MEASURES,
    Floats,
    PairMeasure,
    all_pairs,
    edit_differences,
    is_agreement,
    leave_one_out_sums,
    measure_descriptions,
    measure_ids,
    mirror,
)
from actrepro.measures.shapes import (
    CellDifferences,
    Cells,
    CellUnderRule,
    GroupValue,
    RunUnderRule,
)
from actrepro.predict.store import (
    MATCHED,
    OWN_RULES,
    RULES,
    OwnRule,
    Probabilities,
    Rule,
    StoredPredictions,
    open_predictions,
    stream,
)
from actrepro.predict.validity import Validity, inspect, targets_of

Pairs = npt.NDArray[np.intp]
Matrix = npt.NDArray[np.float64]
# By measure id, one value per run, per pair, or per group of runs.
Values = dict[str, Floats]
Sums = Callable[[Probabilities, npt.NDArray[Any]], Floats]
# A run's name: its seed, or its activation and seed.
_R = TypeVar("_R", int, Run)

# Largest number of blocks of text that the bootstrap draws from.
MOST_BLOCKS = 200


def run_scores(runs: Sequence[StoredPredictions], rule: str, evaluation: EvaluationSet) -> Values:
    """Compute all measures of single runs, `[M]` each."""
    sums: dict[str, Sums] = {measure.id: measure.sums for measure in RUN_MEASURES}
    return _over_text(runs, rule, evaluation, sums)


def pair_differences(
    runs: Sequence[StoredPredictions],
    rule: str,
    evaluation: EvaluationSet,
    pairs: Pairs,
    measures: Sequence[PairMeasure] = PAIR_MEASURES,
) -> Values:
    """Compute measures of two runs, `[P]` each, for pairs `[P, 2]` of indices into `runs`.

    The edit distance of generated text is always included.
    """
    sums: dict[str, Sums] = {measure.id: partial(measure.sums, pairs=pairs) for measure in measures}
    values = _over_text(runs, rule, evaluation, sums)
    texts = [run.generated(rule) for run in runs]
    return {**values, GENERATED_ID: edit_differences(texts, pairs)}


def group_differences(
    runs: Sequence[StoredPredictions], rule: str, evaluation: EvaluationSet
) -> Values:
    """Compute all measures of a group, `[M + 1]` each: of all runs, then without each of them.

    For two runs, only the first: a single run is no group.
    """
    sums: dict[str, Sums] = {
        measure.id: partial(leave_one_out_sums, measure) for measure in GROUP_MEASURES
    }
    return _over_text(runs, rule, evaluation, sums)


def _over_text(
    runs: Sequence[StoredPredictions],
    rule: str,
    evaluation: EvaluationSet,
    sums: Mapping[str, Sums],
) -> Values:
    """Sum over all positions and finish to values, in one pass over the predictions."""
    values: Values = {}
    for positions, targets in targets_of(evaluation).items():
        totals = dict.fromkeys(sums, np.zeros(()))
        start = 0
        for p in stream(runs, rule, positions, CHUNK):
            here = targets[start : start + p.shape[1]]
            start += p.shape[1]
            totals = {id_: total + sums[id_](p, here) for id_, total in totals.items()}
        for id_, total in totals.items():
            values[f"{id_}.{positions}"] = BY_ID[id_].finish(total, len(targets))
    return values


def cell_differences(
    cell: Mapping[str, str],
    predictions: Mapping[int, Path],
    evaluation_path: Path,
    output: Path,
) -> None:
    """Write the scores of a cell's runs and the differences of all pairs of seeds.

    Parameters
    ----------
    cell
        Names scale, model and activation.
    predictions
        `predictions.npz` of each seed's run.
    """
    evaluation = load_evaluation(evaluation_path)
    runs = {seed: open_predictions(path) for seed, path in predictions.items()}

    def under(rule: OwnRule) -> CellUnderRule:
        return cell_under(rule, runs, _inspected(runs, rule, evaluation), evaluation)

    found: CellDifferences = {
        "scale": cell["scale"],
        "model": cell["model"],
        "activation": cell["activation"],
        "seeds": list(runs),
        "evaluation_sha256": evaluation.sha256,
        "measures": measure_descriptions(),
        "rules": {"final": under("final"), "best": under("best")},
    }
    write_json(output, found)


def _inspected(
    runs: Mapping[_R, StoredPredictions], rule: str, evaluation: EvaluationSet
) -> dict[_R, Validity]:
    return {name: inspect(run, rule, evaluation) for name, run in runs.items()}


def cell_under(
    rule: str,
    runs: Mapping[int, StoredPredictions],
    facts: Mapping[int, Validity],
    evaluation: EvaluationSet,
) -> CellUnderRule:
    """Compare a cell's runs under one checkpoint rule: scores of runs, pairs, the group.

    Only runs that can be compared have numbers; the others have a reason.
    """
    seeds = [seed for seed, validity in facts.items() if validity.usable]
    usable = [runs[seed] for seed in seeds]
    scores = run_scores(usable, rule, evaluation) if usable else {}
    by_seed = {seed: _at(scores, place) for place, seed in enumerate(seeds)}
    return {
        "runs": [_run(seed, validity, by_seed.get(seed, {})) for seed, validity in facts.items()],
        "pairs": _pairs(seeds, usable, rule, evaluation),
        "group": _group(seeds, usable, rule, evaluation),
    }


def _run(seed: int, facts: Validity, scores: Mapping[str, float | None]) -> RunUnderRule:
    run: RunUnderRule = {
        "seed": seed,
        "why": facts.why,
        "evaluation_sha256": facts.evaluation_sha256,
        "weights_sha256": facts.weights_sha256,
        "predictions_sha256": facts.predictions_sha256,
        "finite": facts.finite,
        "lowest": facts.lowest,
        "highest": facts.highest,
        "sum_error": facts.sum_error,
    }
    return with_scores(run, scores)


def _pairs(
    seeds: Sequence[int],
    usable: Sequence[StoredPredictions],
    rule: str,
    evaluation: EvaluationSet,
) -> list[dict[str, JsonValue]]:
    pairs = all_pairs(len(usable))
    if not len(pairs):
        return []
    values = pair_differences(usable, rule, evaluation, pairs)
    return [
        {"seeds": [seeds[i], seeds[j]], **_at(values, place)} for place, (i, j) in enumerate(pairs)
    ]


def _group(
    seeds: Sequence[int],
    usable: Sequence[StoredPredictions],
    rule: str,
    evaluation: EvaluationSet,
) -> dict[str, GroupValue]:
    if len(usable) < 2:
        return {}
    values = group_differences(usable, rule, evaluation)
    return {
        id_: {
            "value": _number(numbers[0]),
            # Empty for two runs, whose `numbers` end here.
            "without": {
                str(seed): _number(rest) for seed, rest in zip(seeds, numbers[1:], strict=False)
            },
        }
        for id_, numbers in values.items()
    }


def _at(values: Values, place: int) -> dict[str, float | None]:
    return {id_: _number(numbers[place]) for id_, numbers in values.items()}


def _number(value: float) -> float | None:
    """Replace NaN and infinity, which JSON lacks, by None; nothing is imputed."""
    return float(value) if math.isfinite(value) else None


def score(run: RunUnderRule, measure: str) -> float:
    """Return a run's value of a measure of single runs; NaN for one that is no number."""
    value = cast(Mapping[str, float | None], run)[measure]
    return math.nan if value is None else value


def with_scores(run: RunUnderRule, scores: Mapping[str, float | None]) -> RunUnderRule:
    """Return a run with its scores by the measures' ids, which no type can name."""
    return cast(RunUnderRule, {**run, **scores})


@dataclass(frozen=True)
class DifferencesFiles:
    """The files of `model_differences`.

    Attributes
    ----------
    evaluation
        The evaluation set that all runs predicted.
    predictions, matched
        Each run's predictions under its own checkpoint rules, and at the common loss.
    matrices
        Is written: arrays, of which `activation` and `seed` `[R]` name the runs;
        `{rule}.{measure id}` `[R, R]`, row to column, are NaN where a run cannot be compared;
        `{rule}.blocks.loss` and `.accuracy` `[R, B]` are means over contiguous blocks of the
        text, of `block_characters` `[B]` each.
    matched_differences
        Is written: each activation's cell under the rule `matched`, in the shape of a cell's
        `differences.json`.
    """

    evaluation: Path
    predictions: ByRun
    matched: ByRun
    matrices: Path
    matched_differences: Path


def model_differences(files: DifferencesFiles) -> None:
    """Write every measure between every two of a model's runs."""
    evaluation = load_evaluation(files.evaluation)
    predictions = {run: open_predictions(path) for run, path in files.predictions.items()}
    matched = {run: open_predictions(files.matched[run]) for run in predictions}
    stored: dict[Rule, dict[Run, StoredPredictions]] = {
        "final": predictions,
        "best": predictions,
        MATCHED: matched,
    }
    edges = text_blocks(len(evaluation.targets), evaluation.context)
    arrays: dict[str, npt.NDArray[Any]] = {}
    known: _Known = {}
    inspected: dict[str, dict[Run, Validity]] = {}
    for rule in RULES:
        ordered = list(stored[rule].values())
        inspected[rule] = _inspected(stored[rule], rule, evaluation)
        facts = list(inspected[rule].values())
        matrices = _matrices(ordered, facts, rule, evaluation, known)
        arrays |= {f"{rule}.{id_}": matrix for id_, matrix in matrices.items()}
        scores = _block_scores(ordered, facts, rule, evaluation, edges)
        arrays |= {f"{rule}.blocks.{id_}": values for id_, values in scores.items()}
    write_npz(
        files.matrices,
        activation=np.array([activation for activation, _ in predictions]),
        seed=np.array([seed for _, seed in predictions]),
        evaluation_sha256=np.array(evaluation.sha256),
        block_characters=np.diff(edges),
        **arrays,
    )
    write_json(files.matched_differences, _matched_cells(matched, inspected[MATCHED], evaluation))


def read_cells(differences_paths: Iterable[Path], matched_path: Path) -> dict[Rule, Cells]:
    """Read a model's cells by checkpoint rule and activation.

    They come from `differences.json` of each cell and `differences-matched.json` of the model.
    """
    own = [read_as(CellDifferences, path) for path in differences_paths]
    found: dict[Rule, Cells] = {
        rule: {cell["activation"]: cell["rules"][rule] for cell in own} for rule in OWN_RULES
    }
    return {**found, MATCHED: read_as(Cells, matched_path)}


def _matched_cells(
    runs: Mapping[Run, StoredPredictions], facts: Mapping[Run, Validity], evaluation: EvaluationSet
) -> Cells:
    """Compare the cells of a model under the rule `matched`, by activation."""
    cells: dict[str, list[Run]] = {}
    for run in runs:
        cells.setdefault(run[0], []).append(run)
    return {
        activation: cell_under(
            MATCHED,
            {run[1]: runs[run] for run in cell},
            {run[1]: facts[run] for run in cell},
            evaluation,
        )
        for activation, cell in cells.items()
    }


# Differences by the hashes of two runs' predictions: checkpoint rules that chose the same steps
# share them, so each pair of predictions is compared once.
_Known = dict[tuple[str | None, str | None], dict[str, float]]


def _matrices(
    runs: Sequence[StoredPredictions],
    facts: Sequence[Validity],
    rule: str,
    evaluation: EvaluationSet,
    known: _Known,
) -> dict[str, Matrix]:
    """Compute `[R, R]` matrices by measure id; pairs in `known` are reused, new ones are added."""
    usable = [place for place, validity in enumerate(facts) if validity.usable]
    pairs = all_pairs(len(usable))
    digests = [facts[place].predictions_sha256 for place in usable]
    names = [(digests[i], digests[j]) for i, j in pairs]
    new = [place for place, name in enumerate(names) if name not in known]
    if new:
        values = pair_differences([runs[at] for at in usable], rule, evaluation, pairs[new])
        for place, pair in enumerate(new):
            known[names[pair]] = {id_: float(numbers[place]) for id_, numbers in values.items()}
    matrices = {id_: _empty(id_, len(runs), usable) for id_ in measure_ids()}
    for (i, j), name in zip(pairs, names, strict=True):
        for id_, value in known[name].items():
            matrices[id_][usable[i], usable[j]] = value
            matrices[mirror(id_)][usable[j], usable[i]] = value
    return matrices


def _empty(id_: str, runs: int, usable: Sequence[int]) -> Matrix:
    """Return a matrix of NaN, except each usable run's value with itself."""
    matrix = np.full((runs, runs), np.nan)
    matrix[usable, usable] = float(is_agreement(id_))
    return matrix


def text_blocks(characters: int, context: int) -> npt.NDArray[np.int64]:
    """Return the edges of contiguous blocks of text, `[B + 1]`, nearly equal in length.

    No block is shorter than a context (unless the text is), since scores closer to each
    other depend on the same characters.
    """
    count = max(1, min(MOST_BLOCKS, characters // context))
    return np.linspace(0, characters, count + 1).astype(np.int64)


def _block_scores(
    runs: Sequence[StoredPredictions],
    facts: Sequence[Validity],
    rule: str,
    evaluation: EvaluationSet,
    edges: npt.NDArray[np.int64],
) -> dict[str, Matrix]:
    """Compute mean loss and accuracy `[R, B]` of each run in each block of text."""
    scores = {id_: np.full((len(runs), len(edges) - 1), np.nan) for id_ in ("loss", "accuracy")}
    rows = np.arange(CHUNK)
    for place, (run, validity) in enumerate(zip(runs, facts, strict=True)):
        if not validity.usable:
            continue
        start, losses, hits = 0, [], []
        for p in run.rows(rule, "all", CHUNK):
            targets = evaluation.targets[start : start + len(p)]
            start += len(p)
            losses.append(-np.log(p[rows[: len(p)], targets].astype(np.float64)))
            hits.append(p.argmax(axis=1) == targets)
        for id_, values in (("loss", losses), ("accuracy", hits)):
            sums = np.add.reduceat(np.concatenate(values).astype(np.float64), edges[:-1])
            scores[id_][place] = sums / np.diff(edges)
    return scores
