"""Facts that follow from the program and a corpus alone, without training: `facts.json`.

Parameter counts at every scale, the parts that models are made of, what activations
do on a grid, and the sizes of the corpus. The audit holds printed claims against them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.audit.config import parse_audit
from actrepro.config.names import activation_names, model_names
from actrepro.config.protocol import Protocol
from actrepro.config.study import Study
from actrepro.core.files import write_json
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.models import build_from_protocol, count_parameters
from actrepro.models.activations import Activation, get_activation
from actrepro.models.blocks import CausalConvolution, FusedAttention, matched_width
from actrepro.models.zoo.charlm import SeparateAttention
from actrepro.train.optimiser import WEIGHT_DECAY

# Where activations are shown: both joints of SmeLU (±β) for β = 0.5 and 1 are on it.
GRID = [-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]
STEP = 1e-9
FAR = 30.0
FINE_STEPS = 1000
# The dropout that models are asked for, to see which of them have any.
ASKED_DROPOUT = 0.2
UNTRAINED_SEED = 42
UNTRAINED_WINDOWS = 4

ATTENTION = (FusedAttention, SeparateAttention, nn.MultiheadAttention)
CONVOLUTION = (CausalConvolution, nn.Conv1d, nn.Conv2d)
POOLING = (nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveMaxPool1d, nn.AdaptiveAvgPool1d, nn.LPPool1d)


def write_facts(study: Study, corpus_path: Path, output: Path) -> None:
    """Write `facts.json`.

    Parameters
    ----------
    study
        Whose scales the counts are of.
    corpus_path
        `corpus.npz` of the text that the audit is about.

    Raises
    ------
    ActreproError
        When the corpus is missing or damaged.
    """
    write_json(output, facts(study, load_corpus(corpus_path)))


def facts(study: Study, corpus: Corpus) -> dict[str, Any]:
    """All facts, as `facts.json` holds them."""
    audit = parse_audit(study)
    protocol = study.protocols[audit.scale]
    return {
        "parameters": parameter_counts(study),
        "sized_to_match": sized_to_match(),
        "parts": {
            name: parts(_asked_for_dropout(name, protocol, len(corpus.symbols)))
            for name in model_names()
        },
        "untrained": untrained_losses(protocol, audit.activations, corpus),
        "activations": activation_facts(),
        "optimiser": {"weight_decay": WEIGHT_DECAY},
        "corpus": {
            "characters": len(corpus.codes),
            "train": len(corpus.train),
            "validation": len(corpus.selection) + len(corpus.test),
            "symbols": len(corpus.symbols),
        },
    }


def parameter_counts(study: Study) -> dict[str, dict[str, int]]:
    """Count the parameters with ReLU, by scale and built-in model.

    A scale whose corpus does not declare how many symbols it has is left out.
    """
    counts = {}
    for scale, protocol in study.protocols.items():
        symbols = study.corpora[protocol.corpus].symbols
        if symbols is not None:
            counts[scale] = {name: _parameters(name, protocol, symbols) for name in model_names()}
    return counts


def _parameters(name: str, protocol: Protocol, symbols: int) -> int:
    # Weights on the meta device have a shape and no memory, so the largest scale costs nothing.
    with torch.device("meta"):
        return count_parameters(
            build_from_protocol(name, protocol.for_model(name), "relu", symbols)
        )


def sized_to_match() -> list[str]:
    """The built-in models whose width is chosen so that they have as many parameters as CharLM."""
    modules = {name: import_module(f"actrepro.models.zoo.{name}") for name in model_names()}
    return [name for name, module in modules.items() if hasattr(module, matched_width.__name__)]


def _asked_for_dropout(name: str, protocol: Protocol, symbols: int) -> nn.Module:
    asked = protocol.for_model(name).model_copy(update={"dropout": ASKED_DROPOUT})
    with torch.device("meta"):
        return build_from_protocol(name, asked, "relu", symbols)


def parts(model: nn.Module) -> dict[str, bool]:
    """Return the kinds of parts that a model has, by a census of its modules."""
    modules = list(model.modules())
    return {
        "attention": any(isinstance(one, ATTENTION) for one in modules),
        "recurrent": any(isinstance(one, nn.RNNBase) for one in modules),
        "convolution": any(isinstance(one, CONVOLUTION) for one in modules),
        "pooling": any(isinstance(one, POOLING) for one in modules),
        "dropout": any(_drops(one) for one in modules),
        "positions": any(name.endswith("positions") for name, _ in model.named_modules()),
    }


def _drops(module: nn.Module) -> bool:
    if isinstance(module, nn.Dropout):
        return module.p > 0
    return isinstance(module, nn.RNNBase) and module.dropout > 0


def untrained_losses(
    protocol: Protocol, activations: tuple[str, ...], corpus: Corpus
) -> dict[str, dict[str, float]]:
    """Compute the loss before the first step by model and activation, from one seed's weights.

    Nats per character, on a few windows of the test half. The weights are equal,
    so any difference between activations comes from the activation itself.
    """
    inputs, targets = _windows(corpus, protocol.context)
    return {
        name: {
            one: _loss(name, protocol, one, len(corpus.symbols), inputs, targets)
            for one in activations
            if not get_activation(one).gated
        }
        for name in model_names()
    }


def _windows(corpus: Corpus, context: int) -> tuple[Tensor, Tensor]:
    count = min(UNTRAINED_WINDOWS, (len(corpus.test) - 1) // context)
    end = count * context
    inputs = corpus.test[:end].reshape(count, context)
    targets = corpus.test[1 : end + 1].reshape(count, context)
    return torch.from_numpy(inputs.astype(np.int64)), torch.from_numpy(targets.astype(np.int64))


def _loss(
    name: str,
    protocol: Protocol,
    activation: str,
    symbols: int,
    inputs: Tensor,
    targets: Tensor,
) -> float:
    model = build_from_protocol(
        name, protocol.for_model(name), activation, symbols, seed=UNTRAINED_SEED
    ).eval()
    with torch.no_grad():
        logits: Tensor = model(inputs)
    return float(F.cross_entropy(logits.flatten(0, 1), targets.flatten()))


def activation_facts() -> dict[str, dict[str, Any]]:
    """Return the behaviour of each activation of one tensor, in double precision.

    By name: values `y` at `x`; True if a second evaluation gave the same; the jump of
    its value and of its slope at 0; how many numbers it learns; where it is least;
    its values far out on both sides; and where it lies farthest from ReLU.
    """
    found = [get_activation(name) for name in activation_names()]
    return {one.name: _activation(one) for one in found if not one.gated}


def _activation(activation: Activation) -> dict[str, Any]:
    values = _values(activation, GRID)
    left, middle, right = _values(activation, [-STEP, 0.0, STEP])
    fine = np.arange(-10 * FINE_STEPS, 10 * FINE_STEPS + 1) / FINE_STEPS
    y = np.array(_values(activation, fine.tolist()))
    gap = np.abs(y - np.maximum(fine, 0))
    least, farthest = int(y.argmin()), int(gap.argmax())
    return {
        "x": GRID,
        "y": values,
        "repeatable": values == _values(activation, GRID),
        "jump_at_zero": right - left,
        "slope_jump_at_zero": (right - middle) / STEP - (middle - left) / STEP,
        "parameters": _learned(activation),
        "least": {"x": float(fine[least]), "y": float(y[least])},
        "rises_everywhere": bool((np.diff(y) >= 0).all()),
        "far_left": _values(activation, [-FAR])[0],
        "far_right": _values(activation, [FAR])[0],
        "farthest_from_relu": {"x": float(fine[farthest]), "gap": float(gap[farthest])},
    }


def _values(activation: Activation, x: list[float]) -> list[float]:
    values: list[float] = activation.function(torch.tensor(x, dtype=torch.float64)).tolist()
    return values


def _learned(activation: Activation) -> int:
    """Trainable numbers that an activation's value depends on besides its input."""
    out = activation.function(torch.tensor([0.5], requires_grad=True))
    return len(list(_leaves(out))) - 1


def _leaves(out: Tensor) -> Iterator[Any]:
    """The trainable tensors behind a value: the ends of its graph of gradients."""
    seen, waiting = set(), [out.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [before for before, _ in node.next_functions]
