"""The frozen evaluation set: the same characters, in the same contexts, for every run.

The test half (or its first `test_characters`) is predicted once, in order. Windows of
c characters, the context, slide over it in steps of c - h + 1, where h = ceil(c / 2):
each scores only those of its predictions that have at least h characters before them.
The first windows begin in the selection half, which serves as context and is never scored.

For comparison with the earlier protocol, the set also has the last predictions of at most
1,000 full windows, spread evenly over the whole test half.

N-gram tables of the training text are scored on the same characters; a model that has
learned beats them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actrepro.core.errors import ActreproError
from actrepro.core.files import read_npz, write_json, write_npz
from actrepro.data.corpus import Codes, Corpus, code_points, load_corpus, text_of
from actrepro.data.shapes import Baseline, Evaluation, Table

LAST_WINDOWS = 1000
BASELINES: Mapping[Table, int] = {"unigram": 1, "bigram": 2, "trigram": 3}
SMOOTHING = 1.0  # added to every count


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Text that every run predicts: N characters in W windows, and K full windows.

    Attributes
    ----------
    inputs
        `[W, context]` codes.
    window, offset
        `[N]`; the logits at `inputs[window[n], offset[n]]` predict `targets[n]`.
    positions
        `[N]` index of each target in the corpus, ascending without gaps.
    targets
        `[N]` codes.
    last_inputs
        `[K, context]` codes; only the logits at the last offset count.
    last_targets
        `[K]` codes.
    symbols
        The corpus's characters.
    """

    inputs: Codes
    window: NDArray[np.int32]
    offset: NDArray[np.int32]
    positions: NDArray[np.int64]
    targets: Codes
    last_inputs: Codes
    last_targets: Codes
    symbols: str

    @property
    def context(self) -> int:
        """Context length in characters."""
        return int(self.inputs.shape[1])

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of all arrays (name, type, shape, values) and the symbols."""
        digest = hashlib.sha256()
        for name, array in self._arrays().items():
            little = array.astype(array.dtype.newbyteorder("<"), order="C")
            digest.update(f"{name} {little.dtype.str} {little.shape}\n".encode())
            digest.update(little.tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the set as .npz; the same set gives the same bytes."""
        write_npz(path, **self._arrays())

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {name: value for name, value in vars(self).items() if name != "symbols"}
        return {**arrays, "symbols": code_points(self.symbols)}


def evaluation_set(corpus: Corpus, context: int, test_characters: int | None) -> EvaluationSet:
    """Cut the evaluation set for a context of `context` characters.

    Parameters
    ----------
    test_characters
        Length of the part of the test half that is predicted: all of it when None or when
        it is shorter.

    Raises
    ------
    ActreproError
        When the corpus is too short for the context.
    """
    corpus.require_context(context)
    start = corpus.selection_end
    stop = min(len(corpus.codes), start + (test_characters or len(corpus.test)))
    positions = np.arange(start, stop, dtype=np.int64)
    # A window's first target has `needed` characters before it, its last one `context`.
    needed = -(-context // 2)
    stride = context - needed + 1
    begins = np.arange(start, stop, stride, dtype=np.int64) - needed
    # The last window moves back to end where the text does; its targets stay the same.
    begins[-1] = stop - 1 - context
    window = (positions - start) // stride
    lasts = _last_windows(start, len(corpus.codes), context)
    return EvaluationSet(
        inputs=_windows(corpus.codes, begins, context),
        window=window.astype(np.int32),
        offset=(positions - 1 - begins[window]).astype(np.int32),
        positions=positions,
        targets=corpus.codes[positions],
        last_inputs=_windows(corpus.codes, lasts, context),
        last_targets=corpus.codes[lasts + context],
        symbols=corpus.symbols,
    )


def _last_windows(start: int, end: int, context: int) -> NDArray[np.int64]:
    """Return the starts of full windows whose inputs and targets all lie in the test half."""
    choices = end - start - context
    count = min(LAST_WINDOWS, choices)
    return start + np.arange(count, dtype=np.int64) * choices // count


def _windows(codes: Codes, begins: NDArray[np.int64], context: int) -> Codes:
    return codes.take(begins[:, None] + np.arange(context))


def load_evaluation(path: str | Path) -> EvaluationSet:
    """Read an evaluation set that `EvaluationSet.save` wrote.

    Raises
    ------
    ActreproError
        When the file is missing, damaged, or not an evaluation set.
    """
    arrays = read_npz(path)
    if arrays.keys() != {field.name for field in fields(EvaluationSet)}:
        raise ActreproError(
            f"{path}: found arrays {sorted(arrays)}, which are not an evaluation set; "
            "delete the file and run again"
        )
    symbols = text_of(arrays.pop("symbols"))
    return EvaluationSet(**arrays, symbols=symbols)


def ngram_baseline(
    corpus: Corpus, positions: NDArray[np.int64], order: int, smoothing: float = SMOOTHING
) -> tuple[float, float]:
    """Compute loss (nats per character) and accuracy of an n-gram table of the training text.

    The probability of a character after the `order` - 1 characters before it is its count
    there plus `smoothing`, normalised. The predicted character is the most probable; of
    equals, the first in the order of symbols. Losses and hits are averaged over `positions`.

    The tables are sparse (sorted keys), so that texts with thousands of symbols fit in memory.
    """
    codes, base = corpus.codes.astype(np.int64), len(corpus.symbols)
    train = np.arange(order - 1, corpus.train_end)
    keys, counts = np.unique(_keys(codes, train, order, base), return_counts=True)
    contexts, totals = _totals(keys // base, counts)

    wanted = _keys(codes, positions, order, base)
    count = _look_up(keys, counts, wanted)
    total = _look_up(contexts, totals, wanted // base)
    losses = np.log(total + smoothing * base) - np.log(count + smoothing)
    # In a context that training never saw, all are equally probable: the first symbol, code 0.
    guesses = _look_up(contexts, _most_probable(keys, counts, base), wanted // base)
    return float(losses.mean()), float((guesses == codes[positions]).mean())


def _keys(
    codes: NDArray[np.int64], positions: NDArray[np.int64], order: int, base: int
) -> NDArray[np.int64]:
    """Encode each position's character and the `order` - 1 before it as one number.

    The digits to base `base` are the codes, the position's own last: `key // base` is its context.
    """
    keys = np.zeros(len(positions), np.int64)
    for back in range(order - 1, -1, -1):
        keys = keys * base + codes[positions - back]
    return keys


def _totals(
    contexts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum counts by context, which are sorted; return the distinct contexts and their sums."""
    distinct, first = np.unique(contexts, return_index=True)
    return distinct, np.add.reduceat(counts, first)


def _most_probable(
    keys: NDArray[np.int64], counts: NDArray[np.int64], base: int
) -> NDArray[np.int64]:
    """Return the character with the highest count in each context, in the contexts' order."""
    # By context, then from the highest count, then from the lowest code: the first one wins.
    ranked = keys[np.lexsort((keys, -counts, keys // base))]
    _, first = np.unique(ranked // base, return_index=True)
    return ranked[first] % base


def _look_up(
    keys: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the values at the wanted keys, 0 where a key is missing; `keys` are sorted."""
    index = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[index] == wanted, values[index], 0)


def make_evaluation(
    corpus_path: Path, context: int, test_characters: int | None, output: Path, manifest: Path
) -> None:
    """Cut the evaluation set of a corpus, score the baselines, and write both.

    Raises
    ------
    ActreproError
        When the corpus cannot be read or is too short for the context.
    """
    corpus = load_corpus(corpus_path)
    made = evaluation_set(corpus, context, test_characters)
    made.save(output)
    described: Evaluation = {
        "block": context,
        "characters": len(made.targets),
        "first_position": int(made.positions[0]),
        "windows": len(made.inputs),
        "last_windows": len(made.last_inputs),
        "sha256": made.sha256,
        "corpus_sha256": corpus.sha256,
        "smoothing": SMOOTHING,
        "baselines": _baselines(corpus, made.positions),
        # A run has learned when its loss on the selection text is below this.
        "selection_bigram_loss": ngram_baseline(
            corpus, np.arange(corpus.train_end, corpus.selection_end), BASELINES["bigram"]
        )[0],
    }
    write_json(manifest, described)


def _baselines(corpus: Corpus, positions: NDArray[np.int64]) -> dict[Table, Baseline]:
    scores = {name: ngram_baseline(corpus, positions, order) for name, order in BASELINES.items()}
    return {name: {"loss": loss, "accuracy": hits} for name, (loss, hits) in scores.items()}
