"""The shapes of the files beside a text: a corpus's manifest and an evaluation set's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from actrepro.core.shapes import Count, Name, Positive, Probability, Sha256, closed

# An n-gram table.
Table = Literal["unigram", "bigram", "trigram"]


@closed
class CorpusManifest(TypedDict):
    """`corpus.json`: where a text came from, and its parts."""

    corpus: Name
    source: Literal["sdist", "download", "file"]
    origin: str
    sha256: Sha256
    characters: Count
    symbols: str
    train: Count
    selection: Count
    test: Count


@closed
class Baseline(TypedDict):
    """An n-gram table of the training text on the scored characters."""

    loss: Annotated[Positive, Field(description="Nats per character.")]
    accuracy: Annotated[Probability, Field(description="Share of characters.")]


@closed
class Evaluation(TypedDict):
    """The characters that every run predicted."""

    block: Annotated[Count, Field(description="Context length in characters.")]
    characters: Annotated[Count, Field(description="Scored at positions `all`.")]
    first_position: Annotated[Count, Field(description="Index in the corpus of the first of them.")]
    windows: Annotated[Count, Field(description="Windows they are predicted in.")]
    last_windows: Annotated[Count, Field(description="Full windows, scored at positions `last`.")]
    sha256: Annotated[Sha256, Field(description="Of the evaluation set.")]
    corpus_sha256: Annotated[Sha256, Field(description="Of the corpus.")]
    smoothing: Annotated[Positive, Field(description="Added to every count of the tables.")]
    baselines: Annotated[
        dict[Table, Baseline],
        Field(description="What tables of the training text reach on the same characters."),
    ]
    selection_bigram_loss: Annotated[
        Positive,
        Field(description="The bigram table's loss on the selection text, nats per character."),
    ]
