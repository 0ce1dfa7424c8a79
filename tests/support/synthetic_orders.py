"""Synthetic results and claims for tests of checks of orders and sizes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from audit_fixture import CLAIMS

from actrepro.audit.claims import Claim, Document, Origin, Table, read_table
from actrepro.audit.findings import Finding
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.config.reading import default_study
from actrepro.statistics.inference import jackknife_pairs, mean_estimate, tost_p

STUDY = default_study()
LOSS, TV = "loss.all", "tv-half_l1-pairs.all"
MARGINS = {"loss": 0.01, "accuracy": 0.005, "total_variation": 0.01, "churn": 0.01}
DOCUMENTS = {"S0": Document(name="master report", about="all", date="2025-12-07")}
Values = Mapping[str, Sequence[float]]


def row(id_: str = "claim", **more: Any) -> Claim:
    """A row of the table; what is no field of it is printed."""
    fields = {name: more.pop(name) for name in ("scale", "model", "activations") if name in more}
    return Claim(
        id=id_,
        origin=Origin(document="S0", lines="1-2"),
        says="Something is so.",
        kind="comparison",
        printed=more,
        checks=({"check": "order"},),
        **fields,
    )


def of_cpu(*activations: str, **printed: Any) -> Claim:
    """A row about CharLM at the CPU scale."""
    return row(scale="cpu", model="charlm", activations=activations, **printed)


def results_of(
    losses: Values,
    *,
    variations: Mapping[str, Sequence[float]] | None = None,
    scale: str = "cpu",
    model: str = "charlm",
    failed: Sequence[str] = (),
) -> ModelResults:
    """Results with these losses by seed, and these total variations of pairs of seeds."""
    seeds = range(42, 42 + len(next(iter(losses.values()))))
    cells = {
        name: {
            "failed_gates": list(failed),
            "gates": {"wired": {"passed": True}},
            "metrics": {
                LOSS: {
                    **_entry(mean_estimate(values, 0.95)),
                    "by_seed": {str(seed): x for seed, x in zip(seeds, values, strict=True)},
                }
            },
            "differences": {},
            "group": {},
        }
        for name, values in losses.items()
    }
    contrasts = [
        _contrast(LOSS, a, b, np.subtract(losses[a], losses[b]), 0.01, failed)
        for a, b in itertools.combinations(losses, 2)
    ]
    for name, pairs in (variations or {}).items():
        cells[name]["differences"] = {TV: _entry(jackknife_pairs([_matrix(pairs)], [1], 0.95))}
    for a, b in itertools.combinations(variations or {}, 2):
        estimate = jackknife_pairs(
            [_matrix((variations or {})[a]), _matrix((variations or {})[b])], [1, -1], 0.95
        )
        spread = (estimate.standard_error or 0.0) * math.sqrt(estimate.n)
        contrasts.append(_with(_entry(estimate), TV, a, b, spread, 0.01, tost_p(estimate, 0.01)))
    stats = {
        "scale": scale,
        "model": model,
        "activations": list(losses),
        "confidence": 0.95,
        "recommended_seeds": 10,
        "margins": MARGINS,
        "measures": {"loss": {"name": "loss"}, "tv-half_l1-pairs": {"name": "total variation"}},
        "rules": {"final": {"cells": cells, "contrasts": contrasts, "across": []}},
        "runs": [],
    }
    return ModelResults(f"results/{scale}/{model}/stats.json", stats)


def _matrix(pairs: Sequence[float]) -> np.ndarray:
    """A symmetric matrix of differences from those of the pairs of seeds."""
    n = round((1 + math.sqrt(1 + 8 * len(pairs))) / 2)
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n, 1)] = pairs
    return matrix + matrix.T


def _entry(estimate: Any) -> dict[str, Any]:
    interval = None if estimate.interval is None else list(estimate.interval)
    return {
        "value": estimate.value,
        "n": estimate.n,
        "standard_error": estimate.standard_error,
        "interval": interval,
    }


def _contrast(
    metric: str, a: str, b: str, differences: Any, margin: float, failed: Sequence[str]
) -> dict[str, Any]:
    estimate = mean_estimate(differences, 0.95)
    sd = float(np.std(differences, ddof=1)) if len(differences) > 1 else None
    one = _with(_entry(estimate), metric, a, b, sd, margin, tost_p(estimate, margin))
    return {**one, "failed_gates": list(failed)}


def _with(
    entry: dict[str, Any],
    metric: str,
    a: str,
    b: str,
    sd: float | None,
    margin: float,
    p: float | None,
) -> dict[str, Any]:
    more = {"metric": metric, "a": a, "b": b, "sd": sd, "margin": margin, "p_equivalent": p}
    return {**entry, **more, "failed_gates": []}


def context_of(*models: ModelResults, rows: Sequence[Claim] = (), **more: Any) -> Context:
    """Rows and results at hand."""
    table = Table({one.id: one for one in rows}, DOCUMENTS)
    at = {(one.stats["scale"], one.stats["model"]): one for one in models}
    return Context(table, Results(STUDY, at, **more))


def found_by(check: str, claim: Claim, context: Context | None = None, **arguments: Any) -> Finding:
    """What a check finds."""
    return put(claim, {"check": check, **arguments}, context or context_of())


def said(finding: Finding) -> str:
    """Its evidence, in one string."""
    return " ".join(one.says for one in finding.evidence)


APART = {"relu": [2.60, 2.61, 2.605], "gelu": [2.80, 2.81, 2.806], "swish": [3.0, 3.012, 3.004]}
TABLE = read_table(CLAIMS)
MINE = [one for one in TABLE.claims.values() if one.kind in ("comparison", "identity")]
