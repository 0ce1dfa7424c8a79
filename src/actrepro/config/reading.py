"""Reading a config: YAML files, the defaults, and messages that name each wrong key."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    TypeAdapter,
    ValidationError,
)

from actrepro.config.names import nearest
from actrepro.config.protocol import (
    CORPUS_SOURCES,
    Benchmark,
    Corpus,
    Growth,
    Margins,
    Overrides,
    Part,
    Protocol,
)
from actrepro.config.study import Study
from actrepro.core.errors import ActreproError


def parse_study(config: dict[str, Any], origin: str = "the config") -> Study:
    """Check a config and return it as a study.

    Raises
    ------
    ActreproError
        Naming each wrong key, what was found, and the nearest valid name.
    """
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        raise not_a_study(
            origin, [problem(part, *_place(part["loc"])) for part in error.errors()]
        ) from None


def not_a_study(origin: str, problems: Iterable[str]) -> ActreproError:
    """Return the error that lists what is wrong with a config."""
    lines = "\n".join(f"  - {one}" for one in problems)
    return ActreproError(
        f"{origin} is not a valid study:\n{lines}\n"
        "Every key is described in docs/reference/config.md."
    )


def problem(part: Any, place: str, keys: list[str]) -> str:
    """Return one of pydantic's problems in words; `keys` are valid at its place."""
    if part["type"] == "extra_forbidden":
        return f"{place}: no such key{nearest(str(part['loc'][-1]), keys)}"
    if part["type"] == "missing":
        return f"{place}: is missing"
    message = str(part["msg"]).removeprefix("Value error, ")
    if not place:
        return message
    return f"{place}: found {part['input']!r}, but {message[0].lower()}{message[1:]}"


def _place(location: tuple[Any, ...]) -> tuple[str, list[str]]:
    """Return the dotted key of an error's location, and the keys that are valid beside it."""
    match location:
        case ("corpora", name, source, *rest) if source in CORPUS_SOURCES:
            # pydantic's location includes the source, which is not a level of the config.
            return ".".join(map(str, ("corpora", name, *rest))), list(
                CORPUS_SOURCES[source].model_fields
            )
        case ("protocols", _, "overrides", _, *_):
            kind: type[Part] = Overrides
        case ("protocols", _, *_):
            kind = Protocol
        case ("margins", *_):
            kind = Margins
        case ("benchmark", "growth", *_):
            kind = Growth
        case ("benchmark", *_):
            kind = Benchmark
        case _:
            kind = Study
    return ".".join(map(str, location)), list(kind.model_fields)


def parse_corpus(config: dict[str, Any]) -> Corpus:
    """Return one corpus of a study from its slice of the config, which was checked before."""
    return TypeAdapter[Corpus](Corpus).validate_python(config)


def read_study(path: Path) -> Study:
    """Read a study's YAML file; missing keys come from the default study.

    Raises
    ------
    ActreproError
        When the file is missing, is not YAML, or is not a valid study.
    """
    return parse_study(_merged(_read_yaml(default_study_path()), _read_yaml(path)), str(path))


def default_study() -> Study:
    """Return the default study, which also defines the built-in scales and corpora."""
    path = default_study_path()
    return parse_study(_read_yaml(path), str(path))


def default_study_path() -> Path:
    """Return the path of `config/config.yaml` in this checkout, or in an installed wheel."""
    installed = Path(__file__).parents[1] / "config.yaml"
    return installed if installed.exists() else Path(__file__).parents[3] / "config/config.yaml"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ActreproError(f"{path}: there is no such config file; check its name") from None
    except OSError as error:
        raise ActreproError(f"{path}: expected a config file, found: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ActreproError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ActreproError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two config files as Snakemake does: mappings merge, other values are replaced."""
    both = {key: (base[key], over[key]) for key in base.keys() & over.keys()}
    merged = {
        key: _merged(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
        for key, (old, new) in both.items()
    }
    return {**base, **over, **merged}
