"""`snakemake elsewhere` as a user calls it: a tiny study run twice, in fp32 and in bf16."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from study_folder import Study

from actrepro.core import paths
from actrepro.core.files import sha256_of
from actrepro.measures import PRIMARY

pytestmark = pytest.mark.workflow

SMALL = ("--config", "models=charlm", "activations=relu")
FOUND = paths.at(paths.ELSEWHERE, scale="tiny")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a machine that trained in bf16, without one of the seeds."""
    study = Study(tmp_path_factory.mktemp("there"))
    predictions = [
        paths.at(paths.PREDICTIONS, scale="tiny", model="charlm", activation="relu", seed=seed)
        for seed in (1, 2)
    ]
    bf16 = "protocols={tiny: {precision: bf16}}"
    study.tiny(*predictions, *SMALL, "seeds=1,2", bf16)
    return study.folder / "results"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, there: Path) -> Study:
    before = _hashes(there)
    study = Study(tmp_path_factory.mktemp("here"))
    study.tiny("elsewhere", *SMALL, f"elsewhere={there}")
    assert _hashes(there) == before
    return study


def _hashes(folder: Path) -> dict[Path, str]:
    return {path: sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def _copied(study: Study, folder: Path) -> Study:
    """Copy the study with its results into another folder."""
    copy = Study(folder)
    shutil.copytree(study.folder, folder, dirs_exist_ok=True)
    return copy


def test_runs_of_another_precision_are_compared(compared: Study) -> None:
    found = compared.json(FOUND)
    [cell] = found["cells"]
    final = cell["rules"]["final"]
    assert (cell["model"], cell["activation"], final["n"]) == ("charlm", "relu", 2)
    assert (final["same_weights"], final["same_predictions"]) == (0, 0)
    assert [run["differing"] for run in final["runs"]] == [["precision"]] * 2
    variation = final["differences"][PRIMARY]
    # Rounding moves a run of thirty steps, and less than another seed does.
    assert 0 < variation["elsewhere"]["value"] < variation["seeds_here"]["value"]
    assert 0 < variation["ratio"] < 1
    [missing] = found["excluded"]
    assert (missing["seed"], missing["why"]) == (3, "missing there")


def test_a_second_call_has_nothing_to_do(compared: Study, there: Path) -> None:
    assert compared.planned("elsewhere", *SMALL, f"elsewhere={there}") == {}


def test_the_same_files_are_the_same_to_the_byte(compared: Study, tmp_path: Path) -> None:
    """Also, changes in the other folder make results stale."""
    again = _copied(compared, tmp_path)
    elsewhere = ("elsewhere", *SMALL, f"elsewhere={compared.folder / 'results'}")
    planned = again.planned(*elsewhere)
    assert planned == {"compare_elsewhere": 1, "elsewhere": 1}
    again.tiny(*elsewhere)
    [cell] = again.json(FOUND)["cells"]
    for under in cell["rules"].values():
        assert under["same_weights"] == under["same_predictions"] == under["n"] == 3
        assert under["differences"][PRIMARY]["elsewhere"]["value"] == 0


def test_a_change_in_the_other_folder_is_seen(compared: Study, there: Path, tmp_path: Path) -> None:
    again = _copied(compared, tmp_path)
    seed = there / "tiny/charlm/relu/seed2"
    moved = seed.rename(there / "moved")
    try:
        planned = again.planned("elsewhere", *SMALL, f"elsewhere={there}")
    finally:
        moved.rename(seed)
    assert planned == {"compare_elsewhere": 1, "elsewhere": 1}


def test_the_report_waits_for_a_comparison_that_is_asked_for(compared: Study, there: Path) -> None:
    asked = compared.planned(*SMALL, "seeds=1,2", f"elsewhere={there}")
    assert asked["compare_elsewhere"] == asked["report"] == 1
    assert "compare_elsewhere" not in compared.planned(*SMALL)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("study=mine", "elsewhere: found null, expected the results folder"),
        ("elsewhere=nowhere", "elsewhere: found no folder nowhere, expected"),
    ],
)
def test_a_folder_that_cannot_be_compared_with_is_reported_before_any_job(
    compared: Study, setting: str, expected: str
) -> None:
    output = compared.tiny("--dry-run", "elsewhere", *SMALL, setting, ok=False)
    assert expected in " ".join(output.split())
