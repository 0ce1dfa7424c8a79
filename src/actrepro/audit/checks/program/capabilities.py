"""Features and wishes: whether a thing can be had, here and today.

The earlier program is not among the documents, so what it did cannot be tested.
What can be is whether this one does it, and that is looked up in the program itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    CONTRADICTED,
    NOT_TESTABLE,
    SUPPORTED,
    Evidence,
    Finding,
    found,
)
from actrepro.audit.registry import Context, check
from actrepro.config.names import PACKAGE, activation_names, model_names, nearest
from actrepro.config.reading import default_study_path
from actrepro.config.study import Study
from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed
from actrepro.figures.catalogue import figure_names
from actrepro.gates.outcome import GATES
from actrepro.measures import group_measure_ids, measure_ids, run_measure_ids
from actrepro.results.schema import StatsFile
from actrepro.results.tables import COLUMNS

DEFINITION = re.compile(r"^\s*def (\w+)", re.MULTILINE)
# A function with such a word in its name would make up numbers that no run produced.
FILLING = ("impute", "interpolate", "synthetic", "fillna", "fill_missing")
# What a cell of `stats.json` has of numbers, each of which may be null.
CELL = "models.*.rules.final.cells.*"
NUMBERS_OF_A_CELL = ("metrics", "differences", "group")


@dataclass(frozen=True)
class Part:
    """A kind of thing that the program has: its words, where it stands, how it is looked up."""

    one: str
    many: str
    source: str
    has: Callable[[Study, str], bool]

    def told(self, names: Sequence[str]) -> str:
        """The kind and its names, as in `activations mish, selu`."""
        return f"{self.one if len(names) == 1 else self.many} {', '.join(names)}"


def _rules() -> set[str]:
    """The rules of the workflow beside the library."""
    files = [*root.glob("Snakefile"), *root.glob("rules/*.smk")] if (root := checkout()) else []
    return {name for file in files for name in re.findall(r"^rule (\w+)", file.read_text(), re.M)}


def _patterns() -> set[str]:
    """Where results lie: every path of `actrepro.core.paths` below `results/`."""
    values = (value for value in vars(paths).values() if isinstance(value, str))
    return {value for value in values if value.startswith(f"{paths.RESULTS}/")}


def _has_column(_: Study, name: str) -> bool:
    table, _dot, column = name.partition(".")
    return column in COLUMNS.get(table, {})


def _all_measures() -> list[str]:
    return [*run_measure_ids(), *measure_ids(), *group_measure_ids()]


@cache
def _schema_of(shape: type[Study] | type[StatsFile]) -> dict[str, Any]:
    return shape.model_json_schema()


def _node(shape: type[Study] | type[StatsFile], key: str) -> Mapping[str, Any] | None:
    """The part of a JSON schema at a dotted key; `*` stands for any name in a mapping."""
    schema = _schema_of(shape)
    node: Mapping[str, Any] | None = schema
    for part in key.split("."):
        node = None if node is None else _below(schema, node, part)
    return node


def _below(
    schema: Mapping[str, Any], node: Mapping[str, Any], part: str
) -> Mapping[str, Any] | None:
    for one in _choices(schema, node):
        if part in one.get("properties", {}):
            below: Mapping[str, Any] = one["properties"][part]
            return below
        if part == "*" and (values := _values(one)) is not None:
            return values
        if part in one.get("enum", ()):
            return {"const": part}
    return None


def _values(node: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a mapping has under its names, whatever they are; None for no mapping."""
    patterns = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return next((values for values in patterns if isinstance(values, Mapping)), None)


def _choices(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All that a node may be: references followed, unions opened, lists seen as their items."""
    yield node
    if "$ref" in node:
        yield from _choices(schema, schema["$defs"][node["$ref"].removeprefix("#/$defs/")])
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _choices(schema, choice)
    if isinstance(node.get("items"), Mapping):
        yield from _choices(schema, node["items"])


def _offers(dotted: str) -> bool:
    """Whether a module of the package has a function or class of that name, or exports it.

    Read from source, as names of activations are: importing would bring torch along.
    """
    module, _dot, name = dotted.rpartition(".")
    file = PACKAGE.parent / _file_of(module)
    return file.is_file() and name in _names_in(file)


def _file_of(module: str) -> Path:
    """A module's file, from the folder of the package's sources."""
    place = Path(*module.split("."))
    folder = (PACKAGE.parent / place).is_dir()
    return place / "__init__.py" if folder else place.with_suffix(".py")


def _names_in(file: Path) -> set[str]:
    """The functions and classes at the top of a module, and what it exports."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names |= set(ast.literal_eval(node.value))
    return names


def checkout() -> Path | None:
    """The repository that the program runs from; None for an installed package."""
    root = default_study_path().parents[1]
    return root if (root / "Snakefile").is_file() else None


def _in_checkout(_: Study, name: str) -> bool:
    root = checkout()
    return root is not None and (root / name).is_file()


PARTS: Mapping[str, Part] = {
    "rules": Part("rule", "rules", "Snakefile", lambda _, name: name in _rules()),
    "results": Part(
        "result", "results", "src/actrepro/core/paths.py", lambda _, name: name in _patterns()
    ),
    "figures": Part(
        "figure",
        "figures",
        "src/actrepro/figures/catalogue.py",
        lambda _, name: name in figure_names(["{model}"], ["{activation}"]),
    ),
    "columns": Part("column", "columns", "src/actrepro/results/tables.py", _has_column),
    "keys": Part(
        "key of stats.json",
        "keys of stats.json",
        "src/actrepro/results/schema.py",
        lambda _, name: _node(StatsFile, name) is not None,
    ),
    "measures": Part(
        "measure",
        "measures",
        "src/actrepro/measures/catalogue.py",
        lambda _, name: name in _all_measures(),
    ),
    "gates": Part("gate", "gates", "src/actrepro/gates/outcome.py", lambda _, name: name in GATES),
    "config": Part(
        "config key",
        "config keys",
        "src/actrepro/config/study.py",
        lambda _, name: _node(Study, name) is not None,
    ),
    "scales": Part(
        "scale", "scales", "config/config.yaml", lambda study, name: name in study.protocols
    ),
    "corpora": Part(
        "corpus", "corpora", "config/config.yaml", lambda study, name: name in study.corpora
    ),
    "models": Part(
        "model", "models", "src/actrepro/config/names.py", lambda _, name: name in model_names()
    ),
    "activations": Part(
        "activation",
        "activations",
        "src/actrepro/models/activations.py",
        lambda _, name: name in activation_names(),
    ),
    "api": Part("function", "functions", "", lambda _, name: _offers(name)),
    "files": Part("file", "files", "", _in_checkout),
}
Parts = Mapping[str, Sequence[str]]


@check
def provided_by(
    claim: Claim,
    context: Context,
    *,
    how: str,
    protocols: Mapping[str, Mapping[str, Any]] | None = None,
    beside: Sequence[str] = (),
    **parts: Sequence[str],
) -> Finding:
    """Whether this program has what a user needs for it; each part is looked up in the program.

    Else not testable.

    Parameters
    ----------
    how
        How a user asks for it, in a sentence.
    protocols
        By scale, values that its protocol must have.
    beside
        Rows that describe the same thing again.
    parts
        Names by the kinds in `PARTS`.
    """
    _refuse_unknown_kinds(claim, parts)
    if not parts and not protocols:
        raise ActreproError(f"claim {claim.id}: provided_by needs something that provides it")
    study = context.results.study
    gone = gone_of(study, parts)
    other = _other_protocols(study, protocols or {})
    sources = sources_of(parts, bool(protocols))
    if other or any(gone.values()):
        return found(NOT_TESTABLE, lacking(parts, gone, other), files=sources)
    told = "; ".join([*_told(parts), *map(_told_protocol, (protocols or {}).items())])
    first = Evidence(f"{how} Looked up in the program and found: {told}.", files=sources)
    return Finding(SUPPORTED, (first, *_again(context, beside)))


def _refuse_unknown_kinds(claim: Claim, parts: Parts) -> None:
    for kind in parts:
        if kind not in PARTS:
            raise ActreproError(
                f"claim {claim.id}: a program has no '{kind}'{nearest(kind, list(PARTS))}"
            )


def gone_of(study: Study, parts: Parts) -> dict[str, list[str]]:
    """The parts that the program does not have."""
    return {
        kind: [one for one in names if not PARTS[kind].has(study, one)]
        for kind, names in parts.items()
    }


def _told(parts: Parts) -> list[str]:
    return [PARTS[kind].told(names) for kind, names in parts.items() if names]


def sources_of(parts: Parts, protocols: bool = False) -> tuple[str, ...]:
    """The files of the program that were looked into."""
    files = [name for kind, names in parts.items() for name in _source(kind, names)]
    return tuple(dict.fromkeys([*files, *(["config/config.yaml"] if protocols else [])]))


def _source(kind: str, names: Sequence[str]) -> Sequence[str]:
    if kind == "files":
        return names
    if kind == "api":
        return [f"src/{_file_of(name.rpartition('.')[0]).as_posix()}" for name in names]
    return [PARTS[kind].source]


def lacking(parts: Parts, gone: Mapping[str, list[str]], other: Sequence[str] = ()) -> str:
    """A sentence on what the program does not have of some parts, and what it has of them."""
    rest = {kind: [one for one in names if one not in gone[kind]] for kind, names in parts.items()}
    has = f"; it has: {'; '.join(_told(rest))}" if any(rest.values()) else ""
    installed = gone.get("files") and checkout() is None
    why = " (an installed package comes without the repository's files)" if installed else ""
    return f"This program does not have: {'; '.join([*_told(gone), *other])}{why}{has}."


def _other_protocols(study: Study, protocols: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The asked-for values that scales do not have, in words."""
    return [
        f"scale {scale} with {key} {value}"
        for scale, values in protocols.items()
        for key, value in values.items()
        if scale not in study.protocols or getattr(study.protocols[scale], key, None) != value
    ]


def _told_protocol(protocol: tuple[str, Mapping[str, Any]]) -> str:
    scale, values = protocol
    return f"scale {scale} with {', '.join(f'{key} {value}' for key, value in values.items())}"


def _again(context: Context, rows: Sequence[str]) -> list[Evidence]:
    """That the documents describe the same under other rows."""
    if not rows:
        return []
    origins = [context.table.claim(row).origin for row in rows]
    places = [f"{origin.document} (lines {origin.lines})" for origin in origins]
    says = f"The documents have a second way to the same: {listed(places)}."
    return [Evidence(says, rows=tuple(rows))]


@check
def not_testable(claim: Claim, context: Context, *, why: str, rows: Sequence[str] = ()) -> Finding:
    """That this program neither does nor measures it, so that nothing run here would tell.

    `rows` are claims that the reason rests on.
    """
    for row in rows:
        context.table.claim(row)
    return found(NOT_TESTABLE, why, rows=tuple(rows))


@check
def keeps_gaps(claim: Claim, context: Context, *, same: Mapping[str, str] | None = None) -> Finding:
    """Whether numbers may be filled in where no run produced them.

    Contradicted, as here they may not: each number of a cell may be null, and no function fills
    one in. `same` names rows, and which of their printed numbers, that agree although they are
    of runs of different length and size.
    """
    fillers = filling_functions()
    filled = [
        key for key in (f"{CELL}.{part}.*" for part in NUMBERS_OF_A_CELL) if not _may_be_null(key)
    ]
    files = ("src/actrepro/results/schema.py",)
    if fillers or filled:
        what = [
            *(f"the function {name}" for name in fillers),
            *(f"{key} is never null" for key in filled),
        ]
        return found(SUPPORTED, f"This program can: {listed(what)}.", files=files)
    says = (
        f"Here a missing number stays missing: the {listed(list(NUMBERS_OF_A_CELL))} of a cell in "
        "stats.json are null without runs, a run that diverged or failed is left out with its "
        "reason, and no function of the program fills a number in. A number that no run produced "
        "is not evidence about seeds."
    )
    return Finding(CONTRADICTED, (Evidence(says, files=files), *_same(context, same or {})))


def filling_functions() -> list[str]:
    """Functions of the program whose names say that they make up missing numbers."""
    return sorted(
        f"{file.stem}.{name}"
        for file in PACKAGE.rglob("*.py")
        for name in DEFINITION.findall(file.read_text(encoding="utf-8"))
        if any(word in name for word in FILLING)
    )


def _may_be_null(key: str) -> bool:
    node = _node(StatsFile, key) or {}
    return any(one.get("type") == "null" for one in _choices(_schema_of(StatsFile), node))


def _same(context: Context, rows: Mapping[str, str]) -> list[Evidence]:
    """That printed numbers of different runs agree to the last digit, where they do."""
    values = {context.table.claim(row).number(name) for row, name in rows.items()}
    if len(rows) < 2 or len(values) > 1:
        return []
    return [
        Evidence(
            f"The documents print {values.pop():g} for different runs, to the last digit; a "
            "number that was copied or filled in cannot be told from one that was measured.",
            rows=tuple(rows),
        )
    ]
