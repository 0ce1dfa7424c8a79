"""A fingerprint of the code that a stage of the study depends on.

A result is stale when its fingerprint changes. A change of code changes it; a change of comments,
docstrings or formatting does not, nor does code that is not imported
(`actrepro.provenance.closure`). A module counts by its contents, so moving it to another package
or renaming it changes nothing. Two exceptions avoid needless training:

- Modules that decide when, where or whether something is computed, but never what, do not count
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
# Modules with the reason why they do not count, unless a rule names one of them explicitly.
SHAPES_NO_RESULT: Mapping[str, str] = {
    "actrepro.core.gpus": "chooses the GPU of a job",
    "actrepro.provenance.closure": "chooses the modules of a fingerprint",
    "actrepro.config.protocol": "checks settings, which reach a job as its parameters",
    "actrepro.config.reading": "reads settings",
    "actrepro.config.study": "checks settings",
    "actrepro.core.errors": "messages to the user",
    "actrepro.data.fetch": "fetches texts, which are checked against a hash",
    "actrepro.provenance.fingerprint": "decides what is stale",
    "actrepro.provenance.identity": "decides whether a run is resumed",
    "actrepro.core.jobs": "logs",
    "actrepro.core.locks": "decides which process goes first",
    "actrepro.provenance.normal_form": "reduces code for a fingerprint",
    "actrepro.core.paths": "paths of files, which Snakemake tracks",
    "actrepro.data.plays": "cleans plays: only their corpora depend on it, and name it",
    "actrepro.core.machine": "describes the machine of a run that exists",
    "actrepro.train.startup": "speeds up the start of a job",
    "actrepro.config.names": "lists valid names",
    "actrepro.core.shapes": "checks the shape of files that are read",
    "actrepro.data.shapes": "describes manifests",
    "actrepro.train.shapes": "describes records of runs",
    "actrepro.predict.shapes": "describes matched steps",
    "actrepro.measures.shapes": "describes differences and breakdowns",
    "actrepro.gates.shapes": "describes outcomes of gates",
    "actrepro.core.model_cards": "describes model cards",
    "actrepro.results.schema": "describes statistics",
    "actrepro.replication.shapes": "describes comparisons with another folder",
    "actrepro.report.shapes": "describes the section on an earlier study",
    "actrepro.benchmark.shapes": "describes the benchmark's file",
}


@dataclass(frozen=True)
class Source:
    """Code by name: modules, and other files such as templates."""

    files: Mapping[str, Path]
    wires: frozenset[Wire]

    def hashes(self, activations: Collection[str] | None = None) -> dict[str, str]:
        """Compute the SHA-256 (hex) of each part.

        Parameters
        ----------
        activations
            Names of the activations in use; None counts all.

        Raises
        ------
        ActreproError
            When a file cannot be read, or is not valid Python.
        """
        packages = packages_of(name for name, file in self.files.items() if name != file.name)
        return {name: _hash(name, file, packages, activations) for name, file in self.files.items()}

    def digest(self, activations: Collection[str] | None = None) -> str:
        """Compute one SHA-256 (hex) of the contents of all parts and of what they import.

        The names and the order of modules do not count, nor do modules without code. The names of
        other files count, since code opens these by name.

        Parameters
        ----------
        activations
            Names of the activations in use; None counts all.

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
        # Two modules may define the same name, so an imported name counts with its module's hash.
        lines |= {
            f"{hashes[importer]} {name} {hashes.get(source, '')}"
            for importer, name, source in self.wires
        }
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def source_of(modules: Iterable[str]) -> Source:
    """Return the code that runs when modules are used, and the templates that it names.

    Raises
    ------
    ActreproError
        As `actrepro.provenance.closure.closure` does.
    """
    files, wires = closure(modules, SHAPES_NO_RESULT)
    return Source({**files, **_templates(files)}, wires)


def source_of_script(script: Path, also: Iterable[str] = ()) -> Source:
    """Return a script, what it imports, and modules that it imports by a name built at run time.

    Parameters
    ----------
    also
        Modules to add; `package.*` stands for a package and all of its modules.

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
    """Compute the SHA-256 (hex) of the code that training runs of a model depend on.

    Parameters
    ----------
    model
        A built-in model's name.
    activations
        Names of the activations in use.
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
    """Return the module that builds a model: a file of the library, or a user's module."""
    return custom or f"actrepro.models.zoo.{model}"


def _spread(name: str) -> Sequence[str]:
    """Return a module's name, or those of a package and all of its modules."""
    return modules_of(name.removesuffix(".*")) if name.endswith(".*") else [name]


def _templates(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the templates that the library's code names, or that these templates name."""
    library = files.get("actrepro")
    waiting = {file.name: file for file in library.parent.rglob("templates/*")} if library else {}
    texts = [file.read_bytes() for name, file in files.items() if name.startswith("actrepro.")]
    templates: dict[str, Path] = {}
    # A template may include others, so each one found is searched for names in turn.
    while texts:
        text = texts.pop()
        named = {name: file for name, file in waiting.items() if name.encode() in text}
        templates |= named
        waiting = {name: file for name, file in waiting.items() if name not in named}
        texts += [file.read_bytes() for file in named.values()]
    return dict(sorted(templates.items()))


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
    """Hash the module of activations without those not in use and what only they call."""
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
    """Return the names of a module's definitions and of all definitions that they use."""
    reached: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        used = {node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)}
        waiting |= (used & definitions.keys()) - reached
    return reached
