"""What a figure leaves out of a large study, so that it stays readable and quick to draw.

Drawings and captions both ask here, so that a caption says what was left out.
"""

from __future__ import annotations

import math

from actrepro.results.cells import Stats

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


def runs_shown(stats: Stats, models: int | None = None) -> bool:
    """Whether a figure of so many models, by default all, shows single runs."""
    return _cells(stats, models) * len(stats["seeds"]) <= MOST_SINGLES


def pairs_shown(stats: Stats, models: int | None = None) -> bool:
    """Whether a figure of so many models, by default all, shows single pairs of seeds."""
    return _cells(stats, models) * math.comb(len(stats["seeds"]), 2) <= MOST_SINGLES


def contrasts_in_rows(stats: Stats) -> bool:
    """Whether each contrast has a row of its own; else each model has a square of tiles."""
    return math.comb(len(stats["activations"]), 2) <= MOST_CONTRASTS


def crosses_shown(stats: Stats) -> bool:
    """Whether each cell of the trade-off has its intervals."""
    return _cells(stats, None) <= MOST_CROSSES


def tiles_numbered(stats: Stats) -> bool:
    """Whether tiles in a panel among others have their numbers."""
    return max(len(stats["models"]), len(stats["activations"])) <= MOST_NUMBERED


def curves_shown(names: int, seeds: int) -> bool:
    """Whether every run of so many names is a line behind the others; else their means are."""
    return names * seeds <= MOST_CURVES


def _cells(stats: Stats, models: int | None) -> int:
    return (len(stats["models"]) if models is None else models) * len(stats["activations"])
