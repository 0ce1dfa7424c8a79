"""Recorded results as evidence: only where nothing was made here, and marked where they count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from audit_fixture import CLAIMS
from pages import rows_of, words_of
from synthetic_archive import GPU, make_record

from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import Table, read_table
from actrepro.audit.compared import own_results
from actrepro.audit.page.build import write_page
from actrepro.audit.page.section import section
from actrepro.audit.recorded import note, with_records
from actrepro.audit.registry import Context
from actrepro.audit.results import Results
from actrepro.audit.staleness import current, outdated
from actrepro.audit.verdicts import audit_json, judge_all, write_verdicts
from actrepro.config.reading import default_study
from actrepro.core import paths
from actrepro.replication.archive import Record, Records, read_records

STUDY = default_study()
TABLE: Table = read_table(CLAIMS)
FULL = ("full", "charlm")
ACTIVATIONS = ("relu", "gelu", "swish", "smelu_05", "smelu_1")
STATS = "resources/recorded/h100/full/charlm/stats.json"
PROVENANCE = "resources/recorded/h100/provenance.json"
MARK = "(Recorded results, not made here: h100.)"

Rows = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorded")


@pytest.fixture(scope="module")
def record(folder: Path) -> Record:
    return make_record(folder, activations=ACTIVATIONS)


@pytest.fixture(scope="module")
def results(record: Record) -> Results:
    return with_records(Results(STUDY), Records({record.name: record}))


def audit(results: Results) -> dict[str, Any]:
    return audit_json(TABLE, results, judge_all(TABLE, results), CLAIMS)


@pytest.fixture(scope="module")
def judged(results: Results) -> dict[str, Any]:
    return audit(results)


def rows(judged: Mapping[str, Any]) -> Rows:
    return {row["id"]: row for row in judged["claims"]}


def evidence_of(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (one for finding in row["findings"] for one in finding["evidence"])


def test_what_a_record_tells_is_marked_wherever_it_counts(judged: Mapping[str, Any]) -> None:
    bare = rows(audit(Results(STUDY)))
    changed = 0
    for id_, row in rows(judged).items():
        before = [json.dumps(finding) for finding in bare[id_]["findings"]]
        for finding in row["findings"]:
            # What is not run rests on results that nobody has.
            if json.dumps(finding) not in before and finding["verdict"] != "not run":
                assert any(one["records"] == ["h100"] for one in finding["evidence"]), id_
                changed += 1
    assert changed > 20


def test_every_sentence_that_rests_on_a_record_says_so(judged: Mapping[str, Any]) -> None:
    marked = 0
    for row in rows(judged).values():
        for one in evidence_of(row):
            rests = STATS in one["files"]
            assert one["says"].endswith(MARK) == rests == (one["records"] == ["h100"])
            assert (PROVENANCE in one["files"]) == rests
            assert {number["file"] for number in one["numbers"]} <= set(one["files"])
            marked += rests
    assert marked > 20


def test_claims_json_says_which_records_are_evidence(
    judged: Mapping[str, Any], record: Record
) -> None:
    told = judged["records"]["h100"]
    assert (told["study"], told["scales"]) == ("big", ["full"])
    assert told["devices"] == [{"device": GPU, "runs": 15}]
    assert judged["files"] == {file: record.hashes[file] for file in (PROVENANCE, STATS)}
    assert note(judged).endswith(f"full from the record h100, made on {GPU}.")
    assert note(audit(Results(STUDY))) == ""


def made_here(record: Record, *places: tuple[str, str]) -> Results:
    """As if the recorded results had been made here, at some places."""
    _, stats = record.stats("full", "charlm")
    model = Context(TABLE, with_records(Results(STUDY), Records({"h100": record})))
    one = model.results.models[FULL]
    return Results(STUDY, {place: type(one)("results/a/stats.json", stats) for place in places})


def test_results_made_here_always_win(record: Record) -> None:
    here = made_here(record, FULL)
    both = with_records(here, Records({"h100": record}))
    assert both.models == here.models
    assert (both.records, both.hashes) == ({}, {})
    assert all(not one["records"] for row in rows(audit(both)).values() for one in evidence_of(row))


def test_a_scale_is_never_part_recorded(record: Record) -> None:
    both = with_records(made_here(record, ("full", "minigpt")), Records({"h100": record}))
    assert FULL not in both.models
    finding = both.missing({FULL: ()})
    assert finding is not None
    assert "the record h100 has it, but recorded results do not count beside" in (
        finding.evidence[0].says
    )
    assert finding.settles == "snakemake --cores 2 results/full/charlm/stats.json"


def test_results_made_here_that_do_not_fit_count_as_made_here(record: Record) -> None:
    refused = Results(STUDY, refused={FULL: "it was made with another width than the config"})
    both = with_records(refused, Records({"h100": record}))
    assert both.models == {}
    assert both.refused == refused.refused


def test_a_record_of_another_protocol_is_refused(record: Record) -> None:
    protocols = {
        **STUDY.protocols,
        "full": STUDY.protocols["full"].model_copy(update={"width": 768}),
    }
    other = STUDY.model_copy(update={"protocols": protocols})
    found = with_records(Results(other), Records({"h100": record}))
    assert found.models == {}
    finding = found.missing({FULL: ()})
    assert finding is not None
    assert "in the record h100, it was made with another width" in finding.evidence[0].says
    assert (found.records, found.hashes) == ({}, {})


def test_of_two_records_that_with_more_runs_is_the_evidence(record: Record, tmp_path: Path) -> None:
    for name, seeds, chosen in (
        ("a", (1, 2), "h100"),
        ("z", (1, 2, 3, 4), "z"),
        ("i", (1, 2, 3), "h100"),
    ):
        other = make_record(tmp_path / name, name, seeds=seeds, activations=ACTIVATIONS)
        found = with_records(Results(STUDY), Records({one.name: one for one in (record, other)}))
        assert list(found.records) == [chosen]
        assert found.models[FULL].record == chosen


def test_what_a_record_lacks_is_asked_for_by_its_name(results: Results) -> None:
    finding = results.missing({FULL: ("relu", "swiglu")})
    assert finding is not None
    assert finding.evidence[0].says == (
        "results/full/charlm/stats.json: there is no such file, and the record h100 does not have "
        "swiglu."
    )
    assert finding.settles.startswith("snakemake --cores 2 results/full/charlm/stats.json ")
    finding = results.without(*FULL, why="it has no usable relu")
    assert finding.evidence[0].says == f"{STATS}: it has no usable relu."
    assert finding.evidence[0].all_files == (STATS,)


def test_a_record_is_results_like_any_other(results: Results) -> None:
    claim = next(
        one
        for one in TABLE.claims.values()
        if (one.scale, one.model) == FULL and set(one.activations) <= set(ACTIVATIONS)
    )
    found = own_results(claim, Context(TABLE, results), claim.activations)
    assert found.record == "h100"


def test_no_verdict_outlives_its_record(
    judged: Mapping[str, Any], record: Record, tmp_path: Path
) -> None:
    resting = {
        id_ for id_, row in rows(judged).items() if any(one["records"] for one in evidence_of(row))
    }
    whole = Records({"h100": record})
    assert outdated(judged, tmp_path, whole) == set()
    assert not any(row["outdated"] for row in current(judged, tmp_path, whole)["claims"])
    copied = tmp_path / paths.RECORDED / "h100"
    shutil.copytree(record.folder, copied)
    (copied / "histories.csv").write_text("altered", encoding="utf-8")
    for altered in (Records(), read_records([copied])):
        assert outdated(judged, tmp_path, altered) == {STATS, PROVENANCE}
        shown = rows(current(judged, tmp_path, altered))
        assert {id_ for id_, row in shown.items() if row["outdated"]} == resting
        for id_ in resting:
            assert (shown[id_]["verdict"], shown[id_]["settles"]) == ("not run", "snakemake audit")
            says = [one["says"] for one in evidence_of(shown[id_])]
            happened = "belongs to a record that has changed since or is gone"
            assert f"The verdict rested on {STATS}, which {happened}." in says


def write(folder: Path, record: Path) -> str:
    claims, table = folder / audit_paths.CLAIMS_JSON, folder / audit_paths.CLAIMS_TABLE
    write_verdicts(STUDY, CLAIMS, [], [], None, claims, table, [record])
    page = folder / audit_paths.AUDIT_PAGE
    write_page(claims, page, folder / paths.AUDIT_SECTION, folder, [record])
    return page.read_text(encoding="utf-8")


def test_the_audits_job_and_page_show_what_is_recorded(
    judged: Mapping[str, Any], record: Record, tmp_path: Path
) -> None:
    text = write(tmp_path, record.folder)
    made = json.loads((tmp_path / audit_paths.CLAIMS_JSON).read_bytes())
    assert made["claims"] == judged["claims"]
    assert MARK in (tmp_path / audit_paths.CLAIMS_TABLE).read_text(encoding="utf-8")
    assert f"full from the record h100, made on {GPU}." in words_of(text)
    for id_, row in rows_of(text).items():
        says = " ".join(one["says"] for one in evidence_of(rows(judged)[id_]))
        assert (MARK in words_of(row)) == (MARK in says)
    assert STATS in text
    known = read_records([record.folder])
    before = dict(section(current(made, tmp_path, known))["verdicts"])
    after = dict(section(current(made, tmp_path))["verdicts"])
    assert after["not run"] > before["not run"]


def test_an_altered_record_is_no_evidence_and_the_page_says_why(
    record: Record, tmp_path: Path
) -> None:
    copied = tmp_path / paths.RECORDED / "h100"
    shutil.copytree(record.folder, copied)
    stats = copied / "full/charlm/stats.json"
    stats.write_text(stats.read_text(encoding="utf-8").replace('"n":3', '"n":9'), encoding="utf-8")
    text = write(tmp_path, copied)
    made = json.loads((tmp_path / audit_paths.CLAIMS_JSON).read_bytes())
    assert made["claims"] == audit(Results(STUDY))["claims"]
    assert (made["records"], list(made["ignored_records"])) == ({}, ["h100"])
    said = (
        "resources/recorded/h100 is ignored: changed since it was recorded: full/charlm/stats.json"
    )
    assert said in words_of(text)
