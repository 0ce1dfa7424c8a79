"""Dropout masks on a CPU, drawn cheaply.

torch draws a CPU's masks one number after another from one Mersenne twister, which was
a fifth of a training step. Here each mask has a small generator of its own, whose seed
is one draw from torch's stream: so masks follow `torch.manual_seed`, and torch's random
state is all there is to keep of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# A mask's numbers have 16 bits: shares of dropped elements are multiples of 1/65,536.
LEVELS = 1 << 16
_PER_WORD = 4


class Masks:
    """Masks of one layer in one step: factors of inverted dropout, 0 or 1/(1 − drop).

    Parameters
    ----------
    drop
        The probability of 0, from 0 to 1; rounded to a multiple of 1/65,536, in the other
        factor too.
    """

    def __init__(self, drop: float) -> None:
        self._dropped = round(drop * LEVELS)
        # Where all is dropped, there is nothing to multiply.
        self._factor = np.float32(LEVELS / max(LEVELS - self._dropped, 1))
        # 62 bits of torch's stream of the CPU.
        seed = int(torch.randint(1 << 62, ()).item())
        self._generator = np.random.Generator(np.random.SFC64(seed))

    def draw(self, shape: Sequence[int]) -> Tensor:
        """The next mask, float32 on the CPU."""
        size = math.prod(shape)
        words = self._generator.integers(0, 1 << 64, -(-size // _PER_WORD), dtype=np.uint64)
        mask = (words.view(np.uint16)[:size] >= self._dropped).astype(np.float32)
        mask *= self._factor
        return torch.from_numpy(mask).view(tuple(shape))
