"""`snakemake record` as a user calls it: a study is recorded in one folder, shown in another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pages import words_of
from study_folder import Study

from actrepro.core import paths
from actrepro.provenance.fingerprint import training_fingerprint
from actrepro.replication.archive import read_record

pytestmark = pytest.mark.workflow

ASKED = ("models=charlm", "seeds=1,2")
RECORD = paths.at(paths.RECORD, record="gpu")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A folder in which a study was run and recorded."""
    study = Study(tmp_path_factory.mktemp("recorded"))
    study.tiny("record", "--config", "record=gpu", *ASKED)
    return study


@pytest.fixture
def elsewhere(recorded: Study, tmp_path: Path) -> Study:
    """Another folder, which has part of the study's runs and a copy of the record."""
    study = Study(tmp_path / "elsewhere")
    shutil.copytree(recorded.folder, study.folder, dirs_exist_ok=True)
    return study


def test_a_finished_study_is_recorded_small_and_whole(recorded: Study) -> None:
    record = read_record(recorded.folder / RECORD)
    assert record.provenance.status == {"finished": 4}
    assert record.provenance.fingerprints == {
        "charlm": training_fingerprint("charlm", record.provenance.config.activations)
    }
    assert [one.device for one in record.provenance.devices] == ["cpu"]
    files = [path for path in record.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".csv"}
    assert sum(path.stat().st_size for path in files) < 300_000
    lines = (recorded.folder / "made-up.txt").read_text(encoding="utf-8").splitlines()
    words = {line[: len(line) // 2].encode() for line in lines}
    assert not [path for path in files for word in words if word in path.read_bytes()]
    runs = json.loads((record.folder / "runs.json").read_bytes())
    assert runs["tiny/charlm/relu/seed1"] == recorded.json(
        "results/tiny/charlm/relu/seed1/run.json"
    )
    assert runs.keys() == {
        f"tiny/charlm/{activation}/seed{seed}"
        for activation in ("relu", "swiglu")
        for seed in (1, 2)
    }


def test_a_name_is_recorded_once(recorded: Study) -> None:
    before = (recorded.folder / RECORD / "provenance.json").read_bytes()
    output = recorded.tiny("record", "--config", "record=gpu", *ASKED)
    assert f"{RECORD}: is there already" in output
    output = recorded.tiny("record", "--config", "record=gpu", "models=charlm", "seeds=1", ok=False)
    assert "found a record of another study (other seeds)" in output
    assert "delete the folder to replace it" in output
    assert (recorded.folder / RECORD / "provenance.json").read_bytes() == before
    output = recorded.tiny("record", "--config", *ASKED, ok=False)
    assert "name it: --config record=NAME" in output


def test_a_record_is_shown_in_the_report_of_another_folder(elsewhere: Study) -> None:
    asked = ("--config", "models=charlm", "seeds=1")
    elsewhere.tiny(*asked)
    report = elsewhere.folder / paths.REPORT
    text = words_of(report.read_text(encoding="utf-8"))
    assert "Recorded on cpu, not computed by this run." in text
    assert "Study tiny at scale tiny: 1 model × 2 activations × 2 seeds, runs 4 finished." in text
    stats = json.loads((elsewhere.folder / RECORD / "tiny/stats.json").read_bytes())
    cell = stats["models"]["charlm"]["rules"]["final"]["cells"]["relu"]
    assert f"{cell['metrics']['loss.all']['value']:.4f} ± " in text
    assert "Nothing to be done" in elsewhere.tiny(*asked)
    histories = elsewhere.folder / RECORD / "histories.csv"
    histories.write_text(histories.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert elsewhere.planned(*asked) == {"all": 1, "report": 1}
    elsewhere.tiny(*asked)
    text = words_of(report.read_text(encoding="utf-8"))
    assert f"{RECORD} is ignored: changed since it was recorded: histories.csv" in text
    assert "not computed by this run" not in text
