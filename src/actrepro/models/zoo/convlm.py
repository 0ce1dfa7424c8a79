"""ConvLM: residual blocks of left-padded dilated convolutions; no attention, no positions."""

from __future__ import annotations

from torch import Tensor, nn

from actrepro.models.blocks import (
    Activated,
    CausalConvolution,
    Dropout,
    ModelSpec,
    initialise,
    matched_width,
)

KERNEL = 3


class ConvBlock(nn.Module):
    """Pre-LN residual block: causal convolution, activation, contraction."""

    def __init__(self, spec: ModelSpec, hidden: int, dilation: int) -> None:
        super().__init__()
        width = spec.width
        self.norm = nn.LayerNorm(width)
        self.convolve = Activated(
            lambda out: CausalConvolution(width, out, KERNEL, dilation),
            hidden,
            spec.activation,
            fan_in=KERNEL * width,
            fan_out=width,
        )
        self.contract = nn.Linear(self.convolve.width, width)
        self.dropout = Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.dropout(self.contract(self.convolve(self.norm(x))))
        return out


class ConvLM(nn.Module):
    """Embedding, blocks of growing dilation, a last LayerNorm, an untied head without bias."""

    def __init__(self, spec: ModelSpec, hidden: int) -> None:
        super().__init__()
        blocks = [ConvBlock(spec, hidden, dilation) for dilation in dilations(spec)]
        self.tokens = nn.Embedding(spec.symbols, spec.width)
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(spec.width)
        self.head = nn.Linear(spec.width, spec.symbols, bias=False)

    def forward(self, codes: Tensor) -> Tensor:
        out: Tensor = self.head(self.norm(self.blocks(self.tokens(codes))))
        return out


def dilations(spec: ModelSpec) -> list[int]:
    """Return 1, 2, 4, …, restarting at 1 before a convolution would reach past the context."""
    longest = max(1, spec.context // KERNEL)
    period = longest.bit_length()
    return [2 ** (layer % period) for layer in range(spec.layers)]


def build(spec: ModelSpec) -> nn.Module:
    """Build ConvLM; the width of its convolutions matches its parameter count to CharLM's."""
    return ConvLM(spec, matched_width(ConvLM, spec)).apply(initialise)
