"""Rows of the table of claims, results and controls, all made up for tests of the audit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from audit_fixture import CLAIMS

import actrepro.audit.verdicts  # noqa: F401  # registers every check
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
APART = {"relu": [2.60, 2.61, 2.605], "gelu": [2.80, 2.81, 2.806], "swish": [3.0, 3.012, 3.004]}
TABLE = read_table(CLAIMS)
MINE = [one for one in TABLE.claims.values() if one.kind in ("comparison", "identity")]
Control = dict[str, Any]
ORDER = ("smelu_1", "smelu_05", "relu", "gelu", "swish")


def row(id_: str = "claim", **more: Any) -> Claim:
    """A row of the table; what is no field of it is printed."""
    fields = {
        name: more.pop(name) for name in ("scale", "model", "activations", "unit") if name in more
    }
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
        contrast_of(LOSS, a, b, np.subtract(losses[a], losses[b]), 0.01, failed)
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


def contrast_of(
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


def sides(control: float, honest: float) -> dict[str, Any]:
    """A control's number and the honest one."""
    return {"control": control, "honest": honest, "what": "a number"}


def control_of(name: str, about: Mapping[str, Any] | None = None, **numbers: Any) -> Control:
    """A control's file."""
    return {"control": name, "about": dict(about or {}), "numbers": numbers, "gates": {}}


def not_wired(share: float = 1.0, honest_share: float = 0.0, honest: float = 0.002) -> Control:
    """The control whose activation is not used."""
    return control_of(
        "not_wired",
        {
            "model": "nanotransformer",
            "protocol": {"layers": 2, "width": 64, "iterations": 60, "train_characters": None},
            "activations": ["relu", "gelu", "swish"],
            "seeds": [42, 43],
        },
        identical_share=sides(share, honest_share),
        loss_range=sides(0.0 if share == 1 else 0.001, honest),
        initial_loss_range=sides(0.0 if share == 1 else 0.001, honest),
        same_seed_tv=sides(0.0, honest * 10),
    )


def unpaired(order: tuple[str, ...] = ORDER, honest: tuple[str, ...] = ORDER[::-1]) -> Control:
    """The control of different positions, with total variations that rise in these orders."""
    tv = {
        f"tv.{name}": {
            "control": 0.49 + 0.01 * order.index(name),
            "honest": 0.08 + 0.001 * honest.index(name),
            "control_interval": [0.4, 0.6],
            "what": "total variation of two seeds",
        }
        for name in order
    }
    return {**control_of("unpaired", **tv), "ladder": ladder([0.0, 0.6, 0.8, 0.9])}


def ladder(differences: list[float], paired: float = 0.0) -> list[dict[str, float]]:
    """N-gram tables that are right more and more often."""
    return [
        {"order": n, "accuracy": 0.15 + 0.1 * n, "loss": 3.3 - n / 4, "tv": tv, "paired_tv": paired}
        for n, tv in enumerate(differences)
    ]


def no_dropout(rise: float = 1.4, honest: float = 0.0) -> Control:
    """The control of the last step without dropout."""
    return control_of(
        "no_dropout",
        {
            "model": "charlm",
            "protocol": {"layers": 1, "width": 128, "iterations": 1000, "train_characters": 15000},
            "parameters": 223360,
            "train_characters": 15000,
            "seeds": [42, 43],
        },
        rise=sides(rise, honest),
        final_loss=sides(4.5, 2.9),
        best_loss=sides(4.5 - rise, 2.9 - honest),
        unigram_loss=sides(3.36, 3.36),
    )


def with_controls(*controls: Control, **more: Any) -> Context:
    """Rows and these controls at hand."""
    return context_of(controls={one["control"]: one for one in controls}, **more)
