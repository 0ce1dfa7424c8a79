"""What follows from the program and a corpus alone: counts, parts, activations, sizes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import synthetic
import torch
from torch import nn

from actrepro.audit.config import parse_audit
from actrepro.audit.facts import (
    _activation,
    activation_facts,
    facts,
    parameter_counts,
    parts,
    write_facts,
)
from actrepro.config.names import model_names
from actrepro.config.reading import default_study
from actrepro.config.study import Study
from actrepro.core.files import read_json
from actrepro.data.corpus import Corpus
from actrepro.models import build_model, count_parameters
from actrepro.models.activations import Activation, get_activation

STUDY = default_study()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus.of_text(synthetic.text(20000))


@pytest.fixture(scope="module")
def written(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("facts")
    corpus.save(folder / "corpus.npz")
    write_facts(STUDY, folder / "corpus.npz", folder / "facts.json")
    found: dict[str, Any] = read_json(folder / "facts.json")
    return found


def only(*scales: str) -> Study:
    """The default study with these of its protocols."""
    protocols = {name: STUDY.protocols[name] for name in scales}
    return STUDY.model_copy(update={"protocols": protocols})


def test_the_same_facts_are_found_again(corpus: Corpus, written: dict[str, Any]) -> None:
    again = facts(only("cpu"), corpus)
    again["parameters"] = {**written["parameters"], **again["parameters"]}
    assert again == written


def test_counts_of_the_printed_sizes(written: dict[str, Any]) -> None:
    counts = written["parameters"]
    assert counts["cpu"]["charlm"] == 429_824
    assert counts["lite"]["charlm"] == 446_208
    assert counts["partial"]["charlm"] == 1_678_848
    assert counts["full"]["charlm"] == 10_795_776
    assert counts.keys() == STUDY.protocols.keys()
    assert all(found.keys() == set(model_names()) for found in counts.values())


@pytest.mark.parametrize("model", model_names())
def test_counts_without_memory_are_those_of_built_models(
    written: dict[str, Any], model: str
) -> None:
    built = build_model(model, scale="cpu", activation="relu")
    assert written["parameters"]["cpu"][model] == count_parameters(built)


def test_a_scale_whose_corpus_declares_no_symbols_is_left_out() -> None:
    corpora = {
        name: one.model_copy(update={"symbols": None}) if name == "gutenberg-plays" else one
        for name, one in STUDY.corpora.items()
    }
    counts = parameter_counts(only("quick", "cpu").model_copy(update={"corpora": corpora}))
    assert set(counts) == {"cpu"}


def test_models_of_untold_sizes_are_sized_to_match(written: dict[str, Any]) -> None:
    assert written["sized_to_match"] == ["convlm", "hybridlm", "tinylstm"]
    counts = written["parameters"]["cpu"]
    for name in written["sized_to_match"]:
        assert counts[name] == pytest.approx(counts["charlm"], rel=0.005)


def test_parts_of_the_built_in_models(written: dict[str, Any]) -> None:
    has = {
        name: {part for part, is_in in one.items() if is_in}
        for name, one in written["parts"].items()
    }
    assert has == {
        "charlm": {"attention", "dropout", "positions"},
        "minigpt": {"attention", "dropout", "positions"},
        "nanotransformer": {"attention", "positions"},
        "convlm": {"convolution", "dropout"},
        "hybridlm": {"attention", "recurrent", "convolution", "dropout"},
        "tinylstm": {"recurrent", "dropout"},
    }


def test_pooling_and_an_lstms_own_dropout_are_seen() -> None:
    pooled = nn.Sequential(nn.Conv1d(1, 1, 1), nn.MaxPool1d(2), nn.Dropout(0.0))
    assert [part for part, is_in in parts(pooled).items() if is_in] == ["convolution", "pooling"]
    lstm = nn.LSTM(2, 2, num_layers=2, dropout=0.2)
    assert [part for part, is_in in parts(lstm).items() if is_in] == ["recurrent", "dropout"]


def test_untrained_models_differ_between_activations(written: dict[str, Any]) -> None:
    assert written["untrained"].keys() == set(model_names())
    for losses in written["untrained"].values():
        assert tuple(losses) == parse_audit(STUDY).activations
        assert len(set(losses.values())) == len(losses)
        assert all(abs(one - math.log(len(synthetic.LETTERS))) < 1 for one in losses.values())


def test_the_corpus_in_numbers(written: dict[str, Any], corpus: Corpus) -> None:
    assert written["corpus"] == {
        "characters": 20000,
        "train": 18000,
        "validation": 2000,
        "symbols": len(corpus.symbols),
    }


def test_activations_on_their_grid() -> None:
    found = activation_facts()
    at = {name: dict(zip(one["x"], one["y"], strict=True)) for name, one in found.items()}
    assert at["relu"] == {x: max(x, 0) for x in at["relu"]}
    assert at["swish"][-0.5] == pytest.approx(-0.5 / (1 + math.exp(0.5)))
    assert [at["smelu_05"][x] for x in (-0.5, 0, 0.5)] == [0, 0.125, 0.5]
    assert [at["smelu_1"][x] for x in (-1, 0, 1)] == [0, 0.25, 1]
    assert "swiglu" not in found


def test_swish_is_least_where_it_should_be() -> None:
    swish = activation_facts()["swish"]
    assert swish["least"]["x"] == pytest.approx(-1.2785, abs=1e-3)
    assert swish["least"]["y"] == pytest.approx(-0.27846, abs=1e-5)
    assert not swish["rises_everywhere"]


def test_only_relus_slope_jumps_at_zero() -> None:
    found = activation_facts()
    assert all(one["jump_at_zero"] == pytest.approx(0, abs=1e-6) for one in found.values())
    jumps = {name: round(one["slope_jump_at_zero"], 3) for name, one in found.items()}
    assert {name for name, jump in jumps.items() if jump} == {"relu"}
    assert jumps["relu"] == 1


def test_smelu_is_farthest_from_relu_at_zero() -> None:
    found = activation_facts()
    assert found["smelu_05"]["farthest_from_relu"] == {"x": 0.0, "gap": 0.125}
    assert found["smelu_1"]["farthest_from_relu"] == {"x": 0.0, "gap": 0.25}


def test_none_of_them_learns_or_draws_anything() -> None:
    found = activation_facts()
    assert all(one["parameters"] == 0 and one["repeatable"] for one in found.values())


def test_what_is_learned_or_drawn_is_seen() -> None:
    slope = nn.Parameter(torch.tensor(0.25, dtype=torch.float64))
    learned = Activation("learned", lambda x: torch.where(x > 0, x, slope * x), gated=False)
    drawn = Activation("drawn", lambda x: x * torch.rand_like(x), gated=False)
    jumps = Activation("jumps", lambda x: x + (x > 0).to(x.dtype), gated=False)
    assert _activation(learned)["parameters"] == 1
    assert not _activation(drawn)["repeatable"]
    assert _activation(jumps)["jump_at_zero"] == pytest.approx(1)
    assert _activation(get_activation("relu"))["parameters"] == 0
