"""What the first lines of a table tell, `config validate`, `data check` and `run` tell alike, before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Answer, ft, write_config
from small_tables import guests, write_rows
from table_runs import GUESTS

pytest.importorskip("pyarrow", reason="tables need pyarrow")

COMMANDS = (("config", "validate"), ("data", "check"), ("run",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path / "guests.csv", guests(60))
    write_config(tmp_path / "c.yaml", {"data": {"split": {"val": 10, "test": 10}}}, GUESTS)
    return tmp_path


def all_say(folder: Path, *settings: str) -> list[Answer]:
    return [ft(*command, "c.yaml", *settings, cwd=folder) for command in COMMANDS]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("inputs.nigths.type=number", "no column nigths"),
        ("outputs.happy.column=hapy", "did you mean happy?"),
        ("data.split.group=gust", "did you mean guest?"),
        ("data.join=[{files: guests.csv, on: citty}]", "did you mean city?"),
    ],
)
def test_a_column_that_is_not_there_is_found_by_validate(folder: Path, setting: str, said: str) -> None:
    for answer in all_say(folder, setting):
        assert answer.code == 2
        assert said in answer.err


def test_validate_reads_no_rows_and_says_when_the_data_are_not_there(folder: Path) -> None:
    lines = (folder / "guests.csv").read_text().splitlines()
    (folder / "guests.csv").write_text("\n".join([*lines[:2], "one value and no more"]))
    assert ft("config", "validate", "c.yaml", cwd=folder).code == 0
    (folder / "guests.csv").unlink()
    answer = ft("config", "validate", "c.yaml", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    assert any(
        "not looked for in the data: guests.csv: no such file" in line for line in json.loads(answer.out)["skipped"]
    )


def test_another_delimiter_is_told_alike(folder: Path) -> None:
    write_rows(folder / "guests.csv", guests(60), delimiter=";")
    for answer in all_say(folder):
        assert answer.code == 4
        assert answer.err.strip().endswith('is data.delimiter ";" meant?')


@pytest.mark.parametrize("repeats", [False, True])
def test_an_example_that_was_taken_for_names_is_told_alike(folder: Path, repeats: bool) -> None:
    rows = guests(60)
    rows[0]["nights"] = 5
    rows[0]["stars"] = 5 if repeats else 4.5
    write_rows(folder / "guests.csv", rows, header=False)
    for answer in all_say(folder):
        assert answer.code == (4 if repeats else 2)
        assert "its first row looks like an example, not like names: data.header: false" in answer.err


def test_names_are_not_called_an_example(folder: Path) -> None:
    assert not any("looks like an example" in answer.err for answer in all_say(folder, "inputs.nigths.type=number"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("eval.metrics=[auroc, accurracy]", "did you mean accuracy?"),
        ("eval.min={rmse: 0.5}", "rmse is not a metric of this experiment"),
        ("train.monitor=f2", "did you mean f1?"),
        ("inputs.review={type: image}", "pictures in files need a size"),
    ],
)
def test_what_needs_no_data_is_found_before_the_classes_are_known(folder: Path, setting: str, said: str) -> None:
    answer = ft("config", "validate", "c.yaml", setting, cwd=folder)
    assert answer.code == 2
    assert said in answer.err


@pytest.mark.parametrize("metric", ["auroc", "sensitivity", "top3"])
def test_a_metric_that_some_number_of_classes_has_is_left_to_the_data(folder: Path, metric: str) -> None:
    answer = ft("config", "validate", "c.yaml", f"eval.metrics=[{metric}]", cwd=folder)
    assert answer.code == 0, answer.err
