"""Shares of the activation, the model and the seed in a score's variance.

y = μ + activation + model + activation:model + seed + residual, with every
activation and model run at the same seeds, so seeds are random blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.stats

from actrepro.results import schema
from actrepro.results.schema import SourceName
from actrepro.statistics.inference import Floats

# A smaller share of the total sum of squares is rounding error.
NOTHING = 1e-20


@dataclass(frozen=True)
class Source:
    """One row of the analysis of variance; None where nothing varies to compare with.

    Attributes
    ----------
    source
        "activation", "model", "activation:model", "seed" or "residual".
    ss, df, ms
        Sum of squares, degrees of freedom, and their ratio.
    f, p
        Against the residual's mean square.
    eta2
        Share of the total sum of squares.
    partial_eta2
        ss / (ss + residual ss).
    omega2
        (ss − df·MSE) / (total ss + MSE), MSE the residual's mean square: nearly
        unbiased, so it can be below 0.
    """

    source: SourceName
    ss: float
    df: int
    ms: float
    f: float | None
    p: float | None
    eta2: float | None
    partial_eta2: float | None
    omega2: float | None

    def as_json(self) -> schema.Source:
        """Return a dictionary of plain numbers."""
        return {
            "source": self.source,
            "ss": self.ss,
            "df": self.df,
            "ms": self.ms,
            "f": self.f,
            "p": self.p,
            "eta2": self.eta2,
            "partial_eta2": self.partial_eta2,
            "omega2": self.omega2,
        }


@dataclass(frozen=True)
class Decomposition:
    """Analysis of variance of a balanced study.

    Attributes
    ----------
    sources
        Residual last. Terms that one activation or one model cannot have are absent.
    variance_seed
        By expected mean squares, (MS seed − MS residual) / runs per seed, at least 0.
    variance_seed_raw
        The same without that bound; a value below 0 shows that sharing a seed does not help.
    variance_residual
        MS residual.
    icc
        variance_seed / (variance_seed + variance_residual): correlation of two
        runs of one seed, and so the gain of pairing by seed.
    """

    sources: list[Source]
    variance_seed: float | None
    variance_seed_raw: float | None
    variance_residual: float | None
    icc: float | None

    def source(self, name: str) -> Source:
        """Return the row of this name, which must exist."""
        return next(row for row in self.sources if row.source == name)

    def as_json(self) -> schema.Variances:
        """Return nested dictionaries of plain numbers."""
        return {
            "sources": [row.as_json() for row in self.sources],
            "variance_seed": self.variance_seed,
            "variance_seed_raw": self.variance_seed_raw,
            "variance_residual": self.variance_residual,
            "icc": self.icc,
        }


def decompose(y: Floats) -> Decomposition | None:
    """Decompose `[activations, models, seeds]` scores, one per run; None with fewer than two seeds.

    Sums of squares of a balanced two-factor design with a random block
    (Montgomery 2017, ch. 5.6). It is balanced, so types I, II and III are the same.
    """
    activations, models, seeds = y.shape
    if seeds < 2:
        return None
    # A constant changes no variance; without it, equal scores are exactly zero.
    centred = y - y[0, 0, 0]
    centred = centred - centred.mean()
    activation = centred.mean(axis=(1, 2), keepdims=True)
    model = centred.mean(axis=(0, 2), keepdims=True)
    both = centred.mean(axis=2, keepdims=True) - activation - model
    seed = centred.mean(axis=(0, 1), keepdims=True)
    effects: dict[SourceName, tuple[Floats, int]] = {
        "activation": (activation, activations - 1),
        "model": (model, models - 1),
        "activation:model": (both, (activations - 1) * (models - 1)),
        "seed": (seed, seeds - 1),
        "residual": (
            centred - activation - model - both - seed,
            (activations * models - 1) * (seeds - 1),
        ),
    }
    terms = {
        name: (_sum_of_squares(effect, y.shape), df)
        for name, (effect, df) in effects.items()
        if df > 0
    }
    total = float((centred**2).sum())
    sums = {name: (ss if ss > NOTHING * total else 0.0, df) for name, (ss, df) in terms.items()}
    return _decomposition(sums, total, activations * models)


def _sum_of_squares(effect: Floats, shape: tuple[int, ...]) -> float:
    return float((np.broadcast_to(effect, shape) ** 2).sum())


def _decomposition(
    sums: dict[SourceName, tuple[float, int]], total: float, runs_per_seed: int
) -> Decomposition:
    rows = [_row(name, sums, total) for name in sums]
    if "residual" not in sums:
        return Decomposition(rows, None, None, None, None)
    means = {row.source: row.ms for row in rows}
    raw = (means["seed"] - means["residual"]) / runs_per_seed
    seed = max(0.0, raw)
    both = seed + means["residual"]
    return Decomposition(rows, seed, raw, means["residual"], seed / both if both > 0 else None)


def _row(name: SourceName, sums: dict[SourceName, tuple[float, int]], total: float) -> Source:
    ss, df = sums[name]
    eta2 = ss / total if total > 0 else None
    residual, residual_df = sums.get("residual", (0.0, 0))
    if name == "residual" or residual == 0:
        return Source(name, ss, df, ss / df, None, None, eta2, None, None)
    error = residual / residual_df
    f = ss / df / error
    p = float(scipy.stats.f.sf(f, df, residual_df))
    omega2 = (ss - df * error) / (total + error)
    return Source(name, ss, df, ss / df, f, p, eta2, ss / (ss + residual), omega2)
