"""Checks of what tests within seeds say of activations, in results made up."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from synthetic_claims import STUDY, row, said

from actrepro.audit.claims import Claim, Table
from actrepro.audit.findings import Finding
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results

LOSS, TV = "loss.all", "tv-half_l1-pairs.all"


def found_by(
    check: str, claim: Claim, *others: Claim, models: Sequence[ModelResults] = (), **arguments: Any
) -> Finding:
    """What a check finds of a row, beside other rows and with these models' results."""
    table = Table({one.id: one for one in (claim, *others)}, {})
    results = Results(STUDY, {(str(claim.scale), one.stats["model"]): one for one in models})
    return put(claim, {"check": check, **arguments}, Context(table, results))


def of_model(scale: str, model: str, *activations: str, **printed: Any) -> Claim:
    """A row about a model's activations."""
    claim = row(**printed)
    return claim.model_copy(update={"scale": scale, "model": model, "activations": activations})


def _results(
    scores: Mapping[str, Sequence[float]],
    *,
    scale: str = "full",
    model: str = "charlm",
    measure: str = LOSS,
    verdict: str = "inconclusive",
    settle: dict[str, Any] | None = None,
    omnibus: dict[str, Any] | None = None,
) -> ModelResults:
    """A model's results, as far as the checks read them: runs, their means, and contrasts."""
    names = list(scores)
    seeds = [42 + place for place in range(len(scores[names[0]]))]

    def entry(values: Sequence[float]) -> dict[str, Any]:
        by_seed = dict(zip(map(str, seeds), values, strict=True))
        interval = [float(min(values)), float(max(values))]
        mean = float(np.mean(values))
        return {"value": mean, "interval": interval, "n": len(seeds), "by_seed": by_seed}

    def cell(values: Sequence[float]) -> dict[str, Any]:
        part = "differences" if "pairs" in measure else "metrics"
        empty: dict[str, Any] = {"metrics": {}, "differences": {}, "failed_gates": ["learned"]}
        return {**empty, part: {measure: entry(values)}}

    def contrast(a: str, b: str) -> dict[str, Any]:
        less = [x - y for x, y in zip(scores[a], scores[b], strict=True)]
        more = {"metric": measure, "a": a, "b": b, "verdict": verdict, "failed_gates": []}
        return {**entry(less), **more, "seeds_to_settle": settle}

    final = {
        "cells": {name: cell(values) for name, values in scores.items()},
        "contrasts": [contrast(a, b) for a, b in itertools.combinations(names, 2)],
        "omnibus": {measure: omnibus},
    }
    stats = {"model": model, "activations": names, "seeds": seeds, "rules": {"final": final}}
    return ModelResults(f"results/{scale}/{model}/stats.json", stats)


FAR = {"relu": [1.0, 1.1, 1.2, 1.3, 1.4], "gelu": [2.0, 2.1, 2.2, 2.3, 2.4]}
NEAR = {"relu": [1.0, 1.2, 1.1, 1.4, 1.3], "gelu": [1.1, 1.1, 1.2, 1.3, 1.3]}


def _grown(scores: Mapping[str, Sequence[float]], times: int) -> dict[str, list[float]]:
    return {name: [*values] * times for name, values in scores.items()}


@pytest.mark.parametrize(
    ("own", "other", "verdict", "more"),
    [
        (_grown(FAR, 2), _grown(NEAR, 2), "supported", {}),
        (_grown(FAR, 2), _grown(FAR, 2), "contradicted", {}),
        (_grown(NEAR, 2), _grown(NEAR, 2), "inconclusive", {}),
        (_grown(NEAR, 2), _grown(NEAR, 2), "contradicted", {"verdict": "equivalent"}),
        (FAR, NEAR, "inconclusive", {}),
    ],
)
def test_only_one_model_differs(
    own: dict[str, list[float]], other: dict[str, list[float]], verdict: str, more: dict[str, Any]
) -> None:
    claim = of_model("full", "charlm", "relu", "gelu")
    models = [_results(own, **more), _results(other, model="minigpt")]
    arguments: dict[str, Any] = {"measure": LOSS}
    # `models` is also an argument of the check: it is put directly.
    table = Table({claim.id: claim}, {})
    results = Results(STUDY, {("full", one.stats["model"]): one for one in models})
    call = {"check": "models_differ", "models": ["charlm", "minigpt"], "only": "charlm"}
    call |= arguments
    finding = put(claim, call, Context(table, results))
    assert finding.verdict == verdict
    keys = {number.key for number in finding.evidence[0].numbers}
    assert f"rules.final.cells.relu.metrics.{LOSS}" in keys
    assert "failed the gate learned" in said(finding)
    if own is FAR:
        # Five seeds of two activations: p is 1/16 at the least; Holm doubles it.
        assert finding.settles.startswith("7 seeds")


def _none_differs(scores: Mapping[str, Sequence[float]]) -> Finding:
    claim = of_model("partial", "charlm", "relu", "gelu")
    results = Results(STUDY, {("partial", "charlm"): _results(scores, scale="partial")})
    call = {"check": "models_differ", "models": ["charlm"], "measure": LOSS}
    return put(claim, call, Context(Table({claim.id: claim}, {}), results))


def test_that_none_differs_needs_seeds_that_could_show_it() -> None:
    assert _none_differs(_grown(NEAR, 2)).verdict == "supported"
    assert _none_differs(_grown(FAR, 2)).verdict == "contradicted"
    blind = _none_differs(FAR)
    assert blind.verdict == "inconclusive"
    assert blind.settles.startswith("6 seeds")


def test_models_that_were_not_run_are_all_asked_for() -> None:
    claim = of_model("full", "charlm", "relu", "gelu")
    call = {"check": "models_differ", "models": ["charlm", "minigpt"], "measure": LOSS}
    finding = put(claim, call, Context(Table({claim.id: claim}, {}), Results(STUDY)))
    assert finding.verdict == "not run"
    assert finding.settles == (
        "snakemake --cores 2 results/full/charlm/stats.json results/full/minigpt/stats.json"
    )
