"""The figures of breakdowns, plans, costs and comparisons show their files' numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic_figures import breakdowns, draw, models, sources
from synthetic_scale import ACTIVATIONS, Scale, make_scale, renewed

from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json
from actrepro.figures import catalogue
from actrepro.figures.breakdowns import MOST_SYMBOLS, NOBODY, visible
from actrepro.figures.catalogue import figure_names
from actrepro.figures.contrasts import DECIDED
from actrepro.figures.draw import Sources, compose, draw_figure, figure_caption
from actrepro.figures.rows import COSTS, GAPS, rows_of
from actrepro.figures.sheet import FAINT, MOST_PIXELS, SOFT, Sheet, style
from actrepro.figures.style import activation_colours
from actrepro.figures.tradeoff import FRONT
from actrepro.measures import PRIMARY
from actrepro.results.cells import cells_of
from actrepro.results.contrasts import LOSS, family
from actrepro.statistics.per_scale import front

COLOURS = activation_colours(ACTIVATIONS)


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    return make_scale(tmp_path_factory.mktemp("scale"))


@pytest.fixture(scope="module")
def breakdown(scale: Scale) -> Any:
    return read_json(breakdowns(scale)[0])


def figure_of(scale: Scale, name: str, numbers: Any = None) -> Figure:
    with style():
        return compose(name, numbers or scale.numbers, sources(scale, name)).figure


def points(panel: Axes, colour: str) -> list[list[tuple[float, float]]]:
    """Return the points of each line of a colour, without its gaps."""
    lines = [np.asarray(line.get_xydata()) for line in panel.lines if line.get_color() == colour]
    return [[(x, y) for x, y in line if y == y] for line in lines]


def words_in(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def test_where_stands_at_the_breakdowns_numbers(scale: Scale, breakdown: Any) -> None:
    symbols, confidence, along = figure_of(scale, "where").axes[:3]
    for activation in ACTIVATIONS:
        cell, colour = breakdown["cells"][activation], COLOURS[activation]
        [dashes] = points(symbols, colour)
        heights = [one["total_variation"] for one in cell["by_symbol"][:MOST_SYMBOLS]]
        assert [y for _, y in dashes] == [height for height in heights for _ in range(2)]
        kept = [one for one in cell["by_confidence"] if one["share"] >= 0.01]
        [line] = points(confidence, colour)
        assert [y for _, y in line] == [one["total_variation"] for one in kept]
        [line] = points(along, colour)
        assert [y for _, y in line] == [one["total_variation"] for one in cell["by_position"]]
    labels = [label.get_text() for label in symbols.get_xticklabels()]
    cell = breakdown["cells"]["relu"]
    assert labels == [visible(one["symbol"]) for one in cell["by_symbol"][:MOST_SYMBOLS]]
    assert symbols.get_ylim()[0] == 0


def test_symbols_that_cannot_be_seen_have_a_sign() -> None:
    assert [visible(one) for one in (" ", "\n", "a", "$", "\x00")] == ["␣", "⏎", "a", "$", "0"]


def test_calibration_stands_at_the_bins(scale: Scale, breakdown: Any) -> None:
    figure = figure_of(scale, "calibration")
    for activation in ACTIVATIONS:
        bins = breakdown["cells"][activation]["calibration"]["bins"]
        wanted = [(one["confidence"], one["accuracy"]) for one in bins if one["share"] >= 0.01]
        assert wanted in points(figure.axes[0], COLOURS[activation])
        error = breakdown["cells"][activation]["calibration"]["error"]
        assert f"{error:.3f} {activation}" in words_in(figure)


def test_ensembles_stand_at_their_sizes(scale: Scale, breakdown: Any) -> None:
    panel = figure_of(scale, "ensemble").axes[0]
    for activation in ACTIVATIONS:
        sizes = breakdown["cells"][activation]["ensemble"]["sizes"]
        assert points(panel, COLOURS[activation]) == [[(one["k"], one["loss"]) for one in sizes]]


@pytest.mark.parametrize(
    ("name", "why"), [("where", NOBODY), ("ensemble", "no cell has two runs to average")]
)
def test_a_breakdown_of_single_runs_says_that_it_has_none(
    tmp_path: Path, name: str, why: str
) -> None:
    one = make_scale(tmp_path, seeds=(1,), models=("charlm",))
    assert why in words_in(figure_of(one, name))


def test_calibration_without_a_run_says_so(tmp_path: Path) -> None:
    lost = [(name, 1) for name in ACTIVATIONS]
    none = make_scale(tmp_path, seeds=(1,), models=("charlm",), diverged=lost)
    assert "no run finished" in words_in(figure_of(none, "calibration"))


@pytest.mark.parametrize("name", ["where", "calibration", "ensemble"])
def test_a_cell_that_failed_a_gate_is_dashed_or_pale(scale: Scale, name: str) -> None:
    numbers = copy.deepcopy(scale.numbers)
    cells_of(numbers, "charlm")["relu"]["failed_gates"].append("causal")
    for panel in figure_of(scale, name, numbers).axes[: 3 if name == "where" else 1]:
        looks = {
            line.get_color(): line.get_linestyle() == "--" or line.get_alpha() not in (None, 1)
            for line in panel.lines
            if line.get_color() in COLOURS.values()
        }
        assert looks == {COLOURS["relu"]: True, COLOURS["my-act"]: False}


def test_very_many_activations_are_a_band(scale: Scale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actrepro.figures.breakdowns.MOST_LINES", 1)
    monkeypatch.setattr("actrepro.figures.captions.MOST_LINES", 1)
    panel = figure_of(scale, "where").axes[1]
    assert not any(points(panel, colour) for colour in COLOURS.values())
    assert len(panel.collections) == 1
    assert "band: from the lowest to the highest" in figure_caption("where", scale.numbers)


def test_gaps_are_differences_of_the_recorded_losses(scale: Scale) -> None:
    history, checkpoint = (
        {row.label: row for row in rows_of(scale.numbers, "charlm", measure)}
        for measure in GAPS.values()
    )
    best = cells_of(scale.numbers, "charlm", "best")
    for activation, cell in cells_of(scale.numbers, "charlm").items():
        ends = [
            run["last_history"]
            for run in scale.numbers["models"]["charlm"]["runs"]
            if run["activation"] == activation
        ]
        gaps = [end["selection_loss"] - end["train_loss"] for end in ends]
        assert history[activation].singles == gaps
        assert history[activation].value == pytest.approx(np.mean(gaps))
        final, other = (one["metrics"][LOSS]["by_seed"] for one in (cell, best[activation]))
        gaps = [final[seed] - other[seed] for seed in sorted(final)]
        assert checkpoint[activation].singles == gaps
        assert checkpoint[activation].interval is not None


def test_lost_runs_have_no_gap_and_no_cost(tmp_path: Path) -> None:
    lost = make_scale(
        tmp_path, models=("charlm",), diverged=[("relu", 2)], out_of_memory=[("relu", 3)]
    )
    for measure in (*GAPS.values(), *COSTS.values()):
        row = rows_of(lost.numbers, "charlm", measure)[0]
        assert len(row.singles) == 1
        assert row.interval is None


def test_cost_is_of_every_run_and_from_zero(scale: Scale) -> None:
    figure = figure_of(scale, "cost")
    rows = [rows_of(scale.numbers, "charlm", measure)[0] for measure in COSTS.values()]
    assert [row.value for row in rows] == [0.5, 1.0]
    assert all(panel.get_xlim()[0] <= 0 for panel in figure.axes)


def test_rows_side_by_side_stand_at_one_height(scale: Scale) -> None:
    for name in ("loss", "accuracy", "model-charlm"):
        panels = figure_of(scale, name).axes
        assert len({panel.get_ylim() for panel in panels}) == 1


def test_training_of_an_activation_has_its_colour_in_every_panel(scale: Scale) -> None:
    figure = figure_of(scale, "training-relu")
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["charlm", "my_model"]
    for panel in figure.axes:
        assert len(points(panel, COLOURS["relu"])) == 2 * 3
        [behind] = points(panel, FAINT)
        assert len(behind) == 3 * 3


def test_many_grey_lines_become_means(scale: Scale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_CURVES", 1)
    [behind] = points(figure_of(scale, "curves-charlm").axes[0], FAINT)
    losses = [2.5 + place / 50 for place in (3, 4, 5)]
    assert behind[-1] == (12, pytest.approx(np.mean(losses)))
    assert len(behind) == 3
    assert "Grey lines are means" in figure_caption("curves-charlm", scale.numbers)


def test_power_marks_the_margin_and_the_seeds_there_are(scale: Scale) -> None:
    panel = figure_of(scale, "power").axes[0]
    straight = [(list(line.get_xdata()), list(line.get_ydata())) for line in panel.lines]
    assert any(x == [3, 3] for x, _ in straight)
    margin = scale.numbers["margins"]["total_variation"]
    assert any(y == [margin, margin] for _, y in straight)
    assert panel.get_ylim()[0] == 0


def test_power_without_contrasts_says_so(tmp_path: Path) -> None:
    one = make_scale(tmp_path, models=("charlm",), activations=("relu",))
    assert "no contrast could be tested" in words_in(figure_of(one, "power"))


def test_variance_stands_at_the_shares(scale: Scale) -> None:
    figure = figure_of(scale, "variance")
    for panel, score in zip(figure.axes, (LOSS, "accuracy.all"), strict=True):
        drawn = [float(line.get_xdata()[0]) for line in panel.lines]
        table = scale.numbers["decomposition"]["final"][score]["sources"]
        wanted = [one[share] for one in table for share in ("omega2", "eta2")]
        assert drawn == [share for share in wanted if share is not None]


def test_variance_of_one_seed_says_what_it_needs(tmp_path: Path) -> None:
    one = make_scale(tmp_path, seeds=(1,))
    assert "needs 2 seeds of sound cells" in words_in(figure_of(one, "variance"))


def test_activations_stand_at_their_curves(scale: Scale) -> None:
    figure = figure_of(scale, "activations")
    curve = read_json(models(scale))["activations"]["relu"]
    lines = points(figure.axes[0], COLOURS["relu"])
    assert [[y for _, y in line] for line in lines] == [curve["y"], curve["derivative"]]
    assert [panel.get_title(loc="right") for panel in figure.axes] == ["", "of the gate"]


def test_an_activation_without_a_curve_says_so(scale: Scale) -> None:
    with style():
        figure = compose("activations", scale.numbers, Sources()).figure
    assert words_in(figure).count("no curve recorded") == len(ACTIVATIONS)


def test_the_front_is_drawn_through_the_cells_on_it(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    spots = iter([(2.0, 0.3), (1.0, 0.4), (3.0, 0.2), (3.5, 0.5)])
    for model in numbers["models"]:
        for cell in cells_of(numbers, model).values():
            loss, variation = next(spots)
            cell["metrics"][LOSS].update(value=loss, interval=[loss - 0.1, loss + 0.1])
            cell["differences"][PRIMARY].update(value=variation, interval=None)
    panel = figure_of(scale, "tradeoff", renewed(numbers)).axes[0]
    [line] = [line for line in panel.lines if line.get_drawstyle() == "steps-post"]
    corners = [(x, y) for x, y in np.asarray(line.get_xydata())]
    assert corners[1:-1] == [(1.0, 0.4), (2.0, 0.3), (3.0, 0.2)]
    assert front([(2.0, 0.3), (1.0, 0.4), (3.0, 0.2), (3.5, 0.5)]) == [1, 0, 2]
    assert line.get_color() == FRONT["color"] == SOFT
    assert "ignores the intervals" in figure_caption("tradeoff", numbers)


def test_the_comparison_ranks_only_what_is_beyond_noise(scale: Scale) -> None:
    figure = figure_of(scale, "comparison")
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert [title[0] for title in titles] == ["a", "b", "c", "d"]
    judged = [text for text in words_in(figure) if "the seeds’ noise" in text]
    assert len(judged) == 2
    assert "a ranking within the seeds’ noise is none" in figure_caption(
        "comparison", scale.numbers
    )


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the limits so low that every study is a large one."""
    for limit in ("SINGLES", "CROSSES", "NUMBERED", "CURVES", "CONTRASTS"):
        monkeypatch.setattr(catalogue, f"MOST_{limit}", 0)
    return


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize(
    "name", ["loss", "accuracy", "gap", "cost", "differences", "comparison", "model-charlm"]
)
def test_a_large_study_has_no_rings_and_says_so(scale: Scale, name: str) -> None:
    assert "Too many" in figure_caption(name, scale.numbers)
    sizes = {
        line.get_markersize()
        for panel in figure_of(scale, name).axes
        for line in panel.lines
        if line.get_marker() not in ("None", "")
    }
    assert 2.8 not in sizes


@pytest.mark.usefixtures("crowded")
def test_contrasts_of_very_many_activations_are_tiles(scale: Scale) -> None:
    panel = figure_of(scale, "contrasts").axes[0]
    [image] = panel.images
    shown_values = np.asarray(image.get_array().filled(np.nan))
    for rule, corner in (("final", (0, 1)), ("matched", (1, 0))):
        [contrast] = family(scale.numbers, "charlm", PRIMARY, rule)
        assert shown_values[corner] == contrast["value"]
    assert np.isnan(np.diag(shown_values)).all()
    assert "the row above the diagonal" in figure_caption("contrasts", scale.numbers)
    assert len(panel.lines) == len(DECIDED)


def test_a_tall_page_has_fewer_dots(scale: Scale, tmp_path: Path) -> None:
    with style():
        Sheet(("A title", "A note."), 1.0, 2 * MOST_PIXELS / 160).save(
            tmp_path / "a.svg", tmp_path / "a.png"
        )
    header = (tmp_path / "a.png").read_bytes()[16:24]
    assert int.from_bytes(header[4:], "big") <= MOST_PIXELS + 1


@pytest.mark.parametrize(
    ("name", "why"), [("where", "no breakdown.json of charlm"), ("activations", "models.json")]
)
def test_what_a_figure_lacks_is_named(scale: Scale, tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ActreproError, match=why):
        draw_figure(name, scale.stats, [], tmp_path / "a.svg", tmp_path / "a.png")


@pytest.mark.parametrize("name", figure_names(["charlm"], ["relu"]))
def test_no_label_is_outside_the_page(scale: Scale, name: str) -> None:
    with style():
        sheet = compose(name, scale.numbers, sources(scale, name))
        figure = sheet.figure
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        for text in [*figure.texts, *(one for panel in figure.axes for one in labels(panel))]:
            box = text.get_window_extent()
            assert -1 <= box.x0 <= box.x1 <= width + 1, text.get_text()
            assert -1 <= box.y0 <= box.y1 <= height + 1, text.get_text()


def labels(panel: Axes) -> list[Text]:
    """Return a panel's texts and the names of its rows, without the numbers of its scales."""
    numbers = [
        one
        for one in (*panel.get_xticklabels(), *panel.get_yticklabels())
        if not one.get_text().isalpha()
    ]
    return [one for one in panel.findobj(Text) if one.get_text() and one not in numbers]


def test_a_figure_is_drawn_from_what_it_needs_alone(scale: Scale) -> None:
    for name in ("loss", "where", "activations", "training-relu"):
        assert draw(scale, name)[0].stat().st_size > 5000
