"""Files go by the run that their folders name, never by their order."""

from pathlib import Path

import pytest

from actrepro.core import paths
from actrepro.core.runs import by_activation, by_model, by_run, by_seed

ACTIVATIONS, SEEDS = ["relu", "gelu"], [3, 1]
NAMED = paths.at(paths.RUN_RECORD, scale="cpu", model="charlm")
RUNS = paths.each(NAMED, activation=ACTIVATIONS, seed=SEEDS)


def test_a_models_files_go_by_run() -> None:
    expected = {
        (activation, seed): Path(paths.at(NAMED, activation=activation, seed=seed))
        for activation in ACTIVATIONS
        for seed in SEEDS
    }
    # Seed by seed, as another rule may list them.
    for files in (RUNS, RUNS[::-1], paths.each(NAMED, seed=SEEDS, activation=ACTIVATIONS)):
        found = by_run(files, ACTIVATIONS, SEEDS)
        assert list(found.items()) == list(expected.items())


def test_a_cells_files_go_by_seed_and_a_models_by_activation() -> None:
    cell = paths.each(paths.at(NAMED, activation="relu"), seed=[1, 3])
    assert list(by_seed(cell, SEEDS).items()) == [(3, Path(cell[1])), (1, Path(cell[0]))]
    cells = paths.each(
        paths.at(paths.CELL_DIFFERENCES, scale="cpu", model="charlm"), activation=["gelu", "relu"]
    )
    found = by_activation(cells, ACTIVATIONS)
    assert list(found.items()) == [("relu", Path(cells[1])), ("gelu", Path(cells[0]))]


def test_a_scales_files_go_by_model() -> None:
    files = paths.each(paths.at(paths.MODEL_DIFFERENCES, scale="cpu"), model=["charlm", "convlm"])
    assert by_model(files, ["convlm", "charlm"]) == {
        "charlm": Path(files[0]),
        "convlm": Path(files[1]),
    }


@pytest.mark.parametrize("files", [RUNS[1:], [*RUNS, RUNS[0]], [*RUNS[1:], RUNS[1]]])
def test_a_file_too_few_or_too_many_is_refused(files: list[str]) -> None:
    with pytest.raises(ValueError, match="expected a file for each of"):
        by_run(files, ACTIVATIONS, SEEDS)
