"""Asking a model questions that its gates rest on: what is called, what depends on what.

Nothing here knows a model's inside; each probe leaves torch's random state as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from actrepro.models import Activated

Make = Callable[[], nn.Module]
Finding = dict[str, Any]

# Opens branches that start at zero; small enough to keep a deep model's logits finite.
NOISE = 0.05
CUTS = 6
ROWS = 3
# Functions of single elements, by torch's names for them. Powers, roots, exponentials and
# logarithms are not among them: norms and softmaxes are made of those.
_ELEMENTWISE = """
abs atan arctan ceil celu clamp clamp_max clamp_min clip cos elu erf erfc floor fmax fmin ge gelu
glu gt hardshrink hardsigmoid hardswish hardtanh heaviside le leaky_relu logit logsigmoid lt max
maximum min minimum mish prelu relu relu6 round rrelu selu sigmoid sign silu sin sinc softplus
softshrink softsign tanh tanhshrink threshold trunc
"""
NONLINEARITIES = frozenset(_ELEMENTWISE.split())
SYNONYMS = {"log_sigmoid": "logsigmoid", "special_expit": "sigmoid"}
# Of one tensor they are a reduction, as in a softmax.
OF_TWO = ("max", "min")


@dataclass
class Recorder:
    """A function that counts its calls; one call's output can be replaced."""

    function: Callable[..., Tensor]
    altered: int | None = None
    count: int = 0
    depth: int = 0

    def __call__(self, *parts: Tensor) -> Tensor:
        call, self.count = self.count, self.count + 1
        self.depth += 1
        try:
            out = self.function(*parts)
        finally:
            self.depth -= 1
        return 1 - out if call == self.altered else out


def uncompiled() -> AbstractContextManager[Any]:
    """Run what `torch.compile` compiled as it was written, where a model uses it."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def mirrored(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Another activation of the same kind, far from the first wherever that is not ½."""
    return lambda *parts: 1 - function(*parts)


def altered_logits(recorder: Recorder, call: int, logits: Forward, codes: Tensor) -> Tensor:
    """The logits with one call's output replaced."""
    recorder.count, recorder.altered = 0, call
    try:
        return logits(codes)
    finally:
        recorder.altered = None


def recorders_of_layers(model: nn.Module) -> dict[str, Recorder]:
    """Give each `Activated` layer a recorder of its own, around the function it holds."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, Activated):
            found[name] = Recorder(module.activation.function)
            module.activation = replace(module.activation, function=found[name])
    return found


def census_of(
    model: nn.Module, recorder: Recorder, codes: Tensor, training: bool
) -> tuple[int, set[str]]:
    """Calls of the recorded activation in a forward pass, and nonlinearities outside it."""
    logits = Forward(model, training, traced=True)
    recorder.count = 0
    census = _Census(recorder)
    with census:
        logits(codes)
    return recorder.count, census.found


class _Census(TorchFunctionMode):
    """Notes which nonlinearities torch is asked for, by whichever of its names for them.

    Only those of tensors that autograd traces back to a parameter count: masks,
    positions and a gate's own parameter are no activations.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.found: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [value for value in chain(args, kwargs.values()) if isinstance(value, Tensor)]
        name = _operation(func)
        if (
            not self.recorder.depth
            and name in NONLINEARITIES
            and any(tensor.grad_fn is not None for tensor in tensors)
            and not (name in OF_TWO and len(tensors) < 2)
        ):
            self.found.add(name)
        return func(*args, **kwargs)


def _operation(function: Any) -> str:
    """An operation's name, the same for a function, a method, in place or of `torch.ops`."""
    name = str(getattr(function, "__name__", "")).split(".")[0].strip("_")
    return SYNONYMS.get(name, name.removeprefix("special_"))


def declared_nonlinearities(model: nn.Module) -> set[str]:
    names = getattr(model, "fixed_nonlinearities", ())
    return {names} if isinstance(names, str) else set(names)


@dataclass
class Forward:
    """A model asked again and again in one mode, training always with the same dropout."""

    model: nn.Module
    training: bool
    traced: bool = False

    def __call__(self, codes: Tensor) -> Tensor:
        """Logits `[batch, time, symbols]`.

        Training's running statistics are undone. What evaluation leaves behind
        is not: it would change the next logits, and should be found.
        """
        self.model.train(self.training)
        buffers = dict(self.model.named_buffers()) if self.training else {}
        kept = {name: buffer.clone() for name, buffer in buffers.items()}
        with keeping_randomness(codes.device), torch.set_grad_enabled(self.traced):
            torch.manual_seed(0)
            logits: Tensor = self.model(codes)
        with torch.no_grad():
            for name in kept:
                if not torch.equal(buffers[name], kept[name]):
                    buffers[name].copy_(kept[name])
        return logits


def first_finding(
    make: Make, codes: Tensor, leak: Callable[[Forward, Tensor], Finding | None]
) -> Finding | None:
    """The first leak in either mode and weights, or what makes one impossible to tell."""
    for weights in ("initial", "with noise"):
        model = make() if weights == "initial" else add_noise(make())
        for mode in ("evaluation", "training"):
            logits = Forward(model, training=mode == "training")
            before = logits(codes)
            found = leak(logits, before)
            if weights == "initial" and not before.isfinite().all():
                found = {"found": "the logits are not numbers"}
            elif found and not same(before, logits(codes)):
                found = {"found": "the same codes twice gave other logits"}
            if found:
                return {**found, "mode": mode, "weights": weights}
    return None


def _differences(one: Tensor, other: Tensor) -> Tensor:
    """Where two tensors differ; a number that is none in both does not."""
    return (one != other) & ~(one.isnan() & other.isnan())


def same(one: Tensor, other: Tensor) -> bool:
    return not bool(_differences(one, other).any())


def first_change(before: Tensor, after: Tensor) -> Finding | None:
    """The first position whose logits differ, and by how much any does at most."""
    different = _differences(before, after)
    if not different.any():
        return None
    gaps = (before - after)[different].abs()
    finite = gaps[gaps.isfinite()]
    return {
        "position": int(different.any(dim=2).any(dim=0).nonzero()[0]),
        "largest_change": float(finite.max()) if len(finite) else None,
    }


def cut_positions(context: int) -> list[int]:
    """At most six places from 1 to context − 1, both among them, evenly spaced."""
    return sorted({round(float(cut)) for cut in np.linspace(1, context - 1, CUTS)})


def random_codes(context: int, symbols: int) -> Tensor:
    """Codes `[3, context]`, always the same."""
    return torch.from_numpy(np.random.default_rng(0).integers(symbols, size=(ROWS, context)))


def other_codes(codes: Tensor, symbols: int) -> Tensor:
    """Each code replaced by another one."""
    steps = np.random.default_rng(1).integers(1, symbols, size=tuple(codes.shape))
    return (codes + torch.from_numpy(steps).to(codes.device)) % symbols


@torch.no_grad()
def add_noise(model: nn.Module) -> nn.Module:
    """Add N(0, 0.05) to every parameter, in place, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for parameter in filter(torch.is_floating_point, model.parameters()):
            parameter.add_(NOISE * torch.randn(parameter.shape).to(parameter))
    return model


@contextmanager
def keeping_randomness(device: torch.device) -> Iterator[None]:
    """Leave torch's random state, and the device's, as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
