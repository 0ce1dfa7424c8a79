"""Synthetic claims, facts and statistics for tests of checks of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actrepro.audit.claims import Claim, Table
from actrepro.audit.findings import Finding, decisive
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.config.reading import default_study

STUDY = default_study()
CPU_FILE = "results/audit/cpu/charlm/stats.json"
FACTS: dict[str, Any] = {
    "parameters": {
        "cpu": {"charlm": 429_824, "tinylstm": 431_210},
        "cpu500": {"charlm": 429_824, "tinylstm": 431_210},
        "partial": {"charlm": 1_678_848},
        "full": {
            "charlm": 10_795_776,
            "convlm": 10_792_008,
            "hybridlm": 10_797_342,
            "minigpt": 10_795_776,
            "nanotransformer": 10_786_560,
        },
    },
    "sized_to_match": ["convlm", "hybridlm", "tinylstm"],
    "parts": {
        "charlm": {"attention": True, "recurrent": False, "positions": True},
        "convlm": {"attention": False, "convolution": True, "pooling": False},
    },
    "untrained": {"tinylstm": {"relu": 4.1, "gelu": 4.12}},
    "optimiser": {"name": "AdamW", "weight_decay": 0.01},
    "corpus": {"characters": 1_115_394, "train": 1_003_854, "validation": 111_540, "symbols": 65},
}


Cells = Mapping[str, float]


def claim(id_: str = "a-claim", **changes: Any) -> Claim:
    given = {
        "origin": {"document": "S0", "lines": "1-2"},
        "says": "Something is printed.",
        "checks": [{"check": "parameters_are", "within": 0}],
        "kind": "reported number",
        **changes,
    }
    return Claim.model_validate({"id": id_, **given})


def printed(id_: str, value: Any = None, **more: Any) -> Claim:
    """A row that prints a value, and what else is named of `printed`."""
    own = {key: more.pop(key) for key in ("scale", "model", "activations", "unit") if key in more}
    return claim(id_, printed={**({} if value is None else {"value": value}), **more}, **own)


def stats(losses: Cells) -> dict[str, Any]:
    """What checks read of a model's statistics: each activation's test loss."""
    cells = {
        name: {
            "failed_gates": [],
            "metrics": {"loss.all": {"value": loss, "interval": None, "n": 3}},
        }
        for name, loss in losses.items()
    }
    return {"activations": list(losses), "rules": {"final": {"cells": cells}}}


def results(
    losses: Cells | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Results:
    models = {} if losses is None else {("cpu", "charlm"): ModelResults(CPU_FILE, stats(losses))}
    return Results(STUDY, models=models, facts=facts)


def check(
    name: str,
    one: Claim,
    *others: Claim,
    given: Results | None = None,
    **arguments: Any,
) -> Finding:
    """What a check finds of a claim in a table of it and others."""
    table = Table({row.id: row for row in (one, *others)}, {})
    there = given if given is not None else results(facts=FACTS)
    return put(one, {"check": name, **arguments}, Context(table, there))


def words(finding: Finding) -> str:
    return " ".join(one.says for one in finding.evidence)


def files(finding: Finding) -> set[str]:
    return {file for one in finding.evidence for file in one.all_files}


def verdicts_on(table: Table, given: Results, *names: str) -> dict[str, str]:
    """The verdicts on rows of the table."""
    context = Context(table, given)
    return {
        name: decisive([put(table.claim(name), call, context) for call in row.checks]).verdict
        for name, row in ((name, table.claim(name)) for name in names)
    }
