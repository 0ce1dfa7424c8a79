"""Figures of the design: detectable differences, and the sources of the spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from actrepro.core.formats import counted, number
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
from actrepro.figures.style import draw_legend, legend_height, name_y, say, say_in_corner
from actrepro.predict.store import FINAL
from actrepro.results.cells import Stats
from actrepro.results.contrasts import ACCURACY, LOSS
from actrepro.results.schema import Decomposition, Plan

ACCENT = "#0072B2"
LEGEND = ("median contrast", "least to most variable contrast", "margin", "this study’s seeds")
ROW = 0.32  # inches of a source's row
VALUES = 0.95  # inches for a row's numbers
Share = Literal["omega2", "eta2"]
SCORES: Mapping[str, str] = {LOSS: "test loss", ACCURACY: "test accuracy"}
# By share: marker, filling, and name.
SHARES: Mapping[Share, Look] = {
    "omega2": {"marker": "o", "markerfacecolor": INK, "label": "ω², nearly unbiased"},
    "eta2": {"marker": "D", "markerfacecolor": GROUND, "label": "η², share of the sum of squares"},
}


def draw_power(header: Header, stats: Stats) -> Sheet:
    """Draw, by model, the smallest detectable total variation by number of seeds."""
    grid = Grid(0.5, 0.0, len(stats["models"]), 1.7, below=0.62, gap=0.3)
    sheet = Sheet(header, WIDTH, grid.height + legend_height(LEGEND, WIDTH))
    panels = grid.panels(sheet, 0.0)
    planning = stats["planning"]
    plans, most_seeds = planning["plans"], planning["most_seeds"]
    margin = stats["margins"]["total_variation"]
    highest = max([2 * margin, *(_largest(plan) for plan in plans.values() if plan is not None)])
    for index, (model, panel) in enumerate(zip(plans, panels, strict=True)):
        panel.set_title(model)
        panel.set(xlim=(0, most_seeds + 2), ylim=(0, 1.05 * highest))
        panel.grid()
        panel.axhline(margin, color=ACCENT, linewidth=1, linestyle=":")
        panel.axvline(len(stats["seeds"]), color=SOFT, linewidth=1, linestyle=(0, (4, 2)))
        panel.yaxis.set_major_locator(MaxNLocator(5))
        name_y(panel, index, grid, "total variation")
        _draw_plan(panel, plans[model], most_seeds)
    for panel in panels[-grid.columns :]:
        panel.set_xlabel("seeds")
    draw_legend(sheet, grid.height, _key())
    return sheet


def _largest(plan: Plan) -> float:
    """Return the median contrast's detectable difference with the fewest seeds that can test it."""
    return max(plan["median"]["detectable"], default=0.0)


def _draw_plan(panel: Axes, plan: Plan | None, most_seeds: int) -> None:
    if plan is None or not plan["seeds"]:
        why = "no contrast could be tested" if plan is None else f"no n ≤ {most_seeds} reaches α"
        say(panel, why, (0.55, 0.6))
        return
    seeds = plan["seeds"]
    low, middle, high = (
        line["detectable"] for line in (plan["least"], plan["median"], plan["most"])
    )
    panel.fill_between(seeds, low, high, color=FAINT, linewidth=0)
    panel.plot(seeds, middle, ".-", color=INK, linewidth=1.3)
    say_in_corner(panel, f"{counted(plan['contrasts'], 'contrast')}, from n = {seeds[0]}")


def _key() -> list[Line2D]:
    looks: list[Look] = [
        {"color": INK, "linewidth": 1.3, "marker": "."},
        {"color": FAINT, "linewidth": 6},
        {"color": ACCENT, "linewidth": 1, "linestyle": ":"},
        {"color": SOFT, "linewidth": 1, "linestyle": (0, (4, 2))},
    ]
    return [Line2D([], [], label=name, **look) for name, look in zip(LEGEND, looks, strict=True)]


def draw_variance(header: Header, stats: Stats) -> Sheet:
    """Draw the shares of the spread of loss and accuracy by source."""
    tables = {score: stats["decomposition"][FINAL][score] for score in SCORES}
    names = [row["source"] for table in tables.values() if table for row in table["sources"]]
    labels = label_width(names or ["residual"])
    rows = max((len(table["sources"]) for table in tables.values() if table), default=2)
    grid = Grid(labels, VALUES, len(SCORES), ROW * rows + 0.1, gap=VALUES + 0.15)
    key = [str(look["label"]) for look in SHARES.values()]
    sheet = Sheet(header, WIDTH, grid.height + legend_height(key, WIDTH))
    panels = grid.panels(sheet, 0.0)
    for index, ((score, table), panel) in enumerate(zip(tables.items(), panels, strict=True)):
        panel.set_title(SCORES[score].capitalize())
        panel.set_xlabel("share of the spread")
        _draw_sources(panel, table, labelled=index == 0)
    look: Look = {"linestyle": "none", "markersize": 5.5, "markeredgecolor": INK}
    draw_legend(sheet, grid.height, [Line2D([], [], **{**look, **row}) for row in SHARES.values()])
    return sheet


def _draw_sources(panel: Axes, table: Decomposition | None, labelled: bool) -> None:
    sources = table["sources"] if table else []
    panel.set_ylim(max(len(sources), 1) - 0.4, -0.6)
    panel.set_yticks(range(len(sources)), [row["source"] for row in sources] if labelled else [])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x")
    lowest = min([0.0, *(row["omega2"] for row in sources if row["omega2"] is not None)])
    panel.set_xlim(lowest - 0.03, 1.03)
    if not sources:
        look: Look = {"ha": "center", "va": "center", "fontsize": 7.5, "color": SOFT}
        panel.text(0.5, 0.5, "needs 2 seeds of sound cells", transform=panel.transAxes, **look)
    for place, row in enumerate(sources):
        for share, marker in SHARES.items():
            if (value := row[share]) is not None:
                look = {"markersize": 5.5, "markeredgecolor": INK, "linestyle": "none"}
                shift = -0.1 if share == "omega2" else 0.12
                panel.plot([value], [place + shift], **{**look, **marker})
        known = [number(row[share], 3) for share in SHARES if row[share] is not None]
        where: Look = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": 7.5}
        panel.text(1.03, place, " / ".join(known), color=SOFT, **where)
