"""AdamW over one flat buffer.

torch's own optimisers import its compiler at their first call, which costs each
training job almost two seconds, as much as a small run trains. One buffer also
makes a step a handful of passes instead of a loop over parameters. Tested
against `torch.optim.AdamW`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.999)
EPSILON = 1e-8
WEIGHT_DECAY = 0.01


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), torch's default constants.

    The model's parameters and their gradients become views into two flat
    buffers, so the model must not be moved to another device afterwards.
    """

    def __init__(self, model: nn.Module, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.steps = 0
        self.weights, self.gradients = flatten_parameters(model)
        self.mean = torch.zeros_like(self.weights)
        self.square = torch.zeros_like(self.weights)

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""
        self.gradients.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← (1−ηλ)w − η·m̂ / (√v̂ + ε)."""
        self.steps += 1
        first, second = (1 - beta**self.steps for beta in BETAS)
        self.mean.lerp_(self.gradients, 1 - BETAS[0])
        self.square.mul_(BETAS[1]).addcmul_(self.gradients, self.gradients, value=1 - BETAS[1])
        denominator = self.square.sqrt().mul_(second**-0.5).add_(EPSILON)
        self.weights.mul_(1 - self.learning_rate * WEIGHT_DECAY)
        self.weights.addcdiv_(self.mean, denominator, value=-self.learning_rate / first)


def flatten_parameters(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Move parameters and gradients into two flat buffers, and leave views in their place."""
    parameters = list(model.parameters())
    weights = torch.cat([parameter.detach().flatten() for parameter in parameters])
    gradients = torch.zeros_like(weights)
    sizes = [parameter.numel() for parameter in parameters]
    parts = zip(parameters, torch.split(weights, sizes), torch.split(gradients, sizes), strict=True)
    for parameter, weight, gradient in parts:
        parameter.data = weight.view_as(parameter)
        parameter.grad = gradient.view_as(parameter)
    return weights, gradients
