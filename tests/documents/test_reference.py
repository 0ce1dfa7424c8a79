"""The generated reference agrees with its types and lists every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reference import pages

from actrepro.config.protocol import Protocol
from actrepro.config.study import Study
from actrepro.results.schema import Contrast


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_pages_are_as_make_reference_writes_them(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == pages()[page], "run `make reference`"


def section(text: str, name: str) -> str:
    return re.split(r"^## ", text.partition(f"## {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("page", "name", "type_"),
    [("config.md", "Study", Study), ("config.md", "Protocol", Protocol),
     ("results.md", "Contrast", Contrast)],
)  # fmt: skip
def test_every_key_of_a_type_has_its_meaning(page: str, name: str, type_: type) -> None:
    [text] = [text for path, text in pages().items() if path.name == page]
    rows = dict(re.findall(r"^\| `(\w+)` \|.* \| (.*) \|$", section(text, name), re.MULTILINE))
    assert list(rows) == list(type_.__annotations__)
    assert all(rows.values())


def test_links_lead_to_sections_of_the_page() -> None:
    for text in pages().values():
        headings = {found.lower() for found in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
        assert set(re.findall(r"\]\(#(\w+)\)", text)) <= headings
