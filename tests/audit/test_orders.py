"""Checks of orders and sizes against own results made up, both ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_claims import (
    APART,
    LOSS,
    MINE,
    STUDY,
    TABLE,
    TV,
    Values,
    context_of,
    contrast_of,
    found_by,
    of_cpu,
    results_of,
    row,
    said,
)

from actrepro.audit.compared import Cell, average, compare
from actrepro.audit.registry import Context
from actrepro.audit.results import ModelResults, Results
from actrepro.audit.verdicts import judge
from actrepro.core.errors import ActreproError

# --- orders of own results --------------------------------------------------------------


TWO = [["relu"], ["gelu"]]
CLOSE = {"relu": [2.6, 2.7, 2.8], "gelu": [2.6001, 2.7, 2.7999]}
# Seeds differ by 0.0001, 0 and −0.0001: the interval of two one-sided tests at 0.05.
REACH = scipy.stats.t.ppf(0.95, 2) * 0.0001 / math.sqrt(3)
# Within the margin, but its sign is what is claimed, and that is shown.
SMALL = {"relu": [2.6, 2.7, 2.8], "gelu": [2.6010, 2.7011, 2.8009]}
NOISY = {"relu": [2.60, 2.70, 2.65], "gelu": [2.70, 2.61, 2.68]}


@pytest.mark.parametrize(
    ("losses", "order", "verdict", "words"),
    [
        (APART, [["relu"], ["gelu"], ["swish"]], "supported",
         "Each of 3 stated pairs is shown in loss over 3 seeds"),
        (APART, TWO[::-1], "contradicted", "gelu − relu +0.20"),
        (CLOSE, TWO, "contradicted", "within ± 0.01, so no difference"),
        (CLOSE, TWO, "contradicted", f"(90% interval [−{REACH:.4f}, {REACH:.4f}])"),
        (SMALL, TWO, "supported", "relu − gelu −0.0010"),
        (NOISY, TWO, "inconclusive", "It cannot be told in loss"),
        ({"relu": [2.6], "gelu": [2.8]}, TWO, "inconclusive", ""),
    ],
)  # fmt: skip
def test_an_order_is_shown_refuted_or_left_open(
    losses: Values, order: list[list[str]], verdict: str, words: str
) -> None:
    context = context_of(results_of(losses))
    finding = found_by("order", of_cpu(*losses), context, measure=LOSS, order=order)
    assert finding.verdict == verdict
    assert words in said(finding)
    keys = {one.key for one in finding.evidence[0].numbers}
    assert keys == {f"rules.final.contrasts.{place}" for place in range(math.comb(len(order), 2))}
    assert {one.file for one in finding.evidence[0].numbers} == {"results/cpu/charlm/stats.json"}
    assert finding.settles.endswith("seeds") == (verdict == "inconclusive")


def test_it_takes_more_to_refute_one_of_many_pairs() -> None:
    # b − a is 0.015, 0.02 and 0.025: p = 0.02, enough for one pair and not for ten.
    values = {"a": [1.0, 1.1, 1.2], "b": [1.015, 1.12, 1.225], "c": [2.0, 2.1, 2.2]}
    far = {name: [9.0 + place, 9.1, 9.2] for place, name in enumerate("de")}
    context = context_of(results_of({**values, **far}))
    assert 0.05 / 10 < scipy.stats.ttest_rel(values["b"], values["a"]).pvalue < 0.05
    alone = found_by(
        "order", of_cpu(), context, measure=LOSS, order=[["cpu/charlm/b"], ["cpu/charlm/a"]]
    )
    names = [[f"cpu/charlm/{name}"] for name in "bacde"]
    many = found_by("order", of_cpu(), context, measure=LOSS, order=names)
    assert (alone.verdict, many.verdict) == ("contradicted", "inconclusive")


def test_pairs_of_seeds_are_compared_too() -> None:
    losses = {"relu": [2.6, 2.6, 2.6, 2.6], "gelu": [2.6, 2.6, 2.6, 2.6]}
    variations = {"relu": [0.10, 0.11, 0.10, 0.11, 0.10, 0.11], "gelu": [0.2] * 6}
    context = context_of(results_of(losses, variations=variations))
    order = [["relu"], ["gelu"]]
    assert found_by("order", of_cpu(*losses), context, measure=TV, order=order).verdict == (
        "supported"
    )
    finding = found_by("order", of_cpu(*losses), context, measure=TV, order=order[::-1])
    assert finding.verdict == "contradicted"
    assert "total variation" in said(finding)


def test_cells_that_did_not_learn_are_told() -> None:
    context = context_of(results_of(APART, failed=["learned"]))
    finding = found_by("order", of_cpu(*APART), context, measure=LOSS, order=[["relu"], ["gelu"]])
    assert said(finding).count("They do not beat the bigram table (gate learned).") == 1


def test_without_results_the_exact_target_is_named() -> None:
    finding = found_by(
        "order",
        of_cpu("relu", "gelu"),
        measure=LOSS,
        order=[["full/charlm"], ["full/minigpt/relu"]],
    )
    assert finding.verdict == "not run"
    assert finding.settles == (
        "snakemake --cores 2 results/full/charlm/stats.json results/full/minigpt/stats.json"
    )
    assert "there is no such file" in said(finding)


def test_results_without_an_activation_must_be_run_with_it() -> None:
    context = context_of(results_of(APART))
    finding = found_by("order", of_cpu(), context, measure=LOSS, order=[["relu"], ["swiglu"]])
    assert finding.verdict == "not run"
    assert "does not have swiglu" in said(finding)
    assert finding.settles == (
        "snakemake --cores 2 results/audit/cpu/charlm/stats.json "
        "--config 'audit={activations: [relu, gelu, swish, swiglu]}'"
    )


def test_a_name_that_is_no_cell_is_refused() -> None:
    with pytest.raises(ActreproError, match="names no cell"):
        found_by("order", row(), measure=LOSS, order=[["relu"], ["gelu"]])


def test_every_seed_must_have_the_order_where_that_is_claimed() -> None:
    values = {"relu": [2.6, 2.6, 2.6, 2.6], "gelu": [2.8, 2.81, 2.79, 2.8]}
    order = [["relu"], ["gelu"]]
    arguments: dict[str, Any] = {"measure": LOSS, "order": order, "every_seed": True}
    claim = of_cpu(*values)
    assert found_by("order", claim, context_of(results_of(values)), **arguments).verdict == (
        "supported"
    )
    many = {"relu": [2.6] * 12, "gelu": [2.8] * 11 + [2.59]}
    context = context_of(results_of(many))
    assert found_by("order", claim, context, measure=LOSS, order=order).verdict == "supported"
    finding = found_by("order", claim, context, **arguments)
    assert finding.verdict == "contradicted"
    assert "1 seed: 53" in said(finding)


def test_models_have_both_their_errors() -> None:
    low, high = {"relu": [1.0, 1.02, 0.98]}, {"relu": [2.0, 2.06, 1.94]}
    context = context_of(results_of(low), results_of(high, model="minigpt"))
    cells = [Cell("cpu", model, ("relu",), model) for model in ("charlm", "minigpt")]
    one = compare(context, *cells, LOSS)
    assert one is not None
    errors = [scipy.stats.sem(values["relu"]) for values in (low, high)]
    assert one.estimate.standard_error == pytest.approx(math.hypot(*errors))
    reach = scipy.stats.t.ppf(0.975, 2) * math.hypot(*errors)
    assert one.estimate.interval == pytest.approx((-1 - reach, -1 + reach))
    finding = found_by(
        "order", row(scale="cpu"), context, measure=LOSS, order=[["charlm"], ["minigpt"]]
    )
    assert finding.verdict == "supported"
    assert "charlm − minigpt −1.0000" in said(finding)


def test_a_difference_may_be_averaged_over_models() -> None:
    first = {"relu": [1.0, 1.01, 0.99], "gelu": [1.2, 1.23, 1.19]}
    second = {"relu": [2.0, 2.01, 2.04], "gelu": [2.4, 2.40, 2.41]}
    context = context_of(results_of(first), results_of(second, model="minigpt"))
    cells = [
        [Cell("cpu", model, (name,), name) for name in ("relu", "gelu")]
        for model in ("charlm", "minigpt")
    ]
    parts = [compare(context, *both, LOSS) for both in cells]
    assert parts[0] is not None
    assert parts[1] is not None
    mean = average([parts[0], parts[1]], "relu − gelu")
    values = [part.estimate.value for part in (parts[0], parts[1])]
    assert mean.estimate.value == pytest.approx(np.mean(values))
    errors = [part.estimate.standard_error for part in (parts[0], parts[1])]
    assert mean.estimate.standard_error == pytest.approx(math.hypot(*map(float, errors)) / 2)
    finding = found_by(
        "order",
        of_cpu(*first),
        context,
        measure=LOSS,
        order=[["relu"], ["gelu"]],
        models=["charlm", "minigpt"],
    )
    assert finding.verdict == "supported"


@given(
    family=st.integers(1, 20),
    seed=st.integers(0, 100),
    n=st.integers(2, 8),
)
@settings(deadline=None)
def test_the_corrected_interval_is_students_at_its_level(family: int, seed: int, n: int) -> None:
    a, b = np.random.default_rng(seed).normal(0, 1, (2, n))
    context = context_of(results_of({"relu": list(a), "gelu": list(b)}))
    cells = [Cell("cpu", "charlm", (name,), name) for name in ("relu", "gelu")]
    one = compare(context, *cells, LOSS)
    assert one is not None
    expected = scipy.stats.t.interval(
        1 - 0.05 / family, n - 1, loc=np.mean(a - b), scale=scipy.stats.sem(a - b)
    )
    assert one.at_level(family) == pytest.approx(expected)


# --- sizes, spreads, equivalence --------------------------------------------------------


RISE = {"relu": [2.0, 2.1, 2.2], "gelu": [2.21, 2.3101, 2.4099]}
FALL = {"relu": [2.0, 2.1, 2.2], "gelu": [1.79, 1.8901, 1.9899]}


@pytest.mark.parametrize(
    ("values", "stated", "within", "verdict"),
    [
        (RISE, 10.0, 1.0, "supported"),
        (RISE, 20.0, 1.0, "contradicted"),
        (RISE, 10.0, 0.01, "inconclusive"),
        (FALL, -10.0, 1.0, "supported"),
        (FALL, 10.0, 1.0, "contradicted"),
    ],
)
def test_a_stated_size_is_held_against_the_interval(
    values: Values, stated: float, within: float, verdict: str
) -> None:
    arguments: dict[str, Any] = {"of": "gelu", "base": "relu", "percent": "more", "within": within}
    claim, context = of_cpu(*values, more=stated), context_of(results_of(values))
    finding = found_by("effect_is", claim, context, measure=LOSS, **arguments)
    assert finding.verdict == verdict
    assert (finding.settles != "") == (verdict == "inconclusive")


def test_the_seeds_for_a_size_are_the_fewest_whose_interval_is_short_enough() -> None:
    values = {"relu": [2.0, 2.0, 2.0], "gelu": [2.1, 2.2, 2.3]}
    context = context_of(results_of(values))
    claim = of_cpu(*values, more=10.0)
    finding = found_by(
        "effect_is",
        claim,
        context,
        measure=LOSS,
        of="gelu",
        base="relu",
        percent="more",
        within=2.0,
    )
    n = int(finding.settles.split()[0])
    # In percent of 2.0 the differences spread by 5.
    assert scipy.stats.t.ppf(0.975, n - 1) * 5 / math.sqrt(n) <= 2.0
    assert scipy.stats.t.ppf(0.975, n - 2) * 5 / math.sqrt(n - 1) > 2.0


def test_spreads_are_compared_by_the_f_distribution() -> None:
    narrow = list(np.random.default_rng(1).normal(2.6, 0.001, 12))
    wide = list(np.random.default_rng(2).normal(2.6, 0.1, 12))
    context = context_of(results_of({"relu": narrow, "gelu": wide}))
    claim = of_cpu("relu", "gelu")
    order = [["relu"], ["gelu"]]
    assert found_by("spread_order", claim, context, measure=LOSS, order=order).verdict == (
        "supported"
    )
    assert found_by("spread_order", claim, context, measure=LOSS, order=order[::-1]).verdict == (
        "contradicted"
    )


def test_three_seeds_do_not_tell_spreads_of_one_size() -> None:
    values = {"relu": [2.60, 2.61, 2.62], "gelu": [2.60, 2.62, 2.64]}
    context = context_of(results_of(values))
    finding = found_by(
        "spread_order", of_cpu(*values), context, measure=LOSS, order=[["relu"], ["gelu"]]
    )
    assert finding.verdict == "inconclusive"
    n = int(finding.settles.split()[0].replace(",", ""))
    # The F-test's power with variances in the ratio of 4 passes 0.8 at n, and not before.
    power = [
        scipy.stats.f.sf(scipy.stats.f.isf(0.025, m - 1, m - 1) / 4, m - 1, m - 1)
        for m in (n - 1, n)
    ]
    assert power[0] < 0.8 <= power[1]


@pytest.mark.parametrize(
    ("gelu", "verdict"),
    [
        ([2.6001, 2.6999, 2.8001], "supported"),
        ([2.9, 3.0, 3.1001], "contradicted"),
        ([2.7, 2.6, 2.9], "inconclusive"),
    ],
)
def test_alike_is_what_is_shown_to_be_within_the_margin(gelu: list[float], verdict: str) -> None:
    context = context_of(results_of({"relu": [2.6, 2.7, 2.8], "gelu": gelu}))
    finding = found_by(
        "equivalent", of_cpu("relu", "gelu"), context, measure=LOSS, cells=["charlm"]
    )
    assert finding.verdict == verdict


def test_activations_of_different_models_are_not_held_against_each_other() -> None:
    same = {"relu": [2.6, 2.7, 2.8], "gelu": [2.6001, 2.6999, 2.8001]}
    far = {name: [x + 5 for x in values] for name, values in same.items()}
    context = context_of(results_of(same), results_of(far, model="minigpt"))
    finding = found_by(
        "equivalent", of_cpu("relu", "gelu"), context, measure=LOSS, cells=["charlm", "minigpt"]
    )
    assert finding.verdict == "supported"
    assert len(finding.evidence[0].numbers) == 2


@pytest.mark.parametrize(
    ("apart", "verdict"), [(1.0, "supported"), (-1.0, "contradicted"), (0.0, "inconclusive")]
)
def test_ranges_of_groups_are_compared(apart: float, verdict: str) -> None:
    models = [
        results_of({"relu": [x, x + 0.01, x - 0.01]}, scale=scale, model=model)
        for (scale, model), x in {
            ("partial", "charlm"): 2.0,
            ("partial", "minigpt"): 2.0 + 1.5 + apart / 2,
            ("full", "charlm"): 2.0 - 1.5 + apart / 2,
            ("full", "minigpt"): 2.0 + apart,
        }.items()
    ]
    claim = row(activations=("relu",))
    among = [["partial/charlm", "partial/minigpt"], ["full/charlm", "full/minigpt"]]
    than = [["partial/charlm", "full/charlm"], ["partial/minigpt", "full/minigpt"]]
    finding = found_by("wider", claim, context_of(*models), measure=LOSS, among=among, than=than)
    assert finding.verdict == verdict


# --- the rows themselves ----------------------------------------------------------------

CPU = {
    "relu": [2.6505, 2.6444, 2.6444],
    "gelu": [2.6428, 2.6395, 2.6461],
    "swish": [2.6444, 2.6403, 2.6476],
    "smelu_05": [2.6612, 2.6565, 2.6597],
    "smelu_1": [2.6824, 2.6785, 2.6834],
}
VARIATIONS = {
    "relu": [0.0907, 0.0772, 0.0758],
    "gelu": [0.0974, 0.0817, 0.0742],
    "swish": [0.0986, 0.0823, 0.0737],
    "smelu_05": [0.0947, 0.0781, 0.0724],
    "smelu_1": [0.0907, 0.0795, 0.0759],
}
MEASURED = "cpu-relu-best-loss"


def verdicts(losses: Values) -> dict[str, tuple[str, list[set[str]]]]:
    """Each row's verdict with these losses and no controls, and the results each rests on."""
    results = Results(STUDY, {("cpu", "charlm"): with_churn(losses)})
    judged = [judge(claim, Context(TABLE, results)) for claim in MINE]
    return {
        one.claim.id: (
            one.verdict,
            [{n.measure for e in f.evidence for n in e.numbers} for f in one.findings],
        )
        for one in judged
    }


def with_churn(losses: Values) -> ModelResults:
    """The results of the CPU scale with what else rows ask for, of one and the same value."""
    one = results_of(losses, variations=VARIATIONS, failed=["learned"])
    rules = one.stats["rules"]["final"]
    for entry in [*rules["contrasts"]]:
        if entry["metric"] == TV:
            rules["contrasts"].append({**entry, "metric": "churn-top1-pairs.all"})
        if entry["metric"] == LOSS:
            alike = np.array([0.002, -0.001, 0.004])
            more = contrast_of("accuracy.all", entry["a"], entry["b"], alike, 0.005, ["learned"])
            rules["contrasts"].append(more)
    rules["across"] = [
        {
            "metric": TV,
            "a": "relu",
            "b": "gelu",
            "failed_gates": ["learned"],
            "same_seed": {"value": 0.028, "n": 3, "interval": [0.018, 0.039]},
            "other_seed": {"value": 0.084, "n": 3, "interval": [0.058, 0.109]},
        }
    ]
    return one


def test_a_loss_changes_only_rows_that_rest_on_losses() -> None:
    before = verdicts(CPU)
    after = verdicts({**CPU, "relu": [2.7505, 2.6444, 2.6444]})
    changed = {name for name in before if before[name][0] != after[name][0]}
    assert changed <= {
        name for name, (_, measures) in before.items() if any(LOSS in one for one in measures)
    }
    assert before[MEASURED][0] == "inconclusive"


def test_losses_shown_the_other_way_round_refute_the_order() -> None:
    worst = {**CPU, "relu": [x + 0.1 for x in CPU["gelu"]]}
    assert verdicts(worst)[MEASURED][0] == "contradicted"
    best = {name: [2.6 + 0.05 * place + x for x in (0.0, 0.001, -0.001)]
            for place, name in enumerate(CPU)}  # fmt: skip
    # What is left open is whether SmeLU's loss is 1.21% higher: it is 7.7% higher here.
    assert verdicts(best)[MEASURED][0] == "contradicted"
