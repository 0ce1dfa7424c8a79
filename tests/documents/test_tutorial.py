"""The tutorial, carried out as written: its files and its commands, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import synthetic
import torch
from sandbox import Checkout
from study_folder import REPOSITORY
from tutorial import BLOCK, PAGE

from actrepro.config.reading import default_study
from actrepro.gates.before import check_activation

pytestmark = pytest.mark.workflow

# How the tutorial's own model finds the symbol before, and how it would see the future.
SHIFTED = "nn.functional.pad(last, (0, 0, 1, 0))[:, :-1]"
ROLLED = "torch.roll(last, 1, dims=1)"
STEP = re.compile(r"^## (\d)\. ", re.MULTILINE)


def steps() -> dict[int, str]:
    """Return each step's text by number; 0 is the text before the first step."""
    _, *parts = STEP.split("## 0. " + PAGE.read_text(encoding="utf-8"))
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


def file(name: str) -> str:
    """Return the text of a file that the tutorial tells readers to write."""
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    [text] = [block for what, path, _, block in found if (what, path) == ("file", name)]
    return text


def script_of(text: str, folder: Path) -> str:
    """Return a step's commands in order, with its files written where it names them."""
    lines = []
    for number, (what, name, language, block) in enumerate(BLOCK.findall(text)):
        if what:
            kept = folder / f"{len(list(folder.iterdir()))}-{number}"
            kept.write_text(block if what == "file" else f"\n\n{block}", encoding="utf-8")
            lines.append(f"cat {kept} {'>' if what == 'file' else '>>'} {name}")
        else:
            assert language == "sh", f"a block of {language} that says nothing of its file"
            lines.append(block)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def printed(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Run every step and return its output; a command that fails ends its step."""
    blocks = tmp_path_factory.mktemp("blocks")
    found: dict[int, str] = {}
    for number, text in steps().items():
        # Each step is a new terminal, where the environment is entered again.
        script = f"set -e\nsource .venv/bin/activate\n{script_of(text, blocks)}"
        code, found[number] = checkout.run(script)
        assert code == 0, f"step {number} of the tutorial:\n{found[number]}"
    return found


def test_the_first_study_says_that_nothing_is_settled(printed: dict[int, str]) -> None:
    assert re.search(r"^train_cell +2$", printed[1], re.MULTILINE)
    assert re.search(r"^Smoke study: 2 seeds\.", printed[1], re.MULTILINE)
    assert "results/report.html" in printed[1]
    verdicts = re.findall(r"\.(?:all|last) relu gelu +2 .* 0\.5 +(\w+)$", printed[1], re.MULTILINE)
    # Four measures have margins, each at all positions and at the last.
    assert verdicts == ["inconclusive"] * 8


def test_a_new_activation_trains_its_own_runs_alone(printed: dict[int, str]) -> None:
    assert re.search(r"^train_cell +1$", printed[2], re.MULTILINE)
    assert re.search(r"^charlm +squareplus", printed[2], re.MULTILINE)


def test_the_own_model_passes_the_gates(printed: dict[int, str]) -> None:
    [gates] = re.findall(r"^(\{.*\})$", printed[3], re.MULTILINE)
    assert "'passed': False" not in gates
    assert gates.count("'passed': True") >= 10
    assert re.search(r"^pairs +gelu", printed[3], re.MULTILINE)


def test_the_own_text_has_results_of_its_own(printed: dict[int, str]) -> None:
    assert re.search(r"^own: seeds 42, 43; .* 3,000 characters", printed[4], re.MULTILINE)


def test_more_seeds_train_the_new_ones_alone(printed: dict[int, str]) -> None:
    assert "jobs would run. What is stale, and why:" in printed[5]
    assert re.search(r"^train_cell +2$", printed[5], re.MULTILINE)


def test_the_readmes_python_reads_what_the_tutorial_has_made(
    checkout: Checkout, printed: dict[int, str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.S)
    (checkout.folder / "readme.py").write_text(f"{code}print(*study.stats)\n", encoding="utf-8")
    assert checkout.run("source .venv/bin/activate\npython readme.py") == (0, "own quick\n")


@pytest.mark.parametrize(
    ("before", "failed"), [(SHIFTED, []), (ROLLED, ["causal"])], ids=["shifted", "rolled"]
)
def test_the_gates_find_the_leak_that_the_tutorial_tells_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, failed: list[str]
) -> None:
    code = file("pairs.py")
    assert SHIFTED in code
    name = f"pairs_with_{len(failed)}_failed"
    (tmp_path / f"{name}.py").write_text(code.replace(SHIFTED, before), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    request = default_study().run_config("quick", "charlm", "relu", 42)
    request = request.model_copy(update={"model": name, "custom_models": {name: name}})
    found = check_activation(request, synthetic.corpus(), torch.device("cpu"))
    assert [gate for gate, outcome in found.items() if not outcome.passed] == failed
