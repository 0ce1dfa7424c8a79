"""Costs of a scale, against sums by hand."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from synthetic_scale import make_scale

from actrepro.core.errors import ActreproError
from actrepro.core.model_cards import ModelCards
from actrepro.statistics.costs import scale_costs, write_costs

# One model of the study at both scales; the other cannot be built at the larger one.
CARDS: ModelCards = {
    "schema": 1,
    "scales": {
        "tiny": {
            name: {
                "parameters": {"relu": 10},
                "flops_per_character": {"relu": 50.0, "my-act": 50.0},
                "characters": 1000,
            }
            for name in ("charlm", "my_model")
        },
        "large": {
            "charlm": {
                "parameters": {"relu": 10},
                "flops_per_character": {"relu": 4000.0, "my-act": 6000.0},
                "characters": 2000,
            },
            "my_model": {"why": "ValueError: too large"},
        },
    },
    "activations": {},
}
OPERATIONS = 5000.0 * 2000


def test_costs_are_operations_by_rates(tmp_path: Path) -> None:
    stats = make_scale(tmp_path).numbers
    costs = scale_costs(stats, CARDS)
    runs = {model: stats["models"][model]["runs"] for model in ("charlm", "my_model")}
    assert costs["rates"] == {
        model: pytest.approx(median(50.0 * run["characters_per_second"] for run in of_model))
        for model, of_model in runs.items()
    }
    of_study = len(stats["activations"]) * len(stats["seeds"])
    large = costs["estimates"]["large"]
    assert large["operations"] == [OPERATIONS, OPERATIONS]
    assert large["seconds"] == [
        pytest.approx(of_study * OPERATIONS / end(costs["rates"].values())) for end in (max, min)
    ]
    assert costs["seconds"]["large"] == {
        "charlm": pytest.approx(OPERATIONS / costs["rates"]["charlm"])
    }
    # At the study's own scale seconds are measured.
    for model in runs:
        measured = stats["models"][model]["training"]["finished"]["seconds"]
        assert costs["seconds"]["tiny"][model] == measured
    one_each = sum(costs["seconds"]["tiny"].values())
    for choice, example in zip(costs["choices"], stats["planning"]["examples"], strict=True):
        k, n = example["activations"], example["seeds"]
        assert (choice["activations"], choice["seeds"], choice["runs"]) == (k, n, 2 * k * n)
        assert choice["seconds"] == pytest.approx(k * n * one_each)


def test_without_a_known_model_there_are_no_estimates(tmp_path: Path) -> None:
    costs = scale_costs(make_scale(tmp_path).numbers, {**CARDS, "scales": {}})
    assert (costs["rates"], costs["seconds"], costs["estimates"]) == ({}, {}, {})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    scale = make_scale(tmp_path)
    cards = tmp_path / "models.json"
    cards.write_text('{"schema": 1}', encoding="utf-8")
    with pytest.raises(ActreproError, match=r"models\.json: found no scales, expected one"):
        write_costs(scale.stats, cards, tmp_path / "costs.json")
