"""Promises of reading arrays: every form gives the same values, and damage is named, never guessed around."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ft.core.data.sources.files import read_array
from ft.core.errors import DataError

WriteIdx = Callable[[Path, np.ndarray], None]


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_idx_gives_back_every_type_in_native_order(
    tmp_path: Path, write_idx: WriteIdx, dtype: str, compressed: bool
) -> None:
    array = np.arange(-3, 21).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / "a-idx3"
    write_idx(path, array)
    if compressed:
        path = path.with_suffix(".gz")
        path.write_bytes(gzip.compress((tmp_path / "a-idx3").read_bytes()))
    found = read_array(path)
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    assert np.array_equal(found, array)


def test_npy_and_npz_and_their_gz(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    (tmp_path / "b.npy.gz").write_bytes(gzip.compress((tmp_path / "a.npy").read_bytes()))
    np.savez_compressed(tmp_path / "c.npz", first=array, second=array + 1)
    np.savez(tmp_path / "one.npz", only=array)
    assert np.array_equal(read_array(tmp_path / "a.npy"), array)
    assert np.array_equal(read_array(tmp_path / "b.npy.gz"), array)
    assert np.array_equal(read_array(tmp_path / "c.npz", "second"), array + 1)
    assert np.array_equal(read_array(tmp_path / "one.npz"), array)


def test_gz_of_several_members_is_read_to_its_end(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "plain", np.arange(100, dtype=np.uint8))
    content = (tmp_path / "plain").read_bytes()
    (tmp_path / "two.gz").write_bytes(gzip.compress(content[:50]) + gzip.compress(content[50:]))
    assert np.array_equal(read_array(tmp_path / "two.gz"), np.arange(100))


def test_a_member_that_is_missing_or_not_named_lists_what_there_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", train_images=np.zeros(2), test_images=np.zeros(2))
    with pytest.raises(
        DataError, match=r"no array train_image, it holds train_images, test_images; did you mean train_images\?"
    ):
        read_array(tmp_path / "c.npz", "train_image")
    with pytest.raises(DataError, match=r"write c\.npz:NAME to say which array; it holds train_images, test_images"):
        read_array(tmp_path / "c.npz")


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    array = np.array([{"a": 1}, None], dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=array)
    for path, member in ((tmp_path / "a.npy", None), (tmp_path / "a.npz", "x")):
        with pytest.raises(DataError, match="Python objects, which ft does not unpickle"):
            read_array(path, member)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "nor idx by its content .it starts with nothing"),
        (b"\x00\x00\x08", "it starts with 00 00 08"),
        (b"hello world", "it starts with 68 65 6c 6c"),
        (b"\x00\x00\x07\x01\x00\x00\x00\x02ab", "it starts with 00 00 07 01"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "11 bytes, but its header announces 13; is it cut short"),
        (b"\x00\x00\x08\x02\x00\x00\x00\x05", "8 bytes, but its header announces"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02abc", "11 bytes, but its header announces 10"),
    ],
)
def test_what_is_no_whole_idx_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_array(tmp_path / "bad")
    assert str(tmp_path / "bad") in str(error.value)


def test_damaged_and_missing_files_are_named(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "plain", np.arange(200, dtype=np.uint8))
    whole = gzip.compress((tmp_path / "plain").read_bytes())
    np.savez(tmp_path / "whole.npz", x=np.arange(1000))
    damaged = {
        "cut.gz": whole[: len(whole) // 2],
        "flipped.gz": whole[:40] + bytes([whole[40] ^ 0xFF]) + whole[41:],
        "no.gz": b"not compressed at all",
        "cut.npz": (tmp_path / "whole.npz").read_bytes()[:300],
        "cut.npy": b"\x93NUMPY\x01\x00",
        "text.npy": b"1,2,3\n",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            read_array(tmp_path / name)
    for name in ("none.npy", "none.npz", "none.gz"):
        with pytest.raises(DataError, match=f"{name}: no such file"):
            read_array(tmp_path / name, "x")
