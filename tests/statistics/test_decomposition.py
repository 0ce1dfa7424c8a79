"""The decomposition against statsmodels, expected mean squares and simulation."""

import itertools
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from actrepro.statistics.decomposition import Decomposition, decompose

TERMS = {
    "C(activation)": "activation",
    "C(model)": "model",
    "C(activation):C(model)": "activation:model",
    "C(seed)": "seed",
    "Residual": "residual",
}


def _scores(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    a, m, s = shape
    activation, model = generator.normal(0, 0.02, (a, 1, 1)), generator.normal(0, 0.1, (1, m, 1))
    seeds = generator.normal(0, 0.03, (1, 1, s))
    return np.asarray(1.5 + activation + model + seeds + generator.normal(0, 0.02, shape))


def _statsmodels(y: np.ndarray) -> pd.DataFrame:
    places = itertools.product(*map(range, y.shape))
    table = pd.DataFrame(places, columns=["activation", "model", "seed"])
    table["y"] = y.ravel()
    terms = [name for name, size in zip(("activation", "model"), y.shape, strict=False) if size > 1]
    formula = "y ~ C(seed)" + "".join(f" + C({name})" for name in terms)
    formula += " + C(activation):C(model)" if len(terms) == 2 else ""
    return anova_lm(ols(formula, data=table).fit(), typ=2)


def _decompose(y: np.ndarray) -> Decomposition:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = decompose(y)
    assert result is not None
    return result


@pytest.mark.parametrize("shape", [(3, 2, 3), (2, 2, 2), (6, 5, 4), (3, 1, 5), (1, 4, 3)])
@pytest.mark.parametrize("seed", range(2))
def test_it_is_statsmodels_type_two_table(shape: tuple[int, int, int], seed: int) -> None:
    y = _scores(shape, seed)
    expected = _statsmodels(y)
    result = _decompose(y)
    assert {row.source for row in result.sources} == {TERMS[name] for name in expected.index}
    assert result.sources[-1].source == "residual"
    for name, reference in expected.iterrows():
        row = result.source(TERMS[str(name)])
        assert row.ss == pytest.approx(reference["sum_sq"], rel=1e-9, abs=1e-12)
        assert row.df == reference["df"]
        assert row.ms == pytest.approx(row.ss / row.df)
        if row.source != "residual":
            assert row.f == pytest.approx(reference["F"], rel=1e-9)
            assert row.p == pytest.approx(reference["PR(>F)"], rel=1e-9)


def test_the_effect_sizes_from_the_table() -> None:
    y = _scores((3, 2, 4))
    table = _statsmodels(y)
    total = ((y - y.mean()) ** 2).sum()
    residual = table.loc["Residual", "sum_sq"]
    error = residual / table.loc["Residual", "df"]
    result = _decompose(y)
    for name, reference in table.iterrows():
        row = result.source(TERMS[str(name)])
        assert row.eta2 == pytest.approx(reference["sum_sq"] / total)
        if row.source != "residual":
            partial = reference["sum_sq"] / (reference["sum_sq"] + residual)
            omega2 = (reference["sum_sq"] - reference["df"] * error) / (total + error)
            assert (row.partial_eta2, row.omega2) == (
                pytest.approx(partial),
                pytest.approx(omega2),
            )
    last = result.source("residual")
    assert (last.f, last.p, last.partial_eta2, last.omega2) == (None, None, None, None)


@given(a=st.integers(1, 4), m=st.integers(1, 3), s=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_sums_of_squares_and_shares_add_up(a: int, m: int, s: int, seed: int) -> None:
    y = _scores((a, m, s), seed)
    result = _decompose(y)
    assert sum(row.ss for row in result.sources) == pytest.approx(((y - y.mean()) ** 2).sum())
    assert sum(row.df for row in result.sources) == y.size - 1
    assert sum(row.eta2 or 0.0 for row in result.sources) == pytest.approx(1)
    json.dumps(result.as_json(), allow_nan=False)


def test_the_seeds_variance_is_found_on_average() -> None:
    generator = np.random.default_rng(3)
    result = []
    for _ in range(1000):
        seeds = generator.normal(0, 0.3, (1, 1, 5))
        result.append(_decompose(seeds + generator.normal(0, 0.4, (3, 2, 5))))
    raw = [
        decomposition.variance_seed_raw
        for decomposition in result
        if decomposition.variance_seed_raw is not None
    ]
    residual = [
        decomposition.variance_residual
        for decomposition in result
        if decomposition.variance_residual is not None
    ]
    # Monte Carlo standard errors: 0.0026 and 0.0016.
    assert (len(raw), np.mean(raw)) == (1000, pytest.approx(0.09, abs=0.01))
    assert np.mean(residual) == pytest.approx(0.16, abs=0.006)


def test_the_intraclass_correlation() -> None:
    result = _decompose(_scores((3, 2, 6)))
    seed, residual = result.source("seed"), result.source("residual")
    variance = (seed.ms - residual.ms) / 6
    assert variance > 0
    assert result.variance_seed == result.variance_seed_raw == pytest.approx(variance)
    assert result.variance_residual == residual.ms
    assert result.icc == pytest.approx(variance / (variance + residual.ms))


def test_a_negative_variance_is_told_and_counts_as_none() -> None:
    # What one activation gains with a seed the other loses: seeds' means are all the same.
    up = np.array([0.1, -0.3, 0.2])
    result = _decompose(np.stack([up, -up])[:, None, :])
    assert result.source("seed").ss == 0
    assert result.variance_seed_raw == pytest.approx(-result.source("residual").ms / 2)
    assert (result.variance_seed, result.icc) == (0.0, 0.0)


def test_one_run_per_seed_leaves_no_residual() -> None:
    result = _decompose(np.array([0.1, 0.4, 0.2]).reshape(1, 1, 3))
    assert [(row.source, row.f, row.eta2) for row in result.sources] == [("seed", None, 1.0)]
    assert (result.variance_seed, result.icc, result.variance_residual) == (None, None, None)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.4903])
def test_equal_scores_have_nothing_to_share_out(value: float) -> None:
    result = _decompose(np.full((3, 2, 4), value))
    for row in result.sources:
        assert (row.ss, row.ms, row.f, row.p, row.eta2) == (0.0, 0.0, None, None, None)
    assert (result.variance_seed, result.variance_seed_raw, result.icc) == (0.0, 0.0, None)


def test_effects_that_add_exactly_leave_no_residual() -> None:
    y = 1.1 + np.add.outer([[0.1], [0.3], [0.7]], [0.01, 0.05, 0.11])
    result = _decompose(y)
    assert result.source("residual").ss == 0.0
    assert result.source("activation").f is None
    assert result.icc == 1.0


def test_one_seed_cannot_be_told_from_noise() -> None:
    assert decompose(_scores((3, 2, 1))) is None
