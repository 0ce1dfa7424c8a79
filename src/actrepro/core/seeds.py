"""Independent random streams, derived by name from one seed.

Initial weights, batch order and dropout each have a stream. Changing one (a model
with more layers, another batch size) leaves the others unchanged, and the same
seed shows every activation the same windows of text.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

INITIALISATION = "initialisation"
BATCHES = "batches"
DROPOUT = "dropout"


def stream_seed(seed: int, name: str) -> int:
    """Derive a 63-bit seed from a seed and a stream's name, by SHA-256."""
    digest = hashlib.sha256(f"actrepro/{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def batch_starts(
    seed: int, iterations: int, batch: int, text_length: int, context: int
) -> npt.NDArray[np.int64]:
    """Draw the start of each training sequence, `[iterations, batch]`, uniform over the text."""
    generator = np.random.Generator(np.random.PCG64(stream_seed(seed, BATCHES)))
    return generator.integers(0, text_length - context, size=(iterations, batch), dtype=np.int64)
