"""The report's section on the earlier study: there with an audit, and true to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import Page
from synthetic_audit import CONTROL, STATS, Audit, make_audit
from synthetic_scale import Scale, make_scale

from actrepro.audit.page.section import COMMAND, PAGE, section
from actrepro.audit.staleness import current
from actrepro.core import paths
from actrepro.core.files import write_json
from actrepro.report.page import Inputs, contents, write_report


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    return make_scale(tmp_path_factory.mktemp("scale"), models=("charlm",))


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return make_audit(tmp_path)


def write(scale: Scale, audit: Audit | None) -> str:
    folder = scale.folder if audit is None else audit.folder
    output = folder / paths.REPORT
    made = None if audit is None else folder / paths.AUDIT_SECTION
    if audit is not None and made is not None:
        write_json(made, section(current(audit.json, folder)))
    inputs = Inputs([scale.stats], [scale.corpus], earlier=made, root=folder)
    write_report(contents("a study", inputs), output)
    return output.read_text(encoding="utf-8")


def section_of(text: str) -> str:
    """The section's text without its markup."""
    [markup] = re.findall(r'<section id="earlier">.*?</section>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_without_an_audit_one_line_says_how_to_make_it(scale: Scale) -> None:
    text = write(scale, None)
    assert "does not judge an earlier study" in section_of(text)
    assert "earlier" in Page(text).ids
    assert text.count("<code>snakemake audit --cores 2</code>") == 1
    assert "less than 15 minutes" in text


def test_with_an_audit_its_findings_are_told(scale: Scale, audit: Audit) -> None:
    text = write(scale, audit)
    made = Page(text)
    assert len(made.ids) == len(set(made.ids))
    outside = {one for one in made.references if not one.startswith("#")}
    assert {one.partition("#")[0] for one in outside} == {PAGE} == {"audit/audit.html"}
    rows = {f"claim-{row['id']}" for row in audit.json["claims"]}
    assert {one.partition("#")[2] for one in outside} - {""} <= rows
    assert {one[1:] for one in made.references if one.startswith("#")} <= set(made.ids)
    said = section_of(text)
    counts = "were put to checks: impossible 1 artefact 1 contradicted 1"
    assert f"8 claims of the 5 documents of an earlier study {counts}" in said
    for headline in audit.json["headlines"]:
        assert headline["title"].replace("<", "&lt;").replace(">", "&gt;") in said
    assert "artefact contradicted inconclusive With the mistake the loss is 0.0123." in said
    assert "not run" in said
    assert "less than 15 minutes" not in text
    assert "<script>alert" not in text


def test_controls_stand_side_by_side(audit: Audit) -> None:
    rows = section(current(audit.json, audit.folder))["table"]["rows"]
    assert [row[0] for row in rows] == ["A leak", "", "", "", "Other positions"]
    loss, missing = rows[0], rows[-1]
    assert [one["text"] for one in loss[2]["links"]] == ["0.0154", "0.015, 0.0158"]
    assert {one["anchor"] for one in loss[2]["links"]} == {"claim-artefact-loss"}
    assert [one["text"] for one in loss[3:]] == ["0.0123", "1.9876"]
    assert [one["text"] for one in missing[3:]] == ["not run", "not run"]


@pytest.mark.parametrize("file", [STATS, CONTROL])
def test_verdicts_whose_evidence_changed_are_not_shown(
    scale: Scale, audit: Audit, file: str
) -> None:
    before = write(scale, audit)
    (audit.folder / file).write_text("{}", encoding="utf-8")
    made = audit.folder / paths.AUDIT_SECTION
    inputs = Inputs([scale.stats], [scale.corpus], earlier=made, root=audit.folder)
    output = audit.folder / paths.REPORT
    write_report(contents("a study", inputs), output)
    said = section_of(output.read_text(encoding="utf-8"))
    assert "1 file that they rest on changed or disappeared" in said
    assert "snakemake audit --cores 2" in said
    assert "changed or disappeared" not in before
    assert "artefact" in section_of(before)
    assert "artefact" not in said


def test_outdated_rows_are_not_run(audit: Audit) -> None:
    (audit.folder / STATS).write_text("{}", encoding="utf-8")
    verdicts = dict(section(current(audit.json, audit.folder))["verdicts"])
    assert verdicts["not run"] > 1


def test_the_section_counts_as_the_page_does(audit: Audit) -> None:
    made = section(current(audit.json, audit.folder))
    assert sum(count for _, count in made["verdicts"]) == len(audit.json["claims"])
    assert made["command"] == COMMAND == "snakemake audit --cores 2"
