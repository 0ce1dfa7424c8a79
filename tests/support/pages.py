"""HTML pages as tests read them: tags, ids, references, rows and visible text."""

from __future__ import annotations

import html as entities
import re
from html.parser import HTMLParser


def rows_of(text: str) -> dict[str, str]:
    """Return the markup of each row of the page, by the claim's id."""
    found = re.findall(r'<tr id="claim-([^"]+)".*?</tr>', text, re.DOTALL)
    rows = re.findall(r'<tr id="claim-[^"]+".*?</tr>', text, re.DOTALL)
    return dict(zip(found, rows, strict=True))


def words_of(markup: str) -> str:
    """Return the text that a reader sees."""
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """A page's tags, ids, references and visible text; fails where tags are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.cells: list[str] = []
        self.labels: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert name not in ("src", "srcset", "action", "onload", "onclick")
            self.ids += [value or ""] if name == "id" else []
            self.labels += [value or ""] if name == "aria-label" and tag == "svg" else []
            self.references += [value or ""] if name == "href" else []
            self.references += re.findall(r"url\(([^)]*)\)", value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and {"td", "th"} & set(self.open):
            self.cells[-1] += data
