"""A corpus: one text as codes of its characters, cut into train, selection and test.

The first 90% is training text. The first half of the rest selects checkpoints; only
the second half is reported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from actrepro.core.errors import ActreproError
from actrepro.core.files import read_npz, write_npz

Codes = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text and its split.

    Attributes
    ----------
    codes
        `[characters]`, each an index into `symbols`.
    symbols
        The text's distinct characters, sorted.
    train_end, selection_end
        End of the training text, and start of the test half.
    sha256
        Hash of the text as UTF-8.
    """

    codes: Codes
    symbols: str
    train_end: int
    selection_end: int
    sha256: str

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Encode the characters of a text and split it."""
        points = code_points(text)
        symbols, codes = np.unique(points, return_inverse=True)
        train_end = int(0.9 * len(points))
        return cls(
            codes=_narrow(codes, len(symbols)),
            symbols=text_of(symbols),
            train_end=train_end,
            selection_end=train_end + (len(points) - train_end) // 2,
            sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        )

    @property
    def train(self) -> Codes:
        """Codes that models are trained on."""
        return self.codes[: self.train_end]

    @property
    def selection(self) -> Codes:
        """Codes that checkpoints are selected on."""
        return self.codes[self.train_end : self.selection_end]

    @property
    def test(self) -> Codes:
        """Codes that every reported number comes from."""
        return self.codes[self.selection_end :]

    def encode(self, text: str) -> Codes:
        """Return the codes of a text's characters.

        Raises
        ------
        ActreproError
            For a character that the corpus lacks.
        """
        points, symbols = code_points(text), code_points(self.symbols)
        codes = np.searchsorted(symbols, points).clip(max=len(symbols) - 1)
        unknown = points[symbols[codes] != points]
        if len(unknown):
            raise ActreproError(
                f"character {chr(unknown[0])!r} is not in the corpus; it has: {self.symbols!r}"
            )
        return _narrow(codes, len(symbols))

    def decode(self, codes: NDArray[Any]) -> str:
        """Return the text that codes stand for."""
        return text_of(code_points(self.symbols)[codes])

    def require_context(self, context: int) -> None:
        """Check that every part of the split can fill a context.

        A window takes `context` characters and the one after them. Training cuts windows
        from the training text, the history from the selection half, and the evaluation
        set's full windows from the test half.

        Raises
        ------
        ActreproError
            When a part is shorter than `context` + 1 characters.
        """
        parts = {"train": self.train, "selection": self.selection, "test": self.test}
        name, part = min(parts.items(), key=lambda item: len(item[1]))
        if len(part) < context + 1:
            raise ActreproError(
                f"context {context} needs {context + 1} characters in each part of the corpus, "
                f"and the {name} part has {len(part)}; choose a shorter context or a longer text"
            )

    def save(self, path: str | Path) -> None:
        """Write the corpus as .npz; the same text gives the same bytes."""
        write_npz(
            path,
            codes=self.codes,
            symbols=code_points(self.symbols),
            ends=np.array([self.train_end, self.selection_end], np.int64),
            sha256=np.array(self.sha256),
        )


def _narrow(codes: NDArray[np.intp], symbols: int) -> Codes:
    return codes.astype(np.uint8) if symbols <= 256 else codes.astype(np.uint16)


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the Unicode code points of a text, `[characters]`."""
    return np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))


def text_of(points: NDArray[np.uint32]) -> str:
    """Return the text with these Unicode code points."""
    return points.astype("<u4").tobytes().decode("utf-32-le")


def load_corpus(path: str | Path) -> Corpus:
    """Read a corpus that `Corpus.save` wrote.

    Raises
    ------
    ActreproError
        When the file is missing, damaged, or not a corpus.
    """
    arrays = read_npz(path)
    if arrays.keys() != {"codes", "symbols", "ends", "sha256"}:
        raise ActreproError(
            f"{path}: found arrays {sorted(arrays)}, which are not a corpus; "
            "delete the file and run again"
        )
    train_end, selection_end = arrays["ends"].tolist()
    return Corpus(
        codes=arrays["codes"],
        symbols=text_of(arrays["symbols"]),
        train_end=train_end,
        selection_end=selection_end,
        sha256=str(arrays["sha256"]),
    )
