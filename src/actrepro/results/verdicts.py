"""How a comparison of two activations may end: the words, in one place."""

from __future__ import annotations

from typing import Final, Literal

Verdict = Literal["different", "equivalent", "inconclusive", "unsound"]
DIFFERENT: Final = "different"
EQUIVALENT: Final = "equivalent"
INCONCLUSIVE: Final = "inconclusive"
# One of the two cells failed a gate.
UNSOUND: Final = "unsound"
VERDICTS: tuple[Verdict, ...] = (DIFFERENT, EQUIVALENT, INCONCLUSIVE, UNSOUND)

# Above so many seeds none are looked for that would settle a comparison.
MOST_SEEDS = 1000


def alpha(confidence: float) -> float:
    """The level that a corrected p-value must stay below."""
    # Rounded, because 1 − 0.95 is a little more than 0.05.
    return round(1 - confidence, 12)
