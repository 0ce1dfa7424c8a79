"""Fill in templates of pages; folders called `templates` hold only markup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = sorted(Path(__file__).parents[2].rglob("templates"))


def fill(template: str, **values: Any) -> str:
    """Return a page as HTML: a template of `templates/` with escaped values."""
    return _environment(autoescape=True).get_template(template).render(values)


def fill_text(template: str, **values: Any) -> str:
    """Return a page as plain text; the template itself escapes what it must."""
    return _environment(autoescape=False).get_template(template).render(values)


def _environment(autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["look"] = look
    return environment


def script_data(data: Mapping[str, object]) -> Markup:
    """Return data as JSON for a script element; no text in it can end the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def look(verdict: str) -> str:
    """Return a verdict's class in the style sheet.

    >>> look("not run")
    'v-not-run'
    """
    return f"v-{verdict.replace(' ', '-')}"
