"""The figure of contrasts: each pair's difference, its margin, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from actrepro.core.formats import signed
from actrepro.figures.catalogue import contrasts_in_rows
from actrepro.figures.sheet import (
    FAINT,
    GROUND,
    INK,
    SOFT,
    WIDTH,
    Grid,
    Header,
    Look,
    Sheet,
    label_width,
)
from actrepro.figures.tiles import ON_TILE
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL, MATCHED, Rule
from actrepro.results.cells import Stats
from actrepro.results.contrasts import COMPARED, Contrast, contrasts_of, family, verdict_of
from actrepro.results.verdicts import DIFFERENT, EQUIVALENT, UNSOUND

Floats = npt.NDArray[np.float64]

ROW = 0.31  # inches of a panel's row, for two intervals
VERDICT = 0.74  # inches for the longest verdict
APART = 0.19  # of a row, from its middle to each interval
ARROW = 0.03  # of a panel's width, from its edge to an arrowhead
GREY = "#9c9c9c"
# Light enough for markers on it to be read, on a white page and on a dark one.
BAND: Look = {"color": "#0072B2", "alpha": 0.18, "linewidth": 0, "zorder": 0}
SIDE = 2.3  # inches of a square of tiles
NAMES = 5  # points, of the activations beside it
# Between a dark blue for a < b and a dark red for a > b; grey where there is no number.
COLOURS = "RdBu_r"
# Of a decided contrast: the marker in its tile.
DECIDED: Mapping[str, str] = {DIFFERENT: "o", EQUIVALENT: "_"}
# By checkpoint rule: where in a row, the marker, and its colour.
LOOKS: Mapping[Rule, tuple[float, Look, str]] = {
    FINAL: (-APART, {"marker": "o", "markersize": 4.2}, INK),
    MATCHED: (APART, {"marker": "D", "markersize": 3.8, "markerfacecolor": GROUND}, "#0072B2"),
}


def draw_contrasts(header: Header, stats: Stats) -> Sheet:
    """Draw every contrast of the primary measure, at the fixed step and at matched loss."""
    return _draw_rows(header, stats) if contrasts_in_rows(stats) else _draw_squares(header, stats)


def _draw_rows(header: Header, stats: Stats) -> Sheet:
    """Draw a row per contrast with both intervals and verdicts."""
    pairs = _pairs(stats)
    labels = label_width([*pairs, "one activation"])
    grid = Grid(
        labels=labels,
        right=VERDICT,
        count=len(stats["models"]),
        panel_height=ROW * max(len(pairs), 1) + 0.1,
        gap=VERDICT + 0.12,
    )
    sheet = Sheet(header, WIDTH, grid.height)
    panels = grid.panels(sheet, 0.0)
    limits = _limits(stats)
    for index, (model, panel) in enumerate(zip(stats["models"], panels, strict=True)):
        _dress(panel, model, pairs if index % grid.columns == 0 else [""] * len(pairs))
        panel.set_xlim(*limits)
        panel.axvspan(-_margin(stats), _margin(stats), **BAND)
        panel.axvline(0, color=SOFT, linewidth=0.7, zorder=1)
        for rule in LOOKS:
            for place, contrast in enumerate(family(stats, model, PRIMARY, rule)):
                _draw(panel, place, contrast, rule)
        if not pairs:
            _say_nothing(panel)
    for panel in panels[-grid.columns :]:
        panel.set_xlabel("a − b, total variation")
    return sheet


def _draw_squares(header: Header, stats: Stats) -> Sheet:
    """Draw a square of tiles per model, where there are too many contrasts for rows."""
    names = list(stats["activations"])
    grid = Grid(0.75, 0.0, len(stats["models"]), SIDE, below=0.95, gap=0.8)
    sheet = Sheet(header, WIDTH, grid.height + 0.5)
    reach = max(map(abs, _limits(stats)))
    colours = matplotlib.colormaps[COLOURS].with_extremes(bad=FAINT)
    for model, panel in zip(stats["models"], grid.panels(sheet, 0.0), strict=True):
        panel.set_title(model)
        panel.set_xticks(range(len(names)), names, rotation=90)
        panel.set_yticks(range(len(names)), names)
        panel.tick_params(length=0, labelsize=NAMES)
        panel.spines[:].set_visible(False)
        values, marks = _square(stats, model)
        panel.imshow(values, cmap=colours, vmin=-reach, vmax=reach, aspect="auto")
        for marker, (x, y) in marks.items():
            look: Look = {"markersize": 2.6, "linestyle": "none", "color": ON_TILE}
            panel.plot(x, y, marker, **look)
    _draw_scale(sheet, grid.height, reach)
    return sheet


def _square(stats: Stats, model: str) -> tuple[Floats, dict[str, tuple[list[int], list[int]]]]:
    """Return the differences a − b (a is the row above the diagonal) and the verdicts' places.

    Above the diagonal are the differences at the fixed step. Below it, where a is the column,
    are those at matched loss.
    """
    places = {name: place for place, name in enumerate(stats["activations"])}
    values = np.full((len(places), len(places)), np.nan)
    marks: dict[str, tuple[list[int], list[int]]] = {mark: ([], []) for mark in DECIDED.values()}
    for rule in LOOKS:
        for contrast in family(stats, model, PRIMARY, rule):
            line, column = places[contrast["a"]], places[contrast["b"]]
            if rule == MATCHED:
                line, column = column, line
            if contrast["value"] is None or contrast["verdict"] == UNSOUND:
                continue
            values[line, column] = contrast["value"]
            if mark := DECIDED.get(verdict_of(contrast)):
                x, y = marks[mark]
                x.append(column)
                y.append(line)
    return values, marks


def _draw_scale(sheet: Sheet, top: float, reach: float) -> None:
    """Draw the colour scale."""
    scale = sheet.panel(2.6, top, 3.4, 0.12)
    scale.imshow(np.linspace(-1, 1, 64)[None], cmap=COLOURS, aspect="auto", extent=(-1, 1, 0, 1))
    scale.set_yticks([])
    scale.set_xticks([-1, 0, 1], [signed(-reach, 3), "0", signed(reach, 3)])
    scale.set_xlabel("a − b, total variation; ● different, − equivalent, grey: no number")


def _pairs(stats: Stats) -> list[str]:
    first = next(iter(stats["models"]))
    return [f"{contrast['a']} − {contrast['b']}" for contrast in family(stats, first, PRIMARY)]


def _margin(stats: Stats) -> float:
    [compared] = [measure for measure in COMPARED if measure.metric == PRIMARY]
    return stats["margins"][compared.margin_name]


def _limits(stats: Stats) -> tuple[float, float]:
    """Return limits around zero, the margin and the sound contrasts; or all, if none is sound.

    All models share one scale, so that the margin is equally wide everywhere. An unsound
    contrast may lie outside.
    """
    every = [contrast for rule in LOOKS for _, contrast in contrasts_of(stats, PRIMARY, rule)]
    judged = [contrast for contrast in every if contrast["verdict"] != UNSOUND] or every
    ends = [
        value for contrast in judged for value in (contrast["value"], *(contrast["interval"] or ()))
    ]
    values = [_margin(stats), -_margin(stats), *(value for value in ends if value is not None)]
    room = 0.05 * (max(values) - min(values))
    return min(values) - room, max(values) + room


def _dress(panel: Axes, title: str, labels: Sequence[str]) -> None:
    panel.set_title(title)
    panel.set_ylim(len(labels) - 0.4 if labels else 0.6, -0.6)
    panel.set_yticks(range(len(labels)), labels)
    panel.tick_params(axis="y", length=0, labelsize=8)
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x")
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _draw(panel: Axes, place: int, contrast: Contrast, rule: Rule) -> None:
    shift, marker, colour = LOOKS[rule]
    unsound = contrast["verdict"] == UNSOUND
    colour = GREY if unsound else colour
    height = place + shift
    if contrast["interval"] is not None:
        panel.plot(contrast["interval"], [height] * 2, color=colour, linewidth=1.2, zorder=2)
    if contrast["value"] is not None:
        look: Look = {"color": colour, "markeredgewidth": 1, "zorder": 3, "linestyle": "none"}
        low, high = panel.get_xlim()
        if not low <= contrast["value"] <= high:
            marker = {**marker, "marker": ">" if contrast["value"] > high else "<"}
        edge = ARROW * (high - low)
        inside = min(max(contrast["value"], low + edge), high - edge)
        panel.plot([inside], [height], **look, **marker)
    decided = contrast["verdict"] in (DIFFERENT, EQUIVALENT)
    panel.text(
        1.02,
        height,
        verdict_of(contrast) if contrast["value"] is not None else "needs 2 seeds",
        transform=panel.get_yaxis_transform(),
        fontsize=6.8,
        va="center_baseline",
        color=colour if decided else (GREY if unsound else SOFT),
        fontweight="bold" if decided else "normal",
        fontstyle="normal" if contrast["verdict"] else "italic",
    )


def _say_nothing(panel: Axes) -> None:
    look: Look = {"transform": panel.transAxes, "ha": "center", "va": "center", "color": SOFT}
    panel.text(0.5, 0.5, "one activation: nothing to compare", fontsize=7.5, **look)
