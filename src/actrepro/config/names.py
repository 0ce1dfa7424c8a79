"""Names of models and activations, read from source without importing torch.

Planning a study (every `snakemake` call) needs only the names; importing torch
would add about two seconds to each call.
"""

from __future__ import annotations

import ast
import difflib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
ACTIVATION_DECORATORS = ("pointwise", "gated")


@cache
def model_names() -> tuple[str, ...]:
    """Built-in models: the public modules of `actrepro.models.zoo`, one file each."""
    return public_modules("models/zoo")


def public_modules(folder: str) -> tuple[str, ...]:
    """Return the names of the public modules in a folder of the package."""
    files = (PACKAGE / folder).glob("*.py")
    return tuple(sorted(file.stem for file in files if not file.stem.startswith("_")))


@cache
def activation_names() -> tuple[str, ...]:
    """Return the activations: functions of `activations.py` with a registering decorator."""
    tree = ast.parse((PACKAGE / "models/activations.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return tuple(function.name for function in functions if registers(function))


def registers(definition: ast.FunctionDef | ast.ClassDef) -> bool:
    """Check whether a definition carries a decorator that makes it an activation."""
    names = [node.id for node in definition.decorator_list if isinstance(node, ast.Name)]
    return any(name in ACTIVATION_DECORATORS for name in names)


def nearest(name: str, valid: tuple[str, ...] | list[str]) -> str:
    """Return the end of a message about an unknown name: the nearest one, and all valid ones."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{hint} valid: {', '.join(sorted(valid))}"
