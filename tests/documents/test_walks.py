"""CONTRIBUTING's walks through the code: each function is in the file that its list names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from study_folder import REPOSITORY

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = ("How a seed becomes a checkpoint", "How a probability reaches the report")
WALK = "".join(PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0] for section in SECTIONS)
STOPS = re.findall(r"`([\w/]+\.(?:py|smk))`: `([\w.]+)`", WALK)


def names_in(file: Path) -> set[str]:
    """Return the rules of a `.smk` file, or a module's functions, classes and methods."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".smk":
        return set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    tree = ast.parse(text)
    tops = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    methods = {
        f"{top.name}.{node.name}" for top in tops for node in top.body if hasattr(node, "name")
    }
    return {top.name for top in tops} | methods


def test_both_walks_are_found() -> None:
    files = [file for file, _ in STOPS]
    assert {"config/reading.py", "train/checkpoints.py", "report/page.py"} <= {*files}
    assert len(STOPS) == len(re.findall(r"^\d+\. ", WALK, re.MULTILINE)) + 1  # `origin`, in prose


@pytest.mark.parametrize(("file", "name"), STOPS)
def test_a_function_is_where_the_walk_says(file: str, name: str) -> None:
    root = REPOSITORY if file.startswith("rules/") else REPOSITORY / "src/actrepro"
    assert name in names_in(root / file)
