"""Files of differences: every pair once, every checkpoint rule, nothing imputed."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from synthetic import Model

from actrepro.core.files import read_json, read_npz
from actrepro.data.evaluation_set import evaluation_set
from actrepro.measures import (
    GENERATED_ID,
    GROUP_MEASURES,
    PAIR_MEASURES,
    RUN_MEASURES,
    group_measure_ids,
    measure_descriptions,
    measure_ids,
    mirror,
    run_measure_ids,
)
from actrepro.measures.differences import text_blocks
from actrepro.predict.store import MATCHED, OWN_RULES, POSITIONS, RULES, Predictions
from actrepro.predict.validity import targets_of

ACTIVATIONS = ["relu", "gelu"]
SEEDS = [7, 3, 5]
GONE = ("gelu", 3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    made = Model(tmp_path_factory.mktemp("model"), ACTIVATIONS, SEEDS, diverged=[GONE])
    made.write()
    return made


@pytest.fixture(scope="module")
def arrays(model: Model) -> dict[str, np.ndarray]:
    return read_npz(model.matrices)


def _made(model: Model, run: tuple[str, int], rule: str) -> Predictions:
    return (model.matched if rule == MATCHED else model.predictions)[run]


def _stacked(model: Model, runs: list[tuple[str, int]], rule: str, at: str) -> np.ndarray:
    return np.stack([_made(model, run, rule).probabilities[rule, at] for run in runs])


def _cell(model: Model, activation: str, rule: str) -> Any:
    if rule == MATCHED:
        return read_json(model.path("differences-matched.json"))[activation]
    return read_json(model.path(activation, "differences.json"))["rules"][rule]


@pytest.mark.parametrize("rule", RULES)
def test_scores_of_runs_are_the_measures_of_their_predictions(model: Model, rule: str) -> None:
    for activation in ACTIVATIONS:
        runs = _cell(model, activation, rule)["runs"]
        assert [run["seed"] for run in runs] == SEEDS
        for run in runs:
            if (activation, run["seed"]) == GONE:
                assert run["why"] == "diverged"
                assert not run.keys() & set(run_measure_ids())
                continue
            for measure, (at, targets) in itertools.product(
                RUN_MEASURES, targets_of(model.evaluation).items()
            ):
                p = _stacked(model, [(activation, run["seed"])], rule, at)
                assert run[f"{measure.id}.{at}"] == pytest.approx(measure(p, targets)[0])


@pytest.mark.parametrize("rule", RULES)
def test_pairs_of_a_cell_are_the_measures_of_two(model: Model, rule: str) -> None:
    for activation, seeds in (("relu", SEEDS), ("gelu", [7, 5])):
        pairs = _cell(model, activation, rule)["pairs"]
        expected = [list(pair) for pair in itertools.combinations(seeds, 2)]
        assert [pair["seeds"] for pair in pairs] == expected
        for pair in pairs:
            assert pair.keys() - {"seeds"} == set(measure_ids())
            runs = [(activation, seed) for seed in pair["seeds"]]
            for measure, (at, targets) in itertools.product(
                PAIR_MEASURES, targets_of(model.evaluation).items()
            ):
                found = measure(_stacked(model, runs, rule, at), targets)[0, 1]
                assert pair[f"{measure.id}.{at}"] == pytest.approx(found)


@pytest.mark.parametrize("rule", RULES)
def test_groups_are_measured_whole_and_without_each_seed(model: Model, rule: str) -> None:
    group = _cell(model, "relu", rule)["group"]
    assert group.keys() == set(group_measure_ids())
    for measure, (at, targets) in itertools.product(
        GROUP_MEASURES, targets_of(model.evaluation).items()
    ):
        p = _stacked(model, [("relu", seed) for seed in SEEDS], rule, at)
        found = group[f"{measure.id}.{at}"]
        assert found["value"] == pytest.approx(measure(p, targets))
        for place, seed in enumerate(SEEDS):
            left = measure(np.delete(p, place, axis=0), targets)
            assert found["without"][str(seed)] == pytest.approx(left)
    # Of two runs neither can be left out.
    assert all(one["without"] == {} for one in _cell(model, "gelu", rule)["group"].values())


def test_text_that_was_generated_is_compared_by_edit_distance(model: Model) -> None:
    def distance(a: list[int], b: list[int]) -> int:
        row = list(range(len(b) + 1))
        for i, one in enumerate(a, 1):
            before, row[0] = row[0], i
            for j, other in enumerate(b, 1):
                change = before + (one != other)
                before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, change)
        return row[-1]

    texts = [model.predictions["relu", seed].generated["final"].tolist() for seed in (7, 3)]
    expected = np.mean([distance(a, b) / len(a) for a, b in zip(*texts, strict=True)])
    assert _cell(model, "relu", "final")["pairs"][0][GENERATED_ID] == pytest.approx(expected)


@pytest.mark.parametrize("rule", RULES)
def test_matrices_hold_every_pair_of_runs(
    model: Model, arrays: dict[str, np.ndarray], rule: str
) -> None:
    assert arrays["activation"].tolist() == ["relu"] * 3 + ["gelu"] * 3
    assert arrays["seed"].tolist() == SEEDS * 2
    assert str(arrays["evaluation_sha256"]) == model.evaluation.sha256
    there = [run for run in model.runs if run != GONE]
    rows = [model.runs.index(run) for run in there]
    for measure, (at, targets) in itertools.product(
        PAIR_MEASURES, targets_of(model.evaluation).items()
    ):
        matrix = arrays[f"{rule}.{measure.id}.{at}"]
        expected = measure(_stacked(model, there, rule, at), targets)
        np.testing.assert_allclose(matrix[np.ix_(rows, rows)], expected, atol=1e-12)
        gone = model.runs.index(GONE)
        assert np.isnan(matrix[gone]).all()
        assert np.isnan(matrix[:, gone]).all()


def test_good_churn_one_way_is_bad_churn_the_other(arrays: dict[str, np.ndarray]) -> None:
    good, bad = (arrays[f"final.churn-{kind}-pairs.all"] for kind in ("good", "bad"))
    np.testing.assert_array_equal(good, bad.T)
    assert (good[0, 1], bad[0, 1]) != (good[1, 0], bad[1, 0])
    assert all(mirror(mirror(id_)) == id_ for id_ in measure_ids())


@pytest.mark.parametrize("rule", OWN_RULES)
def test_the_cells_and_the_models_file_agree(
    model: Model, arrays: dict[str, np.ndarray], rule: str
) -> None:
    for id_ in measure_ids():
        pairs = [pair[id_] for pair in _cell(model, "relu", rule)["pairs"]]
        block = arrays[f"{rule}.{id_}"][:3, :3]
        assert pairs == pytest.approx(block[np.triu_indices(3, k=1)].tolist(), abs=1e-12)


def test_a_rule_that_chose_the_same_weights_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actrepro.measures import differences

    asked: list[tuple[str, int]] = []
    measured = differences.pair_differences

    def counted(runs: Any, rule: str, evaluation: Any, pairs: Any) -> Any:
        asked.append((rule, len(pairs)))
        return measured(runs, rule, evaluation, pairs)

    model = Model(tmp_path, ["relu"], SEEDS, best_is_final=True)
    model.write_runs()
    monkeypatch.setattr(differences, "pair_differences", counted)
    model.write_differences()
    assert asked[:2] == [("final", 3), ("matched", 3)]
    arrays = read_npz(model.matrices)
    for id_ in measure_ids():
        np.testing.assert_array_equal(arrays[f"final.{id_}"], arrays[f"best.{id_}"])


@pytest.mark.parametrize("rule", RULES)
def test_blocks_of_text_average_to_the_scores(
    model: Model, arrays: dict[str, np.ndarray], rule: str
) -> None:
    characters = arrays["block_characters"]
    assert characters.sum() == len(model.evaluation.targets)
    for place, run in enumerate(model.runs):
        for metric in ("loss", "accuracy"):
            blocks = arrays[f"{rule}.blocks.{metric}"][place]
            if run == GONE:
                assert np.isnan(blocks).all()
                continue
            cell = {one["seed"]: one for one in _cell(model, run[0], rule)["runs"]}
            mean = np.average(blocks, weights=characters)
            assert mean == pytest.approx(cell[run[1]][f"{metric}.all"])
    p = _made(model, ("relu", 7), rule).probabilities[rule, "all"].astype(float)
    losses = -np.log(p[np.arange(len(p)), model.evaluation.targets])
    first = losses[: characters[0]].mean()
    assert arrays[f"{rule}.blocks.loss"][0, 0] == pytest.approx(first)


@pytest.mark.parametrize(
    ("characters", "context", "blocks"),
    [(8192, 32, 200), (55_770, 256, 200), (55_770, 1024, 54), (200, 16, 12), (10, 16, 1)],
)
def test_blocks_are_no_shorter_than_a_context(characters: int, context: int, blocks: int) -> None:
    edges = text_blocks(characters, context)
    assert (edges[0], edges[-1], len(edges)) == (0, characters, blocks + 1)
    lengths = np.diff(edges)
    assert lengths.min() >= min(context, characters)
    assert lengths.max() - lengths.min() <= 1


def test_the_cells_file_names_its_cell(model: Model) -> None:
    path = model.path("relu", "differences.json")
    found = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert (found["scale"], found["model"], found["activation"]) == ("tiny", "charlm", "relu")
    assert found["seeds"] == SEEDS
    assert found["evaluation_sha256"] == model.evaluation.sha256
    assert found["measures"] == measure_descriptions()
    assert found["rules"].keys() == set(OWN_RULES)


def test_runs_on_different_text_are_never_compared(tmp_path: Path) -> None:
    other = evaluation_set(synthetic.corpus(), synthetic.BLOCK, 120)
    model = Model(
        tmp_path, ["relu"], [1, 2, 3], changed={("relu", 2): synthetic.predictions(other, 2)}
    )
    model.write()
    for rule in OWN_RULES:
        cell = _cell(model, "relu", rule)
        whys = [run["why"] for run in cell["runs"]]
        assert whys == [None, "predicted another evaluation set", None]
        assert [pair["seeds"] for pair in cell["pairs"]] == [[1, 3]]


def test_undefined_values_are_null(tmp_path: Path) -> None:
    """Two runs that always predict the same symbol have no kappa (0/0)."""
    model = Model(tmp_path, ["relu"], [1, 2])
    changed = {}
    for run in model.runs:
        made = model.predictions[run]
        probabilities = dict(made.probabilities)
        for at in POSITIONS:
            rows = np.full_like(probabilities["final", at], 0.01)
            rows[:, 0] = 1 - rows[:, 1:].sum(axis=1)
            probabilities["final", at] = rows
        changed[run] = replace(made, probabilities=probabilities)
    Model(tmp_path, ["relu"], [1, 2], changed=changed).write()
    found = json.loads(
        model.path("relu", "differences.json").read_text(), parse_constant=pytest.fail
    )
    assert found["rules"]["final"]["group"]["kappa-fleiss.all"]["value"] is None
    assert found["rules"]["final"]["group"]["pd-l1-mean.all"]["value"] == 0
