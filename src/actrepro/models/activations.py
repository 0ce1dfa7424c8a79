"""Activation functions. To add one, write one decorated function here.

`@pointwise` marks a function of one tensor. `@gated` marks a function of the two
halves of a layer's output, `(gate, value)`: a layer that feeds a gated activation
is split in two, and made narrower so that parameter counts match
(see `actrepro.models.blocks.Activated`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor

from actrepro.config.names import nearest
from actrepro.core.errors import ActreproError


@dataclass(frozen=True)
class Activation:
    """A named activation: `function(x)`, or `function(gate, value)` when `gated`."""

    name: str
    function: Callable[..., Tensor]
    gated: bool


_REGISTRY: dict[str, Activation] = {}


def pointwise(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Register an element-wise activation under its function's name."""
    _REGISTRY[function.__name__] = Activation(function.__name__, function, gated=False)
    return function


def gated(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Register a gated activation under its function's name."""
    _REGISTRY[function.__name__] = Activation(function.__name__, function, gated=True)
    return function


def get_activation(name: str) -> Activation:
    """Return the activation of that name.

    Raises
    ------
    ActreproError
        When there is none; the message names the nearest.
    """
    if name not in _REGISTRY:
        raise ActreproError(f"activation '{name}' is not known{nearest(name, tuple(_REGISTRY))}")
    return _REGISTRY[name]


@pointwise
def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return F.relu(x)


@pointwise
def gelu(x: Tensor) -> Tensor:
    """x·Φ(x), Φ the normal distribution function (exact, by erf; Hendrycks & Gimpel 2016)."""
    return F.gelu(x)


@pointwise
def swish(x: Tensor) -> Tensor:
    """x·sigmoid(x), also called SiLU (Ramachandran et al. 2017, β = 1)."""
    return F.silu(x)


def smelu(x: Tensor, beta: float) -> Tensor:
    """Smooth ReLU with half-width `beta` (Shamir, Lin & Coviello 2020, arXiv:2010.09931).

    0 for x ≤ −β, (x + β)²/4β for |x| ≤ β, x for x ≥ β. With the slope
    s = clamp((x + β)/2β, 0, 1) this is β·s² + max(x − β, 0), which is exact at both
    joints, and the gradient needs nothing but the slope.
    """
    out: Tensor = _SmeLU.apply(x, beta)  # type: ignore[no-untyped-call]
    return out


class _SmeLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: float) -> Tensor:
        # torch's hardsigmoid is clamp(x/6 + ½, 0, 1).
        slope = F.hardsigmoid(x * (3 / beta))
        ctx.save_for_backward(slope)
        return torch.addcmul(F.relu(x - beta), slope, slope, value=beta)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (slope,) = ctx.saved_tensors
        return grad * slope, None


@pointwise
def smelu_05(x: Tensor) -> Tensor:
    """SmeLU with β = 0.5."""
    return smelu(x, 0.5)


@pointwise
def smelu_1(x: Tensor) -> Tensor:
    """SmeLU with β = 1."""
    return smelu(x, 1.0)


@gated
def swiglu(gate: Tensor, value: Tensor) -> Tensor:
    """swish(gate)·value (Shazeer 2020, arXiv:2002.05202)."""
    return F.silu(gate) * value
