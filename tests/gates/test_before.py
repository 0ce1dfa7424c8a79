"""Gates before training: sound models pass each, and each detects its fault."""

import json
import logging
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import synthetic
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from hypothesis import given
from hypothesis import strategies as st
from study_folder import SUPPORT
from torch import Tensor, nn

from actrepro.config.names import model_names
from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json
from actrepro.gates import before as gates
from actrepro.gates.before import check_activation, check_model
from actrepro.gates.outcome import BEFORE, Outcome
from actrepro.models import Activated, ModelSpec, probing
from actrepro.models.activations import Activation, get_activation
from actrepro.models.blocks import INIT_STD
from actrepro.train.loop import fixed_windows

CPU = torch.device("cpu")
SYMBOLS = 7
SPEC = ModelSpec(
    layers=2,
    width=8,
    heads=2,
    context=synthetic.BLOCK,
    dropout=0.2,
    symbols=SYMBOLS,
    activation=get_activation("relu"),
)


class Sound(nn.Module):
    """Two residual layers with the activation; the past enters as a running sum."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.activate = spec.activation.function
        self.tokens = nn.Embedding(spec.symbols, spec.width)
        self.layers = nn.ModuleList(nn.Linear(spec.width, spec.width) for _ in range(2))
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(spec.width, spec.symbols)

    def mixed(self, x: Tensor) -> Tensor:
        return x + 0.1 * x.cumsum(dim=1)

    def activated(self, layer: int, x: Tensor) -> Tensor:
        return self.activate(x)

    def forward(self, codes: Tensor) -> Tensor:
        x = self.mixed(self.tokens(codes))
        for index, layer in enumerate(self.layers):
            x = x + self.dropout(self.activated(index, layer(x)))
        return self.head(x)


class IgnoredEverywhere(Sound):
    def activated(self, layer: int, x: Tensor) -> Tensor:
        return F.relu(x)


class IgnoredInOneLayer(Sound):
    def activated(self, layer: int, x: Tensor) -> Tensor:
        return self.activate(x) if layer == 0 else F.relu(x)


class IgnoredInTraining(Sound):
    def activated(self, layer: int, x: Tensor) -> Tensor:
        return F.relu(x) if self.training else self.activate(x)


class Discarded(Sound):
    def activated(self, layer: int, x: Tensor) -> Tensor:
        self.activate(x)
        return x


class DiscardedInOneLayer(Sound):
    def activated(self, layer: int, x: Tensor) -> Tensor:
        activated = self.activate(x)
        return activated if layer == 0 else x


class NeverCalled(Sound):
    def activated(self, layer: int, x: Tensor) -> Tensor:
        return x


class IdleLayer(Sound):
    """A layer with an activated layer that it never calls."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.idle = Activated(lambda out: nn.Linear(8, out), 8, spec.activation, 8, 8)


class LayerWithAnother(Sound):
    """An activated layer whose activation is not the one under study."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        other = get_activation("gelu")
        self.other = Activated(lambda out: nn.Linear(8, out), 8, other, 8, 8)

    def mixed(self, x: Tensor) -> Tensor:
        return x + self.other(x)


class SeesTheNext(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        return x + F.pad(x[:, 1:], (0, 0, 0, 1))


class SeesItsBlock(Sound):
    """Blocks of four characters, each seen as a whole."""

    def mixed(self, x: Tensor) -> Tensor:
        blocks = x.unflatten(1, (-1, 4))
        return (blocks + blocks.mean(dim=2, keepdim=True)).flatten(1, 2)


class BothDirections(Sound):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.lstm = nn.LSTM(spec.width, spec.width // 2, batch_first=True, bidirectional=True)

    def mixed(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Unmasked(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        return x + F.scaled_dot_product_attention(x, x, x)


class SamePadded(Sound):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.convolve = nn.Conv1d(spec.width, spec.width, kernel_size=3, padding=1)

    def mixed(self, x: Tensor) -> Tensor:
        return x + self.convolve(x.transpose(1, 2)).transpose(1, 2)


class OpensLater(Sound):
    """A branch that depends on the future and starts at zero."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.gate = nn.Parameter(torch.zeros(()))

    def mixed(self, x: Tensor) -> Tensor:
        return x + self.gate * x.mean(dim=1, keepdim=True)


class LeaksInTraining(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        return x + x.mean(dim=1, keepdim=True) if self.training else x


class BatchNorm(Sound):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.norm = nn.BatchNorm1d(spec.width)

    def mixed(self, x: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class WithoutTheBatchMean(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=0, keepdim=True)


class SeesTheRowBefore(Sound):
    """A model whose rows depend on the row before; the first has none."""

    def mixed(self, x: Tensor) -> Tensor:
        return x + F.pad(x[:-1], (0, 0, 0, 0, 1, 0))


class Remembers(Sound):
    """A model that carries state from one batch to the next."""

    memory: Tensor | float = 0.0

    def mixed(self, x: Tensor) -> Tensor:
        x = x + self.memory
        self.memory = x.detach().mean()
        return x


class NoNumbers(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        return x * math.nan


class Wild(Sound):
    """A model whose embedding, N(0, 1), is its head."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(replace(spec, width=64))
        self.head.weight = self.tokens.weight

    def apply(self, fn: Callable[[nn.Module], None]) -> "Wild":
        return self


class Own(Sound):
    """A sound model with unusual parts, none of which is an activation."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.register_buffer("mask", torch.ones(spec.context, spec.context).tril())
        self.gate = nn.Parameter(torch.zeros(()))
        self.recurrent = nn.GRU(spec.width, spec.width, batch_first=True)
        self.attention = nn.MultiheadAttention(spec.width, spec.heads, batch_first=True)
        self.norm = nn.utils.spectral_norm(nn.Linear(spec.width, spec.width))

    def mixed(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        x = x + torch.sin(torch.arange(length).float())[:, None]
        x = x / x.pow(2).mean(dim=-1, keepdim=True).add(1e-6).sqrt()
        scores = (x @ x.transpose(1, 2)).masked_fill(self.mask[:length, :length] == 0, -1e9)
        scores = (scores - scores.max(dim=-1, keepdim=True).values).exp()
        x = x + scores / scores.sum(dim=-1, keepdim=True) @ x
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        x = x + self.attention(x, x, x, attn_mask=later, need_weights=False)[0]
        return x + torch.sigmoid(self.gate) * self.recurrent(self.norm(x))[0]


class StartsClosed(Sound):
    """A model in which every branch with the activation starts at zero."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.open = nn.Parameter(torch.zeros(()))

    def activated(self, layer: int, x: Tensor) -> Tensor:
        return self.open * self.activate(x)


def _initialise(module: nn.Module) -> None:
    """Draw small normal weights for every matrix, as the built-in models have."""
    for name, parameter in module.named_parameters(recurse=False):
        if "weight" in name and parameter.ndim > 1:
            nn.init.normal_(parameter, std=INIT_STD)


def _builder(kind: type[Sound]) -> gates.Build:
    def build(activation: Activation) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return kind(replace(SPEC, activation=activation)).apply(_initialise)

    return build


def _outcomes(kind: type[Sound]) -> dict[str, Outcome]:
    """Return the outcomes of the gates that need no training."""
    build, codes = _builder(kind), probing.random_codes(SPEC.context, SYMBOLS)

    def make() -> nn.Module:
        return build(SPEC.activation)

    text = np.random.default_rng(0).integers(SYMBOLS, size=1000)
    return {
        "wired": gates.wired(build, SPEC.activation, codes),
        "causal": gates.causal(make, codes, SYMBOLS),
        "rows": gates.rows(make, codes, SYMBOLS),
        "initial_loss": gates.initial_loss(
            make, fixed_windows(text, synthetic.protocol()), SYMBOLS
        ),
    }


@pytest.mark.parametrize(
    ("kind", "failing"),
    [
        (Sound, ""),
        (Own, ""),
        (StartsClosed, ""),
        (IgnoredEverywhere, "wired"),
        (IgnoredInOneLayer, "wired"),
        (IgnoredInTraining, "wired"),
        (Discarded, "wired"),
        (DiscardedInOneLayer, "wired"),
        (NeverCalled, "wired"),
        (IdleLayer, "wired"),
        (LayerWithAnother, "wired"),
        (SeesTheNext, "causal"),
        (SeesItsBlock, "causal"),
        (BothDirections, "causal"),
        (Unmasked, "causal"),
        (SamePadded, "causal"),
        (OpensLater, "causal"),
        (LeaksInTraining, "causal"),
        (BatchNorm, "causal rows"),
        (WithoutTheBatchMean, "rows"),
        (SeesTheRowBefore, "rows"),
        (Remembers, "causal rows"),
        (Wild, "initial_loss"),
        (NoNumbers, "wired causal rows initial_loss"),
    ],
)
def test_each_fault_fails_its_own_gates_alone(kind: type[Sound], failing: str) -> None:
    outcomes = _outcomes(kind)
    found = {gate: outcome.measured for gate, outcome in outcomes.items() if not outcome.passed}
    assert list(found) == failing.split(), found
    # What a gate measured must fit into JSON, which has no NaN.
    json.dumps([outcome.as_json() for outcome in outcomes.values()], allow_nan=False)


@pytest.mark.parametrize("activation", ["relu", "swiglu"])
@pytest.mark.parametrize("model", model_names())
def test_every_built_in_model_passes_every_gate(model: str, activation: str) -> None:
    request = synthetic.request(model, activation, dropout=0.1)
    outcomes = check_activation(request, synthetic.corpus(), CPU)
    assert list(outcomes) == list(BEFORE)
    assert not [outcome for outcome in outcomes.values() if not outcome.passed]
    assert outcomes["wired"].measured["calls"] == {"hybridlm": 3, "tinylstm": 1}.get(model, 2)


def _wiring(kind: type[Sound]) -> dict[str, Any]:
    codes = probing.random_codes(SPEC.context, SYMBOLS)
    return gates.wired(_builder(kind), SPEC.activation, codes).measured


def test_wired_says_what_is_amiss() -> None:
    healthy = {
        "calls": 2,
        "calls_in_training": 2,
        "calls_without_effect": [],
        "output_changes": True,
        "idle_layers": [],
        "other_nonlinearities": [],
        "declared_nonlinearities": [],
    }
    relu = {"other_nonlinearities": ["relu"]}
    never = {"calls": 0, "calls_in_training": 0, "output_changes": False}
    assert _wiring(Sound) == healthy
    assert _wiring(IgnoredEverywhere) == healthy | never | relu
    assert _wiring(IgnoredInOneLayer) == healthy | {"calls": 1, "calls_in_training": 1} | relu
    assert _wiring(IgnoredInTraining) == healthy | {"calls_in_training": 0} | relu
    assert _wiring(DiscardedInOneLayer) == healthy | {"calls_without_effect": [1]}
    assert _wiring(Discarded) == healthy | {
        "calls_without_effect": [0, 1],
        "output_changes": False,
    }
    assert _wiring(NeverCalled) == healthy | never
    assert _wiring(IdleLayer) == healthy | {"idle_layers": ["idle"]}
    assert _wiring(LayerWithAnother) == healthy | {
        "idle_layers": ["other"],
        "other_nonlinearities": ["gelu"],
    }


class _Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.tanh(x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (F.relu, "relu"),
        (nn.ReLU(), "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (torch.relu, "relu"),
        (torch.relu_, "relu"),
        (Tensor.relu, "relu"),
        (torch.ops.aten.relu, "relu"),
        (torch.ops.aten.relu.default, "relu"),
        (lambda x: x.clamp(min=0), "clamp"),
        (lambda x: torch.maximum(x, torch.zeros(())), "maximum"),
        (lambda x: torch.max(x, other=torch.zeros(())), "max"),
        (lambda x: torch.where(x > 0, x, 0.0), "gt"),
        (lambda x: x * (x >= 0), "ge"),
        (lambda x: (x + x.abs()) / 2, "abs"),
        (lambda x: x * torch.sigmoid(x), "sigmoid"),
        (lambda x: x * torch.special.expit(x), "sigmoid"),
        (F.silu, "silu"),
        (F.gelu, "gelu"),
        (F.softplus, "softplus"),
        (F.logsigmoid, "logsigmoid"),
        (F.leaky_relu, "leaky_relu"),
        (lambda x: F.threshold(x, 0.0, 0.0), "threshold"),
        (lambda x: F.glu(torch.cat([x, x], dim=-1)), "glu"),
        (nn.PReLU(), "prelu"),
        (torch.special.erf, "erf"),
        (_Custom.apply, "tanh"),
        (lambda x: torch.atan(input=x), "atan"),
    ],
)
def test_another_nonlinearity_is_found_however_it_is_spelt(
    function: Callable[[Tensor], Tensor], name: str
) -> None:
    class Another(Sound):
        def activated(self, layer: int, x: Tensor) -> Tensor:
            return self.activate(x) + function(x.clone())

    class Declared(Another):
        fixed_nonlinearities = (name,)

    assert _wiring(Another)["other_nonlinearities"] == [name]
    assert _wiring(Declared)["other_nonlinearities"] == []


def test_a_ready_made_transformer_layer_is_looked_into() -> None:
    class ReadyMade(Sound):
        def __init__(self, spec: ModelSpec) -> None:
            super().__init__(spec)
            self.block = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)

        def mixed(self, x: Tensor) -> Tensor:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.block(x, src_mask=mask, is_causal=True)

    assert _wiring(ReadyMade)["other_nonlinearities"] == ["relu"]


@pytest.mark.parametrize(
    ("declared", "passed"),
    [
        ((), False),
        (("tanh",), False),
        (("sigmoid",), True),
        (["tanh", "sigmoid"], True),
        ("sigmoid", True),
    ],
)
def test_a_model_declares_what_else_it_has_by_design(declared: Any, passed: bool) -> None:
    class Gated(Sound):
        fixed_nonlinearities = declared

        def mixed(self, x: Tensor) -> Tensor:
            return x * torch.sigmoid(x)

    outcome = _outcomes(Gated)["wired"]
    assert outcome.passed == passed
    assert "sigmoid" in outcome.measured[f"{'declared' if passed else 'other'}_nonlinearities"]
    assert 'fixed_nonlinearities = ("sigmoid",)' in outcome.bound


@pytest.mark.parametrize(("kind", "others"), [(Sound, []), (IgnoredInOneLayer, ["relu"])])
def test_a_compiled_model_is_looked_into(kind: type[Sound], others: list[str]) -> None:
    def build(activation: Activation) -> nn.Module:
        return torch.compile(_builder(kind)(activation), backend="eager")

    codes = probing.random_codes(SPEC.context, SYMBOLS)
    # Loads the compiler, as a model's first forward pass does.
    build(SPEC.activation)(codes)
    outcome = gates.wired(build, SPEC.activation, codes)
    assert outcome.passed == (not others)
    assert outcome.measured["other_nonlinearities"] == others


def test_the_activations_own_parts_are_no_other_nonlinearities() -> None:
    codes = probing.random_codes(SPEC.context, SYMBOLS)
    outcome = gates.wired(_builder(Sound), get_activation("smelu_05"), codes)
    assert outcome.passed, outcome.measured


def test_causal_says_where_the_first_leak_is() -> None:
    leak = _outcomes(SeesTheNext)["causal"].measured["leak"]
    assert leak.pop("largest_change") > 0
    assert leak == {"cut": 1, "position": 0, "mode": "evaluation", "weights": "initial"}
    later = _outcomes(OpensLater)["causal"].measured["leak"]
    assert later["weights"] == "with noise"
    trained = _outcomes(BatchNorm)["causal"].measured["leak"]
    assert (trained["mode"], trained["weights"]) == ("training", "initial")


class SeesItsLastBlock(Sound):
    """Four characters in the middle of the text, seen as a whole."""

    def mixed(self, x: Tensor) -> Tensor:
        middle = x[:, 5:9] + x[:, 5:9].mean(dim=1, keepdim=True)
        return torch.cat([x[:, :5], middle, x[:, 9:]], dim=1)


def test_a_leak_far_from_both_ends_is_found() -> None:
    leak = _outcomes(SeesItsLastBlock)["causal"].measured["leak"]
    assert leak["position"] == 5
    assert 5 < leak["cut"] < 9


@pytest.mark.parametrize("gate", ["causal", "rows"])
def test_what_makes_a_leak_impossible_to_tell_is_said(gate: str) -> None:
    for kind, found in (
        (NoNumbers, "the logits are not numbers"),
        (Remembers, "the same codes twice gave other logits"),
    ):
        assert _outcomes(kind)[gate].measured["leak"]["found"] == found


def test_a_number_that_is_none_is_no_leak_and_hides_none() -> None:
    before = torch.zeros(1, 4, 2)
    before[0, 1] = math.nan
    after = before.clone()
    assert probing.first_change(before, after) is None
    after[0, 2, 1] = 3.0
    assert probing.first_change(before, after) == {"position": 2, "largest_change": 3.0}
    after[0, 0, 0] = math.nan
    assert probing.first_change(before, after) == {"position": 0, "largest_change": 3.0}
    assert probing.first_change(before, torch.full_like(before, math.nan)) == {
        "position": 0,
        "largest_change": None,
    }


@given(st.integers(4, 2000))
def test_cuts_are_spread_from_the_second_character_to_the_last(context: int) -> None:
    cuts = probing.cut_positions(context)
    assert (cuts[0], cuts[-1]) == (1, context - 1)
    assert len(cuts) == min(probing.CUTS, context - 1)
    gaps = np.diff(cuts)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


@given(st.integers(2, 80), st.integers(4, 40))
def test_every_code_is_replaced_by_another_symbol(symbols: int, context: int) -> None:
    codes = probing.random_codes(context, symbols)
    other = probing.other_codes(codes, symbols)
    assert (other != codes).all()
    for both in (codes, other):
        assert int(both.min()) >= 0
        assert int(both.max()) < symbols


@pytest.mark.parametrize(
    ("logit", "symbol", "passed"),
    [(0.0, 1, True), (1.7, 1, True), (1.73, 1, False), (0.6, 0, True), (0.63, 0, False)],
)
def test_the_initial_loss_is_held_against_a_uniform_guess(
    logit: float, symbol: int, passed: bool
) -> None:
    class Constant(nn.Module):
        """A model that gives one symbol another logit than the rest."""

        def forward(self, codes: Tensor) -> Tensor:
            logits = torch.zeros(SYMBOLS)
            logits[symbol] = logit
            return logits.expand(*codes.shape, SYMBOLS)

    windows = torch.zeros(2, 9, dtype=torch.int64)
    outcome = gates.initial_loss(Constant, windows, SYMBOLS)
    expected = math.log(6 + math.exp(logit)) - (logit if symbol == 0 else 0)
    assert outcome.measured["loss"] == pytest.approx(expected)
    assert outcome.measured["ln_symbols"] == pytest.approx(math.log(7))
    assert outcome.passed == passed


Asking = Callable[[Callable[[ModelSpec], Any]], RunConfig]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Asking:
    """Register a function as the `build` of the model `mine`, and request a run of it."""
    names = (f"own_model_{number}" for number in count())

    def request(build: Callable[[ModelSpec], Any]) -> RunConfig:
        module = ModuleType(next(names))
        module.build = build  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return synthetic.request("mine", custom_models={"mine": module.__name__})

    return request


def _repeated(request: RunConfig) -> Outcome:
    return gates.repeatable(request, synthetic.corpus(), CPU)


def test_a_sound_model_repeats_itself(own: Asking) -> None:
    outcome = _repeated(own(Sound))
    assert outcome.passed
    measured = outcome.measured
    assert measured["first"] == measured["again"] != measured["another_seed"]
    assert {len(measured[key]) for key in ("first", "again", "another_seed")} == {12}


def _unseeded(spec: ModelSpec) -> nn.Module:
    generator = torch.Generator()
    generator.seed()
    model = Sound(spec)
    nn.init.normal_(model.head.weight, generator=generator)
    return model


class Noisy(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        generator = torch.Generator()
        generator.seed()
        return x + torch.randn(x.shape, generator=generator)


@pytest.mark.parametrize("build", [_unseeded, Noisy])
def test_a_model_that_draws_from_elsewhere_does_not_repeat_itself(
    own: Asking, build: Callable[[ModelSpec], nn.Module]
) -> None:
    outcome = _repeated(own(build))
    assert not outcome.passed
    assert outcome.measured["first"] != outcome.measured["again"]


def test_a_model_that_seeds_itself_makes_all_seeds_alike(own: Asking) -> None:
    def build(spec: ModelSpec) -> nn.Module:
        torch.manual_seed(0)
        return Sound(spec)

    outcome = _repeated(own(build))
    assert not outcome.passed
    assert outcome.measured["first"] == outcome.measured["again"]
    assert not outcome.measured["another_seeds_initial_weights_differ"]


def test_a_model_that_no_training_changes_ends_alike_under_every_seed(own: Asking) -> None:
    class Frozen(Sound):
        def __init__(self, spec: ModelSpec) -> None:
            super().__init__(spec)
            for parameter in self.parameters():
                nn.init.constant_(parameter, 0.0)

        def forward(self, codes: Tensor) -> Tensor:
            return super().forward(codes) * 0

    outcome = _repeated(own(Frozen))
    assert not outcome.passed
    assert outcome.measured["first"] == outcome.measured["another_seed"]


def test_a_trial_keeps_its_progress_out_of_the_log(
    own: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "actrepro"):
        _repeated(own(Sound))
        assert not caplog.records
        assert logging.getLogger("actrepro").level == logging.INFO


def _raises(spec: ModelSpec) -> nn.Module:
    return nn.Linear(spec.symbols, "wide")  # type: ignore[arg-type]


class RaisesInForward(Sound):
    def mixed(self, x: Tensor) -> Tensor:
        return x @ torch.zeros(3, 3)


class LosesTime(Sound):
    def forward(self, codes: Tensor) -> Tensor:
        return super().forward(codes)[:, -1]


class GivesTheLossToo(Sound):
    def forward(self, codes: Tensor) -> Any:
        return super().forward(codes), None


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (_raises, "raised TypeError: "),
        (RaisesInForward, "raised RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        (LosesTime, r"for codes of shape \(3, 16\) the model gave a tensor of shape \(3, 14\)"),
        (GivesTheLossToo, "the model gave tuple where logits"),
    ],
)
def test_a_model_that_cannot_run_is_explained(
    own: Asking, build: Callable[[ModelSpec], Any], found: str
) -> None:
    with pytest.raises(ActreproError, match=f"tiny/mine/relu: .*{found}") as caught:
        check_activation(own(build), synthetic.corpus(), CPU)
    assert "codes [batch, time]" in str(caught.value)
    assert "logits [batch, time, spec.symbols]" in str(caught.value)
    raised = caught.value.__cause__
    assert (raised is None) == found.startswith(("for", "the"))
    if build is RaisesInForward:
        assert f"{__file__}, line" in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError, ActreproError])
def test_what_a_job_explains_itself_passes(own: Asking, error: type[Exception]) -> None:
    def build(spec: ModelSpec) -> nn.Module:
        raise error("as it was")

    with pytest.raises(error, match=r"^as it was$"):
        check_activation(own(build), synthetic.corpus(), CPU)


MINE = """
import torch
from torch import nn

class Mine(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.tokens = nn.Embedding(spec.symbols, spec.symbols)
        self.gelu = spec.activation.name == "gelu"
        self.activate = spec.activation.function

    def forward(self, codes):
        x = self.tokens(codes)
        return x.relu() if self.gelu else self.activate(x)

def build(spec):
    return Mine(spec)
"""


def _check(folder: Path, *requests: RunConfig) -> dict[str, Any]:
    synthetic.corpus().save(folder / "corpus.npz")
    check_model(requests, folder / "corpus.npz", folder / "gates.json", threads=1)
    outcomes: dict[str, Any] = read_json(folder / "gates.json")
    return outcomes


def test_a_model_of_ones_own_is_held_against_every_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "own_gated_model.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    requests = [
        synthetic.request("mine", name, custom_models={"mine": "own_gated_model"})
        for name in ("gelu", "smelu_1")
    ]
    with caplog.at_level(logging.INFO, "actrepro"):
        found = _check(tmp_path, *requests)
    assert (found["scale"], found["model"]) == ("tiny", "mine")
    assert list(found["activations"]) == ["gelu", "smelu_1"]
    for activation, outcomes in found["activations"].items():
        assert list(outcomes) == list(BEFORE)
        assert all(set(outcome) == {"passed", "measured", "bound"} for outcome in outcomes.values())
        failing = [gate for gate, outcome in outcomes.items() if not outcome["passed"]]
        assert failing == (["wired"] if activation == "gelu" else [])
    informed, warned = (
        [record.getMessage() for record in caplog.records if record.levelname == level]
        for level in ("INFO", "WARNING")
    )
    assert informed == [
        "tiny/mine/gelu: 4 of 5 gates passed",
        "tiny/mine/smelu_1: 5 of 5 gates passed",
    ]
    assert len(warned) == 1
    assert warned[0].startswith("tiny/mine/gelu: gate 'wired' failed: found {'calls': 0,")
    assert "other_nonlinearities': ['relu']" in warned[0]
    assert "fixed_nonlinearities" in warned[0]


def test_checking_twice_gives_the_same_bytes_and_leaves_torchs_random_state(
    tmp_path: Path,
) -> None:
    request = synthetic.request("hybridlm", "gelu", dropout=0.1)
    written = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        _check(tmp_path, request)
        assert torch.equal(before, torch.get_rng_state())
        written.append((tmp_path / "gates.json").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("gate", ["wired", "causal", "rows", "initial_loss"])
def test_each_gate_leaves_torchs_random_state(gate: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert gate in _outcomes(Sound)
    assert torch.equal(before, torch.get_rng_state())


QUICK = """
import sys
sys.path.insert(0, {support!r})
from actrepro.train import startup
from actrepro.config.study import RunConfig
from actrepro.config.reading import default_study

startup.cuda_usable = lambda: False
startup.start_torch([default_study().run_config("quick", "charlm", "relu", 1)])
import synthetic, torch
from actrepro.gates.before import check_activation

request = synthetic.request("hybridlm", "swiglu", dropout=0.1)
outcomes = check_activation(request, synthetic.corpus(), torch.device("cpu"))
print([gate for gate in outcomes if outcomes[gate].passed])
print("torch._dynamo" in sys.modules, "torch._inductor" in sys.modules)
"""


def test_gates_need_nothing_that_a_quick_start_of_torch_leaves_out() -> None:
    code = QUICK.format(support=SUPPORT)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(list(BEFORE)), "False False"]
