"""Checks of printed tests and spreads against scipy and statsmodels, and of new runs made up."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multicomp import pairwise_tukeyhsd
from statsmodels.stats.power import TTestIndPower
from synthetic_claims import STUDY, says, synthetic_claim, whole_table

from actrepro.audit.checks.printed.tests import relabelled_p
from actrepro.audit.claims import Claim, Table
from actrepro.audit.findings import VERDICTS, Finding
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.audit.verdicts import judge

RELU, GELU, SWISH = [1.5527, 1.5651, 1.5601], [1.5585, 1.5268, 1.5767], [1.4738, 1.5198, 1.4985]
RUNS = {"relu": RELU, "gelu": GELU, "swish": SWISH}
OF = {name: name for name in RUNS}
LOSS, TV = "loss.all", "tv-half_l1-pairs.all"


def rows(trials: Mapping[str, Sequence[float]]) -> list[Claim]:
    """A row with the runs of each activation."""
    return [synthetic_claim(name, runs=list(values)) for name, values in trials.items()]


def found_by(
    check: str, claim: Claim, *others: Claim, models: Sequence[ModelResults] = (), **arguments: Any
) -> Finding:
    """What a check finds of a row, beside other rows and with these models' results."""
    table = Table({one.id: one for one in (claim, *others)}, {})
    results = Results(STUDY, {(str(claim.scale), one.stats["model"]): one for one in models})
    return put(claim, {"check": check, **arguments}, Context(table, results))


def of_model(scale: str, model: str, *activations: str, **printed: Any) -> Claim:
    """A row about a model's activations."""
    claim = synthetic_claim(**printed)
    return claim.model_copy(update={"scale": scale, "model": model, "activations": activations})


@pytest.mark.parametrize(
    ("f", "p", "verdict"),
    # F from 8.315 to 8.325 has p from 0.01857 to 0.01861.
    [(8.32, 0.024, "impossible"), (8.32, 0.019, "supported"), (8.32, 0.0186, "supported"),
     (8.32, 0.0188, "impossible"), (8.3, 0.0188, "supported")],
)  # fmt: skip
def test_a_printed_p_is_that_of_its_f(f: float, p: float, verdict: str) -> None:
    finding = found_by("p_of_f", synthetic_claim(F=f, p=p, df=[2, 6]))
    assert finding.verdict == verdict
    if verdict == "impossible" and p == 0.024:
        assert f"needs F = {scipy.stats.f.isf(0.024, 2, 6):.2f}" in says(finding)


@pytest.mark.parametrize(
    ("f", "p", "verdict"),
    [(8.79, 0.0165, "supported"), (8.8, 0.016, "supported"), (8.32, 0.0165, "impossible"),
     (8.79, 0.024, "impossible")],
)  # fmt: skip
def test_an_analysis_of_variance_is_that_of_its_trials(f: float, p: float, verdict: str) -> None:
    finding = found_by("anova_is", synthetic_claim(F=f, p=p), *rows(RUNS), of=OF)
    assert finding.verdict == verdict
    known = scipy.stats.f_oneway(RELU, GELU, SWISH)
    assert f"F = {known.statistic:.2f} and p = {known.pvalue:.4f}" in says(finding)
    assert finding.evidence[0].rows == ("relu", "gelu", "swish")


@pytest.mark.parametrize(
    ("pair", "p", "verdict"),
    [(("swish", "relu"), 0.019, "impossible"), (("swish", "gelu"), 0.031, "supported"),
     (("relu", "gelu"), 0.923, "impossible"), (("gelu", "relu"), 0.944, "supported")],
)  # fmt: skip
def test_tukeys_p_is_that_of_the_trials(pair: tuple[str, str], p: float, verdict: str) -> None:
    finding = found_by("tukey_is", synthetic_claim(value=p), *rows(RUNS), of=OF, pair=list(pair))
    assert finding.verdict == verdict
    groups = np.repeat(list(RUNS), 3)
    table = pairwise_tukeyhsd(np.concatenate([RELU, GELU, SWISH]), groups)
    names = [set(one) for one in itertools.combinations(table.groupsunique, 2)]
    expected = float(table.pvalues[names.index(set(pair))])
    assert abs(float(says(finding).split("p = ")[1].split()[0]) - expected) < 1e-4


def test_a_conclusion_stands_with_the_trials_whatever_p_is_printed() -> None:
    claim = synthetic_claim(relu_in_list=[1.5651, 1.5527, 1.5601])
    arguments: dict[str, Any] = {"of": OF, "reordered": {"relu": "relu_in_list"}}
    finding = found_by("significant_in_runs", claim, *rows(RUNS), **arguments)
    assert finding.verdict == "supported"
    told = says(finding)
    assert "p = 0.0165" in told
    assert f"Kruskal and Wallis {scipy.stats.kruskal(RELU, GELU, SWISH).pvalue:.3f}" in told
    assert "all relabelings 0.029" in told
    assert "seeds as blocks 0.048 or 0.053" in told
    # One pooled SD of 0.0201 and three trials: 3.07 of them.
    assert "must differ by 0.0616 for a t-test" in told
    negative = found_by("significant_in_runs", claim, *rows(RUNS), of=OF, claimed=False)
    assert negative.verdict == "contradicted"


def test_no_significance_is_supported_where_trials_show_none() -> None:
    accuracy = {"relu": [57.9, 59.4, 57.7], "gelu": [61.1, 59.1, 59.4], "swish": [58.2, 58.6, 59.5]}
    finding = found_by(
        "significant_in_runs", synthetic_claim(), *rows(accuracy), of=OF, claimed=False
    )
    assert finding.verdict == "supported"
    assert "p = 0.1838" in says(finding)


@pytest.mark.parametrize(
    ("trials", "claimed", "verdict"),
    [([[1, 2, 3]] * 3, False, "supported"), ([[1, 2, 3]] * 3, True, "contradicted"),
     ([[1, 1, 1]] * 3, False, "supported"), ([[1, 1, 1]] * 3, True, "contradicted")],
)  # fmt: skip
def test_trials_that_do_not_differ_are_not_significant(
    trials: list[list[float]], claimed: bool, verdict: str
) -> None:
    same = dict(zip(OF, trials, strict=True))
    finding = found_by(
        "significant_in_runs", synthetic_claim(), *rows(same), of=OF, claimed=claimed
    )
    assert finding.verdict == verdict


def test_all_ways_to_deal_the_trials_are_gone_through() -> None:
    small = {"a": [1.0, 2.0], "b": [5.0, 7.0], "c": [3.0, 4.5]}
    values = list(itertools.chain.from_iterable(small.values()))
    observed = scipy.stats.f_oneway(*small.values()).statistic
    deals = itertools.permutations(values)
    found = [scipy.stats.f_oneway(one[:2], one[2:4], one[4:]).statistic for one in deals]
    expected = np.mean(np.array(found) >= observed - 1e-9)
    assert relabelled_p(small) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "printed", "verdict"),
    [
        ("SD", 0.0051, "supported"),  # of n
        ("SD", 0.0062, "supported"),  # of n − 1
        ("SD", 0.0033, "impossible"),
        ("CV", 0.3, "supported"),
        ("CV", 0.2, "impossible"),
        ("variance", 0.000026, "supported"),
        ("variance", 0.00004, "supported"),  # 3.9e-5, to one digit
        ("variance", 0.00006, "impossible"),
    ],
)
def test_spreads_are_those_of_their_numbers(kind: str, printed: float, verdict: str) -> None:
    claim, row = synthetic_claim(spread=printed), synthetic_claim("relu", runs=RELU)
    assert found_by("spread_of", claim, row, kind=kind, of=["relu"]).verdict == verdict


def test_a_wrong_spread_is_named_for_what_it_is() -> None:
    means = [
        synthetic_claim("a", value=1.5555),
        synthetic_claim("b", value=1.554),
        synthetic_claim("c", value=1.4974),
    ]
    finding = found_by(
        "spread_of", synthetic_claim(spread=3.9), *means, kind="CV", of=["a", "b", "c"]
    )
    assert finding.verdict == "impossible"
    assert "is neither, but the range over the smallest in percent" in says(finding)


@pytest.mark.parametrize(
    ("printed", "verdict"), [(8.2, "supported"), (3.9, "supported"), (5.36, "contradicted")]
)
def test_a_range_is_that_of_one_of_the_printed_measures(printed: float, verdict: str) -> None:
    numbers = {"a": 0.648, "b": 0.701, "c": 1.4974, "d": 1.5555}
    others = [synthetic_claim(name, value=value) for name, value in numbers.items()]
    of = {"difference": ["a", "b"], "loss": ["c", "d"]}
    finding = found_by("relative_range_of", synthetic_claim(value=printed), *others, of=of)
    assert finding.verdict == verdict
    assert "8.18% (difference) and 3.88% (loss)" in says(finding)


@pytest.mark.parametrize(("bound", "verdict"), [(0.4, "contradicted"), (0.8, "supported")])
def test_printed_ranges_stay_below_what_is_claimed(bound: float, verdict: str) -> None:
    others = (
        synthetic_claim("wide", low=27.47, high=28.19),
        synthetic_claim("one", value=3.1),
        synthetic_claim("two", value=3),
    )
    of = {"CharLM": ["wide"], "another": ["one", "two"]}
    assert (
        found_by("range_is_below", synthetic_claim(value=bound), *others, of=of).verdict == verdict
    )


@pytest.mark.parametrize(("name", "verdict"), [("relu", "supported"), ("swish", "contradicted")])
def test_the_most_stable_has_the_least_spread(name: str, verdict: str) -> None:
    finding = found_by("least_spread", synthetic_claim(), *rows(RUNS), of=OF, activation=name)
    assert finding.verdict == verdict


@pytest.mark.parametrize(
    ("few", "enough", "verdict"),
    [(3, [10, 20], "supported"), (2, [10], "supported"), (3, [9], "contradicted"),
     (10, [20], "contradicted")],
)  # fmt: skip
def test_few_trials_show_nothing_and_ten_show_one_sd(
    few: int, enough: list[int], verdict: str
) -> None:
    # science.md 3.3: ten pairs for one standard deviation at 0.05 and power 0.8.
    finding = found_by("runs_suffice", synthetic_claim(), few=few, enough=enough)
    assert finding.verdict == verdict
    unpaired = TTestIndPower().solve_power(nobs1=few, alpha=0.05, power=0.8)
    assert f"{unpaired:.2f} with {few}" in says(finding)


def test_two_trials_are_one_pair_and_one_activation_no_comparison() -> None:
    finding = found_by("no_pairs_to_spread", synthetic_claim(), runs=2)
    assert (finding.verdict, "2 runs have 1 pair" in says(finding)) == ("inconclusive", True)
    assert finding.settles == "more than 2 seeds, with the difference of every pair"
    too_few = found_by("no_pairs_to_spread", synthetic_claim(), runs=2, claimed=True)
    assert too_few.verdict == "supported"
    finding = found_by("one_arm_has_power", synthetic_claim(), one=15, several=[3, 5])
    assert finding.verdict == "contradicted"
    assert "2.24 times" in says(finding)


def _results(
    scores: Mapping[str, Sequence[float]],
    *,
    scale: str = "full",
    model: str = "charlm",
    measure: str = LOSS,
    verdict: str = "inconclusive",
    settle: dict[str, Any] | None = None,
    omnibus: dict[str, Any] | None = None,
) -> ModelResults:
    """A model's results, as far as the checks read them: runs, their means, and contrasts."""
    names = list(scores)
    seeds = [42 + place for place in range(len(scores[names[0]]))]

    def entry(values: Sequence[float]) -> dict[str, Any]:
        by_seed = dict(zip(map(str, seeds), values, strict=True))
        interval = [float(min(values)), float(max(values))]
        mean = float(np.mean(values))
        return {"value": mean, "interval": interval, "n": len(seeds), "by_seed": by_seed}

    def cell(values: Sequence[float]) -> dict[str, Any]:
        part = "differences" if "pairs" in measure else "metrics"
        empty: dict[str, Any] = {"metrics": {}, "differences": {}, "failed_gates": ["learned"]}
        return {**empty, part: {measure: entry(values)}}

    def contrast(a: str, b: str) -> dict[str, Any]:
        less = [x - y for x, y in zip(scores[a], scores[b], strict=True)]
        more = {"metric": measure, "a": a, "b": b, "verdict": verdict, "failed_gates": []}
        return {**entry(less), **more, "seeds_to_settle": settle}

    final = {
        "cells": {name: cell(values) for name, values in scores.items()},
        "contrasts": [contrast(a, b) for a, b in itertools.combinations(names, 2)],
        "omnibus": {measure: omnibus},
    }
    stats = {"model": model, "activations": names, "seeds": seeds, "rules": {"final": final}}
    return ModelResults(f"results/{scale}/{model}/stats.json", stats)


FAR = {"relu": [1.0, 1.1, 1.2, 1.3, 1.4], "gelu": [2.0, 2.1, 2.2, 2.3, 2.4]}
NEAR = {"relu": [1.0, 1.2, 1.1, 1.4, 1.3], "gelu": [1.1, 1.1, 1.2, 1.3, 1.3]}


def _grown(scores: Mapping[str, Sequence[float]], times: int) -> dict[str, list[float]]:
    return {name: [*values] * times for name, values in scores.items()}


@pytest.mark.parametrize(
    ("own", "other", "verdict", "more"),
    [
        (_grown(FAR, 2), _grown(NEAR, 2), "supported", {}),
        (_grown(FAR, 2), _grown(FAR, 2), "contradicted", {}),
        (_grown(NEAR, 2), _grown(NEAR, 2), "inconclusive", {}),
        (_grown(NEAR, 2), _grown(NEAR, 2), "contradicted", {"verdict": "equivalent"}),
        (FAR, NEAR, "inconclusive", {}),
    ],
)
def test_only_one_model_differs(
    own: dict[str, list[float]], other: dict[str, list[float]], verdict: str, more: dict[str, Any]
) -> None:
    claim = of_model("full", "charlm", "relu", "gelu")
    models = [_results(own, **more), _results(other, model="minigpt")]
    arguments: dict[str, Any] = {"measure": LOSS}
    # `models` is also an argument of the check: it is put directly.
    table = Table({claim.id: claim}, {})
    results = Results(STUDY, {("full", one.stats["model"]): one for one in models})
    call = {"check": "only_one_differs", "models": ["charlm", "minigpt"], **arguments}
    finding = put(claim, call, Context(table, results))
    assert finding.verdict == verdict
    keys = {number.key for number in finding.evidence[0].numbers}
    assert f"rules.final.cells.relu.metrics.{LOSS}" in keys
    assert "failed the gate learned" in says(finding)
    if own is FAR:
        # Five seeds of two activations: p is 1/16 at the least; Holm doubles it.
        assert finding.settles.startswith("7 seeds")


def _none_differs(scores: Mapping[str, Sequence[float]]) -> Finding:
    claim = of_model("partial", "charlm", "relu", "gelu")
    results = Results(STUDY, {("partial", "charlm"): _results(scores, scale="partial")})
    call = {"check": "none_differs", "models": ["charlm"], "measure": LOSS}
    return put(claim, call, Context(Table({claim.id: claim}, {}), results))


def test_that_none_differs_needs_seeds_that_could_show_it() -> None:
    assert _none_differs(_grown(NEAR, 2)).verdict == "supported"
    assert _none_differs(_grown(FAR, 2)).verdict == "contradicted"
    blind = _none_differs(FAR)
    assert blind.verdict == "inconclusive"
    assert blind.settles.startswith("6 seeds")


def test_models_that_were_not_run_are_all_asked_for() -> None:
    claim = of_model("full", "charlm", "relu", "gelu")
    call = {"check": "none_differs", "models": ["charlm", "minigpt"], "measure": LOSS}
    finding = put(claim, call, Context(Table({claim.id: claim}, {}), Results(STUDY)))
    assert finding.verdict == "not run"
    assert finding.settles == (
        "snakemake --cores 2 results/full/charlm/stats.json results/full/minigpt/stats.json"
    )


def test_activations_that_were_not_run_are_named() -> None:
    claim = of_model("full", "charlm", "relu", "gelu", "swiglu")
    finding = found_by(
        "cv_beats_noise", claim, models=[_results(FAR, measure=TV)], measure=TV, above=10
    )
    assert finding.verdict == "not run"
    assert finding.settles.endswith("--config activations=relu,gelu,swiglu")


@pytest.mark.parametrize(
    ("scores", "p", "verdict"),
    [(FAR, 0.01, "supported"), (FAR, 0.2, "inconclusive"), (FAR, None, "inconclusive"),
     (NEAR, 0.01, "contradicted")],
)  # fmt: skip
def test_a_spread_between_activations_is_set_against_seeds(
    scores: dict[str, list[float]], p: float | None, verdict: str
) -> None:
    omnibus = None if p is None else {"p": p}
    claim = of_model("cpu500", "charlm", "relu", "gelu")
    model = _results(scores, scale="cpu500", measure=TV, omnibus=omnibus)
    finding = found_by("cv_beats_noise", claim, models=[model], measure=TV, above=10)
    assert finding.verdict == verdict


# What the documents' numbers were known to give before the checks were written.
KNOWN = {
    "charlm-anova": "impossible",
    "charlm-tukey-swish-relu": "impossible",
    "charlm-tukey-swish-gelu": "supported",
    "charlm-tukey-relu-gelu": "impossible",
    "charlm-f-test": "supported",
    "charlm-accuracy-not-significant": "supported",
    "charlm-between-variance": "impossible",
    "charlm-within-variance": "impossible",
    "charlm-5-36-variance": "contradicted",
    "charlm-8-2-to-5-36": "contradicted",
    "activation-accuracy-impact-below-0-4": "contradicted",
    "nano-h0-not-rejected": "not run",
    "readme-sensitivity-label": "not run",
}


def test_every_row_on_statistics_has_a_verdict_without_any_results() -> None:
    table = whole_table()
    context = Context(table, Results(STUDY))
    rows_here = [claim for claim in table.claims.values() if claim.kind == "statistic"]
    assert len(rows_here) == 20
    verdicts = {claim.id: judge(claim, context).verdict for claim in rows_here}
    assert set(verdicts.values()) <= set(VERDICTS)
    assert {id_: verdicts[id_] for id_ in KNOWN} == KNOWN
