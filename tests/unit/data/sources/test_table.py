"""Promises of tables: every form gives the same rows as Python's own readers, only what is asked, in a fixed order."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from ft.core.config.schema import TableData
from ft.core.data.sources import load
from ft.core.data.table import Table

Section = Callable[..., Any]
ROWS = [["1", "a, b", "x"], ["2", 'says "hello"', ""], ["03", "two\nlines", "é 好"]]
NAMES = ["id", "text", "label"]


def written(rows: list[list[str]], delimiter: str = ",", header: list[str] | None = None) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([*([header] if header else []), *rows])
    return out.getvalue().encode()


def columns(table: Table) -> dict[str, list[Any]]:
    return {name: array.tolist() for name, array in table.columns.items()}


def read(tmp_path: Path, needed: Any = None, **settings: Any) -> Table:
    section = TableData.model_validate({"source": "table", "root": str(tmp_path), "missing": [], **settings})
    return load(section, needed).splits["train"]


EXPECTED = {name: [row[place] for row in ROWS] for place, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("a.csv", {}),
        ("a.tsv", {}),
        ("a.csv.gz", {}),
        ("a.tsv.gz", {}),
        ("a.dat", {"format": "csv", "delimiter": ";"}),
        ("a.csv", {"header": NAMES}),
        ("a.csv", {"header": False}),
    ],
)
def test_rows_are_those_that_pythons_reader_gives(tmp_path: Path, file: str, settings: dict[str, Any]) -> None:
    delimiter = settings.get("delimiter", "\t" if ".tsv" in file else ",")
    content = written(ROWS, delimiter, None if "header" in settings else NAMES)
    (tmp_path / file).write_bytes(gzip.compress(content) if file.endswith(".gz") else content)
    names = ["1", "2", "3"] if settings.get("header") is False else NAMES
    table = read(tmp_path, train=file, **settings)
    assert columns(table) == dict(zip(names, EXPECTED.values(), strict=True))
    assert table.names is not None
    assert list(table.names) == [f"{file} row {row}" for row in (1, 2, 3)]
    assert table.folder == tmp_path


cell = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ['"', ",", "\n", "a\nb", " "]
)


@given(rows=st.lists(st.tuples(st.sampled_from(["1", "x"]), cell), min_size=1, max_size=8))
def test_whatever_pythons_writer_writes_is_read_back(tmp_path_factory: Any, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("csv")
    (folder / "a.csv").write_bytes(written([list(row) for row in rows], header=["kind", "text"]))
    table = read(folder, train="a.csv")
    assert columns(table) == {"kind": [row[0] for row in rows], "text": [row[1] for row in rows]}


def test_without_quoting_a_quote_is_a_letter(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('"stray\t1\nit \'s "fine" .\t0\n')
    table = read(tmp_path, train="a.tsv", header=["text", "label"], quoting=False)
    assert columns(table) == {"text": ['"stray', 'it \'s "fine" .'], "label": ["1", "0"]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_and_a_mark_at_the_front_are_no_rows(tmp_path: Path, end: str) -> None:
    text = end.join(["", "a,b", "1,2", "", "3,4", ""])
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b'{"a": 1}\n\n{"a": 3}\n')
    assert columns(read(tmp_path, train="a.csv")) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert columns(read(tmp_path, train="a.jsonl")) == {"a": [1, 3]}


def test_only_the_asked_columns_are_read_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(written(ROWS, header=NAMES))
    table = read(tmp_path, {"label", "nothing"}, train="a.csv")
    assert columns(table) == {"label": EXPECTED["label"]}
    assert table.others == ("id", "text")
    assert len(read(tmp_path, {"nothing"}, train="a.csv")) == 3, "rows are counted all the same"


def test_missing_texts_are_null_in_all_columns_but_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('x,y\nNA,NA\n"",?\n0,\n')
    section = TableData(source="table", root=str(tmp_path), train="a.csv", missing=["", "NA", "?"])
    assert columns(load(section, None, None, {"y"}).splits["train"]) == {"x": [None, None, "0"], "y": ["NA", "?", ""]}


# ---------------------------------------------------------------- typed files


def test_json_lines_and_parquet_keep_their_types(tmp_path: Path) -> None:
    rows = [
        {"n": 1, "x": 0.5, "name": "a", "on": True, "tags": ["u", "v"], "v": [1.0, 2.0], "gone": None},
        {"n": 2, "x": None, "name": "NA", "on": False, "tags": [], "v": [3.0, 4.5], "gone": None},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    expected = {name: [row[name] for row in rows] for name in rows[0]}
    for file in ("a.jsonl", "a.jsonl.gz", "a.parquet"):
        assert columns(read(tmp_path, train=file)) == expected
        assert columns(read(tmp_path, {"v", "n"}, train=file)) == {"n": [1, 2], "v": expected["v"]}
        assert columns(read(tmp_path, {"name"}, train=file, missing=["NA"])) == {"name": ["a", None]}


def test_a_key_that_a_line_leaves_out_is_missing_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": "x"}\n{"a": 2}\n')
    assert columns(read(tmp_path, train="a.jsonl")) == {"a": [1, 2], "b": ["x", None]}


def test_dictionaries_and_decimals_of_parquet_are_unpacked(tmp_path: Path) -> None:
    from decimal import Decimal

    table = pyarrow.table(
        {
            "c": pyarrow.array(["b", "a", "b"]).dictionary_encode(),
            "d": pyarrow.array([Decimal("1.50"), None, Decimal(2)]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    assert columns(read(tmp_path, train="a.parquet")) == {"c": ["b", "a", "b"], "d": [1.5, None, 2.0]}


# ---------------------------------------------------------------- several files


def test_patterns_are_sorted_and_files_follow_each_other_as_written(tmp_path: Path) -> None:
    for name, value in (("part-2.csv", "2"), ("part-1.csv", "1"), ("first.csv", "0")):
        (tmp_path / name).write_text(f"a,b\n{value},x\n{value}{value},y\n")
    (tmp_path / "part-3.csv").write_text("b,a\nz,3\n")
    table = read(tmp_path, train=["first.csv", "part-*.csv"])
    assert columns(table)["a"] == ["0", "00", "1", "11", "2", "22", "3"]
    assert table.names is not None
    assert [table.names[row] for row in (0, 3, 6)] == ["first.csv row 1", "part-1.csv row 2", "part-3.csv row 1"]
    assert table.folder == tmp_path


def test_rows_of_several_folders_have_no_folder_and_folders_can_be_searched(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text(f"v\n{name}\n")
    table = read(tmp_path, train="**/x.csv")
    assert columns(table) == {"v": ["a", "b"]}
    assert table.folder is None
    assert list(table.names or ()) == ["a/x.csv row 1", "b/x.csv row 1"]
    assert read(tmp_path, train="b/x.csv").folder == tmp_path / "b"


def test_a_name_with_the_signs_of_a_pattern_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("v\n1\n")
    assert columns(read(tmp_path, train="a[1].csv")) == {"v": ["1"]}


def test_only_the_files_of_the_wanted_splits_are_read(tmp_path: Path, data_section: Section) -> None:
    (tmp_path / "test.csv").write_text("v\n1\n")
    section = data_section(source="table", root=str(tmp_path), train="no.csv", test="test.csv")
    dataset = load(section, None, {"test"})
    assert (set(dataset.splits), dataset.official) == ({"test"}, ("train", "test"))


def test_whole_and_broken_numbers_of_several_files_go_together(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"v": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"v": 0.5}\n')
    assert columns(read(tmp_path, train="*.jsonl")) == {"v": [1.0, 0.5]}


def test_reading_a_table_makes_no_object_for_each_row(tmp_path: Path) -> None:
    """150,000 rows of 40 letters as Python objects would take 13 MB."""
    import tracemalloc

    rows = "".join(f"{row % 7},{'x' * 40}\n" for row in range(150_000))
    (tmp_path / "a.csv").write_text("k,text\n" + rows)
    tracemalloc.start()
    table = read(tmp_path, train="a.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) == 150_000
    assert peak < 11 << 20, "a block of the file that is decoded (4 MiB) and the rows' numbers (1.2 MB each way)"


def test_rows_are_the_same_however_the_file_falls_into_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ft.core.data.sources import table_csv, table_encoding

    rng = np.random.default_rng(0)
    rows = [[str(i), "好" * int(rng.integers(0, 9)), 'a"\n,' * int(rng.integers(0, 3))] for i in range(400)]
    (tmp_path / "a.csv").write_bytes(written(rows, header=NAMES))
    monkeypatch.setattr(table_csv, "BLOCK", 512)
    monkeypatch.setattr(table_encoding, "CHUNK", 7)
    assert columns(read(tmp_path, train="a.csv")) == {n: [row[i] for row in rows] for i, n in enumerate(NAMES)}


def test_without_arrow_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from ft.core.config.schema import TableData; from ft.core.data.sources import load\n"
        "from ft.core.errors import MissingExtraError\n"
        "try: load(TableData(source='table', train='a.csv'))\n"
        "except MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "ft[table]" in done.stdout


def test_texts_of_json_lines_that_look_like_dates_stay_as_written(tmp_path: Path) -> None:
    """Arrow takes them for moments: a category was called `2024-05-31 00:00:00`, which no row says."""
    rows = [
        {"n": 1, "day": "2024-05-31", "at": "2024-05-31T12:30:00Z", "days": ["2024-05-31", "2024-06-01"]},
        {"n": 2, "day": "2024-06-01", "at": "2024-06-01T00:00:00Z", "days": []},
        {"n": None, "day": None, "at": "2024-06-01T00:00:00Z", "days": None},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read(tmp_path, train="a.jsonl")
    assert columns(table) == {name: [row[name] for row in rows] for name in rows[0]}
    assert list(table.columns) == list(rows[0])


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
def test_a_file_in_which_a_column_is_empty_goes_with_one_in_which_it_is_not(tmp_path: Path, order: list[str]) -> None:
    (tmp_path / "a.jsonl").write_text('{"v": null, "w": null}\n')
    (tmp_path / "b.jsonl").write_text('{"v": 7, "w": null}\n')
    table = read(tmp_path, train=[f"{name}.jsonl" for name in order])
    assert columns(table) == {"v": [None, 7] if order[0] == "a" else [7, None], "w": [None, None]}
    assert str(table.columns["w"].type) == "large_string"  # type: ignore[union-attr]
