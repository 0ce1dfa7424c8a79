"""Provenance: versions, the commit, the machine, and hashes of arrays."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from actrepro.core import machine as provenance
from actrepro.core.gpus import Gpu
from actrepro.core.machine import (
    cuda_usable,
    git_state,
    machine,
    package_versions,
    peak_memory_bytes,
)


def test_versions_of_what_is_installed_and_of_what_is_not() -> None:
    found = package_versions(["numpy", "no-such-package"])
    assert found == {
        "python": platform.python_version(),
        "numpy": importlib.metadata.version("numpy"),
        "no-such-package": "not installed",
    }
    assert package_versions().keys() >= {"python", "actrepro", "torch", "numpy", "safetensors"}


def test_the_library_knows_its_version_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    installed = importlib.metadata.version("actrepro")
    monkeypatch.setattr(importlib.metadata, "version", missing)
    found = package_versions(["actrepro", "numpy"])
    assert (found["actrepro"], found["numpy"]) == (installed, "not installed")


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the library believe that its source is below `tmp_path`."""
    path = tmp_path / "src/actrepro/core/machine.py"
    path.parent.mkdir(parents=True)
    path.write_text("")
    monkeypatch.setattr(provenance, "__file__", str(path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return path


def _committed(folder: Path) -> str:
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    return _git(folder, "rev-parse", "HEAD")


def test_the_commit_and_whether_there_were_changes(module: Path) -> None:
    commit = _committed(module.parents[3])
    assert git_state() == {"commit": commit, "dirty": False}
    module.write_text("changed")
    assert git_state() == {"commit": commit, "dirty": True}


@pytest.mark.usefixtures("module")
def test_outside_a_checkout_there_is_no_commit() -> None:
    assert git_state() == {"commit": None, "dirty": None}


@pytest.mark.usefixtures("module")
def test_a_package_below_anothers_checkout_has_no_commit(tmp_path: Path) -> None:
    _committed(tmp_path / "src")
    assert git_state() == {"commit": None, "dirty": None}


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state() == {"commit": None, "dirty": None}


def test_the_machine_has_a_processor_but_no_name() -> None:
    found = machine()
    assert found["cores"] == os.cpu_count()
    assert found["processor"]
    assert platform.node() not in json.dumps(found)


def test_peak_memory_is_what_the_process_has_held() -> None:
    before = peak_memory_bytes()
    # More than is in use now, independent of earlier tests.
    held = np.ones(before // 8 + 1_000_000)
    assert peak_memory_bytes() > before
    assert held.nbytes > before


@pytest.mark.parametrize(
    ("version", "gpus", "usable"),
    [
        ("2.13.0", 1, True),
        ("2.13.0", 0, False),
        ("2.13.0+cpu", 1, False),
        # Not installed here: a job's own environment has it.
        (None, 1, True),
        (None, 0, False),
    ],
)
def test_a_cpu_build_of_torch_uses_no_cuda_device(
    monkeypatch: pytest.MonkeyPatch, version: str | None, gpus: int, usable: bool
) -> None:
    def installed(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    found = tuple(Gpu(index, f"{index:032x}") for index in range(gpus))
    monkeypatch.setattr(provenance, "visible_gpus", lambda: found)
    assert cuda_usable() == usable
