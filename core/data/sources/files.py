"""Reading arrays from files: idx (LeCun's format), .npy, archives .npz, each also in .gz. Never unpickles.

idx: two zero bytes, a byte for the type, one for the number of dimensions, their lengths, then the values; big-endian.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ft.core.config.suggest import did_you_mean
from ft.core.errors import DataError

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DEFLATE_RATIO = 1032  # of the format itself: a longer announced length is a lie


def read_array(path: Path, member: str | None = None) -> np.ndarray:
    """The array in a file; `member` names one of an .npz. Raises DataError naming the file and what is wrong."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".npz"):
        return _read_member(path, member)
    content = read_bytes(path)
    if name.endswith(".npy"):
        return _read_npy(str(path), io.BytesIO(content))
    return parse_idx(content, path)


def read_bytes(path: Path) -> bytes:
    """A file's content, decompressed when its name ends in .gz. Raises DataError."""
    try:
        content = path.read_bytes()
        return _gunzip(content) if path.suffix == ".gz" else content
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise DataError(f"{path}: cannot be read: {error}") from error


def parse_idx(content: bytes, path: Path) -> np.ndarray:
    """The array that an idx file holds, in native byte order; read-only where the bytes serve as they are."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or content[3] == 0:
        first = content[:4].hex(" ") or "nothing"
        raise DataError(f"{path}: neither .npy nor .npz by its name, nor idx by its content (it starts with {first})")
    dimensions, dtype = content[3], np.dtype(IDX_TYPES[content[2]])
    start = 4 + 4 * dimensions
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if len(content) >= start else ()
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise DataError(f"{path}: {len(content):,} bytes, but its header announces {expected:,}; is it cut short?")
    array: np.ndarray = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _gunzip(content: bytes) -> bytes:
    """Decompress in one piece of the length the last four bytes announce: a sixth faster than growing a buffer."""
    announced = int.from_bytes(content[-4:], "little")
    if 0 < announced <= len(content) * MAX_DEFLATE_RATIO:
        whole = zlib.decompress(content, wbits=31, bufsize=announced)
        if len(whole) == announced:
            return whole
    return gzip.decompress(content)  # several members, more than 4 GiB, or damaged: the careful way


def _read_npy(name: str, stream: IO[bytes]) -> np.ndarray:
    try:
        array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
        return array
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            reason = "holds Python objects, which ft does not unpickle; save it with a dtype of numbers or text"
            raise DataError(f"{name}: {reason}") from error
        raise DataError(f"{name}: cannot be read: {error}") from error


def _read_member(path: Path, member: str | None) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name.removesuffix(".npy") for name in archive.namelist()]
            chosen = _choose_member(path, member, members)
            with archive.open(f"{chosen}.npy") as stream:
                return _read_npy(f"{path}:{chosen}", stream)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _choose_member(path: Path, member: str | None, members: list[str]) -> str:
    listed = ", ".join(members) or "nothing"
    if member is None and len(members) == 1:
        return members[0]
    if member is None:
        raise DataError(f"{path}: write {path.name}:NAME to say which array; it holds {listed}")
    if member not in members:
        raise DataError(f"{path}: holds no array {member}, it holds {listed}{did_you_mean(member, members)}")
    return member
