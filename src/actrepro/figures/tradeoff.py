"""All cells of a scale by total variation between seeds and loss, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from actrepro.core.formats import listed, number
from actrepro.figures.catalogue import crosses_shown
from actrepro.figures.sheet import (
    MARGIN,
    SOFT,
    WIDTH,
    Header,
    Look,
    Sheet,
    label_width,
    mean_look,
)
from actrepro.figures.style import activation_colours, model_markers
from actrepro.measures import PRIMARY
from actrepro.results.cells import Cell, Stats, cells_of, every_cell, known, sound
from actrepro.results.schema import Estimate
from actrepro.results.words import absence, gate_mark

LEGEND_LINE = 0.162  # inches
NOTE_LINE = 0.16  # inches
HOLLOW = "failed a gate"
FRONT: Look = {"color": SOFT, "linewidth": 1.1, "linestyle": (0, (4, 2))}


def draw_tradeoff(header: Header, stats: Stats) -> Sheet:
    """Total variation between seeds against loss, all cells."""
    colours = activation_colours(stats["activations"])
    markers = model_markers(list(stats["models"]))
    beyond = _beyond(stats)
    absent = [*_absent(stats), *(_told(*one) for one in beyond)]
    height = max(4.4, LEGEND_LINE * (len(colours) + len(markers) + 5))
    names = label_width([*colours, *markers, HOLLOW]) + 0.45
    sheet = Sheet(header, WIDTH, height + 0.75 + NOTE_LINE * len(absent))
    panel = sheet.panel(0.75, 0.1, WIDTH - 0.95 - names, height)
    panel.grid()
    panel.set_xlabel("test loss, nats per character")
    panel.set_ylabel("total variation between seeds")
    drawn = [one for one in every_cell(stats) if not absence(one[2], 2) and one not in beyond]
    for model, activation, cell in drawn:
        if crosses_shown(stats):
            _draw_cross(panel, cell, colours[activation])
        _draw_cell(panel, cell, markers[model], colours[activation])
    _draw_front(panel, stats)
    _mark_bigram(panel, stats)
    hollow = not all(sound(cell) for _, _, cell in drawn)
    _draw_legends(sheet, WIDTH - names, colours, markers, hollow)
    for line, text in enumerate(absent):
        where = sheet.place(MARGIN, height + 0.65 + NOTE_LINE * line)
        sheet.figure.text(*where, text, fontsize=7.5, color=SOFT, style="italic")
    return sheet


def _absent(stats: Stats) -> list[str]:
    """The cells without a difference, by reason."""
    reasons: dict[str, list[str]] = {}
    for model, activation, cell in every_cell(stats):
        if reason := absence(cell, 2):
            reasons.setdefault(reason, []).append(f"{model} {activation}")
    return [f"not shown ({reason}): {listed(names, 5)}" for reason, names in reasons.items()]


def _beyond(stats: Stats) -> list[tuple[str, str, Cell]]:
    """Cells that failed a gate so far from all sound ones that these would be squeezed."""
    there = [one for one in every_cell(stats) if not absence(one[2], 2)]
    judged = [_estimates(cell) for _, _, cell in there if sound(cell)]
    if not judged:
        return []
    frame = [_widened(estimates) for estimates in zip(*judged, strict=True)]
    return [
        one
        for one in there
        if not sound(one[2])
        and any(
            not low <= estimate["value"] <= high
            for estimate, (low, high) in zip(_estimates(one[2]), frame, strict=True)
        )
    ]


def _estimates(cell: Cell) -> tuple[Estimate, Estimate]:
    return known(cell["metrics"]["loss.all"]), known(cell["differences"][PRIMARY])


def _widened(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """What these take, intervals included, and on either side as much again."""
    ends = [end for one in estimates for end in (one["value"], *(one["interval"] or ()))]
    reach = max(ends) - min(ends)
    return min(ends) - reach, max(ends) + reach


def _told(model: str, activation: str, cell: Cell) -> str:
    loss, variation = (number(one["value"], 3) for one in _estimates(cell))
    return (
        f"not shown ({gate_mark(cell)}): {model} {activation} at loss {loss}, "
        f"total variation {variation}"
    )


def _draw_cross(panel: Axes, cell: Cell, colour: str) -> None:
    """A cell's two intervals."""
    loss, difference = _estimates(cell)
    look: Look = {"color": colour, "linewidth": 0.8, "alpha": 0.35, "zorder": 1.5}
    if loss["interval"] is not None:
        panel.plot(loss["interval"], [difference["value"]] * 2, **look)
    if difference["interval"] is not None:
        panel.plot([loss["value"]] * 2, difference["interval"], **look)


def _draw_cell(panel: Axes, cell: Cell, marker: str, colour: str) -> None:
    (x, y), look = (one["value"] for one in _estimates(cell)), mean_look(colour, sound(cell))
    panel.plot([x], [y], marker=marker, markersize=7, zorder=3, **look)


def _draw_front(panel: Axes, stats: Stats) -> None:
    """A line of steps: no sound cell has both a lower loss and a lower total variation."""
    names = stats["pareto_front"]
    if len(names) < 2:
        return
    cells = [cells_of(stats, one["model"])[one["activation"]] for one in names]
    x, y = zip(*([one["value"] for one in _estimates(cell)] for cell in cells), strict=True)
    limits = panel.get_xlim(), panel.get_ylim()
    (_, right), (_, top) = limits
    panel.step((x[0], *x, right), (top, *y, y[-1]), where="post", zorder=1.2, **FRONT)
    panel.set(xlim=limits[0], ylim=limits[1])


def _mark_bigram(panel: Axes, stats: Stats) -> None:
    loss = stats["evaluation"]["baselines"]["bigram"]["loss"]
    low, high = panel.get_xlim()
    if low < loss < high:
        panel.axvline(loss, color=SOFT, linestyle=":", linewidth=1)
        where: Look = {"transform": panel.get_xaxis_transform(), "rotation": 90, "va": "top"}
        panel.text(loss, 0.99, " bigram table", ha="right", fontsize=7.5, color=SOFT, **where)


def _draw_legends(
    sheet: Sheet,
    left: float,
    colours: Mapping[str, str],
    markers: Mapping[str, str],
    hollow: bool,
) -> None:
    dot: Look = {"linestyle": "none", "markersize": 7}
    activations = [
        Line2D([], [], marker="o", label=name, **mean_look(colour, True), **dot)
        for name, colour in colours.items()
    ]
    models = [
        Line2D([], [], marker=marker, label=name, **mean_look(SOFT, True), **dot)
        for name, marker in markers.items()
    ]
    if hollow:
        models.append(Line2D([], [], marker="o", label=HOLLOW, **mean_look(SOFT, False), **dot))
    models.append(Line2D([], [], label="Pareto front", **FRONT))
    look: Look = {
        "loc": "upper left",
        "alignment": "left",
        "labelspacing": 0.35,
        "handletextpad": 0.2,
    }
    second = LEGEND_LINE * (len(activations) + 2.4)
    for title, handles, top in (("activation", activations, 0.0), ("model", models, second)):
        sheet.figure.legend(
            handles=handles,
            title=title,
            title_fontproperties={"weight": "bold", "size": 8.5},
            bbox_to_anchor=sheet.place(left, top),
            **look,
        )
