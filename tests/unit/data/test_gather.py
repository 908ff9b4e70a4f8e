"""Promises of gathering: columns meet by the names of the experiment, and every name that fits nothing is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ft.core.data import gather as gathering
from ft.core.data.columns import column_from_state
from ft.core.data.gather import gather
from ft.core.data.prepare import prepare_data, prepare_with
from ft.core.data.unlabelled import read_rows
from ft.core.errors import ConfigError, DataError

Make = Callable[..., Any]
ROWS = "uid,x1,x2,note,when,label\n" + "".join(
    f"u{row % 4},{row}.5,{'' if row == 3 else row * 2},{'NA' if row % 2 else 'fine'},{row},{'ab'[row % 2]}\n"
    for row in range(20)
)


@pytest.fixture
def table(tmp_path: Path, data_section: Make, input_column: Make, output_column: Make) -> Make:
    """`table(inputs, outputs, **settings)` -> the arguments of prepare_data, over the rows above."""
    (tmp_path / "a.csv").write_text(ROWS)

    def make(inputs: dict[str, Any], outputs: dict[str, Any] | None = None, **settings: Any) -> tuple[Any, Any, Any]:
        section = data_section(**{"source": "table", "root": str(tmp_path), "train": "a.csv", **settings})
        outputs = outputs or {"y": {"type": "category", "column": "label"}}
        return (
            section,
            {name: input_column(**settings) for name, settings in inputs.items()},
            {name: output_column(**settings) for name, settings in outputs.items()},
        )

    return make


def test_inputs_and_outputs_may_be_called_otherwise_than_in_the_data(table: Make) -> None:
    section, inputs, outputs = table({"user": {"type": "category", "column": "uid"}, "x1": {"type": "number"}})
    data = prepare_data(section, inputs, outputs)
    assert set(data.inputs) == {"user", "x1"}
    assert data.examples["train"].inputs["user"].tolist() == [1 + row % 4 for row in range(20)]
    assert data.class_counts == {"y": {"a": 10, "b": 10}}


def test_columns_side_by_side_become_one_vector_with_nan_where_missing(table: Make) -> None:
    inputs = {"v": {"type": "vector", "columns": ["x1", "x2"], "missing": "flag"}}
    section, into, out_of = table(inputs)
    array = gather(section, {**into, **out_of}).dataset.splits["train"].columns["v"]
    expected = [[row + 0.5, float("nan") if row == 3 else row * 2] for row in range(20)]
    np.testing.assert_array_equal(array, np.array(expected))
    assert prepare_data(section, into, out_of).inputs["v"].shape == (4,)


def test_a_value_side_by_side_that_is_no_number_is_named_by_its_own_column(table: Make, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("x1,x2,label\n1,2,a\n3,many,b\n")
    with pytest.raises(DataError, match=r"column x2, train, b\.csv row 2: 'many' is no number"):
        prepare_data(*table({"v": {"type": "vector", "columns": ["x1", "x2"]}}, train="b.csv"))


def test_missing_texts_are_missing_except_in_text(table: Make) -> None:
    inputs = {"text": {"type": "text", "column": "note"}, "tag": {"type": "category", "column": "note"}}
    for chosen, expected in ((["text"], "NA"), (["tag"], None)):
        section, into, out_of = table({name: inputs[name] for name in chosen}, missing=["", "NA"])
        dataset = gather(section, {**into, **out_of}).dataset
        assert dataset.splits["train"].columns[chosen[0]].tolist() == ["fine", expected] * 10


def test_columns_that_decide_the_split_are_read_though_they_do_not_go_in(table: Make) -> None:
    section, inputs, outputs = table({"x1": {"type": "number"}}, split={"test": 5, "val": 5, "time": "when"})
    data = prepare_data(section, inputs, outputs)
    raw = {split: examples.inputs["x1"] for split, examples in data.examples.items()}
    assert [len(raw[split]) for split in ("train", "val", "test")] == [10, 5, 5]
    assert raw["test"].flatten().tolist() == [15.5, 16.5, 17.5, 18.5, 19.5]
    settings = {**inputs, **outputs}
    columns = [
        {name: column_from_state(column.to_state()) for name, column in side.items()}
        for side in (data.inputs, data.outputs)
    ]
    again = prepare_with(section, *columns, settings, only={"test"})
    assert again.fingerprints["test"] == data.fingerprints["test"]


def test_every_column_that_is_not_there_is_told_at_its_setting(table: Make) -> None:
    inputs = {
        "nte": {"type": "text"},
        "user": {"type": "category", "column": "udi"},
        "v": {"type": "vector", "columns": ["x1", "x3"]},
    }
    with pytest.raises(ConfigError) as error:
        prepare_data(*table(inputs, {"lable": {"type": "category"}}))
    found = {problem.path: problem.message for problem in error.value.problems}
    assert set(found) == {
        ("inputs", "nte"),
        ("inputs", "user", "column"),
        ("inputs", "v", "columns"),
        ("outputs", "lable"),
    }
    assert "has no column nte, it has" in found["inputs", "nte"]
    assert "did you mean label?" in found["outputs", "lable"]
    assert all(name in found["inputs", "nte"] for name in ("uid", "x1", "x2", "note", "when", "label"))


def test_what_values_lacked_is_told(table: Make) -> None:
    data = prepare_data(*table({"x2": {"type": "number", "missing": "flag"}}))
    assert data.notes == ("column x2, train: 1 of 20 rows lack a number",)


# ---------------------------------------------------------------- files that cannot be read


@pytest.fixture
def probing(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, str]], None]:
    def install(unreadable: dict[int, str]) -> None:
        monkeypatch.setattr(gathering, "import_module", lambda _: type("M", (), {"probe": lambda *_: unreadable}))

    return install


def test_rows_whose_files_cannot_be_read_leave_before_the_split_and_are_counted(table: Make, probing: Any) -> None:
    probing({2: "is no picture", 7: "is cut short"})
    inputs = {"picture": {"type": "image", "column": "note", "on_error": "skip", "max_skipped": 2}}
    section, into, out_of = table(inputs, split={"val": 6})
    dataset = gather(section, {**into, **out_of}).dataset
    assert {split: len(part) for split, part in dataset.splits.items()} == {"train": 12, "val": 6}
    names = {name for part in dataset.splits.values() for name in part.names or ()}
    assert names == {f"a.csv row {row}" for row in range(1, 21)} - {"a.csv row 3", "a.csv row 8"}
    assert dataset.notes == [
        "column note, train, val: 2 of 20 rows left out, their files cannot be read; a.csv row 3: is no picture"
    ]


@pytest.mark.parametrize("most", [1, 0.05])
def test_more_than_may_be_skipped_is_an_error(table: Make, probing: Any, most: float) -> None:
    probing({2: "is no picture", 7: "is cut short"})
    inputs = {"picture": {"type": "image", "column": "note", "on_error": "skip", "max_skipped": most}}
    section, into, out_of = table(inputs)
    with pytest.raises(DataError, match=r"a\.csv row 3: 2 of 20 files cannot be read, more than max_skipped"):
        gather(section, {**into, **out_of})


# ---------------------------------------------------------------- rankings and rows without answers


def test_the_target_of_a_ranking_is_the_item_that_was_chosen(table: Make, tmp_path: Path) -> None:
    rows = [
        ("u1", "f3", "Heat"),
        ("u2", "f1", "Jaws"),
        ("u1", "f1", "Jaws"),
        ("u3", "f2", "Alien"),
        ("u2", "f3", "Heat"),
    ]
    (tmp_path / "r.jsonl").write_text(
        "".join(json.dumps(dict(zip(("u", "i", "t"), row, strict=True))) + "\n" for row in rows)
    )
    section, into, out_of = table(
        {"user": {"type": "category", "column": "u"}, "item": {"type": "category", "column": "i"}},
        {"next": {"type": "ranking", "user": "user", "item": "item", "title": "t"}},
        train="r.jsonl",
    )
    data = prepare_data(section, into, out_of)
    assert data.examples["train"].targets["next"].tolist() == [3, 1, 1, 2, 3]
    assert tuple(data.outputs["next"].titles)[1:] == ("Jaws", "Alien", "Heat")  # type: ignore[attr-defined]
    again = prepare_with(section, data.inputs, data.outputs, {**into, **out_of}, only={"train"})
    assert torch.equal(again.examples["train"].targets["next"], data.examples["train"].targets["next"])
    assert again.fingerprint == data.fingerprint


def test_rows_without_answers_are_read_as_training_was(table: Make, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS.replace(",", ";"))
    (tmp_path / "users.csv").write_text("uid;age\n" + "".join(f"u{number};{20 + number}\n" for number in range(4)))
    section, into, out_of = table(
        {"user": {"type": "category", "column": "uid"}, "age": {"type": "number", "missing": "flag"}},
        delimiter=";",
        join=[{"files": "users.csv", "on": "uid"}],
    )
    data = prepare_data(section, into, out_of)
    new = tmp_path / "elsewhere"
    new.mkdir()
    (new / "2.csv").write_text("uid;extra\nu2;1\nu9;1\n")
    (new / "1.csv").write_text("extra;uid\n1;u0\n")
    rows = read_rows(section, data.inputs, {**into}, [new / "2.csv", new / "1.csv"])
    examples, notes = rows.examples, list(rows.notes)
    assert examples.inputs["user"].tolist() == [3, 0, 1], "unknown is 0, and files come in the order given"
    assert list(examples.names or ()) == [f"{new}/2.csv row 1", f"{new}/2.csv row 2", f"{new}/1.csv row 1"]
    assert examples.targets == {}
    assert notes == [
        "train: 1 of 3 rows have no match in users.csv by uid; its columns are missing there",
        "column user, predict: 1 of 3 rows have names that are not known: 'u9'",
        "column age, predict: 1 of 3 rows lack a number",
    ]


def test_a_file_of_rows_that_lacks_a_column_is_named(table: Make, tmp_path: Path) -> None:
    section, into, out_of = table({"x1": {"type": "number"}})
    data = prepare_data(section, into, out_of)
    (tmp_path / "new.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"new\.csv has no column x1, it has x, y; did you mean x\?"):
        read_rows(section, data.inputs, into, [tmp_path / "new.csv"])


def test_a_text_that_means_missing_elsewhere_is_the_same_text_in_training_and_in_rows_to_predict(
    table: Make, tmp_path: Path
) -> None:
    """data.missing is for every column but text; rows to predict lost such texts, so the model saw empty ones."""
    inputs = {"note": {"type": "text", "tokens": "words", "min_count": 1}}
    section, into, out_of = table(inputs, missing=["NA"])
    data = prepare_data(section, into, out_of)
    rows = read_rows(section, data.inputs, into, [tmp_path / "a.csv"]).examples
    every = torch.arange(20)
    trained, predicted = data.examples["train"].inputs["note"], rows.inputs["note"]
    assert torch.equal(trained.take(every), predicted.take(every))  # type: ignore[union-attr, call-arg, arg-type]
    assert (predicted.take(every) > 1).all()  # type: ignore[union-attr, call-arg, arg-type]


@pytest.fixture
def headless(table: Make, tmp_path: Path) -> tuple[Any, Any, dict[str, Any]]:
    """A table whose names are in the settings alone, its columns fitted: (section, columns, settings)."""
    (tmp_path / "bare.csv").write_text(ROWS.partition("\n")[2])
    names = ["uid", "x1", "x2", "note", "when", "label"]
    inputs = {"uid": {"type": "category"}, "x1": {"type": "number", "normalize": "none"}}
    section, into, out_of = table(inputs, train="bare.csv", header=names)
    return section, prepare_data(section, into, out_of).inputs, into


@pytest.mark.parametrize(
    "rows",
    ["u1,7.5,0,fine,0,a\nu2,8.5,0,fine,0,b\n", "x1,uid\n7.5,u1\n8.5,u2\n"],
    ids=["by place as trained", "by their own header"],
)
def test_rows_for_a_model_of_a_table_without_a_header(headless: Any, tmp_path: Path, rows: str) -> None:
    section, columns, settings = headless
    (tmp_path / "new.csv").write_text(rows)
    examples = read_rows(section, columns, settings, [tmp_path / "new.csv"]).examples
    assert examples.inputs["x1"].flatten().tolist() == [7.5, 8.5]
    assert examples.inputs["uid"].tolist() == [2, 3]  # u0 is 1


def test_rows_that_fit_neither_header_nor_places_are_told_with_their_file(headless: Any, tmp_path: Path) -> None:
    section, columns, settings = headless
    (tmp_path / "new.csv").write_text("x1,user\n7.5,u1\n")
    with pytest.raises(DataError, match=r"new\.csv: has 2 columns; expected 6 .*, or a first row that names uid, x1"):
        read_rows(section, columns, settings, [tmp_path / "new.csv"])
