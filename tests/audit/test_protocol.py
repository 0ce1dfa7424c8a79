"""Checks of the protocol, both ways: what a check confirms, it can also refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from audit_fixture import CLAIMS

import actrepro.audit.verdicts  # noqa: F401  # registers every check
from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import FILES, Claim, Table, read_table, read_yaml
from actrepro.audit.findings import Finding, decisive
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.config.reading import default_study

STUDY = default_study()
CPU_FILE = "results/audit/cpu/charlm/stats.json"
FACTS: dict[str, Any] = {
    "parameters": {
        "cpu": {"charlm": 429_824, "tinylstm": 431_210},
        "cpu500": {"charlm": 429_824, "tinylstm": 431_210},
        "partial": {"charlm": 1_678_848},
        "full": {
            "charlm": 10_795_776,
            "convlm": 10_792_008,
            "hybridlm": 10_797_342,
            "minigpt": 10_795_776,
            "nanotransformer": 10_786_560,
        },
    },
    "sized_to_match": ["convlm", "hybridlm", "tinylstm"],
    "parts": {
        "charlm": {"attention": True, "recurrent": False, "positions": True},
        "convlm": {"attention": False, "convolution": True, "pooling": False},
    },
    "untrained": {"tinylstm": {"relu": 4.1, "gelu": 4.12}},
    "optimiser": {"weight_decay": 0.01},
    "corpus": {"characters": 1_115_394, "train": 1_003_854, "validation": 111_540, "symbols": 65},
}
Cells = Mapping[str, float]


def claim(id_: str = "a-claim", **changes: Any) -> Claim:
    given = {
        "origin": {"document": "S0", "lines": "1-2"},
        "says": "Something is printed.",
        "checks": [{"check": "parameters_are", "within": 0}],
        "kind": "reported number",
        **changes,
    }
    return Claim.model_validate({"id": id_, **given})


def printed(id_: str, value: Any = None, **more: Any) -> Claim:
    """A row that prints a value, and what else is named of `printed`."""
    own = {key: more.pop(key) for key in ("scale", "model", "activations", "unit") if key in more}
    return claim(id_, printed={**({} if value is None else {"value": value}), **more}, **own)


def stats(losses: Cells) -> dict[str, Any]:
    """What checks read of a model's statistics: each activation's test loss."""
    cells = {
        name: {
            "failed_gates": [],
            "metrics": {"loss.all": {"value": loss, "interval": None, "n": 3}},
        }
        for name, loss in losses.items()
    }
    return {"activations": list(losses), "rules": {"final": {"cells": cells}}}


def results(
    losses: Cells | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Results:
    models = {} if losses is None else {("cpu", "charlm"): ModelResults(CPU_FILE, stats(losses))}
    return Results(STUDY, models=models, facts=facts)


def check(
    name: str,
    one: Claim,
    *others: Claim,
    given: Results | None = None,
    **arguments: Any,
) -> Finding:
    """What a check finds of a claim in a table of it and others."""
    table = Table({row.id: row for row in (one, *others)}, {})
    there = given if given is not None else results(facts=FACTS)
    return put(one, {"check": name, **arguments}, Context(table, there))


def words(finding: Finding) -> str:
    return " ".join(one.says for one in finding.evidence)


def files(finding: Finding) -> set[str]:
    return {file for one in finding.evidence for file in one.all_files}


# --- parameters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "within", "verdict"),
    [
        (10_795_776, 0, "supported"),
        (10_795_777, 0, "contradicted"),
        (10_800_000, 0.005, "supported"),
        (10_800_000, 0.0001, "contradicted"),
    ],
)
def test_a_printed_count_is_compared(value: int, within: float, verdict: str) -> None:
    one = printed("count", value, scale="full", model="charlm")
    found = check("parameters_are", one, within=within)
    assert found.verdict == verdict
    assert "10,795,776" in words(found)
    assert f"{value:,}" in words(found)
    assert [number.key for number in found.evidence[0].numbers] == ["parameters.full.charlm"]
    assert files(found) == {audit_paths.FACTS}


def test_a_count_can_be_anothers_and_of_another_scale() -> None:
    one = printed("sizes", parameters=430_000, scale="lite")
    arguments = {"printed": "parameters", "scale": "cpu", "model": "charlm", "within": 0.002}
    assert check("parameters_are", one, **arguments).verdict == "supported"
    two = printed("layers", 6, scale="full")
    other = printed("count", 10_795_776)
    found = check("parameters_are", two, other, printed="count", model="charlm", within=0)
    assert (found.verdict, found.evidence[0].rows) == ("supported", ("count",))


def test_without_facts_counts_are_not_run() -> None:
    one = printed("count", 1, scale="full", model="charlm")
    found = check("parameters_are", one, given=results(), within=0)
    assert (found.verdict, found.settles) == ("not run", f"snakemake --cores 2 {audit_paths.FACTS}")


def test_a_count_at_another_setting_says_nothing() -> None:
    one = printed("layers", 7, scale="full", model="charlm")
    other = printed("count", 10_795_776)
    found = check("parameters_are", one, other, printed="count", within=0, setting="layers")
    assert found.verdict == "not run"
    assert "layers 6, the claim 7" in words(found)


def test_a_model_that_is_sized_to_match_tells_nothing() -> None:
    for value in (176_000, 431_210):
        one = printed("count", value, scale="cpu500", model="tinylstm")
        found = check("parameters_are", one, within=0.01)
        assert found.verdict == "not testable"
        assert "431,210" in words(found)
    assert check("parameters_are", one, given=results(), within=0.01).verdict == "not run"


ANCHOR = printed("anchor", 10_795_776, scale="full")


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ({"has": ["attention"], "lacks": ["recurrent"]}, "supported"),
        ({"has": ["recurrent"]}, "contradicted"),
        ({"lacks": ["attention"]}, "contradicted"),
    ],
)
def test_parts_of_a_model_that_its_count_ties_to_the_earlier_one(
    arguments: dict[str, Any], verdict: str
) -> None:
    one = claim(model="charlm")
    found = check("parts_are", one, ANCHOR, anchored_by="anchor", **arguments)
    assert (found.verdict, found.evidence[0].rows) == (verdict, ("anchor",))
    without = check("parts_are", one, ANCHOR, given=results(), anchored_by="anchor", **arguments)
    assert without.verdict == "not run"


def test_parts_of_a_model_with_another_count_show_nothing() -> None:
    one = claim(model="convlm")
    found = check("parts_are", one, ANCHOR, anchored_by="anchor", has=["pooling"])
    assert found.verdict == "not testable"
    assert "10,792,008" in words(found)


# --- settings ---------------------------------------------------------------------------

TWO = (
    printed("loss-relu", 2.6, scale="cpu", model="charlm", activations=["relu"]),
    printed("loss-gelu", 2.7, scale="cpu", model="charlm", activations=["gelu"]),
)
ROWS = ["loss-relu", "loss-gelu"]


def rerun(
    losses: Cells | None, value: float = 2, name: str = "rerun_agrees", **arguments: Any
) -> Finding:
    one = printed("layers", value, scale="cpu", model="charlm")
    given = results(losses, FACTS)
    return check(name, one, *TWO, given=given, within=0.03, rows=ROWS, **arguments)


def test_a_rerun_supports_a_protocol_that_its_losses_agree_with() -> None:
    found = rerun({"relu": 2.62, "gelu": 2.68}, setting="layers")
    assert found.verdict == "supported"
    assert "0.020 nats" in words(found)
    assert [number.value for number in found.evidence[0].numbers] == [2.62, 2.68]
    assert found.evidence[0].rows == tuple(ROWS)


def test_losses_that_agree_do_not_tell_every_setting() -> None:
    found = rerun({"relu": 2.62, "gelu": 2.68}, setting="layers", tells=False)
    assert found.verdict == "not testable"
    assert "(0.020 nats from 2 of them on average), but so might one with another" in words(found)
    assert [number.value for number in found.evidence[0].numbers] == [2.62, 2.68]
    assert rerun({"relu": 2.72, "gelu": 2.72}, tells=False).verdict == "contradicted"
    assert rerun(None, tells=False).verdict == "not run"


def test_a_rerun_that_ends_elsewhere_contradicts_it() -> None:
    found = rerun({"relu": 2.72, "gelu": 2.72})
    assert found.verdict == "contradicted"
    assert "not all of the printed settings" in words(found)


def test_a_rerun_of_another_setting_says_nothing() -> None:
    found = rerun({"relu": 2.6, "gelu": 2.7}, value=3, setting="layers")
    assert (found.verdict, found.settles) == ("not run", "protocols.cpu.layers: 3 in the config")


def test_without_the_rerun_it_is_named() -> None:
    found = rerun(None)
    assert (found.verdict, found.settles) == ("not run", f"snakemake --cores 2 {CPU_FILE}")


def test_activations_that_were_not_run_again_are_named() -> None:
    found = rerun({"relu": 2.6})
    assert (found.verdict, found.settles) == (
        "not run",
        f"snakemake --cores 2 {CPU_FILE} --config 'audit={{activations: [relu, gelu]}}'",
    )


def test_a_cell_without_a_usable_run_is_not_run() -> None:
    broken = stats({"relu": 2.6, "gelu": 2.7})
    broken["rules"]["final"]["cells"]["gelu"]["metrics"]["loss.all"] = None
    given = Results(STUDY, models={("cpu", "charlm"): ModelResults(CPU_FILE, broken)})
    one = printed("layers", 2, scale="cpu", model="charlm")
    found = check("rerun_agrees", one, *TWO, given=given, within=0.03, rows=ROWS)
    assert found.verdict == "not run"
    assert "no run with gelu can be compared" in words(found)


# --- the rows themselves ----------------------------------------------------------------


def own_rows() -> list[Claim]:
    return [
        Claim.model_validate({**row, "kind": kind})
        for kind in ("protocol", "definition")
        for row in read_yaml(CLAIMS / FILES[kind])
    ]


def test_every_row_stands_in_the_table_once() -> None:
    rows = own_rows()
    assert len({row.id for row in rows}) == len(rows) == 55 + 21
    assert len({row.says for row in rows}) == len(rows)


def test_no_line_of_the_tables_is_long() -> None:
    for kind in ("protocol", "definition"):
        lines = (CLAIMS / FILES[kind]).read_text(encoding="utf-8").splitlines()
        assert max(map(len, lines)) <= 110


VERDICTS_WITHOUT_RESULTS = {
    "partial-parameters": "impossible",
    "partial-layers": "not run",
    "partial-hidden": "not run",
    "size-ratio-14x": "impossible",
    "nano-start-end": "impossible",
    "partial-experiments": "supported",
    "full-experiments": "supported",
    "hybridlm-parts": "contradicted",
    "charlm-is-feedforward": "contradicted",
    "charlm-is-recurrent": "contradicted",
    "hardware-target": "contradicted",
    "training-budget-nano": "supported",
    "full-nano-parameters": "contradicted",
    "full-charlm-parameters": "not run",
    "charlm-is-transformer": "not run",
    "dataset-vocabulary": "not run",
}
VERDICTS_WITH_FACTS = {
    **VERDICTS_WITHOUT_RESULTS,
    "full-charlm-parameters": "supported",
    "full-minigpt-parameters-readme": "supported",
    "full-layers": "supported",
    "full-heads": "not run",
    "cpu-parameters": "supported",
    "lite-config": "supported",
    "size-range-25x": "supported",
    "charlm-is-transformer": "supported",
    "dataset-vocabulary": "supported",
}


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(CLAIMS)


@pytest.mark.parametrize(
    ("facts", "verdicts"),
    [(None, VERDICTS_WITHOUT_RESULTS), (FACTS, VERDICTS_WITH_FACTS)],
    ids=["nothing", "facts"],
)
def test_verdicts_on_rows(
    table: Table, facts: dict[str, Any] | None, verdicts: dict[str, str]
) -> None:
    found = verdicts_on(table, results(facts=facts), *verdicts)
    assert found == verdicts


CPU_LOSSES = {"relu": 2.646, "gelu": 2.643, "swish": 2.644, "smelu_05": 2.659, "smelu_1": 2.681}


def test_the_rerun_decides_on_the_settings_of_the_cpu_runs(table: Table) -> None:
    settings = [row.id for row in own_rows() if _reruns(row) and row.scale == "cpu"]
    near = verdicts_on(table, results(CPU_LOSSES, FACTS), *settings)
    assert near == {
        **dict.fromkeys(settings, "not testable"),
        "cpu-iterations": "supported",
        "def-val-loss": "contradicted",
    }
    far = verdicts_on(table, results({**CPU_LOSSES, "relu": 2.746}, FACTS), *settings)
    assert set(far.values()) == {"contradicted"}


def _reruns(row: Claim) -> bool:
    return any(call["check"] in ("rerun_agrees", "optimiser_agrees") for call in row.checks)


def test_a_loss_changes_only_verdicts_that_name_it(table: Table) -> None:
    rows = [row.id for row in own_rows()]
    before = Context(table, results(CPU_LOSSES, FACTS))
    after = Context(table, results({**CPU_LOSSES, "relu": 2.746}, FACTS))
    for name in rows:
        findings = [put(table.claim(name), call, before) for call in table.claim(name).checks]
        keys = {one.key for found in findings for part in found.evidence for one in part.numbers}
        if not any(".relu.metrics." in key for key in keys):
            calls = table.claim(name).checks
            assert findings == [put(table.claim(name), call, after) for call in calls]


def verdicts_on(table: Table, given: Results, *names: str) -> dict[str, str]:
    """The verdicts on rows of the table."""
    context = Context(table, given)
    return {
        name: decisive([put(table.claim(name), call, context) for call in row.checks]).verdict
        for name, row in ((name, table.claim(name)) for name in names)
    }


@pytest.mark.parametrize("losses", [None, CPU_LOSSES])
@pytest.mark.parametrize("facts", [None, FACTS])
def test_every_row_has_a_verdict_whatever_results_there_are(
    table: Table, losses: Cells | None, facts: dict[str, Any] | None
) -> None:
    names = [row.id for row in own_rows()]
    found = verdicts_on(table, results(losses, facts), *names)
    assert list(found) == names
    # What printed numbers alone decide is decided without any results too.
    assert sum(verdict == "impossible" for verdict in found.values()) == 3
