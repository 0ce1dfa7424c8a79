"""Modules that run when a module is used, found in source without importing anything.

Only import statements are followed. A module whose name is built at run time
(`importlib.import_module`) must be passed with the others, as `actrepro.provenance.fingerprint`
does with the model. Files that are not modules, such as templates, do not count. Nor do modules
outside the top-level packages of the modules passed: torch's version belongs to the environment,
and a single module on Python's path is a package of its own, without its neighbours.
"""

from __future__ import annotations

import ast
import pkgutil
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from actrepro.core.errors import ActreproError
from actrepro.provenance.normal_form import sha256_of_tree, what_runs, without_imports


class Wire(NamedTuple):
    """A name that a module or script takes from a module of the searched packages."""

    importer: str
    name: str
    source: str


class Closure(NamedTuple):
    """Modules and their files, sorted by name, and the names that they take from each other."""

    files: dict[str, Path]
    wires: frozenset[Wire]


def closure(modules: Iterable[str], leaving_out: Collection[str] = ()) -> Closure:
    """Find the modules that run when `modules` are used, and the names they take from each other.

    These are the modules themselves, what they import from their own top-level packages, the
    packages that contain them, and so on. Imports inside functions count, since any function of a
    module may be called; imports below `if TYPE_CHECKING:` do not. Imports inside a module's
    `__getattr__` (PEP 562) run only when a name is looked up in it, so they do not count for a
    package that is included only because it contains a module. Otherwise `actrepro/__init__.py`,
    which offers models and results this way, would draw in the whole library.

    Parameters
    ----------
    modules
        Their names, as in an import statement.
    leaving_out
        Modules to skip, with what only they import, unless they are in `modules`.

    Raises
    ------
    ActreproError
        When a module is missing or is not valid Python; the message names it. A missing module
        that is imported inside a `try` is considered optional.
    """
    named = sorted(set(modules))
    search = _Search(packages_of(named), frozenset(leaving_out) - frozenset(named))
    search.follow([_Wanted(name, used=True) for name in named])
    return Closure(dict(sorted(search.files.items())), frozenset(search.wires))


def imported_by(script: Path, package: str) -> list[Wire]:
    """Find the names that a script takes from the modules of a package, sorted.

    Raises
    ------
    ActreproError
        When the script cannot be read, or is not valid Python.
    """
    search = _Search(frozenset([package]), frozenset())
    imports = _read(script.name, script).imports
    return sorted(
        {wire for import_ in imports for wire in search.wired(import_.statement, script.name, "")}
    )


def modules_of(package: str) -> list[str]:
    """Return the names of a package and of the modules in it, sorted.

    Raises
    ------
    ActreproError
        As `closure` does.
    """
    folder = closure([package]).files[package].parent
    inside = (file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    return sorted([package, *(f"{package}.{name}" for name in inside)])


def packages_of(modules: Iterable[str]) -> frozenset[str]:
    """Return the top-level packages that contain the modules."""
    return frozenset(module.partition(".")[0] for module in modules)


class _Wanted(NamedTuple):
    """A module to follow; `used` is false for a package that only contains another module."""

    module: str
    used: bool
    importer: str | None = None
    optional: bool = False


class _Import(NamedTuple):
    statement: ast.Import | ast.ImportFrom
    optional: bool


class _Source(NamedTuple):
    """A module's imports, and those inside its `__getattr__`."""

    imports: tuple[_Import, ...] = ()
    on_request: tuple[_Import, ...] = ()


class _Place(NamedTuple):
    """A module's file (None without `__init__.py`) and, for a package, its folders."""

    file: Path | None
    folders: tuple[str, ...]


class _Search:
    """A search along import statements, inside some top-level packages."""

    def __init__(self, packages: frozenset[str], left_out: frozenset[str]) -> None:
        self._packages = packages
        self._left_out = left_out
        self.files: dict[str, Path] = {}
        self.wires: set[Wire] = set()
        self._places: dict[str, _Place | None] = {}

    def follow(self, waiting: list[_Wanted]) -> None:
        """Add the waiting modules to `files`, with all that they import in turn."""
        # A package may come first as the container of a module and later as a module in use.
        # Only then do the imports inside its `__getattr__` count, so both visits are needed.
        done: set[tuple[str, bool]] = set()
        while waiting:
            wanted = waiting.pop()
            if (wanted.module, wanted.used) in done or wanted.module in self._left_out:
                continue
            place = self._place(wanted.module)
            if place is not None:
                done.add((wanted.module, wanted.used))
                waiting += self._wanted_by(wanted, place)
            elif not wanted.optional:
                raise _missing(wanted)

    def _wanted_by(self, wanted: _Wanted, place: _Place) -> Iterator[_Wanted]:
        module = wanted.module
        parent = module.rpartition(".")[0]
        # Importing `a.b` runs `a/__init__.py` first.
        if parent:
            yield _Wanted(parent, used=False, importer=module)
        if place.file is None:
            return
        self.files[module] = place.file
        source = _read(module, place.file)
        for statement, optional in source.imports + (source.on_request if wanted.used else ()):
            wires = [*self.wired(statement, module, module if place.folders else parent)]
            self.wires.update(wires)
            for wire in wires:
                yield _Wanted(wire.source, used=True, importer=module, optional=optional)

    def wired(
        self, statement: ast.Import | ast.ImportFrom, module: str, package: str
    ) -> Iterator[Wire]:
        """Yield the names that a statement takes from modules of the searched packages."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if self._searches(alias.name):
                    name = alias.asname or alias.name
                    yield from (Wire(module, name, source) for source in _bound(alias))
            return
        source = _absolute(statement, module, package)
        if self._searches(source):
            for alias in statement.names:
                # With the alias: code is hashed without these statements, and two aliases that
                # change places change what it computes.
                name = f"{alias.name} {alias.asname}"
                yield from (Wire(module, name, used) for used in self._used(source, alias.name))

    def _used(self, source: str, name: str) -> Iterator[str]:
        """Yield the modules that `from source import name` uses; the name may be a module."""
        submodule = f"{source}.{name}"
        if self._place(submodule) is not None:
            yield submodule
            return
        yield source
        place = self._place(source)
        if name == "*" and place is not None:
            # A package may compute its __all__ at run time, so all of its modules count.
            modules = pkgutil.iter_modules(place.folders)
            yield from (f"{source}.{module.name}" for module in modules)

    def _searches(self, module: str) -> bool:
        return module.partition(".")[0] in self._packages

    def _place(self, module: str) -> _Place | None:
        if module not in self._places:
            parent, _, name = module.rpartition(".")
            self._places[module] = self._below(parent, name) if parent else _on_path(name)
        return self._places[module]

    def _below(self, parent: str, name: str) -> _Place | None:
        place = self._place(parent)
        if place is None:
            return None
        # By the last part of its name: for a dotted name, finders may look the parent up in
        # sys.modules, but nothing is imported here.
        return _place_of(PathFinder.find_spec(name, place.folders))


def _on_path(name: str) -> _Place | None:
    """Find a top-level module with all of Python's finders: editable installs add their own."""
    specs = (finder.find_spec(name, None) for finder in sys.meta_path)
    return _place_of(next((spec for spec in specs if spec is not None), None))


def _place_of(spec: ModuleSpec | None) -> _Place | None:
    if spec is None:
        return None
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    folders = tuple(spec.submodule_search_locations or ())
    return _Place(file, folders) if file or folders else None


def _bound(alias: ast.alias) -> Iterable[str]:
    """Return the modules that an alias of an `import` statement may use.

    `import a.b` binds `a`, through which code may reach both; `import a.b as x` binds `a.b`.
    """
    return [alias.name] if alias.asname else accumulate(alias.name.split("."), "{}.{}".format)


def _absolute(statement: ast.ImportFrom, module: str, package: str) -> str:
    relative = "." * statement.level + (statement.module or "")
    try:
        return resolve_name(relative, package)
    except ImportError:
        raise ActreproError(
            f"module '{module}', line {statement.lineno}: 'from {relative}' leads out of its "
            f"package '{package}'; expected fewer dots; correct the import"
        ) from None


def _missing(wanted: _Wanted) -> ActreproError:
    importer = f", imported by '{wanted.importer}'" if wanted.importer else ""
    return ActreproError(
        f"module '{wanted.module}'{importer}: Python finds no such module; expected a .py file or "
        "a package on its path; correct the name, or put the module's folder on PYTHONPATH"
    )


def code_sha256(module: str, file: Path, packages: frozenset[str]) -> str:
    """Compute the SHA-256 (hex) of a module's code, without comments, docstrings and formatting.

    Imports from `packages` do not count, so that moving a module makes no result stale;
    `Closure.wires` holds what they import.

    Raises
    ------
    ActreproError
        When the module's file cannot be read, or is not valid Python.
    """
    _read(module, file)
    return _sha256_without_imports(file.read_bytes(), packages)


@cache
def _sha256_without_imports(code: bytes, packages: frozenset[str]) -> str:
    return sha256_of_tree(without_imports(what_runs(code), packages))


def _read(module: str, file: Path) -> _Source:
    try:
        # Compiled modules have no imports that can be read.
        return _parsed(file.read_bytes()) if file.suffix == ".py" else _Source()
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except (SyntaxError, ValueError) as error:
        problem = f"is not valid Python ({error})"
    raise ActreproError(
        f"module '{module}': {file} {problem}; expected source that Python can import; correct it"
    )


# Cached by content: an edited file is parsed again, and planning asks once per model.
@cache
def _parsed(code: bytes) -> _Source:
    tree = what_runs(code)
    on_request = [node for node in tree.body if _is_getattr(node)]
    others = [node for node in tree.body if not _is_getattr(node)]
    return _Source(
        imports=tuple(_imports(others)),
        on_request=tuple(_imports(on_request)),
    )


def _is_getattr(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__getattr__"


def _imports(nodes: Iterable[ast.AST], optional: bool = False) -> Iterator[_Import]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield _Import(node, optional)
        # Expressions hold no statements.
        elif not isinstance(node, ast.expr):
            inside_try = optional or isinstance(node, ast.Try)
            yield from _imports(ast.iter_child_nodes(node), inside_try)
