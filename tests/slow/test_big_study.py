"""The benchmark of a large study, run on a small one: it still does the same work as the jobs."""

from __future__ import annotations

import csv

import pytest
from big_study import Big, measured, stages, work

from actrepro.core import paths
from actrepro.core.files import read_json


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Big:
    folder = tmp_path_factory.mktemp("big")
    big = Big(folder, models=2, activations=2, seeds=2, scales=2, positions=200)
    for stage in stages(big):
        work(big, stage)
    return big


def test_its_cells_pass_every_gate(small: Big) -> None:
    """Failed cells would be skipped by the omnibus tests, and cost nothing."""
    for model in read_json(small.at(paths.SCALE_STATS))["models"].values():
        for rule in model["rules"].values():
            assert [cell["failed_gates"] for cell in rule["cells"].values()] == [[], []]
            assert all(rule["omnibus"].values())


def test_it_has_a_row_per_pair_of_runs(small: Big) -> None:
    with small.at(paths.PAIRS_TABLE).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    pairs, rules = 4 * 3 // 2, 3
    assert len(rows) == small.models * rules * pairs


def test_its_report_has_every_scale_and_model(small: Big) -> None:
    page = small.at(paths.REPORT).read_text(encoding="utf-8")
    for name in (*small.scale_names, *small.model_names):
        assert name in page


def test_a_stage_is_measured_in_a_process_of_its_own(small: Big) -> None:
    small.at(paths.GATES_AFTER).unlink()
    seconds, mebibytes = measured(small, "gates_after")
    assert small.at(paths.GATES_AFTER).exists()
    assert seconds > 0.1
    assert 20 < mebibytes < 2000


def test_a_stage_that_fails_ends_the_measurement(small: Big, capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="no-such-stage failed"):
        measured(small, "no-such-stage")
    assert "KeyError" in capfd.readouterr().err
