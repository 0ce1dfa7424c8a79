"""The answer in words: a sentence for each way that a study can end, none of them too strong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from synthetic_scale import MODELS, Scale, make_scale

from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL, MATCHED
from actrepro.report.kit.tables import Entry
from actrepro.report.sections.answer import answer_table, headline, model_sentence
from actrepro.results.contrasts import COMPARED, family
from actrepro.results.verdicts import DIFFERENT, EQUIVALENT, INCONCLUSIVE, UNSOUND

THREE = ("relu", "my-act", "elu")


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale with two models and three activations, so three pairs each."""
    return make_scale(tmp_path_factory.mktemp("answer"), activations=THREE)


def ended(
    scale: Scale, final: Sequence[str | None], matched: Sequence[str | None] = ()
) -> dict[str, Any]:
    """Return the scale's numbers with these verdicts of each model's pairs."""
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        for rule, verdicts in ((FINAL, final), (MATCHED, matched or final)):
            for one, verdict in zip(family(numbers, model, PRIMARY, rule), verdicts, strict=True):
                one["verdict"] = verdict
    numbers["omnibus"][FINAL][PRIMARY] = {}
    return numbers


def test_nothing_found_is_undecided_and_never_sameness(scale: Scale) -> None:
    text = headline(ended(scale, [INCONCLUSIVE] * 3))
    assert text == (
        "Undecided: with 3 seeds, none of 6 sound pairs of activations could be shown to differ, "
        "or to be equivalent within ±0.01. The same holds at matched loss."
    )


def test_all_equivalent_is_not_by_more_than_the_margin(scale: Scale) -> None:
    text = headline(ended(scale, [EQUIVALENT] * 3))
    assert text.startswith("Not by more than the margin: with 3 seeds, each of 6 sound pairs")
    assert "equivalent within ±0.01 in total variation" in text


def test_some_equivalent_leaves_the_rest_undecided(scale: Scale) -> None:
    text = headline(ended(scale, [EQUIVALENT, INCONCLUSIVE, UNSOUND]))
    assert text.startswith("Not shown: with 3 seeds, none of 4 sound pairs")
    assert "2 are shown to be equivalent within ±0.01; 2 are undecided, which is not the" in text


def test_differences_name_their_models(scale: Scale) -> None:
    numbers = ended(scale, [DIFFERENT, EQUIVALENT, INCONCLUSIVE])
    assert headline(numbers) == (
        "Yes, in charlm and my_model: with 3 seeds, 2 of 6 sound pairs of activations are shown "
        "to differ in reproducibility from seed to seed. Of the others, 2 are equivalent "
        "within ±0.01 and 2 are undecided. At matched loss, 2 of 6 pairs differ."
    )


def test_a_difference_that_matched_loss_does_not_show_is_described_so(scale: Scale) -> None:
    text = headline(ended(scale, [DIFFERENT] * 3, [INCONCLUSIVE] * 3))
    assert text.endswith(
        "At matched loss, no pair is shown to differ, so the difference may only be one of "
        "sharpness."
    )


def test_a_difference_at_matched_loss_only_is_reported(scale: Scale) -> None:
    text = headline(ended(scale, [INCONCLUSIVE] * 3, [DIFFERENT] * 3))
    assert text.startswith("Undecided:")
    assert text.endswith("At matched loss, 6 of 6 pairs differ.")


def test_nothing_comparable_is_stated(scale: Scale) -> None:
    text = headline(ended(scale, [UNSOUND, UNSOUND, None]))
    assert text.startswith("Nothing can be said: no two activations of a model could be compared")


def test_one_activation_is_not_asked(tmp_path: Path) -> None:
    one = make_scale(tmp_path, activations=("relu",), models=("charlm",))
    assert headline(one.numbers) == "Not asked: with one activation there is nothing to compare."


def test_tests_of_all_at_once_are_reported_only_below_the_level(scale: Scale) -> None:
    numbers = ended(scale, [INCONCLUSIVE] * 3)
    numbers["omnibus"][FINAL][PRIMARY] = {"charlm": {"p_holm": 0.01}, "my_model": {"p_holm": 0.2}}
    text = headline(numbers)
    assert "the activations of charlm (p 0.010) are not all equally reproducible" in text
    assert "my_model" not in text
    assert model_sentence(numbers, "my_model").endswith("All at once: p 0.200.")


def test_each_model_has_its_range_and_its_verdicts_with_n(scale: Scale) -> None:
    numbers = ended(scale, [DIFFERENT, EQUIVALENT, INCONCLUSIVE], [UNSOUND] * 3)
    cells = numbers["models"]["charlm"]["rules"][FINAL]["cells"]
    for value, cell in zip((0.2, 0.1, 0.3), cells.values(), strict=True):
        cell["differences"][PRIMARY]["value"] = value
    assert model_sentence(numbers, "charlm") == (
        "Total variation between seeds from 0.100 (my-act) to 0.300 (elu), n = 3. At the fixed "
        "step: of 3 pairs 1 different (relu–my-act), 1 equivalent within ±0.01 (relu–elu) and 1 "
        "undecided. At matched loss: of 3 pairs 3 unsound."
    )


def test_a_cell_that_failed_a_gate_is_in_no_range(scale: Scale) -> None:
    numbers = ended(scale, [INCONCLUSIVE] * 3)
    for cell in numbers["models"]["charlm"]["rules"][FINAL]["cells"].values():
        cell["failed_gates"] = ["causal"]
    text = model_sentence(numbers, "charlm")
    assert text.startswith("No sound cell has two runs to compare.")


def test_the_table_counts_every_pair_once(scale: Scale) -> None:
    numbers = ended(scale, [DIFFERENT, INCONCLUSIVE, None])
    made = answer_table(numbers)
    assert [str(row.cells[0]) for row in made.rows] == list(MODELS)
    first = made.rows[0].cells[1]
    assert first == Entry("1 ≠ 1 ? 1 –", "", "1 different, 1 undecided, 1 not testable", DIFFERENT)
    for row in made.rows:
        for cell in row.cells[1:]:
            assert isinstance(cell, Entry)
            assert sum(int(word) for word in cell.text.split() if word.isdigit()) == 3
    assert len(made.columns) == 1 + sum(len(compared.rules) for compared in COMPARED)


@pytest.mark.parametrize("say", [headline, lambda stats: model_sentence(stats, "charlm")])
def test_no_verdict_is_called_sameness(scale: Scale, say: Callable[[Any], str]) -> None:
    text = say(ended(scale, [INCONCLUSIVE] * 3)).lower()
    for word in ("no difference", "insensitive", "no effect", "identical", "do not matter"):
        assert word not in text
