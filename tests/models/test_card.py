"""Model cards: parts and cost, counted from outside, exactly and without training."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import synthetic
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from actrepro.benchmark.programs.flops import step_flops
from actrepro.config.names import activation_names, model_names
from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_json
from actrepro.data.shapes import CorpusManifest
from actrepro.models import Activated, ModelSpec, build_from_protocol, count_parameters
from actrepro.models.activations import Activation, get_activation
from actrepro.models.card import LENGTHS, CardRequest, X, cards, curve, through, write_cards
from actrepro.models.outline import Node, outline

SYMBOLS = 12
WORDS: CorpusManifest = {
    "corpus": "words",
    "source": "file",
    "origin": "words.txt",
    "sha256": "0" * 64,
    "characters": 3000,
    "symbols": "".join(chr(97 + code) for code in range(SYMBOLS)),
    "train": 2000,
    "selection": 500,
    "test": 500,
}
CODES = torch.arange(6).remainder(SYMBOLS)[None]
RELU = get_activation("relu")


def asked(run: RunConfig, *others: RunConfig, symbols: int | None = None) -> CardRequest:
    """Return a study of the first run's scale, with an ungated and a gated activation."""
    return CardRequest([run, *others], ["relu", "swiglu"], [run.scale], {"words": symbols})


def elsewhere(run: RunConfig, **changes: Any) -> RunConfig:
    """Return the run at a scale outside the study."""
    protocol = run.protocol.model_copy(update=changes)
    return run.model_copy(update={"scale": "other", "protocol": protocol})


# What a step costs.


@pytest.mark.parametrize("context", [4, 40])
@pytest.mark.parametrize("model", model_names())
def test_cards_agree_with_the_benchmarks_counts(model: str, context: int) -> None:
    run = synthetic.request(model, context=context, layers=2, dropout=0.2)
    found = cards(asked(run), [WORDS])["scales"]["tiny"][model]
    for name in ("relu", "swiglu"):
        request = run.model_copy(update={"activation": name})
        built = build_from_protocol(model, run.protocol, name, SYMBOLS)
        assert found["parameters"][name] == count_parameters(built)
        assert found["flops_per_character"][name] == step_flops(request, SYMBOLS)
    shape = run.protocol
    assert found["characters"] == shape.batch * shape.context * shape.iterations


@given(
    st.tuples(*[st.integers(-(10**9), 10**9)] * 3),
    st.integers(1, 2000),
)
def test_three_points_determine_a_parabola(terms: tuple[int, int, int], x: int) -> None:
    def value(at: int) -> int:
        return terms[0] + terms[1] * at + terms[2] * at * at

    assert through(LENGTHS, [value(at) for at in LENGTHS], x) == pytest.approx(value(x))


def test_another_scale_has_the_cost_of_a_study_and_no_more() -> None:
    run = synthetic.request()
    larger = elsewhere(run, layers=3, iterations=1000)
    found = cards(asked(run, larger), [WORDS])["scales"]["other"]["charlm"]
    built = build_from_protocol("charlm", larger.protocol, "relu", SYMBOLS)
    assert found == {
        "parameters": {"relu": count_parameters(built)},
        "flops_per_character": {"relu": step_flops(larger, SYMBOLS)},
        "characters": larger.protocol.batch * larger.protocol.context * 1000,
    }


def test_symbols_are_the_manifests_then_the_configs_and_else_unknown() -> None:
    run = synthetic.request()
    other = elsewhere(run, corpus="verses")
    both = CardRequest([run, other], ["relu"], ["tiny"], {"words": 99, "verses": None})
    scales = cards(both, [WORDS])["scales"]
    assert list(scales) == ["tiny"]
    assert scales["tiny"]["charlm"]["flops_per_character"]["relu"] == step_flops(run, SYMBOLS)
    declared = CardRequest([run, other], ["relu"], ["tiny"], {"words": None, "verses": 20})
    found = cards(declared, [])["scales"]
    assert list(found) == ["other"]
    assert found["other"]["charlm"]["flops_per_character"]["relu"] == step_flops(other, 20)


def test_the_file_says_the_same(tmp_path: Path) -> None:
    manifest, output = tmp_path / "corpus.json", tmp_path / "models.json"
    write_json(manifest, WORDS)
    study = asked(synthetic.request())
    write_cards(study, [manifest], output)
    assert read_json(output) == cards(study, [WORDS])
    with pytest.raises(ActreproError, match=r"missing\.json"):
        write_cards(study, [tmp_path / "missing.json"], output)


# A user's own models.


class OwnBlock(nn.Module):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.narrow = nn.Linear(spec.width, spec.width)
        self.wide = nn.Linear(spec.width, spec.width)
        self.function = spec.activation.function

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.narrow(self.function(self.wide(x)))
        return out


class Own(nn.Module):
    """Declared in another order than it runs, with a head that shares the table's weights."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.layers = nn.ModuleList([OwnBlock(spec) for _ in range(spec.layers)])
        self.last = OwnBlock(spec)
        self.dropout = nn.Dropout(0.1)
        self.unused = nn.ReLU()
        self.scale = nn.Linear(spec.width, spec.width)
        self.table = nn.Embedding(spec.symbols, spec.width)

    def forward(self, codes: Tensor) -> Tensor:
        x = self.dropout(self.table(codes))
        for layer in self.layers:
            x = layer(x)
        for _ in range(3):
            x = self.last(x)
        return nn.functional.linear(x @ self.scale.weight, self.table.weight)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    module = ModuleType("own_model")
    module.build = build_own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_model", module)
    return synthetic.request("mine", custom_models={"mine": "own_model"}, layers=2)


def build_own(spec: ModelSpec) -> nn.Module:
    if spec.layers > 5:
        raise RuntimeError("five layers at most")
    assert not spec.activation.gated
    return Own(spec)


def test_a_users_own_model_is_counted_and_described(own: RunConfig) -> None:
    study = CardRequest([own, elsewhere(own, layers=4)], ["relu"], ["tiny"], {"words": SYMBOLS})
    scales = cards(study, [])["scales"]
    found, larger = scales["tiny"]["mine"], scales["other"]["mine"]
    block = 2 * 2 * own.protocol.width * (own.protocol.width + 1) / 2
    assert larger["parameters"]["relu"] == found["parameters"]["relu"] + 2 * block
    assert found["flops_per_character"]["relu"] == step_flops(own, SYMBOLS)
    assert [node["name"] for node in found["outline"]] == ["table", "layers", "last", "scale"]


def test_a_scale_that_a_users_model_refuses_is_left_out_with_the_reason(own: RunConfig) -> None:
    study = CardRequest([own, elsewhere(own, layers=6)], ["relu"], ["tiny"], {"words": SYMBOLS})
    scales = cards(study, [])["scales"]
    assert scales["other"] == {"mine": {"why": "RuntimeError: five layers at most"}}
    with pytest.raises(RuntimeError, match="five layers"):
        cards(CardRequest([elsewhere(own, layers=6)], ["relu"], ["other"], {"words": SYMBOLS}), [])


# Outlines.


def outline_of(build: Callable[[ModelSpec], nn.Module], layers: int = 3) -> list[Node]:
    def built(activation: Activation) -> nn.Module:
        return build(ModelSpec(layers, 8, 2, 16, 0.0, SYMBOLS, activation))

    return outline(built, RELU, CODES)


def line_of(node: Node) -> str:
    """Write a node on a line: `name:Kind×repeats*` with a star where the activation is."""
    repeats = f"×{node['repeats']}" if node["repeats"] > 1 else ""
    calls = f"@{node['calls']}" if node["calls"] != 1 else ""
    inner = f"[{' '.join(map(line_of, node['children']))}]" if node["children"] else ""
    return f"{node['name']}:{node['kind']}{repeats}{calls}{'*' * node['activation']}{inner}"


def test_parts_stand_in_the_order_of_the_forward_pass() -> None:
    found = [line_of(node) for node in outline_of(Own)]
    block = "*[wide:Linear relu:activation* narrow:Linear]"
    assert found == [
        "table:Embedding",
        f"layers:OwnBlock×3{block}",
        f"last:OwnBlock@3{block}",
        # Its weights are used but it is never entered, so it keeps the place of its declaration.
        "scale:Linear@0",
    ]


def test_a_wrapper_of_one_model_is_skipped() -> None:
    class Wrapper(nn.Module):
        def __init__(self, spec: ModelSpec) -> None:
            super().__init__()
            self.model = Own(spec)

        def forward(self, codes: Tensor) -> Tensor:
            out: Tensor = self.model(codes)
            return out

    assert outline_of(Wrapper) == outline_of(Own)


def test_unequal_parts_of_a_container_keep_their_numbers() -> None:
    def build(spec: ModelSpec) -> nn.Module:
        wide = Activated(lambda out: nn.Linear(8, out), 16, spec.activation, 8, 8)
        inner = [nn.Linear(8, 8), nn.Linear(8, 8), wide, nn.Linear(16, 8)]
        net = nn.Sequential(*inner)
        return nn.Sequential(nn.Embedding(SYMBOLS, 8), net, nn.Linear(8, SYMBOLS))

    found = [line_of(node) for node in outline_of(build)]
    assert found == ["0:Embedding", "1.0:Linear×2", "1.2:Linear*", "1.3:Linear", "2:Linear"]


def test_a_part_that_a_pass_never_enters_and_that_holds_nothing_is_left_out() -> None:
    assert {"dropout", "unused"}.isdisjoint(node["name"] for node in outline_of(Own))


@pytest.mark.parametrize("model", model_names())
def test_built_in_models_are_whole(model: str) -> None:
    run = synthetic.request(model, layers=3, context=16)
    nodes = cards(asked(run), [WORDS])["scales"]["tiny"][model]["outline"]
    built = build_from_protocol(model, run.protocol, "relu", SYMBOLS)
    assert sum(node["parameters"] * node["repeats"] for node in nodes) == count_parameters(built)
    marked = [one for node in nodes for one in (node["children"] or [node]) if one["activation"]]
    activated = [one for one in built.modules() if isinstance(one, Activated)]
    blocks = {node["name"]: node["repeats"] for node in nodes}.get("blocks", 1)
    assert len(activated) in (len(marked), blocks * len(marked), 1 + blocks * (len(marked) - 1))
    assert nodes[0]["name"] == "tokens"
    assert nodes[-1]["name"] == "head"


def test_a_transformers_block_shows_attention_and_mlp() -> None:
    run = synthetic.request("charlm", layers=3)
    nodes = cards(asked(run), [WORDS])["scales"]["tiny"]["charlm"]["outline"]
    assert [line_of(node) for node in nodes] == [
        "tokens:Embedding",
        "positions:Embedding",
        "blocks:Block×3*[norm_attention:LayerNorm attention:SeparateAttention "
        "norm_mlp:LayerNorm mlp:MLP*]",
        "norm:LayerNorm",
        "head:Linear",
    ]


# Curves.


@pytest.mark.parametrize("name", activation_names())
def test_a_derivative_is_the_slope_of_its_curve(name: str) -> None:
    found = curve(get_activation(name))
    assert found["x"] == pytest.approx(X.tolist())
    assert found["repeatable"]
    y, slope = np.array(found["y"]), np.array(found["derivative"])
    step = X[1] - X[0]
    middle = (y[2:] - y[:-2]) / (2 * step)
    # Half a slope's jump at a joint, else what is curved within two steps.
    assert np.abs(middle - slope[1:-1]).max() <= 0.5 + 1e-3
    assert np.median(np.abs(middle - slope[1:-1])) < 2e-3


def test_known_values_are_on_the_curve() -> None:
    relu, gelu = curve(RELU), curve(get_activation("gelu"))
    assert relu["y"] == pytest.approx(np.maximum(X, 0).tolist())
    assert set(relu["derivative"]) == {0.0, 1.0}
    at = found_at(gelu, 1.0)
    normal = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    assert at["y"] == pytest.approx(normal, abs=1e-5)
    density = math.exp(-0.5) / math.sqrt(2 * math.pi)
    assert at["derivative"] == pytest.approx(normal + density, abs=1e-5)


def found_at(found: dict[str, Any], x: float) -> dict[str, float]:
    place = found["x"].index(x)
    return {key: found[key][place] for key in ("y", "derivative")}


def test_the_curve_of_a_gated_activation_is_its_gates() -> None:
    swish, swiglu = curve(get_activation("swish")), curve(get_activation("swiglu"))
    assert (swish["gated"], swiglu["gated"]) == (False, True)
    assert swiglu["y"] == swish["y"]
    assert swiglu["derivative"] == swish["derivative"]


def test_values_that_are_not_finite_are_null_and_missing_gradients_zero() -> None:
    logarithm = curve(Activation("log", torch.log, gated=False))
    assert found_at(logarithm, -1.0)["y"] is None
    assert found_at(logarithm, 1.0) == {"y": 0.0, "derivative": 1.0}
    constant = curve(Activation("one", lambda x: torch.ones_like(x), gated=False))
    assert set(constant["derivative"]) == {0.0}
    assert set(curve(Activation("sign", torch.sign, gated=False))["derivative"]) == {0.0}


def test_a_random_activation_is_marked_and_drawn_the_same_each_time() -> None:
    noisy = Activation("noisy", lambda x: x * torch.rand_like(x), gated=False)
    before = torch.get_rng_state()
    found = curve(noisy)
    assert not found["repeatable"]
    assert curve(noisy) == found
    assert torch.equal(torch.get_rng_state(), before)
