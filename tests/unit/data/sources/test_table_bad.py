"""Promises of tables that are wrong: one clear error that names the file and the line, and nothing silent."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from ft.core.config.schema import TableData
from ft.core.data.sources import load
from ft.core.data.table import Dataset
from ft.core.errors import ConfigError, DataError


def read(root: Path, **settings: Any) -> Dataset:
    return load(TableData.model_validate({"source": "table", "root": str(root), **settings}))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.csv", "a,b\n1,2\n3,4,5\n", r"a\.csv line 3: 3 values, expected 2 \(a, b\): '3,4,5'"),
        ("a.csv", "a,b\n1,2\n\n3\n", r"a\.csv line 4: 1 value, expected 2 \(a, b\): '3'"),
        ("a.csv", 'a,b\n1,"x\ny"\n3\n', r"a\.csv line 4: 1 value, expected 2"),
        ("a.csv", 'a,b\n"1,2\n3,4\n', r"a\.csv line 3: 1 value, expected 2 .* data\.quoting: false"),
        ("a.csv", 'a,b\n1,"x\n3,y\n', r"a\.csv line 3: a double quote opens .* data\.quoting: false"),
        ("a.csv", 'a,b\n"it,1\n"was,2\n5,3\n', r"a\.csv line 3: a double quote opens .* data\.quoting: false"),
        ("a.csv", "", r"a\.csv: is empty"),
        ("a.csv", "\n\n", r"a\.csv: is empty"),
        ("a.csv", "a,b\n", r"a\.csv: has a header and no rows"),
        ("a.csv", "a,b,a\n1,2,3\n", r"a\.csv: has more than one column a"),
        ("a.jsonl", "", r"a\.jsonl: is empty"),
        ("a.jsonl", '{"a": 1}\n{"a": 2\n', r"a\.jsonl line 2: is no JSON: .*"),
        ("a.jsonl", '{"a": 1}\n[2]\n', r"a\.jsonl line 2: is a list; expected an object"),
        ("a.jsonl", '{"a": 1}\n\n{"a": "x"}\n', r'a\.jsonl line 3, column a: "x" is text, in line 1 it is a number'),
        ("a.parquet", "PAR1 no", r"a\.parquet: cannot be read as parquet"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_place(tmp_path: Path, file: str, content: str, message: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path, train=file)


def test_a_damaged_archive_is_one_error(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 999)
    for content in (whole[:-12], b"a,b\n1,2\n"):
        (tmp_path / "a.csv.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.csv\.gz: cannot be read"):
            read(tmp_path, train="a.csv.gz")


def test_a_file_or_pattern_that_fits_nothing_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"trian\.csv: no such file; .* holds train\.csv; did you mean train\.csv\?"):
        read(tmp_path, train="trian.csv")
    with pytest.raises(DataError, match=r"part-\*\.csv: no file fits this pattern; .* holds train\.csv"):
        read(tmp_path, train="part-*.csv")
    with pytest.raises(DataError, match=r"deep/er/a\.csv: no such file; .* holds train\.csv"):
        read(tmp_path, train="deep/er/a.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder: is a folder; write the files in it"):
        read(tmp_path, train="folder")


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"a\.csv: is named twice"):
        read(tmp_path, train=["a.csv", "*.csv"])


def test_files_read_together_need_the_same_columns_and_types(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv: has c where .*a\.csv has b; files read together"):
        read(tmp_path, train="*.csv")
    (tmp_path / "a.jsonl").write_text('{"v": "1"}\n')
    (tmp_path / "b.jsonl").write_text('{"v": 2}\n')
    with pytest.raises(DataError, match=r"b\.jsonl: column v is int64, in .*a\.jsonl it is large_string"):
        read(tmp_path, train="*.jsonl")


def test_settings_that_do_not_fit_are_told_at_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n")
    (tmp_path / "a.dat").write_text("1,2\n")
    for settings, place, message in (
        ({"train": "a.csv", "header": ["x"]}, ("data", "header"), "names 1 columns, .* has 2: 1, 2"),
        ({"train": "a.dat"}, ("data", "train"), "does not tell its format; write data.format"),
        ({"train": "a.csv", "encoding": "utf-9"}, ("data", "encoding"), "there is no codec utf-9"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            read(tmp_path, **settings)
        assert error.value.problems[0].path == place


def test_another_delimiter_is_guessed_in_the_error_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name;age\nx;1\n")
    section = TableData(source="table", root=str(tmp_path), train="a.csv")
    with pytest.raises(DataError, match=r"one column, 'name;age'; is data\.delimiter \";\" meant\?"):
        load(section, {"name"})
