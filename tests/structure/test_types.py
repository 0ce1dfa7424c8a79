"""Results are read by types, so that a type checker sees every key that is looked up."""

import ast
from pathlib import Path

import pytest
from study_folder import REPOSITORY

SOURCE = REPOSITORY / "src/actrepro"
PACKAGES = ("results", "statistics", "figures", "report", "replication", "benchmark")
FILES = sorted(file for package in PACKAGES for file in (SOURCE / package).rglob("*.py"))
# What has no shape of its own, each with the reason.
FREE_FORM = {
    ("figures/sheet.py", "Look"): "keyword arguments of matplotlib",
    ("figures/sheet.py", "STYLE"): "settings of matplotlib",
    ("figures/rows.py", "_grid_of_rows"): "keyword arguments of a grid",
    ("report/kit/markup.py", "fill"): "values of a template, by their names",
    ("report/kit/markup.py", "fill_text"): "values of a template, by their names",
    ("report/page.py", "write_report"): "values of a template, by their names",
    ("report/page.py", "contents"): "values of a template, by their names",
    ("report/markdown.py", "write_markdown"): "values of a template, by their names",
    ("benchmark/processes.py", "output"): "what a program prints",
    ("benchmark/processes.py", "ask"): "what programs print",
    ("replication/archive_writer.py", "_require_own"): "JSON that is to be checked",
    ("replication/archive_writer.py", "_provenance"): "what `archive.Provenance` checks when read",
    ("results/schema.py", "_of_this_version"): "JSON that is to be checked",
    ("results/schema.py", "schema"): "a union of types",
    ("replication/archive_writer.py", "_write_densely"): "any JSON",
    ("replication/archive_writer.py", "Asked"): "a study's config, which its own types check",
}


def _untyped(file: Path) -> set[tuple[str, str]]:
    """Return the file with each top-level or class statement that names `Any`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set()
    bodies = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for statement in (statement for body in bodies for statement in body.body):
        if isinstance(statement, ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if "Any" in names:
            found.add((str(file.relative_to(SOURCE)), _name(statement)))
    return found


def _name(statement: ast.stmt) -> str:
    if isinstance(statement, ast.FunctionDef):
        return statement.name
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    return target.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_results_have_types(file: Path) -> None:
    assert _untyped(file) <= FREE_FORM.keys()


def test_nothing_is_allowed_that_no_longer_is() -> None:
    assert {one for file in FILES for one in _untyped(file)} == FREE_FORM.keys()
