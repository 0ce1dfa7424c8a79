"""The figures of a scale: names, titles, places in the report, sources, and limits of size.

The rules import this module whenever they are parsed, so it is cheap and draws nothing. A large
study's figure leaves things out to stay readable and quick to draw. Drawings and captions take
the limits from here, so that a caption always says what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actrepro.core import paths
from actrepro.results.cells import Stats

CURVES = "curves-"
MODEL = "model-"
TRAINING = "training-"

# Inputs of figures besides `stats.json`.
OF_MODEL, OF_ACTIVATION = "histories of the model", "histories of the activation"
BREAKDOWNS = "breakdowns"
MODELS = "models"

# Places in the report, with their names in Snakemake's; a model's and an activation's come last.
GROUPS: Mapping[str, str] = {
    "reproducibility": "Reproducibility",
    "accuracy": "Accuracy",
    "tradeoff": "Trade-off",
    "statistics": "Statistics",
    "run": "What was run",
    "cost": "Cost",
    "model": "Models",
    "activation": "Activations",
}

# More rings than these are a smear, and each is 100 bytes of the SVG.
MOST_SINGLES = 4000
# More rows of contrasts than these are no longer compared by eye.
MOST_CONTRASTS = 45
# More grey lines than these behind each training curve are drawn as their means over seeds.
MOST_CURVES = 60
# More crosses of intervals than these hide the cells they belong to.
MOST_CROSSES = 100
# More columns of tiles than these leave no room for numbers in a panel among others.
MOST_NUMBERED = 12
# More lines than these in a panel of a breakdown cannot be told apart.
MOST_LINES = 8
# More symbols than these, the most frequent first, have no room in a panel or table.
MOST_SYMBOLS = 12


@dataclass(frozen=True)
class Kind:
    """A kind of figure: its title, its place among `GROUPS`, and its `need` besides `stats.json`.

    The title of a figure of one model or activation has a placeholder for its name.
    """

    title: str
    group: str
    need: str | None = None


# In the order in which readers see them within a group.
OF_SCALE: Mapping[str, Kind] = {
    "heatmap": Kind("Total variation between seeds, by model and activation", "reproducibility"),
    "contrasts": Kind(
        "Contrasts between activations in total variation between seeds", "reproducibility"
    ),
    "differences": Kind("Differences between seeds by activation", "reproducibility"),
    "comparison": Kind("Activations and models compared in total variation", "reproducibility"),
    "where": Kind("Where seeds disagree", "reproducibility", BREAKDOWNS),
    "loss": Kind("Test loss by activation", "accuracy"),
    "accuracy": Kind("Test accuracy by activation", "accuracy"),
    "calibration": Kind("Calibration by activation", "accuracy", BREAKDOWNS),
    "gap": Kind("Train–validation gap, and the final against the best checkpoint", "accuracy"),
    "tradeoff": Kind("Difference between seeds against test loss", "tradeoff"),
    "ensemble": Kind("Test loss of ensembles of seeds", "tradeoff", BREAKDOWNS),
    "power": Kind("Smallest detectable difference by number of seeds", "statistics"),
    "variance": Kind("Where the spread of loss and accuracy comes from", "statistics"),
    "activations": Kind("The activation functions and their derivatives", "run", MODELS),
    "cost": Kind("Training time and speed by activation", "cost"),
}
# By the beginning of their names, which the model or activation ends.
OF_MODELS: Mapping[str, Kind] = {
    MODEL: Kind("{} by activation", "model"),
    CURVES: Kind("Training curves of {}", "model", OF_MODEL),
}
OF_ACTIVATIONS: Mapping[str, Kind] = {
    TRAINING: Kind("Training curves with {}", "activation", OF_ACTIVATION),
}

KINDS: Mapping[str, Kind] = {**OF_SCALE, **OF_MODELS, **OF_ACTIVATIONS}


def figure_names(models: Sequence[str], activations: Sequence[str] = ()) -> list[str]:
    """Return the names of a scale's figures, in the order of the report."""
    return [
        *OF_SCALE,
        *(f"{kind}{model}" for model in models for kind in OF_MODELS),
        *(f"{kind}{activation}" for activation in activations for kind in OF_ACTIVATIONS),
    ]


def figure_kind(name: str) -> tuple[str, str]:
    """Return a figure's kind, and the model or activation that it shows alone.

    >>> figure_kind("curves-charlm"), figure_kind("loss")
    (('curves-', 'charlm'), ('loss', ''))
    """
    for kind in (*OF_MODELS, *OF_ACTIVATIONS):
        if name.startswith(kind):
            return kind, name.removeprefix(kind)
    return name, ""


def figure_title(name: str) -> str:
    """Return a figure's title."""
    return _kind(name).title.format(figure_kind(name)[1])


def figure_group(name: str) -> str:
    """Return a figure's place in the report, a key of `GROUPS`."""
    return _kind(name).group


def figure_need(name: str) -> str | None:
    """Return the input that a figure needs besides `stats.json`; None where it needs none."""
    return _kind(name).need


def figure_sources(name: str) -> dict[str, list[str]]:
    """Return the patterns of the files that a figure is made from besides `stats.json`, by input.

    >>> figure_sources("training-relu")["histories"]
    ['results/{scale}/{model}/relu/seed{seed}/history.csv']
    """
    need, (_, shown) = figure_need(name), figure_kind(name)
    of_model = [paths.at(paths.HISTORY, model=shown)]
    of_activation = [paths.at(paths.HISTORY, activation=shown)]
    return {
        "histories": {OF_MODEL: of_model, OF_ACTIVATION: of_activation}.get(need or "", []),
        "breakdowns": [paths.BREAKDOWN] if need == BREAKDOWNS else [],
        "models": [paths.MODELS] if need == MODELS else [],
    }


def _kind(name: str) -> Kind:
    return KINDS[figure_kind(name)[0]]


def runs_shown(stats: Stats, models: int | None = None) -> bool:
    """Check whether a figure of this many models (default: all) shows single runs."""
    return _cells(stats, models) * len(stats["seeds"]) <= MOST_SINGLES


def pairs_shown(stats: Stats, models: int | None = None) -> bool:
    """Check whether a figure of this many models (default: all) shows single pairs of seeds."""
    return _cells(stats, models) * math.comb(len(stats["seeds"]), 2) <= MOST_SINGLES


def contrasts_in_rows(stats: Stats) -> bool:
    """Check whether each contrast has its own row; else each model has a square of tiles."""
    return math.comb(len(stats["activations"]), 2) <= MOST_CONTRASTS


def crosses_shown(stats: Stats) -> bool:
    """Check whether each cell of the trade-off shows its intervals."""
    return _cells(stats, None) <= MOST_CROSSES


def tiles_numbered(stats: Stats) -> bool:
    """Check whether tiles in a panel among others show their numbers."""
    return max(len(stats["models"]), len(stats["activations"])) <= MOST_NUMBERED


def curves_shown(names: int, seeds: int) -> bool:
    """Check whether every run is a grey line behind the curves; else the means over seeds are."""
    return names * seeds <= MOST_CURVES


def _cells(stats: Stats, models: int | None) -> int:
    return (len(stats["models"]) if models is None else models) * len(stats["activations"])
