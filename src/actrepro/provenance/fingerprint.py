"""A fingerprint of the code that a stage of the study depends on.

It tells whether a result has to be made anew: a change of code changes it; a change of comments,
docstrings or formatting does not, and neither does code that is not imported
(`actrepro.provenance.closure`). A module counts by its contents, so one that moves to another
package, or gets another name, changes nothing. Two refinements keep what is not concerned from
being trained again:

- Modules that say when, where or whether something is computed, and never what, do not count
  (`SHAPES_NO_RESULT`).
- Of `actrepro.models.activations`, only the activations in use count, with what they call.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from actrepro.config.names import registers
from actrepro.provenance.closure import (
    Wire,
    closure,
    code_sha256,
    imported_by,
    modules_of,
    packages_of,
)
from actrepro.provenance.normal_form import sha256_of_tree, what_runs, without_imports

ACTIVATIONS = "actrepro.models.activations"
PACKAGE = __package__.partition(".")[0]
NO_CODE = sha256_of_tree(what_runs(b""))
# Each with the reason. A rule that names one of them all the same is told of its changes.
SHAPES_NO_RESULT: Mapping[str, str] = {
    "actrepro.core.gpus": "which card a job takes",
    "actrepro.provenance.closure": "which modules a fingerprint covers",
    "actrepro.config.protocol": "checks what is asked, which reaches a job through its parameters",
    "actrepro.config.reading": "reads what is asked",
    "actrepro.config.study": "checks what is asked",
    "actrepro.core.errors": "what a user is told",
    "actrepro.data.fetch": "how a text comes; what comes is held against a hash",
    "actrepro.provenance.fingerprint": "whether something is stale",
    "actrepro.provenance.identity": "whether a snapshot is taken up",
    "actrepro.core.jobs": "logs",
    "actrepro.core.locks": "who may begin",
    "actrepro.provenance.normal_form": "what of a file counts",
    "actrepro.core.paths": "where files lie: Snakemake sees it",
    "actrepro.data.plays": "how plays are cleaned: only their corpora depend on it, and name it",
    "actrepro.core.machine": "on what a run was made, which stays true of it",
    "actrepro.train.startup": "how fast a job starts",
    "actrepro.config.names": "which names there are",
}


@dataclass(frozen=True)
class Source:
    """Code by name: modules, and files that are none."""

    files: Mapping[str, Path]
    wires: frozenset[Wire]

    def hashes(self, activations: Collection[str] | None = None) -> dict[str, str]:
        """SHA-256 (hex) of each part.

        Parameters
        ----------
        activations
            Those in use; without them all count.

        Raises
        ------
        ActreproError
            When a file cannot be read, or is not valid Python.
        """
        packages = packages_of(name for name, file in self.files.items() if name != file.name)
        return {name: _hash(name, file, packages, activations) for name, file in self.files.items()}

    def digest(self, activations: Collection[str] | None = None) -> str:
        """Compute one SHA-256 (hex) of the contents of all parts and of what they import.

        The names and the order of modules do not count, nor do modules without code. Other files
        are read by their names, so these count.

        Parameters
        ----------
        activations
            Those in use; without them all count.

        Raises
        ------
        ActreproError
            When a file cannot be read, or is not valid Python.
        """
        hashes = self.hashes(activations)
        modules = {name: file for name, file in self.files.items() if file.suffix == ".py"}
        lines = {hashes[name] for name in modules} - {NO_CODE}
        lines |= {
            f"{file.name} {hashes[name]}"
            for name, file in self.files.items()
            if name not in modules
        }
        # Which module a name comes from: two modules may define the same name.
        lines |= {
            f"{hashes[importer]} {name} {hashes.get(source, '')}"
            for importer, name, source in self.wires
        }
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def source_of(modules: Iterable[str]) -> Source:
    """What runs when modules are used, and the templates that they fill in.

    Raises
    ------
    ActreproError
        As `actrepro.provenance.closure.closure` does.
    """
    files, wires = closure(modules, SHAPES_NO_RESULT)
    return Source({**files, **_templates(files)}, wires)


def source_of_script(script: Path, also: Iterable[str] = ()) -> Source:
    """A script, what it imports, and modules that are imported by a name put together at run time.

    Parameters
    ----------
    also
        Modules; `package.*` stands for all of a package's.

    Raises
    ------
    ActreproError
        As `actrepro.provenance.closure.closure` does.
    """
    named = [module for name in also for module in _spread(name)]
    wires = imported_by(script, PACKAGE)
    imported = {wire.source for wire in wires} - SHAPES_NO_RESULT.keys()
    library = source_of([*imported, *named])
    return Source({script.name: script, **library.files}, library.wires.union(wires))


def training_fingerprint(
    model: str, activations: Collection[str], custom: str | None = None
) -> str:
    """SHA-256 (hex) of the code that training runs of a model depend on.

    Parameters
    ----------
    model
        A built-in model's name.
    activations
        Names of those in use.
    custom
        For a user's own model, the dotted path of its module.

    Raises
    ------
    ActreproError
        As `actrepro.provenance.closure.closure` does.
    """
    modules = ["actrepro.train.loop", module_of_model(model, custom)]
    return source_of(modules).digest(activations)


def module_of_model(model: str, custom: str | None = None) -> str:
    """Where a model is built: its file in the library, or a user's module."""
    return custom or f"actrepro.models.zoo.{model}"


def _spread(name: str) -> Sequence[str]:
    """A module, or all of a package's."""
    return modules_of(name.removesuffix(".*")) if name.endswith(".*") else [name]


def _templates(files: Mapping[str, Path]) -> dict[str, Path]:
    """Templates whose names stand in the library's code, or in one of these."""
    front = files.get("actrepro")
    waiting = {file.name: file for file in front.parent.rglob("templates/*")} if front else {}
    texts = [file.read_bytes() for name, file in files.items() if name.startswith("actrepro.")]
    found: dict[str, Path] = {}
    while texts:
        text = texts.pop()
        named = {name: file for name, file in waiting.items() if name.encode() in text}
        found |= named
        waiting = {name: file for name, file in waiting.items() if name not in named}
        texts += [file.read_bytes() for file in named.values()]
    return dict(sorted(found.items()))


def _hash(
    name: str, file: Path, packages: frozenset[str], activations: Collection[str] | None
) -> str:
    if name == ACTIVATIONS and activations is not None:
        return _sha256_of_some(file.read_bytes(), packages, frozenset(activations))
    if file.suffix == ".py":
        return code_sha256(name, file, packages)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _sha256_of_some(code: bytes, packages: frozenset[str], activations: frozenset[str]) -> str:
    """Hash a module of activations without those not in use, and what only they call."""
    tree = without_imports(what_runs(code), packages)
    definitions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    registered = {name for name, node in definitions.items() if registers(node)}
    unused = _reached(registered - activations, definitions) - _reached(
        registered & activations, definitions
    )
    tree.body = [node for node in tree.body if getattr(node, "name", None) not in unused]
    return sha256_of_tree(tree)


def _reached(names: Collection[str], definitions: Mapping[str, ast.stmt]) -> set[str]:
    """Definitions of a module that some of them use, themselves among them."""
    reached: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        used = {node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)}
        waiting |= (used & definitions.keys()) - reached
    return reached
