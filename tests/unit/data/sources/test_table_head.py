"""The first lines of a table tell the columns that loading all of it finds."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft.core.data.sources import load
from ft.core.data.sources.table_head import columns_by_split, names_itself
from ft.core.errors import ConfigError, DataError

pa = pytest.importorskip("pyarrow")
Make = Callable[..., Any]

CSV = "age,größe,note\n1,2,a\n3,4,b\n"


def write(folder: Path, name: str) -> None:
    match name.split(".", 1)[1]:
        case "parquet":
            from pyarrow import parquet

            parquet.write_table(pa.table({"age": [1], "größe": [2], "note": ["a"]}), folder / name)
        case "jsonl":
            lines = ['{"age": 1, "größe": 2}', '{"age": 3, "note": "late"}']
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        case "csv.gz":
            (folder / name).write_bytes(gzip.compress(CSV.encode()))
        case "tsv":
            (folder / name).write_text("\n\n" + CSV.replace(",", "\t"), encoding="utf-8-sig")
        case _:
            (folder / name).write_text(CSV, encoding="utf-8")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("header", [True, False, ["x", "y", "z"]])
def test_the_columns_are_those_that_loading_finds(
    tmp_path: Path, data_section: Make, name: str, header: bool | list[str]
) -> None:
    write(tmp_path, name)
    (tmp_path / "more.csv").write_text("key,colour\n1,red\n")
    join = {"files": "more.csv", "on": "1" if header is False else "x" if isinstance(header, list) else "age"}
    joins = [] if name.endswith(("jsonl", "parquet")) else [{**join, "key": "key", "format": "csv", "delimiter": ","}]
    section = data_section(source="table", root=str(tmp_path), train=name, test=name, header=header, join=joins)
    found = load(section).splits
    assert columns_by_split(section, ()) == {split: tuple(table.columns) for split, table in found.items()}


def test_a_long_file_is_not_read_to_its_end(tmp_path: Path, data_section: Make) -> None:
    rows = "".join(f"{row},{row}\n" for row in range(100_000))
    (tmp_path / "a.csv").write_text(f"a,b\n{rows}three,values,here\n")
    section = data_section(source="table", root=str(tmp_path), train="a.csv")
    assert columns_by_split(section, ()) == {"train": ("a", "b")}
    with pytest.raises(DataError, match="3 values"):
        load(section)


def test_a_key_that_only_late_rows_have_is_not_said_to_be_missing(tmp_path: Path, data_section: Make) -> None:
    (tmp_path / "a.jsonl").write_text('{"age": 1}\n' * 40_000 + '{"age": 2, "note": "late"}\n')
    section = data_section(source="table", root=str(tmp_path), train="a.jsonl")
    assert columns_by_split(section, {"note"}) == {"train": ("age", "note")}
    (tmp_path / "a.jsonl").write_text('{"age": 1}\n')
    assert columns_by_split(section, {"note"}) == {"train": ("age",)}


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("a,b\n", {}, "has a header and no rows"),
        ("\n\n", {}, "empty"),
        ("a,a\n1,2\n", {}, "more than one column a; rename them"),
        ("5,5\n1,2\n", {}, "more than one column 5; its first row looks like an example"),
        ("a|b\n1|2\n", {}, r'is data.delimiter "\|" meant\?'),
        ("a,b\n1,2\n", {"header": ["a"]}, "names 1 columns"),
        ("a,b\n1,2\n", {"encoding": "utf-88"}, "there is no codec utf-88"),
    ],
)
def test_what_the_first_lines_tell_is_told_as_loading_tells_it(
    tmp_path: Path, data_section: Make, text: str, settings: dict[str, Any], said: str
) -> None:
    (tmp_path / "a.csv").write_text(text)
    section = data_section(source="table", root=str(tmp_path), train="a.csv", **settings)
    for read in (load, lambda section: columns_by_split(section, ())):
        with pytest.raises((DataError, ConfigError), match=said):
            read(section)


def test_a_file_names_itself_where_its_first_row_has_the_names_that_are_needed(
    tmp_path: Path, data_section: Make
) -> None:
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    named = data_section(source="table", train="a.csv", header=["note", "age", "unused"])
    assert names_itself(named, tmp_path / "a.csv", {"age", "note", "joined"})
    assert not names_itself(named, tmp_path / "a.csv", {"age", "unused"})
    assert not names_itself(named.model_copy(update={"header": False}), tmp_path / "a.csv", {"age"})
