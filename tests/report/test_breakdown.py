"""The report's disagreement between seeds: tables agree with the file, and the page works."""

from __future__ import annotations

import copy
import html as entities
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import synthetic
from browser import CHROMIUM
from jinja2 import Environment, FileSystemLoader
from synthetic_breakdown import Long
from synthetic_scale import make_scale

from actrepro.core.formats import MISSING, number, percent
from actrepro.measures.breakdown import breakdown
from actrepro.report.kit.markup import TEMPLATES
from actrepro.report.kit.tables import Entry, Table
from actrepro.report.sections.breakdown import (
    MOST_SYMBOLS,
    confidence_table,
    ensembles_table,
    packed,
    page,
    reliability_table,
    stretches_table,
    symbols_table,
    tables,
)

TEMPLATE = """{% import "disagreement.html.j2" as disagreement %}
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<style>{% include "disagreement.css" %}</style></head><body>
{{ disagreement.page(made) }}{{ disagreement.page(none) }}
<script>{% include "disagreement.js" %}</script><script>{{ after | safe }}</script>
</body></html>"""
HOSTILE = "</script><!--<script>alert('1')</script> & \"so\"\\ on\n"


def of_text(folder: Path, text: str, activations: int = 2, seeds: int = 3) -> dict[str, Any]:
    """Return a model's breakdown, read back as from its file."""
    made = Long(folder, text, activations, seeds)
    found = breakdown(made.cells, made.corpus, made.evaluation)
    whole = {"schema": 1, "scale": "tiny", "model": "charlm", **found}
    return dict(json.loads(json.dumps(whole)))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return of_text(tmp_path_factory.mktemp("found"), synthetic.text(20_000))


def drawn(made: Any, after: str = "") -> str:
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE).render(made=made, none=None, after=after)


def data_of(markup: str) -> Any:
    """Return the page script's data, up to the first end of a script, as a browser reads it."""
    start = '<script type="application/json">'
    return json.loads(markup.partition(start)[2].partition("</script>")[0])


def texts(table: Table) -> list[list[str]]:
    return [
        [one.text if isinstance(one, Entry) else one for one in row.cells] for row in table.rows
    ]


def test_symbols_stand_with_their_differences(found: dict[str, Any]) -> None:
    table = symbols_table(found, {"act1"})
    assert table.columns == ["true character", "count", "act0", "act1 †"]
    rows = found["cells"]["act0"]["by_symbol"]
    assert len(table.rows) == min(MOST_SYMBOLS, len(rows))
    for row, one in zip(table.rows, rows, strict=False):
        entry = row.cells[2]
        assert isinstance(entry, Entry)
        assert entry.text == number(one["total_variation"])
        assert entry.below == percent(one["churn"], 1)
    assert {"space", "e"} <= {row[0] for row in texts(table)}
    assert table.source == "results/tiny/charlm/breakdown.json: cells.*.by_symbol"
    assert table.function == "actrepro.measures.breakdown.model_breakdown"


def test_bins_without_characters_have_no_row(found: dict[str, Any]) -> None:
    cells = [cell["by_confidence"] for cell in found["cells"].values()]
    filled = [at for at in range(10) if any(cell[at]["share"] for cell in cells)]
    table = confidence_table(found)
    names = [f"{10 * at} to {10 * at + 10}%" for at in filled]
    assert [row[0] for row in texts(table)] == names
    for row, at in zip(texts(table), filled, strict=True):
        assert row[1:] == [number(cell[at]["total_variation"]) for cell in cells]


def test_stretches_of_most_and_least_agreement(found: dict[str, Any]) -> None:
    for row in texts(stretches_table(found)):
        values = [one["total_variation"] for one in found["cells"][row[0]]["by_position"]]
        assert row[1:] == [number(min(values)), number(max(values))]


def test_reliability_ends_in_the_error(found: dict[str, Any]) -> None:
    table = reliability_table(found)
    assert table is not None
    *rows, last = texts(table)
    cells = [cell["calibration"] for cell in found["cells"].values()]
    assert last == ["expected error", *(number(cell["error"]) for cell in cells)]
    filled = [one for one in zip(*(c["bins"] for c in cells), strict=True) if any(map(_any, one))]
    assert [row[1:] for row in rows] == [
        [percent(one["accuracy"], 1) for one in line] for line in filled
    ]


def _any(one: Any) -> bool:
    return bool(one["share"])


def test_cells_that_have_nothing_to_compare_are_named(found: dict[str, Any]) -> None:
    one_left = copy.deepcopy(found)
    one_left["cells"]["act0"]["n"] = 1
    for table in tables(one_left):
        assert "Fewer than two runs are left of act0." in table.caption
        assert "act0" not in table.columns
    one_left["cells"]["act1"]["n"] = 0
    assert tables(one_left) == []


def test_ensembles_of_all_models_in_one_table(found: dict[str, Any], tmp_path: Path) -> None:
    scale = make_scale(tmp_path, models=("charlm",), failed={"my-act": "wired"})
    cells = {"relu": found["cells"]["act0"], "my-act": found["cells"]["act1"]}
    table = ensembles_table(scale.numbers, {"charlm": {**found, "cells": cells}})
    assert table is not None
    [relu, mine] = table.rows
    sizes = cells["relu"]["ensemble"]["sizes"]
    [shown, _] = texts(table)
    assert shown[:3] == ["charlm", "relu", "3"]
    assert shown[3:6] == [number(one["loss"]) for one in sizes]
    assert shown[6] == f"+{number(cells['relu']['ensemble']['gain'])}"
    assert shown[7:] == [percent(sizes[0]["accuracy"]), percent(sizes[-1]["accuracy"])]
    assert not relu.failed
    assert mine.failed
    assert texts(table)[1][1] == "my-act †"
    assert table.function == "actrepro.measures.breakdown.model_breakdown"
    assert ensembles_table(scale.numbers, {}) is None


def test_one_seed_or_none_makes_no_ensemble(found: dict[str, Any], tmp_path: Path) -> None:
    scale = make_scale(tmp_path, models=("charlm",))
    one = {"sizes": [{"k": 1, "loss": 2.0, "accuracy": 0.5}], "gain": None}
    cells = {"relu": {"n": 1, "ensemble": one}, "my-act": {"n": 0, "ensemble": None}}
    table = ensembles_table(scale.numbers, {"charlm": {**found, "cells": cells}})
    assert table is not None
    assert [row[2:] for row in texts(table)] == [
        ["1", "2.0000", *[MISSING] * 3, "50.00%", MISSING],
        ["0", *[MISSING] * 6],
    ]


def test_the_page_holds_what_the_file_says(found: dict[str, Any]) -> None:
    made = page(found, "page-tiny", {"act1"})
    assert made is not None
    assert made.activations == ["act0", "act1 †"]
    data, shown = data_of(drawn(made)), found["page"]
    assert (data["text"], data["context"]) == (shown["text"], shown["context"])
    assert data["most"] == max(max(cell["total_variation"]) for cell in shown["cells"].values())
    for cell, text in zip(shown["cells"].values(), data["cells"], strict=True):
        assert unpacked(text["variation"]) == [
            round(1000 * value) for value in cell["total_variation"]
        ]
        assert (text["seeds"], text["top"], text["n"]) == (cell["seeds"], cell["top"], 3)
        assert [[unpacked(rank) for rank in seed] for seed in text["share"]] == cell["share"]


def unpacked(text: str) -> list[int]:
    return [int(text[place : place + 2], 36) for place in range(0, len(text), 2)]


def test_packing_loses_nothing() -> None:
    assert unpacked(packed(range(1001))) == list(range(1001))


def test_where_there_is_no_page_there_is_no_markup(found: dict[str, Any]) -> None:
    assert page({**found, "page": None}, "page-tiny") is None
    assert "<figure" not in drawn(None)


def test_any_text_stays_text(tmp_path: Path) -> None:
    found = of_text(tmp_path, HOSTILE * 300)
    markup = drawn(page(found, "page-tiny"))
    assert data_of(markup)["text"] == found["page"]["text"]
    assert HOSTILE[:9] in found["page"]["text"]
    assert markup.count("<script") == markup.count("</script>") == 3
    ids = re.findall(r' id="([^"]+)"', markup.partition('<script type="application/json">')[0])
    assert len(ids) == len(set(ids)) == 3
    for sign in ("http", "@import", "<link", "src="):
        assert sign not in markup


def test_a_large_studys_page_is_small(tmp_path: Path) -> None:
    found = of_text(tmp_path, synthetic.text(20_000), activations=8, seeds=7)
    assert len(found["page"]["cells"]) == 6
    assert len(found["page"]["text"]) == 480
    size = len(drawn(page(found, "page-tiny")).encode()) - len(drawn(None).encode())
    assert size < 150_000


def browsed(folder: Path, markup: str) -> str:
    """Return the page as Chromium shows it after its scripts."""
    file = folder / "page.html"
    file.write_text(markup, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=1000"]
    command = [CHROMIUM or "", *options, "--dump-dom", file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def options_of(dom: str) -> list[str]:
    """Return the markup of each character's element."""
    return re.findall(r'<span[^>]*role="option".*?</span>', dom, re.DOTALL)


def words_of(markup: str) -> str:
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def panel_of(dom: str) -> str:
    [found] = re.findall(r'<div class="expected".*?</table></div>', dom, re.DOTALL)
    return words_of(found)


@pytest.mark.skipif(CHROMIUM is None, reason="asks a browser")
@pytest.mark.parametrize("text", [synthetic.text(6000), HOSTILE * 100, "𝔘́\u200b \t語" * 900])
def test_a_browser_draws_every_character(tmp_path: Path, text: str) -> None:
    found = of_text(tmp_path, text)
    shown = found["page"]
    dom = browsed(tmp_path, drawn(page(found, "page-tiny")))
    options = options_of(dom)
    assert len(options) == len(shown["text"])
    assert sum('tabindex="0"' in one for one in options) == 1
    assert sum('aria-selected="true"' in one for one in options) == 1
    assert 'class="reading" hidden' not in dom
    shapes = {" ": "·", "\n": "⏎", "\t": "⇥", "\u200b": "U+200B", "\u0301": "◌\u0301"}
    drawn_text = [entities.unescape(re.sub(r"<[^>]+>", "", one)) for one in options]
    assert drawn_text == [shapes.get(one, one) for one in shown["text"]]
    # First the character on which the first cell's seeds differ most.
    most = max(shown["cells"]["act0"]["total_variation"])
    assert f"total variation {most:.3f}" in panel_of(dom)


@pytest.mark.skipif(CHROMIUM is None, reason="asks a browser")
def test_keys_pointer_and_choice_tell_of_a_character(found: dict[str, Any], tmp_path: Path) -> None:
    after = """
    const press = (key) => document.activeElement.dispatchEvent(
      new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    document.querySelector("[role=option][tabindex='0']").focus();
    for (const key of ["End", "ArrowRight", "Home", "ArrowLeft", "ArrowDown", "ArrowUp"]) {
      press(key);
    }
    press("ArrowRight");
    const select = document.querySelector("select");
    select.value = "1";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    """
    text = panel_of(browsed(tmp_path, drawn(page(found, "page-tiny"), after)))
    assert text == panel_text(found, "act1", 1)
    point = 'document.querySelectorAll("[role=option]")[7].dispatchEvent(new MouseEvent'
    after = f'{point}("mouseover", {{ bubbles: true }}));'
    text = panel_of(browsed(tmp_path, drawn(page(found, "page-tiny"), after)))
    assert text == panel_text(found, "act0", 7)


def panel_text(found: dict[str, Any], activation: str, place: int) -> str:
    """Return the text that the panel should show for a character."""
    shown = found["page"]
    cell, symbol = shown["cells"][activation], shown["text"][place]
    before = (shown["context"] + shown["text"][:place])[-16:]
    rows = [
        " ".join(
            [
                str(seed),
                *(
                    f"{_shape(top[place])} {share[place]}%"
                    for top, share in zip(cell["top"][run], cell["share"][run], strict=True)
                ),
            ]
        )
        for run, seed in enumerate(cell["seeds"])
    ]
    names = {" ": "space", "\n": "new line"}
    return (
        f"After {''.join(map(_shape, before))} comes {names.get(symbol, symbol)} "
        f"total variation {cell['total_variation'][place]:.3f}, churn {cell['churn'][place]:.2f}, "
        f"over 3 pairs of 3 seeds seed likeliest second third {' '.join(rows)}"
    )


def _shape(symbol: str) -> str:
    return {" ": "·", "\n": "⏎"}.get(symbol, symbol)
