"""Figures show the numbers of `stats.json`, mark missing ones, and keep their bytes."""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from synthetic_figures import draw, sources
from synthetic_scale import ACTIVATIONS, CASES, MODELS, Scale, ignorant, make_scale

from actrepro.config.names import activation_names
from actrepro.core.errors import ActreproError
from actrepro.core.files import write_json
from actrepro.core.formats import number
from actrepro.figures.captions import LEFT_OUT, MARKS, READINGS, SHOWN, SQUARES, WITHOUT_CELLS
from actrepro.figures.catalogue import (
    GROUPS,
    figure_group,
    figure_kind,
    figure_names,
    figure_title,
)
from actrepro.figures.contrasts import GREY, draw_contrasts
from actrepro.figures.curves import draw_curves
from actrepro.figures.draw import (
    Sources,
    compose,
    draw_figure,
    figure_caption,
    read_histories,
)
from actrepro.figures.rows import draw_differences, draw_loss
from actrepro.figures.sheet import GROUND, INK, style
from actrepro.figures.style import SPARE_COLOURS, activation_colours, model_markers
from actrepro.measures import PRIMARY
from actrepro.results.cells import cells_of
from actrepro.results.contrasts import family

HEADER = ("A title", "A note.")


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    return make_scale(tmp_path_factory.mktemp("scale"))


def texts(svg: Path) -> list[str]:
    root = ElementTree.fromstring(svg.read_bytes())
    return ["".join(found.itertext()).strip() for found in root.iter() if "text" in found.tag]


def test_names() -> None:
    names = figure_names(MODELS, ACTIVATIONS)
    assert names[:3] == ["heatmap", "contrasts", "differences"]
    assert names[-6:] == [
        *("model-charlm", "curves-charlm", "model-my_model", "curves-my_model"),
        *("training-relu", "training-my-act"),
    ]
    assert len(set(names)) == len(names) == 15 + 2 * 2 + 2
    assert {figure_group(name) for name in names} == set(GROUPS)


def test_every_kind_has_its_words() -> None:
    kinds = {figure_kind(name)[0] for name in figure_names(["m"], ["a"])}
    assert SHOWN.keys() == kinds
    assert READINGS.keys() == kinds | {SQUARES}
    assert MARKS.keys() | LEFT_OUT.keys() <= kinds


def test_planning_imports_no_matplotlib() -> None:
    code = (
        "import sys, actrepro.figures.draw\n"
        "print([name for name in ('matplotlib', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", figure_names(MODELS, ACTIVATIONS))
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
    for name in figure_names(list(scale.numbers["models"]), scale.numbers["activations"]):
        with style():
            figure = compose(name, scale.numbers, sources(scale, name)).figure
            figure.draw_without_rendering()
        said[name] = [text.get_text() for text in figure.findobj(Text)]
        assert not any("nan" in text or "None" in text for text in said[name])
    absent = [cell for model in scale.numbers["models"] for cell in _without_pairs(scale, model)]
    for cell in absent:
        reasons = {one["why"] for one in cell["excluded"]} or {"needs 2 seeds"}
        assert any(all(why in text for why in reasons) for text in said["heatmap"])
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


def _crosses(panel: Axes) -> list[tuple[float, float]]:
    """Return the points where runs were lost."""
    marks = [line for line in panel.lines if line.get_marker() == "x"]
    return [(*line.get_xdata(), *line.get_ydata()) for line in marks]


@pytest.mark.parametrize(
    ("lost", "steps", "said"),
    [
        ({"diverged": [2]}, [6], "1 of 3 diverged"),
        ({"out_of_memory": [2]}, [6], "1 of 3 failed"),
        ({"diverged": [1], "out_of_memory": [2, 3]}, [6, 6, 6], "1 of 3 diverged, 2 failed"),
    ],
)
def test_curves_show_every_run_and_mark_the_lost(
    tmp_path: Path, lost: dict[str, list[int]], steps: list[int], said: str
) -> None:
    gone: Any = {how: [("relu", seed) for seed in seeds] for how, seeds in lost.items()}
    scale = make_scale(tmp_path, **gone)
    histories = read_histories(scale.histories("charlm"))
    with style():
        panel = draw_curves(HEADER, scale.numbers, "charlm", histories).figure.axes[0]
    own = activation_colours(ACTIVATIONS)["relu"]
    lines = [line for line in panel.lines if line.get_color() == own and len(line.get_xdata()) > 1]
    assert len(lines) == 2 * 3
    assert [step for step, _ in _crosses(panel)] == steps
    assert panel.get_title(loc="right") == said


def test_a_run_that_failed_before_its_history_has_its_mark_at_the_start(tmp_path: Path) -> None:
    scale = make_scale(tmp_path, out_of_memory=[("relu", 2)])
    histories = read_histories(scale.histories("charlm"))
    histories["relu"][2] = []
    with style():
        panel = draw_curves(HEADER, scale.numbers, "charlm", histories).figure.axes[0]
    assert _crosses(panel) == [(0, panel.get_ylim()[1])]
    assert panel.get_title(loc="right") == "1 of 3 failed"


FAILED = {"relu": "causal"}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale whose second of three activations failed a gate, and whose third predicts noise."""
    folder = tmp_path_factory.mktemp("failed")
    noise = {("my-act", seed): ignorant(folder, seed) for seed in (1, 2, 3)}
    return make_scale(
        folder,
        models=("charlm",),
        activations=("relu", "my-act", "elu", "gelu"),
        failed=FAILED,
        changed_runs=noise,
    )


@pytest.mark.parametrize("drawing", [draw_loss, draw_differences])
def test_a_cell_that_failed_a_gate_is_hollow(failed: Scale, drawing: Callable[..., Any]) -> None:
    with style():
        panel = drawing(HEADER, failed.numbers).figure.axes[0]
    means = [line for line in panel.lines if line.get_markeredgewidth() == 1.3]
    colours = activation_colours(failed.numbers["activations"])
    fills = [line.get_markerfacecolor() for line in means]
    assert fills == [GROUND, GROUND, colours["elu"], colours["gelu"]]
    said = [text.get_text() for text in panel.texts]
    assert "failed: causal" in said
    assert "failed: learned" in said


@pytest.mark.parametrize(
    "name", [name for name in figure_names(["charlm"]) if name not in WITHOUT_CELLS]
)
def test_every_figure_names_the_failed_gates_and_the_few_seeds(failed: Scale, name: str) -> None:
    cell = "" if name.endswith("-charlm") else "charlm "
    caption = figure_caption(name, failed.numbers)
    noise = f"; learned in {cell}my-act"
    # At matched loss no run predicts noise.
    matched = "; at matched loss: causal in charlm relu" if name == "contrasts" else ""
    assert f"a gate failed (causal in {cell}relu{noise}{matched})" in caption
    assert "Smoke study: 3 seeds" in caption
    whole = copy.deepcopy(failed.numbers)
    for activation, rule in itertools.product(whole["activations"], ("final", "matched")):
        cells_of(whole, "charlm", rule)[activation]["failed_gates"].clear()
    whole["smoke"] = False
    assert "gate failed" not in figure_caption(name, whole)
    assert "Smoke" not in figure_caption(name, whole)


def test_the_heatmap_colours_only_what_passed(failed: Scale) -> None:
    with style():
        panel = compose("heatmap", failed.numbers, Sources()).figure.axes[0]
    tiles = [patch for patch in panel.patches if patch.get_hatch()]
    assert [patch.get_xy() for patch in tiles] == [(0, 0), (1, 0)]
    said = [text.get_text() for text in panel.texts]
    for activation, cell in cells_of(failed.numbers, "charlm").items():
        mark = "†" if activation in ("relu", "my-act") else ""
        assert f"{number(cell['differences'][PRIMARY]['value'])}{mark}" in said
    # Of the two that are left one is the lightest and one the darkest, whatever the others are.
    only = copy.deepcopy(failed.numbers)
    for activation in ("relu", "my-act"):
        cells_of(only, "charlm")[activation]["differences"][PRIMARY]["value"] = 77.0
    with style():
        again = compose("heatmap", only, Sources()).figure.axes[0]
    shades = [[patch.get_facecolor() for patch in axes.patches][-2:] for axes in (panel, again)]
    assert shades[0] == shades[1]
    assert shades[0][0] != shades[0][1]


def test_curves_mark_what_failed(failed: Scale) -> None:
    histories = read_histories(failed.histories("charlm"))
    with style():
        panels = draw_curves(HEADER, failed.numbers, "charlm", histories).figure.axes
    titles = {panel.get_title(loc="left"): panel.get_title(loc="right") for panel in panels}
    assert titles == {
        "relu †": "failed: causal",
        "my-act †": "failed: learned",
        "elu": "",
        "gelu": "",
    }


def test_tradeoff_names_what_lies_too_far_off(failed: Scale) -> None:
    with style():
        figure = compose("tradeoff", failed.numbers, {}).figure
    said = [text.get_text() for text in figure.texts]
    [told] = [text for text in said if text.startswith("not shown")]
    loss = cells_of(failed.numbers, "charlm")["my-act"]["metrics"]["loss.all"]["value"]
    assert "(failed: learned): charlm my-act" in told
    assert number(loss, 3) in told
    assert figure.axes[0].get_xlim()[1] < loss


@pytest.mark.parametrize("rule", ["final", "matched"])
def test_contrasts_stand_at_the_numbers(failed: Scale, rule: str) -> None:
    with style():
        panel = draw_contrasts(HEADER, failed.numbers).figure.axes[0]
    marker, colour = {"final": ("o", INK), "matched": ("D", "#0072B2")}[rule]
    points = {
        (round(float(line.get_ydata()[0])), float(line.get_xdata()[0])): line
        for line in panel.lines
        if line.get_marker() == marker
    }
    intervals = [list(line.get_xdata()) for line in panel.lines if line.get_marker() == "None"]
    for place, contrast in enumerate(family(failed.numbers, "charlm", PRIMARY, rule)):
        unsound = bool({contrast["a"], contrast["b"]} & {"relu", "my-act"})
        judged_here = contrast["verdict"] != "unsound"
        # The noise is under the rules of a run's own only.
        assert judged_here != unsound or rule == "matched"
        assert contrast["interval"] in intervals
        line = points.get((place, contrast["value"]))
        if judged_here:
            assert line is not None
        if line is not None:
            assert line.get_color() == (colour if judged_here else GREY)
    verdicts = [text.get_text() for text in panel.texts]
    wanted = [one["verdict"] for one in family(failed.numbers, "charlm", PRIMARY, rule)]
    assert verdicts[len(wanted) * (rule == "matched") :][: len(wanted)] == wanted


def test_contrasts_show_the_margin_and_all_that_is_judged(failed: Scale) -> None:
    with style():
        panel = draw_contrasts(HEADER, failed.numbers).figure.axes[0]
    [band] = panel.patches
    margin = failed.numbers["margins"]["total_variation"]
    assert band.get_x() == -margin
    assert band.get_width() == pytest.approx(2 * margin)
    low, high = panel.get_xlim()
    for rule in ("final", "matched"):
        for contrast in family(failed.numbers, "charlm", PRIMARY, rule):
            if contrast["verdict"] != "unsound":
                assert low < contrast["interval"][0] < contrast["interval"][1] < high
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels[:2] == ["relu − my-act", "relu − elu"]


def test_contrasts_of_one_activation_say_so(tmp_path: Path) -> None:
    one = make_scale(tmp_path, models=("charlm",), activations=("relu",))
    with style():
        panel = draw_contrasts(HEADER, one.numbers).figure.axes[0]
    assert [text.get_text() for text in panel.texts] == ["one activation: nothing to compare"]


def test_captions_say_n_and_interval(scale: Scale) -> None:
    without = ("where", "calibration", "ensemble", "variance", "cost")
    for name in set(figure_names(MODELS)) - set(WITHOUT_CELLS):
        caption = figure_caption(name, scale.numbers)
        assert "3 seeds" in caption
        assert "{" not in caption
        if name in without:
            assert "without" in caption
        elif figure_kind(name)[0] != "curves-":
            assert "95%" in caption
    for name in ("loss", "accuracy", "differences", "tradeoff", "heatmap", "where", "comparison"):
        caption = figure_caption(name, scale.numbers)
        assert "final checkpoint" in caption
        assert "200 test characters" in caption
    assert "fixed step" in figure_caption("contrasts", scale.numbers)


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
