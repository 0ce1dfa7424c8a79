"""The report’s section on recorded results: present only with a record, and kept apart."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from browser import CHROMIUM
from pages import Page, words_of
from synthetic_archive import GPU, make_results, study
from synthetic_scale import Scale, make_scale

from actrepro.core import paths
from actrepro.core.files import read_json
from actrepro.measures import PRIMARY
from actrepro.replication.archive import Record, Records, read_record, read_records
from actrepro.replication.archive_writer import record_study
from actrepro.report.page import Inputs, contents, write_report
from actrepro.report.sections.recorded import describe, results_table, section
from actrepro.results.cells import cells_of

CHURN = "churn-top1-pairs.all"


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale that the run of the report computed."""
    return make_scale(tmp_path_factory.mktemp("scale"), models=("charlm",))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A record with two models and two scales; one run diverged, one activation failed a gate."""
    root = tmp_path_factory.mktemp("record")
    one = study(models=("charlm", "convlm"), scales=("cpu", "full"))
    make_results(root, one, diverged=[("gelu", 2)], failed={"relu": "causal"})
    record_study("h100", one.as_asked(), root)
    return read_record(root / paths.at(paths.RECORD, record="h100"))


def write(scale: Scale, *records: Path) -> str:
    output = scale.folder / paths.REPORT
    inputs = Inputs([scale.stats], [scale.corpus], records=records)
    write_report(contents("a study", inputs), output)
    return output.read_text(encoding="utf-8")


def section_of(text: str) -> str:
    [markup] = re.findall(r'<section id="recorded">.*?</section>', text, re.DOTALL)
    return str(markup)


def test_without_records_there_is_no_section(scale: Scale) -> None:
    text = write(scale)
    assert "recorded" not in Page(text).ids
    assert 'href="#recorded"' not in text
    assert "Recorded results" not in text


def test_a_record_says_what_it_is_and_where_it_is_from(scale: Scale, record: Record) -> None:
    text = words_of(section_of(write(scale, record.folder)))
    assert "Record h100 Study big at scale cpu and full: 2 models × 2 activations × 3 seeds" in text
    assert "runs 20 finished and 4 diverged." in text
    assert (
        f"Recorded on {GPU} (A <Chip> & Co, 2 cores, Linux x86_64), from commit c0ffeec0ffee, with "
        "uncommitted changes." in text
    )
    assert record.provenance.command in text
    for one in ("cpu", "full"):
        assert f"Recorded on {GPU}, not computed by this run." in text
        assert f"From resources/recorded/h100/{one}/stats.json: models.*.rules.final.cells" in text
    assert "resources/recorded/h100/provenance.json" in text
    assert not re.search(r"\b20\d\d-\d\d", text)


def test_numbers_are_those_of_the_record(scale: Scale, record: Record) -> None:
    cells = Page(write(scale, record.folder)).cells
    file, stats = record.stats("full")
    made = results_table(record, file, stats, of_this_run=False)
    rows = {(row.cells[0], row.cells[1]): row for row in made.rows}
    assert len(rows) == 4
    for model in stats["models"]:
        for activation, cell in cells_of(stats, model).items():
            mark = " †" if cell["failed_gates"] else ""
            row = rows[model, f"{activation}{mark}"]
            loss, variation = cell["metrics"]["loss.all"], cell["differences"][PRIMARY]
            assert row.cells[2] == str(cell["n"])
            assert row.cells[3] == f"{loss['value']:.4f} ± {loss['sd']:.4f}"
            assert str(row.cells[5]).startswith(f"{variation['value']:.4f} ")
            assert row.cells[6] == f"{cell['differences'][CHURN]['value']:.4f}"
            passed = sum(gate["passed"] for gate in cell["gates"].values())
            assert row.cells[7] == f"{passed} of {len(cell['gates'])}"
            assert row.failed == bool(cell["failed_gates"])
            assert set(map(str, row.cells[1:])) <= set(cells)
    gelu, relu = rows["charlm", "gelu"], rows["charlm", "relu †"]
    assert "without seed 2 (diverged)" in gelu.note
    assert "failed: causal" in relu.note


def test_all_else_is_as_without_a_record(scale: Scale, record: Record) -> None:
    without, text = write(scale), write(scale, record.folder)
    link = '<li><a href="#recorded">Recorded results</a></li>\n'
    assert text.count(link) == 1
    assert text.replace(link, "").replace(f"{section_of(text)}\n", "") == without


def test_page_is_well_formed_and_loads_nothing(scale: Scale, record: Record) -> None:
    text = write(scale, record.folder)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {one.removeprefix("#") for one in page.references} <= set(page.ids)
    for sign in ("http", "@import", "<link", "<img", "src="):
        assert sign not in text
    assert "A <Big>" not in text
    assert write(scale, record.folder) == text


def test_what_is_ignored_is_reported_and_not_shown(
    scale: Scale, record: Record, tmp_path: Path
) -> None:
    altered = tmp_path / "h100"
    shutil.copytree(record.folder, altered)
    stats = altered / "full/stats.json"
    stats.write_text(stats.read_text(encoding="utf-8") + " ", encoding="utf-8")
    text = words_of(section_of(write(scale, altered)))
    assert "resources/recorded/h100 is ignored: changed since it was recorded: full/stats.json" in (
        text
    )
    assert "not computed by this run" not in text
    assert GPU not in text


def test_what_this_run_has_made_is_not_called_anothers(record: Record) -> None:
    found = Records({"h100": record})
    own = read_json(record.folder / "full/stats.json")
    made = section(found, [own])
    assert made is not None
    [cpu, full] = made.records[0].results
    assert f"Recorded on {GPU}, not computed by this run." in cpu.caption
    assert f"Recorded on {GPU}, the same numbers as this run’s." in full.caption


def test_several_machines_are_reported_with_their_runs(tmp_path: Path) -> None:
    one = study(seeds=(1, 2))
    make_results(tmp_path, one)
    [path, *_] = sorted((tmp_path / "results").rglob("run.json"))
    path.write_text(path.read_text(encoding="utf-8").replace(GPU, "cpu"), encoding="utf-8")
    record_study("two", one.as_asked(), tmp_path)
    found = read_records([tmp_path / paths.at(paths.RECORD, record="two")])
    assert f"Recorded on {GPU} (3 runs) and cpu (1 run) (" in describe(found.whole["two"])


@pytest.mark.skipif(CHROMIUM is None, reason="asks a browser")
def test_a_browser_shows_the_section_without_network(scale: Scale, record: Record) -> None:
    write(scale, record.folder)
    address = (scale.folder / paths.REPORT).as_uri()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * 0.0.0.0"]
    command = [CHROMIUM or "", *options, "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shown = section_of(done.stdout)
    assert shown.count("not computed by this run") == 2
    assert shown.count("<tr") == 2 * (1 + 4) + 2 * (1 + 4)
