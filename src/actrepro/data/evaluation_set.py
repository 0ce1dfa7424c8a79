"""The frozen evaluation set: the same characters, in the same contexts, for every run.

The test half (or its first `test_characters`) is predicted once, in order. Windows of
`block` characters slide over it in steps of `block` - h + 1, where h = ceil(block / 2):
each scores only its predictions that have at least h characters before them. The first
of them look back into the selection half, which is context and never scored.

For comparison with the earlier protocol there are also the last predictions of at most
1,000 full windows, spread evenly over the whole test half.

N-gram tables of the training text are scored on the same characters: a model that has
learned beats them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actrepro.core.errors import ActreproError
from actrepro.core.files import read_npz, write_json, write_npz
from actrepro.data.corpus import Codes, Corpus, code_points, load_corpus, text_of

LAST_WINDOWS = 1000
BASELINES = {"unigram": 1, "bigram": 2, "trigram": 3}
SMOOTHING = 1.0  # added to every count


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """What every run predicts: N characters in W windows, and K full windows.

    Attributes
    ----------
    inputs
        [W, block] codes.
    window, offset
        [N]: the logits at `inputs[window[n], offset[n]]` predict `targets[n]`.
    positions
        [N] index of each target in the corpus, ascending without gaps.
    targets
        [N] codes.
    last_inputs
        [K, block] codes; only the logits at the last offset count.
    last_targets
        [K] codes.
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
    def block(self) -> int:
        """The context length."""
        return int(self.inputs.shape[1])

    @property
    def sha256(self) -> str:
        """Hash of all arrays (name, type, shape, values) and the symbols."""
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


def evaluation_set(corpus: Corpus, block: int, test_characters: int | None) -> EvaluationSet:
    """Cut the evaluation set for a context of `block` characters.

    Parameters
    ----------
    test_characters
        How much of the test half is predicted: all of it when None or when it is shorter.

    Raises
    ------
    ActreproError
        When the corpus is too short for the context.
    """
    corpus.require_context(block)
    start = corpus.selection_end
    stop = min(len(corpus.codes), start + (test_characters or len(corpus.test)))
    positions = np.arange(start, stop, dtype=np.int64)
    needed = -(-block // 2)
    stride = block - needed + 1
    begins = np.arange(start, stop, stride, dtype=np.int64) - needed
    # The last window moves back to end where the text does; its targets stay the same.
    begins[-1] = stop - 1 - block
    window = (positions - start) // stride
    lasts = _last_windows(start, len(corpus.codes), block)
    return EvaluationSet(
        inputs=_windows(corpus.codes, begins, block),
        window=window.astype(np.int32),
        offset=(positions - 1 - begins[window]).astype(np.int32),
        positions=positions,
        targets=corpus.codes[positions],
        last_inputs=_windows(corpus.codes, lasts, block),
        last_targets=corpus.codes[lasts + block],
        symbols=corpus.symbols,
    )


def _last_windows(start: int, end: int, block: int) -> NDArray[np.int64]:
    """Where full windows begin whose inputs and targets all lie in the test half."""
    choices = end - start - block
    count = min(LAST_WINDOWS, choices)
    return start + np.arange(count, dtype=np.int64) * choices // count


def _windows(codes: Codes, begins: NDArray[np.int64], block: int) -> Codes:
    return codes.take(begins[:, None] + np.arange(block))


def load_evaluation(path: str | Path) -> EvaluationSet:
    """The set that `EvaluationSet.save` wrote.

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
    """Loss (nats per character) and accuracy of an n-gram table of the training text.

    The probability of a character after the `order` - 1 before it is its count there plus
    `smoothing`, normalised. The predicted character is the likeliest, the first in the
    order of symbols among equals. Losses and hits are averaged over `positions`.

    The tables are sparse (sorted keys), so that a text with thousands of symbols fits.
    """
    codes, base = corpus.codes.astype(np.int64), len(corpus.symbols)
    train = np.arange(order - 1, corpus.train_end)
    keys, counts = np.unique(_keys(codes, train, order, base), return_counts=True)
    contexts, totals = _totals(keys // base, counts)

    wanted = _keys(codes, positions, order, base)
    count = _looked_up(keys, counts, wanted)
    total = _looked_up(contexts, totals, wanted // base)
    losses = np.log(total + smoothing * base) - np.log(count + smoothing)
    guesses = _looked_up(contexts, _likeliest(keys, counts, base), wanted // base)
    return float(losses.mean()), float((guesses == codes[positions]).mean())


def _keys(
    codes: NDArray[np.int64], positions: NDArray[np.int64], order: int, base: int
) -> NDArray[np.int64]:
    """Each position's character and the `order` - 1 before it, as one number."""
    keys = np.zeros(len(positions), np.int64)
    for back in range(order - 1, -1, -1):
        keys = keys * base + codes[positions - back]
    return keys


def _totals(
    contexts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    distinct, first = np.unique(contexts, return_index=True)
    return distinct, np.add.reduceat(counts, first)


def _likeliest(keys: NDArray[np.int64], counts: NDArray[np.int64], base: int) -> NDArray[np.int64]:
    """Per context, in the contexts' order, the character with the highest count."""
    ranked = keys[np.lexsort((keys, -counts, keys // base))]
    _, first = np.unique(ranked // base, return_index=True)
    return ranked[first] % base


def _looked_up(
    keys: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The values at the wanted keys (sorted, distinct), 0 where there is none."""
    index = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[index] == wanted, values[index], 0)


def make_evaluation(
    corpus_path: Path, block: int, test_characters: int | None, output: Path, manifest: Path
) -> None:
    """Cut the evaluation set of a corpus, score the baselines, and write both.

    Raises
    ------
    ActreproError
        When the corpus cannot be read or is too short for the context.
    """
    corpus = load_corpus(corpus_path)
    made = evaluation_set(corpus, block, test_characters)
    made.save(output)
    write_json(
        manifest,
        {
            "block": block,
            "characters": len(made.targets),
            "first_position": int(made.positions[0]),
            "windows": len(made.inputs),
            "last_windows": len(made.last_inputs),
            "sha256": made.sha256,
            "corpus_sha256": corpus.sha256,
            "smoothing": SMOOTHING,
            "baselines": _baselines(corpus, made.positions),
            # Where a run's loss on the selection text must be for it to have learned.
            "selection_bigram_loss": ngram_baseline(
                corpus, np.arange(corpus.train_end, corpus.selection_end), BASELINES["bigram"]
            )[0],
        },
    )


def _baselines(corpus: Corpus, positions: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    scores = {name: ngram_baseline(corpus, positions, order) for name, order in BASELINES.items()}
    return {name: {"loss": loss, "accuracy": hits} for name, (loss, hits) in scores.items()}
