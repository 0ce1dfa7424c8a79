"""Comparison of the same runs from two results folders, and exclusion of others."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from synthetic_replication import (
    SCALE,
    Folders,
    asked,
    certain,
    change_record,
    write,
)

from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.core.files import sha256_of
from actrepro.core.vocabulary import DIVERGED, FAILED
from actrepro.measures import GENERATED_ID, PRIMARY, RUN_MEASURES, edit_differences
from actrepro.predict.store import OWN_RULES, POSITIONS, Predictions
from actrepro.replication.compare import MEASURES
from actrepro.replication.folder import file_stamps, files_of_run, in_folder, require_other

CHURN = "churn-top1-pairs.all"
LOSS = "loss.all"
# The share of the true symbol, by seed.
HERE = {1: 0.5, 2: 0.6, 3: 0.7}
THERE = {1: 0.52, 2: 0.62, 3: 0.66}
Run = tuple[str, str, int]
SPOILED: Run = ("charlm", "relu", 2)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Three runs whose differences are known."""
    pair = Folders(tmp_path)
    for seed in HERE:
        here = certain(pair.evaluation, HERE[seed], f"here {seed}")
        there = certain(pair.evaluation, THERE[seed], f"there {seed}")
        pair.add(("charlm", "relu", seed), here, there)
    return pair


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folders, dict[str, Any]]:
    """Two cells whose runs predict differently on each side, and their comparison."""
    pair = Folders(tmp_path_factory.mktemp("drawn"))
    for place, activation in enumerate(("relu", "gelu")):
        for seed in (5, 3):
            run = ("charlm", activation, seed)
            here, there = (_drawn(pair, place, seed, side) for side in ("here", "there"))
            pair.add(run, here, there)
    return pair, pair.compare()


def _drawn(pair: Folders, place: int, seed: int, side: str) -> Predictions:
    return synthetic.predictions(pair.evaluation, 100 * place + 10 * seed + (side == "there"))


def _only(comparison: dict[str, Any], rule: str = "final") -> dict[str, Any]:
    [cell] = comparison["cells"]
    assert (cell["model"], cell["activation"]) == ("charlm", "relu")
    return cell["rules"][rule]


@pytest.mark.parametrize("rule", OWN_RULES)
def test_known_differences_are_found(folders: Folders, rule: str) -> None:
    compared = _only(folders.compare(), rule)
    assert (compared["n"], compared["same_weights"], compared["same_predictions"]) == (3, 0, 0)
    variation = compared["differences"][PRIMARY]
    assert [run["differences"][PRIMARY] for run in compared["runs"]] == pytest.approx(
        [0.02, 0.02, 0.04], abs=1e-6
    )
    assert variation["elsewhere"]["value"] == pytest.approx(0.08 / 3, abs=1e-6)
    assert variation["elsewhere"]["range"] == pytest.approx([0.02, 0.04], abs=1e-6)
    # Student: mean ± t s / √n, t = 4.302653 with two degrees of freedom.
    reach = 4.302653 * np.std([0.02, 0.02, 0.04], ddof=1) / math.sqrt(3)
    assert variation["elsewhere"]["interval"] == pytest.approx(
        [0.08 / 3 - reach, 0.08 / 3 + reach], abs=1e-5
    )
    assert variation["seeds_here"]["value"] == pytest.approx(0.4 / 3, abs=1e-6)
    assert variation["seeds_there"]["value"] == pytest.approx(0.28 / 3, abs=1e-6)
    assert variation["ratio"] == pytest.approx(0.2, abs=1e-5)
    loss = compared["scores"][LOSS]
    apart = [math.log(HERE[seed] / THERE[seed]) for seed in HERE]
    assert loss["difference"]["value"] == pytest.approx(np.mean(apart), abs=1e-6)
    assert loss["difference"]["sd"] == pytest.approx(np.std(apart, ddof=1), abs=1e-6)
    assert loss["there"]["value"] - loss["here"]["value"] == pytest.approx(np.mean(apart), abs=1e-6)


def test_what_nothing_differs_in_has_no_ratio(folders: Folders) -> None:
    churn = _only(folders.compare())["differences"][CHURN]
    assert churn["elsewhere"]["value"] == churn["seeds_here"]["value"] == 0
    assert churn["ratio"] is None


@pytest.mark.parametrize("rule", OWN_RULES)
def test_every_difference_is_the_measure_of_the_predictions(
    drawn: tuple[Folders, dict[str, Any]], rule: str
) -> None:
    """Check runs made twice, here with there, and seeds, here with here."""
    pair, comparison = drawn
    targets = {"all": pair.evaluation.targets, "last": pair.evaluation.last_targets}
    assert [cell["activation"] for cell in comparison["cells"]] == ["relu", "gelu"]
    for place, cell in enumerate(comparison["cells"]):
        under = cell["rules"][rule]
        assert [run["seed"] for run in under["runs"]] == [5, 3]
        sides = [[_drawn(pair, place, seed, side) for seed in (5, 3)] for side in ("here", "there")]
        texts = [predictions.generated[rule] for side in sides for predictions in side]
        for number, run in enumerate(under["runs"]):
            for measure in MEASURES:
                for at in POSITIONS:
                    p = np.stack([side[number].probabilities[rule, at] for side in sides])
                    expected = measure(p, targets[at])[0, 1]
                    assert run["differences"][f"{measure.id}.{at}"] == pytest.approx(expected)
            [edits] = edit_differences(texts, np.array([[number, number + 2]]))
            assert run["differences"][GENERATED_ID] == pytest.approx(edits)
            for score in RUN_MEASURES:
                p = np.stack([side[number].probabilities[rule, "all"] for side in sides])
                here, there = score(p, targets["all"])
                assert run["scores"][f"{score.id}.all"] == pytest.approx(
                    {"here": here, "there": there}
                )
        for measure in MEASURES:
            difference = under["differences"][f"{measure.id}.all"]
            for side, predictions in zip(("here", "there"), sides, strict=True):
                p = np.stack([pair.probabilities[rule, "all"] for pair in predictions])
                assert difference[f"seeds_{side}"]["value"] == pytest.approx(
                    measure(p, targets["all"])[0, 1]
                )


def test_it_describes_what_it_has(drawn: tuple[Folders, dict[str, Any]]) -> None:
    comparison = drawn[1]
    [under, *_] = [cell["rules"]["final"] for cell in comparison["cells"]]
    used = {id_.partition(".")[0] for key in ("scores", "differences") for id_ in under[key]}
    assert used == comparison["measures"].keys()
    assert not any(one["agreement"] for one in comparison["measures"].values())
    assert comparison["excluded"] == []


def test_the_same_files_differ_by_nothing(folders: Folders) -> None:
    shutil.rmtree(folders.there)
    shutil.copytree(folders.here, folders.there)
    comparison = folders.compare()
    for rule in OWN_RULES:
        under = _only(comparison, rule)
        assert under["same_weights"] == under["same_predictions"] == 3
        for difference in under["differences"].values():
            assert difference["elsewhere"]["value"] == 0
            assert difference["elsewhere"]["interval"] == [0, 0]
            assert difference["seeds_here"] == difference["seeds_there"]
        assert under["differences"][PRIMARY]["ratio"] == 0
        assert under["scores"][LOSS]["difference"]["value"] == 0
    assert not any(one["differ"] for one in comparison["ran_on"])


def test_the_same_weights_may_predict_differently(folders: Folders) -> None:
    """Let a GPU predict with the weights of a CPU: the bytes of the weights are the same."""
    run = folders.runs[0]
    predictions = certain(folders.evaluation, 0.51, "here 1")
    write(folders.there, run, predictions)
    compared = _only(folders.compare())
    assert (compared["same_weights"], compared["same_predictions"]) == (1, 0)
    assert [run["same_weights"] for run in compared["runs"]] == [True, False, False]


def test_both_sides_stay_as_they_are(folders: Folders) -> None:
    def hashes() -> dict[Path, str]:
        files = [*folders.here.rglob("*"), *folders.there.rglob("*")]
        return {path: sha256_of(path) for path in files if path.is_file()}

    before = hashes()
    folders.compare()
    assert hashes() == before


def test_one_run_has_no_seeds_beside_it(folders: Folders) -> None:
    folders.runs = folders.runs[:1]
    variation = _only(folders.compare())["differences"][PRIMARY]
    assert variation["elsewhere"]["value"] == pytest.approx(0.02, abs=1e-6)
    assert variation["elsewhere"]["interval"] is None
    assert variation["seeds_here"] is variation["seeds_there"] is variation["ratio"] is None


def test_it_says_on_what_each_side_ran(folders: Folders) -> None:
    request = {**asked(folders.there, SPOILED, precision="bf16"), "device": "auto"}
    change_record(folders.there, SPOILED, threads=2, device="cpu", config=request)
    comparison = folders.compare()
    assert comparison["excluded"] == []
    ran_on = {row["what"]: row for row in comparison["ran_on"]}
    assert ran_on["device"]["here"] == [{"value": "cpu", "runs": 3}]
    assert ran_on["device"]["there"] == [
        {"value": "NVIDIA H100", "runs": 2},
        {"value": "cpu", "runs": 1},
    ]
    differ = {what: row["differ"] for what, row in ran_on.items() if row["differ"]}
    assert differ == {
        "device": 2,
        "precision": 1,
        "threads": 1,
        "packages.python": 3,
        "packages.torch": 3,
    }
    assert ran_on["packages.torch"]["here"] == [{"value": None, "runs": 3}]
    assert ran_on["git.commit"]["here"] == [{"value": None, "runs": 3}]
    [_, spoiled, _] = _only(comparison)["runs"]
    assert spoiled["differing"] == ["precision", "threads", "packages.python", "packages.torch"]


def _remove(folders: Folders, side: str) -> None:
    shutil.rmtree(files_of_run(getattr(folders, side), SCALE, SPOILED)[0].parent)


def _file(folders: Folders, name: str) -> Path:
    [path] = [file for file in files_of_run(folders.there, SCALE, SPOILED) if file.name == name]
    return path


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _write_there(folders: Folders, **changes: Any) -> None:
    predictions = certain(folders.evaluation, 0.62, "there 2")
    write(folders.there, SPOILED, dataclasses.replace(predictions, **changes))


def _lose(folders: Folders, lost: str) -> None:
    write(folders.there, SPOILED, synthetic.predictions(folders.evaluation, 2, lost=lost))


def _impossible(folders: Folders) -> None:
    predictions = certain(folders.evaluation, 0.62, "there 2")
    rows = predictions.probabilities["best", "all"].copy()
    rows[3] = 0
    rows[3, (folders.evaluation.targets[3] + 1) % rows.shape[1]] = 1
    _write_there(folders, probabilities={**predictions.probabilities, ("best", "all"): rows})


OTHER_REQUEST = (
    "another request: protocol.layers is 2 here and 3 there; "
    "protocol.learning_rate is 0.01 here and 0.02 there"
)
SPOILS: dict[str, Callable[[Folders], object]] = {
    "missing there": lambda made: _remove(made, "there"),
    "missing here": lambda made: _remove(made, "here"),
    "in parts there: no predictions.npz": lambda made: _file(made, "predictions.npz").unlink(),
    "in parts there: no run.json": lambda made: _file(made, "run.json").unlink(),
    "damaged there: run.json or predictions.npz": lambda made: _cut(_file(made, "predictions.npz")),
    "damaged there: run.json": lambda made: _file(made, "run.json").write_text("[]"),
    f"diverged there: {synthetic.WHY[DIVERGED]}": lambda made: _lose(made, DIVERGED),
    f"failed there: {synthetic.WHY[FAILED]}": lambda made: _lose(made, FAILED),
    "there: predicted another evaluation set": lambda made: _write_there(
        made, evaluation_sha256="other"
    ),
    "there: infinite loss: a true character has probability 0": _impossible,
    "there: run.json and predictions.npz are of different weights": lambda made: change_record(
        made.there, SPOILED, weights_sha256={"final": "other", "best": "best there 2"}
    ),
    OTHER_REQUEST: lambda made: change_record(
        made.there, SPOILED, config=asked(made.there, SPOILED, learning_rate=0.02, layers=3)
    ),
    "trained on another text": lambda made: change_record(
        made.there, SPOILED, corpus_sha256="other"
    ),
}


@pytest.mark.parametrize("why", SPOILS)
def test_what_cannot_be_compared_is_left_out_with_the_reason(folders: Folders, why: str) -> None:
    SPOILS[why](folders)
    comparison = folders.compare()
    [excluded] = comparison["excluded"]
    assert {key: excluded[key] for key in ("model", "activation", "seed")} == {
        "model": "charlm",
        "activation": "relu",
        "seed": 2,
    }
    assert excluded["why"].startswith(why)
    left = _only(comparison)
    assert [run["seed"] for run in left["runs"]] == [1, 3]
    variation = left["differences"][PRIMARY]
    assert variation["elsewhere"]["value"] == pytest.approx(0.03, abs=1e-6)
    assert variation["seeds_here"]["value"] == pytest.approx(0.2, abs=1e-6)


def test_a_folder_without_any_of_the_runs_leaves_no_numbers(folders: Folders) -> None:
    shutil.rmtree(folders.there)
    comparison = folders.compare()
    assert comparison["cells"] == comparison["ran_on"] == []
    assert [run["why"] for run in comparison["excluded"]] == ["missing there"] * 3


def test_the_same_folders_give_the_same_bytes(folders: Folders) -> None:
    folders.compare()
    before = folders.output.read_bytes()
    folders.compare()
    assert folders.output.read_bytes() == before


def test_files_of_another_folder_lie_as_ours_do() -> None:
    path = paths.at(paths.RUN_RECORD, scale="cpu", model="charlm", activation="relu", seed=4)
    assert in_folder(Path(paths.RESULTS), path) == Path(path)
    [record, predictions] = files_of_run(Path("/gpu"), "cpu", ("charlm", "relu", 4))
    assert record == Path("/gpu/cpu/charlm/relu/seed4/run.json")
    assert predictions.name == "predictions.npz"


def test_a_change_in_the_other_folder_is_seen(folders: Folders) -> None:
    def seen() -> dict[str, tuple[int, int]]:
        return file_stamps(folders.there, SCALE, folders.runs)

    before = seen()
    assert len(before) == 6
    change_record(folders.there, SPOILED, threads=3)
    changed = seen()
    assert changed != before
    _remove(folders, "there")
    assert len(seen()) == 4
    assert file_stamps(folders.there, "other", folders.runs) == {}


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (None, "found null, expected the results folder of the same study made elsewhere; name"),
        ("nowhere", "found no folder nowhere, expected"),
        ("results", "found this study's own results .results., expected"),
        ("./gpu/../results", "found this study's own results"),
        ("gpu", "found no scale's folder .tiny, full. in gpu, expected"),
    ],
)
def test_another_folder_must_be_one(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, folder: str | None, expected: str
) -> None:
    monkeypatch.chdir(folders.here.parent)
    with pytest.raises(ActreproError, match=f"elsewhere: {expected}"):
        require_other(None if folder is None else Path(folder), ["tiny", "full"])
    assert require_other(Path("gpu/results"), ["tiny", "full"]) == Path("gpu/results")
