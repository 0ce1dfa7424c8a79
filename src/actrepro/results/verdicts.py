"""Verdicts of a comparison of two activations, and the level of its tests."""

from __future__ import annotations

from typing import Final, Literal

Verdict = Literal["different", "equivalent", "inconclusive", "unsound"]
DIFFERENT: Final = "different"
EQUIVALENT: Final = "equivalent"
INCONCLUSIVE: Final = "inconclusive"
# One of the two cells failed a gate.
UNSOUND: Final = "unsound"
VERDICTS: tuple[Verdict, ...] = (DIFFERENT, EQUIVALENT, INCONCLUSIVE, UNSOUND)

# Most seeds considered in the search for a number that would settle a comparison.
MOST_SEEDS = 1000


def alpha(confidence: float) -> float:
    """Return the level that a corrected p-value must stay below."""
    # Rounded, because 1 − 0.95 is a little more than 0.05.
    return round(1 - confidence, 12)
