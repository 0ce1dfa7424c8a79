"""Checks of definitions, both ways: a right formula passes, a wrong one does not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from audit_fixture import CLAIMS
from protocol_checks import check, claim, files, printed, stats, verdicts_on, words

from actrepro.audit.claims import Claim, read_table
from actrepro.audit.facts import activation_facts
from actrepro.audit.findings import Finding
from actrepro.audit.results import ModelResults, Results
from actrepro.config.reading import default_study
from actrepro.core import paths

STUDY = default_study()
FACTS: dict[str, Any] = {
    "activations": activation_facts(),
    "parameters_swiglu": {"cut_width": 429_908, "full_width": 561_920},
}


def changed(*keys: str, to: Any) -> dict[str, Any]:
    """The facts with one of them changed."""
    facts = copy.deepcopy(FACTS)
    there: Any = facts
    for key in keys[:-1]:
        there = there[key]
    there[keys[-1]] = to
    return facts


def of_facts(
    name: str, one: Claim, facts: dict[str, Any] | None = FACTS, **arguments: Any
) -> Finding:
    return check(name, one, given=Results(STUDY, facts=facts), **arguments)


def named(*activations: str, **more: Any) -> Claim:
    return claim(activations=activations, printed=more)


# --- activations ------------------------------------------------------------------------


def test_the_printed_smelu_is_none() -> None:
    found = of_facts("smelu_as_stated", claim(), within=1e-6)
    assert found.verdict == "contradicted"
    assert "gives −0.5, 0, 0.622, SmeLU 0, 0.125, 0.5" in words(found)
    assert "jumps from 1 to 1.462" in words(found)
    assert len(found.evidence[0].numbers) == 6


def test_a_formula_with_smelus_values_would_pass() -> None:
    assert of_facts("smelu_as_stated", claim(), within=1).verdict == "supported"


@pytest.mark.parametrize(
    ("name", "verdict"), [("Smooth RELU", "supported"), ("Smooth Unit", "contradicted")]
)
def test_names(name: str, verdict: str) -> None:
    one = claim(printed={"name": name})
    assert check("name_is", one, literature="Smooth reLU", source="They").verdict == verdict


def test_smelu_is_relu_but_for_its_corner() -> None:
    one = named("smelu_05", "smelu_1")
    assert of_facts("rounds_relus_corner", one, within=1e-6).verdict == "supported"
    for key, value in (("gap", 0.2), ("x", 0.1)):
        wrong = changed("activations", "smelu_1", "farthest_from_relu", key, to=value)
        found = of_facts("rounds_relus_corner", one, wrong, within=1e-6)
        assert found.verdict == "contradicted"


@pytest.mark.parametrize("name", ["relu", "gelu", "swish"])
def test_printed_formulas(name: str) -> None:
    found = of_facts("formula_is", named(name), within=1e-6)
    assert found.verdict == "supported"
    values = list(FACTS["activations"][name]["y"])
    values[3] += 1e-4
    wrong = changed("activations", name, "y", to=values)
    found = of_facts("formula_is", named(name), wrong, within=1e-6)
    assert (found.verdict, found.evidence[0].numbers[0].key) == (
        "contradicted",
        f"activations.{name}.y.3",
    )


def test_relu_has_no_jump() -> None:
    found = of_facts("jumps_at_zero", named("relu"))
    assert found.verdict == "contradicted"
    assert "Its slope jumps by 1." in words(found)
    wrong = changed("activations", "relu", "jump_at_zero", to=0.5)
    assert of_facts("jumps_at_zero", named("relu"), wrong).verdict == "supported"


def test_gelu_draws_nothing() -> None:
    assert of_facts("is_random", named("gelu")).verdict == "contradicted"
    wrong = changed("activations", "gelu", "repeatable", to=False)
    assert of_facts("is_random", named("gelu"), wrong).verdict == "supported"


@pytest.mark.parametrize(
    ("said", "verdict"), [(-0.18, "contradicted"), (-0.19, "supported"), (-0.1888, "supported")]
)
def test_a_printed_value_to_its_last_digit(said: float, verdict: str) -> None:
    found = of_facts("value_is", named("swish", value=said), at=-0.5)
    assert found.verdict == verdict
    assert "swish(−0.5) is −0.1888" in words(found)


def test_a_value_beside_the_grid_needs_other_facts() -> None:
    found = of_facts("value_is", named("swish", value=-0.18), at=-0.55)
    assert (found.verdict, found.settles) == ("not run", f"snakemake --cores 2 {paths.FACTS}")


def test_swish_learns_nothing() -> None:
    assert of_facts("is_learned", named("swish")).verdict == "contradicted"
    wrong = changed("activations", "swish", "parameters", to=1)
    assert of_facts("is_learned", named("swish"), wrong).verdict == "supported"


@pytest.mark.parametrize(
    ("name", "verdict"), [("swish", "supported"), ("gelu", "supported"), ("relu", "contradicted")]
)
def test_swish_is_bounded_below_and_not_monotone(name: str, verdict: str) -> None:
    found = of_facts("bounded_below_only", named(name))
    assert found.verdict == verdict
    assert files(found) == {paths.FACTS}
    if name == "swish":
        assert "least at −1.278, −0.2785" in words(found)


def test_swiglu_without_a_width_is_not_testable() -> None:
    one, count = named("swiglu"), printed("count", 430_000)
    given = Results(STUDY, facts=FACTS)
    found = check("widths_untold", one, count, given=given, parameters="count")
    assert found.verdict == "not testable"
    assert "561,920" in words(found)
    without = check("widths_untold", one, count, given=Results(STUDY), parameters="count")
    assert without.verdict == "not run"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("smelu_as_stated", {"within": 1e-6}),
        ("rounds_relus_corner", {"within": 1e-6}),
        ("formula_is", {"within": 1e-6}),
        ("jumps_at_zero", {}),
        ("is_random", {}),
        ("value_is", {"at": -0.5}),
        ("is_learned", {}),
        ("bounded_below_only", {}),
    ],
)
def test_without_facts_activations_are_not_run(name: str, arguments: dict[str, Any]) -> None:
    activation = "smelu_1" if "relus" in name else "swish"
    found = of_facts(name, named(activation, value=-0.18), None, **arguments)
    assert (found.verdict, found.settles) == ("not run", f"snakemake --cores 2 {paths.FACTS}")


# --- prediction differences -------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ([0.5094, 0.4958], "contradicted"),
        ([0.835, 0.826], "supported"),
        ([0.84, 0.83], "supported"),
    ],
)
def test_shares_follow_from_counts(shares: list[float], verdict: str) -> None:
    rows = [printed(f"share-{i}", value) for i, value in enumerate(shares)]
    rows += [printed("count-0", 835), printed("count-1", 826)]
    arguments = {"shares": ["share-0", "share-1"], "counts": ["count-0", "count-1"], "of": 1000}
    found = check("share_of_counts", claim(), *rows, **arguments)
    assert found.verdict == verdict
    assert len(found.evidence[0].rows) == 4


@pytest.mark.parametrize(
    ("value", "verdict"), [(835, "supported"), (1001, "contradicted"), (0.5, "contradicted")]
)
def test_counts_are_whole_and_in_range(value: float, verdict: str) -> None:
    arguments: dict[str, Any] = {"of": ["count"], "whole": True}
    found = check(
        "lies_within", claim(printed={"low": 0, "high": 1000}), printed("count", value), **arguments
    )
    assert found.verdict == verdict


def test_no_share_is_above_one() -> None:
    rows = (printed("a", 0.9051), printed("b", 1.0739))
    one = claim(printed={"low": 0, "high": 1})
    found = check("lies_within", one, *rows, of=["a", "b"])
    assert (found.verdict, found.evidence[0].rows) == ("contradicted", ("a", "b"))
    assert "1.0739 is printed, outside 0 to 1" in words(found)
    assert check("lies_within", one, *rows, of=["a"]).verdict == "supported"


@pytest.mark.parametrize(
    ("said", "verdict"), [(0.896534, "contradicted"), (0.8246, "supported"), (0.7, "supported")]
)
def test_shares_are_bounded_by_accuracies(said: float, verdict: str) -> None:
    rows = (printed("pd", said), printed("accuracy", runs=[58.2, 58.6, 59.5]))
    found = check("differences_are_shares", claim(), *rows, cells={"pd": "accuracy.runs"})
    assert (found.verdict, found.evidence[0].rows) == (verdict, ("pd", "accuracy"))
    if verdict == "contradicted":
        assert "0.8247 is the most" in words(found)


@pytest.mark.parametrize(("value", "verdict"), [(1.05, "supported"), (8.4, "contradicted")])
def test_a_measure_gives_the_printed_numbers_or_not(value: float, verdict: str) -> None:
    made = stats({"relu": 2.6})
    entry = {"value": value, "interval": None, "n": 3}
    made["rules"]["final"]["cells"]["relu"]["differences"] = {"rpd": entry}
    given = Results(STUDY, models={("cpu500", "charlm"): ModelResults("a file", made)})
    one = claim(scale="cpu500")
    row = printed("pd", 1.0739, model="charlm", activations=["relu"])
    arguments: dict[str, Any] = {"measure": "rpd", "rows": ["pd"], "within": 0.1}
    found = check("relative_form_gives", one, row, given=given, **arguments)
    assert (found.verdict, found.evidence[0].numbers[0].measure) == (verdict, "rpd")
    other = printed("pd", 1.0739, model="charlm", activations=["gelu"])
    for missing in (
        check("relative_form_gives", one, other, given=given, **arguments),
        check("relative_form_gives", one, row, given=Results(STUDY), **arguments),
    ):
        assert (missing.verdict, missing.settles) == (
            "not run",
            "snakemake --cores 2 results/cpu500/charlm/stats.json",
        )


@pytest.mark.parametrize(
    ("loss", "accuracy", "verdict"),
    [(0.0077, 41.97, "contradicted"), (0.0077, 98.9, "supported"), (1.5, 58.0, "supported")],
)
def test_a_low_loss_needs_a_high_accuracy(loss: float, accuracy: float, verdict: str) -> None:
    rows = (printed("loss", loss), printed("accuracy", accuracy))
    found = check("loss_fits_accuracy", claim(), *rows, cells={"loss": "accuracy"})
    assert found.verdict == verdict


# --- spreads and classes ----------------------------------------------------------------

MEANS = tuple(printed(f"mean-{i}", mean) for i, mean in enumerate((1.4974, 1.554, 1.5555)))


@pytest.mark.parametrize(("said", "verdict"), [(3.9, "contradicted"), (1.8, "supported")])
def test_a_range_is_no_variance(said: float, verdict: str) -> None:
    rows = [row.id for row in MEANS]
    found = check("variance_is_a_range", printed("v", said), *MEANS, of=rows)
    assert found.verdict == verdict
    assert "range over the smallest is 3.88%" in words(found)
    assert "0.00110" in words(found)


@pytest.mark.parametrize(("spread", "verdict"), [(0.0044, "supported"), (0.0062, "contradicted")])
def test_the_printed_spread_has_divisor_n(spread: float, verdict: str) -> None:
    row = printed("loss", 2.6269, spread=spread, runs=[2.6226, 2.6313])
    assert check("divisor_is_n", claim(), row, rows=["loss"]).verdict == verdict


@pytest.mark.parametrize(
    ("ignored", "heeded", "verdict"),
    [(0.0, 0.03, "artefact"), (0.0, 0.0, "supported"), (0.01, 0.03, "supported")],
)
def test_a_threshold_of_zero_tells_what_is_connected(
    ignored: float, heeded: float, verdict: str
) -> None:
    numbers = {"loss_range": {"control": ignored, "honest": heeded}}
    given = Results(STUDY, controls={"not_wired": {"numbers": numbers}})
    arguments = {"control": "not_wired", "quantity": "loss_range"}
    found = check("no_difference_is_no_wiring", claim(), given=given, **arguments)
    assert found.verdict == verdict
    assert files(found) == {"results/audit/controls/not_wired.json"}
    without = check("no_difference_is_no_wiring", claim(), given=Results(STUDY), **arguments)
    assert (without.verdict, without.settles) == (
        "not run",
        "snakemake --cores 2 results/audit/controls/not_wired.json",
    )


@pytest.mark.parametrize(
    ("size", "percent", "verdict"),
    [
        (10_795_776, 3.9, "contradicted"),
        (10_795_776, 0, "supported"),
        (430_000, 3.9, "supported"),
    ],
)
def test_a_large_model_with_a_difference(size: int, percent: float, verdict: str) -> None:
    rows = (printed("size", size), printed("difference", full=percent))
    arguments = {"parameters": "size", "difference": "difference", "printed": "full"}
    found = check("large_models_differ", printed("t", 5_000_000), *rows, **arguments)
    assert found.verdict == verdict


# --- the rows themselves ----------------------------------------------------------------

VERDICTS = {
    "def-smelu": "contradicted",
    "def-smelu-name": "contradicted",
    "def-smelu-smooth-relu": "supported",
    "def-relu": "contradicted",
    "def-gelu": "supported",
    "def-gelu-stochastic": "contradicted",
    "def-swish": "supported",
    "def-swish-minus-half": "contradicted",
    "def-swish-learned-gate": "contradicted",
    "def-swish-bounded": "supported",
    "def-swiglu": "not testable",
    "def-pd-top1": "contradicted",
    "def-top1-count": "supported",
    "def-pd-pairwise": "contradicted",
    "def-pd-divergence": "contradicted",
    "def-val-loss": "contradicted",
    "def-val-accuracy": "supported",
    "def-activation-variance": "contradicted",
    "def-cv": "supported",
    "def-insensitive-threshold-5m": "contradicted",
    "def-sd-population": "supported",
    "def-pd-shamir": "not run",
    "def-sensitive-class": "not run",
}


def test_verdicts_on_rows() -> None:
    given = Results(STUDY, facts=FACTS)
    assert verdicts_on(read_table(CLAIMS), given, *VERDICTS) == VERDICTS
