"""Conversion of the Gutenberg plays to a text of headings and speeches.

The files alternate between a speaker's name on a line of its own and a speech. The
result alternates between a line `NAME:`, the speech, and a blank line, as in
tinyshakespeare. It omits the title and the list of persons, headings of acts and scenes,
stage directions (in square brackets, a few mistyped as braces), and text without a speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from actrepro.core.errors import ActreproError

MIN_SPEECHES = 100
MIN_KEPT = 0.75

_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "--", "\xa0": " ", "\t": " "}
)
# A line with any other character is a misprint, a sum of money or a row of asterisks.
_SPEECH_LINE = re.compile(r"""[A-Za-z !"&',.:;?-]+""")

_FIRST_DIVISION = re.compile(
    r"^(?:(?:ACT|INDUCTION|(?:THE )?PROLOGUE)\b|Act [IVX\d]+\.?$)", re.MULTILINE
)
_DIVISION = re.compile(
    r"(?:ACT|SCENE|INDUCTION|(?:THE )?PROLOGUE|EPILOGUE)\b|(?:Act|Scene) [IVX\d]+\b"
)
_CAPTION = re.compile(r"(?:SONG|Song|DUMB SHOW|THE END|[IVX]+)\.?")

_BRACKETED = re.compile(r"[\[{][^\[\]{}]*[\]}]")
# From the paragraph's start to a closing bracket, and from an opening one to its end.
_NEVER_OPENED = re.compile(r"(?:(?<=\n\n)|\A)(?:(?!\n\n)[^\[\]{}])*[\]}]")
_NEVER_CLOSED = re.compile(r"[\[{](?:(?!\n\n)[^\[\]{}])*")
# Stands for a direction.
_MARK = "\0"
# A direction without brackets, or one step of a numbered procession.
_NOT_SPOKEN = re.compile(r"(?:Enter|Re-enter|Exit|Exeunt)\b|\d+\.")

_WORD = r"[A-Z][A-Za-z'-]*"
_HEADING = re.compile(
    rf"(?:(?P<number>[1-3])\.? )?(?P<name>(?:M(?:RS)?\. )?{_WORD}(?:,?(?: and| of| &)? {_WORD})*)"
    r"(?:(?P<point>[.:])(?: (?P<rest>.+))?)?"
)
_ORDINALS = {"1": "First", "2": "Second", "3": "Third"}


def is_play(text: str) -> bool:
    """Check whether a file has acts, which the poems beside the plays lack."""
    return _FIRST_DIVISION.search(text) is not None


def clean_plays(members: list[tuple[str, str]]) -> str:
    """Clean (name, text) pairs and join them in their order; each must be a play.

    Training, selection and test text are cut from the result by position, so no
    model is trained on the last plays.

    Raises
    ------
    ActreproError
        For a text that has not the form of a play; the message names it.
    """
    return "\n".join(clean_play(name, text) for name, text in members)


def clean_play(name: str, text: str) -> str:
    """Clean one play into `NAME:` lines, speeches and blank lines.

    Raises
    ------
    ActreproError
        When there are too few speeches, or too much of the text has no speaker.
    """
    body = _without_directions(_body(name, text))
    # Only plays that do not print names in capitals are searched for capitalised ones:
    # elsewhere a capitalised word with a point is mostly speech.
    speeches = list(_speeches(body, title_case=False))
    if len(speeches) < MIN_SPEECHES:
        speeches = list(_speeches(body, title_case=True))
    cleaned = "\n".join(f"{speaker}:\n{speech}\n" for speaker, speech in speeches)
    if len(speeches) < MIN_SPEECHES or len(cleaned) < MIN_KEPT * len(body):
        raise ActreproError(
            f"{name}: found {len(speeches)} speeches holding {len(cleaned)} of {len(body)} "
            f"characters, expected at least {MIN_SPEECHES} speeches and {MIN_KEPT:.0%}; this is "
            "not a play in the form that `plays.py` reads (a name on a line, then a speech)"
        )
    return cleaned


def _body(name: str, text: str) -> str:
    """Return the text from the first act, induction or prologue on, with tidied spaces."""
    tidy = "\n".join(_tidy(line) for line in text.translate(_PLAIN).splitlines())
    start = _FIRST_DIVISION.search(tidy)
    if start is None:
        raise ActreproError(f"{name}: found no line that opens an act; a play has some")
    return tidy[start.start() :]


def _without_directions(text: str) -> str:
    """Replace directions by a mark, so that a line holding only one does not end a paragraph."""
    replaced = 1
    # From the inside out, since directions may contain directions.
    while replaced:
        text, replaced = _BRACKETED.subn(_MARK, text)
    # A bracket without its counterpart extends to the paragraph's edge.
    return _NEVER_CLOSED.sub(_MARK, _NEVER_OPENED.sub(_MARK, text))


def _speeches(body: str, title_case: bool) -> Iterator[tuple[str, str]]:
    """Yield (speaker, speech) in order; a paragraph without a heading continues the speech."""
    speaker, speech = "", list[str]()
    for paragraph in re.split(r"\n\n+", body):
        first, *lines = paragraph.split("\n")
        heading = _heading(first, bool(lines), title_case)
        if heading is None:
            speech += _speech_lines([first, *lines])
            continue
        if speaker and speech:
            yield speaker, "\n".join(speech)
        speaker, rest = heading
        speech = _speech_lines([rest, *lines])
    if speaker and speech:
        yield speaker, "\n".join(speech)


def _heading(line: str, more: bool, title_case: bool) -> tuple[str, str] | None:
    """Return the speaker and the rest of a paragraph's first line; None if it is no heading.

    `more` means that lines follow. The heading of an act or a scene has an empty speaker,
    so that the text below it is dropped. Most plays print names in capitals, with or without
    a point; in the others (`title_case`) any capitalised words with a point are a name.
    """
    line = _tidy(line)
    if _DIVISION.match(line):
        return "", ""
    match = _HEADING.fullmatch(line)
    if match is None or _CAPTION.fullmatch(line):
        return None
    number, name, point, rest = match.group("number", "name", "point", "rest")
    # Without a point, a line of capitals is a name only if a speech follows it.
    capitals = name.isupper() and (point or more)
    mixed = point and not rest and (title_case or re.search("[A-Z]{2}", name))
    if not (capitals or mixed):
        return None
    return _numbered(number, name), rest or ""


def _numbered(number: str | None, name: str) -> str:
    if number is None:
        return name
    ordinal = _ORDINALS[number]
    return f"{ordinal.upper() if name.isupper() else ordinal} {name}"


def _speech_lines(lines: list[str]) -> list[str]:
    tidy = [_tidy(line) for line in lines]
    if _NOT_SPOKEN.match(tidy[0]):
        return []
    return [line for line in tidy if _SPEECH_LINE.fullmatch(line) and not _CAPTION.fullmatch(line)]


def _tidy(line: str) -> str:
    return " ".join(line.replace(_MARK, " ").split())
