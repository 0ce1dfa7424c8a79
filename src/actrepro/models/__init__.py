"""Models. Each is one file with a function `build(spec) -> nn.Module`.

A model maps codes `[batch, time]` (integers) to logits `[batch, time, symbols]`,
and the logits at a time depend on the codes up to that time only. The
activation under study enters through `Activated`, which also handles gated ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import nn

from actrepro.config.names import model_names, nearest
from actrepro.config.protocol import Protocol
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError
from actrepro.models.activations import Activation, get_activation
from actrepro.models.blocks import Activated, ModelSpec, count_parameters

__all__ = ["Activated", "ModelSpec", "build_from_protocol", "build_model", "count_parameters"]

Builder = Callable[[ModelSpec], nn.Module]


def build_model(
    name: str,
    *,
    scale: str,
    activation: str,
    symbols: int | None = None,
    seed: int | None = None,
) -> nn.Module:
    """Build a model at one of the default study's scales.

    Parameters
    ----------
    name
        A built-in model, or the dotted path of a module with `build(spec)`.
    scale
        One of the default study's scales: quick, cpu, lite, partial, full.
    activation
        An activation's name.
    symbols
        Number of distinct characters; by default that of the scale's corpus.
    seed
        Seed of the initial weights; without it they follow torch's global state.

    Raises
    ------
    ActreproError
        When a name is unknown; the message names the nearest.

    Examples
    --------
    >>> count_parameters(build_model("charlm", scale="cpu", activation="relu"))
    429824
    """
    study = default_study()
    if scale not in study.protocols:
        raise ActreproError(f"scale '{scale}' is not known{nearest(scale, list(study.protocols))}")
    protocol = study.protocols[scale].for_model(name)
    symbols = symbols or study.corpora[protocol.corpus].symbols
    if symbols is None:
        raise ActreproError(
            f"scale '{scale}': its corpus '{protocol.corpus}' does not declare its number of "
            "symbols; pass symbols="
        )
    return build_from_protocol(name, protocol, activation, symbols, seed=seed)


def build_from_protocol(
    name: str,
    protocol: Protocol,
    activation: str | Activation,
    symbols: int,
    *,
    seed: int | None = None,
    custom_models: Mapping[str, str] | None = None,
) -> nn.Module:
    """Build a model with a protocol's sizes; with `seed`, torch's global state is unchanged."""
    if isinstance(activation, str):
        activation = get_activation(activation)
    spec = ModelSpec(
        layers=protocol.layers,
        width=protocol.width,
        heads=protocol.heads,
        context=protocol.context,
        dropout=protocol.dropout,
        symbols=symbols,
        activation=activation,
    )
    build = _builder(name, (custom_models or {}).get(name))
    if seed is None:
        return build(spec)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(spec)


def _builder(name: str, custom: str | None) -> Builder:
    path = custom or (name if "." in name else f"actrepro.models.zoo.{name}")
    if path == f"actrepro.models.zoo.{name}" and name not in model_names():
        raise ActreproError(f"model '{name}' is not known{nearest(name, model_names())}")
    try:
        module = importlib.import_module(path)
    except ImportError as error:
        raise ActreproError(
            f"model '{name}': cannot import {path} ({error}); custom_models takes the dotted path "
            "of a module that Python finds, for example from PYTHONPATH"
        ) from None
    if not hasattr(module, "build"):
        raise ActreproError(f"model '{name}': {path} has no function build(spec)")
    return cast(Builder, module.build)
