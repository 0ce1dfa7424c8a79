"""Write the reference of config keys and of result files from their types: `make reference`.

The pages come from the JSON schemas of `actrepro.audit.config` and `actrepro.results.schema`, so
what a page says of a key is what checks it, and from the texts of the tables' columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from actrepro.audit.config import schema as config_schema
from actrepro.results import schema as results_schema
from actrepro.results.columns import COLUMN_TEXTS, ROWS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/reference"
Schema = Mapping[str, Any]

CONFIG_HEAD = """# Config keys

Every key of a study's YAML file, from the types in `src/actrepro/config/` that check it; those
of the audit's block are in `src/actrepro/audit/config.py`.
[config/README.md](../../config/README.md) says how studies are written. A study names only what it
changes: the defaults of its keys are what `config/config.yaml` sets. A key that is required has
none, in what you define anew.
"""
RESULTS_HEAD = """# Columns and keys of result files

The columns of the tables, and every key of `stats.json`. [results.md](../results.md) says how to
read them, and describes the other files, measures, gates and verdicts.

## Tables

Columns that several tables have:

- `scale`, `model`, `activation`, `seed`, `rule`: what the row is of; `failed_gates` the gates that
  failed.
- `n`: seeds behind the value. `value` is in the measure's unit, `standard_error` too.
- `low`, `high`: the interval at the study's confidence. Empty with too few seeds: two are needed,
  and three where runs are compared in pairs or groups.
"""
KEYS_HEAD = """
# Keys of `stats.json`

Of `results/{scale}/stats.json` (`StatsFile`) and `results/{scale}/{model}/stats.json`
(`ModelStatsFile`), from the types in `src/actrepro/results/schema.py`, which a test holds against
real files.
"""
BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def pages() -> dict[Path, str]:
    """Return the pages that the types give now."""
    of_config = _with_defaults(json.loads(config_schema()))
    of_results = json.loads(results_schema.schema())
    return {
        FOLDER / "config.md": _page(CONFIG_HEAD, {"Study": of_config, **of_config["$defs"]}),
        FOLDER / "results.md": _tables() + _page(KEYS_HEAD, of_results["$defs"], "StatsFile"),
    }


def _with_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a study's schema, with the default study's values for keys without definitions."""
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    simple = {key: value for key, value in default.items() if not isinstance(value, dict)}
    for key, value in simple.items():
        schema["properties"][key]["in config.yaml"] = value
    schema["required"] = [key for key in schema["required"] if key not in simple]
    return schema


def _written(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _tables() -> str:
    """Return a section for each table, with its columns in their order."""
    return "\n".join([RESULTS_HEAD, *(_table(name) for name in ROWS)])


def _table(name: str) -> str:
    rows = [_line([columns, _plain(text)]) for columns, text in COLUMN_TEXTS[name].items()]
    head = [_line(["column", "meaning"]), _line(["---"] * 2)]
    return "\n".join([f"### `{name}.csv`\n", f"{ROWS[name]}\n", *head, *rows, ""])


def _page(head: str, types: Mapping[str, Schema], first: str = "Study") -> str:
    """Return a section for each type that has keys."""
    named = {name: one for name, one in types.items() if "properties" in one}
    ordered = sorted(named, key=lambda name: (name != first, name))
    return "\n".join([head, *(_section(name, named[name]) for name in ordered)])


def _section(name: str, schema: Schema) -> str:
    required = set(schema.get("required", ()))
    columns = ["key", "value", "default", "meaning"]
    rows = [
        [f"`{key}`", _type(one), _default(key, one, required), _plain(one.get("description", ""))]
        for key, one in schema["properties"].items()
    ]
    if all(default == "required" for _, _, default, _ in rows):
        columns, *rows = [[key, value, text] for key, value, _, text in (columns, *rows)]
    about = _plain(schema.get("description", ""))
    table = [_line(columns), _line(["---"] * len(columns)), *map(_line, rows)]
    return "\n".join([f"## {name}\n", *([f"{about}\n"] if about else []), *table, ""])


def _default(key: str, schema: Schema, required: set[str]) -> str:
    if key in required:
        return "required"
    if "in config.yaml" in schema:
        return f"`{_written(schema['in config.yaml'])}`"
    value = schema.get("default")
    return "none" if value in (None, [], {}) else f"`{json.dumps(value)}`"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _type(schema: Schema) -> str:
    """Describe the values that a key may hold, with links to the types of this page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "anything" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in values)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    return _of_kind(schema)


def _of_kind(schema: Schema) -> str:
    kind = schema.get("type", "anything")
    if kind == "array":
        inner = schema.get("prefixItems")
        if inner:
            return f"list of {len(inner)}: {', '.join(map(_type, inner))}"
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object":
        return f"by {_key(schema)}: {_type(next(_values(schema), {}))}"
    return " ".join([{"null": "null"}.get(kind, kind), *_bounds(schema)])


def _values(schema: Schema) -> Iterator[Schema]:
    """Yield the schemas of a mapping's values."""
    yield from schema.get("patternProperties", {}).values()
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield schema["additionalProperties"]


def _key(schema: Schema) -> str:
    return "name" if "patternProperties" in schema else "key"


def _bounds(schema: Schema) -> Iterator[str]:
    for name, sign in BOUNDS.items():
        if name in schema:
            yield f"{sign} {schema[name]:,}"
    if "pattern" in schema and not re.fullmatch(r"\^\[A-Za-z\].*", schema["pattern"]):
        yield f"matching `{_plain(schema['pattern'])}`"


if __name__ == "__main__":
    for page, text in pages().items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
