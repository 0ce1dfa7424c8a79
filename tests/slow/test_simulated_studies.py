"""Verdicts on simulated studies err at most at the stated rates.

150 studies each; `python tests/slow/error_rates.py --studies 1000` runs more. At a true
rate of 5% the share found in 150 studies is below 11% but for one seed in a
thousand, and the seed is fixed.
"""

from dataclasses import replace

import numpy as np
import pytest
from simulation import (
    LAWS,
    LOSS,
    SETTINGS,
    Law,
    mean_difference,
    share,
    spread_for,
    study,
    verdicts,
)

from actrepro.measures import PRIMARY
from actrepro.statistics.contrasts import family
from actrepro.statistics.power import seeds_to_settle

STUDIES = 150
MOST_ERRORS = 0.11


@pytest.mark.parametrize("name", [name for name in LAWS if name.startswith("no effect")])
def test_without_an_effect_hardly_any_study_finds_one(name: str) -> None:
    law, metric = LAWS[name]
    assert share(verdicts(law, metric, STUDIES), "different") < MOST_ERRORS


def test_equal_activations_with_little_noise_are_called_equivalent() -> None:
    law, metric = LAWS["no effect and little noise, loss"]
    found = verdicts(law, metric, STUDIES)
    assert np.mean([all(one == "equivalent" for one in each.values()) for each in found]) > 0.8


def test_an_effect_is_found_where_it_is_and_not_where_it_is_not() -> None:
    law, metric = LAWS["an effect of 0.05 nats"]
    found = verdicts(law, metric, STUDIES)
    with_effect = [one for each in found for pair, one in each.items() if "act2" in pair]
    assert with_effect.count("different") / len(with_effect) > 0.95
    assert with_effect.count("equivalent") == 0
    assert share(found, "different", lambda pair: "act2" not in pair) < MOST_ERRORS


def test_an_effect_on_differences_between_seeds_is_found() -> None:
    law, metric = LAWS["differences twice as large"]
    found = verdicts(law, metric, STUDIES)
    with_effect = [one for each in found for pair, one in each.items() if "act2" in pair]
    assert with_effect.count("different") / len(with_effect) > 0.95
    assert share(found, "different", lambda pair: "act2" not in pair) < MOST_ERRORS


@pytest.mark.parametrize("name", [name for name in LAWS if "exactly at the margin" in name])
def test_what_differs_by_the_margin_is_hardly_ever_called_equivalent(name: str) -> None:
    law, metric = LAWS[name]
    assert share(verdicts(law, metric, STUDIES), "equivalent") < MOST_ERRORS


def test_one_bad_seed_makes_no_difference_and_no_equivalence() -> None:
    """One run of thirty is off by a whole nat."""
    law, metric = LAWS["one bad seed"]
    found = verdicts(law, metric, STUDIES)
    touched = [one for each in found for pair, one in each.items() if "act0" in pair]
    assert touched.count("inconclusive") / len(touched) > 0.95


def test_a_diverged_seed_is_left_out_and_the_rest_judged_on_nine() -> None:
    law, metric = LAWS["one diverged seed"]
    contrasts = family(study(law, np.random.default_rng(0)), metric, SETTINGS)
    assert [one["n"] for one in contrasts] == [9, 9, 10]
    assert share(verdicts(law, metric, STUDIES), "different") < MOST_ERRORS


def test_identical_cells_are_never_judged() -> None:
    law, metric = LAWS["two cells identical"]
    for each in verdicts(law, metric, 20):
        assert set(each.values()) == {"unsound"}
    # A third cell that shares nothing with them is as sound as before.
    third = replace(law, spreads=(0.1, 0.1, 0.1, 0.1), losses=(2.0, 2.0, 2.0, 2.0))
    for each in verdicts(third, metric, 20):
        assert {pair for pair, one in each.items() if one != "unsound"} == {("act2", "act3")}


def test_three_seeds_can_never_show_a_difference() -> None:
    law, metric = LAWS["three seeds, an effect of 0.05 nats"]
    assert share(verdicts(law, metric, STUDIES), "different") == 0


def test_the_planned_number_of_seeds_settles_it() -> None:
    effect, noise = 0.03, 0.02
    sd = noise * np.sqrt(2)
    needed = seeds_to_settle(effect, sd, SETTINGS.margins["loss"], SETTINGS.alpha, 1).different
    assert needed is not None
    law = Law(losses=(2.0, 2.0 + effect), spreads=(0.1, 0.1), noise=noise, seeds=needed)
    assert share(verdicts(law, LOSS, STUDIES), "different") > 0.7
    fewer = replace(law, seeds=needed // 2)
    assert share(verdicts(fewer, LOSS, STUDIES), "different") < 0.7


def test_the_laws_differences_are_as_large_as_they_say() -> None:
    generator = np.random.default_rng(0)
    law = Law(spreads=(spread_for(0.1, 0.3), 0.1, 0.1), uneven=0.3)
    means = []
    for _ in range(100):
        [first, *_] = family(study(law, generator), PRIMARY, SETTINGS)
        means.append(first["value"])
    expected = 0.1 - mean_difference(0.1, 0.3)
    assert np.mean(means) == pytest.approx(expected, abs=4 * np.std(means) / 10)
