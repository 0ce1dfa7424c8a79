"""Gates before training: what a fresh model must show before its runs mean anything.

Each gate builds its own models and asks nothing of their inside, so a user's own
model passes through the same gates. What a gate measures is in its docstring;
none stops a run (see `actrepro.gate`).
"""

from __future__ import annotations

import logging
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from actrepro import streams
from actrepro.activations import Activation, get_activation
from actrepro.checkpoints import copy_weights, hash_weights
from actrepro.config import RunConfig
from actrepro.corpus import Corpus, load_corpus
from actrepro.errors import ActreproError
from actrepro.files import write_json
from actrepro.gate import BEFORE, Outcome, failed
from actrepro.models import Activated, build_from_protocol
from actrepro.training import fixed_windows, mean_loss, prepare_torch, train

LOG = logging.getLogger("actrepro")

Build = Callable[[Activation], nn.Module]
Make = Callable[[], nn.Module]
Finding = dict[str, Any]

ROWS = 3
CUTS = 6
# Opens branches that start at zero; small enough to keep a deep model's logits finite.
NOISE = 0.05
STEPS = 3
SEQUENCES = 2
WINDOWS = 4
# Nats. What was measured is in `initial_loss`.
INITIAL_LOSS = 0.5

CONTRACT = (
    "a model's build(spec) must return a module that takes codes [batch, time], integers below "
    "spec.symbols with time up to spec.context, and gives logits [batch, time, spec.symbols]"
)
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
TORCH = Path(torch.__file__).parent
# Of one tensor they are a reduction, as in a softmax.
OF_TWO = ("max", "min")


def check_model(
    requests: Sequence[RunConfig], corpus_path: Path, output: Path, threads: int
) -> None:
    """Hold one model at one scale, under each activation, against every gate.

    Parameters
    ----------
    requests
        One run per activation of the same scale and model.
    corpus_path
        The scale's corpus.
    output
        JSON: scale, model, and under `activations` each gate's outcome.

    Raises
    ------
    ActreproError
        When the model cannot be built or run, or gives no logits.
    """
    device = prepare_torch(requests[0].device, threads)
    corpus = load_corpus(corpus_path)
    found = {
        request.activation: {
            gate: outcome.as_json()
            for gate, outcome in check_activation(request, corpus, device).items()
        }
        for request in requests
    }
    write_json(
        output, {"scale": requests[0].scale, "model": requests[0].model, "activations": found}
    )


def check_activation(
    request: RunConfig, corpus: Corpus, device: torch.device
) -> dict[str, Outcome]:
    """Every gate's outcome for one activation, in the order of `gate.BEFORE`.

    Leaves torch's random state as it was.
    """
    symbols = len(corpus.symbols)
    activation = get_activation(request.activation)

    def build(activation: Activation) -> nn.Module:
        return _build(request, symbols, activation).to(device)

    def make() -> nn.Module:
        return build(activation)

    codes = random_codes(request.protocol.context, symbols).to(device)
    windows = _windows(request, corpus).to(device)
    with _explaining(request), _keeping_randomness(device):
        _require_logits(request, make, codes, symbols)
        found = {
            "wired": wired(build, activation, codes[:2]),
            "causal": causal(make, codes[:2], symbols),
            "rows": rows(make, codes, symbols),
            "repeatable": repeatable(request, corpus, device),
            "initial_loss": initial_loss(make, windows, symbols),
        }
    outcomes = {gate: found[gate] for gate in BEFORE}
    _log(request, outcomes)
    return outcomes


def wired(build: Build, activation: Activation, codes: Tensor) -> Outcome:
    """Whether the activation under study, and no other, shapes the output.

    The model is built around a recorder of the activation's calls, with noise on
    its weights so that a branch that starts at zero counts too. Required is that

    - the activation is called, in evaluation and in training;
    - replacing the output of any single call changes the logits;
    - another activation in its place changes them;
    - each `Activated` layer calls it;
    - no other element-wise nonlinearity acts on what follows from the weights.
      torch's recurrent layers, norms, softmax, attention and dropout are not
      looked into, nor is what `torch.jit` compiled; `torch.compile` is undone.

    A model that has other nonlinearities by design declares them by torch's
    names, `fixed_nonlinearities = ("sigmoid",)`, on the module that `build` returns.
    """
    recorder = _Recorder(activation.function)
    model = add_noise(build(replace(activation, function=recorder)))
    other = add_noise(build(replace(activation, function=_mirrored(activation.function))))
    layers = _recorders_of_layers(model)
    logits = _Forward(model, training=False)
    with _uncompiled():
        before = logits(codes)
        calls, found = _census(model, recorder, codes, training=False)
        calls_in_training, found_in_training = _census(model, recorder, codes, training=True)
        ignored = [
            call for call in range(calls) if _same(before, _altered(recorder, call, logits, codes))
        ]
        changes = not _same(before, _Forward(other, training=False)(codes))
    idle = [name for name, own in layers.items() if own.function is not recorder or not own.count]
    declared = _declared(model)
    others = sorted((found | found_in_training) - declared)
    return Outcome(
        passed=min(calls, calls_in_training) > 0 and changes and not (ignored or idle or others),
        measured={
            "calls": calls,
            "calls_in_training": calls_in_training,
            "calls_without_effect": ignored,
            "output_changes": changes,
            "idle_layers": idle,
            "other_nonlinearities": others,
            "declared_nonlinearities": sorted(declared),
        },
        bound="the activation is called, each call's output and another activation change the "
        "logits, and no other nonlinearity acts (a model that has one by design names it: "
        'fixed_nonlinearities = ("sigmoid",) on the module that build returns)',
    )


def causal(make: Make, codes: Tensor, symbols: int) -> Outcome:
    """Whether logits depend on the present and the past alone, to the bit.

    At each cut all codes `[batch, time]` from there on are changed; the logits
    before it must keep every bit: in evaluation and, at the first and last cut
    and with the same dropout, in training; with the initial weights and with
    noise on them.
    """
    cuts = cut_positions(codes.shape[1])
    others = other_codes(codes, symbols)

    def leak(logits: _Forward, before: Tensor) -> Finding | None:
        for cut in (cuts[0], cuts[-1]) if logits.training else cuts:
            after = logits(torch.cat([codes[:, :cut], others[:, cut:]], dim=1))
            change = _change(before[:, :cut], after[:, :cut])
            if change:
                return {"cut": cut, **change}
        return None

    found = _first_finding(make, codes, leak)
    return Outcome(
        passed=found is None,
        measured={"cuts": len(cuts), "leak": found},
        bound="logits are numbers, and those before a cut keep every bit when all later codes "
        "change, in evaluation and in training, with initial weights and with noise on them",
    )


def rows(make: Make, codes: Tensor, symbols: int) -> Outcome:
    """Whether a sequence's logits depend on the other sequences of its batch, to the bit.

    All rows of `codes` are changed but the middle one, which has neighbours on
    both sides; modes and weights are those of `causal`.
    """
    row = len(codes) // 2
    others = other_codes(codes, symbols)
    others[row] = codes[row]

    def leak(logits: _Forward, before: Tensor) -> Finding | None:
        return _change(before[row : row + 1], logits(others)[row : row + 1])

    found = _first_finding(make, codes, leak)
    return Outcome(
        passed=found is None,
        measured={"rows": len(codes), "leak": found},
        bound="a row's logits keep every bit when all other rows change, in evaluation and in "
        "training, with initial weights and with noise on them",
    )


def repeatable(request: RunConfig, corpus: Corpus, device: torch.device) -> Outcome:
    """A/A: whether a few steps of real training twice end in the same bytes.

    Another seed must start from other weights and end in others: a model that
    seeds itself would make all seeds' runs alike. Hashes are given by their first
    12 characters.
    """
    short = request.protocol.model_copy(
        update={
            "iterations": STEPS,
            "batch": min(request.protocol.batch, SEQUENCES),
            "evaluate_every": STEPS,
            "history_windows": 1,
        }
    )
    seeds = (request.seed, request.seed, request.seed + 1)
    requests = [request.model_copy(update={"protocol": short, "seed": seed}) for seed in seeds]
    with _keeping_randomness(device), _quiet():
        starts = [
            hash_weights(copy_weights(_build(one, len(corpus.symbols), one.activation)))
            for one in requests[1:]
        ]
        ends = [hash_weights(train(one, corpus, device).checkpoint.final) for one in requests]
    return Outcome(
        passed=ends[0] == ends[1] and ends[1] != ends[2] and starts[0] != starts[1],
        measured={
            "first": ends[0][:12],
            "again": ends[1][:12],
            "another_seed": ends[2][:12],
            "another_seeds_initial_weights_differ": starts[0] != starts[1],
        },
        bound=f"{STEPS} steps of training twice end in the same weights; another seed starts from "
        "others and ends in others",
    )


def initial_loss(make: Make, windows: Tensor, symbols: int) -> Outcome:
    """Whether an untrained model's mean loss is near ln(symbols), that of a uniform guess.

    Logits that know nothing cost about half their variance: small normal weights
    N(0, 0.02) in the head give 0.02²·width/2 nats, torch's own 0.17. The six
    models lie within 0.1 nats at quick and cpu and about 0.15 at full, so a
    bound of 0.5, a standard deviation of 1, leaves room for widths beyond 2,000.
    An embedding N(0, 1) that is also the head costs tens of nats.
    """
    loss = mean_loss(make(), windows, len(windows))
    uniform = math.log(symbols)
    return Outcome(
        passed=abs(loss - uniform) <= INITIAL_LOSS,
        measured={"loss": loss if math.isfinite(loss) else None, "ln_symbols": uniform},
        bound=f"within {INITIAL_LOSS} nats of ln(symbols)",
    )


@dataclass
class _Recorder:
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


def _uncompiled() -> AbstractContextManager[Any]:
    """Run what `torch.compile` compiled as it was written, where a model uses it."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _mirrored(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Another activation of the same kind, far from the first wherever that is not ½."""
    return lambda *parts: 1 - function(*parts)


def _altered(recorder: _Recorder, call: int, logits: _Forward, codes: Tensor) -> Tensor:
    """The logits with one call's output replaced."""
    recorder.count, recorder.altered = 0, call
    try:
        return logits(codes)
    finally:
        recorder.altered = None


def _recorders_of_layers(model: nn.Module) -> dict[str, _Recorder]:
    """Give each `Activated` layer a recorder of its own, around the function it holds."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, Activated):
            found[name] = _Recorder(module.activation.function)
            module.activation = replace(module.activation, function=found[name])
    return found


def _census(
    model: nn.Module, recorder: _Recorder, codes: Tensor, training: bool
) -> tuple[int, set[str]]:
    """Calls of the recorded activation in a forward pass, and nonlinearities outside it."""
    logits = _Forward(model, training, traced=True)
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

    def __init__(self, recorder: _Recorder) -> None:
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


def _declared(model: nn.Module) -> set[str]:
    names = getattr(model, "fixed_nonlinearities", ())
    return {names} if isinstance(names, str) else set(names)


@dataclass
class _Forward:
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
        with _keeping_randomness(codes.device), torch.set_grad_enabled(self.traced):
            torch.manual_seed(0)
            logits: Tensor = self.model(codes)
        with torch.no_grad():
            for name in kept:
                if not torch.equal(buffers[name], kept[name]):
                    buffers[name].copy_(kept[name])
        return logits


def _first_finding(
    make: Make, codes: Tensor, leak: Callable[[_Forward, Tensor], Finding | None]
) -> Finding | None:
    """The first leak in either mode and weights, or what makes one impossible to tell."""
    for weights in ("initial", "with noise"):
        model = make() if weights == "initial" else add_noise(make())
        for mode in ("evaluation", "training"):
            logits = _Forward(model, training=mode == "training")
            before = logits(codes)
            found = leak(logits, before)
            if weights == "initial" and not before.isfinite().all():
                found = {"found": "the logits are not numbers"}
            elif found and not _same(before, logits(codes)):
                found = {"found": "the same codes twice gave other logits"}
            if found:
                return {**found, "mode": mode, "weights": weights}
    return None


def _differences(one: Tensor, other: Tensor) -> Tensor:
    """Where two tensors differ; a number that is none in both does not."""
    return (one != other) & ~(one.isnan() & other.isnan())


def _same(one: Tensor, other: Tensor) -> bool:
    return not bool(_differences(one, other).any())


def _change(before: Tensor, after: Tensor) -> Finding | None:
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


def _build(request: RunConfig, symbols: int, activation: str | Activation) -> nn.Module:
    """The request's model as training builds it."""
    return build_from_protocol(
        request.model,
        request.protocol,
        activation,
        symbols,
        seed=streams.stream_seed(request.seed, streams.INITIALISATION),
        custom_models=request.custom_models,
    )


def _windows(request: RunConfig, corpus: Corpus) -> Tensor:
    few = request.protocol.model_copy(update={"history_windows": WINDOWS})
    return fixed_windows(corpus.train, few)


def _require_logits(request: RunConfig, make: Make, codes: Tensor, symbols: int) -> None:
    logits: Any = _Forward(make(), training=False)(codes)
    expected = (*codes.shape, symbols)
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else None
    if shape != expected:
        found = f"a tensor of shape {shape}" if shape is not None else type(logits).__name__
        raise ActreproError(
            f"{_cell(request)}: for codes of shape {tuple(codes.shape)} the model gave {found} "
            f"where logits of shape {expected} were expected; {CONTRACT}"
        )


@contextmanager
def _explaining(request: RunConfig) -> Iterator[None]:
    """Say of a model that cannot be built or run which it is, what it raised, and where."""
    try:
        yield
    except (ActreproError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise ActreproError(
            f"{_cell(request)}: building or running the model raised {type(error).__name__}: "
            f"{error} ({_place(error)}); {CONTRACT}"
        ) from error


def _place(error: Exception) -> str:
    """File and line of the innermost call that is not torch's own."""
    calls = traceback.extract_tb(error.__traceback__)
    own = [call for call in calls if not Path(call.filename).is_relative_to(TORCH)]
    return f"{own[-1].filename}, line {own[-1].lineno}"


@contextmanager
def _keeping_randomness(device: torch.device) -> Iterator[None]:
    """Leave torch's random state, and the device's, as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress of a trial's few steps out of the log."""
    level = LOG.level
    LOG.setLevel(logging.ERROR)
    try:
        yield
    finally:
        LOG.setLevel(level)


def _cell(request: RunConfig) -> str:
    return f"{request.scale}/{request.model}/{request.activation}"


def _log(request: RunConfig, outcomes: dict[str, Outcome]) -> None:
    wrong = failed({gate: outcome.as_json() for gate, outcome in outcomes.items()})
    LOG.info("%s: %d of %d gates passed", _cell(request), len(outcomes) - len(wrong), len(outcomes))
    for gate in wrong:
        LOG.warning(
            "%s: gate '%s' failed: found %s; expected: %s",
            _cell(request),
            gate,
            outcomes[gate].measured,
            outcomes[gate].bound,
        )
