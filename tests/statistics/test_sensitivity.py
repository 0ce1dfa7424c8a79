"""Ranges between activations against noise alone, and averages over one grid."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
from synthetic_scale import Scale, make_scale

from actrepro.measures import PRIMARY
from actrepro.results.cells import cells_of
from actrepro.statistics.sensitivity import (
    averages,
    boxes,
    effects,
    noise_range,
    sensitivities,
)

MODELS = ("charlm", "minigpt")
ACTIVATIONS = ("relu", "gelu", "elu")


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder = tmp_path_factory.mktemp("scale")
    return make_scale(folder, models=MODELS, activations=ACTIVATIONS)


def values(scale: Scale, model: str) -> list[float]:
    cells = cells_of(scale.numbers, model).values()
    return [cell["differences"][PRIMARY]["value"] for cell in cells]


def test_a_range_is_from_the_smallest_to_the_largest_mean(scale: Scale) -> None:
    result = {one.model: one for one in sensitivities(scale.numbers)}
    assert result.keys() == set(MODELS)
    for model, one in result.items():
        assert one.range == max(values(scale, model)) - min(values(scale, model))
        assert one.cells == 3
    ranges = [one.range for one in sensitivities(scale.numbers)]
    assert ranges == sorted(ranges, key=lambda one: -(one or 0.0))


def test_cells_that_failed_a_gate_are_in_no_range_and_no_average(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        cell = cells_of(numbers, model)["relu"]
        cell["failed_gates"].append("causal")
        cell["differences"][PRIMARY]["value"] = 77.0
    assert all(one.range is not None and one.range < 1 for one in sensitivities(numbers))
    cells_of(numbers, "charlm")["gelu"]["failed_gates"].append("causal")
    [last] = [one for one in sensitivities(numbers) if one.model == "charlm"]
    assert (last.cells, last.range, last.beyond_noise) == (1, None, None)
    assert sensitivities(numbers)[-1] == last


def test_the_noise_of_two_means_is_that_of_their_difference() -> None:
    # With many seeds t is normal, and the range of two is |N(0, 2σ²)|.
    typical, high = noise_range([(1.0, 10_000), (1.0, 10_000)], 0.95)
    assert typical == pytest.approx(math.sqrt(2) * 0.6745, rel=0.05)
    assert high == pytest.approx(math.sqrt(2) * 1.95996, rel=0.05)


def test_noise_scales_with_the_errors_and_is_drawn_alike() -> None:
    one = noise_range([(0.1, 3), (0.2, 3), (0.3, 3)], 0.9)
    assert one == noise_range([(0.1, 3), (0.2, 3), (0.3, 3)], 0.9)
    assert np.allclose(noise_range([(1.0, 3), (2.0, 3), (3.0, 3)], 0.9), np.multiply(one, 10))


def test_without_an_error_there_is_no_noise_to_compare_with() -> None:
    assert noise_range([(0.1, 3), (None, 2)], 0.95) == (None, None)


def test_an_average_is_the_mean_over_models_with_independent_errors(scale: Scale) -> None:
    result = averages(scale.numbers)
    assert result is not None
    assert result.models == list(MODELS)
    for place, activation in enumerate(ACTIVATIONS):
        mean = result.means[activation]
        assert mean.value == pytest.approx(np.mean([values(scale, m)[place] for m in MODELS]))
        errors = [
            cells_of(scale.numbers, model)[activation]["differences"][PRIMARY]["standard_error"]
            for model in MODELS
        ]
        assert mean.standard_error == pytest.approx(math.hypot(*errors) / 2)
        assert mean.interval is not None
        # Student's quantile with two degrees of freedom.
        reach = 4.302653 * (mean.standard_error or 0.0)
        assert mean.interval[1] - mean.value == pytest.approx(reach, rel=1e-6)


def test_too_few_seeds_have_no_average_or_no_interval(tmp_path: Path) -> None:
    one = make_scale(tmp_path / "one", seeds=(1,), models=("charlm",))
    result = averages(one.numbers)
    assert result is None or not result.means
    two = make_scale(tmp_path / "two", seeds=(1, 2), models=("charlm",))
    result = averages(two.numbers)
    assert result is not None
    assert [mean.interval for mean in result.means.values()] == [None, None]


def test_effects_are_means_over_sound_cells(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    cells_of(numbers, "charlm")["relu"]["failed_gates"].append("causal")
    result = effects(numbers)
    assert result["charlm"]["seed"] == pytest.approx(np.mean(values(scale, "charlm")[1:]))
    assert result["minigpt"]["seed"] == pytest.approx(np.mean(values(scale, "minigpt")))
    across = scale.numbers["models"]["charlm"]["rules"]["final"]["across"]
    [pair] = [
        one["same_seed"]["value"]
        for one in across
        if (one["metric"], one["a"], one["b"]) == (PRIMARY, "gelu", "elu")
    ]
    assert result["charlm"]["activation"] == pair
    cells_of(numbers, "charlm")["gelu"]["failed_gates"].append("causal")
    assert effects(numbers)["charlm"]["activation"] is None


def test_boxes_are_of_single_pairs_around_their_models_mean(scale: Scale) -> None:
    pairs = [
        pair["value"] - np.mean(values(scale, model))
        for model in MODELS
        for pair in cells_of(scale.numbers, model)["gelu"]["differences"][PRIMARY]["pairs"]
    ]
    box = boxes(scale.numbers)["gelu"]
    assert box is not None
    assert list(box.values()) == pytest.approx(np.percentile(pairs, [0, 25, 50, 75, 100]))
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        cells_of(numbers, model)["gelu"]["failed_gates"].append("causal")
    assert boxes(numbers)["gelu"] is None
