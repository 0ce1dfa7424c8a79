"""Agreement of the texts that two runs generate after the same prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from actrepro.measures.measure import Floats, Pairs
from actrepro.measures.shapes import Measure

Codes = npt.NDArray[np.integer[Any]]

GENERATED_ID = "edit-levenshtein-pairs.generated"
GENERATED: Measure = {
    "name": "edit distance of generated text",
    "formula": "Levenshtein distance / length of what two runs write after the same prompt, "
    "always their most probable character; mean over prompts",
    "range": [0.0, 1.0],
    "source": "Levenshtein 1966",
    "agreement": False,
}


def edit_differences(texts: Sequence[Codes], pairs: Pairs) -> Floats:
    """Compute the mean normalised edit distance of each pair of runs, `[P]`, by rapidfuzz.

    Parameters
    ----------
    texts
        Codes `[prompts, length]` of each run.
    pairs
        `[P, 2]` indices of runs.
    """
    from rapidfuzz.distance import Levenshtein

    lists = [text.tolist() for text in texts]

    def mean_distance(i: int, j: int) -> float:
        both = zip(lists[i], lists[j], strict=True)
        return float(np.mean([Levenshtein.normalized_distance(a, b) for a, b in both]))

    return np.array([mean_distance(i, j) for i, j in pairs])
