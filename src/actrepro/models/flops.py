"""How many floating point operations a training step takes, counted and not estimated."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(model: nn.Module, codes: Tensor) -> int:
    """Operations of a step, forward and backward: those that the model needs.

    Counted are multiplications and additions of matrix products; what is done element by
    element (activation, norms, dropout, optimiser) is not. Attention counts in full, future
    included, whatever an implementation leaves out (as in Chowdhery et al. 2022, appendix B),
    so that the count depends on the model alone.

    Parameters
    ----------
    model
        Without dropout; on the meta device it is counted without memory or arithmetic.
    codes
        `[batch, time + 1]`, integers: each position's symbol, and what is to be predicted.
    """
    # torch's counter knows nothing of oneDNN's LSTM and of a CPU's fused attention, which are
    # one operation each. Without oneDNN, torch warns of a precision that nothing here uses.
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        logits = model(codes[:, :-1])
        torch.autograd.backward(F.cross_entropy(logits.flatten(0, 1), codes[:, 1:].flatten()))
    flops: int = counter.get_total_flops()
    return flops
