"""An invented audit: claims with every verdict, files of results, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from actrepro.audit import findings
from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import CONTROLS, HEADLINES, Claim, Document, Origin, Table
from actrepro.audit.findings import Evidence, Finding, Number
from actrepro.audit.results import Results
from actrepro.audit.verdicts import Judged, audit_json
from actrepro.config.reading import default_study
from actrepro.core import paths
from actrepro.core.files import sha256_of, write_json

STATS = "results/audit/cpu/charlm/stats.json"
CONTROL = paths.at(audit_paths.CONTROL, control="leak")
NOT_RUN_CONTROL = paths.at(audit_paths.CONTROL, control="unpaired")
HOSTILE = """<script>alert("1")</script> & 'so' on"""
DOCUMENTS = {
    name: Document(name=f"report {name} <1>", about="all models", date="2025-12-07")
    for name in ("S0", "S1", "S2", "S3", "S4")
}
LOSS = Number(2.62691, STATS, "rules.final.cells.relu.metrics.loss", "loss.all", 3, 2.61, 2.64)
LEAK = Number(0.0123, CONTROL, "numbers.loss.control", n=2, failed_gates=("causal", "learned"))


@dataclass(frozen=True)
class Audit:
    """An audit in a folder: `json` is what its `claims.json` holds."""

    folder: Path
    json: dict[str, Any]

    @property
    def path(self) -> Path:
        """Its `claims.json`."""
        return self.folder / audit_paths.CLAIMS_JSON

    def row(self, id_: str) -> dict[str, Any]:
        """A row of it."""
        return next(row for row in self.json["claims"] if row["id"] == id_)


def finding(verdict: str, *evidence: Evidence, check: str = "loss_is", **arguments: Any) -> Finding:
    """What a check found, with a remedy where the verdict asks for one."""
    settles = {"not run": f"snakemake {STATS}", "inconclusive": "34 seeds"}.get(verdict, "")
    return Finding(verdict, evidence, settles, check, arguments)


def judged(id_: str, kind: str, *found: Finding, **more: Any) -> Judged:
    """A claim and what was found of it."""
    origin = Origin(document=more.pop("document", "S0"), lines="12-14, 90")
    says = more.pop("says", f"The claim {id_} gives a loss of 2.6269 nats.")
    checks = [{"check": one.check, **one.arguments} for one in found]
    claim = Claim(id=id_, origin=origin, says=says, kind=kind, checks=tuple(checks), **more)
    return Judged(claim, found)


def every_verdict() -> list[Judged]:
    """A claim for every verdict, and more that are special."""
    by_sum = Evidence("The total of 1.5 and 2.5 is 4, not 5.", rows=("supported-loss",))
    leaks = Evidence("With the mistake the loss is 0.0123.", (LEAK,), files=(CONTROL,))
    loss = Evidence("The loss is 2.6269 [2.61, 2.64], n = 3.", (LOSS,))
    nothing = Evidence(f"{STATS}: there is no such file.")
    about = {"scale": "cpu", "model": "charlm", "activations": ("relu", "gelu")}
    return [
        judged("impossible-total", "cost", finding(findings.IMPOSSIBLE, by_sum, check="sum_is")),
        judged(
            "artefact-loss",
            "reported number",
            finding(findings.ARTEFACT, leaks, check="made_by", control="leak"),
            finding(findings.SUPPORTED, loss, within=0.02),
            scale="full",
            model="convlm",
            document="S3",
            printed={"value": 0.0154, "runs": [0.015, 0.0158]},
            unit="nats",
        ),
        judged(
            "contradicted-order",
            "comparison",
            finding(findings.CONTRADICTED, loss, Evidence("So does the other."), within=0.02),
            **about,
        ),
        judged("inconclusive-order", "comparison", finding(findings.INCONCLUSIVE, loss), **about),
        judged("not-run-loss", "reported number", finding(findings.NOT_RUN, nothing), scale="full"),
        judged(
            "not-testable-cost", "cost", finding(findings.NOT_TESTABLE, nothing), model="charlm"
        ),
        judged(
            "supported-loss",
            "reported number",
            finding(findings.SUPPORTED, loss, within=0.02),
            printed={"value": 99.52, "low": True},
            unit="percent",
            **about,
        ),
        judged(
            "hostile-words",
            "definition",
            finding(findings.SUPPORTED, Evidence(HOSTILE), check="stands", words=HOSTILE),
            says=HOSTILE,
            scale="a&b",
        ),
    ]


def many(count: int) -> list[Judged]:
    """As many claims as a large table has, each with as much evidence as real ones have."""
    made = every_verdict()
    order = list(findings.VERDICTS)
    says = "The loss of charlm with gelu is 2.6269 [2.6100, 2.6400] over 3 seeds, not 2.6555. " * 2
    evidence = Evidence(says, (LOSS, LOSS), ("supported-loss",))
    for place in range(count - len(made)):
        verdict = order[place % len(order)]
        found = [finding(verdict, evidence, evidence, within=0.02) for _ in range(2)]
        model = ("charlm", "minigpt", "convlm")[place % 3]
        made.append(
            judged(f"generated-{place}", "protocol", *found, says=says, scale="cpu", model=model)
        )
    return made


def tellings() -> dict[str, Any]:
    """Two controls: one was run."""
    earlier = [{"row": "artefact-loss"}, {"row": "artefact-loss", "printed": "runs"}]
    lines = [
        {"quantity": "loss", "label": "test loss", "unit": "nats", "earlier": earlier},
        {
            "quantity": "accuracy",
            "label": "accuracy",
            "unit": "%",
            "earlier": [{"row": "supported-loss"}],
        },
        {"quantity": "kappa", "label": "kappa"},
        {"quantity": "top", "label": "top", "earlier": [{"row": "supported-loss"}]},
    ]
    told = {"mistake": "It sees what comes <next>.", "shows": "The loss falls to nothing."}
    return {
        "leak": {"title": "A leak", **told, "gates": ["causal"], "lines": lines},
        "unpaired": {"title": "Other positions", **told, "gates": ["split"], "lines": lines[:1]},
    }


def control() -> dict[str, Any]:
    """The file of the control that was run."""
    outcome = {"bound": "logits before a cut keep every bit"}
    return {
        "control": "leak",
        "about": {"steps": 40, "width": 16, "corpus_sha256": "c0ffee"},
        "numbers": {
            "loss": {
                "control": 0.01234,
                "honest": 1.98765,
                "control_interval": [0.01, 0.02],
            },
            "accuracy": {"control": 0.9952, "honest": 0.41},
            "kappa": {"control": None, "honest": 0.73},
            "top": {"control": 0.5, "honest": 0.25, "honest_interval": [0.125, 0.375]},
        },
        "gates": {
            "causal": {
                "control": {"passed": False, "measured": {"cuts": 16, "leak": 3}, **outcome},
                "honest": {"passed": True, "measured": {"cuts": 16, "leak": None}, **outcome},
            }
        },
    }


def make_audit(folder: Path, rows: Sequence[Judged] | None = None) -> Audit:
    """Write results, tellings and `claims.json` below a folder."""
    rows = every_verdict() if rows is None else rows
    table = Table({one.claim.id: one.claim for one in rows}, DOCUMENTS)
    write_json(folder / STATS, {"made": "up"})
    write_json(folder / CONTROL, control())
    results = Results(
        default_study(),
        controls={"leak": control()},
        hashes={file: sha256_of(folder / file) for file in (STATS, CONTROL)},
    )
    headlines = [
        {
            "title": "Losses below any <bound>",
            "claimed": "ConvLM reaches 0.0154 nats.",
            "rows": ["artefact-loss", "contradicted-order", "inconclusive-order"],
        },
        {"title": "Sums", "claimed": "Times add up.", "rows": ["impossible-total"]},
    ]
    claims = folder / "claims"
    claims.mkdir()
    (claims / HEADLINES).write_text(yaml.safe_dump(headlines), encoding="utf-8")
    (claims / CONTROLS).write_text(yaml.safe_dump(tellings()), encoding="utf-8")
    made = Audit(folder, audit_json(table, results, rows, claims))
    write_json(made.path, made.json)
    return made
