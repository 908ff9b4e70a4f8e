"""In which encoding a text file is: the one that was named, else UTF-8, else GB18030. Never a guess among many.

UTF-8 is almost impossible by accident, so what is valid UTF-8 is that. GB18030 (the Chinese standard, which holds GBK
and GB2312) accepts much that is something else: it is believed only where its pairs of bytes look like Chinese, where
no line is UTF-8, and the choice is told.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ft.core.data.sources.table_files import open_bytes
from ft.core.errors import ConfigError, DataError, Problem

CHUNK = 1 << 22  # bytes decoded at one time
UTF8, UTF8_BOM, CHINESE = "utf-8", "utf-8-sig", "gb18030"
REMEDY = "save the file as UTF-8, or name its codec in data.encoding"

_PAIR = re.compile(rb"[\x81-\xfe]([\x40-\xfe])")  # two bytes of GBK
_CHINESE_UTF8 = re.compile(rb"(?:[\xe3-\xe9][\x80-\xbf]{2}){2}")  # two characters in a row, as UTF-8 writes them


@dataclass(frozen=True)
class Encoding:
    """codec: as Python calls it. ascii: the file would read the same in any. lines: how many ends of lines it has."""

    codec: str
    ascii: bool
    lines: int


def find_encodings(paths: Sequence[Path], wish: str) -> list[Encoding]:
    """The encoding of each text file, which was read to its end for it. wish: `auto` or a codec.

    Raises DataError with the byte and line that cannot be decoded, and when the files, or a file's lines, differ;
    ConfigError for a codec that there is not.
    """
    if wish != "auto":
        codec = codec_of(wish)
        return [_named(path, codec) for path in paths]
    found = [_detect(path) for path in paths]
    kinds = {
        encoding.codec.removesuffix("-sig"): path
        for path, encoding in zip(paths, found, strict=True)
        if not encoding.ascii
    }
    if len(kinds) > 1:
        listed = " and ".join(f"{path} is {codec}" for codec, path in kinds.items())
        raise DataError(f"mixed encodings: {listed}; save all files as UTF-8")
    return found


def codec_of(wish: str) -> str:
    """A codec as Python calls it. Raises ConfigError for one that there is not."""
    try:
        return codecs.lookup(wish).name
    except LookupError as error:
        message = f"there is no codec {wish}; e.g. utf-8, gb18030, latin-1, cp1252, utf-16"
        raise ConfigError(Problem(message, ("data", "encoding"))) from error


def _named(path: Path, codec: str) -> Encoding:
    outcome = _decode(path, codec)
    if isinstance(outcome, Encoding):
        return outcome
    raise DataError(f"{path}: {_place(outcome)} is not {codec}; {REMEDY}")


def _detect(path: Path) -> Encoding:
    outcome = _decode(path, UTF8)
    if isinstance(outcome, Encoding):
        return outcome
    with open_bytes(path) as stream:
        start = stream.read(4)
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise DataError(f"{path}: is UTF-16 by its first bytes; set data.encoding: utf-16")
    chinese = _decode(path, CHINESE)
    neither = f"{path}: {_place(outcome)} is neither UTF-8 nor GB18030; {REMEDY}"
    _refuse_mixture(path)
    if not isinstance(chinese, Encoding) or not _looks_chinese(path):
        raise DataError(neither)
    return chinese


@dataclass(frozen=True)
class _Fault:
    byte: int
    line: int
    value: int


def _decode(path: Path, codec: str) -> Encoding | _Fault:
    """Decode to the end, keeping nothing. Bytes and lines of a fault count from 1. Raises DataError for damage."""
    decoder = codecs.getincrementaldecoder(codec)()
    fed, lines, plain, start = 0, 0, True, b""
    try:
        with open_bytes(path) as stream:
            for chunk in _chunks(stream):
                start, fed = start or chunk[:3], fed + len(chunk)
                decoder.decode(chunk)
                lines, plain = lines + chunk.count(b"\n"), plain and chunk.isascii()
            decoder.decode(b"", final=True)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:  # its object: bytes left over from the chunk before, then this chunk
        before = error.object[: error.start]
        return _Fault(
            fed - len(error.object) + len(before) + 1, lines + before.count(b"\n") + 1, error.object[len(before)]
        )
    with_mark = codec == UTF8 and start == codecs.BOM_UTF8
    return Encoding(UTF8_BOM if with_mark else codec, plain, lines)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _place(fault: _Fault) -> str:
    return f"byte {fault.byte:,} (line {fault.line:,}, 0x{fault.value:02x})"


def _refuse_mixture(path: Path) -> None:
    """Raises DataError when some lines of a file that is not UTF-8 hold Chinese in UTF-8."""
    utf8 = other = None
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.isascii():
                continue
            try:
                line.decode()
            except UnicodeDecodeError:
                other = other or number
            else:
                utf8 = utf8 or (number if _CHINESE_UTF8.search(line) else None)
            if utf8 and other:
                raise DataError(f"{path}: mixed encodings: line {utf8:,} is UTF-8, line {other:,} is not; {REMEDY}")


def _looks_chinese(path: Path) -> bool:
    """Whether most second bytes are above ASCII: in Western text an accented letter is followed by a plain one."""
    pairs = plain = 0
    with open_bytes(path) as stream:
        for line in stream:
            seconds = _PAIR.findall(line)
            pairs, plain = pairs + len(seconds), plain + sum(second < b"\x80" for second in seconds)
    return pairs > 2 * plain
