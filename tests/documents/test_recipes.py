"""The recipes of CONTRIBUTING.md, carried out as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import recipes
from study_folder import REPOSITORY

from actrepro.config.reading import default_study, read_study


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("src", "rules", "workflow", "config", "profiles", "envs", "resources"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / "Snakefile", tmp_path)
    return tmp_path


def run(checkout: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_activation_is_one_function(checkout: Path) -> None:
    [(target, code)] = recipes("append to")
    with (checkout / target).open("a", encoding="utf-8") as file:
        file.write(f"\n\n{code}")
    printed = run(
        checkout,
        "-c",
        "import torch; from actrepro import build_model\n"
        "from actrepro.models.activations import get_activation\n"
        "print(get_activation('squared_relu').function(torch.tensor([-1.0, 3.0])).tolist())\n"
        "for model in ['charlm', 'convlm', 'tinylstm']:\n"
        "    build_model(model, scale='quick', activation='squared_relu', symbols=65)",
    )
    assert printed.strip() == "[0.0, 9.0]"
    plan = run(checkout, "-m", "snakemake", "-n", "quick", "--config", "activations=squared_relu")
    assert re.search(r"^train_cell +6$", plan, re.MULTILINE)


def test_a_model_is_one_file(checkout: Path) -> None:
    [(target, code)] = recipes("create")
    (checkout / target).write_text(code, encoding="utf-8")
    run(
        checkout,
        "-c",
        "import torch; from actrepro import build_model\n"
        "for activation in ['relu', 'swiglu']:\n"
        "    model = build_model('bagofwords', scale='quick', activation=activation, symbols=65)\n"
        "    codes = torch.randint(65, (2, 16)); changed = codes.clone(); changed[:, 9:] = 0\n"
        "    assert torch.equal(model(codes)[:, :9], model(changed)[:, :9])",
    )
    plan = run(checkout, "-m", "snakemake", "-n", "quick", "--config", "models=bagofwords")
    assert "curves-bagofwords" in plan
    passed = run(
        checkout,
        "-c",
        "import torch; from actrepro.config.reading import default_study\n"
        "from actrepro.data.corpus import Corpus\n"
        "from actrepro.gates.before import check_activation\n"
        "corpus = Corpus.of_text('to be or not to be, that is the question. ' * 100)\n"
        "for activation in ['relu', 'swiglu']:\n"
        "    request = default_study().run_config('quick', 'bagofwords', activation, 42)\n"
        "    found = check_activation(request, corpus, torch.device('cpu'))\n"
        "    print([gate for gate, outcome in found.items() if not outcome.passed])",
    )
    assert passed == "[]\n[]\n"


@pytest.mark.parametrize("code", [code for _, code in recipes("study")])
def test_a_scale_and_a_corpus_are_blocks_of_yaml(checkout: Path, code: str) -> None:
    (checkout / "my-study.yaml").write_text(code, encoding="utf-8")
    (checkout / "diary.txt").write_text("dear diary " * 1000, encoding="utf-8")
    study = read_study(checkout / "my-study.yaml")
    [scale] = set(study.protocols) - set(default_study().protocols)
    plan = run(checkout, "-m", "snakemake", "-n", scale, "--configfile", "my-study.yaml")
    assert re.search(r"^train +108$", plan, re.MULTILINE)
