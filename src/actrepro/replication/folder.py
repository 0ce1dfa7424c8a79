"""Paths in another results folder, which is only read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from actrepro.core import paths
from actrepro.core.errors import ActreproError

# Model, activation, seed.
RunName = tuple[str, str, int]

KEY = "elsewhere"
EXPECTED = "expected the results folder of the same study made elsewhere"


def in_folder(folder: Path, path: str) -> Path:
    """Return the path that a file of `paths` has in a results folder.

    >>> str(in_folder(Path("gpu/results"), "results/cpu/stats.json"))
    'gpu/results/cpu/stats.json'
    """
    return folder / PurePosixPath(path).relative_to(paths.RESULTS)


def files_of_run(folder: Path, scale: str, run: RunName) -> list[Path]:
    """Return the paths of a run's record and its predictions, which may not exist."""
    names = dict(zip(("model", "activation", "seed"), run, strict=True))
    patterns = (paths.RUN_RECORD, paths.PREDICTIONS)
    return [in_folder(folder, paths.at(pattern, scale=scale, **names)) for pattern in patterns]


def file_stamps(folder: Path, scale: str, runs: Iterable[RunName]) -> dict[str, tuple[int, int]]:
    """Return size and time of change of the existing files, for a comparison's fingerprint.

    The time may also go back, when a copy keeps the times of its originals.
    """
    files = [file for run in runs for file in files_of_run(folder, scale, run) if file.is_file()]
    seen = {str(file): file.stat() for file in files}
    return {name: (status.st_size, status.st_mtime_ns) for name, status in seen.items()}


def require_other(folder: Path | None, scales: Iterable[str]) -> Path:
    """Return the other results folder, after checking that it can be one.

    Parameters
    ----------
    scales
        All scales of this study; the folder must have one of them.

    Raises
    ------
    ActreproError
        When no folder is named, it does not exist, is this study's own, or has no such scale.
    """
    if folder is None:
        raise ActreproError(
            f"{KEY}: found null, {EXPECTED}; name it: --config {KEY}=/path/to/results"
        )
    if not folder.is_dir():
        raise ActreproError(f"{KEY}: found no folder {folder}, {EXPECTED}; check its name")
    if Path(paths.RESULTS).exists() and folder.samefile(paths.RESULTS):
        raise ActreproError(
            f"{KEY}: found this study's own results ({folder}), {EXPECTED}; name another folder"
        )
    if not any((folder / scale).is_dir() for scale in scales):
        raise ActreproError(
            f"{KEY}: found no scale's folder ({', '.join(scales)}) in {folder}, {EXPECTED}; name "
            "the folder that has them"
        )
    return folder
