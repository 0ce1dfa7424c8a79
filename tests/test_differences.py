"""Differences files: every pair once, both rules, nothing filled in."""

import itertools
import json
from pathlib import Path

import made_up
import numpy as np
import pytest

from actrepro.differences import pair_differences, pairwise, run_scores
from actrepro.errors import ActreproError
from actrepro.evaluation import EvaluationSet, evaluation_set
from actrepro.files import read_json, read_npz
from actrepro.measures import MEASURES, measure_ids
from actrepro.predictions import RULES, Predictions, save_predictions


def _total_variation(a: Predictions, b: Predictions, rule: str, positions: str) -> float:
    p, q = (one.probabilities[rule, positions].astype(float) for one in (a, b))
    return float(np.abs(p - q).sum(axis=1).mean() / 2)


def test_scores_of_a_run(evaluation: EvaluationSet) -> None:
    made = made_up.predictions(evaluation, 1)
    for rule in RULES:
        found = run_scores(made, evaluation, rule)
        for positions, targets in (
            ("all", evaluation.targets),
            ("last", evaluation.last_targets),
        ):
            p = made.probabilities[rule, positions].astype(float)
            true = p[np.arange(len(p)), targets]
            assert found[f"loss.{positions}"] == pytest.approx(-np.log(true).mean())
            hits = p.argmax(axis=1) == targets
            assert found[f"accuracy.{positions}"] == pytest.approx(hits.mean())


def test_differences_of_a_pair(evaluation: EvaluationSet) -> None:
    a, b = (made_up.predictions(evaluation, seed) for seed in (1, 2))
    for rule in RULES:
        found = pair_differences(a, b, evaluation, rule)
        assert list(found) == measure_ids()
        for positions in ("all", "last"):
            expected = _total_variation(a, b, rule, positions)
            assert found[f"tv-half_l1-pairs.{positions}"] == pytest.approx(expected, abs=1e-6)
    assert pair_differences(a, b, evaluation, "final") != pair_differences(a, b, evaluation, "best")


def test_a_diverged_run_has_no_score_and_no_difference(evaluation: EvaluationSet) -> None:
    a, gone = (made_up.predictions(evaluation, seed, diverged=seed == 2) for seed in (1, 2))
    assert run_scores(gone, evaluation, "final") == {}
    for pair in ((a, gone), (gone, a), (gone, gone)):
        found = pair_differences(*pair, evaluation, "final")
        assert list(found) == measure_ids()
        assert all(np.isnan(value) for value in found.values())


def test_the_matrix_is_symmetric_with_a_zero_diagonal(evaluation: EvaluationSet) -> None:
    runs = [made_up.predictions(evaluation, seed, diverged=seed == 2) for seed in range(4)]
    matrices = pairwise(runs, evaluation, "best")
    assert list(matrices) == measure_ids()
    for id_, matrix in matrices.items():
        np.testing.assert_array_equal(matrix, matrix.T)
        assert not matrix.diagonal().any()
        for i, j in itertools.combinations(range(4), 2):
            expected = pair_differences(runs[i], runs[j], evaluation, "best")[id_]
            np.testing.assert_equal(matrix[i, j], expected)
            assert np.isnan(matrix[i, j]) == (2 in (i, j))


def test_pairs_whose_best_step_is_the_final_one_are_not_compared_again(
    evaluation: EvaluationSet,
) -> None:
    runs = [made_up.predictions(evaluation, seed, best_is_final=seed < 3) for seed in (1, 2, 3)]
    known = {id_: np.full((3, 3), 0.5) for id_ in measure_ids()}
    best = pairwise(runs, evaluation, "best", known=known)
    in_full = pairwise(runs, evaluation, "best")
    for id_ in measure_ids():
        assert best[id_][0, 1] == best[id_][1, 0] == 0.5
        np.testing.assert_array_equal(best[id_][2, :2], in_full[id_][2, :2])
    final = pairwise(runs, evaluation, "final")
    for id_, matrix in pairwise(runs, evaluation, "best", known=final).items():
        np.testing.assert_array_equal(matrix, in_full[id_])


def test_the_cells_file(tmp_path: Path) -> None:
    model = made_up.Model(tmp_path, ["relu"], [7, 3, 5], diverged=[("relu", 5)])
    model.write()
    found = read_json(model.path("relu", "differences.json"))
    assert (found["scale"], found["model"], found["activation"]) == ("tiny", "charlm", "relu")
    assert found["seeds"] == [7, 3, 5]
    assert found["evaluation_sha256"] == model.evaluation.sha256
    assert found["measures"].keys() == {measure.id for measure in MEASURES}
    assert found["rules"].keys() == set(RULES)
    for rule, under in found["rules"].items():
        assert [run["seed"] for run in under["runs"]] == [7, 3, 5]
        assert [pair["seeds"] for pair in under["pairs"]] == [[7, 3], [7, 5], [3, 5]]
        first, second, gone = under["runs"]
        one = model.predictions["relu", 7]
        assert first == {
            "seed": 7,
            "diverged": False,
            "weights_sha256": one.weights_sha256[rule],
            **run_scores(one, model.evaluation, rule),
        }
        assert gone.keys() == {"seed", "diverged", "weights_sha256"}
        assert gone["diverged"]
        assert not second["diverged"]
        expected = pair_differences(one, model.predictions["relu", 3], model.evaluation, rule)
        assert under["pairs"][0] == {"seeds": [7, 3], **expected}
        for pair in under["pairs"][1:]:
            assert all(pair[id_] is None for id_ in measure_ids())


def test_an_infinite_loss_is_written_as_null(tmp_path: Path) -> None:
    model = made_up.Model(tmp_path, ["relu"], [1, 2])
    sure = model.predictions["relu", 2].probabilities["final", "all"]
    sure[:] = 0
    sure[:, 0] = 1
    for run, path in zip(model.runs, model.prediction_paths(), strict=True):
        save_predictions(path, model.predictions[run])
    path = model.write_cell("relu")
    runs = read_json(path)["rules"]["final"]["runs"]
    assert runs[1]["loss.all"] is None
    assert isinstance(runs[0]["loss.all"], float)
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_the_models_file(tmp_path: Path) -> None:
    model = made_up.Model(tmp_path, ["relu", "gelu"], [1, 2], diverged=[("gelu", 1)])
    model.write()
    arrays = read_npz(model.matrices)
    assert arrays["activation"].tolist() == ["relu", "relu", "gelu", "gelu"]
    assert arrays["seed"].tolist() == [1, 2, 1, 2]
    assert str(arrays["evaluation_sha256"]) == model.evaluation.sha256
    runs = list(model.predictions.values())
    for rule in RULES:
        expected = pairwise(runs, model.evaluation, rule)
        for id_ in measure_ids():
            np.testing.assert_array_equal(arrays[f"{rule}.{id_}"], expected[id_])


def test_the_cells_and_the_models_file_agree(tmp_path: Path) -> None:
    model = made_up.Model(tmp_path, ["relu", "gelu"], [1, 2, 3])
    model.write()
    arrays = read_npz(model.matrices)
    for start, activation in ((0, "relu"), (3, "gelu")):
        cell = read_json(model.path(activation, "differences.json"))
        for rule, id_ in itertools.product(RULES, measure_ids()):
            pairs = [pair[id_] for pair in cell["rules"][rule]["pairs"]]
            block = arrays[f"{rule}.{id_}"][start : start + 3, start : start + 3]
            assert pairs == block[np.triu_indices(3, k=1)].tolist()


def test_runs_on_different_text_are_never_compared(tmp_path: Path) -> None:
    model = made_up.Model(tmp_path, ["relu"], [1, 2])
    other = evaluation_set(made_up.corpus(), made_up.BLOCK, 120)
    for run, path in zip(model.runs, model.prediction_paths(), strict=True):
        save_predictions(path, model.predictions[run])
    save_predictions(model.prediction_paths()[1], made_up.predictions(other, 2))
    with pytest.raises(ActreproError, match="different evaluation sets"):
        model.write_cell("relu")
    assert not model.path("relu", "differences.json").exists()
