"""Making a corpus from its source: a source distribution, an address, or a user's file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from actrepro.config.protocol import Corpus as CorpusConfig
from actrepro.config.protocol import FileCorpus, SdistCorpus
from actrepro.core.errors import ActreproError
from actrepro.core.files import write_json
from actrepro.data.corpus import Corpus
from actrepro.data.fetch import download_text, sdist_members
from actrepro.data.plays import clean_plays, is_play
from actrepro.data.shapes import CorpusManifest

# The shortest text whose test half has 100 characters, the fewest a study may predict.
MIN_CHARACTERS = 2000


def decode_text(data: bytes, name: str) -> str:
    """Decode bytes as UTF-8.

    Raises
    ------
    ActreproError
        When they are not UTF-8; the message names the first wrong byte.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ActreproError(
            f"{name} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x} "
            f"({error.reason}); save it as UTF-8"
        ) from None


def make_corpus(name: str, corpus: CorpusConfig, output: Path, manifest: Path) -> None:
    """Fetch a corpus, check it, and write it with a manifest.

    The environment variable ACTREPRO_CORPORA names a local copy of a download.

    Raises
    ------
    ActreproError
        When the text cannot be fetched, differs from the expected one, or is too short.
    """
    text, origin = _fetched(corpus)
    made = Corpus.of_text(text)
    _check(name, corpus, made)
    made.save(output)
    described: CorpusManifest = {
        "corpus": name,
        "source": corpus.source,
        "origin": origin,
        "sha256": made.sha256,
        "characters": len(made.codes),
        "symbols": made.symbols,
        "train": len(made.train),
        "selection": len(made.selection),
        "test": len(made.test),
    }
    write_json(manifest, described)


def _fetched(corpus: CorpusConfig) -> tuple[str, str]:
    """Return the text and its origin."""
    if corpus.source == "file":
        return _file_text(corpus), f"file {corpus.path.name}"
    if corpus.source == "sdist":
        return _plays_text(corpus), f"{corpus.requirement}, {corpus.members}"
    fetched = download_text(corpus, os.environ.get("ACTREPRO_CORPORA") or None)
    return decode_text(fetched.data, corpus.file), fetched.origin


def _plays_text(corpus: SdistCorpus) -> str:
    return clean_plays([(name, text) for name, text in sdist_members(corpus) if is_play(text)])


def _file_text(corpus: FileCorpus) -> str:
    """Read a user's text, without a byte order mark and with `\\n` as its only line end."""
    try:
        data = corpus.path.read_bytes()
    except OSError as error:
        raise ActreproError(
            f"{corpus.path}: expected a readable text, found: {error.strerror}; "
            "correct the corpus's `path` in the config"
        ) from None
    sha256 = hashlib.sha256(data).hexdigest()
    if corpus.sha256 not in (None, sha256):
        raise ActreproError(
            f"{corpus.path} has sha256 {sha256}, expected {corpus.sha256}; "
            "restore the file, or correct the corpus's `sha256` in the config"
        )
    text = decode_text(data, str(corpus.path)).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check(name: str, corpus: CorpusConfig, made: Corpus) -> None:
    """Check a text against its config."""
    expected = corpus.text_sha256 if corpus.source == "sdist" else None
    if expected not in (None, made.sha256):
        raise ActreproError(
            f"corpora.{name}: the cleaned text has sha256 {made.sha256}, expected {expected}; the "
            "cleaning has changed: correct `text_sha256` if that is intended"
        )
    if len(made.codes) < MIN_CHARACTERS:
        raise ActreproError(
            f"corpora.{name}: the text has {len(made.codes)} characters, expected at least "
            f"{MIN_CHARACTERS}, so that its test half (5%) has 100; use a longer text"
        )
    if corpus.symbols not in (None, len(made.symbols)):
        raise ActreproError(
            f"corpora.{name}: the text has {len(made.symbols)} distinct characters, expected "
            f"{corpus.symbols}; correct `symbols` in the config, or the text: {made.symbols!r}"
        )
