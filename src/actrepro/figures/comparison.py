"""Four views of total variation: by activation, by single pair, by cell, and by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from actrepro.core.formats import counted
from actrepro.figures.catalogue import pairs_shown, tiles_numbered
from actrepro.figures.sheet import (
    FAINT,
    INK,
    MARGIN,
    SOFT,
    WIDTH,
    Header,
    Look,
    Sheet,
    label_width,
    mean_look,
)
from actrepro.figures.style import (
    activation_colours,
    dots_of,
    draw_legend,
    legend_height,
    model_markers,
)
from actrepro.figures.tiles import MOST_COLUMNS, draw_tiles
from actrepro.measures import PRIMARY
from actrepro.results.cells import Stats, cells_of, every_cell, known, sound
from actrepro.results.schema import Box, Estimate, Sensitivity
from actrepro.results.words import absence

ROW = 0.3  # inches of a row
TITLE = 0.32  # inches above a panel for its title
SCALE = 0.58  # inches below a panel for its scale
GAP = 0.3
SPREAD = 0.28  # of a row, over which single pairs are spread
# The range that seeds alone would give: up to its upper quantile, and its median.
NOISE: Look = {"color": FAINT, "linewidth": 6, "solid_capstyle": "butt", "zorder": 1}
TYPICAL: Look = {"color": SOFT, "linewidth": 1.4, "zorder": 2}


def draw_comparison(header: Header, stats: Stats) -> Sheet:
    """Draw means by activation, single pairs, the table of cells, and models' sensitivity."""
    activations, models = list(stats["activations"]), list(stats["models"])
    upper = ROW * len(activations) + 0.2
    legend = legend_height(models, WIDTH)
    second = TITLE + upper + SCALE + legend
    lines = len(activations) if len(activations) > MOST_COLUMNS else len(models)
    tiles = ROW * lines
    ranking = ROW * len(models) + 0.2
    columns = len(models) if len(activations) > MOST_COLUMNS else len(activations)
    above = 0.3 if tiles_numbered(stats) else label_width(models)
    third = second + TITLE + above + tiles + 0.15
    sheet = Sheet(header, WIDTH, third + TITLE + ranking + SCALE)
    left = MARGIN + label_width(activations)
    wide = (WIDTH - left - GAP - MARGIN) / 2
    means = sheet.panel(left, TITLE, wide, upper)
    singles = sheet.panel(left + wide + GAP, TITLE, wide, upper)
    _draw_means(means, stats)
    _draw_singles(singles, stats)
    draw_legend(sheet, TITLE + upper + SCALE, dots_of(model_markers(models)))
    beside = MARGIN + label_width([*models, *activations])
    span = min(WIDTH - beside - MARGIN, 1.2 * columns)
    cells = sheet.panel(beside, second + TITLE + above, span, tiles)
    draw_tiles(cells, stats, short=True)
    cells.set_title("c  Total variation of each cell", pad=5)
    _draw_ranking(sheet.panel(beside, third + TITLE, WIDTH - beside - MARGIN - 1.5, ranking), stats)
    return sheet


def _draw_means(panel: Axes, stats: Stats) -> None:
    """Draw each cell as its model's marker, and each activation's mean over the same models."""
    _dress(panel, "a  Mean of each activation", list(stats["activations"]))
    panel.set_xlabel("total variation")
    markers = model_markers(list(stats["models"]))
    places = {name: place for place, name in enumerate(stats["activations"])}
    colours = activation_colours(stats["activations"])
    for model, activation, cell in every_cell(stats):
        if not absence(cell, 2):
            look = {**mean_look(colours[activation], sound(cell)), "markeredgewidth": 0.8}
            value = known(cell["differences"][PRIMARY])["value"]
            place = places[activation] + 0.2
            panel.plot([value], [place], markers[model], markersize=3.6, alpha=0.75, **look)
    if stats["averages"] is not None:
        _draw_averages(panel, stats["averages"]["means"], places, colours)


def _draw_averages(
    panel: Axes,
    means: Mapping[str, Estimate],
    places: Mapping[str, int],
    colours: Mapping[str, str],
) -> None:
    for activation, mean in means.items():
        place, colour = places[activation] - 0.16, colours[activation]
        if mean["interval"] is not None:
            panel.plot(mean["interval"], [place] * 2, color=colour, linewidth=2, alpha=0.75)
        panel.plot([mean["value"]], [place], "o", markersize=7, **mean_look(colour, True))


def _draw_singles(panel: Axes, stats: Stats) -> None:
    """Draw boxes of the single pairs of seeds, minus the mean of the model's sound cells."""
    _dress(panel, "b  Single pairs, less their model’s mean", list(stats["activations"]), False)
    panel.set_xlabel("difference in total variation")
    panel.axvline(0, color=SOFT, linewidth=0.7, zorder=1)
    colours = activation_colours(stats["activations"])
    markers = model_markers(list(stats["models"]))
    for place, activation in enumerate(stats["activations"]):
        colour = colours[activation]
        box = stats["boxes"][activation]
        if box is not None:
            _draw_box(panel, place, box, colour)
        if pairs_shown(stats):
            for model, values in _from_centre(stats, activation).items():
                _draw_points(panel, place, values, markers[model], colour)


def _from_centre(stats: Stats, activation: str) -> dict[str, list[float]]:
    """Return single pairs minus the mean of the model's sound cells, by model."""
    centred = {}
    for model in stats["models"]:
        cell = cells_of(stats, model)[activation]
        if sound(cell) and not absence(cell, 2):
            centre = known(stats["effects"][model]["seed"])
            pairs = known(cell["differences"][PRIMARY])["pairs"]
            centred[model] = [pair["value"] - centre for pair in pairs]
    return centred


def _draw_box(panel: Axes, place: int, box: Box, colour: str) -> None:
    line: Look = {"color": colour, "linewidth": 1.1}
    parts = {
        "whislo": box["lowest"],
        "q1": box["lower_quartile"],
        "med": box["median"],
        "q3": box["upper_quartile"],
        "whishi": box["highest"],
        "fliers": [],
    }
    panel.bxp(
        [parts],
        positions=[place - 0.12],
        widths=0.36,
        orientation="horizontal",
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops={"color": INK, "linewidth": 1.6},
    )


def _draw_points(
    panel: Axes, place: int, values: Sequence[float], marker: str, colour: str
) -> None:
    """Draw points below the box, on three heights in turn so that fewer overlap."""
    heights = place + 0.2 + SPREAD * (np.arange(len(values)) % 3) / 3
    look: Look = {"markeredgecolor": colour, "markerfacecolor": "none", "markeredgewidth": 0.7}
    panel.plot(values, heights, marker, markersize=2.8, linestyle="none", alpha=0.8, **look)


def _draw_ranking(panel: Axes, stats: Stats) -> None:
    """Draw, by model, the range of activations' means over the range that seeds alone give."""
    ranked = stats["sensitivity"]
    _dress(
        panel,
        "d  How far the activation moves each model",
        [sensitivity["model"] for sensitivity in ranked],
    )
    panel.set_xlabel("largest less smallest mean total variation of the sound activations")
    markers = model_markers(list(stats["models"]))
    for place, sensitivity in enumerate(ranked):
        if sensitivity["high"] is not None:
            panel.plot([0, sensitivity["high"]], [place] * 2, **NOISE)
            panel.plot([known(sensitivity["typical"])] * 2, [place - 0.16, place + 0.16], **TYPICAL)
        if sensitivity["range"] is not None:
            look = {
                **mean_look(INK, bool(sensitivity["beyond_noise"])),
                "markersize": 6,
                "zorder": 3,
            }
            panel.plot([sensitivity["range"]], [place], markers[sensitivity["model"]], **look)
        _say(panel, place, _verdict(sensitivity))
    panel.set_xlim(left=0)


def _verdict(sensitivity: Sensitivity) -> str:
    if sensitivity["range"] is None:
        return f"{counted(sensitivity['cells'], 'sound activation')}: no range"
    if sensitivity["beyond_noise"] is None:
        return "needs 3 seeds to judge"
    return "beyond the seeds’ noise" if sensitivity["beyond_noise"] else "within the seeds’ noise"


def _say(panel: Axes, place: int, text: str) -> None:
    where: Look = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": 7.5}
    panel.text(1.02, place, text, color=SOFT, style="italic", **where)


def _dress(panel: Axes, title: str, labels: Sequence[str], labelled: bool = True) -> None:
    panel.set_title(title)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.set_yticks(range(len(labels)), labels if labelled else [])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x")
    panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
