"""Statistics of a scale: models side by side, shared runs, the variance, the front."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import Model

from actrepro.core.files import read_json
from actrepro.measures import PRIMARY
from actrepro.predict.store import RULES
from actrepro.statistics.decomposition import decompose
from actrepro.statistics.inference import holm
from actrepro.statistics.per_scale import front, scale_statistics, sound_grid

ACTIVATIONS = ["relu", "gelu", "swiglu"]
SEEDS = [1, 2, 3]
NAMES = ["charlm", "convlm"]


def _merged(folder: Path, models: list[Model]) -> dict[str, Any]:
    for model in models:
        model.write()
    output = folder / "stats.json"
    merged = scale_statistics("tiny", "my-study", [model.stats for model in models], output)
    assert read_json(output) == merged
    return merged


def _models(folder: Path, **changes: Any) -> list[Model]:
    return [Model(folder, ACTIVATIONS, SEEDS, name=name, **changes) for name in NAMES]


def test_what_models_share_is_said_once(tmp_path: Path) -> None:
    models = _models(tmp_path)
    merged = _merged(tmp_path, models)
    assert (merged["study"], merged["scale"], merged["seeds"]) == ("my-study", "tiny", SEEDS)
    assert list(merged["models"]) == NAMES
    assert merged["shared_between_models"] == []
    for model in models:
        one = read_json(model.stats)
        under = merged["models"][model.name]
        assert under["rules"] == one["rules"]
        assert {**merged, **under}.items() >= one.items()


def test_predictions_copied_from_another_model(tmp_path: Path) -> None:
    first, second = _models(tmp_path)
    second = Model(
        tmp_path,
        ACTIVATIONS,
        SEEDS,
        name="convlm",
        changed={("gelu", 2): first.predictions["relu", 1]},
    )
    merged = _merged(tmp_path, [first, second])
    whats = {(one["run"], one["what"]) for one in merged["shared_between_models"]}
    assert whats == {
        (run, what)
        for run in ("charlm relu seed1", "convlm gelu seed2")
        for what in ("weights", "predictions")
    }
    for name, marked in (("charlm", "relu"), ("convlm", "gelu")):
        for rule in RULES:
            under = merged["models"][name]["rules"][rule]
            for activation, cell in under["cells"].items():
                assert cell["failed_gates"] == (["distinct"] if activation == marked else [])
            for contrast in under["contrasts"]:
                touched = marked in (contrast["a"], contrast["b"])
                assert (contrast["verdict"] == "unsound") == touched
                assert (contrast["p_holm"] is None) or not touched


@pytest.mark.parametrize("rule", RULES)
def test_the_decomposition_is_of_the_runs_scores(tmp_path: Path, rule: str) -> None:
    merged = _merged(tmp_path, _models(tmp_path))
    result = merged["decomposition"][rule]["loss.all"]
    assert (result["activations"], result["models"]) == (ACTIVATIONS, NAMES)
    y = np.array(
        [
            [
                list(
                    merged["models"][name]["rules"][rule]["cells"][activation]["metrics"][
                        "loss.all"
                    ]["by_seed"].values()
                )
                for name in NAMES
            ]
            for activation in ACTIVATIONS
        ]
    )
    expected = decompose(y)
    assert expected is not None
    assert result.items() >= expected.as_json().items()
    shares = [one["eta2"] for one in result["sources"]]
    assert sum(shares) == pytest.approx(1)


def test_unsound_cells_leave_the_largest_complete_grid(tmp_path: Path) -> None:
    models = _models(tmp_path)
    models[1] = Model(tmp_path, ACTIVATIONS, SEEDS, name="convlm", failed={"gelu": "rows"})
    merged = _merged(tmp_path, models)
    # Without gelu there are 2 × 2 cells, without convlm 1 × 3.
    assert sound_grid(merged["models"] | _shared(merged), "final") == (NAMES, ["relu", "swiglu"])
    assert merged["decomposition"]["final"]["loss.all"]["activations"] == ["relu", "swiglu"]
    gone = {name: Model(tmp_path / "gone", ACTIVATIONS, SEEDS, name=name) for name in NAMES}
    for name in NAMES:
        gone[name].failed = dict.fromkeys(ACTIVATIONS, "rows")
    merged = _merged(tmp_path, list(gone.values()))
    assert merged["decomposition"]["final"]["loss.all"] is None


def _shared(merged: dict[str, Any]) -> dict[str, Any]:
    """Return the models, and the statement of the scale on what they share."""
    return {
        name: {**model, "activations": merged["activations"], "seeds": merged["seeds"]}
        for name, model in merged["models"].items()
    }


def test_a_seed_that_is_lost_anywhere_is_left_out_of_the_decomposition(tmp_path: Path) -> None:
    models = _models(tmp_path)
    models[0] = Model(tmp_path, ACTIVATIONS, SEEDS, diverged=[("relu", 2)])
    merged = _merged(tmp_path, models)
    assert merged["decomposition"]["final"]["accuracy.all"]["seeds"] == [1, 3]
    assert (
        merged["models"]["charlm"]["rules"]["final"]["cells"]["gelu"]["differences"][PRIMARY]["n"]
        == 3
    )


@pytest.mark.parametrize("rule", RULES)
def test_tests_of_all_activations_are_adjusted_for_the_models(tmp_path: Path, rule: str) -> None:
    models = _models(tmp_path)
    # One sound cell is left, and nothing to compare it with.
    gone = Model(tmp_path, ACTIVATIONS, SEEDS, name="minigpt")
    gone.failed = dict.fromkeys(ACTIVATIONS[1:], "rows")
    merged = _merged(tmp_path, [*models, gone])
    for metric, result in merged["omnibus"][rule].items():
        own = [merged["models"][name]["rules"][rule]["omnibus"][metric]["p"] for name in NAMES]
        assert list(result) == NAMES
        assert [one["p"] for one in result.values()] == own
        assert [one["p_holm"] for one in result.values()] == holm(own)


# Few different numbers, so that ties are frequent.
COORDINATE = st.integers(0, 5).map(float)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=12)
Point = tuple[float, float]


def beats(a: Point, b: Point) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and a != b


@given(POINTS)
def test_the_front_is_what_no_other_point_beats(points: list[Point]) -> None:
    wanted = [
        place for place, point in enumerate(points) if not any(beats(one, point) for one in points)
    ]
    assert sorted(front(points)) == wanted


@given(POINTS)
def test_the_front_falls_from_left_to_right(points: list[Point]) -> None:
    kept = [points[place] for place in front(points)]
    assert kept == sorted(kept)
    assert [y for _, y in kept] == sorted((y for _, y in kept), reverse=True)


def test_equal_points_stand_together() -> None:
    assert front([(1.0, 1.0), (2.0, 2.0), (1.0, 1.0)]) == [0, 2]
    assert front([]) == []


def test_the_front_of_a_scale_is_of_its_sound_cells(tmp_path: Path) -> None:
    models = _models(tmp_path)
    models[0] = Model(tmp_path, ACTIVATIONS, SEEDS, failed={"gelu": "rows"})
    merged = _merged(tmp_path, models)
    points = {
        (name, activation): (
            cell["metrics"]["loss.all"]["value"],
            cell["differences"][PRIMARY]["value"],
        )
        for name in NAMES
        for activation, cell in merged["models"][name]["rules"]["final"]["cells"].items()
        if not cell["failed_gates"]
    }
    wanted = [
        name
        for name in sorted(points, key=lambda name: points[name])
        if not any(beats(other, points[name]) for other in points.values())
    ]
    result = [(one["model"], one["activation"]) for one in merged["pareto_front"]]
    assert result == wanted
    assert ("charlm", "gelu") not in result


def test_an_interval_is_twice_as_wide_as_its_half(tmp_path: Path) -> None:
    cells = _merged(tmp_path, _models(tmp_path))["models"]["charlm"]["rules"]["final"]["cells"]
    for difference in cells["relu"]["differences"].values():
        low, high = difference["interval"]
        assert difference["half_width"] == (high - low) / 2
