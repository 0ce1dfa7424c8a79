"""Documents: every command in them runs, or has a reason not to; every link has a target."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from documents import (
    FENCE,
    PAGES,
    anchor,
    anchors,
    commands,
    files,
    links,
    name_of,
    options,
    recipes,
)
from sandbox import Checkout
from snakemake.cli import get_argument_parser
from study_folder import REPOSITORY
from tutorial import PAGE as TUTORIAL
from tutorial import typed

# Commands that are not run here, by how they begin, and why.
ELSEWHERE = {
    "apptainer ": "needs Apptainer and the image",
    "apt-get install slurm-wlm munge": "installs on the machine; .ci/run does it",
    "conda ": "needs conda; tests/workflow/test_ecosystem.py has a stand-in for it",
    "docker ": "needs containers; tests/workflow/test_ecosystem.py checks the recipe",
    ".venv/bin/pip install ": "needs the package index",
    "python3 -m venv .venv": "the Makefile does so, before these tests could run",
    '.venv/bin/python -c "import torch; print(torch.version.cuda': "needs a CUDA GPU",
    "pytest -m cuda": "needs a CUDA GPU",
    "python tests/slow/benchmarks/big_study.py": "tests/slow/test_big_study.py runs it, smaller",
    "python tests/slow/benchmarks/profile_training.py": "takes minutes",
    "python tests/slow/error_rates.py": "tests/slow/test_simulated_studies.py runs it, smaller",
    "python tests/support/cluster.py": "tests/workflow/test_slurm.py starts and stops that Slurm",
    "scancel ": "needs a cluster; tests/workflow/test_slurm.py cancels jobs",
    "scontrol ": "needs a cluster; tests/workflow/test_slurm.py has one",
    "snakemake --cores 8 all --sdm conda": "needs conda; see tests/workflow/test_ecosystem.py",
    "snakemake --report": "tests/workflow/test_workflow.py makes that report of a finished study",
    "snakemake all audit --report": "tests/workflow/test_audit.py makes it of a finished audit",
}
# What a reader puts there of his own.
PLACEHOLDERS = {"/path/to/results": "brought", "=NAME": "=h100", "…": "quick"}
# Named as what they do, without what they are to do it with.
COMPLETED = {
    "snakemake elsewhere": "snakemake elsewhere --config elsewhere=/path/to/results",
    "snakemake record": "snakemake record --config record=h100",
    "--resources gpu=": "--resources gpu=4",
}
DOES_NOTHING_YET = {"--dry-run", "--unlock"}
# Blocks in these languages have commands; in these others they are run or read in the test named.
COMMANDS = {"", "sh"}
RECIPES, TUTORIALS = "tests/documents/test_recipes.py", "tests/documents/test_tutorial.py"
OTHERS = {
    "mermaid": "tests/workflow/test_ecosystem.py",
    "python": f"{RECIPES}, tests/results/test_frames.py, {TUTORIALS}",
    "text": "formulas; tests/documents/test_method.py",
    "yaml": f"{RECIPES}, {TUTORIALS}, and here",
}
# Options that are no option of Snakemake's, and whose they are.
OF_OTHERS = {
    "--device": "podman",
    "--gpus": "docker",
    "--name": "scancel",
    "--requeue": "sbatch",
    "--user": "docker",
    "--userns": "podman",
    "--volume": "docker",
}
STUDY = {"models": ["charlm"], "activations": ["relu", "gelu"], "seeds": [42, 43]}

typed_in = {page: sorted({*commands(page)}) for page in PAGES}
shown = {name: text for page in PAGES for name, text in files(page, "yaml").items()}
all_commands = sorted({command for found in typed_in.values() for command in found})
of_tutorial = {*typed()}


def reason(command: str) -> str | None:
    """Return the reason why a command is not run here."""
    return next((why for start, why in ELSEWHERE.items() if command.startswith(start)), None)


def harmless(command: str) -> str | None:
    """Return a command as a dry run, with its placeholders filled in."""
    command = COMPLETED.get(command, command)
    for placeholder, ours in PLACEHOLDERS.items():
        command = command.replace(placeholder, ours)
    match command.split():
        case ["make", "explain", *_]:
            return command
        case ["make", *_]:
            return command.replace("make", "make --dry-run", 1)
        case ["snakemake", *options] if DOES_NOTHING_YET & {*options}:
            return command
        case ["snakemake", *_]:
            return f"{command} --dry-run"
        case ["source", *_]:
            return command
    return None


here = [
    command for command in all_commands if command not in of_tutorial and reason(command) is None
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with the recipes of CONTRIBUTING.md carried out, and the files that pages name."""
    made = Checkout(tmp_path_factory.mktemp("checkout"), STUDY)
    for kind, mode in (("append to", "a"), ("create", "w")):
        for target, code in recipes(kind):
            with (made.folder / target).open(mode, encoding="utf-8") as file:
                file.write(f"\n\n{code}")
    blocks = [code for _, code in recipes("study")]
    protocols = "".join(block.partition("protocols:\n")[2] for block in blocks)
    corpora = "".join(block.partition("protocols:\n")[0] for block in blocks)
    text = made.folder / "made-up.txt"
    for name, content in {
        **shown,
        "my-study.yaml": f"{shown['my-study.yaml']}{corpora}protocols:\n{protocols}",
        "first.yaml": "seeds: [42, 43]\n",
        "diary.txt": text.read_text(encoding="utf-8"),
    }.items():
        (made.folder / name).write_text(content, encoding="utf-8")
    (made.folder / "brought/quick/charlm/relu/seed42").mkdir(parents=True)
    return made


@pytest.fixture(scope="module")
def outcomes(checkout: Checkout) -> Iterator[dict[str, Future[tuple[int, str]]]]:
    """Run the commands, two at a time, and return their outcomes."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {
            command: pool.submit(checkout.run, f"source .venv/bin/activate\n{ours}")
            for command in here
            if (ours := harmless(command))
        }


@pytest.mark.workflow
@pytest.mark.parametrize("command", here)
def test_a_documented_command_can_be_given(
    outcomes: dict[str, Future[tuple[int, str]]], command: str
) -> None:
    assert command in outcomes, "run it here, or say under ELSEWHERE why not"
    code, output = outcomes[command].result()
    assert code == 0, output


@pytest.mark.parametrize("start", ELSEWHERE)
def test_what_is_not_run_is_in_a_document(start: str) -> None:
    assert any(command.startswith(start) for command in all_commands)


def test_what_is_run_elsewhere_names_a_test_that_there_is() -> None:
    reasons = " ".join([*ELSEWHERE.values(), *OTHERS.values()])
    named = re.findall(r"(?:tests|\.ci)/[\w/]+(?:\.py)?", reasons)
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_blocks_with_commands_are_known_by_their_language() -> None:
    languages = {found for page in PAGES for found, _ in FENCE.findall(page.read_text("utf-8"))}
    assert languages - COMMANDS == {*OTHERS}


@pytest.mark.parametrize("named", sorted({named for page in PAGES for named in options(page)}))
def test_an_option_named_alone_is_one(named: str) -> None:
    option, *values = shlex.split(COMPLETED.get(named, named))
    if option in OF_OTHERS:
        return
    parser = get_argument_parser()
    assert option in parser._option_string_actions
    if values:
        parser.parse_args([option, *values])


def test_the_tutorials_commands_are_found() -> None:
    """Only the commands that `test_tutorial` runs are left out here."""
    assert {*typed_in[TUTORIAL]} & of_tutorial
    assert "snakemake --cores 2 --configfile first.yaml" in of_tutorial


# Links


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"\w+:", link):
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        if place:
            assert place in anchors(target), f"{link}: {target.name} has no such heading"


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("What runs again, and why", "what-runs-again-and-why"),
        ("`stats.json`", "statsjson"),
        (
            "Records: results brought from another machine",
            "records-results-brought-from-another-machine",
        ),
        ("2. Your own [activation](x.md)", "2-your-own-activation"),
        ("Snakemake's report", "snakemakes-report"),
        ("`across.csv` — both", "acrosscsv--both"),
    ],
)
def test_anchors_are_as_github_makes_them(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


def test_every_page_is_reached_from_the_readme() -> None:
    reached, open_pages = set(), [REPOSITORY / "README.md"]
    while open_pages:
        page = open_pages.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        paths = (link.partition("#")[0] for link in links(page) if not re.match(r"\w+:", link))
        open_pages += [(page.parent / path).resolve() for path in paths if path]
    assert {*PAGES} - reached <= {REPOSITORY / "CHANGELOG.md"}
