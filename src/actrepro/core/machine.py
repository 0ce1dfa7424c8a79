"""Origin of a result: versions, the commit, the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from actrepro.core.gpus import visible_gpus
from actrepro.core.shapes import GitState, Machine

PACKAGES = ("actrepro", "torch", "numpy", "safetensors", "snakemake")

PACKAGE = __package__.partition(".")[0]


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the installed versions of the packages that a run's bytes may depend on."""
    versions = {"python": platform.python_version()}
    # The workflow imports this package from its checkout, so it need not be installed.
    imported = {PACKAGE: sys.modules[PACKAGE].__version__}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = imported.get(name, "not installed")
    return versions


def git_state() -> GitState:
    """Return the source tree's commit and whether it has changes; None outside a checkout."""
    checkout = _git("rev-parse", "--show-toplevel")
    # A package installed inside another project's checkout has no commit of its own.
    if checkout is None or Path(checkout).resolve() != Path(__file__).resolve().parents[3]:
        return {"commit": None, "dirty": None}
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def machine() -> Machine:
    """Return processor, cores and system; nothing that identifies the machine or its user."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cuda_usable() -> bool:
    """Check whether torch, once imported, would find a CUDA device.

    The rules use it to decide whether a training job takes a `gpu` resource. Where torch is not
    installed, jobs have it in an environment of their own, so only the GPUs are checked.
    """
    return cuda_build() and len(visible_gpus()) > 0


def cuda_build() -> bool:
    """Check whether torch may be built for CUDA, with or without a GPU here."""
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return True
