"""What models are made of and what a step costs them, without any training: `models.json`.

Of the study's scales everything; of the config's other scales as much as tells what a study
there would cost. And what the study's activations look like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actrepro.config.study import RunConfig
from actrepro.core.files import read_json, write_json
from actrepro.models import build_from_protocol, count_parameters
from actrepro.models.activations import Activation, get_activation
from actrepro.models.flops import count_flops
from actrepro.models.outline import outline
from actrepro.models.probing import uncompiled

# One more whenever a key comes, or changes its name, place or meaning.
VERSION = 1
# The grid on which activations are shown.
X = np.linspace(-4, 4, 161)
DIGITS = 5
# Of texts that are counted for the operations of longer ones; no context is as short.
LENGTHS = (1, 2, 3)


@dataclass(frozen=True)
class CardRequest:
    """The slice of a study that `models.json` depends on.

    Attributes
    ----------
    runs
        One of each scale of the config and model of the study, with the first activation.
    activations
        The study's.
    scales
        Those of the study among the runs'.
    symbols
        By corpus, how many symbols it declares; None where it does not.
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
        `corpus.json` of the study's corpora, which tell how many symbols they have.

    Raises
    ------
    ActreproError
        When a manifest is missing or damaged, or a user's own model cannot be imported.
    """
    write_json(output, cards(request, [read_json(path) for path in manifests]))


def cards(request: CardRequest, manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All of `models.json`. A scale is left out where nobody knows its corpus's symbols."""
    known = {corpus: count for corpus, count in request.symbols.items() if count is not None}
    known |= {one["corpus"]: len(one["symbols"]) for one in manifests}
    scales: dict[str, dict[str, Any]] = {}
    for run in request.runs:
        if run.protocol.corpus in known:
            own = run.scale in request.scales
            found = _model(run, known[run.protocol.corpus], request.activations, own)
            scales.setdefault(run.scale, {})[run.model] = found
    return {
        "schema": VERSION,
        "scales": scales,
        "activations": {name: curve(get_activation(name)) for name in request.activations},
    }


def _model(run: RunConfig, symbols: int, activations: Sequence[str], own: bool) -> dict[str, Any]:
    """A model at a scale: of the study's own with every activation, else with the first."""
    if own:
        return _counts(run, symbols, activations, _device(run, own)) | {
            "outline": _outline(run, symbols, activations[0])
        }
    try:
        return _counts(run, symbols, activations[:1], _device(run, own))
    except Exception as error:
        # A user's model may refuse a scale that it was not made for, in whatever way it likes.
        if not run.custom_models:
            raise
        return {"why": f"{type(error).__name__}: {error}"}


def _device(run: RunConfig, own: bool) -> torch.device:
    """Where a model is built to be counted.

    On the meta device weights have a shape and no memory, so the largest scale costs nothing;
    but a user's own model need not know of it, so at the study's scales it is built for real.
    """
    return torch.device("cpu" if own and run.custom_models else "meta")


def _counts(
    run: RunConfig, symbols: int, activations: Sequence[str], device: torch.device
) -> dict[str, Any]:
    protocol = run.protocol
    flops: dict[bool, float] = {}
    parameters = {}
    for name in activations:
        with device:
            model = _built(run, symbols, get_activation(name))
        parameters[name] = count_parameters(model)
        # The activation's own operations are not counted, so all of a kind need the same.
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
    """Operations of a step per character, in texts as long as the context.

    On the meta device from three short texts: what layers, attention and recurrences take is
    a polynomial of degree two in a text's length, so these tell it exactly for every length.
    """

    def counted(length: int) -> int:
        with device, uncompiled():
            return count_flops(model, torch.arange(length + 1).remainder(symbols)[None])

    if device.type != "meta":
        return counted(context) / context
    return through(LENGTHS, [counted(one) for one in LENGTHS], context) / context


def through(places: Sequence[int], values: Sequence[int], x: int) -> float:
    """The value at `x` of the polynomial through points (Lagrange), of their number less one.

    >>> through((2, 4, 6), (4, 16, 36), 10)
    100.0
    """
    return float(
        sum(
            value * math.prod((x - other) / (place - other) for other in places if other != place)
            for place, value in zip(places, values, strict=True)
        )
    )


def _outline(run: RunConfig, symbols: int, activation: str) -> list[dict[str, Any]]:
    device = _device(run, own=True)
    length = LENGTHS[-1] if device.type == "meta" else run.protocol.context
    with device:
        codes = torch.arange(length).remainder(symbols)[None]
        return outline(
            lambda watched: _built(run, symbols, watched), get_activation(activation), codes
        )


def curve(activation: Activation) -> dict[str, Any]:
    """An activation on a grid from −4 to 4, with its derivative as training sees it.

    Of a gated one that is what its gate does where the other half is 1. A value that is not
    finite is null, and where training sees no derivative it is 0. One that draws random
    numbers (`repeatable` is false) draws the same here each time.
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
        "x": _rounded(x),
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
