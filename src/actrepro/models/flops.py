"""Floating point operations of a training step, counted and not estimated."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(model: nn.Module, codes: Tensor) -> int:
    """Count the operations of a step, forward and backward.

    Multiplications and additions of matrix products count; element-wise operations
    (activation, norms, dropout, optimiser) do not. Attention counts in full, future included,
    even where an implementation skips it (as in Chowdhery et al. 2022, appendix B), so that
    the count depends on the model alone.

    Parameters
    ----------
    model
        A model without dropout; on the meta device it is counted without memory or arithmetic.
    codes
        `[batch, time + 1]` integers: the inputs, and one position later the targets.
    """
    # torch's counter sees oneDNN's LSTM and a CPU's fused attention as one operation of unknown
    # cost, so both are replaced by their parts. Without oneDNN, torch warns about a precision
    # that is not used here.
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
