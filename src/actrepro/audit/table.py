"""The audit's table: `claims.csv`, a claim per row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from actrepro.audit.staleness import files_of

# By column, what it holds. A text that is missing is empty, as is a number.
MEANING: Mapping[str, str] = {
    "id": "the claim's name in `resources/claims/`",
    "kind": "what it is about: see `kinds` in `claims.json`",
    "document": "the document that it is from, S0 to S4",
    "lines": "its lines there",
    "scale": "the scale that it is about; empty where it is about none or several",
    "model": "the model, likewise",
    "activations": "the activations, with ; between them",
    "says": "what is claimed",
    "verdict": "the verdict",
    "settles": "what would settle it: a target to run, or the seeds needed",
    "evidence": "the sentences that decide",
    "files": "the results files that the row rests on, with ; between them",
    "measures": "the measures of the deciding numbers, with ; between them",
    "n": "the seeds behind the first deciding number",
    "value": "the first deciding number",
    "low": "its interval's lower end",
    "high": "its interval's upper end",
    "checks": "the checks that the claim was put to, the deciding one first, with ; between them",
}
COLUMNS = tuple(MEANING)


def claims_csv(audit: Mapping[str, Any]) -> str:
    """The claims as CSV, in the order of `claims.json`, with the columns of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(claim) for claim in audit["claims"])
    return text.getvalue()


def _row(claim: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "kind", "document", "lines", "scale", "model", "says", "verdict", "settles")
    evidence = claim["findings"][0]["evidence"]
    numbers = [number for one in evidence for number in one["numbers"]]
    first = numbers[0] if numbers else {}
    return {
        **{name: claim[name] for name in kept},
        "activations": _listed(claim["activations"]),
        "evidence": " ".join(one["says"] for one in evidence),
        "files": _listed(sorted(files_of(claim))),
        "measures": _listed(number["measure"] for number in numbers),
        **{name: first.get(name) for name in ("n", "value", "low", "high")},
        "checks": _listed(finding["check"] for finding in claim["findings"]),
    }


def _listed(names: Iterable[str]) -> str:
    """Names, each once."""
    return ";".join(dict.fromkeys(filter(None, names)))
