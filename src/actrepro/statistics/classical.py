"""The classical tests that readers ask for, from scipy and statsmodels.

All take `{activation: scores}`, the same seeds in the same order, and give None
where they are undefined: fewer than two seeds or activations, or no spread to
compare with. Only `blocked` and `friedman` use that activations share their seeds.
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

    `df` holds numerator and denominator, or the χ² test's only one.
    """

    statistic: float
    p: float
    df: tuple[float, ...]

    def as_json(self) -> schema.OmnibusTest:
        """As a dictionary of plain numbers, `df` a list."""
        return {"statistic": self.statistic, "p": self.p, "df": list(self.df)}


@dataclass(frozen=True)
class Comparison:
    """Two activations: difference of means a − b, and p adjusted for all pairs."""

    a: str
    b: str
    difference: float
    p: float

    def as_json(self) -> schema.Comparison:
        """As a dictionary of plain values."""
        return {"a": self.a, "b": self.b, "difference": self.difference, "p": self.p}


def one_way(values: Scores) -> OmnibusTest | None:
    """One-way analysis of variance, seeds taken for independent (scipy's `f_oneway`)."""
    table = _table(values)
    if table is None or _constant(table).all():
        return None
    k, n = table.shape
    found = scipy.stats.f_oneway(*table)
    return OmnibusTest(float(found.statistic), float(found.pvalue), (k - 1.0, k * (n - 1.0)))


def welch(values: Scores) -> OmnibusTest | None:
    """One-way analysis of variance with unequal variances (Welch 1951; by statsmodels).

    Undefined where an activation's scores are all equal: its weight would be infinite.
    """
    table = _table(values)
    if table is None or _constant(table).any():
        return None
    from statsmodels.stats.oneway import anova_oneway

    found = anova_oneway(list(table), use_var="unequal", welch_correction=True)
    return OmnibusTest(
        float(found.statistic), float(found.pvalue), (float(found.df_num), float(found.df_denom))
    )


def blocked(values: Scores) -> OmnibusTest | None:
    """Analysis of variance with seeds as blocks, the repeated-measures one, without correction."""
    table = _table(values)
    if table is None:
        return None
    found = decompose(table[:, None, :])
    if found is None:
        return None
    row, residual = found.source("activation"), found.source("residual")
    if row.f is None or row.p is None:
        return None
    return OmnibusTest(row.f, row.p, (float(row.df), float(residual.df)))


def friedman(values: Scores) -> OmnibusTest | None:
    """Friedman's test of ranks within seeds (scipy's, its χ² approximation); three activations."""
    table = _table(values)
    if table is None or len(table) < 3 or _constant(table.T).all():
        return None
    found = scipy.stats.friedmanchisquare(*table)
    return OmnibusTest(float(found.statistic), float(found.pvalue), (len(table) - 1.0,))


def tukey(values: Scores) -> list[Comparison] | None:
    """Tukey's honestly significant differences, all pairs (scipy's `tukey_hsd`)."""
    table = _table(values)
    if table is None or _constant(table).all():
        return None
    return _pairs(values, table, equal_variances=True)


def games_howell(values: Scores) -> list[Comparison] | None:
    """Games and Howell's test of all pairs, with unequal variances (scipy's `tukey_hsd`)."""
    table = _table(values)
    # A pair of which neither varies has no standard error.
    if table is None or _constant(table).sum() >= 2:
        return None
    return _pairs(values, table, equal_variances=False)


def _pairs(values: Scores, table: Floats, equal_variances: bool) -> list[Comparison]:
    # An activation without spread beside itself is 0/0, on the diagonal, which is not read.
    with np.errstate(invalid="ignore"):
        found = scipy.stats.tukey_hsd(*table, equal_var=equal_variances)
    return [
        Comparison(a, b, float(found.statistic[i, j]), float(found.pvalue[i, j]))
        for (i, a), (j, b) in itertools.combinations(enumerate(values), 2)
    ]


def _table(values: Scores) -> Floats | None:
    """`[activations, seeds]`; None with fewer than two of either."""
    table = np.array(list(values.values()), dtype=np.float64)
    return table if table.ndim == 2 and min(table.shape) >= 2 else None


def _constant(table: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Of each row, whether its values are all the same."""
    return np.asarray(table.max(axis=1) == table.min(axis=1))
