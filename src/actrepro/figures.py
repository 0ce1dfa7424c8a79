"""The figures of a scale: what they say in words, and drawing them to files.

The report wants the words alone, so nothing here imports matplotlib before a figure is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actrepro import formats
from actrepro.cells import cells_of, failures_note, named_cells, smoke_note
from actrepro.errors import ActreproError
from actrepro.figure_names import CURVES, figure_names, figure_title
from actrepro.files import read_json
from actrepro.history import HistoryRow, read_history

if TYPE_CHECKING:
    from actrepro.drawing.sheet import Sheet

# How a figure marks a cell that failed a gate.
MARKS = {"heatmap": "Grey and †", "contrasts": "Grey", CURVES: "†"}

# By activation and seed.
Histories = dict[str, dict[int, list[HistoryRow]]]


def figure_note(name: str, stats: Mapping[str, Any]) -> str:
    """What a figure must say of itself when it stands alone: checkpoint, n, interval, marks."""
    parts = [smoke_note(stats), f"Scale {stats['scale']}: {_shown(name, stats)}."]
    if failed := _failed(name, stats):
        kind = CURVES if name.startswith(CURVES) else name
        parts.append(f"{MARKS.get(kind, 'Hollow')}: a gate failed ({failed}).")
    return " ".join(filter(None, parts))


def _failed(name: str, stats: Mapping[str, Any]) -> str:
    """The failed gates of the cells that a figure shows; empty when none."""
    if name.startswith(CURVES):
        return failures_note(cells_of(stats, name.removeprefix(CURVES)))
    final = failures_note(named_cells(stats))
    if name != "contrasts":
        return final
    matched = failures_note(named_cells(stats, "matched"))
    if matched == final:
        return final
    return f"{final or 'none at the fixed step'}; at matched loss: {matched or 'none'}"


def _shown(name: str, stats: Mapping[str, Any]) -> str:
    seeds = formats.counted(len(stats["seeds"]), "seed")
    if name.startswith(CURVES):
        return f"{seeds}, one line per run; loss in nats per character"
    if name == "contrasts":
        margin = stats["margins"]["total_variation"]
        return (
            f"{seeds}; filled circle: fixed step, open diamond: matched loss; "
            f"{_interval_note(name, stats)}; shaded: the margin ±{margin:g}"
        )
    return f"final checkpoint, {seeds}; {_interval_note(name, stats)}"


def _interval_note(name: str, stats: Mapping[str, Any]) -> str:
    n = len(stats["seeds"])
    level = formats.level(stats["confidence"])
    if name == "loss":
        over = f"mean with {level} interval over seeds and text"
        return over if n > 1 else "no interval below 2 seeds"
    if n < 2:
        return "a difference between seeds needs 2"
    pairs = f"mean over {formats.counted(math.comb(n, 2), 'pair')} of seeds"
    if n < 3:
        return f"{pairs}; no interval below 3 seeds"
    if name == "contrasts":
        return f"{level} jackknife intervals over seeds, not corrected for their number"
    if name == "tradeoff":
        return f"means with {level} intervals (loss: seeds and text, total variation: jackknife)"
    half = " half-width of the" if name == "heatmap" else ""
    return f"{pairs}, {'±' if half else 'with'}{half} {level} jackknife interval over seeds"


def figure_caption(name: str, stats: Mapping[str, Any]) -> str:
    """A figure's caption as plain text: measure, n, interval, and how to read it."""
    scored = formats.count(stats["evaluation"]["characters"])
    return f"{figure_title(name)}. {figure_note(name, stats)} {_reading(name, scored)}"


def _reading(name: str, scored: str) -> str:
    if name.startswith(CURVES):
        return (
            "Solid: loss on windows of the selection text; dashed: on windows of the training "
            "text. Each panel shows one activation in its colour and the others’ selection loss "
            "in grey. Dotted: n-gram tables of the training text, scored on the test text. The "
            "axis leaves out the first, untrained losses where they lie above it; a cross marks "
            "where a run diverged or failed."
        )
    return {
        "loss": f"Nats per character on the same {scored} test characters. Small rings are the "
        "single runs. Each panel has its own scale; dotted lines are n-gram tables where they "
        "fall inside it.",
        "differences": f"Top: total variation, ½ Σ|p − q|, the primary measure; below: churn, the "
        f"share of characters whose most probable symbol differs; both on the same {scored} test "
        "characters. Small rings are single pairs of seeds; pairs that share a seed are not "
        "independent, which the jackknife allows for. All panels of a measure share one scale.",
        "tradeoff": f"Total variation between seeds against loss on the same {scored} test "
        "characters. Colour tells the activation, shape the model. Sharper predictions can "
        "differ more, so cells at different loss are not compared like with like.",
        "heatmap": f"Mean total variation on the same {scored} test characters, with the "
        "interval’s half-width. The colours span the range of the cells that passed every gate, "
        "however narrow; whether a difference can be told from chance is for the intervals and "
        "tests to say.",
        "contrasts": f"Each row is a − b in mean total variation between seeds, on the same "
        f"{scored} test characters: above at the final step, below with each run at the step "
        "nearest its model’s common loss. The verdict beside it is from exact tests (different) "
        "and two one-sided tests against the margin (equivalent), both with Holm’s correction "
        "within the model; inconclusive is neither. An unsound contrast has a cell that failed a "
        "gate; an arrowhead stands for one beyond the axis.",
    }[name]


def draw_figure(name: str, stats: Path, histories: Sequence[Path], svg: Path, png: Path) -> None:
    """Draw a figure and write it as SVG and PNG; the same numbers give the same bytes.

    Parameters
    ----------
    name
        One of `figure_names`.
    stats
        `stats.json` of the scale.
    histories
        `history.csv` of a model's runs, for its training curves.

    Raises
    ------
    ActreproError
        When a file is missing or damaged, or the scale has no such figure.
    """
    numbers = read_json(stats)
    if name not in figure_names(list(numbers["models"])):
        raise ActreproError(
            f"{stats} has the models {', '.join(numbers['models'])}; there is no figure {name!r}"
        )
    from actrepro.drawing.sheet import style

    with style():
        compose(name, numbers, read_histories(histories)).save(svg, png)


def compose(name: str, stats: Mapping[str, Any], histories: Histories) -> Sheet:
    """A figure as a page of matplotlib's, inside `drawing.sheet.style()`."""
    from actrepro.drawing.contrasts import draw_contrasts
    from actrepro.drawing.curves import draw_curves
    from actrepro.drawing.overview import draw_heatmap, draw_tradeoff
    from actrepro.drawing.rows import draw_differences, draw_loss

    header = (figure_title(name), figure_note(name, stats))
    if name.startswith(CURVES):
        return draw_curves(header, stats, name.removeprefix(CURVES), histories)
    draw = {
        "loss": draw_loss,
        "differences": draw_differences,
        "tradeoff": draw_tradeoff,
        "heatmap": draw_heatmap,
        "contrasts": draw_contrasts,
    }[name]
    return draw(header, stats)


def read_histories(paths: Sequence[Path]) -> Histories:
    """Losses by activation and seed, which the paths name (`…/{activation}/seed{seed}/…`).

    Losses that are no number stay so: NaN or infinite.

    Raises
    ------
    ActreproError
        When a file is missing or not a history.
    """
    histories: Histories = {}
    for path in paths:
        seed = int(path.parent.name.removeprefix("seed"))
        histories.setdefault(path.parent.parent.name, {})[seed] = read_history(path)
    return histories
