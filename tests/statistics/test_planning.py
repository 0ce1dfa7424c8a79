"""Plans say what `actrepro.statistics.power` says, from the fewest seeds that can test at all."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from synthetic_scale import Scale, make_scale

from actrepro.measures import PRIMARY
from actrepro.results.contrasts import family
from actrepro.statistics.inference import smallest_p
from actrepro.statistics.planning import MOST_SEEDS, plan_of
from actrepro.statistics.power import detectable


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder = tmp_path_factory.mktemp("scale")
    return make_scale(folder, models=("charlm",), activations=("relu", "gelu", "elu"))


def test_a_plan_is_what_power_says(scale: Scale) -> None:
    plan = plan_of(scale.numbers, "charlm")
    assert plan is not None
    assert plan.family == 3
    contrasts = family(scale.numbers, "charlm", PRIMARY)
    assert plan.sds == sorted(one["sd"] for one in contrasts)
    assert plan.typical == plan.sds[1]
    wanted = [detectable(plan.typical, n, 0.05, 3) for n in plan.seeds]
    assert plan.detectable(plan.typical) == pytest.approx(wanted)


def test_it_begins_where_the_exact_test_can_reach_the_level(scale: Scale) -> None:
    plan = plan_of(scale.numbers, "charlm")
    assert plan is not None
    first = plan.seeds[0]
    assert smallest_p(first) < 0.05 / 3 <= smallest_p(first - 1)
    assert plan.seeds[-1] == MOST_SEEDS
    assert list(plan.seeds) == sorted(set(plan.seeds))
    assert list(plan.sizes) == sorted(plan.sizes, reverse=True)


def test_unsound_contrasts_are_in_no_family(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    for one in family(numbers, "charlm", PRIMARY):
        if "relu" in (one["a"], one["b"]):
            one["verdict"] = "unsound"  # type: ignore[index]
    plan = plan_of(numbers, "charlm")
    assert plan is not None
    assert plan.family == 1


@pytest.mark.parametrize("case", [{"seeds": (1,)}, {"activations": ("relu",)}])
def test_what_cannot_be_planned_is_none(tmp_path: Path, case: dict[str, tuple[object]]) -> None:
    scale = make_scale(tmp_path, **{"models": ("charlm",), **case})  # type: ignore[arg-type]
    assert plan_of(scale.numbers, "charlm") is None
