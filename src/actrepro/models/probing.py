"""Probes of a model for its gates: which functions it calls, and which logits depend on what.

No model needs to cooperate; each probe leaves torch's random state unchanged.
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

# Standard deviation. It opens branches that start at zero, whose leaks would stay hidden; it is
# small enough to keep a deep model's logits finite.
NOISE = 0.05
CUTS = 6
ROWS = 3
# Element-wise functions, by torch's names. Powers, roots, exponentials and logarithms are
# excluded: norms and softmaxes are made of those.
_ELEMENTWISE = """
abs atan arctan ceil celu clamp clamp_max clamp_min clip cos elu erf erfc floor fmax fmin ge gelu
glu gt hardshrink hardsigmoid hardswish hardtanh heaviside le leaky_relu logit logsigmoid lt max
maximum min minimum mish prelu relu relu6 round rrelu selu sigmoid sign silu sin sinc softplus
softshrink softsign tanh tanhshrink threshold trunc
"""
NONLINEARITIES = frozenset(_ELEMENTWISE.split())
SYNONYMS = {"log_sigmoid": "logsigmoid", "special_expit": "sigmoid"}
# Of two tensors these are element-wise; of one they are a reduction, as in a softmax.
OF_TWO = ("max", "min")


@dataclass
class Recorder:
    """A function that counts its calls and can replace the output of one.

    `depth` is above 0 during a call, so that a census can skip operations inside the function.
    """

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
    """Run compiled parts of a model eagerly, as they were written."""
    # Importing torch's compiler is slow; while it is not loaded, nothing is compiled.
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def mirrored(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return another activation of the same kind, which differs wherever the first is not ½."""
    return lambda *parts: 1 - function(*parts)


def altered_logits(recorder: Recorder, call: int, logits: Forward, codes: Tensor) -> Tensor:
    """Compute the logits with the output of one call replaced."""
    recorder.count, recorder.altered = 0, call
    try:
        return logits(codes)
    finally:
        recorder.altered = None


def recorders_of_layers(model: nn.Module) -> dict[str, Recorder]:
    """Wrap the function of each `Activated` layer in a recorder of its own."""
    recorders = {}
    for name, module in model.named_modules():
        if isinstance(module, Activated):
            recorders[name] = Recorder(module.activation.function)
            module.activation = replace(module.activation, function=recorders[name])
    return recorders


def census_of(
    model: nn.Module, recorder: Recorder, codes: Tensor, training: bool
) -> tuple[int, set[str]]:
    """Count calls of the recorded activation in a forward pass; name nonlinearities outside it."""
    logits = Forward(model, training, traced=True)
    recorder.count = 0
    census = _Census(recorder)
    with census:
        logits(codes)
    return recorder.count, census.nonlinearities


class _Census(TorchFunctionMode):
    """Collects the nonlinearities that torch is called for, under any of their names.

    Only functions of tensors that autograd traces back to a parameter count: masks,
    positions and a parameter by itself (such as a gate's) are not activated.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.nonlinearities: set[str] = set()

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
            self.nonlinearities.add(name)
        return func(*args, **kwargs)


def _operation(function: Any) -> str:
    """Return an operation's name, the same for a function, a method, in place or `torch.ops`."""
    name = str(getattr(function, "__name__", "")).split(".")[0].strip("_")
    return SYNONYMS.get(name, name.removeprefix("special_"))


def declared_nonlinearities(model: nn.Module) -> set[str]:
    """Return the nonlinearities that a model declares as `fixed_nonlinearities`."""
    names = getattr(model, "fixed_nonlinearities", ())
    return {names} if isinstance(names, str) else set(names)


@dataclass
class Forward:
    """Repeatable forward passes of a model in one mode; training always drops the same."""

    model: nn.Module
    training: bool
    traced: bool = False

    def __call__(self, codes: Tensor) -> Tensor:
        """Compute logits `[batch, time, symbols]`.

        In training mode, running statistics are restored afterwards. Changes that
        evaluation makes are kept: they would alter the next logits, which is a fault.
        """
        self.model.train(self.training)
        buffers = dict(self.model.named_buffers()) if self.training else {}
        before = {name: buffer.clone() for name, buffer in buffers.items()}
        with keeping_randomness(codes.device), torch.set_grad_enabled(self.traced):
            torch.manual_seed(0)
            logits: Tensor = self.model(codes)
        with torch.no_grad():
            for name in before:
                if not torch.equal(buffers[name], before[name]):
                    buffers[name].copy_(before[name])
        return logits


def first_finding(
    make: Make, codes: Tensor, leak: Callable[[Forward, Tensor], Finding | None]
) -> Finding | None:
    """Return the first leak in any mode and weights, or the reason why none can be detected."""
    for weights in ("initial", "with noise"):
        model = make() if weights == "initial" else add_noise(make())
        for mode in ("evaluation", "training"):
            logits = Forward(model, training=mode == "training")
            before = logits(codes)
            finding = leak(logits, before)
            if weights == "initial" and not before.isfinite().all():
                finding = {"found": "the logits are not numbers"}
            # A model that is not repeatable changes its logits without any leak.
            elif finding and not same(before, logits(codes)):
                finding = {"found": "the same codes twice gave other logits"}
            if finding:
                return {**finding, "mode": mode, "weights": weights}
    return None


def _differences(a: Tensor, b: Tensor) -> Tensor:
    """Return a mask of the elements where two tensors differ; NaN equals NaN."""
    return (a != b) & ~(a.isnan() & b.isnan())


def same(a: Tensor, b: Tensor) -> bool:
    """Check whether two tensors are equal; NaN equals NaN."""
    return not bool(_differences(a, b).any())


def first_change(before: Tensor, after: Tensor) -> Finding | None:
    """Return the first position whose logits differ, and the largest difference anywhere."""
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
    """Return at most six positions from 1 to context − 1, both included, evenly spaced."""
    return sorted({round(float(cut)) for cut in np.linspace(1, context - 1, CUTS)})


def random_codes(context: int, symbols: int) -> Tensor:
    """Draw codes `[3, context]`, always the same."""
    return torch.from_numpy(np.random.default_rng(0).integers(symbols, size=(ROWS, context)))


def other_codes(codes: Tensor, symbols: int) -> Tensor:
    """Replace each code by a different one."""
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
    """Restore torch's random state, and the device's, when the block ends."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
