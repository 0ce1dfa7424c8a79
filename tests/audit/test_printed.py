"""Printed numbers, words and runs: how they are referred to, written, and checked."""

from __future__ import annotations

import pytest
from synthetic_claims import STUDY, TABLE, context_of, found_by, row, said

from actrepro.audit.claims import Table
from actrepro.audit.findings import VERDICTS
from actrepro.audit.printed import as_printed, half_unit, look_up, measured, shown
from actrepro.audit.registry import Context
from actrepro.audit.results import Results
from actrepro.audit.verdicts import judge
from actrepro.core.errors import ActreproError


def test_a_reference_is_a_key_a_row_a_rows_key_or_a_number() -> None:
    claim = row(total=3)
    others = (row("one", value=1.5), row("runs", runs=[1.25, 2]), row("x", a=7))
    context = context_of(rows=others)
    assert look_up(claim, context, "total").values == (3.0,)
    assert look_up(claim, context, "one").values == (1.5,)
    assert look_up(claim, context, "runs").values == (1.25, 2.0)
    assert look_up(claim, context, "runs").row == "runs"
    assert look_up(claim, context, "x.a").values == (7.0,)
    assert look_up(claim, context, 60).half == 0
    for wrong in ("nobody", "x", "x.b"):
        with pytest.raises(ActreproError, match=r"nobody|needs the (number|list)"):
            look_up(claim, context, wrong)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([231.1], 0.05),
        ([3], 0.5),
        ([1.5527, 1.554], 0.00005),
        ([0.00023], 0.000005),
        ([267.0], 0.05),
    ],
)
def test_numbers_that_stand_together_have_the_longest_ones_last_digit(
    values: list[float], expected: float
) -> None:
    assert half_unit(values) == pytest.approx(expected)


def test_digits_behind_the_point_can_be_told() -> None:
    claim = row(value=1.554)
    part = look_up(claim, context_of(), "value")
    assert part.half == pytest.approx(0.0005)
    assert part.to(4).half == pytest.approx(0.00005)
    assert look_up(claim, context_of(), "value", 4) == part.to(4)
    assert part.to(None) == part


def test_numbers_are_shown_without_idle_zeros() -> None:
    assert [as_printed(x) for x in (267.0, 11549.0, 0.00023)] == ["267", "11,549", "0.00023"]


def test_wins_are_those_alone_or_those_with_ties() -> None:
    models = [row(str(n), best_activation=best) for n, best in enumerate(("a", "a|b", "c|a"))]
    rows = [one.id for one in models]
    for wins, verdict in (
        ("0/3", "contradicted"),
        ("1/3", "supported"),
        ("2/3", "supported"),
        ("3/3", "supported"),
        ("4/3", "contradicted"),
    ):
        claim = row(wins=wins)
        assert (
            found_by("wins_are", claim, context_of(rows=models), rows=rows, activation="a").verdict
            == verdict
        )


def test_none_is_best_where_all_are_equal() -> None:
    equal = row("equal", value=0.9126).model_copy(update={"activations": ("relu", "gelu")})
    context = context_of(rows=[equal])
    for best, verdict in (
        ("gelu", "contradicted"),
        ("relu|gelu", "supported"),
        ("swiglu", "supported"),
    ):
        assert found_by("best_of_equals", row(best=best), context, equal="equal").verdict == verdict


def test_what_is_made_of_rows_has_the_gravest_of_their_verdicts() -> None:
    good = row("good", value=0.5).model_copy(update={"checks": ({"check": "at_most", "most": 1},)})
    bad = row("bad", value=1.5).model_copy(update={"checks": ({"check": "at_most", "most": 1},)})
    context = context_of(rows=[good, bad])
    both = found_by("made_of", row(), context, rows=["good", "bad"])
    assert (both.verdict, both.evidence[0].rows) == ("impossible", ("bad",))
    assert "(impossible): 1.5" in said(both)
    assert found_by("made_of", row(), context, rows=["good"]).verdict == "supported"
    with pytest.raises(ActreproError, match="cannot be made of itself"):
        found_by("made_of", row("good"), context, rows=["good"])


def test_names_of_printed_numbers() -> None:
    claim = row("own", value=1, low=2, high=3)
    table = Table({one.id: one for one in (claim, row("span", low=4, high=5, runs=[6, 7]))}, {})
    context = Context(table, Results(STUDY))
    assert look_up(claim, context, "value").values == (1,)
    own = look_up(claim, context, "range")
    assert (own.values, own.row, own.is_range) == ((2, 3), "", True)
    span = look_up(claim, context, "span.range")
    assert (span.values, span.row, span.is_range) == ((4, 5), "span", True)
    assert look_up(claim, context, "span.runs").values == (6, 7)
    # A row's id alone: its value, or else its runs, or else its range.
    assert look_up(claim, context, "span").values == (6, 7)
    with pytest.raises(ActreproError, match="'nothing', which are neither its own"):
        look_up(claim, context, "nothing")


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.51824, "0.5182"), (0.5, "0.5"), (0, "0"), (853.2667, "853.3"), (10795776, "10,795,776"),
     (0.00004, "4.0e-05"), (100, "100"), (1622.34, "1,622.3"), (-19.17, "−19.17")],
)  # fmt: skip
def test_numbers_as_sentences_tell_them(value: float, written: str) -> None:
    assert shown(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.51824, "0.518"), (0.7, "0.700"), (0, "0"), (853.2667, "853"), (99.96, "100"),
     (3.74708, "3.747"), (9.99996, "10.0"), (43.809, "43.8"), (-0.0022, "−0.00220")],
)  # fmt: skip
def test_measured_numbers_as_sentences_tell_them(value: float, written: str) -> None:
    assert measured(value) == written


def test_words_agree_or_do_not() -> None:
    claim = row(kind_of="transformer", parts=["a", "b"])
    others = [row("same", kind_of="transformer"), row("other", kind_of="recurrent", parts=["a"])]
    context = context_of(rows=others)
    for of, printed, expected in (
        (["same.kind_of"], "kind_of", "supported"),
        (["same.kind_of", "other.kind_of"], "kind_of", "contradicted"),
        (["parts"], "parts", "supported"),
        (["other.parts"], "parts", "contradicted"),
    ):
        finding = found_by("same_words", claim, context, of=of, printed=printed)
        assert finding.verdict == expected
        assert "(here)" in said(finding)
    with pytest.raises(ActreproError, match=r"same does not have printed\.parts"):
        found_by("same_words", claim, context, of=["same.parts"], printed="parts")


def test_a_mean_of_few_pairs_shows_no_order() -> None:
    finding = found_by("no_pairs_to_spread", row(), runs=2)
    assert (finding.verdict, "2 runs have 1 pair" in said(finding)) == ("inconclusive", True)
    assert finding.settles == "more than 2 seeds, with the difference of every pair"
    assert found_by("no_pairs_to_spread", row(), runs=2, claimed=True).verdict == "supported"


def test_what_nothing_measures_says_so() -> None:
    finding = found_by("not_testable", row(), why="It is not measured here.")
    assert (finding.verdict, said(finding)) == ("not testable", "It is not measured here.")


# What the documents' numbers were known to give before the checks were written.
KNOWN = {
    "impossible": (
        "cost-total-runtime cost-savings-800 cost-minigpt-1068 charlm-anova "
        "charlm-tukey-swish-relu charlm-tukey-relu-gelu charlm-between-variance "
        "charlm-within-variance convlm-200x-better-loss full-charlm-relu-val-loss "
        "full-charlm-relu-val-accuracy full-charlm-relu-rank full-charlm-swish-relative-pd "
        "full-convlm-val-loss partial-convlm-val-loss partial-average-accuracy-gelu "
        "readme-charlm-swish-pd readme-activation-row-swiglu partial-parameters size-ratio-14x "
        "nano-start-end"
    ),
    "contradicted": (
        "cost-experiment-counts cost-nano-per-activation cost-cpu-full-3020s "
        "cost-gpu-estimate-10min cost-scale-sweep-40h cost-dollar-per-model "
        "cost-readme-three-models-cpu cost-readme-charlm-cpu charlm-5-36-variance "
        "charlm-8-2-to-5-36 activation-accuracy-impact-below-0-4 "
        "cpu-smooth-more-reproducible-than-relu cpu-gelu-better-pd-than-relu "
        "full-charlm-swish-most-stable full-hybridlm-best-pd "
        "charlm-sensitivity-halves-with-scale readme-relu-worst gelu-fastest-partial "
        "architecture-100x-activation scale-14x-impact nano-time-near-linear nano-phases "
        "full-charlm-relu-time-sd full-charlm-gelu-rank full-nanotransformer-relative-pd-sd "
        "readme-model-row-minigpt hybridlm-parts charlm-is-feedforward hardware-target "
        "full-nano-parameters"
    ),
    "supported": (
        "cost-nano-saving charlm-tukey-swish-gelu charlm-f-test charlm-accuracy-not-significant "
        "partial-experiments"
    ),
    "inconclusive": ("partial-charlm-trials-time-gelu"),
    "not run": ("cost-quick-test readme-charlm-mean-pd full-charlm-swish-val-loss"),
}


def test_what_the_documents_own_numbers_tell() -> None:
    context = Context(TABLE, Results(STUDY))
    judged = {id_: judge(claim, context) for id_, claim in TABLE.claims.items()}
    known = {id_: verdict for verdict, ids in KNOWN.items() for id_ in ids.split()}
    assert {id_: judged[id_].verdict for id_ in known} == known
    for id_, one in judged.items():
        assert one.verdict in VERDICTS
        assert one.verdict != "artefact", id_
        for finding in one.findings:
            assert all(part.says.endswith(".") for part in finding.evidence), id_
