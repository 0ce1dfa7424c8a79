"""`snakemake benchmark` as a user calls it, on a tiny config."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_folder import Study

from actrepro.core import paths

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("benchmark"))
    study.tiny("benchmark")
    return study


def test_the_benchmark_leaves_numbers_and_a_figure(measured: Study) -> None:
    found = measured.json(paths.BENCHMARK)
    assert {cell["model"] for cell in found["cells"]} == {"charlm", "tinylstm"}
    assert all(cell["ours"]["why"] is None for cell in found["cells"])
    assert [entry["value"] for entry in found["growth"]["runs"]] == [1, 2]
    figure = (measured.folder / paths.BENCHMARK_SVG).read_text(encoding="utf-8")
    assert "Training speed on this machine" in figure
    assert (measured.folder / paths.BENCHMARK_PNG).stat().st_size


def test_the_benchmark_lies_apart_from_any_study(measured: Study) -> None:
    made = {path.name for path in (measured.folder / "results").iterdir()}
    assert made == {"benchmarks", "corpora"}


@pytest.mark.parametrize("setting", ["seeds=9", "models=convlm", "confidence=0.9"])
def test_another_study_measures_nothing_again(measured: Study, setting: str) -> None:
    assert measured.planned("benchmark", "--config", setting) == {}


def test_other_settings_are_measured(measured: Study) -> None:
    planned = measured.planned("benchmark", "--config", "benchmark={rounds: 3}")
    assert planned["measure_training"] == planned["benchmark_figure"] == 1


def test_a_study_does_not_measure(measured: Study) -> None:
    assert "measure_training" not in measured.planned()


def test_only_the_figure_is_drawn_anew_where_it_is_missing(measured: Study) -> None:
    figure: Path = measured.folder / paths.BENCHMARK_SVG
    kept = figure.read_bytes()
    figure.unlink()
    try:
        planned = measured.planned("benchmark")
        assert planned == {"benchmark": 1, "benchmark_figure": 1}
    finally:
        measured.tiny("benchmark")
    assert figure.read_bytes() == kept
