"""Jobs that draw the figures of a scale.

The report imports this module for captions alone, so matplotlib is imported only to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from actrepro.core.errors import ActreproError
from actrepro.core.model_cards import Curve, ModelCards
from actrepro.core.shapes import read_as
from actrepro.figures.captions import figure_caption, figure_note
from actrepro.figures.catalogue import (
    BREAKDOWNS,
    CURVES,
    MODEL,
    MODELS,
    OF_ACTIVATION,
    TRAINING,
    figure_kind,
    figure_names,
    figure_need,
    figure_title,
)
from actrepro.measures.shapes import Breakdown
from actrepro.results.schema import StatsFile, read_stats
from actrepro.train.history import HistoryRow, read_history

if TYPE_CHECKING:
    from actrepro.figures.sheet import Sheet

__all__ = ["Sources", "compose", "draw_figure", "figure_caption", "figure_note", "read_histories"]

# By activation (by model in the figure of one activation), then by seed.
Histories = Mapping[str, Mapping[int, Sequence[HistoryRow]]]


@dataclass(frozen=True)
class Sources:
    """Inputs of a figure besides `stats.json`; only those that it needs are filled.

    Attributes
    ----------
    histories
        Losses of the runs that training curves show.
    breakdowns
        `breakdown.json` by model.
    curves
        The key `activations` of `models.json`.
    """

    histories: Histories = field(default_factory=dict)
    breakdowns: Mapping[str, Breakdown] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)


def draw_figure(
    name: str,
    stats: Path,
    histories: Sequence[Path],
    svg: Path,
    png: Path,
    breakdowns: Sequence[Path] = (),
    models: Path | None = None,
) -> None:
    """Draw a figure and write it as SVG and PNG; the same numbers give the same bytes.

    Parameters
    ----------
    name
        One of `figure_names`.
    stats
        `stats.json` of the scale.
    histories
        `history.csv` of a model's or an activation's runs, for their training curves.
    breakdowns
        `breakdown.json` of each model, for a figure that needs them.
    models
        `models.json`, for the figure of activations.

    Raises
    ------
    ActreproError
        When a file is missing or damaged or not given, or the scale has no such figure.
    """
    numbers = read_stats(stats)
    if name not in figure_names(list(numbers["models"]), numbers["activations"]):
        raise ActreproError(
            f"{stats} has the models {', '.join(numbers['models'])} and the activations "
            f"{', '.join(numbers['activations'])}; there is no figure {name!r}"
        )
    need = figure_need(name)
    sources = Sources(
        read_histories(histories, of_activation=need == OF_ACTIVATION),
        _breakdowns(numbers, breakdowns) if need == BREAKDOWNS else {},
        _curves(models) if need == MODELS else {},
    )
    from actrepro.figures.sheet import style

    with style():
        compose(name, numbers, sources).save(svg, png)


def compose(name: str, stats: StatsFile, sources: Sources) -> Sheet:
    """Compose a figure as a sheet, inside `actrepro.figures.sheet.style()`.

    Each drawing is imported only where it is used, because some import slow libraries.
    """
    kind, shown = figure_kind(name)
    header = (figure_title(name), figure_note(name, stats))
    if kind in (CURVES, TRAINING):
        from actrepro.figures.curves import draw_curves, draw_training

        draw_lines = draw_curves if kind == CURVES else draw_training
        return draw_lines(header, stats, shown, sources.histories)
    if kind == MODEL:
        from actrepro.figures.rows import draw_model

        return draw_model(header, stats, shown)
    if figure_need(name) == BREAKDOWNS:
        from actrepro.figures.breakdowns import draw_calibration, draw_ensemble, draw_where

        draw_breakdown = {
            "where": draw_where,
            "calibration": draw_calibration,
            "ensemble": draw_ensemble,
        }[kind]
        return draw_breakdown(header, stats, sources.breakdowns)
    if figure_need(name) == MODELS:
        from actrepro.figures.shapes import draw_activations

        return draw_activations(header, stats, sources.curves)
    return _drawing_of_statistics(kind)(header, stats)


def _drawing_of_statistics(kind: str) -> Callable[[tuple[str, str], StatsFile], Sheet]:
    """Return the function that draws a figure from `stats.json` alone."""
    if kind in ("power", "variance"):
        from actrepro.figures.planning import draw_power, draw_variance

        return draw_power if kind == "power" else draw_variance
    if kind in ("loss", "accuracy", "differences", "gap", "cost"):
        from actrepro.figures import rows

        return {
            "loss": rows.draw_loss,
            "accuracy": rows.draw_accuracy,
            "differences": rows.draw_differences,
            "gap": rows.draw_gap,
            "cost": rows.draw_cost,
        }[kind]
    from actrepro.figures.comparison import draw_comparison
    from actrepro.figures.contrasts import draw_contrasts
    from actrepro.figures.tiles import draw_heatmap
    from actrepro.figures.tradeoff import draw_tradeoff

    return {
        "heatmap": draw_heatmap,
        "tradeoff": draw_tradeoff,
        "contrasts": draw_contrasts,
        "comparison": draw_comparison,
    }[kind]


def read_histories(
    paths: Sequence[Path], of_activation: bool = False
) -> dict[str, dict[int, list[HistoryRow]]]:
    """Read losses by activation and seed, which the paths name (`…/{activation}/seed{seed}/…`).

    With `of_activation` the first key is the model. NaN and infinite losses are kept.

    Raises
    ------
    ActreproError
        When a file is missing or not a history.
    """
    histories: dict[str, dict[int, list[HistoryRow]]] = {}
    for path in paths:
        seed = int(path.parent.name.removeprefix("seed"))
        name = path.parents[2].name if of_activation else path.parents[1].name
        histories.setdefault(name, {})[seed] = read_history(path)
    return histories


def _breakdowns(stats: StatsFile, paths: Sequence[Path]) -> dict[str, Breakdown]:
    """Read breakdowns by model; every model of the scale must have one, of the same text."""
    by_model = {
        breakdown["model"]: breakdown for breakdown in (read_as(Breakdown, path) for path in paths)
    }
    if missing := [model for model in stats["models"] if model not in by_model]:
        raise ActreproError(
            f"no breakdown.json of {', '.join(missing)} was given; the figure needs one of each "
            "of the scale’s models"
        )
    return by_model


def _curves(models: Path | None) -> Mapping[str, Curve]:
    if models is None:
        raise ActreproError("models.json was not given; the figure of activations needs it")
    curves: Mapping[str, Curve] = read_as(ModelCards, models)["activations"]
    return curves
