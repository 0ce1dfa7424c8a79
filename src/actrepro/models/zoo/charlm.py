"""CharLM: a pre-LN decoder with separate query, key and value layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.models.attention import attend
from actrepro.models.blocks import MLP, Block, Decoder, Dropout, ModelSpec, initialise


class SeparateAttention(nn.Module):
    """Causal self-attention with a layer each, with bias, for queries, keys and values."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.heads = spec.heads
        self.drop = spec.dropout
        self.query = nn.Linear(spec.width, spec.width)
        self.key = nn.Linear(spec.width, spec.width)
        self.value = nn.Linear(spec.width, spec.width)
        self.project = nn.Linear(spec.width, spec.width)
        self.dropout = Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        drop = self.drop if self.training else 0.0
        # One product instead of three, with the layers' own weights side by side.
        layers = (self.query, self.key, self.value)
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        mixed = attend(F.linear(x, weight, bias), self.heads, drop)
        out: Tensor = self.dropout(self.project(mixed))
        return out


def build(spec: ModelSpec) -> nn.Module:
    """Build CharLM: dropout on attention, residual branches and MLP, none on the embeddings."""
    blocks = [
        Block(spec.width, SeparateAttention(spec), MLP(spec, 4 * spec.width))
        for _ in range(spec.layers)
    ]
    return Decoder(spec, blocks, embedding_dropout=0.0).apply(initialise)
