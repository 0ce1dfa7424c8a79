"""Gates before training: conditions that a fresh model must meet.

Each gate builds its models and treats them as functions of codes, so custom models pass through
the same gates. No gate stops a run (see `actrepro.gates.outcome`).
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from actrepro.config.study import RunConfig
from actrepro.core import seeds as streams
from actrepro.core.errors import ActreproError
from actrepro.core.files import write_json
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.gates.outcome import BEFORE, Outcome, failed
from actrepro.gates.shapes import GatesBefore
from actrepro.models import build_from_protocol
from actrepro.models.activations import Activation, get_activation
from actrepro.models.probing import (
    Finding,
    Forward,
    Make,
    Recorder,
    add_noise,
    altered_logits,
    census_of,
    cut_positions,
    declared_nonlinearities,
    first_change,
    first_finding,
    keeping_randomness,
    mirrored,
    other_codes,
    random_codes,
    recorders_of_layers,
    same,
    uncompiled,
)
from actrepro.train.checkpoints import copy_weights, hash_weights
from actrepro.train.devices import prepare_torch
from actrepro.train.loop import fixed_windows, mean_loss, train

LOG = logging.getLogger("actrepro")

Build = Callable[[Activation], nn.Module]

STEPS = 3
SEQUENCES = 2
WINDOWS = 4
# In nats; the docstring of `initial_loss` has the measured values.
INITIAL_LOSS = 0.5

TORCH = Path(torch.__file__).parent

CONTRACT = (
    "a model's build(spec) must return a module that takes codes [batch, time], integers below "
    "spec.symbols with time up to spec.context, and gives logits [batch, time, spec.symbols]"
)


def check_model(
    requests: Sequence[RunConfig], corpus_path: Path, output: Path, threads: int
) -> None:
    """Check every gate of one model at one scale, with each activation.

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
    outcomes = {
        request.activation: {
            gate: outcome.as_json()
            for gate, outcome in check_activation(request, corpus, device).items()
        }
        for request in requests
    }
    gates: GatesBefore = {
        "scale": requests[0].scale,
        "model": requests[0].model,
        "activations": outcomes,
    }
    write_json(output, gates)


def check_activation(
    request: RunConfig, corpus: Corpus, device: torch.device
) -> dict[str, Outcome]:
    """Check every gate with one activation. Outcomes are in the order of `outcome.BEFORE`.

    torch's random state is the same afterwards.
    """
    symbols = len(corpus.symbols)
    activation = get_activation(request.activation)

    def build(activation: Activation) -> nn.Module:
        return _build(request, symbols, activation).to(device)

    def make() -> nn.Module:
        return build(activation)

    codes = random_codes(request.protocol.context, symbols).to(device)
    windows = _windows(request, corpus).to(device)
    with _explaining(request), keeping_randomness(device):
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
    """Check that the activation under study, and no other nonlinearity, shapes the output.

    The model is built with a recorder of the activation's calls, and with noise on its weights, so
    that a branch whose weights start at zero counts too. The gate requires that

    - the activation is called, in evaluation and in training;
    - replacing the output of any single call changes the logits;
    - another activation in its place changes them;
    - each `Activated` layer calls it;
    - no other element-wise nonlinearity acts on values that depend on the weights.
      The gate does not look into torch's recurrent layers, norms, softmax, attention and
      dropout, nor into code that `torch.jit` compiled; it undoes `torch.compile`.

    A model with other nonlinearities by design declares them by torch's names,
    `fixed_nonlinearities = ("sigmoid",)`, on the module that `build` returns.
    """
    recorder = Recorder(activation.function)
    model = add_noise(build(replace(activation, function=recorder)))
    mirror = add_noise(build(replace(activation, function=mirrored(activation.function))))
    layers = recorders_of_layers(model)
    logits = Forward(model, training=False)
    with uncompiled():
        before = logits(codes)
        calls, names = census_of(model, recorder, codes, training=False)
        calls_in_training, names_in_training = census_of(model, recorder, codes, training=True)
        ignored = [
            call
            for call in range(calls)
            if same(before, altered_logits(recorder, call, logits, codes))
        ]
        changes = not same(before, Forward(mirror, training=False)(codes))
    idle = [
        name for name, layer in layers.items() if layer.function is not recorder or not layer.count
    ]
    declared = declared_nonlinearities(model)
    others = sorted((names | names_in_training) - declared)
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
    """Check that logits depend only on present and past codes, to the bit.

    At each cut the gate changes all codes `[batch, time]` from there on. The logits before the cut
    must keep every bit, with the initial weights and with noise on them: in evaluation at every
    cut, and in training, with the same dropout, at the first and last cut.
    """
    cuts = cut_positions(codes.shape[1])
    others = other_codes(codes, symbols)

    def leak(logits: Forward, before: Tensor) -> Finding | None:
        for cut in (cuts[0], cuts[-1]) if logits.training else cuts:
            after = logits(torch.cat([codes[:, :cut], others[:, cut:]], dim=1))
            change = first_change(before[:, :cut], after[:, :cut])
            if change:
                return {"cut": cut, **change}
        return None

    finding = first_finding(make, codes, leak)
    return Outcome(
        passed=finding is None,
        measured={"cuts": len(cuts), "leak": finding},
        bound="logits are numbers, and those before a cut keep every bit when all later codes "
        "change, in evaluation and in training, with initial weights and with noise on them",
    )


def rows(make: Make, codes: Tensor, symbols: int) -> Outcome:
    """Check that the logits of a sequence do not depend on other sequences of its batch.

    The gate changes all rows of `codes` except the middle one, which has neighbours on both sides.
    Modes and weights are those of `causal`.
    """
    row = len(codes) // 2
    others = other_codes(codes, symbols)
    others[row] = codes[row]

    def leak(logits: Forward, before: Tensor) -> Finding | None:
        return first_change(before[row : row + 1], logits(others)[row : row + 1])

    finding = first_finding(make, codes, leak)
    return Outcome(
        passed=finding is None,
        measured={"rows": len(codes), "leak": finding},
        bound="a row's logits keep every bit when all other rows change, in evaluation and in "
        "training, with initial weights and with noise on them",
    )


def repeatable(request: RunConfig, corpus: Corpus, device: torch.device) -> Outcome:
    """Check that a few steps of training give the same bytes twice (A/A test).

    Another seed must start with other weights and end with others: a model that seeds itself would
    make the runs of all seeds alike. Of each hash the outcome has 12 characters.
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
    with keeping_randomness(device), _quiet():
        starts = [
            hash_weights(copy_weights(_build(request, len(corpus.symbols), request.activation)))
            for request in requests[1:]
        ]
        ends = [
            hash_weights(train(request, corpus, device).checkpoint.final) for request in requests
        ]
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
    """Check that the mean loss of an untrained model is near ln(symbols), that of a uniform guess.

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


def _build(request: RunConfig, symbols: int, activation: str | Activation) -> nn.Module:
    """Build the model of a request as training does."""
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
    logits: Any = Forward(make(), training=False)(codes)
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
    """Name a model that cannot be built or run, the exception it raised, and the line."""
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
    """Find the file and line of the innermost call outside torch."""
    calls = traceback.extract_tb(error.__traceback__)
    outside = [call for call in calls if not Path(call.filename).is_relative_to(TORCH)]
    return f"{outside[-1].filename}, line {outside[-1].lineno}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress of the gate's few steps out of the log."""
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
