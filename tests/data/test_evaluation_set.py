"""Properties of the evaluation set for any text and context, and the baselines by hand."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_npz
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import (
    EvaluationSet,
    evaluation_set,
    load_evaluation,
    make_evaluation,
    ngram_baseline,
)
from actrepro.data.sources import make_corpus


def _corpus(length: int, symbols: int = 7, seed: int = 0) -> Corpus:
    draws = np.random.default_rng(seed).integers(0, symbols, length)
    return Corpus.of_text("".join(chr(ord("a") + draw) for draw in draws))


SETS = st.tuples(
    st.integers(2000, 6000), st.integers(1, 99), st.none() | st.integers(100, 400)
).map(lambda drawn: (_corpus(drawn[0], seed=drawn[0]), *drawn[1:]))


@settings(deadline=None)
@given(SETS)
def test_each_character_of_the_test_half_is_scored_once(
    drawn: tuple[Corpus, int, int | None],
) -> None:
    corpus, context, test_characters = drawn
    made = evaluation_set(corpus, context, test_characters)
    expected = len(corpus.test) if test_characters is None else test_characters
    stop = corpus.selection_end + min(expected, len(corpus.test))
    np.testing.assert_array_equal(made.positions, np.arange(corpus.selection_end, stop))
    np.testing.assert_array_equal(made.targets, corpus.codes[made.positions])
    assert len(set(zip(made.window.tolist(), made.offset.tolist(), strict=True))) == len(
        made.targets
    )


@settings(deadline=None)
@given(SETS)
def test_each_target_has_at_least_half_a_context(
    drawn: tuple[Corpus, int, int | None],
) -> None:
    corpus, context, test_characters = drawn
    made = evaluation_set(corpus, context, test_characters)
    assert made.offset.min() + 1 >= context / 2
    assert made.offset.max() < context
    for window, offset, position in zip(made.window, made.offset, made.positions, strict=True):
        np.testing.assert_array_equal(
            made.inputs[window, : offset + 1], corpus.codes[position - offset - 1 : position]
        )
    # The context stays out of the training text.
    assert (made.positions - made.offset - 1).min() >= corpus.train_end


@settings(deadline=None)
@given(SETS)
def test_the_full_windows_lie_in_the_test_half(drawn: tuple[Corpus, int, int | None]) -> None:
    corpus, context, test_characters = drawn
    made = evaluation_set(corpus, context, test_characters)
    count = min(1000, len(corpus.test) - context)
    assert made.last_inputs.shape == (count, context)
    windows = np.lib.stride_tricks.sliding_window_view(corpus.test, context + 1)
    begins = np.arange(count) * len(windows) // count
    assert len(set(begins)) == count
    np.testing.assert_array_equal(made.last_inputs, windows[begins, :-1])
    np.testing.assert_array_equal(made.last_targets, windows[begins, -1])


def test_there_are_no_more_windows_than_needed() -> None:
    corpus = _corpus(20_000)
    for context, stride in ((32, 17), (33, 17)):
        made = evaluation_set(corpus, context, None)
        assert len(made.inputs) == -(-1000 // stride)


def test_fewer_targets_than_a_window_holds() -> None:
    made = evaluation_set(_corpus(20_000), 600, 100)
    assert made.inputs.shape == (1, 600)
    assert made.offset.tolist() == list(range(500, 600))


def test_the_context_must_fit() -> None:
    with pytest.raises(ActreproError, match="context 100 needs 101"):
        evaluation_set(_corpus(2000), 100, None)


@pytest.fixture
def made() -> EvaluationSet:
    return evaluation_set(_corpus(3000), 16, None)


def test_save_and_load_are_inverse(tmp_path: Path, made: EvaluationSet) -> None:
    made.save(tmp_path / "a.npz")
    loaded = load_evaluation(tmp_path / "a.npz")
    assert loaded.sha256 == made.sha256
    assert (loaded.context, loaded.symbols) == (16, "abcdefg")
    assert loaded.inputs.dtype == np.uint8
    assert (loaded.window.dtype, loaded.offset.dtype) == (np.int32, np.int32)
    loaded.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("name", [*EvaluationSet.__dataclass_fields__])
def test_the_hash_covers_every_part(made: EvaluationSet, name: str) -> None:
    value = getattr(made, name)
    changed = value[:-1] if isinstance(value, str) else np.where(value == value.max(), 0, value)
    parts = {**vars(made), name: changed}
    assert EvaluationSet(**parts).sha256 != made.sha256


def test_the_hash_is_of_values_not_of_layout(made: EvaluationSet) -> None:
    parts = {**vars(made), "inputs": np.asfortranarray(made.inputs)}
    parts["window"] = made.window.astype(">i4")
    assert EvaluationSet(**parts).sha256 == made.sha256


def test_another_npz_is_no_evaluation_set(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=[1])
    with pytest.raises(ActreproError, match=r"a\.npz: found arrays \['x'\]"):
        load_evaluation(tmp_path / "a.npz")


def _by_hand(corpus: Corpus, order: int, smoothing: float) -> tuple[float, float]:
    """Compute loss and accuracy over the test half, character by character."""
    text = corpus.decode(corpus.codes)
    back = order - 1
    train = text[: corpus.train_end]
    grams = Counter(train[i - back : i + 1] for i in range(back, len(train)))
    losses, hits = [], []
    for i in range(corpus.selection_end, len(text)):
        counts = [grams[text[i - back : i] + symbol] for symbol in corpus.symbols]
        weights = np.array(counts) + smoothing
        probabilities = weights / weights.sum()
        target = corpus.symbols.index(text[i])
        losses.append(-np.log(probabilities[target]))
        hits.append(int(probabilities.argmax()) == target)
    return float(np.mean(losses)), float(np.mean(hits))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("symbols", [2, 20])
@pytest.mark.parametrize("smoothing", [1.0, 0.1])
def test_baselines_by_hand(order: int, symbols: int, smoothing: float) -> None:
    corpus = _corpus(2000, symbols)
    positions = np.arange(corpus.selection_end, len(corpus.codes))
    scores = ngram_baseline(corpus, positions, order, smoothing)
    assert scores == pytest.approx(_by_hand(corpus, order, smoothing))


@given(st.integers(2, 30))
@settings(deadline=None, max_examples=10)
def test_a_text_without_structure_has_the_loss_of_its_alphabet(symbols: int) -> None:
    corpus = _corpus(40_000, symbols)
    assume(len(corpus.symbols) == symbols)
    positions = np.arange(corpus.selection_end, len(corpus.codes))
    loss, _ = ngram_baseline(corpus, positions, 1)
    assert loss == pytest.approx(np.log(symbols), rel=0.01)


def test_thousands_of_symbols_fit() -> None:
    corpus = Corpus.of_text("".join(map(chr, range(0x4E00, 0x4E00 + 5000))) * 2)
    positions = np.arange(corpus.selection_end, len(corpus.codes))
    loss, accuracy = ngram_baseline(corpus, positions, 3)
    assert accuracy == 1
    assert loss == pytest.approx(np.log(5001 / 2))


def test_the_manifest(tmp_path: Path) -> None:
    corpus = _corpus(3000)
    corpus.save(tmp_path / "corpus.npz")
    output, manifest = tmp_path / "evaluation-16.npz", tmp_path / "evaluation-16.json"
    make_evaluation(tmp_path / "corpus.npz", 16, 120, output, manifest)
    content = read_json(manifest)
    baselines = content.pop("baselines")
    assert list(baselines) == ["unigram", "bigram", "trigram"]
    for order, scores in enumerate(baselines.values(), start=1):
        made = load_evaluation(output)
        expected = ngram_baseline(corpus, made.positions, order)
        assert (scores["loss"], scores["accuracy"]) == expected
    assert content == {
        "block": 16,
        "characters": 120,
        "first_position": corpus.selection_end,
        "windows": 14,
        "last_windows": 134,
        "sha256": load_evaluation(output).sha256,
        "corpus_sha256": corpus.sha256,
        "smoothing": 1.0,
        "selection_bigram_loss": ngram_baseline(
            corpus, np.arange(corpus.train_end, corpus.selection_end), 2
        )[0],
    }


@pytest.mark.skipif("ACTREPRO_CORPORA" not in os.environ, reason="ACTREPRO_CORPORA names no copy")
def test_tinyshakespeare(tmp_path: Path) -> None:
    corpus = default_study().corpora["tinyshakespeare"]
    make_corpus("tinyshakespeare", corpus, tmp_path / "c.npz", tmp_path / "c.json")
    make_evaluation(tmp_path / "c.npz", 256, None, tmp_path / "e.npz", tmp_path / "e.json")
    content = read_json(tmp_path / "e.json")
    assert (content["characters"], content["windows"], content["last_windows"]) == (
        55_770,
        433,
        1000,
    )
    assert content["baselines"] == {
        "unigram": {
            "loss": pytest.approx(3.3620, abs=1e-4),
            "accuracy": pytest.approx(0.1460, abs=1e-4),
        },
        "bigram": {
            "loss": pytest.approx(2.4895, abs=1e-4),
            "accuracy": pytest.approx(0.2707, abs=1e-4),
        },
        "trigram": {
            "loss": pytest.approx(2.0994, abs=1e-4),
            "accuracy": pytest.approx(0.3758, abs=1e-4),
        },
    }
