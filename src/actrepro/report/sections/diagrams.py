"""Diagrams of models, drawn from the outlines in `models.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from actrepro.core.formats import count, counted, listed
from actrepro.core.model_cards import Node

WIDTH = 250
LINE = 18
PADDING = 6
GAP = 8
# Characters of a name that a box has room for.
LONGEST = 24


def diagram(name: str, outline: Sequence[Node]) -> Markup:
    """Draw a model's parts from input to output, as SVG in the page's colours.

    A part that calls the activation under study has a thick edge in the accent's colour; equal
    parts one after another are one box with their number.
    """
    boxes, top = [], 1
    for node in outline:
        boxes.append(_box(node, top))
        top += _height(node) + GAP
    height = max(top - GAP + 2, 1)
    arrows = _arrows(outline)
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(described(name, outline))}" font-size="11">'
        f"{arrows}{''.join(boxes)}</svg>"
    )


def described(name: str, outline: Sequence[Node]) -> str:
    """Describe a diagram in words.

    >>> described("tiny", [{"name": "head", "kind": "Linear", "parameters": 8, "repeats": 2,
    ...     "calls": 1, "activation": True, "children": []}])
    'tiny, from input to output: head (2 times, Linear, 8 parameters each, with the activation)'
    """
    parts = [_described_part(node) for node in outline]
    return f"{name}, from input to output: {listed(parts or ['-'])}"


def _described_part(node: Node) -> str:
    parts = [node["kind"]] if node["kind"] != "activation" else []
    if node["repeats"] > 1:
        parts.insert(0, f"{node['repeats']} times")
    if node["parameters"]:
        each = " each" if node["repeats"] > 1 else ""
        parts.append(f"{counted(node['parameters'], 'parameter')}{each}")
    if node["calls"] > 1:
        parts.append(f"called {node['calls']} times")
    if node["activation"]:
        parts.append("with the activation")
    inner = [_described_part(child) for child in node["children"]]
    within = f", made of {listed(inner)}" if inner else ""
    return f"{node['name']} ({', '.join(parts)}{within})"


def _height(node: Node) -> int:
    return 2 * PADDING + LINE * (1 + len(node["children"]))


def _box(node: Node, top: int) -> str:
    lines = [_line(node, PADDING, top + PADDING + 13, bold=True)]
    for place, child in enumerate(node["children"], start=1):
        lines.append(_line(child, PADDING + 14, top + PADDING + 13 + LINE * place))
    edge = ("var(--accent)", 2) if node["activation"] else ("var(--soft)", 1)
    rectangle = (
        f'<rect x="1.5" y="{top}" width="{WIDTH - 3}" height="{_height(node)}" rx="5" '
        f'fill="var(--ground)" stroke="{edge[0]}" stroke-width="{edge[1]}"/>'
    )
    return rectangle + "".join(lines)


def _line(node: Node, left: int, baseline: int, bold: bool = False) -> str:
    """Return a part's name, its numbers of copies and calls, and its parameters."""
    colour = "var(--accent)" if node["activation"] else "var(--ink)"
    weight = ' font-weight="650"' if bold else ""
    repeats = f" × {node['repeats']}" if node["repeats"] > 1 else ""
    calls = f", called {node['calls']} times" if node["calls"] > 1 else ""
    named = _short(node["name"]) + repeats + calls
    parameters = count(node["parameters"]) if node["parameters"] else ""
    return (
        f'<text x="{left}" y="{baseline}" fill="{colour}"{weight}>{escape(named)}</text>'
        f'<text x="{WIDTH - 8}" y="{baseline}" fill="var(--soft)" text-anchor="end">'
        f"{parameters}</text>"
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _arrows(outline: Sequence[Node]) -> str:
    return "".join(
        f'<path d="M{WIDTH // 2} {bottom}v{GAP}" stroke="var(--soft)"/>'
        for bottom in _bottoms(outline)
    )


def _bottoms(outline: Sequence[Node]) -> Iterator[int]:
    """Return the lower edge of each box but the last."""
    top = 1
    for node in outline[:-1]:
        yield top + _height(node)
        top += _height(node) + GAP
