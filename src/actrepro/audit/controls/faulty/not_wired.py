"""NanoTransformer to which the choice of activation is not handed on."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from actrepro.models.activations import get_activation
from actrepro.models.blocks import ModelSpec
from actrepro.models.zoo import nanotransformer


def build(spec: ModelSpec) -> nn.Module:
    """Its MLPs have GELU, whichever activation is asked for."""
    return nanotransformer.build(replace(spec, activation=get_activation("gelu")))
