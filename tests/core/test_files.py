"""Files are whole or absent, the same bytes for the same content, and damage is named."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from actrepro.core.errors import ActreproError
from actrepro.core.files import (
    npz_names,
    npz_rows,
    read_json,
    read_npz,
    replacing,
    write_json,
    write_npz,
    write_text,
)

DTYPES = st.sampled_from(["u1", "<i4", "<i8", "<f4", "<f8", "?", "<U3"])
ARRAYS = DTYPES.flatmap(lambda dtype: st_numpy.arrays(dtype, st_numpy.array_shapes(min_dims=0)))


@settings(deadline=None, max_examples=50)
@given(array=ARRAYS)
def test_npz_round_trip(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    write_npz(path, array=array)
    found = read_npz(path)["array"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_any_keyword_is_an_array_name(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", path=[1], file=[2], allow_pickle=[3])
    assert read_npz(tmp_path / "a.npz").keys() == {"path", "file", "allow_pickle"}


def test_numpy_reads_the_npz(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=np.arange(3))
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["x"].tolist() == [0, 1, 2]


def test_npz_bytes_do_not_depend_on_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "a.npz", x=np.arange(3))
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_npz(tmp_path / "b.npz", x=np.arange(3))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_objects_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        write_npz(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    assert list(tmp_path.iterdir()) == []


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ActreproError, match=r"a\.npz: the file is damaged"):
        read_npz(tmp_path / "a.npz")


def test_missing_npz(tmp_path: Path) -> None:
    with pytest.raises(ActreproError, match=r"none\.npz: there is no such file"):
        read_npz(tmp_path / "none.npz")


def test_every_truncation_and_a_flipped_bit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_npz(path, x=np.arange(100))
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(0, len(whole), 97)]
    middle = len(whole) // 2
    damaged.append(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(ActreproError, match=r"a\.npz: the file is damaged.*delete it"):
            read_npz(path)


def test_json_keeps_order_and_ends_with_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "deep/er/a.json", {"b": 1, "a": [0.1, None, "é"]})
    text = (tmp_path / "deep/er/a.json").read_text(encoding="utf-8")
    assert text.index('"b"') < text.index('"a"')
    assert text.endswith("}\n")
    assert read_json(tmp_path / "deep/er/a.json") == {"b": 1, "a": [0.1, None, "é"]}


def test_json_larger_than_memory_is_written_piece_by_piece(tmp_path: Path) -> None:
    value = {"values": ["0.1234567890123456"] * 50_000}
    tracemalloc.start()
    write_json(tmp_path / "a.json", value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (tmp_path / "a.json").stat().st_size / 5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_nan_and_infinity(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": value})
    assert list(tmp_path.iterdir()) == []


def test_damaged_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": ')
    with pytest.raises(ActreproError, match=r"a\.json: the file is damaged"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ActreproError, match=r"b\.json: there is no such file"):
        read_json(tmp_path / "b.json")


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a\r\nb\nü")
    assert (tmp_path / "a.txt").read_bytes() == "a\r\nb\nü".encode()


def _write_half(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text("half")
        raise OSError("disk full")


def test_a_failure_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(OSError, match="disk full"):
        _write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_job_left_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as partial:
        leftover = partial
        partial.write_text("")
    leftover.write_text("half of something longer")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_rows_in_pieces_are_the_array(tmp_path: Path) -> None:
    array = np.arange(7 * 3, dtype=np.float32).reshape(7, 3)
    write_npz(tmp_path / "a.npz", before=np.ones(5), rows=array)
    for size in (1, 2, 7, 100):
        pieces = list(npz_rows(tmp_path / "a.npz", "rows", size))
        assert [len(piece) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
        np.testing.assert_array_equal(np.concatenate(pieces), array)
        assert pieces[0].dtype == np.float32


def test_rows_of_a_damaged_or_missing_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_npz(path, rows=np.arange(4096.0))
    with pytest.raises(ActreproError, match=r"a\.npz: the file is damaged"):
        list(npz_rows(path, "others", 10))
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ActreproError, match=r"a\.npz: the file is damaged.*CRC"):
        list(npz_rows(path, "rows", 10))
    with pytest.raises(ActreproError, match=r"b\.npz: there is no such file"):
        list(npz_rows(tmp_path / "b.npz", "rows", 10))


def test_rows_of_an_array_in_fortran_order_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rows=np.asfortranarray(np.ones((3, 2))))
    with pytest.raises(ActreproError, match="objects or in Fortran order"):
        list(npz_rows(tmp_path / "a.npz", "rows", 10))


def test_names_and_a_choice_of_arrays(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", one=np.ones(2), two=np.zeros(3))
    assert npz_names(tmp_path / "a.npz") == ["one", "two"]
    assert list(read_npz(tmp_path / "a.npz", ["two", "three"])) == ["two"]
    with pytest.raises(ActreproError, match=r"b\.npz: there is no such file"):
        npz_names(tmp_path / "b.npz")
