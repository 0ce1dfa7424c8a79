"""A figure inside a page: its colours follow the theme, and all that it refers to is kept."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic_figures import draw
from synthetic_scale import ACTIVATIONS, MODELS, Scale, make_scale

from actrepro.figures.catalogue import figure_names
from actrepro.report.kit.inline_svg import NEUTRAL, inline_svg

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    return make_scale(tmp_path_factory.mktemp("scale"))


def inlined(folder: Path, body: str) -> str:
    path = folder / "a.svg"
    path.write_text(f'{HEAD} viewBox="0 0 100 50">{body}</svg>', encoding="utf-8")
    return str(inline_svg(path, "p-", "a label"))


@pytest.mark.parametrize("name", figure_names(MODELS[:1], ACTIVATIONS[:1]))
def test_references_have_their_target_and_neutral_colours_are_the_pages(
    scale: Scale, name: str
) -> None:
    svg, _ = draw(scale, name)
    page = inline_svg(svg, "p-", "a label")
    root = ElementTree.fromstring(page)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', page)) == {
        ("", one) if f'href="#{one}"' in page else (one, "") for one in ids
    }
    assert not [colour for colour in NEUTRAL if colour in page]
    assert "var(--ink)" in page
    assert len(page.encode()) < 0.85 * svg.stat().st_size
    assert words(page) == words(svg.read_text(encoding="utf-8"))


def words(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("text")]


def test_numbers_are_rounded_and_idle_turns_left_out(tmp_path: Path) -> None:
    page = inlined(
        tmp_path,
        '<path d="M 1.23456 2 \nL 3.0000 -4.5678 \nz\n"/>'
        '<text transform="rotate(-0 1.5 2.5)">a  b</text>'
        '<text transform="rotate(-90 1.5 2.5)"> c </text>',
    )
    assert 'd="M 1.23 2 L 3 -4.57 z"' in page
    assert "<text>a  b</text>" in page
    assert '<text transform="rotate(-90 1.5 2.5)"> c </text>' in page


def test_groups_without_attributes_make_room(tmp_path: Path) -> None:
    page = inlined(
        tmp_path,
        '<g id="a"><g id="b"><path d="M 0 0"/></g><g clip-path="url(#c)"/></g><clipPath id="c"/>',
    )
    assert page.count("<g") == 1
    assert 'clip-path="url(#p-c)"' in page
    assert 'id="p-c"' in page


@pytest.mark.parametrize(
    ("style", "wanted"),
    [
        ("fill: #1a1a1a; stroke: #ffffff", "fill: var(--ink); stroke: var(--ground)"),
        (
            "font-size: 8px; font-family: 'DejaVu Sans', serif; fill: none",
            "font-size: 8px; fill: none",
        ),
        ("fill: #e69f00", "fill: #e69f00"),
        ("fill: #111111", "fill: #111111"),
        ("stroke: #000000", "stroke: light-dark(#000000, #737373)"),
    ],
)
def test_styles(tmp_path: Path, style: str, wanted: str) -> None:
    assert f'style="{wanted}"' in inlined(tmp_path, f'<path d="M 0 0" style="{style}"/>')


def test_paint_attributes_become_part_of_the_style(tmp_path: Path) -> None:
    page = inlined(tmp_path, '<rect fill="#ffffff" style="opacity: 0.5"/>')
    assert '<rect style="fill: var(--ground); opacity: 0.5" />' in page


def test_the_root_says_what_the_figure_shows(tmp_path: Path) -> None:
    root = ElementTree.fromstring(inlined(tmp_path, "<style>* { fill: red }</style>"))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "a label"
    assert root.attrib["style"].startswith("min-width: 80pt")
    assert not list(root)
