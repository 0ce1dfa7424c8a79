"""Whole files or none: every result is written beside its place and then moved there.

The same content gives the same bytes, so a result's hash says whether it changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actrepro.core.errors import ActreproError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A place to write a file that becomes `path` only when the block ends well.

    The name is always the same, so what a killed job left is overwritten by the next.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: str | Path) -> Iterator[TextIO]:
    """UTF-8 text for `path`, written piece by piece, with line endings as they are."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def partial_of(path: Path) -> Path:
    """Where a file lies while it is written, and stays when that is cut off."""
    return path.with_name(f".{path.name}.partial")


def sha256_of(path: str | Path) -> str:
    """Hash of a file's bytes.

    Raises
    ------
    ActreproError
        When the file is missing or cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 with its line endings as they are."""
    with replacing(path) as partial:
        partial.write_bytes(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, keys in their own order.

    Raises
    ------
    ValueError
        For NaN and infinities: JSON has none, so a missing number must be written as null.
    """
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False)
    # Piece by piece: as one text, a large study's statistics take several times their size.
    with writing(path) as stream:
        stream.writelines(encoder.iterencode(value))
        stream.write("\n")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def npz_names(path: str | Path) -> list[str]:
    """The names of a file's arrays.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None


def write_npz(path: str | Path, /, **arrays: ArrayLike) -> None:
    """Write named arrays, of any dtype but object.

    Raises
    ------
    ValueError
        For an array of objects, which only a pickle could hold.
    """
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            # A ZipInfo without a date is stamped 1980, so the bytes do not tell the time.
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)


def read_npz(path: str | Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Arrays of a file that `write_npz` or `numpy.savez` wrote: all, or those of `names` it has.

    Raises
    ------
    ActreproError
        When the file is missing or damaged, or holds pickled objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            chosen = [name for name in members if names is None or name in names]
            return {name: _array(archive, members[name]) for name in chosen}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None


def npz_rows(path: str | Path, name: str, size: int) -> Iterator[NDArray[Any]]:
    """An array's rows in order, `size` at a time, without ever holding all of them.

    Raises
    ------
    ActreproError
        When the file is missing or damaged, or has no such array of C order.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            shape, dtype = _header(stream)
            row = dtype.itemsize * math.prod(shape[1:])
            for start in range(0, shape[0], size):
                count = min(size, shape[0] - start)
                rows = np.frombuffer(stream.read(count * row), dtype)
                yield rows.reshape(count, *shape[1:])
            # Reading to the member's end makes zipfile compare its checksum.
            stream.read()
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"an array of format {version}")
    shape, fortran_order, dtype = read[version](stream)
    if fortran_order or dtype.hasobject:
        raise ValueError("an array of objects or of columns")
    return shape, dtype


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    # Reading to the member's end makes zipfile compare its checksum.
    with archive.open(name) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read()
    return array


def _unreadable(path: str | Path, error: Exception) -> ActreproError:
    if isinstance(error, FileNotFoundError):
        return ActreproError(f"{path}: there is no such file; run the workflow that makes it")
    return ActreproError(
        f"{path}: the file is damaged ({error}); delete it and run again, so that it is made anew"
    )
