"""`ft eval --data`: a file with nothing but `data`, and tables with or without the header that training had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import changed, ft, write_config
from small_tables import guests, write_rows
from table_runs import GUESTS

pytest.importorskip("pyarrow", reason="tables need pyarrow")

COLUMNS = list(guests(1)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a table whose names the experiment lists. Not to be changed but for new files."""
    folder = tmp_path_factory.mktemp("guests")
    write_rows(folder / "guests.csv", guests(80), header=False)
    write_config(folder / "c.yaml", {"data": {"header": COLUMNS}}, GUESTS)
    answer = ft("train", "c.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


def judged(folder: Path, data: str) -> dict[str, float]:
    answer = ft("eval", "runs/tiny/1", "--data", data, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    return {"examples": found["examples"], **found["metrics"]}


def test_a_header_of_its_own_is_seen_and_is_no_example(folder: Path) -> None:
    rows = guests(30, seed=5)
    write_rows(folder / "bare.csv", rows, header=False)
    turned = [{name: row[name] for name in reversed(COLUMNS)} for row in rows]
    write_rows(folder / "named.csv", turned)
    assert judged(folder, "named.csv") == judged(folder, "bare.csv")
    assert judged(folder, "bare.csv")["examples"] == 30


def test_a_file_with_data_alone_takes_all_else_from_the_checkpoint(folder: Path) -> None:
    write_rows(folder / "later.csv", guests(30, seed=5))
    section = {"source": "table", "train": "later.csv", "test": "later.csv"}
    write_config(folder / "data.yaml", {"data": section}, {})
    write_config(
        folder / "whole.yaml", {"data": changed(section, {"split": {"val": 3}})}, changed(GUESTS, {"data": ...})
    )
    alone = judged(folder, "data.yaml")
    assert alone["examples"] == 30
    assert alone == judged(folder, "whole.yaml")


def test_a_mistake_in_it_is_named_at_its_place(folder: Path) -> None:
    (folder / "bad.yaml").write_text("data: {source: table, trian: later.csv}\n")
    answer = ft("eval", "runs/tiny/1", "--data", "bad.yaml", cwd=folder)
    assert answer.code == 2
    assert "bad.yaml:1:23 data.trian is not a setting; did you mean train?" in answer.err
    assert "model" not in answer.err
