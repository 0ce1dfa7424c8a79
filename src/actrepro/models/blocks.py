"""Parts that models share: the arguments of `build`, activated layers, attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.models.activations import Activation, get_activation
from actrepro.models.attention import attend
from actrepro.models.masks import Masks

INIT_STD = 0.02


@dataclass(frozen=True)
class ModelSpec:
    """The argument of a model's `build`: sizes from the scale, symbols, an activation."""

    layers: int
    width: int
    heads: int
    context: int
    dropout: float
    symbols: int
    activation: Activation


class Activated(nn.Module):
    """A layer followed by the activation: the only way an activation enters a model.

    Parameters
    ----------
    layer
        Builds the layer, given its output width.
    hidden
        Width after an ungated activation.
    activation
        The activation under study.
    fan_in, fan_out
        Weights per hidden unit before and after the activation. A gated
        activation doubles the first, so its width is
        `hidden·(fan_in + fan_out)/(2·fan_in + fan_out)`: 2/3 where both are
        equal, as in a transformer's MLP (Shazeer 2020).
    """

    def __init__(
        self,
        layer: Callable[[int], nn.Module],
        hidden: int,
        activation: Activation,
        fan_in: int,
        fan_out: int,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.width = hidden
        if activation.gated:
            self.width = round(hidden * (fan_in + fan_out) / (2 * fan_in + fan_out))
        self.layer = layer(2 * self.width if activation.gated else self.width)

    def forward(self, x: Tensor) -> Tensor:
        z = self.layer(x)
        if self.activation.gated:
            return self.activation.function(*z.chunk(2, dim=-1))
        return self.activation.function(z)


class Dropout(nn.Dropout):
    """Inverted dropout; on a CPU with masks that are cheap to draw (`actrepro.models.masks`)."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.p and x.device.type == "cpu":
            return x * Masks(self.p).draw(x.shape).to(x.dtype)
        return super().forward(x)


class MLP(nn.Module):
    """Expand, activate, contract, drop out."""

    def __init__(self, spec: ModelSpec, hidden: int) -> None:
        super().__init__()
        width = spec.width
        self.expand = Activated(
            lambda out: nn.Linear(width, out), hidden, spec.activation, width, width
        )
        self.contract = nn.Linear(self.expand.width, width)
        self.dropout = Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.contract(self.expand(x)))
        return out


class CausalConvolution(nn.Module):
    """A convolution over time that sees the present and the past only.

    The input is padded on the left by `(kernel − 1)·dilation`. It is written as one
    matrix product over shifted copies, so that the bits of an output depend on its
    receptive field only.
    """

    def __init__(self, width: int, out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.dilation = dilation
        self.kernel = kernel
        self.weights = nn.Linear(kernel * width, out)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        padded = F.pad(x, (0, 0, self.reach, 0))
        starts = range(0, self.reach + 1, self.dilation)
        taps = [padded[:, start : start + length] for start in starts]
        out: Tensor = self.weights(torch.cat(taps, dim=-1))
        return out


def recur(lstm: nn.LSTM, x: Tensor) -> Tensor:
    """Apply an LSTM to `[batch, time, width]`; on a CPU in float32 even under autocast.

    Few processors have a kernel for an LSTM in bfloat16, and torch has no fallback.
    """
    out: Tensor
    if x.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            out, _ = lstm(x.to(next(lstm.parameters()).dtype))
    else:
        out, _ = lstm(x)
    return out


class FusedAttention(nn.Module):
    """Causal self-attention whose queries, keys and values come from one layer."""

    def __init__(self, spec: ModelSpec, bias: bool) -> None:
        super().__init__()
        self.heads = spec.heads
        self.drop = spec.dropout
        self.qkv = nn.Linear(spec.width, 3 * spec.width, bias=bias)
        self.project = nn.Linear(spec.width, spec.width, bias=bias)
        self.dropout = Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        drop = self.drop if self.training else 0.0
        out: Tensor = self.dropout(self.project(attend(self.qkv(x), self.heads, drop)))
        return out


class Block(nn.Module):
    """Pre-LN residual block: attention, then MLP."""

    def __init__(self, width: int, attention: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = attention
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = mlp

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_attention(x))
        out: Tensor = x + self.mlp(self.norm_mlp(x))
        return out


class Decoder(nn.Module):
    """Embeddings (learned positions), blocks, a last LayerNorm, an untied head without bias."""

    def __init__(self, spec: ModelSpec, blocks: list[Block], embedding_dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(spec.symbols, spec.width)
        self.positions = nn.Embedding(spec.context, spec.width)
        self.dropout = Dropout(embedding_dropout)
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(spec.width)
        self.head = nn.Linear(spec.width, spec.symbols, bias=False)

    def forward(self, codes: Tensor) -> Tensor:
        positions = torch.arange(codes.shape[1], device=codes.device)
        x = self.dropout(self.tokens(codes) + self.positions(positions))
        out: Tensor = self.head(self.norm(self.blocks(x)))
        return out


def initialise(module: nn.Module) -> None:
    """Draw linear and embedding weights from N(0, 0.02); set biases to 0 (as GPT-2)."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INIT_STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def initialise_lstm(module: nn.Module) -> None:
    """Draw LSTM weights from ±1/√width; set biases to 0, the forget gate's to 1.

    The forget gate's bias follows Gers et al. 2000.
    """
    if isinstance(module, nn.LSTM):
        for name, parameter in module.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.uniform_(parameter, -(module.hidden_size**-0.5), module.hidden_size**-0.5)
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter[module.hidden_size : 2 * module.hidden_size])


def decoder_parameters(spec: ModelSpec) -> int:
    """Count CharLM's parameters at these sizes, to which the other models are matched.

    Per block 12·d² weights, 9·d biases and 4·d of LayerNorm; outside the blocks
    the two tables, the positions and the last LayerNorm.
    """
    d = spec.width
    return spec.layers * (12 * d * d + 13 * d) + (2 * spec.symbols + spec.context + 2) * d


def matched_width(make: Callable[[ModelSpec, int], nn.Module], spec: ModelSpec) -> int:
    """Find the free width whose model `make(spec, width)` is nearest to CharLM in parameters.

    The count is a polynomial in the width of degree two at most, so three small
    models determine it for every width. They are built with an ungated activation,
    so that all activations of a model get the same width. torch's random state is
    left unchanged.
    """
    ungated = replace(spec, activation=get_activation("relu"))
    with torch.random.fork_rng(devices=[]):
        counts = [count_parameters(make(ungated, width)) for width in (1, 2, 3)]
    slope = counts[1] - counts[0]
    bend = counts[2] - 2 * counts[1] + counts[0]

    def distance(width: int) -> int:
        # Newton's forward differences.
        steps = width - 1
        count = counts[0] + steps * slope + steps * (steps - 1) // 2 * bend
        return abs(count - decoder_parameters(spec))

    # A step in width adds at least `slope` parameters, so no larger width can be nearer.
    widest = 2 + decoder_parameters(spec) // slope
    return min(range(1, widest + 1), key=distance)


def count_parameters(model: nn.Module) -> int:
    """Count the trainable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def residual_scale(layers: int) -> float:
    """Return GPT-2's factor on the initial weights of projections into the residual stream."""
    return 1 / math.sqrt(2 * layers)
