"""HybridLM: a causal convolution stem, an LSTM, then transformer blocks."""

from __future__ import annotations

from torch import Tensor, nn

from actrepro.models.blocks import (
    MLP,
    Activated,
    Block,
    CausalConvolution,
    Dropout,
    FusedAttention,
    ModelSpec,
    initialise,
    initialise_lstm,
    matched_width,
    recur,
)

KERNEL = 3


class HybridLM(nn.Module):
    """Stem and LSTM of half the width, then as many blocks as the scale has layers."""

    def __init__(self, spec: ModelSpec, hidden: int) -> None:
        super().__init__()
        width, half = spec.width, spec.width // 2
        self.tokens = nn.Embedding(spec.symbols, width)
        self.norm_stem = nn.LayerNorm(width)
        self.stem = Activated(
            lambda out: CausalConvolution(width, out, KERNEL, dilation=1),
            half,
            spec.activation,
            fan_in=KERNEL * width,
            fan_out=width,
        )
        self.contract_stem = nn.Linear(self.stem.width, width)
        self.norm_lstm = nn.LayerNorm(width)
        self.lstm = nn.LSTM(width, half, batch_first=True)
        self.expand_lstm = nn.Linear(half, width)
        self.dropout = Dropout(spec.dropout)
        self.blocks = nn.Sequential(*(_block(spec, hidden) for _ in range(spec.layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, spec.symbols, bias=False)

    def forward(self, codes: Tensor) -> Tensor:
        x = self.tokens(codes)
        x = x + self.dropout(self.contract_stem(self.stem(self.norm_stem(x))))
        recurrent = recur(self.lstm, self.norm_lstm(x))
        x = x + self.dropout(self.expand_lstm(recurrent))
        out: Tensor = self.head(self.norm(self.blocks(x)))
        return out


def _block(spec: ModelSpec, hidden: int) -> Block:
    return Block(spec.width, FusedAttention(spec, bias=True), MLP(spec, hidden))


def build(spec: ModelSpec) -> nn.Module:
    """Build HybridLM; its MLPs are narrower than CharLM's to pay for the stem and the LSTM."""
    return HybridLM(spec, matched_width(HybridLM, spec)).apply(initialise).apply(initialise_lstm)
