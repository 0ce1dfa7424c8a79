"""Plans agree with `actrepro.statistics.power`; levels and inconclusive contrasts are right."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from synthetic_scale import Scale, make_scale

from actrepro.measures import PRIMARY
from actrepro.results.contrasts import family
from actrepro.results.verdicts import INCONCLUSIVE, UNSOUND
from actrepro.statistics.inference import smallest_p
from actrepro.statistics.planning import (
    FEW_SEEDS,
    MOST_SEEDS,
    SEEDS,
    plan_of,
    planning,
    reach,
    seeds_needed,
    undecided,
)
from actrepro.statistics.power import detectable


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder = tmp_path_factory.mktemp("scale")
    return make_scale(folder, models=("charlm",), activations=("relu", "gelu", "elu"))


def test_a_plan_is_what_power_says(scale: Scale) -> None:
    plan = plan_of(scale.numbers, "charlm")
    assert plan is not None
    assert plan["contrasts"] == 3
    sds = sorted(one["sd"] for one in family(scale.numbers, "charlm", PRIMARY))
    for name, sd in zip(("least", "median", "most"), sds, strict=True):
        assert plan[name]["sd"] == sd
        wanted = [detectable(sd, n, 0.05, 3) for n in plan["seeds"]]
        assert plan[name]["detectable"] == pytest.approx(wanted)


def test_it_begins_where_the_exact_test_can_reach_the_level(scale: Scale) -> None:
    plan = plan_of(scale.numbers, "charlm")
    assert plan is not None
    first = plan["seeds"][0]
    assert smallest_p(first) < 0.05 / 3 <= smallest_p(first - 1)
    assert plan["seeds"][-1] == MOST_SEEDS
    assert plan["seeds"] == sorted(set(plan["seeds"]))
    sizes = plan["median"]["detectable"]
    assert sizes == sorted(sizes, reverse=True)


def test_unsound_contrasts_are_in_no_family(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    for one in family(numbers, "charlm", PRIMARY):
        if "relu" in (one["a"], one["b"]):
            one["verdict"] = UNSOUND  # type: ignore[index]
    plan = plan_of(numbers, "charlm")
    assert plan is not None
    assert plan["contrasts"] == 1


@pytest.mark.parametrize("case", [{"seeds": (1,)}, {"activations": ("relu",)}])
def test_what_cannot_be_planned_is_none(tmp_path: Path, case: dict[str, tuple[object]]) -> None:
    scale = make_scale(tmp_path, **{"models": ("charlm",), **case})  # type: ignore[arg-type]
    assert plan_of(scale.numbers, "charlm") is None


def test_choices_are_what_power_says(scale: Scale) -> None:
    result = planning(scale.numbers)
    assert result["p_smallest"] == [smallest_p(n) for n in SEEDS]
    assert [(one["activations"], one["pairs"]) for one in result["choices"]] == [(2, 1), (3, 3)]
    for one in result["choices"]:
        assert one["seeds_needed"] == seeds_needed(one["pairs"], 0.05)
        assert one["detectable"] == [detectable(1.0, n, 0.05, one["pairs"]) for n in SEEDS]


def test_examples_are_of_the_median_spread(scale: Scale) -> None:
    result = planning(scale.numbers)
    sd = result["plans"]["charlm"]["median"]["sd"]
    choices = [(one["activations"], one["seeds"]) for one in result["examples"]]
    assert choices == [(k, n) for k in (3, 2) for n in FEW_SEEDS]
    for one in result["examples"]:
        size = detectable(sd, one["seeds"], 0.05, one["pairs"])
        assert one["detectable"] == (None if size is None else pytest.approx([size, size]))


def test_one_activation_has_no_choice(tmp_path: Path) -> None:
    scale = make_scale(tmp_path, models=("charlm",), activations=("relu",))
    result = planning(scale.numbers)
    assert result["choices"] == result["examples"] == []


@pytest.mark.parametrize("tests", [1, 2, 15, 190])
def test_seeds_needed_is_the_fewest(tests: int) -> None:
    n = seeds_needed(tests, 0.05)
    assert tests * smallest_p(n) < 0.05 <= tests * smallest_p(n - 1)


def test_the_reach_is_that_of_the_exact_tests(scale: Scale) -> None:
    result = reach(scale.numbers)
    assert (result["p"], result["p_holm"]) == (smallest_p(3), 3 * smallest_p(3))
    omnibus = scale.numbers["models"]["charlm"]["rules"]["final"]["omnibus"][PRIMARY]
    assert result["p_omnibus"] == omnibus["p_smallest"]
    assert (result["contrasts"], result["seeds_needed"]) == (3, seeds_needed(3, 0.05))


def test_without_a_test_there_is_no_reach(tmp_path: Path) -> None:
    scale = make_scale(tmp_path, models=("charlm",), activations=("relu",))
    assert set(reach(scale.numbers).values()) == {None, 0}


def test_open_contrasts_ask_for_the_fewest_and_the_median_seeds(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    settling = [({"either": 5}, 0.02), ({"either": 9}, 0.03), ({"either": None}, None)]
    for one, (seeds, size) in zip(family(numbers, "charlm", PRIMARY), settling, strict=True):
        one.update(verdict=INCONCLUSIVE, seeds_to_settle=seeds, detectable=size)  # type: ignore[attr-defined]
    result = undecided(numbers)["final"][PRIMARY]
    assert result["models"] == {"charlm": result["together"]}
    assert result["together"] == {
        "contrasts": 3,
        "planned": 3,
        "settled": 2,
        "seeds": {"least": 5, "median": 9, "most": 9},
        "median_seeds": 9,
        "detectable": {"least": 0.02, "median": 0.03, "most": 0.03},
    }
    family(numbers, "charlm", PRIMARY)[0]["seeds_to_settle"] = {"either": None}  # type: ignore[index]
    family(numbers, "charlm", PRIMARY)[1]["seeds_to_settle"] = None  # type: ignore[index]
    result = undecided(numbers)["final"][PRIMARY]["together"]
    assert (result["planned"], result["settled"], result["seeds"]) == (2, 0, None)
    assert result["median_seeds"] is None
