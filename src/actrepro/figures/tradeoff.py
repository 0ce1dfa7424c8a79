"""All cells of a scale by total variation between seeds and by loss, with the Pareto front."""

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
    """Draw total variation between seeds against loss, all cells."""
    colours = activation_colours(stats["activations"])
    markers = model_markers(list(stats["models"]))
    outliers = _outliers(stats)
    absent = [*_absent(stats), *(_outlier_note(*entry) for entry in outliers)]
    height = max(4.4, LEGEND_LINE * (len(colours) + len(markers) + 5))
    names = label_width([*colours, *markers, HOLLOW]) + 0.45
    sheet = Sheet(header, WIDTH, height + 0.75 + NOTE_LINE * len(absent))
    panel = sheet.panel(0.75, 0.1, WIDTH - 0.95 - names, height)
    panel.grid()
    panel.set_xlabel("test loss, nats per character")
    panel.set_ylabel("total variation between seeds")
    drawn = [
        entry for entry in every_cell(stats) if not absence(entry[2], 2) and entry not in outliers
    ]
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
    """List the cells without a difference, by reason."""
    reasons: dict[str, list[str]] = {}
    for model, activation, cell in every_cell(stats):
        if reason := absence(cell, 2):
            reasons.setdefault(reason, []).append(f"{model} {activation}")
    return [f"not shown ({reason}): {listed(names, 5)}" for reason, names in reasons.items()]


def _outliers(stats: Stats) -> list[tuple[str, str, Cell]]:
    """Return failed cells so far out that showing them would squeeze the sound ones together."""
    compared = [entry for entry in every_cell(stats) if not absence(entry[2], 2)]
    judged = [_estimates(cell) for _, _, cell in compared if sound(cell)]
    if not judged:
        return []
    frame = [_widened(estimates) for estimates in zip(*judged, strict=True)]
    return [
        entry
        for entry in compared
        if not sound(entry[2])
        and any(
            not low <= estimate["value"] <= high
            for estimate, (low, high) in zip(_estimates(entry[2]), frame, strict=True)
        )
    ]


def _estimates(cell: Cell) -> tuple[Estimate, Estimate]:
    return known(cell["metrics"]["loss.all"]), known(cell["differences"][PRIMARY])


def _widened(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return the range of the estimates with their intervals, widened to three times its width."""
    ends = [
        end for estimate in estimates for end in (estimate["value"], *(estimate["interval"] or ()))
    ]
    reach = max(ends) - min(ends)
    return min(ends) - reach, max(ends) + reach


def _outlier_note(model: str, activation: str, cell: Cell) -> str:
    loss, variation = (number(estimate["value"], 3) for estimate in _estimates(cell))
    return (
        f"not shown ({gate_mark(cell)}): {model} {activation} at loss {loss}, "
        f"total variation {variation}"
    )


def _draw_cross(panel: Axes, cell: Cell, colour: str) -> None:
    """Draw a cell's two intervals."""
    loss, difference = _estimates(cell)
    look: Look = {"color": colour, "linewidth": 0.8, "alpha": 0.35, "zorder": 1.5}
    if loss["interval"] is not None:
        panel.plot(loss["interval"], [difference["value"]] * 2, **look)
    if difference["interval"] is not None:
        panel.plot([loss["value"]] * 2, difference["interval"], **look)


def _draw_cell(panel: Axes, cell: Cell, marker: str, colour: str) -> None:
    (x, y), look = (
        (estimate["value"] for estimate in _estimates(cell)),
        mean_look(colour, sound(cell)),
    )
    panel.plot([x], [y], marker=marker, markersize=7, zorder=3, **look)


def _draw_front(panel: Axes, stats: Stats) -> None:
    """Draw the Pareto front as steps: no sound cell has lower loss and lower total variation."""
    names = stats["pareto_front"]
    if len(names) < 2:
        return
    cells = [cells_of(stats, point["model"])[point["activation"]] for point in names]
    x, y = zip(
        *([estimate["value"] for estimate in _estimates(cell)] for cell in cells), strict=True
    )
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
