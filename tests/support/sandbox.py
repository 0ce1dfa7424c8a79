"""A copy of this repository in which documented commands run as typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from study_folder import REPOSITORY, synthetic_text

COPIED = (
    "config",
    "docs",
    "envs",
    "profiles",
    "resources",
    "rules",
    "src",
    "tests",
    "tools",
    "workflow",
)
FILES = ("Makefile", "README.md", "Snakefile", "pyproject.toml")
PINS = ("requirements.txt", "requirements-dev.txt")
# Of the scale `quick`: enough to learn the invented words, and less than a second.
SMALL = {"width": 32, "iterations": 150, "evaluate_every": 50, "history_windows": 16}
ACTIVATE = 'export PATH="{bin}:$PATH"\n'
STARTS = {"python": "{python}", "snakemake": "{python} -m snakemake"}


class Checkout:
    """A checkout with an environment, synthetic texts, and a small scale `quick`."""

    def __init__(self, folder: Path, study: dict[str, object] | None = None) -> None:
        self.folder = folder
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in COPIED:
            shutil.copytree(REPOSITORY / name, folder / name, ignore=ignore)
        for name in (*FILES, *PINS):
            shutil.copy(REPOSITORY / name, folder)
        self._set_up()
        self._make_up_texts(study or {})

    def _set_up(self) -> None:
        """Create `.venv` as `make` does, with this process's Python in it."""
        place = self.folder / ".venv/bin"
        place.mkdir(parents=True)
        for name, start in STARTS.items():
            file = place / name
            file.write_text(f'#!/bin/sh\nexec {start.format(python=sys.executable)} "$@"\n')
            file.chmod(0o755)
        (place / "activate").write_text(ACTIVATE.format(bin=place))
        for stamp in ("study.stamp", "test.stamp"):
            (self.folder / ".venv" / stamp).touch()

    def _make_up_texts(self, study: dict[str, object]) -> None:
        """Replace the built-in corpora by one synthetic text; allow no package index or network."""
        file = self.folder / "config/config.yaml"
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        text = synthetic_text()
        corpus = {"source": "file", "path": "made-up.txt", "test_characters": 500}
        corpus["symbols"] = len({*text})
        config["corpora"] = dict.fromkeys(config["corpora"], corpus)
        config["protocols"]["quick"].update(SMALL)
        file.write_text(yaml.safe_dump({**config, **study}), encoding="utf-8")
        (self.folder / "made-up.txt").write_text(text, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Variables with which Python finds this checkout's library, not the environment's."""
        return {**os.environ, "PYTHONPATH": str(self.folder / "src")}

    def run(self, script: str) -> tuple[int, str]:
        """Run a shell script in the checkout; return its exit code and output."""
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout
