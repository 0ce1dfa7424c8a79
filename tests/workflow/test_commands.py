"""The first commands that a user types, run as written in the README."""

from __future__ import annotations

import pytest
from sandbox import Checkout

STUDY = {"models": ["charlm"], "activations": ["relu", "gelu"], "seeds": [42, 43]}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"), STUDY)


def _run(checkout: Checkout, command: str) -> tuple[int, str]:
    return checkout.run(f"source .venv/bin/activate\n{command}")


@pytest.mark.workflow
@pytest.mark.parametrize(
    "command",
    ["snakemake results/quick/charlm/stats.json", "snakemake", "snakemake --cores 1"],
)
def test_a_local_run_needs_no_option(checkout: Checkout, command: str) -> None:
    status, output = _run(checkout, command)
    assert status == 0, output
    assert (checkout.folder / "results/quick/charlm/stats.json").exists()


@pytest.mark.workflow
def test_the_slurm_profile_plans_as_installed(checkout: Checkout) -> None:
    command = "snakemake --profile profiles/slurm --dry-run --forceall --config device=cpu"
    status, output = _run(checkout, command)
    assert status == 0, output
    assert "This was a dry-run" in output


@pytest.mark.workflow
def test_a_model_may_have_capital_letters(checkout: Checkout) -> None:
    """Its name is part of the names of figures."""
    (checkout.folder / "pairs_net.py").write_text("from actrepro.models.zoo.charlm import build\n")
    own = "'custom_models={PairsNet: pairs_net}' models=PairsNet"
    status, output = _run(checkout, f"PYTHONPATH=$PWD/src:$PWD snakemake --dry-run --config {own}")
    assert status == 0, output
    assert "curves-PairsNet" in output
