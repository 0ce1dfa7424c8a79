"""Classical tests of several activations, from scipy and statsmodels.

All take `{activation: scores}` with the same seeds in the same order. They return None
where the test is undefined: fewer than two seeds or activations, or no spread. Only
`blocked` and `friedman` use the fact that activations share their seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from actrepro.results import schema
from actrepro.statistics.decomposition import decompose
from actrepro.statistics.inference import Floats

Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class OmnibusTest:
    """A test that all activations have the same mean (for Friedman's: rank).

    `df` has the degrees of freedom of numerator and denominator, or of the χ² test.
    """

    statistic: float
    p: float
    df: tuple[float, ...]

    def as_json(self) -> schema.OmnibusTest:
        """Return a dictionary of plain numbers, with `df` as a list."""
        return {"statistic": self.statistic, "p": self.p, "df": list(self.df)}


@dataclass(frozen=True)
class Comparison:
    """Two activations: difference of means a − b, and p adjusted for all pairs."""

    a: str
    b: str
    difference: float
    p: float

    def as_json(self) -> schema.Comparison:
        """Return a dictionary of plain values."""
        return {"a": self.a, "b": self.b, "difference": self.difference, "p": self.p}


def one_way(values: Scores) -> OmnibusTest | None:
    """Compute a one-way analysis of variance, as if seeds were independent (scipy's `f_oneway`)."""
    table = _table(values)
    if table is None or _constant(table).all():
        return None
    k, n = table.shape
    result = scipy.stats.f_oneway(*table)
    return OmnibusTest(float(result.statistic), float(result.pvalue), (k - 1.0, k * (n - 1.0)))


def welch(values: Scores) -> OmnibusTest | None:
    """Compute a one-way analysis with unequal variances (Welch 1951; by statsmodels).

    Undefined where an activation's scores are all equal: its weight would be infinite.
    """
    table = _table(values)
    if table is None or _constant(table).any():
        return None
    from statsmodels.stats.oneway import anova_oneway

    result = anova_oneway(list(table), use_var="unequal", welch_correction=True)
    return OmnibusTest(
        float(result.statistic),
        float(result.pvalue),
        (float(result.df_num), float(result.df_denom)),
    )


def blocked(values: Scores) -> OmnibusTest | None:
    """Compute a repeated-measures analysis of variance: seeds are blocks, without correction."""
    table = _table(values)
    if table is None:
        return None
    decomposition = decompose(table[:, None, :])
    if decomposition is None:
        return None
    row, residual = decomposition.source("activation"), decomposition.source("residual")
    if row.f is None or row.p is None:
        return None
    return OmnibusTest(row.f, row.p, (float(row.df), float(residual.df)))


def friedman(values: Scores) -> OmnibusTest | None:
    """Compute Friedman's test of ranks within seeds, of three activations or more.

    The p-value is from scipy's χ² approximation.
    """
    table = _table(values)
    if table is None or len(table) < 3 or _constant(table.T).all():
        return None
    result = scipy.stats.friedmanchisquare(*table)
    return OmnibusTest(float(result.statistic), float(result.pvalue), (len(table) - 1.0,))


def tukey(values: Scores) -> list[Comparison] | None:
    """Compute Tukey's honestly significant differences of all pairs (scipy's `tukey_hsd`)."""
    table = _table(values)
    if table is None or _constant(table).all():
        return None
    return _pairs(values, table, equal_variances=True)


def games_howell(values: Scores) -> list[Comparison] | None:
    """Compute Games and Howell's test of all pairs: unequal variances (scipy's `tukey_hsd`)."""
    table = _table(values)
    # If neither activation of a pair varies, the pair has no standard error.
    if table is None or _constant(table).sum() >= 2:
        return None
    return _pairs(values, table, equal_variances=False)


def _pairs(values: Scores, table: Floats, equal_variances: bool) -> list[Comparison]:
    # Without spread, an activation's diagonal entry is 0/0; only other entries are read.
    with np.errstate(invalid="ignore"):
        result = scipy.stats.tukey_hsd(*table, equal_var=equal_variances)
    return [
        Comparison(a, b, float(result.statistic[i, j]), float(result.pvalue[i, j]))
        for (i, a), (j, b) in itertools.combinations(enumerate(values), 2)
    ]


def _table(values: Scores) -> Floats | None:
    """Return scores `[activations, seeds]`; None with fewer than two of either."""
    table = np.array(list(values.values()), dtype=np.float64)
    return table if table.ndim == 2 and min(table.shape) >= 2 else None


def _constant(table: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Check, row by row, whether all values are the same."""
    return np.asarray(table.max(axis=1) == table.min(axis=1))
