"""The figure of contrasts: every two activations' difference, its margin, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from actrepro.cells import Stats
from actrepro.drawing.sheet import INK, SOFT, WIDTH, Grid, Header, Look, Sheet, label_width
from actrepro.evidence import COMPARED, Contrast, contrasts_of, family, verdict_of
from actrepro.measures import PRIMARY
from actrepro.predictions import FINAL, MATCHED
from actrepro.verdicts import DIFFERENT, EQUIVALENT, UNSOUND

ROW = 0.31  # inches of a panel's row, for two intervals
VERDICT = 0.74  # inches for the longest verdict
APART = 0.19  # of a row, from its middle to each interval
ARROW = 0.03  # of a panel's width, from its edge to an arrowhead
GREY = "#9c9c9c"
BAND = "#cfe0f0"
# By checkpoint rule: where in a row, the marker, and its colour.
LOOKS: Mapping[str, tuple[float, Look, str]] = {
    FINAL: (-APART, {"marker": "o", "markersize": 4.2}, INK),
    MATCHED: (APART, {"marker": "D", "markersize": 3.8, "markerfacecolor": "white"}, "#0072B2"),
}


def draw_contrasts(header: Header, stats: Stats) -> Sheet:
    """Every contrast of the primary measure, at the fixed step and at matched loss."""
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
        panel.axvspan(-_margin(stats), _margin(stats), color=BAND, linewidth=0, zorder=0)
        panel.axvline(0, color=SOFT, linewidth=0.7, zorder=1)
        for rule in LOOKS:
            for place, contrast in enumerate(family(stats, model, PRIMARY, rule)):
                _draw(panel, place, contrast, rule)
        if not pairs:
            _say_nothing(panel)
    for panel in panels[-grid.columns :]:
        panel.set_xlabel("a − b, total variation")
    return sheet


def _pairs(stats: Stats) -> list[str]:
    first = next(iter(stats["models"]))
    return [f"{one['a']} − {one['b']}" for one in family(stats, first, PRIMARY)]


def _margin(stats: Stats) -> float:
    [compared] = [one for one in COMPARED if one.metric == PRIMARY]
    return float(stats["margins"][compared.margin_name])


def _limits(stats: Stats) -> tuple[float, float]:
    """Around zero, the margin, and what can be judged; or all, where nothing can.

    One scale for all models, so that the margin is as wide everywhere. An unsound
    contrast may lie beyond it.
    """
    every = [one for rule in LOOKS for _, one in contrasts_of(stats, PRIMARY, rule)]
    judged = [one for one in every if one["verdict"] != UNSOUND] or every
    values = [_margin(stats), -_margin(stats)]
    values += [value for one in judged for value in (one["value"], *(one["interval"] or ()))]
    values = [value for value in values if value is not None]
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


def _draw(panel: Axes, place: int, contrast: Contrast, rule: str) -> None:
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
