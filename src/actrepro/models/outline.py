"""Outline of a model, seen from outside: its modules in the order of a forward pass.

No model needs to cooperate, so a user's own is described like a built-in one.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from actrepro.core.model_cards import Node
from actrepro.models import Activated, count_parameters
from actrepro.models.activations import Activation
from actrepro.models.probing import uncompiled

# Boxes within boxes: a block shows its attention and its MLP.
LEVELS = 2
# They only hold other modules, whose names begin with theirs.
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# Regularisation and placeholders, which a protocol sets and no picture needs.
LEFT_OUT = (nn.Dropout, nn.Identity)
NUMBERED = re.compile(r"(?<=.)[._]?\d+$")


def outline(
    build: Callable[[Activation], nn.Module], activation: Activation, codes: Tensor
) -> list[Node]:
    """List a model's parts in the order in which a forward pass first enters them.

    Parameters
    ----------
    build
        Builds the model with an activation.
    codes
        `[batch, time]` integers, on the model's device.

    Returns
    -------
    list of dict
        `name` in the module tree, `kind` (its class; for a layer with its activation, the
        layer's), `parameters` (trainable numbers of one), `repeats` (number of equal parts in
        a row), `calls` (number of times that one pass enters each), `activation` (whether the
        one under study is called inside), and `children`, the same one level down. Where a
        part calls the activation between its children, the call is a node of kind `activation`.
    """
    trace = _Trace(activation)
    model = build(trace.activation)
    trace.watch(model)
    with uncompiled():
        model(codes)
    # A wrapper around a single part is replaced by the part.
    while len(parts := list(_parts(model))) == 1 and trace.shown(parts[0][1]):
        [(_, model)] = parts
    return trace.nodes(model, LEVELS)


class _Trace:
    """Records the modules that one forward pass enters, and those that call the activation."""

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
        """Check whether a module has more than one part to show."""
        return not isinstance(module, Activated) and len(self.nodes(module, 1)) > 1

    def nodes(self, module: nn.Module, levels: int) -> list[Node]:
        """Return a module's parts, down to a number of levels."""
        placed = list(self._placed(module, levels))
        if module in self.calling:
            placed.append((self.calling[module], _activation_node(self.activation.name)))
        return _merged([node for _, node in sorted(placed, key=lambda pair: pair[0])])

    def _placed(self, module: nn.Module, levels: int) -> Iterator[tuple[int, Node]]:
        """Yield parts with the time when they were entered.

        A part that was never entered, such as one whose weights are used directly, follows the
        part declared before it.
        """
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
    """Yield a module's children by name, with the children of containers in their place."""
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
    """Merge equal neighbours whose names differ only in a number into one with `repeats`."""
    merged: list[Node] = []
    for node in nodes:
        if merged and _alike(merged[-1], node):
            merged[-1]["repeats"] += 1
        else:
            merged.append(node.copy())
    stems = Counter(_stem(node) for node in merged)
    for node in merged:
        if stems[_stem(node)] == 1:
            node["name"] = _stem(node)
    return merged


def _alike(a: Node, b: Node) -> bool:
    but_names = [{**node, "name": _stem(node), "repeats": 1} for node in (a, b)]
    return but_names[0] == but_names[1]


def _stem(node: Node) -> str:
    """Return a part's name without the number at its end."""
    return NUMBERED.sub("", node["name"])
