"""`multipart/form-data` from a body that is in memory already: parts in their order, nothing written to a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ft.core.stages.serving.limits import Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks


@dataclass
class Part:
    """name: of the field. filename: as the sender calls the file; None for a field that is no file."""

    name: str
    filename: str | None
    data: bytes

    def text(self, where: str) -> str:
        """As UTF-8. Raises Refused."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(422, f"is not UTF-8: {error.reason} at byte {error.start}", where) from error


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Raises Refused (400) for a form that is not whole."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Refused(400, "a form needs a boundary", "Content-Type")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, f"the form cannot be read: {error}", "body") from error
    if not collector.whole:
        raise Refused(400, "the form is cut short: its last boundary is not there", "body")
    return collector.parts


class _Collector:
    """Gathers what the parser finds. whole: the closing boundary was there."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.whole = False
        self._data = bytearray()
        self._field = self._value = b""
        self._disposition = b""

    def callbacks(self) -> MultipartCallbacks:
        """By the parser's names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._data, self._disposition = bytearray(), b""
        self._field = self._value = b""

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _end(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"name" not in options:
            raise Refused(400, "a part of the form has no name", "body")
        filename = options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None
        self.parts.append(Part(options[b"name"].decode("utf-8", "replace"), filename, bytes(self._data)))

    def _finish(self) -> None:
        self.whole = True
