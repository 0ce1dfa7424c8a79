"""The audit's page, its table, and that no verdict outlives its evidence."""

from __future__ import annotations

import copy
import csv
import io
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from browser import CHROMIUM
from pages import Page, rows_of, words_of
from synthetic_audit import (
    CONTROL,
    DOCUMENTS,
    HOSTILE,
    NOT_RUN_CONTROL,
    STATS,
    Audit,
    every_verdict,
    make_audit,
    many,
)

from actrepro.audit import paths as audit_paths
from actrepro.audit.findings import VERDICTS
from actrepro.audit.page import parts
from actrepro.audit.page.build import filters, page, tolerance, write_page
from actrepro.audit.staleness import current, files_of, outdated
from actrepro.audit.verdicts import COLUMNS, claims_csv
from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.report.kit.tables import Entry

ON_STATS = {"artefact-loss", "contradicted-order", "inconclusive-order", "supported-loss"}
ON_CONTROL = {"artefact-loss"}


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return make_audit(tmp_path)


def shown(audit: Audit) -> str:
    output = audit.folder / audit_paths.AUDIT_PAGE
    write_page(audit.path, output, audit.folder / paths.AUDIT_SECTION, audit.folder)
    return output.read_text(encoding="utf-8")


def test_page_is_well_formed_and_its_references_stay_inside(audit: Audit) -> None:
    made = Page(shown(audit))
    assert len(made.ids) == len(set(made.ids))
    assert {one.removeprefix("#") for one in made.references} <= set(made.ids)
    assert {f"claim-{row['id']}" for row in audit.json["claims"]} <= set(made.ids)


def test_nothing_is_loaded_from_outside_and_a_large_table_stays_small(tmp_path: Path) -> None:
    text = shown(make_audit(tmp_path, many(394)))
    for sign in ("http", "@import", "<link", "<img", "src="):
        assert sign not in text
    assert len(rows_of(text)) == 394
    assert len(text.encode()) < 2_500_000


def test_same_inputs_same_bytes(audit: Audit) -> None:
    assert shown(audit) == shown(audit)


def test_every_row_shows_what_it_says_and_why(audit: Audit) -> None:
    rows = rows_of(shown(audit))
    assert list(rows) == [row["id"] for row in audit.json["claims"]]
    for row in audit.json["claims"]:
        text = words_of(rows[row["id"]])
        assert f'data-verdict="{row["verdict"]}"' in rows[row["id"]]
        for said in (row["says"], f"{row['document']}, lines {row['lines']}", row["settles"]):
            assert " ".join(said.split()) in text
        for finding in row["findings"]:
            assert finding["check"] in text
            assert tolerance(finding["tolerance"]) in text
            for evidence in finding["evidence"]:
                assert evidence["says"] in text
                assert set(evidence["rows"]) <= set(text.replace(",", " ").split())


def test_numbers_name_their_interval_measure_and_place(audit: Audit) -> None:
    text = words_of(rows_of(shown(audit))["artefact-loss"])
    place = f"{STATS}: rules.final.cells.relu.metrics.loss"
    assert f"2.6269 [2.6100, 2.6400], n = 3, loss.all {place}" in text
    assert "0.0123 , n = 2, of cells that failed the gate causal, learned" in text
    assert f"{CONTROL}: numbers.loss.control" in text


def test_hostile_words_are_escaped(audit: Audit) -> None:
    text = shown(audit)
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; &#39;so&#39; on" in text
    assert 'data-scale="a&amp;b"' in text
    assert "report S0 &lt;1&gt;" in text


def test_tallies_count_rows(audit: Audit) -> None:
    made = {tally.name: tally for tally in parts.tallies(current(audit.json, audit.folder))}
    rows = audit.json["claims"]
    for kind, tally in made.items():
        found = Counter(row["verdict"] for row in rows if row["kind"] == kind)
        assert tally.verdicts == {verdict: found[verdict] for verdict in VERDICTS}
        assert sum(float(tally.share(n)[:-1]) for _, n in tally.found) == pytest.approx(
            100, abs=0.01
        )
    assert "statistic" not in made
    assert parts.claims_tally(audit.json).total == len(rows)
    assert made["comparison"].told == "comparison: 1 contradicted, 1 inconclusive"
    text = shown(audit)
    assert f"<strong>{len(rows)}</strong><span>claims</span>" in text
    assert f'aria-label="{made["comparison"].told}"' in text


def test_headlines_tell_what_decides_each_row_once(audit: Audit) -> None:
    [losses, sums] = parts.headlines(current(audit.json, audit.folder))
    assert losses.verdicts == [("artefact", 1), ("contradicted", 1), ("inconclusive", 1)]
    assert losses.first.says == "With the mistake the loss is 0.0123."
    assert losses.files == sorted({STATS, CONTROL})
    assert sums.files == []
    same = copy.deepcopy(audit.json)
    same["headlines"][0]["rows"] = ["contradicted-order", "artefact-loss", "contradicted-order"]
    [twice, _] = parts.headlines(same)
    assert [one.rows for one in twice.reasons] == [
        ["contradicted-order", "contradicted-order"],
        ["artefact-loss"],
    ]
    assert twice.first.rows == ["artefact-loss"]


def test_controls_stand_side_by_side(audit: Audit) -> None:
    [leak, unpaired] = current(audit.json, audit.folder)["controls"]
    [loss, accuracy, kappa, top] = parts.control_rows(leak, audit.json)
    link = '<a href="#claim-{}">{}</a>'
    earlier = [link.format("artefact-loss", text) for text in ("0.0154", "0.015, 0.0158")]
    assert loss.cells[:2] == ["test loss, nats", ", ".join(earlier)]
    assert [(one.text, one.below) for one in loss.cells[2:] if not isinstance(one, str)] == [
        ("0.0123", "[0.0100, 0.0200]"),
        ("1.9876", ""),
    ]
    assert accuracy.cells[:2] == ["accuracy", link.format("supported-loss", "99.52%")]
    assert [one.text for one in accuracy.cells[2:] if not isinstance(one, str)] == [
        "99.52%",
        "41.00%",
    ]
    assert kappa.cells == ["kappa", "—", Entry("undefined"), Entry("0.7300")]
    assert top.cells[2:] == [Entry("50.00%"), Entry("25.00%", "[12.50%, 37.50%]")]
    [missing] = parts.control_rows(unpaired, audit.json)
    assert [one.text for one in missing.cells[2:] if not isinstance(one, str)] == ["not run"] * 2
    text = words_of(shown(audit))
    assert f"It has not been run. To run it: snakemake {NOT_RUN_CONTROL}" in text
    assert "It sees what comes <next>." in text
    assert "steps 40; width 16" in text
    assert "c0ffee" not in text


def test_gates_say_whether_they_caught_the_mistake(audit: Audit) -> None:
    leak, unpaired = copy.deepcopy(audit.json["controls"])
    [row] = parts.gates_table(leak).rows
    assert [one if isinstance(one, str) else (one.text, one.kind) for one in row.cells] == [
        "causal",
        ("✓ caught", "passed"),
        ("✓ passed", "passed"),
    ]
    for side in ("control", "honest"):
        outcome = leak["gates"][0][side]
        outcome["passed"] = not outcome["passed"]
    [row] = parts.gates_table(leak).rows
    assert [one if isinstance(one, str) else (one.text, one.kind) for one in row.cells[1:]] == [
        ("✗ not caught", "failed"),
        ("✗ failed", "failed"),
    ]
    [row] = parts.gates_table(unpaired).rows
    assert [one if isinstance(one, str) else one.text for one in row.cells] == [
        "split",
        "not run",
        "not run",
    ]


def test_rows_can_be_chosen_by_what_they_have(audit: Audit) -> None:
    by_name = {one.name: [value for value, _ in one.choices] for one in filters(audit.json)}
    assert by_name["document"] == ["S0", "S3"]
    assert by_name["scale"] == ["full", "cpu", "a&b", "none or several"]
    assert by_name["model"] == ["convlm", "charlm", "none or several"]
    assert set(by_name["kind"]) == {row["kind"] for row in audit.json["claims"]}
    text = shown(audit)
    assert f">{'S3 ' + DOCUMENTS['S3'].name.replace('<', '&lt;').replace('>', '&gt;')}<" in text


def test_what_is_unchanged_is_current(audit: Audit) -> None:
    assert outdated(audit.json, audit.folder) == set()
    made = current(audit.json, audit.folder)
    assert made["counts"] == audit.json["counts"]
    assert [row["verdict"] for row in made["claims"]] == [
        row["verdict"] for row in audit.json["claims"]
    ]
    assert parts.outdated_note(made) == ""
    assert 'class="warning"' not in shown(audit)


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize(("file", "rows"), [(STATS, ON_STATS), (CONTROL, ON_CONTROL)])
def test_no_verdict_outlives_its_evidence(
    audit: Audit, file: str, rows: set[str], gone: bool
) -> None:
    path = audit.folder / file
    if gone:
        path.unlink()
    else:
        path.write_text("{}", encoding="utf-8")
    before = copy.deepcopy(audit.json)
    assert outdated(audit.json, audit.folder) == {file}
    made = current(audit.json, audit.folder)
    assert audit.json == before
    for row, old in zip(made["claims"], before["claims"], strict=True):
        assert row["outdated"] == (row["id"] in rows) == (file in files_of(old))
        if row["outdated"]:
            assert (row["verdict"], row["settles"]) == ("not run", "snakemake audit")
            assert {one["verdict"] for one in row["findings"]} == {"not run"}
            happened = "is gone" if gone else "has changed since"
            assert parts.deciding(row) == f"The verdict rested on {file}, which {happened}."
        else:
            assert {**row, "outdated": False} == {**old, "outdated": False}
    found = Counter((row["kind"], row["verdict"]) for row in made["claims"])
    assert {
        (kind, verdict): count
        for kind, by_verdict in made["counts"].items()
        for verdict, count in by_verdict.items()
        if count
    } == found
    assert current(made, audit.folder) == made


def test_the_page_shows_outdated_rows_as_not_run(audit: Audit) -> None:
    (audit.folder / STATS).unlink()
    text = shown(audit)
    for id_, row in rows_of(text).items():
        old = "not run" if id_ in ON_STATS else audit.row(id_)["verdict"]
        assert f'data-verdict="{old}"' in row
        if id_ in ON_STATS:
            assert set(re.findall(r'class="chip v-([a-z-]+)"', row)) == {"not-run"}
            assert "2.6269 [" not in words_of(row)
    assert "4 rows rest on evidence that has changed or gone" in words_of(text)
    assert "changed or gone" in words_of(text[text.index("Files and their hashes") :])
    [losses, _] = parts.headlines(current(audit.json, audit.folder))
    assert losses.verdicts == [("not run", 3)]


def test_an_outdated_control_shows_no_number(audit: Audit) -> None:
    (audit.folder / CONTROL).write_text("{}", encoding="utf-8")
    [leak, _] = current(audit.json, audit.folder)["controls"]
    assert not leak["run"]
    cells = [cell for row in parts.control_rows(leak, audit.json) for cell in row.cells[2:]]
    cells += parts.gates_table(leak).rows[0].cells[1:]
    assert {cell if isinstance(cell, str) else cell.text for cell in cells} == {"not run"}
    text = words_of(shown(audit))
    assert "Its file has changed or gone since." in text
    assert "1.9876" not in text
    assert "1 row rests on evidence" in text


def test_a_missing_file_of_claims_is_said(tmp_path: Path) -> None:
    with pytest.raises(ActreproError, match="no such file"):
        write_page(tmp_path / "claims.json", tmp_path / "audit.html", tmp_path / "section.json")


def test_the_table_has_a_row_per_claim(audit: Audit) -> None:
    rows = list(csv.DictReader(io.StringIO(claims_csv(audit.json))))
    assert [row["id"] for row in rows] == [row["id"] for row in audit.json["claims"]]
    assert tuple(rows[0]) == COLUMNS
    by_id = {row["id"]: row for row in rows}
    artefact = by_id["artefact-loss"]
    assert artefact["checks"] == "made_by;loss_is"
    assert artefact["files"] == f"{CONTROL};{STATS}"
    assert (artefact["n"], artefact["value"], artefact["low"]) == ("2", "0.0123", "")
    order = by_id["contradicted-order"]
    assert (order["n"], order["value"], order["low"], order["high"]) == (
        "3",
        "2.62691",
        "2.61",
        "2.64",
    )
    assert order["activations"] == "relu;gelu"
    assert order["measures"] == "loss.all"
    assert order["evidence"] == "The loss is 2.6269 [2.61, 2.64], n = 3. So does the other."
    assert by_id["hostile-words"]["says"] == HOSTILE
    total = by_id["impossible-total"]
    assert (total["value"], total["files"], total["scale"]) == ("", "", "")
    assert by_id["inconclusive-order"]["settles"] == "34 seeds"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, "—"),
        (2.62691, "2.6269"),
        (0, "0"),
        (0.0, "0.0000"),
        (3, "3"),
        (429824, "429,824"),
        (10795776.0, "10,795,776"),
        (-1234.56, "−1,234.6"),
        (0.000123, "1.2e−04"),
    ],
)
def test_measured_numbers(value: float | None, wanted: str) -> None:
    assert parts.measured(value) == wanted


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, ""),
        ({"within": 0.02, "of_rows": ["a", "b"]}, "within 0.02; of rows a, b"),
        ({"by": {"relu": -1, "gelu": 2}}, "by relu −1, gelu 2"),
        ({"strict": True}, "strict yes"),
    ],
)
def test_tolerances_stand_as_written(arguments: dict[str, object], wanted: str) -> None:
    assert tolerance(arguments) == wanted


@pytest.mark.skipif(CHROMIUM is None, reason="asks a browser")
@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("kind=reported+number&verdict=supported,impossible", {"supported"}),
        ("text=MISTAKE+0.0123&scale=full&model=nothing", {"artefact"}),
        ("claim-artefact-loss", None),
    ],
)
def test_the_address_chooses_rows(audit: Audit, choice: str, wanted: set[str] | None) -> None:
    shown(audit)
    address = (audit.folder / audit_paths.AUDIT_PAGE).as_uri() + f"#{choice}"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=1000"]
    command = [CHROMIUM or "", *options, "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [row.partition(">")[0] for row in rows_of(done.stdout).values()]
    visible = [row for row in rows if "hidden" not in row]
    found = {re.findall('data-verdict="([^"]*)"', row)[0] for row in visible}
    assert found == (wanted or set(VERDICTS))
    assert f"{len(visible)} of {len(rows)} shown" in done.stdout
    assert rows_of(done.stdout)["artefact-loss"].count("<details open") == (choice[:5] == "claim")


def test_verdicts_of_the_made_up_audit_are_all() -> None:
    assert {one.verdict for one in every_verdict()} == set(VERDICTS)


def test_page_as_text_is_what_is_written(audit: Audit) -> None:
    assert page(audit.json, audit.folder) == shown(audit)
