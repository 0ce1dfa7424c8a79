"""The report's tables over all cells, and over all contrasts, show the numbers of `stats.json`."""

from __future__ import annotations

import copy
from pathlib import Path
from statistics import fmean

import pytest
from synthetic_scale import ACTIVATIONS, MODELS, Scale, make_scale, renewed

from actrepro.core import formats
from actrepro.measures import PRIMARY
from actrepro.report.kit.tables import Entry, Row, Table
from actrepro.report.sections import power
from actrepro.report.sections.all_cells import learning_table, reproducibility_table, tradeoff_table
from actrepro.report.sections.power import all_contrasts_table, power_table
from actrepro.results.cells import cells_of, named_cells, sound
from actrepro.results.contrasts import COMPARED, LOSS, family
from actrepro.results.verdicts import INCONCLUSIVE


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder = tmp_path_factory.mktemp("cells")
    return make_scale(
        folder, activations=(*ACTIVATIONS, "elu"), failed={"elu": "causal"}, diverged=[("relu", 1)]
    )


def text(cell: str | Entry) -> str:
    return cell if isinstance(cell, str) else cell.text


def named(made: Table) -> dict[str, Row]:
    """Return rows by their first two cells."""
    return {" ".join(text(cell).rstrip(" †") for cell in row.cells[:2]): row for row in made.rows}


def test_every_cell_has_its_differences(scale: Scale) -> None:
    rows = named(reproducibility_table(scale.numbers))
    cells = named_cells(scale.numbers)
    assert list(rows) == list(cells)
    for name, cell in cells.items():
        variation = cell["differences"][PRIMARY]
        assert text(rows[name].cells[3]) == formats.number(variation["value"])
        assert text(rows[name].cells[2]) == str(cell["n"])
        assert rows[name].failed is not sound(cell)
    assert rows["charlm elu"].cells[1] == Entry("elu †", "failed: causal")


def test_keys_lead_to_the_numbers(scale: Scale) -> None:
    made = reproducibility_table(scale.numbers)
    for place, row in enumerate(made.rows):
        found = scale.numbers
        for part in made.key_of(place).split("."):
            found = found[part]
        assert text(row.cells[3]) == formats.number(found[PRIMARY]["value"])


def test_gap_and_best_are_of_the_finished_runs(scale: Scale) -> None:
    rows = named(learning_table(scale.numbers))
    for model in MODELS:
        runs = scale.numbers["models"][model]["runs"]
        final, best = (cells_of(scale.numbers, model, rule) for rule in ("final", "best"))
        for activation, cell in final.items():
            lasts = [
                run["last_history"]
                for run in runs
                if run["activation"] == activation and run["status"] == "finished"
            ]
            gap = fmean(one["selection_loss"] - one["train_loss"] for one in lasts)
            row = rows[f"{model} {activation}"]
            assert text(row.cells[5]) == formats.signed(gap)
            gain = best[activation]["metrics"][LOSS]["value"] - cell["metrics"][LOSS]["value"]
            assert text(row.cells[6]) == formats.signed(gain)
            assert text(row.cells[3]) == formats.mean_sd(cell["metrics"][LOSS])


def test_a_cell_without_runs_has_dashes(tmp_path: Path) -> None:
    made = make_scale(tmp_path, models=("charlm",), diverged=[("relu", n) for n in (1, 2, 3)])
    rows = named(learning_table(made.numbers))
    assert [text(cell) for cell in rows["charlm relu"].cells[2:]] == ["0", *["—"] * 6]
    assert "every run diverged" in str(rows["charlm relu"].cells[1])
    shown = named(reproducibility_table(made.numbers))["charlm relu"]
    assert [text(cell) for cell in shown.cells[3:]] == ["—"] * 5


def test_the_front_is_what_nothing_beats(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    values = {"charlm relu": (2.0, 0.3), "charlm my-act": (2.1, 0.2), "my_model relu": (2.2, 0.25)}
    values |= {"my_model my-act": (1.9, 0.4)}
    for name, (loss, variation) in values.items():
        cell = named_cells(numbers)[name]
        cell["metrics"][LOSS]["value"] = loss
        cell["differences"][PRIMARY]["value"] = variation
    rows = [[text(cell) for cell in row.cells] for row in tradeoff_table(renewed(numbers)).rows]
    assert [(row[0], row[3]) for row in rows] == [
        ("my_model my-act", "yes"),
        ("charlm relu", "yes"),
        ("charlm my-act", "yes"),
        ("my_model relu", "no"),
    ]


def test_every_contrast_stands_in_one_table(scale: Scale) -> None:
    rows = [[text(cell) for cell in row.cells] for row in all_contrasts_table(scale.numbers).rows]
    wanted = [
        [model, f"{one['a']} − {one['b']}", compared.name, compared.signed(one["value"])]
        for model in MODELS
        for compared in COMPARED
        for rule in compared.rules
        for one in family(scale.numbers, model, compared.metric, rule)
    ]
    assert [[*row[:3], row[4]] for row in rows] == wanted
    assert len(rows) == 2 * 3 * 6


def test_a_table_too_long_for_a_page_says_so(scale: Scale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "MOST_ROWS", 10)
    made = all_contrasts_table(scale.numbers)
    assert len(made.rows) == 10
    assert "Only some are here" in made.caption
    assert {text(row.cells[2]) for row in made.rows} == {COMPARED[0].name}


def test_power_tells_the_fewest_and_the_median(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    seeds = iter([(5, 0.02), (9, 0.03), (None, None)] * 100)
    for model in MODELS:
        for compared in COMPARED:
            for rule in compared.rules:
                for one in family(numbers, model, compared.metric, rule):
                    either, detectable = next(seeds)
                    one.update(verdict=INCONCLUSIVE, detectable=detectable)
                    one["seeds_to_settle"] = {"either": either}
    made = power_table(renewed(numbers))
    assert made is not None
    first = [text(cell) for cell in made.rows[0].cells]
    assert first == [
        COMPARED[0].name,
        "the fixed step",
        "charlm",
        "3",
        "0.0300",
        "±0.01",
        "5",
        "9",
    ]


def test_nothing_undecided_needs_no_seeds(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        for rule in ("final", "matched"):
            for one in numbers["models"][model]["rules"][rule]["contrasts"]:
                one["verdict"] = "different"
    assert power_table(renewed(numbers)) is None
