"""ConvLM padded on both sides, as images are: each output sees characters after its own."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.models.blocks import CausalConvolution, ModelSpec
from actrepro.models.zoo import convlm


class Centred(nn.Module):
    """A causal convolution moved into the future by some characters, as same padding does."""

    def __init__(self, convolution: nn.Module, ahead: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.ahead = ahead

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convolution(F.pad(x, (0, 0, 0, self.ahead)))
        return out[:, self.ahead :]


def build(spec: ModelSpec) -> nn.Module:
    """ConvLM with the same weights, each convolution centred on its own position."""
    model = convlm.build(spec)
    for block in model.modules():
        if isinstance(block, convlm.ConvBlock) and isinstance(
            convolution := block.convolve.layer, CausalConvolution
        ):
            block.convolve.layer = Centred(convolution, convolution.reach // 2)
    return model
