"""Figures show the numbers of `stats.json`, say what is missing, and keep their bytes."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from made_up_scale import ACTIVATIONS, MODELS, Scale, make_scale
from matplotlib.text import Text

from actrepro.cells import cells_of
from actrepro.drawing.curves import draw_curves
from actrepro.drawing.palette import SPARE_COLOURS, activation_colours, model_markers
from actrepro.drawing.rows import draw_differences, draw_loss
from actrepro.drawing.sheet import style
from actrepro.errors import ActreproError
from actrepro.figures import (
    compose,
    draw_figure,
    figure_caption,
    figure_names,
    figure_title,
    read_histories,
)
from actrepro.files import read_json, write_json
from actrepro.formats import number
from actrepro.measures import PRIMARY
from actrepro.registry import activation_names

HEADER = ("A title", "A note.")
CASES: dict[str, dict[str, Any]] = {
    "one seed": {"seeds": (1,)},
    "two seeds": {"seeds": (1, 2)},
    "one diverged": {"diverged": [("relu", 2)]},
    "one or none left": {
        "seeds": (1, 2),
        "diverged": [("relu", 1), ("my-act", 1), ("my-act", 2)],
    },
    "all diverged": {"diverged": [(name, 1) for name in ACTIVATIONS], "seeds": (1,)},
    "one cell": {"models": ("my_model",), "activations": ("relu",)},
}


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    return make_scale(tmp_path_factory.mktemp("scale"))


def draw(scale: Scale, name: str) -> tuple[Path, Path]:
    histories = scale.histories(name.removeprefix("curves-")) if "curves-" in name else []
    svg, png = scale.figure(name)
    draw_figure(name, scale.stats, histories, svg, png)
    return svg, png


def texts(svg: Path) -> list[str]:
    root = ElementTree.fromstring(svg.read_bytes())
    return ["".join(found.itertext()).strip() for found in root.iter() if "text" in found.tag]


def test_names() -> None:
    wanted = ["curves-charlm", "curves-my_model", "loss", "differences", "tradeoff", "heatmap"]
    assert figure_names(MODELS) == wanted


def test_planning_imports_no_matplotlib() -> None:
    code = "import sys, actrepro.figures; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", figure_names(MODELS))
def test_every_figure_is_drawn_to_the_same_bytes(scale: Scale, name: str) -> None:
    first = [path.read_bytes() for path in draw(scale, name)]
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30}):
        again = [path.read_bytes() for path in draw(scale, name)]
    assert first == again
    assert first[1].startswith(b"\x89PNG")
    assert figure_title(name) in texts(scale.figure(name)[0])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_missing_is_shown(tmp_path: Path, case: dict[str, Any]) -> None:
    scale = make_scale(tmp_path, **{"models": ("charlm",), "best_is_final": True, **case})
    said = {}
    for name in figure_names(list(scale.numbers["models"])):
        histories = read_histories(scale.histories("charlm"))
        with style():
            figure = compose(name, scale.numbers, histories).figure
            figure.draw_without_rendering()
        said[name] = [text.get_text() for text in figure.findobj(Text)]
        assert not any("nan" in text for text in said[name])
    absent = [cell for model in scale.numbers["models"] for cell in _without_pairs(scale, model)]
    for cell in absent:
        why = "diverged" if cell["excluded_seeds"] else "needs 2 seeds"
        assert any(why in text for text in said["heatmap"])
    assert bool(absent) == any("not shown" in text for text in said["tradeoff"])


def _without_pairs(scale: Scale, model: str) -> list[Any]:
    return [cell for cell in cells_of(scale.numbers, model).values() if cell["n"] < 2]


def test_heatmap_prints_the_numbers(scale: Scale) -> None:
    shown = [text.rstrip("†") for text in texts(draw(scale, "heatmap")[0])]
    for model in MODELS:
        for cell in cells_of(scale.numbers, model).values():
            difference = cell["differences"][PRIMARY]
            low, high = difference["interval"]
            assert number(difference["value"]) in shown
            assert f"± {(high - low) / 2:.4f}" in shown


@pytest.mark.parametrize(
    ("drawing", "choose"),
    [
        (draw_loss, lambda cell: cell["metrics"]["loss.all"]),
        (draw_differences, lambda cell: cell["differences"][PRIMARY]),
    ],
)
def test_rows_stand_at_the_numbers(
    scale: Scale, drawing: Callable[..., Any], choose: Callable[[Any], Any]
) -> None:
    with style():
        panel = drawing(HEADER, scale.numbers).figure.axes[0]
    drawn = [sorted(map(float, line.get_xdata())) for line in panel.lines]
    for cell in cells_of(scale.numbers, "charlm").values():
        estimate = choose(cell)
        singles = estimate.get("by_seed") or {
            str(pair["seeds"]): pair["value"] for pair in estimate["pairs"]
        }
        assert [estimate["value"]] in drawn
        assert estimate["interval"] in drawn
        assert sorted(singles.values()) in drawn


def test_curves_show_every_run_and_mark_the_diverged(tmp_path: Path) -> None:
    scale = make_scale(tmp_path, diverged=[("relu", 2)])
    histories = read_histories(scale.histories("charlm"))
    with style():
        panel = draw_curves(HEADER, scale.numbers, "charlm", histories).figure.axes[0]
    own = activation_colours(ACTIVATIONS)["relu"]
    lines = [line for line in panel.lines if line.get_color() == own and len(line.get_xdata()) > 1]
    assert len(lines) == 2 * 3
    assert [line.get_marker() for line in panel.lines].count("x") == 1
    assert panel.get_title(loc="right") == "1 of 3 diverged"


def test_a_cell_that_learned_is_filled(scale: Scale) -> None:
    numbers = read_json(scale.stats)
    cells_of(numbers, "charlm")["relu"]["beats"].update(unigram=True, bigram=True)
    with style():
        panel = draw_loss(HEADER, numbers).figure.axes[0]
    fills = [
        line.get_markerfacecolor() for line in panel.lines if line.get_markeredgewidth() == 1.3
    ]
    assert fills == [activation_colours(["relu"])["relu"], "white"]


def test_captions_say_n_and_interval(scale: Scale) -> None:
    for name in figure_names(MODELS)[2:]:
        caption = figure_caption(name, scale.numbers)
        assert "3 seeds" in caption
        assert "95%" in caption
        assert "final checkpoint" in caption
        assert "200 test characters" in caption


def test_unknown_figure_is_refused(scale: Scale, tmp_path: Path) -> None:
    with pytest.raises(ActreproError, match="no figure 'pie'"):
        draw_figure("pie", scale.stats, [], tmp_path / "a.svg", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "step,loss\n1,2\n", "step,train_loss,selection_loss\n1\n"])
def test_damaged_history_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "relu/seed1/history.csv"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    if content:
        with pytest.raises(ActreproError, match="delete it and run again"):
            read_histories([path])
    else:
        assert read_histories([path]) == {"relu": {1: []}}


def test_no_histories_leave_empty_panels(scale: Scale, tmp_path: Path) -> None:
    svg = tmp_path / "a.svg"
    draw_figure("curves-charlm", scale.stats, [], svg, tmp_path / "a.png")
    assert texts(svg).count("no training history") == len(ACTIVATIONS)


def test_every_activation_has_a_colour_of_its_own() -> None:
    names = [*activation_names(), "mine", "yours"]
    colours = activation_colours(names)
    assert len(set(colours.values())) == len(names)
    assert activation_colours(names[::-1]) == colours
    assert activation_colours([*names[:1], "mine"])["mine"] in SPARE_COLOURS


def test_more_models_than_markers_still_have_one() -> None:
    names = [f"model{index}" for index in range(30)]
    assert set(model_markers(names)) == set(names)


def test_many_activations_become_lines_of_the_heatmap(scale: Scale, tmp_path: Path) -> None:
    numbers = copy.deepcopy(scale.numbers)
    numbers["activations"] = [f"act{index}" for index in range(20)]
    for model in numbers["models"].values():
        rule = model["rules"]["final"]
        rule["cells"] = dict.fromkeys(numbers["activations"], rule["cells"]["relu"])
    wide = Scale(tmp_path, numbers)
    write_json(wide.stats, numbers)
    shown = texts(draw(wide, "heatmap")[0])
    assert {"act0", "act19", *MODELS} <= set(shown)
