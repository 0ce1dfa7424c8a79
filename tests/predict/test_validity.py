"""Validity of stored predictions: usable, or not and why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic

from actrepro.core.vocabulary import LOST
from actrepro.data.evaluation_set import EvaluationSet, evaluation_set
from actrepro.predict import validity
from actrepro.predict.store import OWN_RULES, Predictions, open_predictions, save_predictions
from actrepro.predict.validity import Validity, inspect


def _stored(folder: Path, predictions: Predictions) -> Any:
    save_predictions(folder / "a.npz", predictions)
    return open_predictions(folder / "a.npz")


def _changed(evaluation: EvaluationSet, positions: str, change: Any) -> Predictions:
    predictions = synthetic.predictions(evaluation, 1)
    rows = predictions.probabilities["final", positions].copy()
    change(rows)
    return replace(
        predictions, probabilities={**predictions.probabilities, ("final", positions): rows}
    )


def test_healthy_predictions(tmp_path: Path, evaluation: EvaluationSet) -> None:
    predictions = synthetic.predictions(evaluation, 1)
    validities = {
        rule: inspect(_stored(tmp_path, predictions), rule, evaluation) for rule in OWN_RULES
    }
    for rule, facts in validities.items():
        both = [predictions.probabilities[rule, at] for at in ("all", "last")]
        assert facts.usable
        assert facts.finite
        assert facts.lowest == min(rows.min() for rows in both)
        assert facts.highest == max(rows.max() for rows in both)
        errors = [np.abs(rows.sum(axis=1, dtype=np.float64) - 1).max() for rows in both]
        assert facts.sum_error == max(errors)
        assert facts.weights_sha256 == predictions.weights_sha256[rule]
    assert validities["final"].predictions_sha256 != validities["best"].predictions_sha256


def test_the_hash_is_of_the_probabilities(tmp_path: Path, evaluation: EvaluationSet) -> None:
    def swapped(rows: np.ndarray) -> None:
        rows[0, :2] = rows[0, 1::-1]

    first = inspect(_stored(tmp_path, synthetic.predictions(evaluation, 1)), "final", evaluation)
    for positions in ("all", "last"):
        swapped_predictions = _changed(evaluation, positions, swapped)
        second = inspect(_stored(tmp_path, swapped_predictions), "final", evaluation)
        assert second.predictions_sha256 != first.predictions_sha256
        assert second.weights_sha256 == first.weights_sha256


def _nan(rows: np.ndarray) -> None:
    rows[3, 2] = np.nan


def _infinite(rows: np.ndarray) -> None:
    rows[3, 2] = np.inf


def _negative(rows: np.ndarray) -> None:
    rows[3, :2] = -0.1, rows[3, :2].sum() + 0.1


def _not_one(rows: np.ndarray) -> None:
    rows[3] *= np.float32(1.0001)


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("fault", [_nan, _infinite, _negative, _not_one])
def test_what_is_no_distribution_is_unusable(
    tmp_path: Path, evaluation: EvaluationSet, fault: Any, positions: str
) -> None:
    stored = _stored(tmp_path, _changed(evaluation, positions, fault))
    facts = inspect(stored, "final", evaluation)
    assert facts.why == validity.NOT_PROBABILITIES
    assert facts.finite == (fault not in (_nan, _infinite))
    assert (facts.lowest is None) == (not facts.finite)
    # Under the other rule the same file is healthy.
    assert inspect(stored, "best", evaluation).usable


def test_a_true_character_of_probability_zero(tmp_path: Path, evaluation: EvaluationSet) -> None:
    def certain_of_another(rows: np.ndarray) -> None:
        rows[5] = 0
        rows[5, (evaluation.targets[5] + 1) % rows.shape[1]] = 1

    stored = _stored(tmp_path, _changed(evaluation, "all", certain_of_another))
    assert inspect(stored, "final", evaluation).why == validity.IMPOSSIBLE


def test_another_text(tmp_path: Path, evaluation: EvaluationSet) -> None:
    foreign = evaluation_set(synthetic.corpus(), synthetic.BLOCK, 120)
    facts = inspect(_stored(tmp_path, synthetic.predictions(foreign, 1)), "final", evaluation)
    assert facts.why == validity.OTHER_TEXT
    assert facts.evaluation_sha256 == foreign.sha256
    assert facts.finite


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_run_says_how(tmp_path: Path, evaluation: EvaluationSet, lost: str) -> None:
    stored = _stored(tmp_path, synthetic.predictions(evaluation, 1, lost=lost))
    assert inspect(stored, "final", evaluation) == Validity(lost, evaluation.sha256, None)


def test_a_rule_that_was_not_predicted(tmp_path: Path, evaluation: EvaluationSet) -> None:
    stored = _stored(tmp_path, synthetic.predictions(evaluation, 1))
    assert inspect(stored, "matched", evaluation).why == validity.NOT_PREDICTED
