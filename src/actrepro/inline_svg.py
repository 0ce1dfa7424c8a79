"""Putting a figure inside a page: its SVG without what clashes there."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from actrepro.errors import ActreproError

REFERENCE = re.compile(r"url\(#")
# The share of its own size below which a figure is scrolled and not shrunk.
LEAST_SIZE = 0.8


def inline_svg(path: Path, prefix: str, label: str) -> Markup:
    """A figure as markup for a page: its ids prefixed, labelled for readers who do not see it.

    Parameters
    ----------
    prefix
        Makes the ids differ from those of the page's other figures.
    label
        What the figure shows, as plain text.

    Raises
    ------
    ActreproError
        When the file is missing or no SVG.
    """
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError) as error:
        raise ActreproError(
            f"{path}: not a readable SVG ({error}); delete it and run again"
        ) from None
    _without(root, ("metadata", "style"))
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {
            _local(name): _prefixed(_local(name), value, prefix)
            for name, value in element.attrib.items()
        }
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
        "style": f"min-width: {width * LEAST_SIZE:.0f}pt",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _without(root: ElementTree.Element, names: tuple[str, ...]) -> None:
    """Leave out elements: a style in a page would reach beyond its figure."""
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) in names]:
            parent.remove(child)


def _local(name: str) -> str:
    """A name without its namespace: HTML knows SVG's names by themselves."""
    return name.rpartition("}")[2]


def _prefixed(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    return REFERENCE.sub(f"url(#{prefix}", value)
