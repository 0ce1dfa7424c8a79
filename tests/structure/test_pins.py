"""Pinned packages, ranges, conda environments and the README's table agree."""

import re
from importlib.metadata import requires

import pytest
import yaml
from environments import (
    DECLARED,
    LOADS_BY_NAME,
    environments,
    imported_packages,
    pins,
    scripts_by_environment,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from study_folder import REPOSITORY

SOURCE = REPOSITORY / "src/actrepro"


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[>=<]", one)[0].lower() for one in requirements}


def test_every_dependency_is_pinned_once() -> None:
    assert _names(DECLARED["dependencies"]) <= pins("requirements.txt").keys()
    assert _names(DECLARED["optional-dependencies"]["dev"]) <= pins("requirements-dev.txt").keys()
    assert not pins("requirements.txt").keys() & pins("requirements-dev.txt").keys()


def _environment(name: str) -> dict[str, str]:
    environment = yaml.safe_load((REPOSITORY / f"envs/{name}.yaml").read_text(encoding="utf-8"))
    *others, pip = environment["dependencies"]
    assert others == [f"python={DECLARED['requires-python'].removeprefix('>=')}", "pip"]
    return dict(one.split("==") for one in pip["pip"])


ENVIRONMENTS = [file.stem for file in sorted((REPOSITORY / "envs").iterdir())]
SCRIPTS = sorted((REPOSITORY / "workflow/scripts").glob("*.py"))


def test_the_environments_are_those_that_rules_name_and_serve_every_script() -> None:
    served = scripts_by_environment()
    assert list(served) == ENVIRONMENTS
    assert sorted(script for scripts in served.values() for script in scripts) == SCRIPTS


def test_environments_are_as_make_envs_writes_them() -> None:
    stale = [
        str(file.relative_to(REPOSITORY))
        for file, text in environments().items()
        if file.read_text(encoding="utf-8") != text
    ]
    assert not stale, "out of step with imports or requirements.txt; run `make envs`"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_has_what_its_scripts_import_at_the_pins_and_no_more(name: str) -> None:
    has, pinned = _environment(name), pins("requirements.txt")
    assert has.items() <= pinned.items()
    scripts = scripts_by_environment()[name]
    imported = {package for script in scripts for package in imported_packages(script)}
    assert imported <= _names(DECLARED["dependencies"])
    assert imported <= has.keys()
    assert has.keys() - imported == _brought_along(imported, has) - imported


def _brought_along(packages: set[str], has: dict[str, str]) -> set[str]:
    """Return the requirements of an environment's packages, direct and indirect."""
    found = {"tqdm"} if "pooch" in packages else set()  # of pooch[progress]
    waiting = [*packages]
    while waiting:
        required = [Requirement(one) for one in requires(waiting.pop()) or [] if "extra" not in one]
        new = ({canonicalize_name(one.name) for one in required} & has.keys()) - found
        found |= new
        waiting += new
    return found


def test_what_loads_modules_by_name_is_known() -> None:
    """A module's text does not show these imports."""
    loads = {
        "actrepro." + ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        for file in SOURCE.rglob("*.py")
        if re.search(r"import_module\(|\"-m\", f\"", file.read_text(encoding="utf-8"))
    }
    assert {name.removesuffix(".__init__") for name in loads} == LOADS_BY_NAME.keys()


def test_a_bump_of_one_concern_leaves_the_others_alone() -> None:
    training, statistics, presentation = map(
        _environment, ("training", "statistics", "presentation")
    )
    assert {"torch", "safetensors"} <= training.keys() - statistics.keys() - presentation.keys()
    assert {"scipy", "statsmodels"} <= statistics.keys() - training.keys()
    assert "matplotlib" in presentation.keys() - training.keys() - statistics.keys()


def test_the_readme_gives_each_dependency_a_reason() -> None:
    table = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("## Dependencies")[1]
    named = {
        name
        for row in re.findall(r"^\| ([a-z0-9, -]+) \|", table, re.MULTILINE)
        for name in row.split(", ")
    }
    assert named - {"package"} == _names(DECLARED["dependencies"])
