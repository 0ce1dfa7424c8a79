"""Words of evidence for models, places in documents, gates, and numbers of seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from actrepro.audit.claims import Cited
from actrepro.audit.findings import Number
from actrepro.core.formats import listed
from actrepro.results.verdicts import MOST_SEEDS
from actrepro.results.words import gate_name

TITLES = {
    "charlm": "CharLM",
    "convlm": "ConvLM",
    "hybridlm": "HybridLM",
    "minigpt": "MiniGPT",
    "nanotransformer": "NanoTransformer",
    "tinylstm": "TinyLSTM",
}


def called(model: str | None) -> str:
    """A model's name as the documents write it."""
    return TITLES.get(model or "", model or "the model")


def place(claim: Cited) -> str:
    """Return the place of a claim: `S2, lines 54`."""
    return f"{claim.origin.document}, lines {claim.origin.lines}"


def seeds_told(seeds: int | None) -> str:
    """Write a number of seeds, or that the search found none that would do."""
    if seeds is None or seeds > MOST_SEEDS:
        return f"more than {MOST_SEEDS:,} seeds"
    return f"{seeds:,} seeds"


def fewest_seeds(enough: Callable[[int], bool], first: int = 2) -> int:
    """Return the fewest seeds that are enough; one beyond the search where none are."""
    return next((n for n in range(first, MOST_SEEDS + 1) if enough(n)), MOST_SEEDS + 1)


def gates_of(numbers: Iterable[Number]) -> tuple[str, ...]:
    """Return the gates that the cells behind some numbers failed, each once."""
    return tuple(dict.fromkeys(gate for one in numbers for gate in one.failed_gates))


def gates_told(gates: Sequence[str]) -> str:
    """Write a sentence on the gates that cells failed; empty when none."""
    if not gates:
        return ""
    if tuple(gates) == ("learned",):
        return " They do not beat the bigram table (gate learned)."
    return f" Cells failed: {listed([gate_name(gate) for gate in gates])}."
