"""Model cards: the parts and the cost of models, computed without training, in `models.json`.

Models at the study's scales are described in full; at the config's other scales, only the
numbers that give a study's cost are. The file also has the curves of the study's activations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from actrepro.config.study import RunConfig
from actrepro.core.files import write_json
from actrepro.core.model_cards import Card, Curve, ModelCards, ModelCounts, Node
from actrepro.core.shapes import read_as
from actrepro.data.shapes import CorpusManifest
from actrepro.models import build_from_protocol, count_parameters
from actrepro.models.activations import Activation, get_activation
from actrepro.models.flops import count_flops
from actrepro.models.outline import outline
from actrepro.models.probing import uncompiled

# Raised whenever a key is added, or changes its name, place or meaning.
VERSION = 1
# The grid on which activations are drawn.
X = np.linspace(-4, 4, 161)
DIGITS = 5
# Lengths of the texts whose operations determine those of any length; contexts are longer.
LENGTHS = (1, 2, 3)


@dataclass(frozen=True)
class CardRequest:
    """The slice of a study that `models.json` depends on.

    Attributes
    ----------
    runs
        One run per scale of the config and model of the study, with the first activation.
    activations
        The study's.
    scales
        The study's scales.
    symbols
        By corpus, its declared number of symbols; None where it declares none.
    """

    runs: Sequence[RunConfig]
    activations: Sequence[str]
    scales: Sequence[str]
    symbols: Mapping[str, int | None]


def write_cards(request: CardRequest, manifests: Sequence[Path], output: Path) -> None:
    """Write `models.json`.

    Parameters
    ----------
    manifests
        `corpus.json` of the study's corpora, which list their symbols.

    Raises
    ------
    ActreproError
        When a manifest is missing or damaged, or a user's own model cannot be imported.
    """
    write_json(output, cards(request, [read_as(CorpusManifest, path) for path in manifests]))


def cards(request: CardRequest, manifests: Sequence[CorpusManifest]) -> ModelCards:
    """Return the content of `models.json`, without scales whose number of symbols is unknown."""
    known = {corpus: count for corpus, count in request.symbols.items() if count is not None}
    known |= {one["corpus"]: len(one["symbols"]) for one in manifests}
    scales: dict[str, dict[str, Card]] = {}
    for run in request.runs:
        if run.protocol.corpus in known:
            in_study = run.scale in request.scales
            card = _model(run, known[run.protocol.corpus], request.activations, in_study)
            scales.setdefault(run.scale, {})[run.model] = card
    return {
        "schema": VERSION,
        "scales": scales,
        "activations": {name: curve(get_activation(name)) for name in request.activations},
    }


def _model(run: RunConfig, symbols: int, activations: Sequence[str], in_study: bool) -> Card:
    """Describe a model at a scale, with every activation if the scale is one of the study's."""
    if in_study:
        counts = _counts(run, symbols, activations, _device(run, in_study))
        return {**counts, "outline": _outline(run, symbols, activations[0])}
    try:
        return _counts(run, symbols, activations[:1], _device(run, in_study))
    except Exception as error:
        # A user's model may refuse a scale that it was not made for, with any exception.
        if not run.custom_models:
            raise
        return {"why": f"{type(error).__name__}: {error}"}


def _device(run: RunConfig, in_study: bool) -> torch.device:
    """Choose the device on which a model is built to be counted.

    On the meta device, weights have a shape and no memory, so the largest scale costs nothing.
    A user's own model may not support it, so at the study's scales it is built on the CPU.
    """
    return torch.device("cpu" if in_study and run.custom_models else "meta")


def _counts(
    run: RunConfig, symbols: int, activations: Sequence[str], device: torch.device
) -> ModelCounts:
    protocol = run.protocol
    flops: dict[bool, float] = {}
    parameters = {}
    for name in activations:
        with device:
            model = _built(run, symbols, get_activation(name))
        parameters[name] = count_parameters(model)
        # Element-wise operations are not counted, so all activations of a kind cost the same.
        gated = get_activation(name).gated
        if gated not in flops:
            flops[gated] = _flops_per_character(model, protocol.context, symbols, device)
    return {
        "parameters": parameters,
        "flops_per_character": {name: flops[get_activation(name).gated] for name in activations},
        "characters": protocol.batch * protocol.context * protocol.iterations,
    }


def _built(run: RunConfig, symbols: int, activation: Activation) -> nn.Module:
    return build_from_protocol(
        run.model,
        run.protocol.model_copy(update={"dropout": 0.0}),
        activation,
        symbols,
        seed=0,
        custom_models=run.custom_models,
    )


def _flops_per_character(
    model: nn.Module, context: int, symbols: int, device: torch.device
) -> float:
    """Count a step's operations per character, in texts as long as the context.

    On the meta device, three short texts are counted: the operations of layers, attention and
    recurrences are a polynomial of degree two in the length, which three points determine.
    """

    def counted(length: int) -> int:
        with device, uncompiled():
            return count_flops(model, torch.arange(length + 1).remainder(symbols)[None])

    if device.type != "meta":
        return counted(context) / context
    return through(LENGTHS, [counted(length) for length in LENGTHS], context) / context


def through(places: Sequence[int], values: Sequence[int], x: int) -> float:
    """Return the value at `x` of the polynomial of lowest degree through points (Lagrange).

    >>> through((2, 4, 6), (4, 16, 36), 10)
    100.0
    """
    return float(
        sum(
            value * math.prod((x - root) / (place - root) for root in places if root != place)
            for place, value in zip(places, values, strict=True)
        )
    )


def _outline(run: RunConfig, symbols: int, activation: str) -> list[Node]:
    device = _device(run, in_study=True)
    length = LENGTHS[-1] if device.type == "meta" else run.protocol.context
    with device:
        codes = torch.arange(length).remainder(symbols)[None]
        return outline(
            lambda watched: _built(run, symbols, watched), get_activation(activation), codes
        )


def curve(activation: Activation) -> Curve:
    """Compute an activation on a grid from −4 to 4, with the derivative that autograd gives.

    For a gated activation, the grid is the gate's and the value is 1. A number that is not
    finite is null; a derivative that autograd does not give is 0. An activation that draws
    random numbers has `repeatable` false and draws the same ones each time.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        x = torch.tensor(X, requires_grad=True)
        y = _value(activation, x)
        slope = torch.zeros_like(x)
        if y.requires_grad:
            [slope] = torch.autograd.grad(y.sum(), x, materialize_grads=True)
        again = _value(activation, x)
    return {
        "gated": activation.gated,
        "repeatable": bool(torch.equal(y, again)),
        "x": [round(value, DIGITS) + 0.0 for value in X.tolist()],
        "y": _rounded(y),
        "derivative": _rounded(slope),
    }


def _value(activation: Activation, x: Tensor) -> Tensor:
    function: Callable[..., Tensor] = activation.function
    return function(x, torch.ones_like(x)) if activation.gated else function(x)


def _rounded(values: Tensor) -> list[float | None]:
    return [
        round(value, DIGITS) + 0.0 if math.isfinite(value) else None for value in values.tolist()
    ]
