"""What is installed: pins, ranges, the conda environment and the README's table agree."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)$", re.MULTILINE)
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _pins(file: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / file).read_text(encoding="utf-8")))


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[>=<]", one)[0].lower() for one in requirements}


def test_every_dependency_is_pinned_once() -> None:
    assert _names(DECLARED["dependencies"]) <= _pins("requirements.txt").keys()
    assert _names(DECLARED["optional-dependencies"]["dev"]) <= _pins("requirements-dev.txt").keys()
    assert not _pins("requirements.txt").keys() & _pins("requirements-dev.txt").keys()


def test_the_conda_environment_has_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "envs/actrepro.yaml").read_text(encoding="utf-8"))
    [pip] = [one["pip"] for one in environment["dependencies"] if isinstance(one, dict)]
    assert dict(one.split("==") for one in pip) == _pins("requirements.txt")


def test_the_readme_gives_each_dependency_a_reason() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## Dependencies")[1]
    named = {
        name
        for row in re.findall(r"^\| ([a-z0-9, ]+) \|", table, re.MULTILINE)
        for name in row.split(", ")
    }
    assert named - {"package"} == _names(DECLARED["dependencies"])
