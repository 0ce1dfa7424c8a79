"""Tables of the report: origins, long tables, and the same tables in Markdown."""

from __future__ import annotations

import importlib

import pytest
from markupsafe import Markup

from actrepro.core import paths
from actrepro.report.kit.origins import ORIGINS, PARTS, origin
from actrepro.report.kit.tables import FIRST, LONG, Entry, Row, Table
from actrepro.report.markdown import markdown_table


def table(rows: int, cell: str = "1") -> Table:
    return Table(
        "Name",
        "What it is.",
        ["a|b", "n"],
        [
            Row([f"row_{place}", Entry(cell, "[0, 2]", "hint", "different")])
            for place in range(rows)
        ],
        source="results/tiny/stats.json: models.charlm.rules.final.cells",
        keys=[f"models.{place}" for place in range(rows)],
    )


@pytest.mark.parametrize(
    "function", sorted({*PARTS.values(), *(function for _, function in ORIGINS)})
)
def test_functions_that_the_report_names_exist(function: str) -> None:
    module, _, name = function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(("pattern", "function"), ORIGINS)
def test_every_file_has_the_function_that_writes_it(pattern: str, function: str) -> None:
    assert origin(pattern) == function
    names = dict.fromkeys(("scale", "model", "activation", "seed", "corpus", "context"), "x")
    assert origin(paths.at(pattern, **names, figure="x", record="x")) == function


@pytest.mark.parametrize(
    ("key", "function"),
    [
        ("models.charlm.rules.final.contrasts", "actrepro.statistics.contrasts.family"),
        ("models.*.rules.*.cells.*.gates", "actrepro.gates.after.check_runs"),
        ("decomposition.final", "actrepro.statistics.decomposition.decompose"),
        ("margins", "actrepro.statistics.per_scale.scale_statistics"),
    ],
)
def test_a_key_of_the_statistics_has_what_computed_it(key: str, function: str) -> None:
    assert origin(f"results/tiny/stats.json: {key}") == function


def test_an_unknown_file_has_no_origin() -> None:
    assert origin("elsewhere/x.json: a") == ""


def test_a_long_table_is_data_with_its_first_rows_as_markup() -> None:
    short, long = table(LONG), table(LONG + 1)
    assert not short.long
    assert len(short.first_rows) == LONG
    assert long.long
    assert len(long.first_rows) == FIRST
    assert len(long.data) == LONG + 1
    assert long.data[0] == [["row_0", ["1", "[0, 2]", "hint", "different"]], "", 0, "models.0"]


def test_a_table_with_links_is_never_data() -> None:
    assert not Table("", "", ["a"], [Row([Markup("<a>x</a>")])] * (LONG + 1)).long


def test_markdown_has_every_cell_and_escapes_its_own_signs() -> None:
    lines = markdown_table(table(2, "a*b")).splitlines()
    assert lines[0] == "**Name.** What it is."
    assert lines[2] == r"| a\|b | n |"
    assert lines[3] == "| --- | --: |"
    assert lines[4] == r"| row\_0 | a\*b \[0, 2\] |"
    assert lines[-1] == "From `results/tiny/stats.json: models.charlm.rules.final.cells`."


def test_markdown_names_groups_of_columns() -> None:
    made = Table("t", "", ["a", "p", "p"], [], groups=[("", 1), ("one", 1), ("other", 1)])
    assert markdown_table(made).splitlines()[2] == "| a | one: p | other: p |"
