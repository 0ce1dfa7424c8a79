"""Notes and captions of figures: checkpoint, n, interval, marks, and how to read them.

The report needs only the text, so nothing here imports matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from actrepro.core import formats
from actrepro.figures.catalogue import (
    CURVES,
    MODEL,
    MOST_LINES,
    OF_MODELS,
    TRAINING,
    contrasts_in_rows,
    crosses_shown,
    curves_shown,
    figure_kind,
    figure_title,
    pairs_shown,
    runs_shown,
    tiles_numbered,
)
from actrepro.results.cells import Stats, cells_of, named_cells
from actrepro.results.words import failures_note, smoke_note

# Marks of a cell that failed a gate, in figures that do not use a hollow marker.
MARKS: Mapping[str, str] = {
    "heatmap": "Grey and †",
    "comparison": "Grey and † or hollow, in no box and no mean",
    "contrasts": "Grey",
    "where": "Dashed or pale",
    "calibration": "Dashed",
    "ensemble": "Dashed",
    "power": "Left out",
    "variance": "Left out",
    CURVES: "†",
    TRAINING: "†",
}
# The figure of contrasts, if there are too many for rows; it is read in another way.
SQUARES = "contrasts in squares"
# Kinds that show no cells.
WITHOUT_CELLS = ("activations",)


def figure_note(name: str, stats: Stats) -> str:
    """Return the note that a figure carries everywhere: checkpoint, n, interval, marks."""
    kind, _ = figure_kind(name)
    if kind in WITHOUT_CELLS:
        return f"Scale {stats['scale']}: {SHOWN[kind](stats)}."
    parts = [smoke_note(stats), f"Scale {stats['scale']}: {SHOWN[kind](stats)}."]
    if left_out := LEFT_OUT.get(kind, _nothing)(stats):
        parts.append(f"{left_out}.")
    if failed := _failed(name, stats):
        parts.append(f"{MARKS.get(kind, 'Hollow')}: a gate failed ({failed}).")
    return " ".join(filter(None, parts))


def figure_caption(name: str, stats: Stats) -> str:
    """Return a figure's caption as plain text: measure, n, interval, and how to read it."""
    scored = formats.count(stats["evaluation"]["characters"])
    kind, _ = figure_kind(name)
    if kind == "contrasts" and not contrasts_in_rows(stats):
        kind = SQUARES
    reading = READINGS[kind].replace("{scored}", scored)
    return f"{figure_title(name)}. {figure_note(name, stats)} {reading}"


def _failed(name: str, stats: Stats) -> str:
    """List the failed gates of the cells that a figure shows; empty when none."""
    kind, shown = figure_kind(name)
    if kind in OF_MODELS:
        return failures_note(cells_of(stats, shown))
    if kind == TRAINING:
        return failures_note({model: cells_of(stats, model)[shown] for model in stats["models"]})
    final = failures_note(named_cells(stats))
    if kind != "contrasts":
        return final
    matched = failures_note(named_cells(stats, "matched"))
    if matched == final:
        return final
    return f"{final or 'none at the fixed step'}; at matched loss: {matched or 'none'}"


def _seeds(stats: Stats) -> str:
    return formats.counted(len(stats["seeds"]), "seed")


def _level(stats: Stats) -> str:
    return formats.level(stats["confidence"])


def _curves(stats: Stats) -> str:
    return f"{_seeds(stats)}, one line per run; loss in nats per character"


def _final(describe: Callable[[Stats], str]) -> Callable[[Stats], str]:
    """Describe the final checkpoint, with the number of seeds."""
    return lambda stats: f"final checkpoint, {_seeds(stats)}; {describe(stats)}"


def _score(stats: Stats) -> str:
    if len(stats["seeds"]) < 2:
        return "no interval below 2 seeds"
    return f"mean with {_level(stats)} interval over seeds and text"


def _pairs(stats: Stats, interval: str) -> str:
    """Describe the mean over pairs of seeds, and the interval where there is one."""
    n = len(stats["seeds"])
    if n < 2:
        return "a difference between seeds needs 2"
    pairs = f"mean over {formats.counted(math.comb(n, 2), 'pair')} of seeds"
    return f"{pairs}; no interval below 3 seeds" if n < 3 else f"{pairs}, {interval}"


def _difference(stats: Stats) -> str:
    return _pairs(stats, f"with {_level(stats)} jackknife interval over seeds")


def _half_width(stats: Stats) -> str:
    return _pairs(stats, f"± half-width of the {_level(stats)} jackknife interval over seeds")


def _tradeoff(stats: Stats) -> str:
    if len(stats["seeds"]) < 3:
        return _pairs(stats, "")
    return (
        f"means with {_level(stats)} intervals (loss: seeds and text, total variation: jackknife)"
    )


def _contrasts(stats: Stats) -> str:
    margin = stats["margins"]["total_variation"]
    n = len(stats["seeds"])
    intervals = (
        f"{_level(stats)} jackknife intervals over seeds, not corrected for their number"
        if n > 2
        else _pairs(stats, "")
    )
    if not contrasts_in_rows(stats):
        return f"{_seeds(stats)}; upper triangle: fixed step, lower triangle: matched loss"
    return (
        f"{_seeds(stats)}; filled circle: fixed step, open diamond: matched loss; {intervals}; "
        f"shaded: the margin ±{margin:g}"
    )


def _model(stats: Stats) -> str:
    return f"scores: {_score(stats)}; differences: {_difference(stats)}"


def _gap(stats: Stats) -> str:
    if len(stats["seeds"]) < 2:
        return "no interval below 2 seeds"
    return f"mean with Student’s {_level(stats)} interval over seeds"


def _power(stats: Stats) -> str:
    return (
        f"a power of 80% at {_level(stats)} confidence, with Holm’s correction; the spread between "
        f"{_seeds(stats)} taken for the true one; margin ±{stats['margins']['total_variation']:g}"
    )


def _of_pairs(stats: Stats) -> str:
    n = len(stats["seeds"])
    if n < 2:
        return "a difference between seeds needs 2"
    return f"mean over {formats.counted(math.comb(n, 2), 'pair')} of seeds, without intervals"


SHOWN: Mapping[str, Callable[[Stats], str]] = {
    "loss": _final(_score),
    "accuracy": _final(_score),
    "differences": _final(_difference),
    "heatmap": _final(_half_width),
    "tradeoff": _final(_tradeoff),
    "contrasts": _contrasts,
    "comparison": _final(_difference),
    "where": _final(_of_pairs),
    "calibration": _final(lambda _: "all runs pooled, without intervals"),
    "gap": lambda stats: f"{_seeds(stats)}; {_gap(stats)}",
    "ensemble": _final(lambda _: "mean over the subsets of seeds of a size, without intervals"),
    "power": _power,
    "variance": _final(lambda _: "the largest complete grid of sound cells, without intervals"),
    "activations": lambda _: "functions on a grid from −4 to 4, nothing trained",
    "cost": lambda stats: f"{_seeds(stats)}; mean over runs, without an interval",
    MODEL: _final(_model),
    CURVES: _curves,
    TRAINING: _curves,
}


def _nothing(_: Stats) -> str:
    return ""


def _without_runs(stats: Stats) -> str:
    return "" if runs_shown(stats) else "Too many runs to show them singly"


def _without_pairs(stats: Stats) -> str:
    return "" if pairs_shown(stats) else "Too many pairs to show them singly"


def _without_model(stats: Stats) -> str:
    whole = runs_shown(stats, 1) and pairs_shown(stats, 1)
    return "" if whole else "Too many runs or pairs to show them singly"


def _means_behind(names: Callable[[Stats], Collection[str]]) -> Callable[[Stats], str]:
    """Return a function that says whether the grey lines are means over seeds."""

    def note(stats: Stats) -> str:
        whole = curves_shown(len(names(stats)), len(stats["seeds"]))
        return "" if whole else "Grey lines are means over seeds"

    return note


def _without_crosses(stats: Stats) -> str:
    return "" if crosses_shown(stats) else "Too many cells to show their intervals"


def _of_comparison(stats: Stats) -> str:
    numbers = "" if tiles_numbered(stats) else "Too many cells to print their numbers"
    return ". ".join(filter(None, [_without_pairs(stats), numbers]))


def _ranges(stats: Stats) -> str:
    many = len(stats["activations"]) > MOST_LINES
    return "Line: median activation, band: from the lowest to the highest" if many else ""


# Notes on what a large study's figure leaves out, by kind.
LEFT_OUT: Mapping[str, Callable[[Stats], str]] = {
    "loss": _without_runs,
    "accuracy": _without_runs,
    "gap": _without_runs,
    "cost": _without_runs,
    "differences": _without_pairs,
    "comparison": _of_comparison,
    "tradeoff": _without_crosses,
    "where": _ranges,
    MODEL: _without_model,
    CURVES: _means_behind(lambda stats: stats["activations"]),
    TRAINING: _means_behind(lambda stats: stats["models"]),
}

_LINES = (
    "Solid: loss on windows of the selection text; dashed: on windows of the training text. Each "
    "panel shows one {what} in colour and the others’ selection loss in grey. Dotted: n-gram "
    "tables of the training text, scored on the test text. The axis leaves out the first, "
    "untrained losses where they lie above it; a cross marks where a run diverged or failed."
)
_OWN_SCALES = (
    "Small rings are the single runs. Each panel has its own scale, which does not start at 0, so "
    "panels are not compared by eye; dotted lines are n-gram tables where they fall inside it."
)

READINGS: Mapping[str, str] = {
    CURVES: _LINES.replace("{what}", "activation"),
    TRAINING: _LINES.replace("{what}", "model"),
    MODEL: "All four on the same {scored} test characters. Small rings are single runs (loss, "
    "accuracy) and single pairs of seeds (total variation, churn); pairs that share a seed are not "
    "independent, which the jackknife allows for. Each panel has its own scale, which does not "
    "start at 0. Overlapping intervals are no evidence that two activations are alike.",
    "loss": f"Nats per character on the same {{scored}} test characters. {_OWN_SCALES}",
    "accuracy": "Share of the same {scored} test characters that are the most probable symbol. "
    f"{_OWN_SCALES}",
    "differences": "Top: total variation, ½ Σ|p − q|, the primary measure; below: churn, the "
    "share of characters whose most probable symbol differs; both on the same {scored} test "
    "characters. Small rings are single pairs of seeds; pairs that share a seed are not "
    "independent, which the jackknife allows for. All panels of a measure share one scale, which "
    "does not start at 0.",
    "comparison": "Total variation, ½ Σ|p − q|, on the same {scored} test characters. a: small "
    "markers are single cells, large dots the mean over the models in which every such activation "
    "is sound, with an interval that takes the models’ errors as independent. b: boxes (quartiles, "
    "median, extremes) over the single pairs of all models, each minus its model’s mean. c: every "
    "cell. d: the range between a model’s activations; grey: the ranges that seeds alone would "
    "give, by the cells’ standard errors, up to the level of confidence, with a tick at their "
    "median. Filled: beyond that, hollow: within it; a ranking within the seeds’ noise is none. "
    "Axes of a and b do not start at 0.",
    "where": "Total variation between seeds on the same {scored} test characters, by true symbol "
    "(the twelve most frequent), by the runs’ mean top probability, and along the text in equal "
    "stretches. Bins with less than 1% of the characters are left out. One scale for all panels, "
    "from 0. Symbols and confidence go together: neither is shown to cause the other.",
    "calibration": "How often the most probable symbol is right, against how probable the runs "
    "say it is, in bins of the same {scored} test characters; on the dotted line a run is as often "
    "right as it says, below it is too sure. The calibration error is the mean distance from that "
    "line, weighted by characters, averaged over runs. Bins with less than 1% are left out.",
    "gap": "Top: how much lower the loss is on windows of the training text than of the selection "
    "text at the last evaluation; the texts differ, so 0 is not the mark of no overfitting. Below: "
    "how much higher the test loss is at the last step than at the checkpoint that was best on the "
    "selection text; 0 where that is the last one. Small rings are single runs; one scale a block.",
    "tradeoff": "Total variation between seeds against loss on the same {scored} test "
    "characters. Colour shows the activation, shape the model. Sharper predictions can "
    "differ more, so cells at different loss are not compared like with like. The dashed steps are "
    "the Pareto front: no sound cell has both a lower loss and a lower total variation than one on "
    "it. It ignores the intervals: a cell just behind it may be as good. Axes do not start at 0.",
    "ensemble": "Test loss, on the same {scored} test characters, of the mean probability of k "
    "seeds; gain: the loss of one seed minus that of all. Each panel has its own scale, which does "
    "not start at 0. Nothing is extrapolated to more seeds than were trained.",
    "power": "The smallest difference between two activations in total variation that a number of "
    "seeds would find, from the first number at which the exact test reaches the corrected level. "
    "Line: a contrast of median spread, band: the least to the most variable one, dotted: the "
    "margin below which differences count as none, dashed: this study’s seeds. The spread itself "
    "is known roughly from few seeds, so this is for planning, not evidence.",
    "variance": "Shares of the spread between runs by source, of a two-way analysis of variance "
    "with seeds as blocks: filled ω², nearly unbiased (it can be below 0), hollow η². A model’s "
    "large share says that models differ, and nothing of the activation within one. Shares depend "
    "on which models and activations were chosen, and say nothing of reproducibility.",
    "activations": "Each function (solid) and its derivative (dashed) on one scale; of a gated one "
    "the gate is shown, with its other half equal to 1. Beyond the panel’s edge they go on.",
    "heatmap": "Mean total variation on the same {scored} test characters, with the "
    "interval’s half-width. The colours span the range of the cells that passed every gate, "
    "however narrow; whether a difference can be told from chance is for the intervals and "
    "tests to say.",
    "contrasts": "Each row is a − b in mean total variation between seeds, on the same "
    "{scored} test characters: above at the final step, below with each run at the step "
    "nearest its model’s common loss. The verdict beside it is from exact tests (different) "
    "and two one-sided tests against the margin (equivalent), both with Holm’s correction "
    "within the model; inconclusive is neither. An unsound contrast has a cell that failed a "
    "gate; an arrowhead stands for one beyond the axis.",
    SQUARES: "A tile is a − b in mean total variation between seeds on the same {scored} test "
    "characters, a the row above the diagonal and the column below it: above at the final step, "
    "below with each run at the step nearest its model’s common loss. A dot marks a contrast that "
    "ended as different, a dash one that ended as equivalent, both with Holm’s correction within "
    "the model; none, an inconclusive one. A colour alone is no finding; `contrasts.csv` has "
    "the intervals.",
    "cost": "Seconds of training per run, and thousand characters per second. Small rings are "
    "single runs, dots their means; all panels of a block share one scale from 0. Runs shared the "
    "machine with other jobs, so small differences say nothing of the activations.",
}
