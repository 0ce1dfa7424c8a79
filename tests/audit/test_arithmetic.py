"""Checks of printed numbers by arithmetic and bounds, against numpy and brute force."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from audit_fixture import CLAIMS
from hypothesis import given
from hypothesis import strategies as st
from synthetic_claims import STUDY, says, synthetic_claim

import actrepro.audit.verdicts  # noqa: F401  # registers every check
from actrepro.audit.claims import Claim, Table, read_table
from actrepro.audit.findings import VERDICTS, Finding, decisive
from actrepro.audit.printed import look_up, measured, shown
from actrepro.audit.registry import Context, put
from actrepro.audit.results import Results
from actrepro.core.errors import ActreproError

TABLE = read_table(CLAIMS)
WITHOUT_RESULTS = Context(TABLE, Results(STUDY))

RELU = [1.5527, 1.5651, 1.5601]
RUNS = st.lists(st.integers(1, 30_000).map(lambda n: n / 10_000), min_size=2, max_size=5)


def found_by(check: str, claim: Claim, *others: Claim, **arguments: Any) -> Finding:
    """What a check finds of a row beside others, without any results."""
    table = Table({one.id: one for one in (claim, *others)}, {})
    return put(claim, {"check": check, **arguments}, Context(table, Results(STUDY)))


def by_arithmetic(id_: str) -> Finding:
    """What decides a row of the real table when nothing was run."""
    claim = TABLE.claim(id_)
    return decisive([put(claim, call, WITHOUT_RESULTS) for call in claim.checks])


@given(RUNS)
def test_a_rounded_mean_is_the_mean_and_one_two_units_off_is_not(runs: list[float]) -> None:
    mean = round(float(np.mean(runs)), 4)
    good = found_by("mean_of", synthetic_claim(value=mean, runs=runs), digits=4)
    wrong = found_by("mean_of", synthetic_claim(value=mean + 0.0002, runs=runs), digits=4)
    assert (good.verdict, wrong.verdict) == ("supported", "impossible")


@given(RUNS, st.sampled_from([0, 1]), st.integers(0, 1000))
def test_a_spread_may_have_either_divisor_and_rounded_runs(
    runs: list[float], less: int, seed: int
) -> None:
    # The runs as printed are off by up to half a unit of their last digit.
    true = np.array(runs) + np.random.default_rng(seed).uniform(-0.00005, 0.00005, len(runs))
    spread = round(float(np.std(true, ddof=less)), 4)
    good = found_by("spread_of", synthetic_claim(spread=spread, runs=runs), digits=4)
    far = max(float(np.std(runs, ddof=1)), float(np.std(runs))) + 0.001
    wrong = found_by("spread_of", synthetic_claim(spread=far, runs=runs), digits=4)
    assert (good.verdict, wrong.verdict) == ("supported", "impossible")


def test_a_mean_that_is_not_of_its_runs_is_told_with_both() -> None:
    finding = found_by("mean_of", synthetic_claim(value=1.5555, runs=RELU), digits=4)
    assert (
        says(finding) == "The mean of the printed 1.5527, 1.5651 and 1.5601 is 1.5593, not 1.5555."
    )
    assert "as printed" in says(
        found_by("mean_of", synthetic_claim(value=1.5, runs=[1, 2]), digits=1)
    )
    rounded = found_by(
        "mean_of", synthetic_claim(value=3.707, runs=[3.7071, 3.707, 3.7071]), digits=4
    )
    assert (rounded.verdict, says(rounded)) == (
        "supported",
        "The mean of the printed 3.7071, 3.707 and 3.7071 is 3.7071; 3.7070 is printed, within the "
        "rounding of the runs.",
    )
    restored = found_by(
        "mean_of", synthetic_claim(value=1.5555, runs=[1.5527, 1.5537, 1.5601]), digits=4
    )
    assert restored.verdict == "supported"


@given(
    st.integers(0, 10_000),
    st.integers(2, 4),
    st.lists(st.floats(0.05, 0.95), min_size=4, max_size=4),
)
def test_no_runs_differ_more_than_the_churn_bound(seed: int, models: int, p: list[float]) -> None:
    """Runs that are right where chance has it, and all wrong differently elsewhere."""
    drawn, examples = np.random.default_rng(seed), 200
    top = np.stack(
        [
            np.where(drawn.random(examples) < p[m], 0, 1 + m)  # 0 is right
            for m in range(models)
        ]
    )
    percents = [float(100 * np.mean(row == 0)) for row in top]
    churn = float(np.mean([np.mean(a != b) for a, b in itertools.combinations(top, 2)]))
    for together in (False, True):
        finding = found_by(
            "churn_bound",
            synthetic_claim(value=churn, right=percents),
            accuracies="right",
            together=together,
        )
        assert finding.verdict == "supported", says(finding)


@pytest.mark.parametrize(
    ("percents", "in_pairs", "together"),
    # In pairs as the notes computed it; together, the bound of three runs.
    [([58.2, 58.6, 59.5], 0.8247, 0.7458), ([61.1, 59.1, 59.4], 0.8027, 0.7360),
     ([57.9, 59.4, 57.7], 0.8333, 0.7500), ([56.97] * 3, 0.8606, 0.7636),
     ([56.0] * 3, 0.8800, 0.7733), ([50.3, 49.1, 51.5], 0.9920, 0.8303), ([41.97] * 3, 1, 0.9136)],
)  # fmt: skip
def test_the_churn_bound_is_as_computed_elsewhere(
    percents: list[float], in_pairs: float, together: float
) -> None:
    for bound, how in ((in_pairs, False), (together, True)):
        for value, verdict in ((bound - 0.001, "supported"), (bound + 0.004, "impossible")):
            # A share above 1 is impossible by itself; the rounding of accuracies is allowed for.
            claim = synthetic_claim(value=value, right=percents)
            finding = found_by("churn_bound", claim, accuracies="right", together=how)
            assert finding.verdict == (verdict if value <= 1 else "impossible")


def test_together_is_what_is_least_when_only_two_are_right_on_an_example() -> None:
    """Three runs right on disjoint thirds of what they can: nothing is lower than the bound."""
    # 3 examples, each right by two of three runs: S = 2, every pair agrees on one of three.
    top = np.array([[0, 0, 1], [0, 2, 0], [3, 0, 0]])
    churn = float(np.mean([np.mean(a != b) for a, b in itertools.combinations(top, 2)]))
    claim = synthetic_claim(value=churn, right=[200 / 3] * 3)
    assert churn == pytest.approx(2 / 3)
    assert found_by("churn_bound", claim, accuracies="right", together=True).verdict == "supported"
    more = synthetic_claim(value=churn + 0.01, right=[200 / 3] * 3)
    assert found_by("churn_bound", more, accuracies="right", together=True).verdict == "impossible"


def test_a_loss_forbids_an_accuracy() -> None:
    claim = synthetic_claim(loss=0.0077, right=41.97)
    finding = found_by("certificate_holds", claim, loss="loss", accuracy="right")
    assert finding.verdict == "impossible"
    for number in ("98.9%", "0.402", "1.97 nats"):
        assert number in says(finding)
    small = synthetic_claim(loss=0.2, right=75.0)
    finding = found_by("certificate_holds", small, loss="loss", accuracy="right")
    assert (finding.verdict, "71.1% or more" in says(finding)) == ("supported", True)
    # 1 − 0.3466 / ln 2 = 0.5: the bound itself is allowed.
    edge = synthetic_claim(loss=float(np.log(2)) / 2, right=50.0)
    assert found_by("certificate_holds", edge, loss="loss", accuracy="right").verdict == "supported"


@pytest.mark.parametrize(
    ("check", "printed", "arguments"),
    [
        ("certificate_holds", {"loss": 1.5, "right": 59}, {"loss": "loss", "accuracy": "right"}),
        ("is_share", {"value": 0.9}, {}),
        ("churn_bound", {"value": 0.9, "right": [30.0, 40.0]}, {"accuracies": "right"}),
    ],
)  # fmt: skip
def test_a_bound_that_excludes_nothing_supports_nothing_alone(
    check: str, printed: dict[str, Any], arguments: dict[str, Any]
) -> None:
    claim = synthetic_claim(**printed)
    assert found_by(check, claim, **arguments).verdict == "supported"
    alone = claim.model_copy(update={"checks": ({"check": check, **arguments},)})
    assert found_by(check, alone, **arguments).verdict == "not testable"


def test_the_bound_of_differences_tells_its_premise() -> None:
    runs = synthetic_claim(value=0.9363, right=[50.3, 49.1, 51.5])
    assert says(found_by("churn_bound", runs, accuracies="right", together=True)) == (
        "Of three runs with 50.3, 49.1 and 51.5% right, two differ on at most 83.1% of the same "
        "examples, on average over pairs; read as the share of predictions that differ "
        "(S0, lines 875-879), 93.6% is printed."
    )
    mean = synthetic_claim(value=0.8809, right=56.97)
    finding = found_by("churn_bound", mean, accuracies="right", together=True, digits=2)
    assert says(finding).startswith("Of three runs with 56.97% right each, two differ on at most")


@pytest.mark.parametrize(
    ("check", "printed", "arguments", "verdict"),
    [
        (
            "sum_of",
            {"a": 67.7, "b": 58.8, "value": 8.9},
            {"of": ["a"], "less": ["b"], "digits": 1},
            "supported",
        ),
        (
            "sum_of",
            {"a": 67.7, "b": 58.8, "value": 9.2},
            {"of": ["a"], "less": ["b"], "digits": 1},
            "impossible",
        ),
        (
            "ratio_of",
            {"a": 1409, "b": 159, "value": 17},
            {"of": "a", "to": "b", "within": 0.5},
            "impossible",
        ),
        (
            "ratio_of",
            {"a": 1409, "b": 159, "value": 17},
            {"of": "a", "to": "b", "within": 0.5, "elsewhere": True},
            "contradicted",
        ),
        (
            "ratio_of",
            {"a": 1622, "b": 45, "value": 36},
            {"of": "a", "to": "b", "within": 0.5},
            "supported",
        ),
        (
            "change_of",
            {"a": 2.638, "b": 2.6588, "value": 0.79},
            {"before": "a", "after": "b", "within": 0.01, "printed": "value"},
            "supported",
        ),
        (
            "change_of",
            {"a": 100, "b": 80, "value": 25},
            {"before": "a", "after": "b", "within": 0.5, "printed": "value"},
            "impossible",
        ),
        (
            "change_of",
            {"a": 100, "b": 80, "value": 25},
            {"before": "b", "after": "a", "within": 0.5, "printed": "value"},
            "supported",
        ),
        ("sum_of", {"value": 7.5}, {"of": ["one", "two"], "digits": 1}, "supported"),
        ("sum_of", {"value": 8.0}, {"of": ["one", "two"], "digits": 1}, "impossible"),
        ("mean_of", {"value": 3.75}, {"of": ["one", "two"], "digits": 2}, "supported"),
        ("mean_of", {"value": 3.8}, {"of": ["one", "two"], "digits": 2}, "impossible"),
        (
            "range_of",
            {"low": 2.5, "high": 5},
            {"of": ["one", "two"], "within": 0.05},
            "supported",
        ),
        (
            "range_of",
            {"low": 2.5, "high": 5.2},
            {"of": ["one", "two"], "within": 0.05},
            "impossible",
        ),
        ("lies_within", {"low": 2, "high": 6}, {"of": ["one", "two"]}, "supported"),
        ("lies_within", {"low": 3, "high": 6}, {"of": ["one", "two"]}, "contradicted"),
        ("lies_within", {"low": 3, "high": 6}, {"of": ["one", "two"], "within": 0.5}, "supported"),
        ("lies_within", {"low": 0, "high": 9}, {"of": ["two", "count"]}, "contradicted"),
        ("lies_within", {"low": 0, "high": 9}, {"of": ["two"], "whole": True}, "supported"),
        ("lies_within", {"low": 0, "high": 9}, {"of": ["one"], "whole": True}, "contradicted"),
        ("average_between", {"value": 3.4}, {"of": ["one", "span"], "within": 0}, "supported"),
        ("average_between", {"value": 4.3}, {"of": ["one", "span"], "within": 0}, "impossible"),
        (
            "average_between",
            {"value": 4.3},
            {"of": ["one", "span"], "within": 0, "elsewhere": True},
            "contradicted",
        ),
        ("is_share", {"value": 0.9}, {}, "supported"),
        ("is_share", {"value": 1.0739}, {}, "impossible"),
        ("is_share", {"value": 0.95}, {"of": ["one"]}, "impossible"),
        ("rank_of", {"value": 1}, {"among": ["one", "two"], "own": "one"}, "supported"),
        ("rank_of", {"value": 2}, {"among": ["one", "two"], "own": "one"}, "contradicted"),
        ("rank_of", {"value": 3}, {"among": ["one", "two"], "own": "two"}, "impossible"),
        ("printed_alike", {"value": 2.5}, {"of": ["one"]}, "supported"),
        ("printed_alike", {"value": 2.6}, {"of": ["one"], "within": 0.05}, "contradicted"),
        ("copied_from", {"value": 2.51}, {"other": "one", "digits": 1}, "not testable"),
        ("copied_from", {"value": 2.51}, {"other": "one", "digits": 2}, "supported"),
        ("distinct_runs", {"runs": [0.8769, 0.8769, 0.8744]}, {"digits": 4}, "not testable"),
        ("distinct_runs", {"runs": [0.8769, 0.8768]}, {"digits": 4}, "supported"),
        (
            "printed_alike",
            {"runs": [1.0, 2.0], "detailed": [2.0, 1.0]},
            {"printed": "runs", "of": ["detailed"]},
            "contradicted",
        ),
        (
            "printed_alike",
            {"runs": [1.0, 2.0], "detailed": [1.0, 2.0]},
            {"printed": "runs", "of": ["detailed"]},
            "supported",
        ),
        (
            "mean_of",
            {"value": 1.1, "runs": [1.0987, 0.9865, 0.9966]},
            {"elsewhere": True, "digits": 2},
            "contradicted",
        ),
        (
            "mean_of",
            {"value": 1.03, "runs": [1.0987, 0.9865, 0.9966]},
            {"elsewhere": True, "digits": 2},
            "supported",
        ),
        (
            "share_of_counts",
            {"value": 0.5151},
            {"counts": ["count"], "of": 1000, "within": 0.001},
            "contradicted",
        ),
        (
            "share_of_counts",
            {"value": 0.831},
            {"counts": ["count"], "of": 1000, "within": 0.001},
            "supported",
        ),
        # Five numbers of mean 0.9: four must average (5 · 0.9 − 0.4) / 4 = 1.025, or 1.0 of six.
        ("average_of_shares", {"value": 0.9}, {"known": "low", "models": [5]}, "impossible"),
        ("average_of_shares", {"value": 0.9}, {"known": "low", "models": [5, 6]}, "supported"),
        ("average_of_shares", {"value": 1.2}, {"known": "low", "models": [5]}, "impossible"),
        ("average_of_shares", {"value": 0.9}, {"known": "two", "models": [5]}, "impossible"),
        (
            "change_of_range",
            {"change_percent": -52},
            {"before": ["one", "two"], "after": ["one", "three"], "within": 1},
            "contradicted",
        ),
        (
            "change_of_range",
            {"change_percent": -80},
            {"before": ["one", "two"], "after": ["one", "three"], "within": 1},
            "supported",
        ),
    ],
)
def test_what_is_printed_is_computed_again(
    check: str, printed: dict[str, Any], arguments: dict[str, Any], verdict: str
) -> None:
    others = (
        synthetic_claim("one", value=2.5),
        synthetic_claim("two", value=5),
        synthetic_claim("three", value=3),
        synthetic_claim("span", low=4, high=5),
        synthetic_claim("count", value=831),
        synthetic_claim("low", value=0.4),
    )
    assert found_by(check, synthetic_claim(**printed), *others, **arguments).verdict == verdict


def test_a_coefficient_of_variation_is_told_without_the_farthest_number() -> None:
    values = [0.9051, 1.0739, 1.0938, 0.5935, 1.0952]
    others = [synthetic_claim(f"row{place}", value=value) for place, value in enumerate(values)]
    names = [one.id for one in others]
    how: dict[str, Any] = {"kind": "CV", "of": names, "printed": "value"}
    finding = found_by("spread_of", synthetic_claim(value=20.26), *others, **how)
    assert finding.verdict == "supported"
    assert "20.26 with divisor n and 22.66 with divisor n − 1" in says(finding)
    assert "Without 0.5935 it is 7.63%" in says(finding)
    assert (
        found_by("spread_of", synthetic_claim(value=21.0), *others, **how).verdict == "impossible"
    )
    # Where a divisor is claimed, the other one will not do.
    for value, verdict in ((20.26, "supported"), (22.66, "contradicted"), (20.29, "contradicted")):
        claimed = {**how, "divisor": "n", "elsewhere": True}
        assert (
            found_by("spread_of", synthetic_claim(value=value), *others, **claimed).verdict
            == verdict
        )
    with pytest.raises(ActreproError, match="no spread 'IQR'; valid: SD, variance, CV"):
        found_by(
            "spread_of", synthetic_claim(value=1), *others, kind="IQR", of=names, printed="value"
        )


def test_wins_are_those_alone_or_those_with_ties() -> None:
    models = [
        synthetic_claim(str(n), best_activation=best) for n, best in enumerate(("a", "a|b", "c|a"))
    ]
    rows = [one.id for one in models]
    for wins, verdict in (
        ("0/3", "contradicted"),
        ("1/3", "supported"),
        ("2/3", "supported"),
        ("3/3", "supported"),
        ("4/3", "contradicted"),
    ):
        claim = synthetic_claim(wins=wins)
        assert found_by("wins_are", claim, *models, rows=rows, activation="a").verdict == verdict


def test_none_is_best_where_all_are_equal() -> None:
    equal = synthetic_claim("equal", value=0.9126).model_copy(
        update={"activations": ("relu", "gelu")}
    )
    for best, verdict in (
        ("gelu", "contradicted"),
        ("relu|gelu", "supported"),
        ("swiglu", "supported"),
    ):
        assert (
            found_by("best_of_equals", synthetic_claim(best=best), equal, equal="equal").verdict
            == verdict
        )


def test_what_is_made_of_rows_has_the_gravest_of_their_verdicts() -> None:
    good = synthetic_claim("good", value=0.5).model_copy(
        update={"checks": ({"check": "is_share"},)}
    )
    bad = synthetic_claim("bad", value=1.5).model_copy(update={"checks": ({"check": "is_share"},)})
    both = found_by("made_of", synthetic_claim(), good, bad, rows=["good", "bad"])
    assert (both.verdict, both.evidence[0].rows) == ("impossible", ("bad",))
    assert "(impossible): S0" in says(both)
    assert found_by("made_of", synthetic_claim(), good, rows=["good"]).verdict == "not testable"
    with pytest.raises(ActreproError, match="cannot be made of itself"):
        found_by("made_of", synthetic_claim("good"), rows=["good"])


def test_names_of_printed_numbers() -> None:
    claim = synthetic_claim("own", value=1, low=2, high=3)
    table = Table(
        {one.id: one for one in (claim, synthetic_claim("span", low=4, high=5, runs=[6, 7]))}, {}
    )
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
    with pytest.raises(ActreproError, match="needs a single number"):
        found_by("mean_of", synthetic_claim(value=[1, 2], runs=[1, 2]), digits=1)


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


# --- the table ----------------------------------------------------------------------------


def rows_of_reported_numbers() -> list[Claim]:
    return [one for one in TABLE.claims.values() if one.kind == "reported number"]


def test_every_printed_number_has_a_verdict_without_any_results() -> None:
    rows = rows_of_reported_numbers()
    assert len(rows) == 225
    allowed = {"impossible", "contradicted", "inconclusive", "not run", "not testable"}
    assert {by_arithmetic(one.id).verdict for one in rows} == allowed < set(VERDICTS)


@pytest.mark.parametrize(
    ("id_", "verdict", "number"),
    [
        ("full-charlm-relu-val-loss", "impossible", "1.5593"),
        ("full-charlm-relu-val-accuracy", "impossible", "58.33"),
        ("full-charlm-relu-time-sd", "contradicted", "79.5"),
        ("full-charlm-relu-rank", "impossible", "Only 3"),
        ("full-charlm-gelu-rank", "contradicted", "number 2"),
        ("full-charlm-swish-relative-pd", "impossible", "74.6%"),
        ("full-hybridlm-pd", "impossible", "76.4%"),
        ("full-minigpt-pd", "impossible", "77.3%"),
        ("full-nanotransformer-relative-pd", "impossible", "83.1%"),
        ("full-nanotransformer-relative-pd-sd", "contradicted", "0.0032"),
        ("full-convlm-val-loss", "impossible", "98.9%"),
        ("partial-convlm-val-loss", "impossible", "98.6%"),
        ("partial-average-accuracy-gelu", "impossible", "31.45"),
        ("partial-training-speed-gelu", "contradicted", "61.00"),
        ("partial-others-pd-range", "not run", "results/partial/minigpt/stats.json"),
        ("readme-charlm-mean-pd", "not run", "results/cpu500/charlm/stats.json"),
        ("readme-tinylstm-invariant", "not run", "results/cpu500/tinylstm/stats.json"),
        ("readme-charlm-swish-pd", "impossible", "1.0952"),
        ("readme-charlm-gelu-pd", "not run", "0.9051"),
        ("readme-activation-row-swiglu", "impossible", "1.046"),
        ("readme-model-row-minigpt", "contradicted", "0.9126"),
        ("cpu-charlm-relu-relative-pd", "not run", "controls/unpaired.json"),
        ("charlm-partial-vs-full-activation-variance", "contradicted", "by −1%"),
        ("charlm-partial-vs-full-train-time", "contradicted", "8.862"),
        ("full-charlm-relu-train-gap", "contradicted", "58.3"),
        ("partial-charlm-trials-time-gelu", "inconclusive", "0.32"),
        ("full-nanotransformer-train-time", "contradicted", "1,318.6"),
        ("full-charlm-swish-val-loss", "not run", "results/full/charlm/stats.json"),
        ("cpu-total-time", "not testable", "Seconds"),
    ],
)
def test_what_the_documents_own_numbers_tell(id_: str, verdict: str, number: str) -> None:
    finding = by_arithmetic(id_)
    assert (finding.verdict, number in says(finding)) == (verdict, True), says(finding)


@pytest.mark.parametrize(
    "id_",
    [f"cpu-charlm-{name}-{what}" for name in ("relu", "gelu", "swish", "smelu-05", "smelu-1")
     for what in ("val-loss", "val-accuracy", "train-loss", "train-accuracy")]
    + ["full-charlm-swish-val-loss", "full-charlm-gelu-val-loss", "full-charlm-gelu-val-accuracy",
       "full-nanotransformer-val-loss", "full-nanotransformer-train-accuracy"],
)  # fmt: skip
def test_means_that_did_check_out(id_: str) -> None:
    claim = TABLE.claim(id_)
    calls = [call for call in claim.checks if call["check"] in ("mean_of", "spread_of")]
    assert calls
    assert {put(claim, call, WITHOUT_RESULTS).verdict for call in calls} == {"supported"}
