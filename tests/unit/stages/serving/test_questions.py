"""Bodies become rows, or one error that says where."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from serving import form

pytest.importorskip("fastapi")

from ft.core.stages.serving.limits import Limits, Refused
from ft.core.stages.serving.questions import accepted, read_rows

KINDS = {"age": "number", "tags": "set", "at": "vector", "note": "text"}
ROW = {"age": 41, "tags": ["a", "b"], "at": [1, 2.5], "note": "good"}
LIMITS = Limits(rows=3)
JSON = "application/json"


def refused(kind: str, body: bytes, kinds: dict[str, str]) -> Refused:
    with pytest.raises(Refused) as error:
        read_rows(kind, body, kinds, LIMITS)
    return error.value


@pytest.mark.parametrize("wrapped", [ROW, [ROW], {"rows": [ROW]}])
def test_a_row_comes_alone_in_a_list_or_under_rows(wrapped: Any) -> None:
    rows = read_rows(f"{JSON}; charset=utf-8", json.dumps(wrapped).encode(), KINDS, LIMITS)
    assert rows.names == ["rows[0]"]
    assert rows.values == {"age": ["41"], "tags": [["a", "b"]], "at": ["1 2.5"], "note": ["good"]}


def test_an_input_may_be_called_rows() -> None:
    assert read_rows(JSON, b'{"rows": "x"}', {"rows": "text"}, LIMITS).values == {"rows": ["x"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (0.1 + 0.2, "0.30000000000000004"), (10**30, str(10**30)), (-0.0, "-0.0"), ("ü", "ü")],
)
def test_a_value_is_the_text_that_a_table_would_hold(value: Any, text: str) -> None:
    assert read_rows(JSON, json.dumps({"a": value}).encode(), {"a": "category"}, LIMITS).values == {"a": [text]}


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (b"", 400, "body"),
        (b"[", 400, "body"),
        (b"\xff", 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (b'{"age": ' + b"9" * 5000 + b"}", 400, "body"),
        (b"[]", 422, "body"),
        (b"[1]", 422, "rows[0]"),
        (b'{"age": 1, "age": 2}', 422, "body"),
        (b'{"age": NaN}', 422, "rows[0].age"),
        (b'[{"age": 1}, {"age": -Infinity}]', 422, "rows[1].age"),
        (b'{"age": 1e999}', 422, "rows[0].age"),
        (b'{"age": {}}', 422, "rows[0].age"),
        (b'{"age": [1]}', 422, "rows[0].age"),
        (b'{"age": "\\ud800"}', 422, "rows[0].age"),
        (b'{"agee": 1}', 422, "rows[0].agee"),
        (b"{}", 422, "rows[0].age"),
        (b'[{"age":1},{"age":1},{"age":1},{"age":1}]', 413, "body"),
    ],
)
def test_a_bad_body_is_told_with_its_place(body: bytes, status: int, where: str) -> None:
    refusal = refused(JSON, body, {"age": "number"})
    assert (refusal.status, refusal.where) == (status, where)


def test_a_text_never_names_a_file_of_the_server() -> None:
    assert refused(JSON, b'{"face": "/etc/passwd"}', {"face": "image"}).status == 422
    data = base64.b64encode(b"PNG").decode()
    for text in (data, f"data:image/png;base64,{data}"):
        rows = read_rows(JSON, json.dumps({"face": text}).encode(), {"face": "image"}, LIMITS)
        assert rows.values == {"face": [b"PNG"]}


def test_a_form_brings_several_files_and_their_names() -> None:
    binary = bytes(range(256)) + b"\r\n--edg"
    body, kind = form([("file", "a.png", binary), ("file", "b.png", b""), ("other", None, b"x")])
    rows = read_rows(kind, body, {"face": "image"}, LIMITS)
    assert rows.names == ["a.png", "b.png", "other[2]"]
    assert rows.values == {"face": [binary, b"", b"x"]}


def test_a_form_brings_files_and_values_of_several_rows() -> None:
    body, kind = form([("age", None, b"1"), ("face", "a", b"A"), ("age", None, b"2"), ("face", "b", b"B")])
    rows = read_rows(kind, body, {"face": "image", "age": "number"}, LIMITS)
    assert rows.values == {"face": [b"A", b"B"], "age": ["1", "2"]}


@pytest.mark.parametrize(
    ("parts", "status", "where"),
    [
        ([], 422, "body"),
        ([("age", None, b"1")], 422, "form.face"),
        ([("age", None, b"1"), ("age", None, b"1"), ("face", None, b"")], 422, "form"),
        ([("age", None, b"\xff"), ("face", None, b"")], 422, "form.age[0]"),
        ([("age", None, b"1"), ("face", None, b"")] * 4, 413, "body"),
    ],
)
def test_a_bad_form_is_told_with_its_place(parts: list[tuple[str, str | None, bytes]], status: int, where: str) -> None:
    body, kind = form(parts)
    refusal = refused(kind, body, {"face": "image", "age": "number"})
    assert (refusal.status, refusal.where) == (status, where)


def test_a_form_that_is_cut_short_loses_no_file_silently() -> None:
    body, kind = form([("file", "a", b"A"), ("file", "b", b"B" * 100)])
    for end in (len(body) - 4, len(body) - 60, 40):
        refusal = refused(kind, body[:end], {"face": "image"})
        assert (refusal.status, refusal.where) == (400, "body")
    assert refused("multipart/form-data", body, {"face": "image"}).where == "Content-Type"


def test_raw_bytes_are_for_models_of_one_such_input() -> None:
    assert read_rows("image/png", b"P", {"face": "image"}, LIMITS).values == {"face": [b"P"]}
    assert read_rows("audio/wav", b"R", {"said": "audio"}, LIMITS).values == {"said": [b"R"]}
    assert read_rows("text/plain; charset=utf-8", b"gut", {"note": "text"}, LIMITS).values == {"note": ["gut"]}
    assert refused("image/png", b"P", {"said": "audio"}).status == 415
    assert refused("image/png", b"P", {"face": "image", "age": "number"}).status == 415
    assert refused("text/csv", b"P", {"age": "number"}).status == 415
    assert "image/*" in accepted({"face": "image"})
    assert accepted({"age": "number"}) == [JSON, "multipart/form-data"]
