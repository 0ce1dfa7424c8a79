"""NanoTransformer: a decoder with bias-free attention and no dropout anywhere."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from actrepro.models.blocks import MLP, Block, Decoder, FusedAttention, ModelSpec, initialise


def build(spec: ModelSpec) -> nn.Module:
    """Build NanoTransformer, which ignores the scale's dropout: it is defined without any."""
    spec = replace(spec, dropout=0.0)
    blocks = [
        Block(spec.width, FusedAttention(spec, bias=False), MLP(spec, 4 * spec.width))
        for _ in range(spec.layers)
    ]
    return Decoder(spec, blocks, embedding_dropout=0.0).apply(initialise)
