"""What verdicts rest on: one result changes, and only the rows that name it change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from audit_fixture import CLAIMS, STUDY, Audited

from actrepro.audit.claims import SCALES, Table, read_table
from actrepro.audit.config import parse_audit
from actrepro.audit.findings import VERDICTS
from actrepro.audit.results import Results
from actrepro.audit.verdicts import audit_json, judge_all

SEEDS = parse_audit(STUDY).seeds
Rows = Mapping[str, Mapping[str, Any]]
# About what these end at, so that losses of the CPU report are supported.
LOSSES = {"relu": 2.6269, "gelu": 2.6270, "swish": 2.6284, "smelu_05": 2.6380, "smelu_1": 2.6588}
TABLE: Table = read_table(CLAIMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audited")


@pytest.fixture(scope="module")
def audited(folder: Path) -> Audited:
    losses = {(name, seed): loss for name, loss in LOSSES.items() for seed in SEEDS}
    return Audited(folder, losses)


def judged(results: Results) -> Rows:
    rows = audit_json(TABLE, results, judge_all(TABLE, results), CLAIMS)["claims"]
    return {row["id"]: row for row in rows}


def named(row: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """The results that a row's evidence names, with their values."""
    return {
        (number["file"], number["key"]): number["value"]
        for finding in row["findings"]
        for evidence in finding["evidence"]
        for number in evidence["numbers"]
    }


@pytest.mark.parametrize("runs", [[("gelu", 43)], [("gelu", seed) for seed in SEEDS]])
def test_one_loss_changes_exactly_the_rows_that_name_it(
    audited: Audited, folder: Path, monkeypatch: pytest.MonkeyPatch, runs: list[tuple[str, int]]
) -> None:
    monkeypatch.chdir(folder)
    before = judged(audited.results({}, None))
    for run in runs:
        audited.add_to_loss(run, 0.1)
    after = judged(audited.results({}, None))
    for run in runs:
        audited.add_to_loss(run, -0.1)
    naming = {id_ for id_, row in before.items() if named(row) != named(after[id_])}
    changed = {id_ for id_, row in before.items() if row["verdict"] != after[id_]["verdict"]}
    assert {id_ for id_, row in before.items() if row != after[id_]} == naming
    assert changed <= naming
    assert {"cpu-charlm-gelu-val-loss", "cpu-relu-best-loss"} <= naming
    assert not any(id_.startswith(("full-", "partial-", "cost-")) for id_ in naming)
    # The printed loss is the mean of a cell: all of its runs are off, or one of them.
    if len(runs) == len(SEEDS):
        verdicts = [rows["cpu-charlm-gelu-val-loss"]["verdict"] for rows in (before, after)]
        assert verdicts == ["supported", "contradicted"]
        assert {id_ for id_ in changed if "relu-val" in id_ or "swish-val" in id_} == set()


def test_without_any_results_no_verdict_rests_on_one() -> None:
    rows = judged(Results(STUDY))
    assert len(rows) == 394
    for row in rows.values():
        assert row["verdict"] in VERDICTS
        assert row["verdict"] != "artefact"
        assert not named(row)
        assert all(finding["evidence"] for finding in row["findings"])


def test_what_was_not_run_says_what_to_run() -> None:
    for row in judged(Results(STUDY)).values():
        if row["verdict"] == "not run":
            assert row["settles"].startswith("snakemake "), row["id"]
            assert "results/" in row["settles"], row["id"]


def test_claims_need_results_of_the_scales_that_are_read() -> None:
    needed = {
        scale
        for row in judged(Results(STUDY)).values()
        for finding in row["findings"]
        for scale in re.findall(r"results/([a-z0-9]+)/[a-z]+/stats", finding["settles"])
    }
    assert needed == {"cpu500", "partial", "full"}
    assert needed <= set(SCALES)
    assert {row.scale for row in TABLE.claims.values()} - {None} <= set(SCALES)
