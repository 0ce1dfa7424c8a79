"""Write the rules' conda environments from the pins: `make envs`.

What a rule's script imports decides what its environment holds, and `requirements.txt` which
version. So a rule that draws does not wait for a new torch, and a new matplotlib trains nothing.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from actrepro.provenance.closure import closure, imported_by, modules_of
from actrepro.provenance.normal_form import what_runs

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Modules that import or start others by a name put together at run time, and their packages.
LOADS_BY_NAME = {
    "actrepro.audit.verdicts": (
        "actrepro.audit.checks.measured",
        "actrepro.audit.checks.printed",
    ),
    "actrepro.benchmark.processes": ("actrepro.benchmark.programs",),
    "actrepro.audit.controls.job": ("actrepro.audit.controls.trained",),
    "actrepro.audit.facts": ("actrepro.models.zoo",),
    "actrepro.models": ("actrepro.models.zoo",),
}
HEAD = """\
# Written by `make envs`: what these scripts of the workflow import, at the pins of
# requirements.txt. The library itself is found beside the workflow.
#
{scripts}
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
  - pip:
"""


def scripts_by_environment() -> dict[str, list[Path]]:
    """Return the scripts that rules run in each of `envs/`, by the environment's name."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"^(?=(?:use )?rule )", file.read_text(encoding="utf-8"), flags=re.M):
            script = re.search(r'script:\s+"\.\./(workflow/scripts/\w+\.py)"', rule)
            environment = re.search(r'conda:\s+"\.\./envs/(\w+)\.yaml"', rule)
            if script and not environment:
                raise SystemExit(
                    f"{file}: {script[1]} has no environment; expected "
                    '`conda: "../envs/….yaml"` in its rule; name the one it runs in'
                )
            if script and environment:
                found[environment[1]].append(ROOT / script[1])
    return {name: sorted(scripts) for name, scripts in sorted(found.items())}


def imported_packages(script: Path) -> set[str]:
    """Return the packages that a script imports, itself and through the library."""
    files = _library(wire.source for wire in imported_by(script, "actrepro")).values()
    names = {name.partition(".")[0] for file in (script, *files) for name in _imports(file)}
    known = _distributions()
    return {
        canonicalize_name(known[name][0])
        for name in names - sys.stdlib_module_names - {"actrepro", "__future__"}
    }


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _library(modules: Iterable[str]) -> dict[str, Path]:
    """Return the library's modules that some of them use, with those loaded by name."""
    modules = set(modules)
    files = closure(modules).files
    loaded = (packages for module, packages in LOADS_BY_NAME.items() if module in files)
    more = {name for packages in loaded for one in packages for name in modules_of(one)}
    return files if more <= modules else _library(modules | more)


@cache
def _imports(file: Path) -> set[str]:
    """Return the dotted names of all imports in a file, also those within functions."""
    names = set()
    for node in ast.walk(what_runs(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def pins(file: str = "requirements.txt") -> dict[str, str]:
    """Return pinned versions by name: of the study's packages, or of another file's."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", text, re.M))


def with_dependencies(packages: Iterable[str], pinned: Mapping[str, str]) -> dict[str, str]:
    """Return pins of packages and of all that they require.

    What is not pinned (the libraries of a CUDA build of torch) its own package pins.
    """
    extras = {canonicalize_name(one.name): one.extras for one in _requirements()}
    found: dict[str, str] = {}
    waiting = [Requirement(f"{name}[{','.join(extras.get(name, ()))}]") for name in packages]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in pinned and (name not in found or wanted.extras):
            found[name] = pinned[name]
            waiting += _required(name, wanted.extras)
    return dict(sorted(found.items()))


def _requirements() -> list[Requirement]:
    return [Requirement(line) for line in DECLARED["dependencies"]]


def _required(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    """Yield the requirements of an installed package on this machine, with some of its extras."""
    for line in requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def environment(scripts: Iterable[Path]) -> str:
    """Return the YAML of an environment for scripts."""
    scripts = list(scripts)
    packages = {name for script in scripts for name in imported_packages(script)}
    head = HEAD.format(
        scripts="\n".join(f"#   {script.stem}" for script in scripts), python=python_version()
    )
    pinned = with_dependencies(packages, pins())
    return head + "".join(f"      - {name}=={version}\n" for name, version in pinned.items())


def python_version() -> str:
    """Return the oldest Python that the library supports, which its tests run with."""
    return str(DECLARED["requires-python"]).removeprefix(">=")


def environments() -> dict[Path, str]:
    """Return the files of `envs/` and their contents."""
    return {
        ROOT / "envs" / f"{name}.yaml": environment(scripts)
        for name, scripts in scripts_by_environment().items()
    }


if __name__ == "__main__":
    for file, text in environments().items():
        file.write_text(text, encoding="utf-8")
