"""Promises of preparing: fitted on training alone, the same again for a checkpoint, classes met by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ft.core.data.columns import column_from_state
from ft.core.data.outline import settle_columns
from ft.core.data.prepare import Data, prepare_data, prepare_with
from ft.core.errors import ConfigError, DataError

Make = Callable[..., Any]


@pytest.fixture
def arrays(tmp_path: Path, data_section: Make, input_column: Make, output_column: Make) -> Make:
    """`arrays(columns, types, test=columns, split=...)` -> the arguments of prepare_data, files written to tmp_path."""

    def write(prefix: str, columns: dict[str, Any]) -> dict[str, str]:
        for name, array in columns.items():
            np.save(tmp_path / f"{prefix}-{name}.npy", np.asarray(array))
        return {name: f"{prefix}-{name}.npy" for name in columns}

    def make(
        columns: dict[str, Any], inputs: dict[str, str], outputs: dict[str, str], test: Any = None, **settings: Any
    ) -> tuple[Any, Any, Any]:
        section = data_section(
            source="arrays",
            root=str(tmp_path),
            train=write("train", columns),
            test=write("test", test) if test else None,
            **settings,
        )
        return (
            section,
            {name: input_column(type=kind) for name, kind in inputs.items()},
            {name: output_column(type=kind) for name, kind in outputs.items()},
        )

    return make


def rows_of(data: Data, split: str) -> list[int]:
    return data.examples[split].targets["row"].long().tolist()


def judged(
    section: Any, data: Data, only: str, trained_on: Any = None, inputs: Any = None, outputs: Any = None
) -> Data:
    """prepare_with, with the settings that the columns were fitted by. trained_on: their section, if another."""
    into, out_of = settle_columns(trained_on or section, inputs, outputs)
    return prepare_with(section, data.inputs, data.outputs, {**into, **out_of}, only={only})


def numbered(n: int = 100, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(50, 9, n), "row": np.arange(n), "kind": np.array(list("abcd"))[np.arange(n) % 4], **more}


def test_columns_are_fitted_on_the_training_split_alone(arrays: Make) -> None:
    columns = numbered()
    data = prepare_data(*arrays(columns, {"x": "number"}, {"row": "number", "kind": "category"}, split={"val": 30}))
    rows = rows_of(data, "train")
    kept = np.float32(columns["x"])[rows].astype(np.float64)
    state = data.inputs["x"].to_state()
    assert state["mean"] == pytest.approx(kept.mean(), rel=1e-12)
    assert state["std"] == pytest.approx(kept.std(), rel=1e-12)
    assert sorted(rows + rows_of(data, "val")) == list(range(100))
    assert data.class_counts["kind"] == {name: sum(columns["kind"][rows] == name) for name in "abcd"}


def test_splits_are_stratified_by_the_first_category_output(arrays: Make) -> None:
    kinds = np.array(["rare"] * 10 + ["common"] * 90)
    data = prepare_data(
        *arrays(
            numbered(kind=kinds), {"x": "number"}, {"row": "number", "kind": "category"}, split={"val": 0.1, "test": 20}
        )
    )
    assert data.class_counts["kind"] == {"common": 63, "rare": 7}
    assert {split: len(examples) for split, examples in data.examples.items()} == {"train": 70, "val": 10, "test": 20}


def test_a_checkpoint_reads_the_split_that_training_set_aside(arrays: Make) -> None:
    section, inputs, outputs = arrays(
        numbered(), {"x": "number"}, {"row": "number", "kind": "category"}, split={"val": 10, "test": 0.2}
    )
    data = prepare_data(section, inputs, outputs)
    columns = [
        {name: column_from_state(column.to_state()) for name, column in side.items()}
        for side in (data.inputs, data.outputs)
    ]
    for split in ("val", "test"):
        again = prepare_with(section, columns[0], columns[1], {**inputs, **outputs}, only={split})
        assert list(again.examples) == [split]
        assert again.splits == ("train", "val", "test")
        assert again.fingerprints[split] == data.fingerprints[split]
        assert torch.equal(again.examples[split].inputs["x"], data.examples[split].inputs["x"])


def test_a_split_that_there_is_not_is_left_out_and_the_others_are_told(arrays: Make) -> None:
    section, inputs, outputs = arrays(numbered(), {"x": "number"}, {"row": "number"}, split={"val": 10})
    data = prepare_data(section, inputs, outputs)
    again = judged(section, data, "test", inputs=inputs, outputs=outputs)
    assert not again.examples
    assert again.splits == ("train", "val")


def test_training_does_not_read_the_test(tmp_path: Path, data_section: Make, write_mnist: Any) -> None:
    write_mnist(tmp_path)
    section = data_section(source="mnist", root=str(tmp_path), split={"val": 10})
    whole = prepare_data(section, None, None)
    for file in tmp_path.glob("t10k-*"):
        file.unlink()
    data = prepare_data(section, None, None, only={"train", "val"})
    assert set(data.examples) == {"train", "val"}
    assert data.splits == ("train", "val", "test")
    assert data.fingerprint == whole.fingerprint, "what training sees is the same"
    assert data.summary() == f"mnist in {tmp_path}: train 50, val 10"


def test_evaluating_the_test_reads_its_files_alone(tmp_path: Path, data_section: Make, write_mnist: Any) -> None:
    write_mnist(tmp_path)
    section = data_section(source="mnist", root=str(tmp_path), split={"val": 10})
    data = prepare_data(section, None, None)
    for file in tmp_path.glob("train-*"):
        file.unlink()
    again = judged(section, data, "test")
    assert again.fingerprints["test"] == data.fingerprints["test"]


# ---------------------------------------------------------------- other data for the same checkpoint


def test_folders_in_another_order_or_with_classes_missing_meet_by_name(
    tmp_path: Path, data_section: Make, input_column: Make, write_pictures: Any
) -> None:
    for name in ("ant", "bee", "cow"):
        write_pictures(tmp_path / "first" / name)
    section = data_section(source="image_folder", root=str(tmp_path / "first"))
    inputs = {"image": input_column(type="image", size=4)}
    data = prepare_data(section, inputs, None)
    write_pictures(tmp_path / "second" / "test" / "cow", 2)
    write_pictures(tmp_path / "second" / "test" / "bee", 1)
    other = data_section(source="image_folder", root=str(tmp_path / "second"))
    again = judged(other, data, "test", inputs=inputs)
    assert again.examples["test"].targets["label"].tolist() == [1, 2, 2]
    write_pictures(tmp_path / "second" / "test" / "dog", 1)
    with pytest.raises(
        DataError, match=r"column label, test, test/dog/0\.png: 'dog' is none of the classes ant, bee, cow"
    ):
        judged(other, data, "test", inputs=inputs)


def test_a_picture_sources_columns_stand_for_the_checkpoints_own(
    tmp_path: Path, data_section: Make, write_mnist: Any
) -> None:
    """A model trained on MNIST has an output called digit; a folder of digits calls it label."""
    images, _ = write_mnist(tmp_path / "idx")
    digits = data_section(source="mnist", root=str(tmp_path / "idx"))
    data = prepare_data(digits, None, None)
    for label in ("7", "3"):
        folder = tmp_path / "png" / "test" / label
        folder.mkdir(parents=True)
        Image.fromarray(images[int(label)]).save(folder / "a.png")
    section = data_section(source="image_folder", root=str(tmp_path / "png"))
    again = judged(section, data, "test", digits).examples["test"]
    assert again.targets["digit"].tolist() == [3, 7]
    assert torch.equal(again.inputs["image"][:, 0], torch.from_numpy(images[[3, 7]]))


def test_integers_of_arrays_are_the_digits_of_the_classes(tmp_path: Path, data_section: Make, write_mnist: Any) -> None:
    write_mnist(tmp_path / "idx")
    digits = data_section(source="mnist", root=str(tmp_path / "idx"))
    data = prepare_data(digits, None, None)
    np.savez(tmp_path / "a.npz", image=np.zeros((2, 28, 28), np.uint8), digit=np.array([[9], [4]]))
    files = {"image": "a.npz:image", "digit": "a.npz:digit"}
    section = data_section(source="arrays", root=str(tmp_path), train=files, test=files)
    again = judged(section, data, "test", digits)
    assert again.examples["test"].targets["digit"].tolist() == [9, 4]


def test_fine_tuning_keeps_the_normalisation_of_its_weights(arrays: Make) -> None:
    columns = {"x": "number"}, {"row": "number"}
    first = prepare_data(*arrays(numbered(), *columns))
    other = arrays({"x": np.linspace(0, 1, 20), "row": np.arange(20)}, *columns)
    states = {name: column.to_state() for name, column in first.inputs.items()}
    assert prepare_data(*other, keep=states).inputs == first.inputs
    assert prepare_data(*other).inputs != first.inputs


# ---------------------------------------------------------------- fingerprints


def test_the_fingerprint_knows_the_bytes_and_not_the_files(tmp_path: Path, arrays: Make) -> None:
    arguments = arrays(numbered(), {"x": "number"}, {"kind": "category"})
    first = prepare_data(*arguments).fingerprint
    for file in tmp_path.iterdir():
        os.utime(file, (1, 1))
    assert prepare_data(*arguments).fingerprint == first
    changed = numbered()
    changed["x"][17] += 1e-3
    assert prepare_data(*arrays(changed, {"x": "number"}, {"kind": "category"})).fingerprint != first


def test_other_classes_behind_the_same_indices_are_another_fingerprint(arrays: Make) -> None:
    kinds = numbered()["kind"]
    prints = {
        prepare_data(*arrays(numbered(kind=names), {"x": "number"}, {"kind": "category"})).fingerprint
        for names in (kinds, np.char.add(kinds, "2"))
    }
    assert len(prints) == 2


def test_the_same_tokens_for_other_words_are_another_fingerprint(arrays: Make) -> None:
    words = np.array(["one", "two", "three three", "one two"] * 25)
    prints = {
        prepare_data(*arrays(numbered(t=texts), {"t": "text"}, {"kind": "category"})).fingerprint
        for texts in (words, np.char.replace(words, "two", "twi"))
    }
    assert len(prints) == 2


# ---------------------------------------------------------------- bad data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": ["a"] * 100}, "column kind, train: every example is 'a'"),
        ({"x": [float("nan")] + [0.0] * 99}, "column x, train, row 1: a number is missing"),
        ({"x": ["1"] * 99 + ["one"]}, "column x, train, row 100: 'one' is no number"),
        ({"x": np.zeros(99)}, "train: columns differ in length"),
        ({"kind": np.linspace(0, 1, 100)}, "categories are text or integers"),
    ],
)
def test_bad_data_are_one_clear_error(arrays: Make, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare_data(*arrays(numbered(**change), {"x": "number"}, {"kind": "category"}, split={"val": 10}))


def test_a_class_that_only_the_test_has_is_named(arrays: Make) -> None:
    test = {"x": [1.0, 2.0], "kind": ["a", "e"]}
    with pytest.raises(DataError, match="column kind, test, row 2: 'e' is none of the classes a, b, c, d"):
        prepare_data(*arrays(numbered(), {"x": "number"}, {"kind": "category"}, test=test))


def test_a_split_that_lacks_a_column_is_named_at_its_place(arrays: Make) -> None:
    with pytest.raises(ConfigError, match="test has no column kind, it has x, kid; did you mean kid") as error:
        prepare_data(*arrays(numbered(), {"x": "number"}, {"kind": "category"}, test={"x": [1.0], "kid": ["a"]}))
    assert error.value.problems[0].path == ("data", "test")


def test_folders_without_training_are_refused_for_training(
    tmp_path: Path, data_section: Make, input_column: Make, write_pictures: Any
) -> None:
    write_pictures(tmp_path / "test" / "ant")
    section = data_section(source="image_folder", root=str(tmp_path))
    with pytest.raises(DataError, match="has no training examples, only test"):
        prepare_data(section, {"image": input_column(type="image", size=4)}, None)


def test_rows_in_two_splits_are_told_when_both_are_read(arrays: Make) -> None:
    x, y = np.arange(60.0), np.arange(60) % 2
    test = {"x": np.array([0.0, 1.0, 2.0, 99.0]), "y": np.array([0, 1, 1, 1])}  # the third has another answer
    made = arrays({"x": x, "y": y}, {"x": "number"}, {"y": "category"}, test)
    told = "test: 2 of 4 rows equal training rows, inputs and answer alike; ft data check shows them"
    assert prepare_data(*made).notes == (told,)
    assert prepare_data(*made, only={"train"}).notes == ()
