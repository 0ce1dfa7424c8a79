"""A working directory in which tests call the real snakemake on a tiny config."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SUPPORT = str(Path(__file__).parent)
TINY = "config/test/tiny.yaml"


class Study:
    """A working directory in which to call snakemake; `workflow` may be a copy of this one."""

    def __init__(self, folder: Path, workflow: Path = REPOSITORY) -> None:
        self.folder = folder
        self.workflow = workflow
        shutil.copytree(REPOSITORY / "config", folder / "config")
        (folder / "made-up.txt").write_text(synthetic_text(), encoding="utf-8")

    def started(self, *arguments: str, group: bool = True) -> subprocess.Popen[str]:
        """Start snakemake in a process group of its own, so that it can be killed with its jobs."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", self.workflow / "Snakefile"]
        command += ["--directory", self.folder, "--cores", "2", *arguments]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.environment(),
            start_new_session=group,
        )

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": f"{self.folder}:{self.workflow / 'src'}"}

    def explained(self, output: str) -> str:
        """Return the explanation that `make explain` gives of a dry run."""
        command = [sys.executable, "-m", "actrepro.provenance.explain"]
        done = subprocess.run(
            command,
            input=output,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment(),
            check=True,
        )
        return done.stdout

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        with self.started(*arguments, group=False) as process:
            output, _ = process.communicate()
        assert (process.returncode == 0) == ok, output
        return output

    def tiny(self, *arguments: str, ok: bool = True) -> str:
        # Targets come first: --configfile takes every name that follows it.
        return self.snakemake(*arguments, "--configfile", str(self.workflow / TINY), ok=ok)

    def planned(self, *arguments: str) -> dict[str, int]:
        """Count the jobs of each rule in a dry run."""
        return counted(self.tiny("--dry-run", *arguments))

    def snakemakes_report(self, *targets: str) -> tuple[dict[str, list[str]], dict[str, dict]]:
        """Return the report's results by category and subcategory, and its text on each file."""
        with tempfile.TemporaryDirectory() as folder:
            self.tiny(*targets, "--report", f"{folder}/report.zip")
            with zipfile.ZipFile(f"{folder}/report.zip") as archive:
                page = archive.read("report/report.html").decode("utf-8")
                names = archive.namelist()
        assert not re.findall(r"""(?:src|href)=["']https?://""", page), "not to be read offline"
        items, categories = (_variable(page, name) for name in ("results", "categories"))
        for item in items.values():
            assert any(name.endswith(f"/{item['name']}") for name in names)
            assert item["caption"]
            assert "system-message" not in item["caption"], "reStructuredText that is none"
        grouped = {
            f"{category}: {group}": sorted(Path(file).stem for file in files)
            for category, groups in categories.items()
            for group, files in groups.items()
        }
        return grouped, items

    def json(self, path: str) -> dict:
        return json.loads((self.folder / path).read_text(encoding="utf-8"))

    def rows(self, path: str) -> list[dict[str, str]]:
        with (self.folder / path).open(encoding="utf-8") as file:
            return list(csv.DictReader(file))


def counted(output: str) -> dict[str, int]:
    """Count the jobs of each rule in a dry run's output."""
    table = re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)
    return {rule: int(count) for rule, count in table if rule != "total"}


def copied_workflow(folder: Path) -> Path:
    """Copy the workflow and its library, to be edited; the config is there already."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("rules", "workflow", "src", "resources", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignore)
    shutil.copy(REPOSITORY / "Snakefile", folder)
    return folder


def _variable(page: str, name: str) -> dict:
    """Return the value that a page's script gives a variable."""
    start = f"var {name} = "
    value, _ = json.JSONDecoder().raw_decode(page, page.index(start + "{") + len(start))
    return value


def synthetic_text() -> str:
    """Draw sentences of invented words, about 12,000 characters."""
    generator = random.Random(0)
    syllables = ["ka", "lo", "mi", "tu", "ren", "sha", "vo", "pil"]
    words = ["".join(generator.choices(syllables, k=generator.randint(1, 3))) for _ in range(60)]
    lines = [" ".join(generator.choices(words, k=7)).capitalize() + "." for _ in range(320)]
    return "\n".join(lines) + "\n"
