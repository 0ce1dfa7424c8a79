"""MiniGPT: GPT-2's shape, with fused attention and scaled residual projections."""

from __future__ import annotations

import torch
from torch import nn

from actrepro.models.blocks import (
    MLP,
    Block,
    Decoder,
    FusedAttention,
    ModelSpec,
    initialise,
    residual_scale,
)


def build(spec: ModelSpec) -> nn.Module:
    """Build MiniGPT: it drops embeddings too; residual projections start at 1/√(2·layers)."""
    blocks = [
        Block(spec.width, FusedAttention(spec, bias=True), MLP(spec, 4 * spec.width))
        for _ in range(spec.layers)
    ]
    model = Decoder(spec, blocks, embedding_dropout=spec.dropout).apply(initialise)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("project.weight", "contract.weight")):
                parameter.mul_(residual_scale(spec.layers))
    return model
