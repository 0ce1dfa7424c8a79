"""The report's section on the same runs made elsewhere agrees with the comparison."""

from __future__ import annotations

import copy
import html
import re
from pathlib import Path
from typing import Any

import pytest
import synthetic
from pages import Page
from synthetic_replication import SCALE, Folders
from synthetic_scale import ACTIVATIONS, Scale, make_scale

from actrepro.core import formats, paths
from actrepro.core.files import read_json, write_json
from actrepro.measures import PRIMARY
from actrepro.report.page import Inputs, contents, write_report
from actrepro.report.sections.replication import comparison_line, matches, results_table, section

SEEDS = (1, 2, 3)
GONE = ("charlm", "my-act", 2)


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder = tmp_path_factory.mktemp("scale")
    return make_scale(folder, SEEDS, models=("charlm",), failed={"relu": "wired"})


@pytest.fixture(scope="module")
def made(scale: Scale) -> dict[str, Any]:
    """A comparison in which the first run is the same elsewhere and the fifth was lost there."""
    folders = Folders(scale.folder)
    model = synthetic.Model(scale.folder / "made", ACTIVATIONS, SEEDS)
    for place, (run, here) in enumerate(model.predictions.items()):
        lost = "diverged" if ("charlm", *run) == GONE else None
        there = synthetic.predictions(folders.evaluation, 7000 + place, lost=lost)
        folders.add(("charlm", *run), here, there if place else here)
    return folders.compare()


def write(scale: Scale, made: dict[str, Any] | None) -> str:
    """Write the page, with or without a comparison."""
    output = scale.folder / paths.REPORT
    path = scale.folder / "elsewhere.json"
    if made is not None:
        write_json(path, made)
    compared = [] if made is None else [path]
    inputs = Inputs([scale.stats], [scale.corpus], elsewhere=compared)
    write_report(contents("a study", inputs), output)
    return output.read_text(encoding="utf-8")


def section_of(text: str) -> str:
    """Return the section's text without its markup."""
    [markup] = re.findall(r'<section id="elsewhere">.*?</section>', text, re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", markup).split()))


def test_without_a_comparison_there_is_no_section(scale: Scale) -> None:
    text = write(scale, None)
    assert "elsewhere" not in Page(text).ids
    assert 'href="#elsewhere"' not in text


def test_with_a_comparison_its_numbers_are_reported(scale: Scale, made: dict[str, Any]) -> None:
    text = write(scale, made)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert "elsewhere" in page.ids
    assert "#elsewhere" in page.references
    said = section_of(text)
    finals = [cell["rules"]["final"]["differences"][PRIMARY] for cell in made["cells"]]
    assert "5 of 6 runs compared: 1 ended in the same weights, 1 in the same predictions" in said
    elsewhere = formats.spread([one["elsewhere"]["value"] for one in finals], 4)
    seeds = formats.spread([one["seeds_here"]["value"] for one in finals], 4)
    ratios = formats.spread([one["ratio"] for one in finals], 2)
    assert f"mean total variation of {elsewhere}, and from one seed to another here by" in said
    assert f"here by {seeds}: {ratios} times as much." in said
    assert "The two sides differ in device, python and torch." in said
    assert "Not compared: 1" in said
    assert f"charlm my-act 2 diverged there: {synthetic.WHY['diverged']}" in said
    assert "NVIDIA H100" in said
    assert "A <Chip> & Co" in said
    assert "torch unknown 2.7" in said


def test_a_row_has_the_cells_numbers(scale: Scale, made: dict[str, Any]) -> None:
    table = results_table(scale.numbers, made)
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    assert sum(width for _, width in table.groups) == len(table.columns)
    [relu, own] = table.rows
    assert (relu.cells[0], relu.failed, relu.note) == ("charlm relu †", True, "failed: wired")
    assert (own.cells[0], own.failed, own.note) == ("charlm my-act", False, "")
    shown = [getattr(one, "text", one) for one in own.cells]
    found = made["cells"][1]["rules"]["final"]
    variation = found["differences"][PRIMARY]
    assert shown[1:3] == ["2", "0"]
    assert shown[3:7] == [
        formats.number(variation["elsewhere"]["value"]),
        formats.number(variation["seeds_here"]["value"]),
        formats.number(variation["seeds_there"]["value"]),
        formats.number(variation["ratio"], 2),
    ]
    assert own.cells[3].below == formats.spread(variation["elsewhere"]["range"], 4)
    loss = found["scores"]["loss.all"]["difference"]
    assert shown[-1] == formats.signed(loss["value"])
    assert own.cells[-1].below == formats.interval(loss["interval"])


def change_text(made: dict[str, Any], stats: dict[str, Any]) -> None:
    made["evaluation_sha256"] = "other"


def train_again(made: dict[str, Any], stats: dict[str, Any]) -> None:
    stats["models"]["charlm"]["runs"][0]["weights_sha256"]["final"] = "other"


def predict_again(made: dict[str, Any], stats: dict[str, Any]) -> None:
    stats["models"]["charlm"]["runs"][0]["predictions_sha256"] = "other"


def leave_out(made: dict[str, Any], stats: dict[str, Any]) -> None:
    del stats["models"]["charlm"]["runs"][0]


@pytest.mark.parametrize("change", [change_text, train_again, predict_again, leave_out])
def test_other_runs_than_the_reports_are_not_shown(
    scale: Scale, made: dict[str, Any], change: Any
) -> None:
    made, stats = copy.deepcopy(made), copy.deepcopy(scale.numbers)
    assert matches(stats, made)
    change(made, stats)
    assert not matches(stats, made)
    found = section(stats, made)
    assert found.warning.startswith(
        "results/tiny/elsewhere.json compares other runs than those that this report shows"
    )
    assert found.line == ""
    assert found.results is found.ran_on is found.excluded is None


def test_a_comparison_of_other_runs_is_a_warning(scale: Scale, made: dict[str, Any]) -> None:
    text = section_of(write(scale, {**made, "evaluation_sha256": "other"}))
    assert "compares other runs" in text
    assert "Run snakemake elsewhere --config elsewhere=/path/to/results to compare" in text
    assert "NVIDIA" not in text


def test_a_comparison_of_a_scale_that_is_not_shown_is_left_out(
    scale: Scale, made: dict[str, Any]
) -> None:
    assert "elsewhere" not in Page(write(scale, {**made, "scale": "another"})).ids


def test_some_of_the_reports_runs_suffice(scale: Scale, made: dict[str, Any]) -> None:
    assert matches(scale.numbers, {**made, "cells": made["cells"][1:]})


def test_nothing_to_compare_is_stated(scale: Scale, made: dict[str, Any]) -> None:
    excluded = [{"model": "charlm", "activation": "relu", "seed": 1, "why": "missing there"}]
    nothing = {**made, "cells": [], "ran_on": [], "excluded": excluded * 2}
    text = section_of(write(scale, nothing))
    assert "0 of 2 runs compared. " in text
    assert "charlm relu 1 missing there" in text
    assert "The two sides" not in text


def test_no_difference_between_the_sides_is_stated(made: dict[str, Any]) -> None:
    same = {**made, "ran_on": [{**one, "differ": 0} for one in made["ran_on"]]}
    assert comparison_line(same).endswith("Nothing that is recorded of the two sides differs.")


def test_one_seed_has_no_ratio(scale: Scale, tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    here, there = (synthetic.predictions(folders.evaluation, seed) for seed in (1, 2))
    folders.add(("charlm", "relu", 1), here, there)
    found = folders.compare()
    line = comparison_line(found)
    assert line.startswith("1 of 1 run compared: 0 ended in")
    assert "another here" not in line
    assert "times" not in line
    [row] = results_table(scale.numbers, found).rows
    assert [row.cells[place] for place in (4, 5, 6)] == [formats.MISSING] * 3
    assert read_json(folders.output)["scale"] == SCALE
