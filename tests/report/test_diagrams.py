"""Diagrams of models: every part and repeat is shown, and nothing breaks the page."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from actrepro.report.sections.diagrams import described, diagram


def node(name: str, *children: dict[str, Any], **other: Any) -> dict[str, Any]:
    plain = {"kind": "Linear", "parameters": 1200, "repeats": 1, "calls": 1, "activation": False}
    return {"name": name, **plain, "children": list(children), **other}


OUTLINE = [
    node("tokens", kind="Embedding"),
    node("blocks", node("attention"), node("mlp", activation=True), repeats=6, activation=True),
    node("<head> & 'tail' of a very long name"),
]


def texts(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter("text")]


def test_every_part_and_its_parameters_are_drawn() -> None:
    found = texts(diagram("charlm", OUTLINE))
    assert found[::2] == ["tokens", "blocks × 6", "attention", "mlp", "<head> & 'tail' of a ve…"]
    assert set(found[1::2]) == {"1,200"}


def test_the_activation_is_marked() -> None:
    boxes = list(ElementTree.fromstring(diagram("charlm", OUTLINE)).iter("rect"))
    assert [box.attrib["stroke"] == "var(--accent)" for box in boxes] == [False, True, False]


def test_boxes_follow_each_other_within_the_picture() -> None:
    root = ElementTree.fromstring(diagram("charlm", OUTLINE))
    bottom = 0.0
    for box in root.iter("rect"):
        assert float(box.attrib["y"]) > bottom
        bottom = float(box.attrib["y"]) + float(box.attrib["height"])
    assert bottom < float(root.attrib["height"])


def test_it_is_described_in_words() -> None:
    text = described("charlm", OUTLINE)
    assert ElementTree.fromstring(diagram("charlm", OUTLINE)).attrib["aria-label"] == text
    assert (
        "blocks (6 times, Linear, 1,200 parameters each, with the activation, made of attention "
        "(Linear, 1,200 parameters) and mlp (Linear, 1,200 parameters, with the activation))"
    ) in text


def test_a_part_that_is_called_again_says_so() -> None:
    looped = [node("block", calls=12)]
    assert texts(diagram("looped", looped))[0] == "block, called 12 times"
    assert "block (Linear, 1,200 parameters, called 12 times)" in described("looped", looped)


def test_a_model_without_parts_is_no_error() -> None:
    assert texts(diagram("odd", [])) == []
