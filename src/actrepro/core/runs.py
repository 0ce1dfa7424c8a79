"""The files of runs and cells, each with the name of what it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TypeVar

from actrepro.core.paths import seed_of

# The activation and the seed of a run of one model.
Run = tuple[str, int]
ByRun = Mapping[Run, Path]
_Name = TypeVar("_Name", str, int, Run)


def by_run(files: Iterable[str], activations: Sequence[str], seeds: Sequence[int]) -> ByRun:
    """Return a model's files by run, activation by activation.

    The folders that a file lies in name its run, so the order of the files does not matter.

    Raises
    ------
    ValueError
        When the files are not one for each run.
    """
    return _by_name(files, _run_of, list(product(activations, seeds)))


def by_seed(files: Iterable[str], seeds: Sequence[int]) -> Mapping[int, Path]:
    """Return a cell's files by seed, as `by_run` does."""
    return _by_name(files, seed_of, seeds)


def by_activation(files: Iterable[str], activations: Sequence[str]) -> Mapping[str, Path]:
    """Return a model's files by activation, as `by_run` does."""
    return _by_name(files, _folder_of, activations)


def by_model(files: Iterable[str], models: Sequence[str]) -> Mapping[str, Path]:
    """Return a scale's files by model, as `by_run` does."""
    return _by_name(files, _folder_of, models)


def _run_of(file: str) -> Run:
    return PurePosixPath(file).parents[1].name, seed_of(file)


def _folder_of(file: str) -> str:
    return PurePosixPath(file).parent.name


def _by_name(
    files: Iterable[str], name_of: Callable[[str], _Name], names: Sequence[_Name]
) -> dict[_Name, Path]:
    all_files = list(files)
    named = {name_of(file): Path(file) for file in all_files}
    if not len(all_files) == len(names) == len(named) or named.keys() != set(names):
        raise ValueError(f"expected a file for each of {names}, found {all_files}")
    return {name: named[name] for name in names}
