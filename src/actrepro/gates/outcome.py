"""Gates: conditions that a cell must meet before its numbers may be ranked or compared.

A gate never stops a run. Its outcome has the measured values and the bound they must meet. A
failed gate marks its cell wherever the cell appears.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from actrepro.gates.shapes import Gate, Outcomes

# Before training, on a fresh model: `gates.json`.
BEFORE = {
    "wired": "the activation under study shapes the output, and no other stands in for it",
    "causal": "changing later characters leaves earlier logits bit-equal",
    "rows": "changing other sequences of a batch leaves a sequence's logits bit-equal",
    "repeatable": "the same short run twice ends in the same bytes, another seed in others (A/A)",
    "initial_loss": "an untrained model's loss is near ln(symbols)",
}
# After training, on what the runs left: `gates-after.json`.
AFTER = {
    "recorded": "each run's record names its own model, activation, seed, corpus and weights",
    "shared_evaluation": "every run predicted the evaluation set that its numbers are scored on",
    "split": "no scored character lies in training or selection text, and none is scored twice",
    "probabilities": "predictions are numbers from 0 to 1, and each row sums to one",
    "distinct": "no two runs share weights or predictions",
    "certificate": "accuracy ≥ 1 − loss / ln 2 on the same characters",
    "churn_bounds": "|a₁ − a₂| ≤ churn ≤ min(1, 2 − a₁ − a₂) for every two runs",
    "learned": "every run beats the unigram and the bigram table of the training text",
}
GATES: Mapping[str, str] = {**BEFORE, **AFTER}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a gate.

    Attributes
    ----------
    passed
        True if the bound holds.
    measured
        The measured values: numbers, words, lists and dictionaries of them.
    bound
        The bound, in words.
    """

    passed: bool
    measured: Any
    bound: str

    def as_json(self) -> Gate:
        """Return the outcome as `gates.json` has it."""
        return {"passed": self.passed, "measured": self.measured, "bound": self.bound}


def failed(outcomes: Outcomes) -> list[str]:
    """List the gates that a cell failed, in the order of `GATES`, from outcomes read from JSON."""
    return in_order(gate for gate, outcome in outcomes.items() if not outcome["passed"])


def in_order(gates: Iterable[str]) -> list[str]:
    """Sort names of gates in the order of `GATES`, each once."""
    names = set(gates)
    return [gate for gate in GATES if gate in names]


def all_failed(cells: Iterable[Outcomes]) -> list[str]:
    """List the gates that at least one of several cells failed."""
    return in_order(gate for outcomes in cells for gate in failed(outcomes))
