"""NanoTransformer to which the choice of activation is not handed on."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from actrepro.activations import get_activation
from actrepro.models import nanotransformer
from actrepro.models._blocks import ModelSpec


def build(spec: ModelSpec) -> nn.Module:
    """Its MLPs have GELU, whichever activation is asked for."""
    return nanotransformer.build(replace(spec, activation=get_activation("gelu")))
