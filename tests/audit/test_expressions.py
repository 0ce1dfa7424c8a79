"""Expressions over printed numbers: the language, its checks, and every claim that uses them."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multicomp import pairwise_tukeyhsd
from statsmodels.stats.power import TTestIndPower
from synthetic_claims import (
    APART,
    STUDY,
    TABLE,
    TV,
    context_of,
    control_of,
    found_by,
    of_cpu,
    results_of,
    row,
    said,
    sides,
)

from actrepro.audit.checks.printed.expression import named
from actrepro.audit.claims import Claim, Table
from actrepro.audit.expressions import Expression, exact_interval
from actrepro.audit.findings import decisive
from actrepro.audit.references import Numbers
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.core.errors import ActreproError

RELU, GELU, SWISH = [1.5527, 1.5651, 1.5601], [1.5585, 1.5268, 1.5767], [1.4738, 1.5198, 1.4985]
RUNS = st.lists(st.integers(1, 30_000).map(lambda n: n / 10_000), min_size=2, max_size=5)


def value(text: str, **values: Any) -> Any:
    return Expression(text, "claim").value(values)


# --- the language -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3 * 4 - 10 / 4", 11.5),
        ("-2 ** 2 + 7 % 4", -1.0),
        ("2 * (a - b)", 3.0),
        ("x", (1.0, 2.0, 4.0)),
        ("10 * x - a", (7.5, 17.5, 37.5)),
        ("x + x", (2.0, 4.0, 8.0)),
        ("-x", (-1.0, -2.0, -4.0)),
        ("(a, b)", (2.5, 1.0)),
        ("sum(x, a)", 9.5),
        ("mean(x) - mean(1, 2)", 7 / 3 - 1.5),
        ("max(x) / min(x)", 4.0),
        ("range(x)", 3.0),
        ("relative_range(x)", 300.0),
        ("change(a, b)", -60.0),
        ("gaps(x)", (1.0, 2.0)),
        ("rank(2, x)", 2.0),
        ("count(x, a)", 4),
        ("distinct(x, 2)", 3),
        ("counts(both)", (3.0, 2.0)),
        ("lows(both)", (1.0, 5.0)),
        ("highs(both)", (4.0, 6.0)),
        ("abs(-x)", (1.0, 2.0, 4.0)),
        ("round(a)", 2.0),
        ("sqrt(4) + exp(0) + erf(0)", 3.0),
        ("x - 3 if a >= b else x", (-2.0, -1.0, 1.0)),
        ("b < a <= 2.5 == a", True),
        ("b > a", False),
        ("sd(x) / sd1(x)", math.sqrt(2 / 3)),
        ("var(x) / var1(x)", 2 / 3),
        ("cv(x) / cv1(x)", math.sqrt(2 / 3)),
    ],
)
def test_arithmetic(text: str, expected: Any) -> None:
    x = (1.0, 2.0, 4.0)
    assert value(text, a=2.5, b=1.0, x=x, both=(x, (5.0, 6.0))) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "a.real", "a[0]", "lambda: 1", "open('x')", "sum(a, start=1)", "'a'",
        "[1, 2]", "a and b", "not a", "a @ b", "a != b", "{a}", "unknown", "mean", "f'{a}'",
        "exec(a)", "(a := 1)", "print(b) if a else 1", "1 if a > b else print(b)",
    ],
)  # fmt: skip
def test_nothing_but_arithmetic_is_evaluated(text: str) -> None:
    with pytest.raises(ActreproError, match="claim claim: the expression"):
        value(text, a=1.0, b=2.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 +", "invalid syntax"),
        ("a / 0", "division by zero"),
        ("x + y", "lists of 2 and 3 numbers do not match"),
        ("meen(x)", r"'meen\(x\)' is not valid here; names: a, x, y; functions: abs, "),
        ("rank(x)", "missing 1 required positional argument"),
    ],
)
def test_what_cannot_be_computed_is_named(text: str, why: str) -> None:
    with pytest.raises(ActreproError, match=why):
        value(text, a=1.0, x=(1.0, 2.0), y=(1.0, 2.0, 3.0))


def test_an_expression_is_written_with_its_numbers() -> None:
    expression = Expression("100 * (after - before) / 2 ** before", "claim")
    assert set(expression.names) == {"after", "before"}
    written = expression.written({"after": "0.4958", "before": "2"})
    assert written == "100 × (0.4958 − 2) / 2^2"


@given(RUNS)
def test_spreads_are_numpys(runs: list[float]) -> None:
    x = tuple(runs)
    for name, expected in (
        ("sd", np.std(x)), ("sd1", np.std(x, ddof=1)), ("var", np.var(x)),
        ("var1", np.var(x, ddof=1)), ("cv", 100 * np.std(x) / np.mean(x)),
    ):  # fmt: skip
        assert value(f"{name}(x)", x=x) == pytest.approx(expected, abs=1e-12)


def test_tests_of_runs_are_scipys_and_statsmodels() -> None:
    runs = {"relu": tuple(RELU), "gelu": tuple(GELU), "swish": tuple(SWISH)}
    known = scipy.stats.f_oneway(RELU, GELU, SWISH)
    assert value("anova_f(relu, gelu, swish)", **runs) == pytest.approx(known.statistic)
    assert value("anova_p(relu, gelu, swish)", **runs) == pytest.approx(known.pvalue)
    assert value("p_of_f(8.32, (2, 6))") == pytest.approx(scipy.stats.f.sf(8.32, 2, 6))
    table = pairwise_tukeyhsd(np.concatenate([RELU, GELU, SWISH]), np.repeat(list(runs), 3))
    pairs = [set(one) for one in itertools.combinations(table.groupsunique, 2)]
    for a, b, c in itertools.permutations(runs):
        expected = table.pvalues[pairs.index({a, b})]
        assert value(f"tukey_p({a}, {b}, {c})", **runs) == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ActreproError, match="the runs do not vary"):
        value("anova_p(x, x)", x=(1.0, 1.0))


@given(st.integers(0, 30), st.integers(1, 30))
def test_the_exact_interval_is_the_beta_quantiles(successes: int, more: int) -> None:
    of = successes + more
    low, high = exact_interval(successes, of)
    assert high == pytest.approx(100 * scipy.stats.beta.ppf(0.975, successes + 1, more))
    if successes:
        assert low == pytest.approx(100 * scipy.stats.beta.ppf(0.025, successes, more + 1))


def test_few_seeds_show_nothing_and_ten_show_one_standard_deviation() -> None:
    # science.md 3.3: ten pairs for one standard deviation at 0.05 and power 0.8.
    assert value("detectable(3)") == math.inf
    assert value("detectable(9)") > 1 >= value("detectable(10)")


@given(
    st.integers(0, 10_000),
    st.integers(2, 4),
    st.lists(st.floats(0.05, 0.95), min_size=4, max_size=4),
)
def test_no_runs_differ_more_than_their_accuracies_allow(
    seed: int, models: int, p: list[float]
) -> None:
    """Runs that are right where chance has it, and all wrong differently elsewhere."""
    drawn = np.random.default_rng(seed)
    top = np.stack([np.where(drawn.random(200) < p[m], 0, 1 + m) for m in range(models)])
    right = tuple(float(100 * np.mean(one == 0)) for one in top)
    churn = float(np.mean([np.mean(a != b) for a, b in itertools.combinations(top, 2)]))
    together, in_pairs = (
        value(f"{name}(right)", right=right) for name in ("most_apart", "most_apart_in_pairs")
    )
    assert churn - 1e-9 <= together <= in_pairs + 1e-9


@pytest.mark.parametrize(
    ("percents", "in_pairs", "together"),
    # In pairs as the notes computed it; together, the bound of three runs.
    [([58.2, 58.6, 59.5], 0.8247, 0.7458), ([61.1, 59.1, 59.4], 0.8027, 0.7360),
     ([57.9, 59.4, 57.7], 0.8333, 0.7500), ([56.97] * 3, 0.8606, 0.7636),
     ([56.0] * 3, 0.8800, 0.7733), ([50.3, 49.1, 51.5], 0.9920, 0.8303),
     ([200 / 3] * 3, 2 / 3, 2 / 3)],
)  # fmt: skip
def test_bounds_on_differences_are_as_computed_elsewhere(
    percents: list[float], in_pairs: float, together: float
) -> None:
    right = tuple(percents)
    assert value("most_apart_in_pairs(right)", right=right) == pytest.approx(in_pairs, abs=2e-3)
    assert value("most_apart(right)", right=right) == pytest.approx(together, abs=2e-3)


def test_a_loss_needs_right_answers() -> None:
    assert value("fewest_right(loss)", loss=0.0077) == pytest.approx(98.9, abs=0.05)
    assert value("fewest_right(loss)", loss=math.log(2) / 2) == pytest.approx(50)


# --- the checks -------------------------------------------------------------------------

ONE, TWO = row("one", value=2.5), row("two", value=5, runs=[4, 6])


def verdict(check: str, numbers: Mapping[str, Any], /, **arguments: Any) -> str:
    context = context_of(rows=[ONE, TWO])
    return found_by(check, row(**numbers), context, **arguments).verdict


@given(RUNS)
def test_a_rounded_mean_is_the_mean_and_one_two_units_off_is_not(runs: list[float]) -> None:
    mean = round(float(np.mean(runs)), 4)
    how = {"is": "mean(runs)", "digits": 4}
    assert verdict("equals", {"value": mean, "runs": runs}, **how) == "supported"
    assert verdict("equals", {"value": mean + 0.0002, "runs": runs}, **how) == "impossible"


@given(RUNS, st.sampled_from([0, 1]), st.integers(0, 1000))
def test_a_spread_may_have_either_divisor_and_rounded_runs(
    runs: list[float], less: int, seed: int
) -> None:
    # The runs as printed are off by up to half a unit of their last digit, and so is the spread.
    true = np.array(runs) + np.random.default_rng(seed).uniform(-0.00004, 0.00004, len(runs))
    how: dict[str, Any] = {"is": ["sd(runs)", "sd1(runs)"], "printed": "spread", "digits": 4}
    far = max(float(np.std(runs, ddof=1)), float(np.std(runs))) + 0.001
    assert verdict("equals", {"spread": far, "runs": runs}, **how) == "impossible"
    if np.ptp(runs) > 0.01:
        spread = round(float(np.std(true, ddof=less)), 4)
        assert verdict("equals", {"spread": spread, "runs": runs}, **how) == "supported"


@pytest.mark.parametrize(
    ("printed", "arguments", "expected"),
    [
        ({"gap": 8.9}, {"printed": "gap", "is": "67.7 - 58.8"}, "supported"),
        ({"gap": 9.2}, {"printed": "gap", "is": "67.7 - 58.8"}, "impossible"),
        ({"value": 17}, {"is": "1409 / 159", "within": 0.5}, "impossible"),
        ({"value": 17}, {"is": "1 / 2", "otherwise": "contradicted"}, "contradicted"),
        ({"value": 7.5}, {"is": "a + b", "of": {"a": "one", "b": "two"}}, "supported"),
        ({"value": 8.4}, {"is": "a + b", "of": {"a": "one", "b": "two"}}, "impossible"),
        ({"value": 5.0}, {"is": "mean(x)", "of": {"x": "two.runs"}}, "supported"),
        ({"value": 3.75}, {"is": "mean(x)", "of": {"x": ["one", "two"]}}, "supported"),
        ({"low": 2, "high": 6}, {"printed": "x", "of": {"x": "range"}, "is": "(2, 6)"},
         "supported"),
        ({"value": 99}, {"is": [33, 99], "within": 0}, "supported"),
        ({"value": 98}, {"is": [33, 99], "within": 0}, "impossible"),
        ({"value": 2}, {"is": 2.4, "factor": 1.25}, "supported"),
        ({"value": 2}, {"is": 2.6, "factor": 1.25}, "impossible"),
        ({"value": 2}, {"is": 1.5, "factor": 1.25}, "impossible"),
        ({"value": 3.0}, {"is": 3.2, "within": "0.1 * value"}, "supported"),
        ({"value": 3.0}, {"is": 3.4, "within": "0.1 * value"}, "impossible"),
        ({"x": [27.5, 26.3]}, {"printed": "10 * x", "is": "round(10 * x)", "within": 0},
         "supported"),
        ({"x": [27.5, 26.35]}, {"printed": "10 * x", "is": "round(10 * x)", "within": 0},
         "impossible"),
        ({"start": "2025-12-08 04:47", "end": "2025-12-08 06:54", "minutes": 127},
         {"printed": "minutes", "is": "(end - start) / 60", "within": 0}, "supported"),
        ({"start": "2025-12-08 04:47", "end": "2025-12-08 06:54", "minutes": 192},
         {"printed": "minutes", "is": "(end - start) / 60", "within": 0}, "impossible"),
    ],
)  # fmt: skip
def test_equal_or_not(printed: dict[str, Any], arguments: dict[str, Any], expected: str) -> None:
    assert verdict("equals", printed, **arguments) == expected


@pytest.mark.parametrize(
    ("printed", "arguments", "expected"),
    [
        ({"value": 0.9}, {"most": 1}, "supported"),
        ({"value": 1.0739}, {"most": 1}, "impossible"),
        ({"value": 1.04}, {"most": 1}, "impossible"),
        ({"value": 1.0}, {"most": "1.02"}, "supported"),  # half a unit of 1.0 is 0.05
        ({"value": 4}, {"most": "max(x)", "least": "min(x)", "of": {"x": "two.runs"}}, "supported"),
        ({"value": 2}, {"most": "max(x)", "least": "min(x)", "of": {"x": "two.runs"}},
         "impossible"),
        ({"value": 8}, {"most": "max(x)", "least": "min(x)", "of": {"x": "two.runs"}},
         "impossible"),
        ({"x": [2, 3]}, {"printed": "x", "most": 3, "within": 0}, "supported"),
        ({"x": [2, 4]}, {"printed": "x", "most": 3, "within": 0}, "impossible"),
        ({"x": [2, 4], "y": [3, 5]}, {"printed": "x", "most": "y", "within": 0}, "supported"),
        ({"value": 2}, {"least": 3, "otherwise": "inconclusive", "settles": "more"},
         "inconclusive"),
    ],
)  # fmt: skip
def test_at_most_or_more(printed: dict[str, Any], arguments: dict[str, Any], expected: str) -> None:
    assert verdict("at_most", printed, **arguments) == expected


def test_the_evidence_has_the_numbers_and_their_rows() -> None:
    context = context_of(rows=[ONE, TWO])
    of = {"a": "one", "b": "two"}
    finding = found_by("equals", row(value=7), context, **{"is": "a + b"}, of=of, note="So it is.")
    assert said(finding) == "2.5 + 5 = 7.5; 7 is printed. So it is."
    assert finding.evidence[0].rows == ("one", "two")
    bound = found_by("at_most", row(value=9), context, most="2 * a", of={"a": "one"})
    assert said(bound) == "9, where it may be at most 2 × 2.5 = 5."
    both = found_by("equals", row(runs=[1, 2]), context, **{"is": 1}, printed="runs")
    assert said(both).endswith("1 and 2 are printed.")


def test_numbers_of_results_are_named_or_asked_for() -> None:
    facts = {"corpus": {"symbols": 65}}
    how: dict[str, Any] = {"is": "own", "of": {"own": "facts.corpus.symbols"}, "within": 0}
    finding = found_by("equals", row(value=65), context_of(facts=facts), **how)
    (number,) = finding.evidence[0].numbers
    assert (finding.verdict, number.key, number.value) == ("supported", "corpus.symbols", 65)
    assert found_by("equals", row(value=64), context_of(facts=facts), **how).verdict == "impossible"
    assert found_by("equals", row(value=65), **how).settles.endswith("audit/facts.json")


PAIRS = {"relu": [0.07, 0.08, 0.09], "gelu": [0.11, 0.12, 0.13]}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (f"cells.{TV}", [0.08, 0.12]),
        (f"cells.cpu/charlm.{TV}", [0.08, 0.12]),
        (f"cells.cpu/charlm/gelu.{TV}", [0.12]),
    ],
)
def test_numbers_of_own_cells_are_the_claims_or_those_named(
    reference: str, expected: list[float]
) -> None:
    losses = {"relu": [2.6] * 3, "gelu": [2.6] * 3}
    context = context_of(results_of(losses, variations=PAIRS))
    how: dict[str, Any] = {"printed": "mean(own)", "is": "value", "of": {"own": reference}}
    claim = of_cpu("relu", "gelu", value=float(np.mean(expected)))
    finding = found_by("equals", claim, context, within=1e-9, **how)
    assert finding.verdict == "supported"
    assert [one.value for one in finding.evidence[0].numbers] == pytest.approx(expected)
    assert found_by("equals", claim, **how).settles.endswith("audit/cpu/charlm/stats.json")
    empty = results_of(losses, variations=PAIRS)
    empty.stats["rules"]["final"]["cells"]["gelu"]["differences"][TV] = None
    missing = found_by("equals", claim, context_of(empty), **how)
    assert (missing.verdict, "no run with gelu" in said(missing)) == ("not run", True)


SIDES = {"of": {"wrong": "control.leak.loss", "honest": "honest.leak.loss"}}


@pytest.mark.parametrize(
    ("printed", "wrong", "honest", "otherwise", "expected"),
    [
        (3.7, 4.5, 1.6, "undecided", "artefact"),
        (1.2, 4.5, 1.6, "undecided", "not run"),
        (3.7, 1.2, 1.6, "undecided", "not run"),
        (3.7, 1.2, 1.6, "supported", "supported"),
        (3.7, 4.5, None, "supported", "not run"),
    ],
)
def test_an_artefact_is_what_the_control_does_alone(
    printed: float, wrong: float, honest: Any, otherwise: str, expected: str
) -> None:
    controls = {"leak": control_of("leak", loss=sides(wrong, honest))}
    claim = of_cpu("relu", value=printed)
    how: dict[str, Any] = {"that": "honest < min(wrong, value)", **SIDES, "otherwise": otherwise}
    finding = found_by("artefact_where", claim, context_of(controls=controls), **how)
    assert finding.verdict == expected
    absent = found_by("artefact_where", claim, **how)
    assert (absent.verdict, absent.instead_of) == ("not run", "artefact")
    assert absent.settles.endswith("audit/controls/leak.json")


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        ("at_most", {}, "needs most, least, or both"),
        ("equals", {"is": "x"}, "'x', which are neither its own"),
        ("equals", {"is": "(1, 2)", "printed": "(1, 2, 3)"}, "do not match"),
        ("in_order", {"order": [["one"]]}, "two or more groups"),
        ("in_order", {"order": [["one"], []]}, "two or more groups"),
    ],
)
def test_a_wrong_call_is_named(check: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ActreproError, match=message):
        verdict(check, {"value": 1}, **arguments)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([["a"], ["b"], ["c"]], "supported"),
        ([["a", "b"], ["c"]], "supported"),
        ([["b"], ["a"]], "contradicted"),
        ([["a"], ["c"], ["b"]], "contradicted"),
        # Equal numbers are in no order, and runs must all be.
        ([["a"], ["tied"]], "contradicted"),
        ([["a"], ["runs"]], "supported"),
        ([["b"], ["runs"]], "contradicted"),
    ],
)
def test_printed_numbers_are_in_order_or_not(order: list[list[str]], expected: str) -> None:
    printed = {"a": 1.0, "b": 2.0, "c": 3.0, "tied": 1.0, "runs": [1.5, 2.5]}
    assert verdict("in_order", printed, order=order) == expected


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=6))
def test_an_order_is_that_of_sorting(values: list[int]) -> None:
    names = [f"n{place}" for place in range(len(values))]
    printed = dict(zip(names, values, strict=True))
    found = verdict("in_order", printed, order=[[name] for name in names])
    assert (found == "supported") == all(a < b for a, b in itertools.pairwise(values))


def test_a_broken_order_names_what_breaks_it_and_the_rows() -> None:
    numbers = {"relu": 0.5151, "gelu": 0.5182, "swish": 0.5184}
    rows = [row(f"pd-{name}-all", runs=[value]) for name, value in numbers.items()]
    order = [["pd-gelu-all", "pd-swish-all"], ["pd-relu-all"]]
    how: dict[str, Any] = {"order": order, "printed": "runs", "what": "differences"}
    finding = found_by("in_order", row(), context_of(rows=rows), **how)
    assert said(finding) == (
        "Printed differences: gelu 0.5182 and swish 0.5184 not below relu 0.5151."
    )
    assert finding.evidence[0].rows == ("pd-gelu-all", "pd-swish-all", "pd-relu-all")


def test_correlations_and_t_tests_are_those_of_scipy_and_statsmodels() -> None:
    x, y = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (1.0, 1.5, 2.0, 4.0, 5.0, 25.0)
    ranges = tuple((one - 0.5, one + 0.5) for one in y)
    assert value("spearman(x, y)", x=x, y=ranges) == pytest.approx(1)
    assert value("pearson(x, y)", x=x, y=ranges) == pytest.approx(scipy.stats.pearsonr(x, y)[0])
    a, b = (1.0, 1.01, 0.99), (1.0, 1.02, 1.01)
    assert value("t_p(a, b)", a=a, b=b) == pytest.approx(scipy.stats.ttest_ind(a, b).pvalue)
    effect = abs(np.mean(a) - np.mean(b)) / math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2)
    n = TTestIndPower().solve_power(float(effect), power=0.8, alpha=0.05)
    assert value("runs_needed(a, b)", a=a, b=b) == math.ceil(n)
    assert value("runs_needed(a, a)", a=a) == math.inf


def test_sentences_have_values_of_expressions() -> None:
    how = {"least": 6, "otherwise": "inconclusive", "printed": "count(x)"}
    settles, note = "{6 - count(x)} more", "Their mean is {mean(x)}."
    finding = found_by("at_most", row(x=[1, 2, 4.5]), **how, settles=settles, note=note)
    assert (finding.verdict, finding.settles) == ("inconclusive", "3 more")
    assert said(finding).endswith("Their mean is 2.5.")


# --- entries of statistics --------------------------------------------------------------


def run(activation: str, best: int | None, status: str = "finished", **more: Any) -> dict[str, Any]:
    """A run of `stats.json`; as it is on a CPU, unless `more` says otherwise."""
    known = {"peak_memory_bytes": 100.0, "peak_gpu_memory_bytes": None, **more}
    return {"activation": activation, "status": status, "best_step": best, **known}


def with_entries(scale: str, model: str, *runs: dict[str, Any], **final: Any) -> ModelResults:
    """Results of ReLU, GELU and Swish with these runs, and more under the final step."""
    results = results_of(APART, scale=scale, model=model)
    results.stats["runs"].extend(runs)
    results.stats["rules"]["final"] |= final
    return results


def apart(value: float, metric: str = TV) -> dict[str, Any]:
    """Two activations' difference with the same seed."""
    return {"metric": metric, "same_seed": {"value": value, "n": 3, "interval": [0.0, 1.0]}}


@pytest.mark.parametrize(
    ("reference", "values", "key"),
    [
        ("runs/status=finished/best_step", [500, 1500], "runs.0.best_step"),
        (
            "full/charlm:runs/status=finished/peak_gpu_memory_bytes|peak_memory_bytes",
            [100, 7, 100],
            "runs.0.peak_memory_bytes",
        ),
        (
            "rules/final/cells/*/gates/wired/passed",
            [1, 1],
            "rules.final.cells.relu.gates.wired.passed",
        ),
        (f"rules/final/across/metric={TV}/same_seed", [0.2], "rules.final.across.1.same_seed"),
        ("rules/final/omnibus/loss.all/p", [0.03], "rules.final.omnibus.loss.all.p"),
    ],
)
def test_entries_of_statistics_are_named_by_their_keys(
    reference: str, values: list[float], key: str
) -> None:
    runs = (
        run("relu", 500),
        run("gelu", 1500, peak_gpu_memory_bytes=7.0),
        run("swish", 3000),
        run("relu", 9, "failed", peak_memory_bytes=9.0),
        run("relu", None, peak_memory_bytes=None),
    )
    final = {"across": [apart(0.1, "churn"), apart(0.2)], "omnibus": {"loss.all": {"p": 0.03}}}
    results = with_entries("full", "charlm", *runs, **final)
    claim = row(scale="full", model="charlm", activations=("relu", "gelu"))
    if ":" in reference:
        claim = row(scale="cpu")
    numbers = Numbers(claim, context_of(results), {"x": f"stats.{reference}"}).measured
    assert [one.value for one in numbers] == values
    assert (numbers[0].key, numbers[0].file) == (key, results.file)


@pytest.mark.parametrize(
    "reference", ["rules/final/cells/*/gates/causal/passed", "runs/status=finished/best_step"]
)
def test_entries_that_are_missing_are_not_run(reference: str) -> None:
    results = with_entries("cpu", "charlm", run("relu", None))
    results.stats["rules"]["final"]["cells"]["gelu"]["gates"]["causal"] = {"passed": True}
    how = {"printed": "min(x)", "least": 1, "of": {"x": f"stats.{reference}"}}
    finding = found_by("at_most", of_cpu("relu", "gelu"), context_of(results), **how)
    assert finding.verdict == "not run"
    assert "it does not have" in said(finding)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("stats.runs/best_step", "'stats.runs/best_step' does not fit"),
        ("stats.rules/final/metric=loss/value", "does not fit results/cpu/charlm/stats.json"),
        ("whole.accuracy", "'whole.accuracy' is not known; valid: whole.loss"),
    ],
)
def test_a_reference_that_does_not_fit_is_named(reference: str, message: str) -> None:
    with pytest.raises(ActreproError, match=message):
        Numbers(of_cpu("relu"), context_of(results_of(APART)), {"x": reference})


def test_losses_on_the_whole_text_are_means_of_its_halves() -> None:
    lower = [
        run(name, 1, last_history={"selection_loss": np.mean(losses) - 0.1})
        for name, losses in APART.items()
    ]
    results = with_entries("cpu", "charlm", *lower)
    claim = of_cpu(*APART, low=2.55, high=2.95)
    how = {"printed": "(low, high)", "is": "(min(x), max(x))", "of": {"x": "whole.loss"}}
    for within, expected in ((0.02, "supported"), (0.004, "impossible")):
        finding = found_by("equals", claim, context_of(results), **how, within=within)
        assert finding.verdict == expected
    assert len(finding.evidence[0].numbers) == 2 * len(APART)
    without = found_by("equals", claim, context_of(results_of(APART)), **how)
    assert without.verdict == "not run"


def gates(*passed: bool, start: float = 4.15) -> dict[str, Any]:
    """Cells of three activations that pass the gate repeatable or do not."""
    cells = copy.deepcopy(results_of(APART).stats["rules"]["final"]["cells"])
    for cell, one in zip(cells.values(), passed, strict=True):
        cell["gates"]["repeatable"] = {"passed": one}
        cell["gates"]["initial_loss"] = {"measured": {"loss": start}}
        cell["differences"] = {TV: {"value": start, "n": 3, "interval": None}}
    return {"cells": cells}


MEMORY = {"peak_memory_bytes": 50.0}


@pytest.mark.parametrize(
    ("id_", "model", "results", "expected"),
    [
        ("identical-rerun-nano", "nanotransformer", [gates(True, True, True)], "supported"),
        ("identical-rerun-nano", "nanotransformer", [gates(True, False, True)], "contradicted"),
        ("identical-mechanism-same-seed", "charlm", [{"across": [apart(0), apart(0)]}],
         "supported"),
        ("identical-mechanism-same-seed", "charlm", [{"across": [apart(0), apart(1)]}],
         "contradicted"),
        ("cpu-initial-loss", "charlm", [gates(True, True, True)], "supported"),
        ("cpu-initial-loss", "charlm", [gates(True, True, True, start=4.3)], "contradicted"),
        ("full-charlm-gelu-u-shape", "charlm", [[run("gelu", 3500), run("gelu", 2500)]],
         "supported"),
        ("full-charlm-gelu-u-shape", "charlm", [[run("gelu", 9), run("gelu", 4000)]],
         "contradicted"),
        ("full-charlm-gelu-u-shape", "charlm", [[run("gelu", 3000), run("gelu", 4000)]],
         "inconclusive"),
        ("charlm-less-memory", "charlm", [[run("relu", 1, **MEMORY)], [run("relu", 1)]],
         "supported"),
        ("charlm-less-memory", "charlm", [[run("relu", 1)], [run("relu", 1, **MEMORY)]],
         "contradicted"),
    ],
)  # fmt: skip
def test_rows_that_rest_on_entries_of_statistics(
    id_: str, model: str, results: list[Any], expected: str
) -> None:
    claim = TABLE.claim(id_)
    claim = claim.model_copy(
        update={"activations": tuple(one for one in claim.activations if one in APART)}
    )
    models = [
        with_entries(str(claim.scale or "cpu"), name, *([] if isinstance(one, dict) else one),
                     **(one if isinstance(one, dict) else {}))
        for name, one in zip((model, "nanotransformer"), results, strict=False)
    ]  # fmt: skip
    context = context_of(*models)
    calls = [call for call in claim.checks if "stats." in str(call)]
    assert decisive([put(claim, call, context) for call in calls]).verdict == expected


# --- every claim, both ways -------------------------------------------------------------

# Calls whose outcome does not hang on printed numbers alone, or not on their values.
NOT_PRINTED = ("facts.", "cells.", "stats.", "whole.", "detectable", "count(x)")
NOTHING_RUN = Context(TABLE, Results(STUDY))
CALLS = [
    (f"{claim.id}-{place}", claim, call)
    for claim in TABLE.claims.values()
    for place, call in enumerate(claim.checks)
    if call["check"] in ("equals", "at_most")
    and not any(
        source in str(call)
        for source in ("facts.", "cells.", "stats.", "whole.", "detectable", "count(x)")
    )
]
HOLDS = {name: put(claim, call, NOTHING_RUN).verdict == "supported" for name, claim, call in CALLS}
FACTORS = (0.5, 2.0, 0.1, 10.0, 1.25, 0.8, 1.03, 0.97, 0.01, 1000.0)
# Where a single printed number cannot mend what several others are at odds with.
SEVERAL = re.compile(
    r"def-(pd-(top1|pairwise|divergence)|val-loss)-|average-accuracy|full-nano-parameters|"
    r"readme-activation-row|identical-byte-for-byte|partial-trials|"
    r"cost-(quick|readme-(single-trial|old-suite))"
)


def keys_of(claim: Claim, call: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The printed numbers that a call reads, each as a row (none for the claim) and a key."""
    texts = [text for key in ("is", "printed", "most", "least") for text in words(call.get(key))]
    names = {name for text in (*texts, "value") for name in Expression(text, "").names}
    of = call.get("of", {})
    keys = [("", name) for name in sorted(names) if name in claim.printed and name not in of]
    for reference in words(of):
        id_, _, key = reference.partition(".")
        if id_ in claim.printed:
            keys.append(("", id_))
        elif reference == "range":
            keys += [("", "low"), ("", "high")]
        else:
            printed = TABLE.numbers(id_).printed
            keys += [(id_, one) for one in printed if one == key or not key]
    return keys


def words(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in words(one)]
    if isinstance(value, list):
        return [text for one in value for text in words(one)]
    return [str(value)]


def changes(printed: Any) -> Iterator[Any]:
    """A printed number, or one of a list, times several factors; and other times."""
    if isinstance(printed, list):
        yield printed[:1] * len(printed)
        for place, one in enumerate(printed):
            for new in changes(one):
                yield [*printed[:place], new, *printed[place + 1 :]]
    elif isinstance(printed, int | float):
        yield from (printed * factor + (factor > 1) for factor in FACTORS)
    else:
        yield str(printed).replace("2025-12-0", "2025-11-0")


def verdict_with(
    claim: Claim, call: Mapping[str, Any], key: tuple[str, str], new: Any
) -> str | None:
    """A call's verdict where a printed number is another one; None where that is refused."""
    id_, name = key
    one = TABLE.numbers(id_) if id_ else claim
    one = one.model_copy(update={"printed": {**one.printed, name: new}})
    changed = {one.id: one}
    claims = TABLE.claims if id_ in TABLE.cited else {**TABLE.claims, **changed}
    cited = {**TABLE.cited, **changed} if id_ in TABLE.cited else TABLE.cited
    table = Table(claims, TABLE.documents, cited)
    try:
        return put(claim if id_ else one, call, Context(table, Results(STUDY))).verdict
    except ActreproError:
        return None


def flips(claim: Claim, call: Mapping[str, Any], to: bool) -> bool:
    """Whether some change of one printed number makes a call hold, or fail."""
    return any(
        found is not None and (found == "supported") == to
        for key in keys_of(claim, call)
        for new in changes((TABLE.numbers(key[0]) if key[0] else claim).printed[key[1]])
        if (found := verdict_with(claim, call, key, new))
    )


@pytest.mark.parametrize(
    ("claim", "call"),
    [pytest.param(*one[1:], id=one[0]) for one in CALLS
     if HOLDS[one[0]] and not one[0].startswith("nano-h0")],
)  # fmt: skip
def test_what_holds_fails_with_another_number(claim: Claim, call: dict[str, Any]) -> None:
    assert flips(claim, call, to=False)


@pytest.mark.parametrize(
    ("claim", "call"),
    [pytest.param(*one[1:], id=one[0]) for one in CALLS
     if not HOLDS[one[0]] and not SEVERAL.search(one[0])],
)  # fmt: skip
def test_what_fails_holds_with_another_number(claim: Claim, call: dict[str, Any]) -> None:
    assert computed_instead(claim, call) or flips(claim, call, to=True)


def computed_instead(claim: Claim, call: Mapping[str, Any]) -> bool:
    """Whether a call holds where what was computed is printed."""
    printed = str(call.get("printed", "value"))
    source = claim.printed if printed in claim.printed else call.get("of", {})
    if not isinstance(source.get(printed), str | int | float | list):
        return False
    id_, _, name = (
        str(source[printed]).partition(".") if source is not claim.printed else ("", "", printed)
    )
    numbers = Numbers(claim, NOTHING_RUN, call.get("of", {}), call.get("digits"))
    for text in words([call.get(key) for key in ("is", "most", "least")]):
        new = numbers.expression(text).value(numbers.values())
        new = list(new) if isinstance(new, tuple) else new
        if verdict_with(claim, call, (id_, name or "value"), new) == "supported":
            return True
    return False


ORDERS = [
    pytest.param(claim, call, id=f"{claim.id}-{place}")
    for claim in TABLE.claims.values()
    for place, call in enumerate(claim.checks)
    if call["check"] == "in_order"
]


@pytest.mark.parametrize(("claim", "call"), ORDERS)
def test_every_order_holds_one_way_at_most(claim: Claim, call: dict[str, Any]) -> None:
    reversed_ = {**call, "order": call["order"][::-1]}
    found = [put(claim, one, NOTHING_RUN).verdict for one in (call, reversed_)]
    assert found != ["supported", "supported"]
    names = [name for group in call["order"] for name in group]
    numbers = {name: named(claim, NOTHING_RUN, name, call.get("printed", "")) for name in names}
    low, high = (pick(numbers, key=lambda name: numbers[name].low) for pick in (min, max))
    if numbers[low].high < numbers[high].low:
        both = [{**call, "order": order} for order in ([[low], [high]], [[high], [low]])]
        found = [put(claim, one, NOTHING_RUN).verdict for one in both]
        assert found == ["supported", "contradicted"]
