"""`snakemake audit` as a user calls it, on a tiny config."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from study_folder import TINY, Study
from synthetic_archive import make_record

from actrepro.audit import paths as audit_paths
from actrepro.audit.config import trained_control_names
from actrepro.audit.findings import VERDICTS
from actrepro.core import paths

pytestmark = pytest.mark.workflow

CONTROLS = (*trained_control_names(), "unpaired")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("audit"))
    study.tiny("audit")
    return study


def verdicts(study: Study) -> dict[str, str]:
    return {row["id"]: row["verdict"] for row in study.json(audit_paths.CLAIMS_JSON)["claims"]}


def test_the_audit_gives_every_claim_a_verdict_with_evidence(audited: Study) -> None:
    audit = audited.json(audit_paths.CLAIMS_JSON)
    assert len(audit["claims"]) == 394
    for row in audit["claims"]:
        assert row["verdict"] in VERDICTS
        assert all(one["says"] for finding in row["findings"] for one in finding["evidence"])
    assert len(audited.rows(audit_paths.CLAIMS_TABLE)) == 394
    page = (audited.folder / audit_paths.AUDIT_PAGE).read_text(encoding="utf-8")
    assert page.count('id="claim-') == 394


def test_snakemakes_report_has_the_audits_page_and_claims(audited: Study) -> None:
    grouped, items = audited.snakemakes_report("audit")
    assert grouped == {"Audit: Page": ["audit"], "Audit: Tables": ["claims"]}
    assert "n = 3 seeds" in items[audit_paths.AUDIT_PAGE]["caption"]


def test_the_audit_lies_apart_from_any_study(audited: Study) -> None:
    made = {path.relative_to(audited.folder).parts[1] for path in _results(audited)}
    assert made == {"audit", "corpora"}
    assert audited.planned("audit") == {}
    assert {"train", "report"} <= audited.planned().keys()


def _results(study: Study) -> list[Path]:
    return [path for path in (study.folder / "results").rglob("*") if path.is_file()]


@pytest.mark.parametrize("control", CONTROLS)
def test_each_control_is_caught_by_its_gates_and_shown_beside_the_honest_number(
    audited: Study, control: str
) -> None:
    measured = audited.json(paths.at(audit_paths.CONTROL, control=control))
    text = {one["control"]: one for one in audited.json(audit_paths.CLAIMS_JSON)["controls"]}[
        control
    ]
    assert text["run"]
    assert {line["quantity"] for line in text["lines"]} <= measured["numbers"].keys()
    caught = [gate["gate"] for gate in text["gates"] if not gate["control"]["passed"]]
    # Thirty steps on a text of sixty words memorise nothing.
    assert caught or control == "no_dropout"


def test_evidence_is_at_its_key(audited: Study) -> None:
    """Every number of the evidence is at its key in its file."""
    found = 0
    for row in audited.json(audit_paths.CLAIMS_JSON)["claims"]:
        for finding in row["findings"]:
            for evidence in finding["evidence"]:
                for number in evidence["numbers"]:
                    value = at_key(audited.json(number["file"]), number["key"])
                    value = value["value"] if isinstance(value, dict) else value
                    assert number["value"] in (value, -value), (row["id"], number)
                    found += 1
    assert found > 100


def at_key(content: object, key: str) -> object:
    """Return the value at a dotted key; a measure's id has a dot of its own."""
    if not key:
        return content
    if isinstance(content, list):
        first, _, rest = key.partition(".")
        return at_key(content[int(first)], rest)
    assert isinstance(content, dict)
    names = [name for name in content if key == name or key.startswith(f"{name}.")]
    longest = max(names, key=len)
    return at_key(content[longest], key[len(longest) + 1 :])


def test_a_control_that_is_not_configured_leaves_its_claims_not_run(
    audited: Study, tmp_path: Path
) -> None:
    """Use a copy, since results are shared."""
    study = Study(tmp_path / "study")
    shutil.copytree(audited.folder, study.folder, dirs_exist_ok=True)
    # Snakemake keeps absolute paths of nothing but the claims, which lie in the repository.
    without = study.folder / "without.yaml"
    for source, target in (
        (study.folder / "config/config.yaml",) * 2,
        (study.workflow / TINY, without),
    ):
        config = yaml.safe_load(source.read_text(encoding="utf-8"))
        del config["audit"]["controls"]["not_wired"]
        target.write_text(yaml.safe_dump(config), encoding="utf-8")
    study.snakemake("audit", "--configfile", str(without))
    before, after = verdicts(audited), verdicts(study)
    changed = {row for row in before if before[row] != after[row]}
    assert changed
    assert {before[row] for row in changed} == {"artefact"}
    assert {after[row] for row in changed} == {"not run"}
    text = study.json(audit_paths.CLAIMS_JSON)["controls"]
    assert [one["control"] for one in text if not one["run"]] == ["not_wired"]


def test_a_record_is_evidence_as_long_as_it_is_whole(audited: Study, tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    shutil.copytree(audited.folder, study.folder, dirs_exist_ok=True)
    record = make_record(tmp_path / "gpu")
    brought = study.folder / paths.at(paths.RECORD, record=record.name)
    shutil.copytree(record.folder, brought)
    assert study.planned("audit") == {"audit": 1, "audit_page": 1, "verdicts": 1}
    study.tiny("audit")
    before, after = verdicts(audited), verdicts(study)
    changed = {row for row in before if before[row] != after[row]}
    assert changed
    assert {before[row] for row in changed} == {"not run"}
    assert study.json(audit_paths.CLAIMS_JSON)["records"][record.name]["scales"] == ["full"]
    assert (
        f"full from the record {record.name}" in (study.folder / audit_paths.AUDIT_PAGE).read_text()
    )
    assert study.planned("audit") == {}
    (brought / "runs.json").unlink()
    study.tiny("audit")
    assert verdicts(study) == before
    assert list(study.json(audit_paths.CLAIMS_JSON)["ignored_records"]) == [record.name]
