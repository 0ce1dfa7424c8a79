"""A real browser for tests of pages: the system's headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")
WIDTHS = (1440, 800, 390)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, without Chromium's sandbox, which fails for root in a container."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1440, **context: Any) -> Iterator[Page]:
    """Open a page from disk; console messages, errors and requests fail the test."""
    with browser.new_context(viewport={"width": width, "height": 900}, **context) as tab:
        page = tab.new_page()
        page.set_default_timeout(15_000)
        url = path.resolve().as_uri()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda asked: complaints.extend(_outside(asked.url, url)))
        page.goto(url)
        yield page
        assert not complaints, complaints


def _outside(url: str, own: str) -> list[str]:
    """Check whether a request is for something other than the page itself."""
    if url.partition("#")[0] == own or url.startswith("data:"):
        return []
    return [f"request: {url}"]


def accessibility(page: Page) -> list[str]:
    """Return the violations that axe finds in a page, a line each."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"][:3]]


def too_wide(page: Page) -> int:
    """Return the number of pixels by which a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
