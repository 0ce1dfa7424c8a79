"""Printed numbers, and checks of times, totals and prices: claims that hold or do not."""

from typing import Any

import pytest
import scipy.stats
from synthetic_claims import STUDY, says, synthetic_claim, whole_table

from actrepro.audit.checks.printed.times import operations_per_step
from actrepro.audit.claims import Claim, Table
from actrepro.audit.findings import VERDICTS, Finding
from actrepro.audit.printed import Printed, as_printed, computed, half_unit, look_up
from actrepro.audit.registry import Context, put
from actrepro.audit.results import Results
from actrepro.audit.verdicts import judge
from actrepro.core.errors import ActreproError


def context_of(*claims: Claim) -> Context:
    """A table of these rows, without any results."""
    return Context(Table({claim.id: claim for claim in claims}, {}), Results(STUDY))


def found_by(check: str, claim: Claim, *others: Claim, **arguments: Any) -> Finding:
    """What a check finds of a row beside others."""
    return put(claim, {"check": check, **arguments}, context_of(claim, *others))


def test_a_reference_is_a_key_a_row_a_rows_key_or_a_number() -> None:
    claim = synthetic_claim(total=3)
    others = (
        synthetic_claim("one", value=1.5),
        synthetic_claim("runs", runs=[1.25, 2]),
        synthetic_claim("x", a=7),
    )
    context = context_of(claim, *others)
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


def test_rounding_of_each_part_moves_what_is_computed_from_them() -> None:
    claim = synthetic_claim(parts=[1.0, 2.5, 3.0])
    one = computed(sum, [look_up(claim, context_of(claim), "parts")])
    assert one.value == 6.5
    assert one.slack == pytest.approx(0.15)
    assert one.agrees_with(Printed((6.7,), 0.05))
    assert not one.agrees_with(Printed((6.71,), 0.05))
    # A tolerance that the table gives counts instead.
    assert not one.agrees_with(Printed((6.7,), 0.05), within=0.1)


def test_digits_behind_the_point_can_be_told() -> None:
    claim = synthetic_claim(value=1.554)
    part = look_up(claim, context_of(claim), "value")
    assert part.half == pytest.approx(0.0005)
    assert part.to(4).half == pytest.approx(0.00005)
    assert look_up(claim, context_of(claim), "value", 4) == part.to(4)
    assert part.to(None) == part


def test_numbers_are_shown_without_idle_zeros() -> None:
    assert [as_printed(x) for x in (267.0, 11549.0, 0.00023)] == ["267", "11,549", "0.00023"]


@pytest.mark.parametrize(
    ("total", "verdict"),
    # Three parts and a total with one decimal may be 4 × 0.05 apart.
    [(12.6, "supported"), (12.8, "supported"), (12.9, "impossible"), (12.3, "impossible")],
)
def test_a_total_is_its_parts(total: float, verdict: str) -> None:
    claim = synthetic_claim(value=total, a=4.1, b=4.2)
    finding = found_by("sum_of", claim, synthetic_claim("c", value=4.3), of=["a", "b", "c"])
    assert finding.verdict == verdict
    assert "4.1 + 4.2 + 4.3 = 12.6" in says(finding)
    assert finding.evidence[0].rows == ("c",)


def test_a_sum_takes_away_and_changes_units() -> None:
    claim = synthetic_claim(value=200, a=300, b=100, minutes=5)
    assert found_by("sum_of", claim, of=["a"], less=["b"]).verdict == "supported"
    assert found_by("sum_of", claim, of=["a"], per=60, printed="minutes").verdict == "supported"
    wrong = found_by("sum_of", claim, of=["a", "b"], per=60, printed="minutes")
    assert wrong.verdict == "impossible"


def test_one_sum_for_several_lists_is_contradicted_by_another() -> None:
    claim = synthetic_claim(value=6)
    lists = (
        synthetic_claim("x", runs=[1, 2, 3]),
        synthetic_claim("y", runs=[2, 2, 2]),
        synthetic_claim("z", runs=[3, 3, 3]),
    )
    for of, verdict in (("x", "supported"), ("y", "supported"), ("z", "contradicted")):
        finding = found_by("sum_of", claim, *lists, of=[of], elsewhere=True)
        assert finding.verdict == verdict
    assert "3 + 3 + 3 = 9; 6 is printed" in says(finding)


@pytest.mark.parametrize(("wh", "verdict"), [(41.3, "supported"), (47.0, "impossible")])
def test_a_product_is_divided_into_its_unit(wh: float, verdict: str) -> None:
    # 40 W × 3716 s / 3600 = 41.29; a whole number of watts leaves room for 0.5 of 40.
    claim = synthetic_claim(value=wh, watt=40, seconds=3716)
    assert found_by("product_of", claim, of=["watt", "seconds"], per=3600).verdict == verdict


def test_a_ratio_tells_what_is_left_for_one_step() -> None:
    claim = synthetic_claim(partial=73, full=1238, ratio=17, wrong=19)
    finding = found_by("ratio_of", claim, of="full", to="partial", printed="ratio", steps=10)
    assert finding.verdict == "supported"
    assert "one step took 1.696 times as long" in says(finding)
    assert found_by("ratio_of", claim, of="full", to="partial", printed="wrong").verdict == (
        "impossible"
    )


def test_hours_are_minutes_over_sixty() -> None:
    right, wrong = synthetic_claim(m=129.1, value=2.15), synthetic_claim(m=129.1, value=2.17)
    assert found_by("ratio_of", right, of="m", to=60).verdict == "supported"
    assert found_by("ratio_of", wrong, of="m", to=60).verdict == "impossible"
    with pytest.raises(ActreproError, match="a single number"):
        found_by("ratio_of", synthetic_claim(m=[1, 2], value=3), of="m", to=60)


@pytest.mark.parametrize(("share", "verdict"), [(66, "supported"), (75, "impossible")])
def test_one_of_three_saves_two_thirds(share: float, verdict: str) -> None:
    assert (
        found_by("share_saved_is", synthetic_claim(value=share), of=[3], within=1).verdict
        == verdict
    )


def test_a_saving_above_all_that_was_spent_says_so() -> None:
    models = (synthetic_claim("a", minutes=30.0), synthetic_claim("b", minutes=40.0))
    of = {"a.minutes": 3, "b.minutes": 4}
    assert found_by("saving_is", synthetic_claim(value=50.0), *models, of=of).verdict == "supported"
    below = found_by("saving_is", synthetic_claim(value=60.0), *models, of=of)
    above = found_by("saving_is", synthetic_claim(value=80.0), *models, of=of)
    assert below.verdict == above.verdict == "impossible"
    assert "together took 70" in says(above)
    assert "together" not in says(below)


def test_a_total_of_all_activations_is_not_one_activations() -> None:
    arguments = {"total": "minutes", "runs": 12, "shortest": "low_s", "longest": "high_s"}
    all_of_them = synthetic_claim(value=1068, minutes=267.0, low_s=1286, high_s=1335)
    assert found_by("already_counted", all_of_them, **arguments).verdict == "impossible"
    one_of_four = synthetic_claim(value=1068, minutes=267.0, low_s=5200, high_s=5400)
    assert found_by("already_counted", one_of_four, **arguments).verdict == "supported"


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(3.0, "supported"), (2.98, "supported"), (2.9, "impossible")]
)
def test_a_total_holds_its_runs(minutes: float, verdict: str) -> None:
    claim = synthetic_claim(minutes=minutes, runs=[60, 60, 60])
    assert found_by("holds_its_runs", claim, of=["runs"]).verdict == verdict


def test_the_shortest_of_so_many_runs_is_the_least_they_take() -> None:
    claim = synthetic_claim(minutes=10.0, shortest=61.0)
    assert found_by("holds_its_runs", claim, of=["shortest"], times=9).verdict == "supported"
    assert found_by("holds_its_runs", claim, of=["shortest"], times=10).verdict == "impossible"


@pytest.mark.parametrize(
    ("count", "verdict"), [(33, "supported"), (99, "supported"), (39, "contradicted")]
)
def test_experiments_are_all_cells_or_all_trainings(count: int, verdict: str) -> None:
    claim = synthetic_claim(value=count)
    finding = found_by("counted_in_one_unit", claim, cells=[[30, 3]], runs_per_cell=3)
    assert finding.verdict == verdict


@pytest.mark.parametrize(
    ("printed", "within", "verdict"),
    [
        ({"value": 36}, 1.25, "supported"),
        ({"value": 35.9}, 1.25, "contradicted"),
        ({"low": 20, "high": 36}, 1.25, "supported"),
        ({"low": 57, "high": 90}, 1.25, "contradicted"),
        ({"low": 10, "high": 20}, 2.25, "supported"),
    ],
)
def test_two_statements_of_one_amount_are_within_a_factor(
    printed: dict[str, float], within: float, verdict: str
) -> None:
    others = (synthetic_claim("a", value=5), synthetic_claim("b", low=30, high=40))
    arguments = {"against": ["a", "b.low", "b.high"], "times": 0.6, "within": within}
    finding = found_by("same_amount", synthetic_claim(**printed), *others, **arguments)
    assert finding.verdict == verdict  # 0.6 × (5 + 30 + 40) = 45


def test_a_range_elsewhere_counts_with_both_ends() -> None:
    other = synthetic_claim("other", low=5, high=10)
    arguments: dict[str, Any] = {"against": ["other"], "times": 12, "per": 60, "within": 1}
    touching = found_by(
        "same_amount", synthetic_claim(low=2, high=3, unit="hours"), other, **arguments
    )
    assert touching.verdict == "contradicted"
    assert "2 to 3 hours; printed elsewhere (S0, lines 1): 1 to 2 hours" in says(touching)
    wider = {**arguments, "within": 2}
    assert (
        found_by("same_amount", synthetic_claim(low=2, high=3), other, **wider).verdict
        == "supported"
    )
    held = found_by("same_amount", synthetic_claim(value=1.5), other, **arguments)
    assert held.verdict == "supported"


@pytest.mark.parametrize(("minutes", "verdict"), [(5, "supported"), (1, "contradicted")])
def test_runs_take_their_iterations_at_the_pace_of_others(minutes: float, verdict: str) -> None:
    pace = synthetic_claim("pace", value=22.9)
    arguments: dict[str, Any] = {"pace": "pace", "steps": 100, "iterations": [500], "runs": 3}
    finding = found_by("at_pace", synthetic_claim(value=minutes), pace, within=1.25, **arguments)
    assert finding.verdict == verdict
    assert "5.725" in says(finding)


def test_a_sweep_grows_with_the_sizes() -> None:
    known = synthetic_claim("known", hours=2.0)
    arguments: dict[str, Any] = {"sizes": "sizes", "base": 10, "of": {"known.hours": 1}}
    arguments["in_units"] = "million parameters"
    claim = synthetic_claim(value=40, sizes=[10, 90])
    assert found_by("sweep_is", claim, known, within=2, **arguments).verdict == "supported"
    assert found_by("sweep_is", claim, known, within=1.9, **arguments).verdict == "contradicted"


def test_a_price_follows_from_the_row_that_has_one() -> None:
    price = synthetic_claim("price", low=400, high=800, hours=200)
    arguments: dict[str, Any] = {"hours": "minutes", "price_of": "price"}
    small = synthetic_claim(low=9, high=18, minutes=267)
    large = synthetic_claim(low=400, high=800, minutes=267)
    assert found_by("price_fits", small, price, **arguments).verdict == "supported"
    finding = found_by("price_fits", large, price, **arguments)
    assert finding.verdict == "contradicted"
    assert "8.9 to 17.8 dollars" in says(finding)
    assumed = found_by("price_is_assumed", price)
    assert assumed.verdict == "not testable"
    assert "2 to 4 dollars an hour" in says(assumed)


def test_operations_of_the_two_models_are_those_counted_by_hand() -> None:
    full, cpu = (STUDY.protocols[scale] for scale in ("full", "cpu"))
    assert operations_per_step(full, 65) == pytest.approx(1.10e12, rel=0.01)
    assert operations_per_step(cpu, 65) == pytest.approx(1.07e10, rel=0.01)


@pytest.mark.parametrize(("ratio", "verdict"), [(120, "supported"), (15000, "contradicted")])
def test_times_of_a_step_are_as_its_work(ratio: float, verdict: str) -> None:
    finding = found_by(
        "speed_fits_work",
        synthetic_claim(ratio=ratio),
        large="full",
        small="cpu",
        model="charlm",
        symbols=65,
        within=10,
    )
    assert finding.verdict == verdict
    assert "103.4 times" in says(finding)


@pytest.mark.parametrize(
    ("successes", "of", "share", "verdict"),
    [
        (4, 5, 80, "inconclusive"),
        (80, 100, 80, "supported"),
        (4, 5, 20, "contradicted"),
    ],
)
def test_a_share_of_few_cases_is_no_probability(
    successes: int, of: int, share: float, verdict: str
) -> None:
    finding = found_by("share_of_few", synthetic_claim(share=share), successes=successes, of=of)
    assert finding.verdict == verdict


def test_the_interval_of_few_cases_is_the_beta_quantiles() -> None:
    # Clopper and Pearson's own formula.
    low, high = scipy.stats.beta.ppf(0.025, 4, 2), scipy.stats.beta.ppf(0.975, 5, 1)
    finding = found_by("share_of_few", synthetic_claim(share=80), successes=4, of=5)
    assert f"{100 * low:.0f} to {100 * high:.0f}%" in says(finding)
    needed = int(finding.settles.split()[1])
    reach = [
        max(0.8 - found.low, found.high - 0.8)
        for n in (needed - 1, needed)
        for found in [scipy.stats.binomtest(round(0.8 * n), n).proportion_ci()]
    ]
    assert reach[1] <= 0.1 < reach[0]


def test_what_needs_a_machine_is_not_testable() -> None:
    finding = found_by("hardware_bound", synthetic_claim(), machine="a GB10", what="load")
    assert (finding.verdict, says(finding)) == (
        "not testable",
        "Load on a GB10, of a program that was not kept.",
    )
    claim = synthetic_claim(value=35)
    others = (
        synthetic_claim("b", value=5),
        synthetic_claim("c", value=408),
        synthetic_claim("d", value=1414),
    )
    finding = found_by("ratio_elsewhere", claim, *others, of="value", to="b", elsewhere=["c", "d"])
    assert finding.verdict == "not testable"
    assert "7 times as long as the model here, and 0.2885 times" in says(finding)


# What the arithmetic of the documents was known to give before the checks were written.
KNOWN = {
    "cost-total-runtime": "impossible",
    "cost-savings-800": "impossible",
    "cost-minigpt-1068": "impossible",
    "cost-experiment-counts": "contradicted",
    "cost-nano-per-activation": "contradicted",
    "cost-nano-saving": "supported",
    "cost-cpu-full-3020s": "contradicted",
    "cost-gpu-estimate-10min": "contradicted",
    "cost-scale-sweep-40h": "contradicted",
    "cost-dollar-per-model": "contradicted",
    "cost-quick-test": "not run",
    "cost-readme-three-models-cpu": "contradicted",
    "cost-readme-charlm-cpu": "contradicted",
    "cost-full-charlm": "not testable",
    "cost-training-time-17x": "not testable",
}


def test_every_row_on_costs_has_a_verdict_without_any_results() -> None:
    table = whole_table()
    context = Context(table, Results(STUDY))
    rows = [claim for claim in table.claims.values() if claim.kind == "cost"]
    assert len(rows) == 42
    verdicts = {claim.id: judge(claim, context).verdict for claim in rows}
    assert set(verdicts.values()) <= set(VERDICTS)
    assert {id_: verdicts[id_] for id_ in KNOWN} == KNOWN
