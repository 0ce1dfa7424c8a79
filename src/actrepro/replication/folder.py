"""Another results folder beside this study's own: where a run's files lie in it. Only read."""

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
    """Where a file of `paths` lies in a results folder.

    >>> str(in_folder(Path("gpu/results"), "results/cpu/stats.json"))
    'gpu/results/cpu/stats.json'
    """
    return folder / PurePosixPath(path).relative_to(paths.RESULTS)


def files_of_run(folder: Path, scale: str, run: RunName) -> list[Path]:
    """A run's record and its predictions, whether they are there or not."""
    names = dict(zip(("model", "activation", "seed"), run, strict=True))
    patterns = (paths.RUN_RECORD, paths.PREDICTIONS)
    return [in_folder(folder, paths.at(one, scale=scale, **names)) for one in patterns]


def found_in(folder: Path, scale: str, runs: Iterable[RunName]) -> dict[str, tuple[int, int]]:
    """Size and time of change of the runs' files that are there: what a comparison depends on.

    The time may also go back, when a copy keeps the times of its originals.
    """
    files = [file for run in runs for file in files_of_run(folder, scale, run) if file.is_file()]
    seen = {str(file): file.stat() for file in files}
    return {name: (one.st_size, one.st_mtime_ns) for name, one in seen.items()}


def require_other(folder: Path | None, scales: Iterable[str]) -> Path:
    """The other results folder, if it can be one.

    Parameters
    ----------
    scales
        All there are; it must have one of them.

    Raises
    ------
    ActreproError
        When none is named, or it is no folder, this study's own, or has none of the scales.
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
