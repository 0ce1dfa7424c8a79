"""Put a figure's SVG inside a page, without parts that clash there or waste bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from actrepro.core.errors import ActreproError

REFERENCE = re.compile(r"url\(#([^)]*)\)")
COLOUR = re.compile(r"#[0-9a-f]{6}")
NUMBER = re.compile(r"-?\d+\.\d{3,}")
# matplotlib writes rotations by 0° at every label.
IDLE = re.compile(r"rotate\(-?0 [^)]*\)")
# A figure is not shrunk below this share of its size: it scrolls instead.
LEAST_SIZE = 0.8
# matplotlib repeats the font family at every text; in a page the root sets it once.
FONTS = "'DejaVu Sans', Verdana, sans-serif"
# The neutral colours of `actrepro.figures` as those of the page, which follow its theme.
NEUTRAL = {
    "#1a1a1a": "var(--ink)",
    "#5a5a5a": "var(--soft)",
    "#d9d9d9": "var(--rule)",
    "#e8e8e8": "var(--rule)",
    "#ffffff": "var(--ground)",
    "#efefef": "var(--panel)",
}
# Text on coloured tiles, whose colours are the same in every theme.
FIXED = ("#111111",)
# A colour of less luminance would vanish on a dark page, so this share of white is mixed in there.
DARKEST, WHITENED = 0.12, 0.45


def inline_svg(path: Path, prefix: str, label: str) -> Markup:
    """Return a figure as markup for a page, with prefixed ids and a label for screen readers.

    Neutral colours become the page's own (`--ink`, `--soft`, `--rule`, `--ground`,
    `--panel`), and very dark ones get a lighter twin for a dark page.

    Parameters
    ----------
    prefix
        Prefix that keeps the ids different from those of the page's other figures.
    label
        Description of the figure, as plain text.

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
    used = set(_references(root))
    for element in root.iter():
        element.tag = _local(element.tag)
        _close_up(element)
        named = _painted({_local(name): value for name, value in element.attrib.items()})
        written = {name: _written(name, value, prefix) for name, value in named.items()}
        unused = {"id"} if element.attrib.get("id") not in used else set()
        element.attrib = {
            name: value for name, value in written.items() if value and name not in unused
        }
    _unwrap(root)
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
        "style": f"min-width: {width * LEAST_SIZE:.0f}pt; font-family: {FONTS}",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _without(root: ElementTree.Element, names: tuple[str, ...]) -> None:
    """Remove elements by name: a style in a page would apply beyond its figure."""
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) in names]:
            parent.remove(child)


def _references(root: ElementTree.Element) -> Iterator[str]:
    """Find the ids that something in the figure refers to."""
    for element in root.iter():
        for name, value in element.attrib.items():
            yield from REFERENCE.findall(value)
            if _local(name) == "href" and value.startswith("#"):
                yield value[1:]


def _local(name: str) -> str:
    """Return a name without its namespace, which HTML does not need."""
    return name.rpartition("}")[2]


def _close_up(element: ElementTree.Element) -> None:
    """Remove white space between elements; it shows nothing."""
    if element.tag not in ("text", "tspan") and not (element.text or "").strip():
        element.text = None
    if not (element.tail or "").strip():
        element.tail = None


def _painted(attributes: dict[str, str]) -> dict[str, str]:
    """Move `fill` and `stroke` into the style, because `var()` works only there."""
    paints = {name: attributes[name] for name in ("fill", "stroke") if name in attributes}
    if not paints:
        return attributes
    rest = {name: value for name, value in attributes.items() if name not in paints}
    painted = [f"{name}: {value}" for name, value in paints.items()]
    return {**rest, "style": "; ".join([*painted, *filter(None, [rest.get("style")])])}


def _written(name: str, value: str, prefix: str) -> str:
    """Return an attribute's value as the page has it; empty if it has no effect."""
    if name == "id":
        return f"{prefix}{value}"
    if name == "href":
        return f"#{prefix}{value[1:]}" if value.startswith("#") else value
    if name == "style":
        value = _style(value)
    if name == "transform":
        value = IDLE.sub("", value).strip()
    if name in ("d", "points"):
        value = " ".join(value.split())
    rounded = NUMBER.sub(lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), value)
    return REFERENCE.sub(rf"url(#{prefix}\1)", rounded)


def _style(value: str) -> str:
    """Return a style in the page's colours and without its font, which the root sets."""
    declarations = [
        declaration.strip()
        for declaration in value.split(";")
        if not declaration.strip().startswith("font-family")
    ]
    return COLOUR.sub(lambda match: _colour(match[0]), "; ".join(declarations))


def _colour(colour: str) -> str:
    if colour in NEUTRAL:
        return NEUTRAL[colour]
    channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    if colour in FIXED or _luminance(channels) >= DARKEST:
        return colour
    lighter = (round(channel + (255 - channel) * WHITENED) for channel in channels)
    return f"light-dark({colour}, #{''.join(f'{channel:02x}' for channel in lighter)})"


def _luminance(channels: list[int]) -> float:
    """Compute the relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2, with a power of 2.2)."""
    weights = (0.2126, 0.7152, 0.0722)
    light = (math.pow(channel / 255, 2.2) for channel in channels)
    return sum(weight * linear for weight, linear in zip(weights, light, strict=True))


def _unwrap(element: ElementTree.Element) -> None:
    """Replace each group without attributes by its content."""
    children: list[ElementTree.Element] = []
    for child in element:
        _unwrap(child)
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    element[:] = children
