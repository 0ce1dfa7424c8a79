"""Atomic writing and checked reading of files.

Every file is written beside its path and then moved there, so a reader finds a whole file or
none. The same content gives the same bytes, so a hash shows whether a result has changed.
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
    """Yield a path to write to; it replaces `path` only if the block ends without an error.

    The name is always the same, so the next job overwrites what a killed one left behind.
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
    """Open `path` for writing UTF-8 in pieces, without translating line endings."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def partial_of(path: Path) -> Path:
    """Return a file's path while it is written; an interrupted write leaves the file there."""
    return path.with_name(f".{path.name}.partial")


def sha256_of(path: str | Path) -> str:
    """Compute the SHA-256 (hex) of a file's bytes.

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
    """Write `text` as UTF-8, without translating line endings."""
    with replacing(path) as partial:
        partial.write_bytes(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, its keys in their order.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON lacks: write a missing number as null.
    """
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False)
    # In pieces: as one string, a large study's statistics take several times their size.
    with writing(path) as stream:
        stream.writelines(encoder.iterencode(value))
        stream.write("\n")


def read_json(path: str | Path) -> Any:
    """Read the value in a JSON file.

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
    """Return the names of the arrays in an .npz file.

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
    """Write named arrays of any dtype except object.

    Raises
    ------
    ValueError
        For an array of objects, which only a pickle could hold.
    """
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            # A ZipInfo without a date is stamped 1980, so the bytes do not depend on the time.
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)


def read_npz(path: str | Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays that `write_npz` or `numpy.savez` wrote.

    `names` selects some of them; names that the file lacks are ignored.

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
    """Yield an array's rows in order, `size` at a time, without holding all of them in memory.

    Raises
    ------
    ActreproError
        When the file is missing or damaged, or has no such array in C order.
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
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"an array of format {version}")
    shape, fortran_order, dtype = readers[version](stream)
    if fortran_order or dtype.hasobject:
        raise ValueError("an array of objects or in Fortran order")
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
        f"{path}: the file is damaged ({error}); delete it and run the workflow that makes it"
    )
