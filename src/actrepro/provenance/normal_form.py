"""Normal form of Python code: without comments, docstrings and formatting."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection


def what_runs(code: bytes) -> ast.Module:
    """Return a module's syntax tree without docstrings, `pass` and imports for type checkers.

    Raises
    ------
    SyntaxError, ValueError
        When the code is not valid Python.
    """
    tree: ast.Module = _WhatRuns().visit(ast.parse(code))
    return tree


def without_imports(tree: ast.Module, packages: Collection[str]) -> ast.Module:
    """Remove relative imports and imports from some top-level packages from a tree."""
    reduced: ast.Module = _WithoutImports(frozenset(packages)).visit(tree)
    return reduced


def sha256_of_tree(tree: ast.AST) -> str:
    """Compute the SHA-256 (hex) of a syntax tree; positions in the file do not count."""
    return hashlib.sha256(_text(tree).encode()).hexdigest()


class _WhatRuns(ast.NodeTransformer):
    """Removes what does nothing at run time: docstrings, `pass`, imports for type checkers."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        # Expressions hold no statements.
        return node if isinstance(node, ast.expr) else super().generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_Pass(self, node: ast.Pass) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if _asks_for_type_checking(node.test) else node


class _WithoutImports(ast.NodeTransformer):
    """Removes relative imports and imports from some top-level packages."""

    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, ast.expr) else super().generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        others = [alias for alias in node.names if not self._covers(alias.name)]
        return ast.Import(others) if others else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.level or self._covers(node.module or "") else node

    def _covers(self, module: str) -> bool:
        return module.partition(".")[0] in self._packages


def _asks_for_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _text(value: object) -> str:
    """Write a syntax tree without positions.

    Empty fields are left out, since each new version of Python adds some.
    """
    if isinstance(value, ast.AST):
        fields = ((name, getattr(value, name, None)) for name in value._fields)
        filled = (f"{name}={_text(field)}" for name, field in fields if field not in (None, []))
        return f"{type(value).__name__}({','.join(filled)})"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return repr(value)
