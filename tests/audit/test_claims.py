"""The audit's core: the table of claims, how verdicts weigh, what rests on what."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from audit_fixture import CLAIMS
from study_folder import REPOSITORY

from actrepro.audit import registry
from actrepro.audit.claims import (
    CITED,
    CLAIM_FILES,
    CONTROLS,
    FILES,
    HEADLINES,
    KINDS,
    Claim,
    Table,
    read_headlines,
    read_table,
)
from actrepro.audit.config import trained_control_names
from actrepro.audit.controls.side_by_side import read_tellings, side_by_side
from actrepro.audit.findings import VERDICTS, Evidence, Finding, Number, decisive, found
from actrepro.audit.registry import CHECKS, Context, check, put
from actrepro.audit.results import Results
from actrepro.audit.verdicts import MEANING, judge
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError

COUNTS = {
    "reported number": 188,
    "comparison": 66,
    "identity": 20,
    "statistic": 19,
    "cost": 25,
    "protocol": 55,
    "definition": 21,
}


def row(**changes: Any) -> dict[str, Any]:
    """A row as it stands in a file."""
    return {
        "id": "a-claim",
        "origin": {"document": "S0", "lines": "1-2"},
        "says": "Something is 2.5 nats.",
        "printed": {"value": 2.5},
        "checks": [{"check": "constant_verdict", "verdict": "supported"}],
        **changes,
    }


def claim(**changes: Any) -> Claim:
    return Claim.model_validate({**row(**changes), "kind": "reported number"})


def context(*claims: Claim) -> Context:
    return Context(Table({one.id: one for one in claims}, {}), Results(default_study()))


@pytest.fixture(autouse=True)
def _constant_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check whose verdict is its argument."""
    monkeypatch.setattr(registry, "CHECKS", dict(CHECKS))

    @check
    def constant_verdict(claim: Claim, context: Context, *, verdict: str) -> Finding:
        return found(verdict, f"{claim.id} is {verdict}.", settles="something")


def folder_with(tmp_path: Path, rows: list[Any], **files: str) -> Path:
    """A table whose reported numbers are `rows` and whose other kinds are empty."""
    for name in FILES.values():
        (tmp_path / name).write_text("[]\n", encoding="utf-8")
    (tmp_path / CITED).write_text("[]\n", encoding="utf-8")
    (tmp_path / FILES["reported number"]).write_text(yaml.safe_dump(rows), encoding="utf-8")
    documents = "S0: {name: a report, about: everything, date: '2025'}\n"
    (tmp_path / "documents.yaml").write_text(documents, encoding="utf-8")
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_table_has_every_claim_once() -> None:
    table = read_table(CLAIMS)
    assert len(table.claims) == 394
    assert Counter(one.kind for one in table.claims.values()) == COUNTS
    assert {one.origin.document for one in table.claims.values()} == set(table.documents)


def test_the_table_is_all_there_is_in_its_folder() -> None:
    assert {path.name for path in CLAIMS.iterdir()} == set(CLAIM_FILES)
    assert FILES.keys() == KINDS.keys() == COUNTS.keys()


def test_no_row_is_told_as_another_is() -> None:
    says = Counter(one.says for one in read_table(CLAIMS).claims.values())
    assert [text for text, count in says.items() if count > 1] == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"id": "no list"}, "expected a list of claims, found dict"),
        (["words"], "row 1: is no mapping"),
        ([row(says="short")], "a-claim: says: String should have at least 10 characters"),
        ([row(checks=[])], "a-claim: checks: "),
        ([row(extra=1)], "a-claim: extra: Extra inputs are not permitted"),
        ([row(), row()], "'a-claim' is in the table twice"),
        ([row(origin={"document": "S9", "lines": "1"})], "is from S9, which documents.yaml does"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: Any, message: str) -> None:
    with pytest.raises(ActreproError, match=r"reported_numbers\.yaml") as caught:
        read_table(folder_with(tmp_path, rows))
    assert message in str(caught.value)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [row()])
    (folder / "costs.yaml").unlink()
    with pytest.raises(ActreproError, match=r"costs\.yaml: there is no such file"):
        read_table(folder)
    with pytest.raises(ActreproError, match=r"identities\.yaml: not a readable table"):
        read_table(folder_with(tmp_path, [row()], identities="[unclosed"))


def test_printed_numbers_are_numbers() -> None:
    one = claim(printed={"value": 2.5, "runs": [1, 2.0], "word": "swish", "flag": True})
    assert one.number() == 2.5
    assert one.numbers("runs") == [1.0, 2.0]
    for name in ("word", "flag", "missing"):
        with pytest.raises(ActreproError, match=rf"the number printed\.{name}"):
            one.number(name)
    with pytest.raises(ActreproError, match=r"the list of numbers printed\.value"):
        one.numbers("value")


def test_verdicts_weigh_in_a_fixed_order() -> None:
    order = ["impossible", "artefact", "contradicted", "inconclusive", "not run"]
    assert list(VERDICTS) == [*order, "not testable", "supported"]
    for first in VERDICTS:
        for second in VERDICTS:
            calls = [{"check": "constant_verdict", "verdict": one} for one in (first, second)]
            one = claim(checks=calls)
            wanted = min(first, second, key=list(VERDICTS).index)
            judged = judge(one, context(one))
            assert judged.verdict == wanted
            assert sorted(f.verdict for f in judged.findings) == sorted((first, second))


def test_a_missing_control_weighs_as_the_artefact_it_might_show() -> None:
    results = Results(default_study())
    missing = results.without_control("unpaired")
    assert (missing.verdict, missing.instead_of) == ("not run", "artefact")
    assert decisive([found("contradicted", "a"), missing]) is missing
    impossible = found("impossible", "a")
    assert decisive([missing, impossible]) is impossible


def test_the_deciding_finding_stands_first_and_keeps_its_tolerance() -> None:
    calls = [{"check": "constant_verdict", "verdict": one} for one in ("supported", "impossible")]
    judged = judge(claim(checks=calls), context())
    assert [one.verdict for one in judged.findings] == ["impossible", "supported"]
    assert judged.findings[0].arguments == {"verdict": "impossible"}
    assert judged.findings[0].check == "constant_verdict"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"check": "constant_verdcit", "verdict": "supported"}, "did you mean 'constant_verdict'"),
        ({"verdict": "supported"}, "there is no check 'None'"),
        ({"check": "constant_verdict"}, "missing a required argument: 'verdict'"),
        ({"check": "constant_verdict", "verdict": "supported", "x": 1}, "unexpected keyword"),
    ],
)
def test_a_wrong_call_is_named(call: dict[str, Any], message: str) -> None:
    with pytest.raises(ActreproError, match="claim a-claim: ") as caught:
        put(claim(), call, context())
    assert message in str(caught.value)


def test_a_check_has_its_name_alone() -> None:
    with pytest.raises(ValueError, match="two checks named 'constant_verdict'"):

        @check
        def constant_verdict(claim: Claim, context: Context) -> Finding:
            return found("supported", "It is.")


def test_a_finding_must_say_why_and_what_would_settle_it() -> None:
    with pytest.raises(ValueError, match="without any evidence"):
        Finding("supported", ())
    with pytest.raises(ValueError, match="'perhaps' is no verdict"):
        found("perhaps", "Who knows.")
    for verdict in ("not run", "inconclusive"):
        with pytest.raises(ValueError, match="must say what would settle it"):
            found(verdict, "It was not.")
    assert decisive([found("supported", "a"), found("contradicted", "b")]).verdict == "contradicted"


def test_evidence_names_each_file_once() -> None:
    number = Number(1.0, "results/a.json", "x")
    evidence = Evidence("says", (number, number), files=("results/b.json", "results/a.json"))
    assert evidence.all_files == ("results/a.json", "results/b.json")


def test_every_column_verdict_and_control_is_documented() -> None:
    page = (REPOSITORY / "docs/audit.md").read_text(encoding="utf-8")
    for column, meaning in MEANING.items():
        assert f"| `{column}` | {meaning} |" in page
    for verdict in VERDICTS:
        assert f"| `{verdict}` |" in page
    for control, telling in read_tellings(CLAIMS / CONTROLS).items():
        gates = ", ".join(f"`{gate}`" for gate in telling.gates)
        assert re.search(rf"^\| `{control}` \| .* \| {gates} \|$", page, re.MULTILINE)
    assert read_tellings(CLAIMS / CONTROLS).keys() == {*trained_control_names(), "unpaired"}


def test_headlines_name_rows_of_the_table() -> None:
    headlines = read_headlines(CLAIMS / HEADLINES, read_table(CLAIMS))
    assert len(headlines) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{title: x, claimed: y, rows: []}]", "0.rows: Tuple should have at least 1 item"),
        ("[{title: x, rows: [a-claim]}]", "0.claimed: Field required"),
        ("[{title: x, claimed: y, rows: [no-such]}]", "has no row 'no-such'"),
    ],
)
def test_a_wrong_headline_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / HEADLINES
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ActreproError) as caught:
        read_headlines(path, Table({"a-claim": claim()}, {}))
    assert message in str(caught.value)


def test_a_control_is_told_beside_the_earlier_number(tmp_path: Path) -> None:
    path = tmp_path / CONTROLS
    path.write_text(
        "mistaken: {title: t, mistake: m, shows: s, gates: [wired], lines: ["
        "{quantity: loss, label: Loss, earlier: [{row: a-claim}]}]}",
        encoding="utf-8",
    )
    table = Table({"a-claim": claim()}, {})
    (told,) = side_by_side(path, table, Results(default_study()))
    assert not told["run"]
    line = told["lines"][0]
    assert (line["earlier"], line["control"]) == ([{"row": "a-claim", "value": 2.5}], None)
    measured = {
        "about": {},
        "numbers": {"loss": {"control": 0.1, "honest": 2.0, "control_interval": [0.0, 0.2]}},
        "gates": {"wired": {"control": {"passed": False}, "honest": {"passed": True}}},
    }
    results = Results(default_study(), controls={"mistaken": measured})
    (told,) = side_by_side(path, table, results)
    assert told["gates"] == [{"gate": "wired", **measured["gates"]["wired"]}]
    line = told["lines"][0]
    assert [line[key] for key in ("control", "honest", "control_interval", "honest_interval")] == [
        0.1,
        2.0,
        [0.0, 0.2],
        None,
    ]
    with pytest.raises(ActreproError, match=r"asks for printed\.value; printed has: nothing"):
        side_by_side(path, Table({"a-claim": claim(printed={})}, {}), results)
