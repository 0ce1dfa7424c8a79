"""How a comparison of two activations may end: the words, in one place."""

from __future__ import annotations

DIFFERENT = "different"
EQUIVALENT = "equivalent"
INCONCLUSIVE = "inconclusive"
# One of the two cells failed a gate.
UNSOUND = "unsound"
VERDICTS = (DIFFERENT, EQUIVALENT, INCONCLUSIVE, UNSOUND)

# Above so many seeds none are looked for that would settle a comparison.
MOST_SEEDS = 1000
