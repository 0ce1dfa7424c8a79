"""Models: sizes, causality to the bit, the activation's place in them, initial weights."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
from torch import Tensor, nn

import actrepro
from actrepro.config.names import activation_names, model_names
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError
from actrepro.models import ModelSpec, build_from_protocol, build_model, count_parameters
from actrepro.models.activations import Activation, get_activation
from actrepro.models.blocks import CausalConvolution, matched_width
from actrepro.models.zoo.convlm import ConvLM, dilations

MODELS = model_names()
SCALES = list(default_study().protocols)
SYMBOLS = 65


def _built(name: str, activation: str = "relu", seed: int = 0, **changes: object) -> nn.Module:
    return build_from_protocol(name, synthetic.protocol(**changes), activation, SYMBOLS, seed=seed)


def _codes(batch: int = 3, length: int = synthetic.BLOCK, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(SYMBOLS, (batch, length), generator=generator)


def _spec(activation: str = "relu", **changes: object) -> ModelSpec:
    protocol = synthetic.protocol(**changes)
    names = ("layers", "width", "heads", "context", "dropout")
    sizes = {name: getattr(protocol, name) for name in names}
    return ModelSpec(**sizes, symbols=SYMBOLS, activation=get_activation(activation))


@cache
def _size(name: str, scale: str, activation: str = "relu") -> int:
    with torch.device("meta"):
        model = build_model(name, scale=scale, activation=activation, symbols=SYMBOLS)
    return count_parameters(model)


@pytest.mark.parametrize(
    ("name", "scale", "parameters"),
    [
        ("charlm", "cpu", 429_824),
        ("charlm", "partial", 1_678_848),
        ("charlm", "full", 10_795_776),
        ("nanotransformer", "full", 10_786_560),
    ],
)
def test_parameter_counts(name: str, scale: str, parameters: int) -> None:
    model = actrepro.build_model(name, scale=scale, activation="relu")
    assert count_parameters(model) == parameters
    assert _size(name, scale) == parameters


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", [name for name in MODELS if name != "nanotransformer"])
def test_a_scales_models_have_nearly_the_same_size(name: str, scale: str) -> None:
    assert _size(name, scale) == pytest.approx(_size("charlm", scale), rel=0.005)


@pytest.mark.parametrize("scale", SCALES)
def test_nanotransformer_lacks_exactly_the_biases_of_attention(scale: str) -> None:
    protocol = default_study().protocols[scale]
    biases = 4 * protocol.width * protocol.layers
    assert _size("nanotransformer", scale) == _size("charlm", scale) - biases


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", MODELS)
def test_a_gated_activation_has_nearly_the_same_size(name: str, scale: str) -> None:
    assert _size(name, scale, "swiglu") == pytest.approx(_size(name, scale), rel=0.01)


@pytest.mark.parametrize("name", MODELS)
def test_ungated_activations_have_the_same_shapes(name: str) -> None:
    shapes = [
        {key: value.shape for key, value in _built(name, activation).state_dict().items()}
        for activation in activation_names()
        if not get_activation(activation).gated
    ]
    assert all(shape == shapes[0] for shape in shapes)


def test_the_matched_width_is_the_best_of_all_widths() -> None:
    spec = _spec()
    target = count_parameters(_built("charlm"))
    excess = {width: abs(count_parameters(ConvLM(spec, width)) - target) for width in range(1, 100)}
    assert matched_width(ConvLM, spec) == min(excess, key=lambda width: excess[width])
    assert matched_width(ConvLM, _spec("swiglu")) == matched_width(ConvLM, spec)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("activation", ["relu", "swiglu"])
def test_logits_have_a_row_per_character(name: str, activation: str) -> None:
    model = _built(name, activation).eval()
    for length in (1, 2, synthetic.BLOCK):
        logits = model(_codes(3, length))
        assert logits.shape == (3, length, SYMBOLS)
        assert logits.isfinite().all()


def _leaks(model: nn.Module, length: int) -> bool:
    """Check whether changing all later characters changes a bit of any earlier logit."""
    model.eval()
    codes = _codes(4, length)
    with torch.no_grad():
        before = model(codes)
        for position in sorted({0, 1, length // 3, length // 2, length - 2}):
            changed = codes.clone()
            changed[:, position + 1 :] = (codes[:, position + 1 :] + 1) % SYMBOLS
            after = model(changed)
            assert not torch.equal(before, after)
            if not torch.equal(before[:, : position + 1], after[:, : position + 1]):
                return True
    return False


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("activation", ["relu", "swiglu"])
def test_no_model_sees_the_future(name: str, activation: str) -> None:
    assert not _leaks(_built(name, activation, layers=3), synthetic.BLOCK)
    assert not _leaks(_built(name, activation, layers=2, width=64, context=96), 96)


class SamePadded(nn.Module):
    """The earlier study's mistake: a convolution padded on both sides."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.tokens = nn.Embedding(SYMBOLS, width)
        self.convolve = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.head = nn.Linear(width, SYMBOLS)

    def forward(self, codes: Tensor) -> Tensor:
        x = self.convolve(self.tokens(codes).transpose(1, 2)).transpose(1, 2)
        return self.head(x)


def test_the_check_catches_a_convolution_padded_on_both_sides() -> None:
    torch.manual_seed(0)
    assert _leaks(SamePadded(), synthetic.BLOCK)


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_past_can_matter(name: str) -> None:
    # Three dilations (1, 2, 4) and a kernel of 3 reach 14 characters back.
    model, length = _built(name, "gelu", layers=3).eval(), 15
    codes = _codes(1, length)
    changed = codes.clone()
    changed[:, 0] = (codes[:, 0] + 1) % SYMBOLS
    with torch.no_grad():
        assert not torch.equal(model(codes)[:, -1], model(changed)[:, -1])


@pytest.mark.parametrize(("layers", "context"), [(1, 4), (3, 16), (8, 32), (20, 256)])
def test_no_convolution_reaches_past_the_context(layers: int, context: int) -> None:
    found = dilations(replace(_spec(), layers=layers, context=context))
    assert len(found) == layers
    assert found[0] == 1
    assert all(2 * dilation < context for dilation in found)
    assert all(b in (1, 2 * a) for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_the_causal_convolution_is_torchs_padded_on_the_left(dilation: int) -> None:
    torch.manual_seed(0)
    ours, theirs = CausalConvolution(4, 6, 3, dilation), nn.Conv1d(4, 6, 3, dilation=dilation)
    with torch.no_grad():
        theirs.weight.copy_(ours.weights.weight.view(6, 3, 4).transpose(1, 2))
        assert theirs.bias is not None
        theirs.bias.copy_(ours.weights.bias)
    x = torch.randn(2, 11, 4)
    padded = nn.functional.pad(x.transpose(1, 2), (2 * dilation, 0))
    torch.testing.assert_close(ours(x), theirs(padded).transpose(1, 2))


@pytest.mark.parametrize("name", MODELS)
def test_every_activation_changes_the_logits(name: str) -> None:
    codes = _codes()
    with torch.no_grad():
        logits = [_built(name, activation).eval()(codes) for activation in activation_names()]
    for a, b in itertools.combinations(logits, 2):
        assert not torch.allclose(a, b, atol=1e-6)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.Size]]:
    """A registered activation, `counted`, that records the shapes it is called with."""
    shapes: list[torch.Size] = []

    def counted(x: Tensor) -> Tensor:
        shapes.append(x.shape)
        return torch.relu(x)

    registered = Activation("counted", counted, gated=False)
    monkeypatch.setitem(actrepro.models.activations._REGISTRY, "counted", registered)
    return iter([shapes])


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("name", "outside"),
    [(name, {"hybridlm": 1, "tinylstm": 1}.get(name, 0)) for name in MODELS],
)
def test_every_layer_calls_the_activation(
    calls: Iterator[list[torch.Size]], name: str, outside: int, layers: int
) -> None:
    shapes = next(calls)
    _built(name, "counted", layers=layers)(_codes(2))
    inside = 0 if name == "tinylstm" else layers
    assert len(shapes) == inside + outside
    assert all(shape[:2] == (2, synthetic.BLOCK) for shape in shapes)


def _other_nonlinearities(model: nn.Module) -> list[nn.Module]:
    kinds = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.LeakyReLU)
    return [module for module in model.modules() if isinstance(module, kinds)]


@pytest.mark.parametrize("name", MODELS)
def test_no_activation_stands_beside_the_one_under_study(name: str) -> None:
    assert _other_nonlinearities(_built(name)) == []


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("activation", activation_names())
def test_a_new_model_knows_nothing(name: str, activation: str) -> None:
    protocol = default_study().protocols["quick"]
    model = build_from_protocol(name, protocol, activation, SYMBOLS, seed=1).eval()
    codes = _codes(16, protocol.context + 1)
    with torch.no_grad():
        logits = model(codes[:, :-1]).flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, codes[:, 1:].flatten())
    assert loss.item() == pytest.approx(np.log(SYMBOLS), abs=0.1)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tinylstm"])
def test_initial_weights_are_normal_with_a_small_spread(name: str) -> None:
    model = _built(name, layers=3, width=64)
    smaller = ("project.weight", "contract.weight") if name == "minigpt" else ()
    for key, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            scale = 1 / np.sqrt(2 * 3) if f"{key}.weight".endswith(smaller or "none") else 1.0
            values = module.weight.detach().flatten()
            # Five standard errors.
            tolerance = 5 * 0.02 / np.sqrt(2 * len(values))
            assert values.std().item() == pytest.approx(0.02 * scale, abs=tolerance), key
            assert values.mean().item() == pytest.approx(0, abs=2 * tolerance), key
        if isinstance(module, nn.Linear) and module.bias is not None:
            assert not module.bias.any(), key
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all(), key
            assert not module.bias.any(), key


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_minigpts_residual_projections_start_smaller_by_the_depth(layers: int) -> None:
    ours, plain = _built("minigpt", layers=layers), _built("nanotransformer", layers=layers)
    ratio = [
        dict(ours.named_parameters())[f"blocks.0.{key}"].std().item()
        / dict(plain.named_parameters())[f"blocks.0.{key}"].std().item()
        for key in ("attention.project.weight", "mlp.contract.weight")
    ]
    assert ratio == pytest.approx([1 / np.sqrt(2 * layers)] * 2, rel=0.15)


@pytest.mark.parametrize("name", ["hybridlm", "tinylstm"])
def test_the_forget_gates_start_open(name: str) -> None:
    lstms = [module for module in _built(name).modules() if isinstance(module, nn.LSTM)]
    assert len(lstms) == {"hybridlm": 1, "tinylstm": 2}[name]
    for lstm in lstms:
        hidden = lstm.hidden_size
        gates = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().view(4, hidden)
        assert gates.unique(dim=1).flatten().tolist() == [0, 1, 0, 0]
        widest = lstm.weight_hh_l0.abs().max().item()
        assert widest == pytest.approx(hidden**-0.5, rel=0.05)


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_decides_the_weights(name: str) -> None:
    first = _weights(_built(name, seed=1))
    torch.manual_seed(99)
    assert torch.equal(first, _weights(_built(name, seed=1)))
    assert not torch.equal(first, _weights(_built(name, seed=2)))


@pytest.mark.parametrize("name", MODELS)
def test_building_with_a_seed_leaves_the_global_stream_alone(name: str) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    _built(name, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_without_a_seed_the_weights_follow_the_global_stream() -> None:
    built = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model = build_model("charlm", scale="quick", activation="relu", symbols=SYMBOLS)
        built.append(_weights(model))
    assert torch.equal(built[0], built[1])
    assert not torch.equal(built[0], built[2])


def _dropouts(model: nn.Module) -> set[float]:
    found = {module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    found |= {module.dropout for module in model.modules() if isinstance(module, nn.LSTM)}
    return found | {module.drop for module in model.modules() if hasattr(module, "drop")}


@pytest.mark.parametrize("name", MODELS)
def test_dropout_acts_in_training_only_and_never_in_nanotransformer(name: str) -> None:
    model = _built(name, dropout=0.3)
    assert (0.3 in _dropouts(model)) == (name != "nanotransformer")
    codes = _codes()
    with torch.no_grad():
        trained = torch.equal(model.train()(codes), model(codes))
        evaluated = torch.equal(model.eval()(codes), model(codes))
    assert trained == (name == "nanotransformer")
    assert evaluated


def test_nanotransformer_has_no_dropout_at_all() -> None:
    assert _dropouts(_built("nanotransformer", dropout=0.3)) == {0.0}


def test_only_minigpt_drops_embeddings() -> None:
    dropped = {name: _built(name, dropout=0.3) for name in ("charlm", "minigpt")}
    assert {name: model.dropout.p for name, model in dropped.items()} == {
        "charlm": 0.0,
        "minigpt": 0.3,
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_row_does_not_depend_on_the_other_rows(name: str) -> None:
    model, codes = _built(name).eval(), _codes(8)
    with torch.no_grad():
        together = model(codes)
        alone = torch.cat([model(row[None]) for row in codes])
        others = model(torch.cat([codes[:1], _codes(7, seed=5)]))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(together[0], others[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("charm", "cpu", "relu"), "model 'charm' is not known; did you mean 'charlm'?"),
        (("charlm", "cpus", "relu"), "scale 'cpus' is not known; did you mean 'cpu'?"),
        (("charlm", "cpu", "gelo"), "activation 'gelo' is not known; did you mean 'gelu'?"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    names: tuple[str, str, str], message: str
) -> None:
    name, scale, activation = names
    with pytest.raises(ActreproError) as caught:
        build_model(name, scale=scale, activation=activation)
    assert str(caught.value).startswith(message)


def test_symbols_default_to_those_of_the_scales_corpus() -> None:
    model = build_model("charlm", scale="quick", activation="relu")
    assert model.head.out_features == default_study().corpora["gutenberg-plays"].symbols


MINE = """
from torch import nn

class Mine(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.tokens = nn.Embedding(spec.symbols, spec.symbols)
        self.activate = spec.activation.function

    def forward(self, codes):
        return self.activate(self.tokens(codes))

def build(spec):
    return Mine(spec)
"""

Own = Callable[[str, str], nn.Module]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    """Write a module and build the model `mine` from its dotted path."""
    monkeypatch.syspath_prepend(tmp_path)

    def build(path: str, source: str) -> nn.Module:
        file = tmp_path.joinpath(*path.split(".")).with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        return build_from_protocol(
            "mine", synthetic.protocol(), "gelu", 7, seed=0, custom_models={"mine": path}
        )

    return build


@pytest.mark.parametrize("path", ["own_folder.own_model", "own_lone_model"])
def test_a_users_model_is_a_modules_path(own: Own, path: str) -> None:
    model = own(path, MINE)
    assert model(torch.tensor([[1, 2]])).shape == (1, 2, 7)


def test_build_model_takes_a_dotted_path(own: Own) -> None:
    own("own_other.model", MINE)
    built = build_model("own_other.model", scale="quick", activation="relu", symbols=7)
    assert type(built).__name__ == "Mine"


def test_a_module_that_is_missing_or_cannot_be_imported_is_named(own: Own) -> None:
    with pytest.raises(ActreproError, match=r"model 'mine': cannot import no\.such"):
        build_from_protocol(
            "mine", synthetic.protocol(), "relu", 7, custom_models={"mine": "no.such"}
        )
    with pytest.raises(ActreproError, match=r"model 'mine': cannot import own_bad\.one .*nothing"):
        own("own_bad.one", "import nothing_of_that_name")


def test_a_module_without_build_is_named(own: Own) -> None:
    with pytest.raises(ActreproError, match=r"model 'mine': own_empty\.one has no function build"):
        own("own_empty.one", "")
