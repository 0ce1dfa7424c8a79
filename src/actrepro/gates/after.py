"""Gates after training: conditions that a model's finished runs must meet.

Each gate is a function of plain numbers and names, so tests can give it faulty ones.
`check_runs` reads them from results files.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict

from actrepro.core.files import read_npz, write_json
from actrepro.core.runs import ByRun, Run
from actrepro.core.shapes import Sha256, read_as
from actrepro.core.vocabulary import LOST
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.data.evaluation_set import EvaluationSet, load_evaluation
from actrepro.data.shapes import Baseline, Evaluation, Table
from actrepro.gates.outcome import Outcome
from actrepro.gates.shapes import GatesAfter, Outcomes, Shared, What
from actrepro.measures import certificate, churn_range
from actrepro.measures.differences import read_cells, score
from actrepro.measures.shapes import Cells, RunUnderRule
from actrepro.predict.store import MATCHED, POSITIONS, RULES, Rule
from actrepro.predict.validity import LARGEST_SUM_ERROR, are_probabilities
from actrepro.train.shapes import RunRecord

# A run's name: a tuple that ends with its seed.
_R = TypeVar("_R", bound=tuple[object, ...])

# Tolerance for sums of some ten thousand terms in another order.
ROUNDING = 1e-9


def recorded(
    rule: Rule,
    records: Mapping[Run, RunRecord],
    facts: Mapping[Run, RunUnderRule],
    expected: Mapping[str, str],
) -> Outcome:
    """Check that each record names its own run, and the weights that predicted.

    Parameters
    ----------
    records
        `run.json` of a cell's runs.
    facts
        Validity and scores of each run's predictions under the rule.
    expected
        `scale`, `model` and `corpus_sha256`.
    """
    wrong = []
    for (activation, seed), record in records.items():
        asked = record["config"]
        wanted: dict[str, str | int] = {**expected, "activation": activation, "seed": seed}
        actual: dict[str, str | int] = {
            "scale": asked["scale"],
            "model": asked["model"],
            "activation": asked["activation"],
            "seed": asked["seed"],
            "corpus_sha256": record["corpus_sha256"],
        }
        predicted = facts[activation, seed]["weights_sha256"]
        if predicted is not None and rule != MATCHED:
            wanted["weights_sha256"] = record["weights_sha256"][rule]
            actual["weights_sha256"] = predicted
        wrong += [
            {"seed": seed, "what": what, "found": actual[what], "expected": value}
            for what, value in wanted.items()
            if actual[what] != value
        ]
    return Outcome(
        passed=not wrong,
        measured={"runs": len(records), "wrong": wrong},
        bound="every run's record names the run it lies with, and the weights that predicted",
    )


class OnText(TypedDict):
    """The evaluation set that a run predicted."""

    evaluation_sha256: Sha256


def shared_evaluation(facts: Mapping[Run, OnText], evaluation_sha256: str) -> Outcome:
    """Check that every run of a cell predicted the same evaluation set."""
    others = {
        f"seed{seed}": run_facts["evaluation_sha256"]
        for (_, seed), run_facts in facts.items()
        if run_facts["evaluation_sha256"] != evaluation_sha256
    }
    return Outcome(
        passed=not others,
        measured={"others": others},
        bound=f"all runs predicted the evaluation set {evaluation_sha256}",
    )


def split(evaluation: EvaluationSet, corpus: Corpus) -> Outcome:
    """Check that every scored character is in the corpus's test half, and is scored once."""
    positions, last = evaluation.positions, len(corpus.codes) - 1
    there = corpus.codes[positions.clip(0, last)] == evaluation.targets
    outside = (positions < corpus.selection_end) | (positions > last)
    wrong = {
        "scored_twice": len(positions) - len(np.unique(positions)),
        "outside_the_test_half": int(outside.sum()),
        "other_characters": int((~there).sum()),
    }
    return Outcome(
        passed=0 < corpus.train_end <= corpus.selection_end and not any(wrong.values()),
        measured={
            "train_end": corpus.train_end,
            "selection_end": corpus.selection_end,
            "first_scored": int(positions.min()),
            "last_scored": int(positions.max()),
            "scored": len(positions),
            **wrong,
        },
        bound="every scored character is the corpus's own, from selection_end on, and scored once",
    )


def probabilities(facts: Mapping[Run, RunUnderRule]) -> Outcome:
    """Check that a cell's predictions are numbers from 0 to 1 whose rows sum to one."""
    by_seed = {
        seed: run_facts for (_, seed), run_facts in facts.items() if run_facts["why"] not in LOST
    }
    wrong = [seed for seed, run_facts in by_seed.items() if not are_probabilities(run_facts)]
    known = [run_facts for run_facts in by_seed.values() if run_facts["finite"]]
    return Outcome(
        passed=not wrong,
        measured={
            "seeds_without_numbers": [
                seed for seed, run_facts in by_seed.items() if not run_facts["finite"]
            ],
            "lowest": min(_numbers(run_facts["lowest"] for run_facts in known), default=None),
            "highest": max(_numbers(run_facts["highest"] for run_facts in known), default=None),
            "largest_sum_error": max(
                _numbers(run_facts["sum_error"] for run_facts in known), default=None
            ),
            "wrong_seeds": wrong,
        },
        bound=f"finite, from 0 to 1, and |Σ − 1| ≤ {LARGEST_SUM_ERROR:g} in every row",
    )


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


class Hashed(TypedDict):
    """Hashes that tell runs apart; null for a run that predicts nothing."""

    weights_sha256: Sha256 | None
    predictions_sha256: Sha256 | None


def shared_hashes(facts: Mapping[_R, Hashed]) -> dict[_R, list[Shared]]:
    """Find the other runs with which each run shares weights or predictions."""
    shared: dict[_R, list[Shared]] = {run: [] for run in facts}
    hashes: dict[What, dict[_R, Sha256 | None]] = {
        "weights": {run: run_facts["weights_sha256"] for run, run_facts in facts.items()},
        "predictions": {run: run_facts["predictions_sha256"] for run, run_facts in facts.items()},
    }
    for what, of_runs in hashes.items():
        owners: dict[Sha256, list[_R]] = {}
        for run, digest in of_runs.items():
            if digest is not None:
                owners.setdefault(digest, []).append(run)
        for together in owners.values():
            for run in together if len(together) > 1 else ():
                others = [name(partner) for partner in together if partner != run]
                shared[run].append({"run": name(run), "what": what, "with": others})
    return shared


def name(run: Sequence[object]) -> str:
    """Format a run's name from its parts, the last of which is the seed."""
    return " ".join([*map(str, run[:-1]), f"seed{run[-1]}"])


def distinct(cell: Iterable[_R], shared: Mapping[_R, Sequence[Shared]]) -> Outcome:
    """Check that no run of a cell shares weights or predictions with any other run."""
    shares = [share for run in cell for share in shared[run]]
    return Outcome(
        passed=not shares,
        measured={"compared_with": len(shared), "shared": shares},
        bound="no two runs have the same weights or the same predictions",
    )


def loss_accuracy_certificate(scores: Iterable[tuple[str, float, float]]) -> Outcome:
    """Check that accuracy ≥ 1 − loss / ln 2 on the same characters: a miss costs at least ln 2.

    `scores` are names with loss and accuracy each.
    """
    rooms = {name: accuracy - certificate(loss) for name, loss, accuracy in scores}
    broken = {name: room for name, room in rooms.items() if not room >= -ROUNDING}
    return Outcome(
        passed=not broken,
        measured={"smallest_room": min(rooms.values(), default=None), "broken": broken},
        bound="accuracy − max(0, 1 − loss / ln 2) ≥ 0 in every run",
    )


def churn_bounds(pairs: Iterable[tuple[str, float, float, float]]) -> Outcome:
    """Check that churn is between |a₁ − a₂| and min(1, 2 − a₁ − a₂).

    `pairs` are names, churn, a₁, a₂.
    """
    count, rooms, broken = 0, [math.inf], {}
    for pair, churn, a1, a2 in pairs:
        low, high = churn_range(a1, a2)
        room = min(churn - low, high - churn)
        count += 1
        rooms.append(room)
        if not room >= -ROUNDING:
            broken[pair] = {"churn": churn, "from": low, "to": high}
    return Outcome(
        passed=not broken,
        measured={"pairs": count, "smallest_room": min(rooms) if count else None, "broken": broken},
        bound="|a₁ − a₂| ≤ churn ≤ min(1, 2 − a₁ − a₂) for every two runs, a their accuracies",
    )


def learned(losses: Mapping[int, float], baselines: Mapping[Table, Baseline]) -> Outcome:
    """Check that every run of a cell beats the unigram and the bigram table on the same text."""
    tables = {"unigram": baselines["unigram"]["loss"], "bigram": baselines["bigram"]["loss"]}
    worst = max(losses.values(), default=None)
    beaten = [table for table, bound in tables.items() if worst is not None and worst < bound]
    return Outcome(
        passed=len(beaten) == len(tables),
        measured={"highest_loss": worst, "beats": beaten},
        bound=f"loss below {tables['unigram']:.4f} (unigram) and {tables['bigram']:.4f} (bigram)",
    )


@dataclass(frozen=True)
class GateFiles:
    """The files of `check_runs`.

    Attributes
    ----------
    corpus, evaluation, manifest
        The text, the evaluation set that all runs predicted, and its manifest.
    differences
        `differences.json` of each activation's cell.
    matched, matrices
        The model's `differences-matched.json` and `differences.npz`.
    records
        `run.json` of each run.
    gates_after
        Is written.
    """

    corpus: Path
    evaluation: Path
    manifest: Path
    differences: Mapping[str, Path]
    matched: Path
    matrices: Path
    records: ByRun
    gates_after: Path


def check_runs(model: Mapping[str, str], files: GateFiles) -> None:
    """Check a model's runs by every gate after training and write `gates-after.json`.

    Parameters
    ----------
    model
        Names scale and model.
    """
    cells = read_cells(files.differences.values(), files.matched)
    matrices = read_npz(files.matrices)
    runs = list(zip(matrices["activation"].tolist(), matrices["seed"].tolist(), strict=True))
    records = {run: read_as(RunRecord, files.records[run]) for run in runs}
    manifest = read_as(Evaluation, files.manifest)
    hygiene = split(load_evaluation(files.evaluation), load_corpus(files.corpus))
    rules: dict[Rule, dict[str, Outcomes]] = {}
    for rule in RULES:
        churn = {at: matrices[f"{rule}.churn-top1-pairs.{at}"] for at in POSITIONS}
        under = _UnderRule(rule, model, runs, cells[rule], churn, records, manifest, hygiene)
        rules[rule] = {
            activation: {
                gate: outcome.as_json() for gate, outcome in under.outcomes(activation).items()
            }
            for activation in cells[rule]
        }
    gates: GatesAfter = {"scale": model["scale"], "model": model["model"], "rules": rules}
    write_json(files.gates_after, gates)


@dataclass(frozen=True)
class _UnderRule:
    """A model's runs under one checkpoint rule."""

    rule: Rule
    model: Mapping[str, str]
    runs: Sequence[Run]
    cells: Cells
    churn: Mapping[str, npt.NDArray[np.float64]]
    records: Mapping[Run, RunRecord]
    manifest: Evaluation
    hygiene: Outcome

    @cached_property
    def facts(self) -> dict[Run, RunUnderRule]:
        """Validity and scores of each run."""
        return {
            (activation, run["seed"]): run
            for activation, cell in self.cells.items()
            for run in cell["runs"]
        }

    @cached_property
    def places(self) -> dict[Run, int]:
        """Rows of each run in the matrices."""
        return {run: place for place, run in enumerate(self.runs)}

    @cached_property
    def shared(self) -> dict[Run, list[Shared]]:
        """Weights and predictions that runs share, though they must not."""
        return shared_hashes(self.facts)

    def outcomes(self, activation: str) -> dict[str, Outcome]:
        """Check every gate for one activation's cell."""
        facts = {run: self.facts[run] for run in self.runs if run[0] == activation}
        usable = [run for run, run_facts in facts.items() if run_facts["why"] is None]
        records = {run: self.records[run] for run in facts}
        expected = {**self.model, "corpus_sha256": self.manifest["corpus_sha256"]}
        losses = {run[1]: score(facts[run], "loss.all") for run in usable}
        return {
            "recorded": recorded(self.rule, records, facts, expected),
            "shared_evaluation": shared_evaluation(facts, self.manifest["sha256"]),
            "split": self.hygiene,
            "probabilities": probabilities(facts),
            "distinct": distinct(facts, self.shared),
            "certificate": loss_accuracy_certificate(self._scores(usable)),
            "churn_bounds": churn_bounds(self._pairs_with(usable)),
            "learned": learned(losses, self.manifest["baselines"]),
        }

    def _scores(self, cell: Sequence[Run]) -> Iterator[tuple[str, float, float]]:
        for run, at in itertools.product(cell, POSITIONS):
            run_facts = self.facts[run]
            yield (
                f"{name(run)}, {at}",
                score(run_facts, f"loss.{at}"),
                score(run_facts, f"accuracy.{at}"),
            )

    def _pairs_with(self, cell: Sequence[Run]) -> Iterator[tuple[str, float, float, float]]:
        """Yield every pair of the model's runs with one end in the cell."""
        others = [run for run in self.runs if self.facts[run]["why"] is None]
        for a, b, at in itertools.product(cell, others, POSITIONS):
            if a != b:
                churn = self.churn[at][self.places[a], self.places[b]]
                first, second = (score(self.facts[run], f"accuracy.{at}") for run in (a, b))
                yield f"{name(a)} and {name(b)}, {at}", float(churn), first, second
