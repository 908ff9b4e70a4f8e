"""The body of a request -> rows by input name: JSON, a form with files, or the bytes of one picture, sound or text.

Says what a value may be (a text, a number, a list, a file), not yet whether the model understands it. A text never
names a file of the server's: pictures and sounds come as bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ft.core.config.suggest import did_you_mean
from ft.core.stages.serving.forms import Part, read_form
from ft.core.stages.serving.limits import Limits, Refused

FILES = ("image", "audio")  # kinds of inputs that are bytes
JSON, FORM, BYTES = "application/json", "multipart/form-data", "application/octet-stream"
Value: TypeAlias = "str | bytes | list[str]"


@dataclass(frozen=True)
class Rows:
    """What one request asks about. names: what each row is called in errors and answers. values: by input, a text as it
    would stand in a table, the names of a set, or a file's bytes, for each row.
    """

    names: Sequence[str]
    values: Mapping[str, Sequence[Value]]

    def __len__(self) -> int:
        return len(self.names)


def read_rows(content_type: str, body: bytes, kinds: Mapping[str, str], limits: Limits) -> Rows:
    """kinds: of the model's inputs, by name. Raises Refused: 400 for a body that cannot be read, 413 for too many
    rows, 415 for a type of body that this model does not take, 422 for values that do not do.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (JSON, ""):
        return json_rows(body, kinds, limits)
    if kind == FORM:
        return _form_rows(read_form(content_type, body), kinds, limits)
    return _one_value(kind, body, kinds)


def accepted(kinds: Mapping[str, str]) -> list[str]:
    """The content types that a model with these inputs takes."""
    alone = next(iter(kinds.values())) if len(kinds) == 1 else ""
    own = {"image": ["image/*", BYTES], "audio": ["audio/*", BYTES], "text": ["text/plain"]}
    return [JSON, FORM, *own.get(alone, [])]


# ---------------------------------------------------------------- JSON


def json_rows(body: bytes, kinds: Mapping[str, str], limits: Limits) -> Rows:
    """A row, a list of rows, or {"rows": [...]}."""
    given = _parsed(body)
    if isinstance(given, dict) and set(given) == {"rows"} and "rows" not in kinds:
        given = given["rows"]
    rows = given if isinstance(given, list) else [given]
    _check_count(len(rows), limits)
    names = [f"rows[{place}]" for place in range(len(rows))]
    for name, row in zip(names, rows, strict=True):
        if not isinstance(row, dict):
            raise Refused(422, f"a row is an object with a value for each of {', '.join(kinds)}", name)
        _check_names(row, kinds, name)
    values = {
        given: [_value(row[given], kind, f"{name}.{given}") for name, row in zip(names, rows, strict=True)]
        for given, kind in kinds.items()
    }
    return Rows(names, values)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_distinct)
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8: {error.reason} at byte {error.start}", "body") from error
    except RecursionError as error:
        raise Refused(400, "the body is nested too deeply", "body") from error
    except ValueError as error:  # JSONDecodeError, and numbers of more digits than Python reads
        raise Refused(400, f"the body is not JSON: {error}", "body") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(422, f"{twice} is given twice", "body")
    return found


def _check_names(row: Mapping[str, Any], kinds: Mapping[str, str], name: str) -> None:
    for given in row:
        if given not in kinds:
            message = f"the model has no input {given}, it has {', '.join(kinds)}{did_you_mean(given, kinds)}"
            raise Refused(422, message, f"{name}.{given}")
    for wanted, kind in kinds.items():
        if wanted not in row:
            missing = "null stands for a missing value" if kind not in FILES else "its bytes in base64"
            raise Refused(422, f"{wanted} ({kind}) is not there; {missing}", f"{name}.{wanted}")


def _value(value: Any, kind: str, where: str) -> Value:
    """As it would stand in a table, or a file's bytes."""
    if kind in FILES:
        return _bytes_of(value, kind, where)
    if isinstance(value, list):
        if kind not in ("vector", "set"):
            raise Refused(422, f"is a list; {kind} is one value", where)
        texts = [_text(each, where) for each in value]
        return texts if kind == "set" else " ".join(texts)
    return _text(value, where)


def _text(value: Any, where: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            raise Refused(422, f"{value} is not a finite number; null stands for a missing one", where)
        case int() | float():
            return repr(value)
        case str():
            return _plain(value, where)
    raise Refused(422, "is an object; expected a text, a number, true, false, null or a list of them", where)


def _plain(text: str, where: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refused(422, "holds half of a surrogate pair, which is no character", where) from error
    return text


def _bytes_of(value: Any, kind: str, where: str) -> bytes:
    what = f"expected the file's bytes in base64 ({kind}), or send files as {FORM}"
    if not isinstance(value, str):
        raise Refused(422, f"is no text; {what}", where)
    head, comma, rest = value.partition(",")
    encoded = rest if comma and head.startswith("data:") else value
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(422, f"is not base64; {what}", where) from error


# ---------------------------------------------------------------- forms and bytes


def _form_rows(parts: Sequence[Part], kinds: Mapping[str, str], limits: Limits) -> Rows:
    """A file for each row where the model takes files alone, whatever the parts are called; else, by input, as many
    parts as there are rows."""
    if not parts:
        raise Refused(422, f"the form has no parts; expected {', '.join(kinds)}", "body")
    if len(kinds) == 1 and next(iter(kinds.values())) in FILES:
        _check_count(len(parts), limits)
        ((name, _),) = kinds.items()
        called = [part.filename or f"{part.name}[{place}]" for place, part in enumerate(parts)]
        return Rows(called, {name: [part.data for part in parts]})
    given: dict[str, list[Part]] = {}
    for part in parts:
        given.setdefault(part.name, []).append(part)
    _check_names(given, kinds, "form")
    counts = {name: len(own) for name, own in given.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise Refused(422, f"every row needs a part for each input; there are {listed}", "form")
    count = next(iter(counts.values()))
    _check_count(count, limits)
    values = {
        name: [
            part.data if kind in FILES else part.text(f"form.{name}[{place}]") for place, part in enumerate(given[name])
        ]
        for name, kind in kinds.items()
    }
    return Rows([f"rows[{place}]" for place in range(count)], values)


def _one_value(content_type: str, body: bytes, kinds: Mapping[str, str]) -> Rows:
    name, kind = next(iter(kinds.items()))
    fits = {"image": ("image/", BYTES), "audio": ("audio/", BYTES), "text": ("text/plain",)}.get(kind, ())
    if len(kinds) > 1 or not content_type.startswith(fits or "none"):
        takes = ", ".join(accepted(kinds))
        raise Refused(415, f"this model takes {takes}, not {content_type}", "Content-Type")
    if kind in FILES:
        return Rows(["body"], {name: [body]})
    return Rows(["body"], {name: [Part("body", None, body).text("body")]})


def _check_count(rows: int, limits: Limits) -> None:
    if rows == 0:
        raise Refused(422, "there is no row to answer for", "body")
    if rows > limits.rows:
        raise Refused(413, f"{rows:,} rows; at most {limits.rows:,} in one request", "body")
