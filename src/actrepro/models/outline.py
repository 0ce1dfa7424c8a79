"""What a model is made of, seen from outside: its modules in the order of a forward pass.

Nothing here knows a model's inside, so a user's own is described like a built-in one.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from actrepro.models import Activated, count_parameters
from actrepro.models.activations import Activation
from actrepro.models.probing import uncompiled

Node = dict[str, Any]

# Boxes within boxes: a block shows its attention and its MLP.
LEVELS = 2
# They only hold others, whose names begin with theirs.
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# Regularisation and placeholders, which a protocol sets and no picture needs.
LEFT_OUT = (nn.Dropout, nn.Identity)
NUMBERED = re.compile(r"(?<=.)[._]?\d+$")


def outline(
    build: Callable[[Activation], nn.Module], activation: Activation, codes: Tensor
) -> list[Node]:
    """A model's parts in the order in which a forward pass first enters them.

    Parameters
    ----------
    build
        Makes the model with an activation.
    codes
        `[batch, time]`, integers, on the model's device.

    Returns
    -------
    list of dict
        `name` in the module tree, `kind` (its class; for a layer with its activation, the
        layer's), `parameters` (trainable numbers of one), `repeats` (equal parts one after
        another), `calls` (how often one pass enters each), `activation` (whether the one
        under study is called inside), and `children`, the same one level down. Where a
        part calls the activation between its own, that is a node of kind `activation`.
    """
    trace = _Trace(activation)
    model = build(trace.activation)
    trace.watch(model)
    with uncompiled():
        model(codes)
    while len(parts := list(_parts(model))) == 1 and trace.shown(parts[0][1]):
        [(_, model)] = parts
    return trace.nodes(model, LEVELS)


class _Trace:
    """Notes what one forward pass enters, and from where it calls the activation."""

    def __init__(self, activation: Activation) -> None:
        self.activation = replace(activation, function=self._called)
        self.function = activation.function
        self.clock = itertools.count()
        self.entered: dict[nn.Module, int] = {}
        self.calls: Counter[nn.Module] = Counter()
        self.inside: list[nn.Module] = []
        self.activated: set[nn.Module] = set()
        self.calling: dict[nn.Module, int] = {}

    def watch(self, model: nn.Module) -> None:
        for module in model.modules():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave)

    def _enter(self, module: nn.Module, _: Any) -> None:
        self.entered.setdefault(module, next(self.clock))
        self.calls[module] += 1
        self.inside.append(module)

    def _leave(self, module: nn.Module, _: Any, out: Any) -> None:
        self.inside.pop()

    def _called(self, *parts: Tensor) -> Tensor:
        self.activated.update(self.inside)
        if self.inside:
            self.calling.setdefault(self.inside[-1], next(self.clock))
        return self.function(*parts)

    def shown(self, module: nn.Module) -> bool:
        """Whether there is anything to see inside a module."""
        return not isinstance(module, Activated) and len(self.nodes(module, 1)) > 1

    def nodes(self, module: nn.Module, levels: int) -> list[Node]:
        """What a module is made of, so many levels deep."""
        placed = list(self._placed(module, levels))
        if module in self.calling:
            placed.append((self.calling[module], _activation_node(self.activation.name)))
        return _merged([node for _, node in sorted(placed, key=lambda pair: pair[0])])

    def _placed(self, module: nn.Module, levels: int) -> Iterator[tuple[int, Node]]:
        """Parts with when they were entered; one that never was follows what is declared before."""
        place = -1
        for name, part in _parts(module):
            idle = part not in self.entered and not count_parameters(part)
            if idle or isinstance(part, LEFT_OUT):
                continue
            place = self.entered.get(part, place)
            yield place, self._node(name, part, self.calls[module], levels)

    def _node(self, name: str, module: nn.Module, passes: int, levels: int) -> Node:
        kind = module.layer if isinstance(module, Activated) else module
        inner = levels > 1 and self.shown(module)
        return {
            "name": name,
            "kind": type(kind).__name__,
            "parameters": count_parameters(module),
            "repeats": 1,
            "calls": self.calls[module] // max(1, passes),
            "activation": module in self.activated,
            "children": self.nodes(module, levels - 1) if inner else [],
        }


def _parts(module: nn.Module, before: str = "") -> Iterator[tuple[str, nn.Module]]:
    """A module's children by name, with those of containers in the place of these."""
    for name, child in module.named_children():
        if type(child) in CONTAINERS:
            yield from _parts(child, f"{before}{name}.")
        else:
            yield f"{before}{name}", child


def _activation_node(name: str) -> Node:
    return {
        "name": name,
        "kind": "activation",
        "parameters": 0,
        "repeats": 1,
        "calls": 1,
        "activation": True,
        "children": [],
    }


def _merged(nodes: list[Node]) -> list[Node]:
    """Equal neighbours whose names differ in a number only, as one with `repeats`."""
    merged: list[Node] = []
    for node in nodes:
        if merged and _alike(merged[-1], node):
            merged[-1]["repeats"] += 1
        else:
            merged.append(dict(node))
    stems = Counter(_stem(node) for node in merged)
    for node in merged:
        if stems[_stem(node)] == 1:
            node["name"] = _stem(node)
    return merged


def _alike(one: Node, other: Node) -> bool:
    same = ("kind", "parameters", "calls", "activation", "children")
    return _stem(one) == _stem(other) and all(one[key] == other[key] for key in same)


def _stem(node: Node) -> str:
    """A part's name without its number; what does not end in one is its own."""
    return NUMBERED.sub("", str(node["name"]))
