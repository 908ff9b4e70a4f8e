"""Promises of encodings: UTF-8, else GB18030 and told, never a mixture, and the byte that cannot be read is named."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.schema import TableData
from ft.core.data.sources import load, table_encoding
from ft.core.data.sources.table_encoding import find_encodings
from ft.core.data.table import Dataset
from ft.core.errors import DataError

CHINESE = "评价,标签\n房间很干净，服务也好,1\n离地铁太远,0\n"


def read(root: Path, **settings: Any) -> Dataset:
    return load(TableData.model_validate({"source": "table", "root": str(root), **settings}))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_chinese_in_either_encoding_is_the_same_and_gb18030_is_told(tmp_path: Path, suffix: str) -> None:
    found = {}
    for codec in ("utf-8", "utf-8-sig", "gb18030", "gbk"):
        content = CHINESE.encode(codec)
        (tmp_path / f"a{suffix}").write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
        dataset = read(tmp_path, train=f"a{suffix}")
        found[codec] = {name: array.tolist() for name, array in dataset.splits["train"].columns.items()}
        assert [note for note in dataset.notes if "GB18030" in note] == dataset.notes
        assert bool(dataset.notes) == codec.startswith("gb")
    assert found["utf-8"] == {"评价": ["房间很干净，服务也好", "离地铁太远"], "标签": ["1", "0"]}
    assert all(each == found["utf-8"] for each in found.values())


def test_json_lines_in_gb18030(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"review": "房间很干净，服务也好"}\n'.encode("gb18030"))
    assert read(tmp_path, train="a.jsonl").splits["train"].columns["review"].tolist() == ["房间很干净，服务也好"]


@pytest.mark.parametrize("codec", ["latin-1", "cp1252", "utf-16"])
def test_a_codec_that_is_named_is_used(tmp_path: Path, codec: str) -> None:
    (tmp_path / "a.csv").write_bytes("név\nétudié à Zürich\n".encode(codec))
    table = read(tmp_path, train="a.csv", encoding=codec).splits["train"]
    assert table.columns["név"].tolist() == ["étudié à Zürich"]


def test_a_mark_at_the_front_is_no_letter_however_utf8_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + CHINESE.encode())
    for codec in ("utf8", "UTF-8", "U8"):
        assert set(read(tmp_path, train="a.csv", encoding=codec).splits["train"].columns) == {"评价", "标签"}


@pytest.mark.parametrize("text", ["étudié à Zürich", "déjà vu, garçon", "naïve café"])
def test_western_text_is_not_taken_for_chinese(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(f"a\tb\nplain\t1\n{text}\t2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.csv: byte \d+ \(line 3, 0xe\w\) is neither UTF-8 nor GB18030; .*encoding"):
        read(tmp_path, train="a.csv", delimiter="\t")


def test_two_encodings_in_one_file_are_named_by_their_lines(tmp_path: Path) -> None:
    lines = ["a", "很好的酒店", "plain", "服务非常好"]
    content = b"\n".join(line.encode("utf-8" if place == 1 else "gb18030") for place, line in enumerate(lines))
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match="mixed encodings: line 2 is UTF-8, line 4 is not"):
        read(tmp_path, train="a.csv")


def test_two_encodings_among_files_are_named_and_plain_files_go_with_both(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CHINESE.encode("gb18030"))
    (tmp_path / "b.csv").write_bytes("评价,标签\nplain,1\n".encode("gb18030"))
    assert len(read(tmp_path, train="*.csv").splits["train"]) == 3
    (tmp_path / "c.csv").write_bytes(CHINESE.encode())
    with pytest.raises(DataError, match=r"mixed encodings: .*[ab]\.csv is gb18030 and .*c\.csv is utf-8"):
        read(tmp_path, train="*.csv")


def test_utf16_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a\nx\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"set data\.encoding: utf-16"):
        read(tmp_path, train="a.csv")


@given(before=st.text("aé好\n", max_size=30), after=st.text("aé好\n", max_size=9), chunk=st.integers(1, 9))
def test_the_byte_and_line_are_those_of_decoding_at_once(
    tmp_path_factory: Any, before: str, after: str, chunk: int
) -> None:
    content = before.encode() + b"\xff" + after.encode()
    path = tmp_path_factory.mktemp("bytes") / "a"
    path.write_bytes(content)
    with pytest.raises(UnicodeDecodeError) as told:
        content.decode()
    place = told.value.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_encoding, "CHUNK", chunk)
        with pytest.raises(
            DataError, match=rf"byte {place + 1} \(line {content[:place].count(10) + 1}, 0xff\) is not utf-8"
        ):
            find_encodings([path], "utf-8")
