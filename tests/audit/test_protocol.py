"""Checks of the protocol, both ways: what a check confirms, it can also refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from audit_fixture import CLAIMS
from protocol_checks import (
    CPU_FILE,
    FACTS,
    STUDY,
    Cells,
    check,
    claim,
    files,
    printed,
    results,
    stats,
    verdicts_on,
    words,
)

from actrepro.audit.checks.measured import activations, definitions, parameters, protocol
from actrepro.audit.checks.printed import counts
from actrepro.audit.claims import FILES, Claim, Table, read_table, read_yaml
from actrepro.audit.findings import Finding
from actrepro.audit.registry import CHECKS, Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.core import paths

OWN = (activations, counts, definitions, parameters, protocol)


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
    assert files(found) == {paths.FACTS}


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
    assert (found.verdict, found.settles) == ("not run", f"snakemake --cores 2 {paths.FACTS}")


def test_a_count_at_another_setting_says_nothing() -> None:
    one = printed("layers", 7, scale="full", model="charlm")
    other = printed("count", 10_795_776)
    found = check("parameters_are", one, other, printed="count", within=0, setting="layers")
    assert found.verdict == "not run"
    assert "layers 6, the claim 7" in words(found)


SIZES = {"layers": "depth", "width": "width", "parameters": "count"}


@pytest.mark.parametrize(
    ("count", "of_count", "of_width"),
    [
        (765_000, "impossible", "contradicted"),
        (1_572_863, "impossible", "contradicted"),
        (1_572_864, "supported", "supported"),
    ],
)
def test_two_blocks_of_256_cannot_be_that_small(count: int, of_count: str, of_width: str) -> None:
    rows = {"depth": printed("depth", 2), "width": printed("width", 256)}
    rows["count"] = printed("count", count)
    found = check("parameters_at_least", *_first("count", rows), given=results(), **SIZES)
    assert found.verdict == of_count
    assert "1,572,864" in words(found)
    assert set(found.evidence[0].rows) == {"depth", "width"}
    other = check("parameters_at_least", *_first("width", rows), given=results(), **SIZES)
    assert other.verdict == of_width


def _first(name: str, rows: Mapping[str, Claim]) -> list[Claim]:
    return [rows[name], *(row for id_, row in rows.items() if id_ != name)]


@pytest.mark.parametrize(
    ("count", "verdict"),
    [
        (10_784_128, "contradicted"),
        (10_795_776, "supported"),
        (10_795_776 + 65, "supported"),
    ],
)
def test_layers_of_one_width_leave_no_remainder(count: int, verdict: str) -> None:
    rows = (printed("count", count), printed("width", 384), printed("symbols", 65))
    found = check("parameters_divide", *rows, given=results(), width="width", symbols="symbols")
    assert found.verdict == verdict
    assert f"leaves {count % 384} " in words(found)


def test_a_model_that_is_sized_to_match_tells_nothing() -> None:
    for value in (176_000, 431_210):
        one = printed("count", value, scale="cpu500", model="tinylstm")
        found = check("parameters_are", one, within=0.01)
        assert found.verdict == "not testable"
        assert "431,210" in words(found)
    assert check("parameters_are", one, given=results(), within=0.01).verdict == "not run"


@pytest.mark.parametrize(
    ("value", "under", "verdict"),
    [(25, "cpu", "supported"), (14, "partial", "contradicted"), (6.4, "partial", "supported")],
)
def test_ratios_of_counts(value: float, under: str, verdict: str) -> None:
    one = printed("ratio", value)
    arguments = {"over": ["full", "charlm"], "under": [under, "charlm"]}
    found = check("ratio_of_parameters", one, **arguments)
    assert found.verdict == verdict
    assert len(found.evidence[0].numbers) == 2
    assert check("ratio_of_parameters", one, given=results(), **arguments).verdict == "not run"


@pytest.mark.parametrize(("value", "verdict"), [(14, "impossible"), (6.9, "supported")])
def test_a_ratio_is_bounded_by_the_smaller_models_matrices(value: float, verdict: str) -> None:
    rows = [printed("over", 10_795_776), printed("depth", 2), printed("width", 256)]
    arguments = {"over": "over", "layers": "depth", "width": "width"}
    found = check("ratio_at_most", printed("r", value), *rows, given=results(), **arguments)
    assert found.verdict == verdict
    assert "at most 6.86 times" in words(found)


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
    assert "none of its runs is usable" in words(found)


def test_the_optimiser_is_told_with_the_rerun() -> None:
    found = rerun({"relu": 2.6, "gelu": 2.7}, name="optimiser_agrees")
    assert found.verdict == "not testable"
    assert "AdamW, whose decay shrinks a weight by 0.03% in 100 steps" in words(found)
    assert files(found) == {CPU_FILE, paths.FACTS}
    assert rerun({"relu": 2.8, "gelu": 2.9}, name="optimiser_agrees").verdict == "contradicted"
    assert rerun(None, name="optimiser_agrees").verdict == "not run"
    given = results({"relu": 2.6, "gelu": 2.7})
    one = printed("adam", "Adam", scale="cpu")
    found = check("optimiser_agrees", one, *TWO, given=given, within=0.03, rows=ROWS)
    assert (found.verdict, found.settles) == ("not run", f"snakemake --cores 2 {paths.FACTS}")


POINTS = ((0, 4.2), (500, 1.6), (1000, 3.7))
CURVE = tuple(printed(f"curve-{step:04}", runs=[loss, loss]) for step, loss in POINTS)


@pytest.mark.parametrize(
    ("training", "dropout", "verdict"),
    [
        (0.19, 0, "supported"),
        (0.19, 0.2, "contradicted"),
        (0.85, 0, "contradicted"),
        (0.85, 0.2, "supported"),
    ],
)
def test_losses_tell_whether_there_was_dropout(
    training: float, dropout: float, verdict: str
) -> None:
    low = printed("low", runs=[training, training])
    usual = printed("usual", runs=[0.9, 1.0])
    arguments = {"training": "low", "beside": ["usual"], "curve": "curve"}
    found = check("dropout_fits", printed("d", dropout), low, usual, *CURVE, **arguments)
    assert found.verdict == verdict
    assert "from 1.60 at step 500 to 3.70" in words(found)
    assert {"low", "usual", "curve-0500", "curve-1000"} == set(found.evidence[0].rows)


def test_a_printed_curve_tells_how_often_it_was_evaluated() -> None:
    assert check("curve_every", printed("e", 500), *CURVE, curve="curve").verdict == "supported"
    assert check("curve_every", printed("e", 100), *CURVE, curve="curve").verdict == "contradicted"
    uneven = (*CURVE, printed("curve-1200", runs=[3.9]))
    assert check("curve_every", printed("e", 500), *uneven, curve="curve").verdict == "contradicted"
    assert check("curve_every", printed("e", 100)).verdict == "not testable"


def test_runs_of_which_no_loss_is_printed_cannot_be_compared() -> None:
    arguments: dict[str, Any] = {"scale": "cpu500", "within": 0.03}
    one = printed("iterations", 500, scale="cpu500")
    difference = printed("pd", 1.07, scale="cpu500", unit="relative units")
    assert check("prints_no_losses", one, difference, **arguments).verdict == "not testable"
    loss = printed("loss", 2.1, scale="cpu500", model="charlm", unit="nats")
    found = check("prints_no_losses", one, difference, loss, **arguments)
    assert (found.verdict, found.settles) == (
        "not run",
        "snakemake --cores 2 results/cpu500/charlm/stats.json",
    )


# --- counts of runs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "verdict"), [(2, "contradicted"), (3, "supported"), (6, "contradicted")]
)
def test_runs_are_counted(told: int, verdict: str) -> None:
    rows = (printed("runs", runs=[1.0, 2.0, 3.0]), printed("told", seconds=45.9, trials=told))
    found = check("runs_are", printed("t", 3), *rows, rows=["runs", "told"])
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("runs", "verdict"), [([27.5, 26.3], "supported"), ([27.5, 26.35], "contradicted")]
)
def test_accuracies_are_counts_of_a_sample(runs: list[float], verdict: str) -> None:
    found = check("thousandths", claim(), printed("acc", runs=runs), rows=["acc"], of=1000)
    assert found.verdict == verdict


@pytest.mark.parametrize(("said", "verdict"), [(21, "supported"), (20, "impossible")])
def test_trainings_add_up(said: int, verdict: str) -> None:
    one = printed("each", charlm=3, minigpt=4)
    rows = (printed("trials", 3), printed("experiments", said))
    found = check("trainings_add_up", one, *rows, runs="trials", experiments="experiments")
    assert found.verdict == verdict
    assert "7 activations in all" in words(found)


@pytest.mark.parametrize(("said", "verdict"), [(15_000, "supported"), (14_000, "impossible")])
def test_products(said: int, verdict: str) -> None:
    rows = (printed("iterations", 5000), printed("trials", 3))
    found = check("product_of", printed("p", said), *rows, of=["iterations", "trials"], within=0)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("of", "names", "verdict"),
    [
        ("model", ["charlm", "convlm"], "supported"),
        ("model", ["charlm", "tinylstm"], "contradicted"),
        ("activation", ["relu", "gelu"], "supported"),
        ("activation", ["relu", "swish"], "contradicted"),
    ],
)
def test_what_is_listed_has_printed_results(of: str, names: list[str], verdict: str) -> None:
    one = claim(scale="full", printed={"names": names}, kind="protocol", model="tinylstm")
    rows = (
        printed("a", 1, scale="full", model="charlm", activations=["relu", "gelu"]),
        printed("b", 1, scale="full", model="convlm"),
        printed("c", 1, scale="partial", model="tinylstm", activations=["swish"]),
    )
    assert check("results_are_printed", one, *rows, of=of).verdict == verdict


# --- documents, data, dates, machines ---------------------------------------------------


def test_documents_agree_or_do_not() -> None:
    one, same, other = printed("a", 0.2), printed("b", 0.2), printed("c", 0)
    assert check("printed_alike", one, same, of=["b"]).verdict == "supported"
    found = check("printed_alike", one, same, other, of=["b", "c"])
    assert (found.verdict, found.evidence[0].rows) == ("contradicted", ("b", "c"))
    assert "S0, lines 1-2" in words(found)


def test_two_descriptions_in_one_row() -> None:
    parts = {"master": ["a", "b"], "readme": ["a"]}
    names: dict[str, Any] = {"printed": "master", "of": ["readme"]}
    assert check("printed_alike", claim(printed=parts), **names).verdict == "contradicted"
    parts["readme"] = ["a", "b"]
    assert check("printed_alike", claim(printed=parts), **names).verdict == "supported"


@pytest.mark.parametrize(("value", "verdict"), [(12, "supported"), (9, "contradicted")])
def test_a_number_beside_its_range(value: float, verdict: str) -> None:
    assert check("lies_within", printed("n", value, low=10, high=15), of=["value"]).verdict == (
        verdict
    )


@pytest.mark.parametrize(
    ("what", "value", "verdict"),
    [
        ("characters", 1_115_394, "supported"),
        ("validation", 111_540, "supported"),
        ("symbols", 64, "contradicted"),
    ],
)
def test_sizes_of_the_corpus(what: str, value: int, verdict: str) -> None:
    one = printed("size", value)
    found = check("corpus_has", one, what=what)
    assert found.verdict == verdict
    assert found.evidence[0].numbers[0].key == f"corpus.{what}"
    assert check("corpus_has", one, given=results(), what=what).verdict == "not run"


def test_machines_cannot_be_seen() -> None:
    one, other = printed("a", cuda="13.0"), printed("b", cuda="12.6")
    assert check("machine_unseen", one).verdict == "not testable"
    found = check("machine_unseen", one, other, compare="cuda", rows=["b"])
    assert found.verdict == "not testable"
    assert "the documents differ in cuda" in words(found).lower()
    same = check("machine_unseen", one, printed("b", cuda="13.0"), compare="cuda", rows=["b"])
    assert "agree on cuda" in words(same)


@pytest.mark.parametrize(("minutes", "verdict"), [(192.5, "impossible"), (127, "supported")])
def test_an_end_less_its_start(minutes: float, verdict: str) -> None:
    times = {"start": "2025-12-08 04:47", "end": "2025-12-08 06:54", "minutes": minutes}
    found = check("end_less_start", claim(printed=times), within=1)
    assert found.verdict == verdict
    assert "are 127 minutes" in words(found)


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [([1200.0] * 3, "supported"), ([1000.0] * 3, "contradicted"), ([1400.0] * 3, "contradicted")],
)
def test_files_are_written_as_far_apart_as_training_took(
    seconds: list[float], verdict: str
) -> None:
    one = claim(printed={"relu": "2025-12-08 04:00:00", "gelu": "2025-12-08 05:02:00"})
    row = printed("gelu-times", train_time_s=seconds)
    found = check("stamps_fit", one, row, times={"gelu": "gelu-times.train_time_s"}, within=0.1)
    assert found.verdict == verdict
    assert "3,720 s later" in words(found)


# --- the rows themselves ----------------------------------------------------------------


def own_rows() -> list[Claim]:
    return [
        Claim.model_validate({**row, "kind": kind})
        for kind in ("protocol", "definition")
        for row in read_yaml(CLAIMS / FILES[kind])
    ]


def test_every_row_stands_in_the_table_once() -> None:
    rows = own_rows()
    assert len({row.id for row in rows}) == len(rows) == 74 + 23
    assert len({row.says for row in rows}) == len(rows)


def test_every_check_here_is_used() -> None:
    used = {call["check"] for row in own_rows() for call in row.checks}
    used |= {"counted_in_one_unit"}  # by rows on costs
    here = {
        name
        for name, function in CHECKS.items()
        if function.__module__ in {one.__name__ for one in OWN}
    }
    assert here <= used


def test_no_line_of_the_tables_is_long() -> None:
    for kind in ("protocol", "definition"):
        lines = (CLAIMS / FILES[kind]).read_text(encoding="utf-8").splitlines()
        assert max(map(len, lines)) <= 110


VERDICTS_WITHOUT_RESULTS = {
    "partial-parameters": "impossible",
    "partial-layers": "not run",
    "partial-hidden": "not run",
    "full-seeds": "not testable",
    "size-ratio-14x": "impossible",
    "nano-start-end": "impossible",
    "partial-experiments": "supported",
    "full-experiments": "supported",
    "hybridlm-parts": "contradicted",
    "charlm-is-feedforward": "contradicted",
    "charlm-is-recurrent": "contradicted",
    "hardware-target": "contradicted",
    "hardware-gpu": "not testable",
    "training-budget-nano": "supported",
    "full-nano-parameters": "contradicted",
    "full-charlm-parameters": "not run",
    "charlm-is-transformer": "not run",
    "dataset-vocabulary": "not run",
}
VERDICTS_WITH_FACTS = {
    **VERDICTS_WITHOUT_RESULTS,
    "full-charlm-parameters": "supported",
    "full-hybridlm-parameters": "not testable",
    "full-convlm-parameters": "not testable",
    "full-minigpt-parameters-readme": "supported",
    "full-layers": "supported",
    "full-heads": "not run",
    "cpu-parameters": "supported",
    "lite-config": "supported",
    "size-range-25x": "supported",
    "charlm-is-transformer": "supported",
    "convlm-parts": "not testable",
    "dataset-vocabulary": "supported",
    "readme-parameters-430k": "not testable",
    "readme-parameters-tinylstm": "not testable",
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
