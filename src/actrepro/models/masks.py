"""Dropout masks on a CPU, drawn cheaply.

torch draws a CPU's masks one number after another from one Mersenne twister, which took a
fifth of a training step. Here the masks of a layer in a step come from a small generator of
their own, seeded with one draw from torch's stream. So masks follow `torch.manual_seed`, and
saving torch's random state is enough to resume them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# Random numbers have 16 bits, so drop probabilities are multiples of 1/65,536.
LEVELS = 1 << 16
# Numbers in one of the generator's 64-bit words.
_PER_WORD = 4


class Masks:
    """Masks of one layer in one step: factors of inverted dropout, 0 or 1/(1 − drop).

    Parameters
    ----------
    drop
        Probability of 0, from 0 to 1, rounded to a multiple of 1/65,536. The factor uses the
        rounded value too, so that the mean stays 1.
    """

    def __init__(self, drop: float) -> None:
        self._dropped = round(drop * LEVELS)
        # The maximum avoids dividing by 0 where everything is dropped and no factor is used.
        self._factor = np.float32(LEVELS / max(LEVELS - self._dropped, 1))
        # 62 bits from torch's CPU stream.
        seed = int(torch.randint(1 << 62, ()).item())
        self._generator = np.random.Generator(np.random.SFC64(seed))

    def draw(self, shape: Sequence[int]) -> Tensor:
        """Draw the next mask, float32 on the CPU."""
        size = math.prod(shape)
        words = self._generator.integers(0, 1 << 64, -(-size // _PER_WORD), dtype=np.uint64)
        mask = (words.view(np.uint16)[:size] >= self._dropped).astype(np.float32)
        mask *= self._factor
        return torch.from_numpy(mask).view(tuple(shape))
