"""Files that other tools read: conda, the workflow catalog, containers, GitHub."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from environments import python_version
from rulegraph import README, drawn_into, reduced
from study_folder import REPOSITORY, TINY, Study

ENVIRONMENTS = sorted(file.name for file in (REPOSITORY / "envs").iterdir())

# The rule graph


@pytest.mark.workflow
def test_the_picture_of_the_rules_is_as_make_rulegraph_draws_it() -> None:
    readme = README.read_text(encoding="utf-8")
    assert drawn_into(readme) == readme, "the rules have changed; run `make rulegraph`"


def test_only_arrows_that_a_longer_way_implies_are_dropped() -> None:
    diamond = {("a", "b"), ("b", "d"), ("a", "c"), ("c", "d")}
    assert reduced(diamond | {("a", "d")}) == diamond
    chain = {("a", "b"), ("b", "c"), ("c", "d")}
    assert reduced(chain | {("a", "c"), ("a", "d"), ("b", "d")}) == chain


def test_a_readme_without_a_place_for_the_picture_is_refused() -> None:
    with pytest.raises(SystemExit, match="found 0 places for the rule graph, expected one"):
        drawn_into("# Read me\n")


# Conda, of which a stand-in is enough: what it would install is held to the pins elsewhere.

CONDA = """\
#!/bin/sh
case "$*" in
  "info --json") echo '{{"conda_prefix": "{prefix}", "platform": "linux-64"}}' ;;
  --version) echo conda 25.1.0 ;;
  "config --get channel_priority --json") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  "env create"*)
    while [ "$1" != --prefix ]; do shift; done
    mkdir -p "$2/conda-meta" "$2/bin" && cp "{prefix}/python" "$2/bin/python" ;;
esac
"""
# Neither this library nor any package: what is imported comes by Snakemake's search path.
BARE_PYTHON = '#!/bin/sh\nexec "{python}" -S "$@"\n'
ACTIVATE = 'export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n'


@pytest.fixture
def with_conda(tmp_path: Path) -> Mapping[str, str]:
    """Return environment variables that put a stand-in for conda on the path."""
    prefix = tmp_path / "conda"
    for name, text in {
        "bin/conda": CONDA.format(prefix=prefix),
        "bin/activate": ACTIVATE,
        "python": BARE_PYTHON.format(python=sys.executable),
    }.items():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(text, encoding="utf-8")
        (prefix / name).chmod(0o755)
    return {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}"}


def _without_the_library(
    checkout: Path, folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> str:
    """Return a Snakemake in whose environment this library is not installed."""
    command = [sys.executable, "-S", "-m", "snakemake", "--snakefile", checkout / "Snakefile"]
    # Without `site`, packages are found and what is installed as editable is not.
    packages = os.pathsep.join(site.getsitepackages())
    done = subprocess.run(
        [*command, "--cores", "1", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": packages, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.workflow
def test_each_rule_has_one_of_the_conda_environments(
    tmp_path: Path, with_conda: Mapping[str, str]
) -> None:
    arguments = ("all", "audit", "benchmark", "--list-conda-envs", "--sdm", "conda")
    listed = _without_the_library(REPOSITORY, tmp_path, *arguments, variables=with_conda)
    assert sorted(re.findall(r"envs/(\w+\.yaml)", listed)) == ENVIRONMENTS


@pytest.mark.workflow
def test_a_job_in_a_conda_environment_finds_the_library_beside_the_workflow(
    tmp_path: Path, with_conda: Mapping[str, str]
) -> None:
    study = Study(tmp_path)
    made = "results/corpora/made-up/evaluation-16.json"
    arguments = (made, "--sdm", "conda", "--configfile", str(TINY))
    _without_the_library(REPOSITORY, tmp_path, *arguments, variables=with_conda)
    assert study.json(made)["block"]
    [environment] = (tmp_path / ".snakemake/conda").glob("*.yaml")
    assert environment.read_bytes() == (REPOSITORY / "envs/training.yaml").read_bytes()


# The workflow catalog


def test_the_workflow_catalog_can_read_how_this_is_used() -> None:
    file = REPOSITORY / ".snakemake-workflow-catalog.yml"
    [(key, usage)] = yaml.safe_load(file.read_text(encoding="utf-8")).items()
    assert key == "usage"
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    assert isinstance(usage["mandatory-flags"]["desc"], str)
    assert usage["mandatory-flags"]["flags"] == []
    deployments = usage["software-stack-deployment"]
    assert deployments.keys() == {"conda", "apptainer", "apptainer+conda"}
    # As long as no rule names a container.
    assert [name for name, works in deployments.items() if works] == ["conda"]
    assert usage["report"] is True
    assert (REPOSITORY / "config/README.md").is_file()


def test_the_catalog_finds_the_snakefile() -> None:
    """The catalog looks in `workflow/` if it exists, else at the top."""
    folder = REPOSITORY / "workflow"
    found = ((folder if folder.is_dir() else REPOSITORY) / "Snakefile").is_file()
    text = " ".join((REPOSITORY / "docs/running.md").read_text(encoding="utf-8").split())
    assert ("catalog would pass this repository over" in text) != found


# Commands in documents

DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
# `--resources` takes every word up to the next option for one of its own.
SWALLOWED = re.compile(r"--resources(?: \w+=\d+)+ (?!\w+=)\w.*")


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_commands_name_no_target_behind_resources(file: Path) -> None:
    assert SWALLOWED.findall(file.read_text(encoding="utf-8")) == []


# The container

Instructions = list[tuple[str, str]]


def _dockerfile() -> Instructions:
    """Return names and arguments, with continued lines joined and comments left out."""
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line]
    return [(name, " ".join(arguments.split())) for name, arguments in lines]


def _arguments(name: str) -> list[str]:
    return [arguments for one, arguments in _dockerfile() if one == name]


def _copied() -> list[tuple[str, str]]:
    """Return the parts of the repository that are copied into the image, with their targets."""
    pairs = []
    for arguments in _arguments("COPY"):
        *sources, target = arguments.split()
        pairs += [(one, target if target != "./" else f"./{one}") for one in sources]
    return pairs


def test_the_dockerfile_can_be_parsed_and_runs_snakemake() -> None:
    names = [name for name, _ in _dockerfile()]
    assert set(names) == {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD"}
    assert (names[0], names.count("FROM"), names[-2:]) == ("FROM", 1, ["ENTRYPOINT", "CMD"])
    [entrypoint], [command] = _arguments("ENTRYPOINT"), _arguments("CMD")
    library, study = _arguments("WORKDIR")
    assert json.loads(entrypoint) == ["snakemake", "--snakefile", f"{library}/Snakefile"]
    assert json.loads(command)[0] == "--cores"
    assert f":{study}" in (REPOSITORY / "docs/running.md").read_text(encoding="utf-8")


def test_the_image_has_the_tested_python_and_the_pins_alone() -> None:
    [base] = _arguments("FROM")
    assert re.fullmatch(rf"python:{re.escape(python_version())}-slim-[a-z]+", base)
    [install] = _arguments("RUN")
    options = re.sub(r"\$\{TORCH_INDEX:.*?\}", "", install).split()
    assert options == ["python", "-m", "pip", "install", "--requirement", "requirements.txt"]
    pins = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", line)] == []


def test_what_the_image_copies_is_sent_to_the_builder_and_nothing_else() -> None:
    ignore = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    kept = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert kept == {source for source, _ in _copied()}
    assert all((REPOSITORY / source).exists() for source in kept)
    assert any(fnmatch("src/__pycache__", line) for line in ignore if "pycache" in line)


@pytest.mark.workflow
def test_what_the_image_copies_is_enough_to_plan_a_study(tmp_path: Path) -> None:
    image, study = tmp_path / "image", tmp_path / "study"
    study.mkdir()
    for source, target in _copied():
        place = image / target
        place.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copyfile
        copy(REPOSITORY / source, place)
    planned = _without_the_library(image, study, "all", "audit", "--dry-run")
    assert re.search(r"^train(_cell)? +\d+$", planned, re.MULTILINE)
