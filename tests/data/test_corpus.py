"""Corpora: codes, split, round trips, and every way in which a text can be wrong."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actrepro.config.protocol import DownloadCorpus, FileCorpus, SdistCorpus
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_npz
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.data.sources import MIN_CHARACTERS, decode_text, make_corpus

TEXT = "The wind goes round, and round it goes.\n" * 60


@settings(deadline=None)
@given(st.text(min_size=1))
def test_encode_and_decode_are_inverse(text: str) -> None:
    corpus = Corpus.of_text(text)
    assert corpus.decode(corpus.codes) == text
    np.testing.assert_array_equal(corpus.encode(text), corpus.codes)
    assert corpus.symbols == "".join(sorted(set(text)))


@given(st.integers(0, 5000))
def test_the_parts_make_the_whole(length: int) -> None:
    corpus = Corpus.of_text("ab" * (length // 2) + "c" * (length % 2))
    parts = [corpus.train, corpus.selection, corpus.test]
    np.testing.assert_array_equal(np.concatenate(parts), corpus.codes)
    assert len(corpus.train) == int(0.9 * length)
    assert len(corpus.test) - len(corpus.selection) in (0, 1)


@settings(deadline=None, max_examples=20)
@given(text=st.text(min_size=1))
def test_save_and_load_are_inverse(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    corpus = Corpus.of_text(text)
    path = tmp_path_factory.mktemp("corpus") / "corpus.npz"
    corpus.save(path)
    loaded = load_corpus(path)
    assert loaded.decode(loaded.codes) == text
    assert loaded.codes.dtype == corpus.codes.dtype
    for name in ("symbols", "train_end", "selection_end", "sha256"):
        assert getattr(loaded, name) == getattr(corpus, name)


def test_many_symbols_take_two_bytes() -> None:
    text = "".join(map(chr, range(32, 32 + 257)))
    corpus = Corpus.of_text(text)
    assert corpus.codes.dtype == np.uint16
    assert corpus.encode("~").dtype == np.uint16
    assert corpus.decode(corpus.codes) == text
    assert Corpus.of_text(text[:-1]).codes.dtype == np.uint8


@pytest.mark.parametrize("text", ["abz", "a c", "ä"])
def test_unknown_characters_are_named(text: str) -> None:
    with pytest.raises(ActreproError, match=f"character {text[-1]!r} is not|character ' ' is not"):
        Corpus.of_text("abc").encode(text)


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        Corpus.of_text(TEXT).save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_another_npz_is_no_corpus(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=[1])
    with pytest.raises(
        ActreproError, match=r"a\.npz: found arrays \['x'\], which are not a corpus"
    ):
        load_corpus(tmp_path / "a.npz")


def test_the_context_must_fit_each_part() -> None:
    corpus = Corpus.of_text("ab" * 1000)
    corpus.require_context(99)
    with pytest.raises(ActreproError, match=r"needs 101 characters .* selection part has 100"):
        corpus.require_context(100)


def test_the_first_wrong_byte_is_named() -> None:
    assert decode_text("é".encode(), "a.txt") == "é"
    with pytest.raises(ActreproError, match=r"a\.txt is not UTF-8: byte 3 is 0xe9"):
        decode_text(b"caf\xe9 noir", "a.txt")


class Making:
    """Makes a corpus of a file with some bytes; `made` and `manifest` are the files written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mine.txt"
        self.output, self.manifest = folder / "out/corpus.npz", folder / "out/corpus.json"

    def __call__(self, data: bytes, **keys: object) -> str:
        self.path.write_bytes(data)
        corpus = FileCorpus.model_validate({"source": "file", "path": self.path, **keys})
        make_corpus("mine", corpus, self.output, self.manifest)
        made = load_corpus(self.output)
        return made.decode(made.codes)


@pytest.fixture
def making(tmp_path: Path) -> Making:
    return Making(tmp_path)


def test_a_users_text(making: Making) -> None:
    assert making(TEXT.encode(), symbols=len(set(TEXT))) == TEXT
    assert read_json(making.manifest) == {
        "corpus": "mine",
        "source": "file",
        "origin": "file mine.txt",
        "sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "characters": 2400,
        "symbols": "".join(sorted(set(TEXT))),
        "train": 2160,
        "selection": 120,
        "test": 120,
    }


def test_line_ends_and_byte_order_mark_of_a_file(making: Making) -> None:
    assert making(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()) == TEXT


def test_the_hash_of_a_file_is_of_its_bytes(making: Making) -> None:
    data = TEXT.replace("\n", "\r\n").encode()
    assert making(data, sha256=hashlib.sha256(data).hexdigest()) == TEXT
    with pytest.raises(ActreproError, match=r"mine\.txt has sha256 [0-9a-f]{64}, expected 0{64}"):
        making(data, sha256="0" * 64)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has 0 characters, expected at least 2000"),
        (b"\xef\xbb\xbf", "has 0 characters"),
        (b"ab" * 999, "has 1998 characters"),
        (b"\xff" * 3000, "not UTF-8: byte 0"),
    ],
    ids=["empty", "only-a-mark", "short", "not-utf-8"],
)
def test_texts_that_are_refused(making: Making, data: bytes, reason: str) -> None:
    with pytest.raises(ActreproError, match=reason):
        making(data)
    assert not making.output.parent.exists()


def test_the_shortest_text_has_a_hundred_characters_to_predict() -> None:
    assert len(Corpus.of_text("a" * MIN_CHARACTERS).test) == 100


def test_the_number_of_symbols_is_checked(making: Making) -> None:
    with pytest.raises(ActreproError, match="has 2 distinct characters, expected 3"):
        making(b"ab" * 2000, symbols=3)


def test_a_missing_file(tmp_path: Path) -> None:
    corpus = FileCorpus(source="file", path=tmp_path / "none.txt")
    with pytest.raises(ActreproError, match=r"none\.txt: expected a readable text, found: No such"):
        make_corpus("mine", corpus, tmp_path / "c.npz", tmp_path / "c.json")


def _play() -> str:
    speech = "OAK.\nThe leaves of autumn fall, and rise.\n\n"
    return f"THE OAK\n\nACT I.\n\n{speech * 150}"


def _plays_corpus(monkeypatch: pytest.MonkeyPatch, **keys: object) -> SdistCorpus:
    members = [("a_gut.txt", _play()), ("poem_gut.txt", "I\n\nA poem.\n")]
    monkeypatch.setattr("actrepro.data.sources.sdist_members", lambda corpus: members)
    fixed = {"requirement": "plays==1", "sha256": "0" * 64, "members": "*_gut.txt"}
    return SdistCorpus.model_validate({"source": "sdist", **fixed, **keys})


def test_plays_are_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = _plays_corpus(monkeypatch)
    make_corpus("plays", corpus, tmp_path / "c.npz", tmp_path / "c.json")
    made = load_corpus(tmp_path / "c.npz")
    assert made.decode(made.codes[:10]) == "OAK:\nThe l"
    assert read_json(tmp_path / "c.json")["origin"] == "plays==1, *_gut.txt"


def test_the_hash_of_the_cleaned_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = _plays_corpus(monkeypatch, text_sha256="0" * 64)
    with pytest.raises(ActreproError, match=r"corpora\.plays: the cleaned text has sha256"):
        make_corpus("plays", corpus, tmp_path / "c.npz", tmp_path / "c.json")


def test_a_download_comes_from_the_local_copy_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_bytes(b"\xef\xbb\xbf" + b"a\r\n" * 1000)
    sha256 = hashlib.sha256((tmp_path / "text.txt").read_bytes()).hexdigest()
    monkeypatch.setenv("ACTREPRO_CORPORA", str(tmp_path))
    corpus = DownloadCorpus(
        source="download", urls=("http://nowhere.invalid",), sha256=sha256, file="text.txt"
    )
    make_corpus("text", corpus, tmp_path / "c.npz", tmp_path / "c.json")
    manifest = read_json(tmp_path / "c.json")
    # A download is taken as it is, so that its hash is the text's.
    assert (manifest["sha256"], manifest["symbols"]) == (sha256, "\n\ra\ufeff")
    assert manifest["origin"] == "local copy text.txt"
    assert str(tmp_path) not in (tmp_path / "c.json").read_text(encoding="utf-8")


@pytest.mark.skipif("ACTREPRO_CORPORA" not in os.environ, reason="ACTREPRO_CORPORA names no copy")
def test_tinyshakespeare(tmp_path: Path) -> None:
    corpus = default_study().corpora["tinyshakespeare"]
    make_corpus("tinyshakespeare", corpus, tmp_path / "c.npz", tmp_path / "c.json")
    made = load_corpus(tmp_path / "c.npz")
    assert (len(made.train), len(made.selection) + len(made.test)) == (1_003_854, 111_540)
    assert len(made.symbols) == 65
    assert made.sha256 == corpus.sha256
