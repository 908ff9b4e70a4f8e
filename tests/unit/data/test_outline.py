"""Promises of the outline: what is certain without data agrees with what the data then give."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft.core.data.outline import outline, settle_columns
from ft.core.data.prepare import prepare_data
from ft.core.errors import ConfigError

Make = Callable[..., Any]


def test_what_is_known_of_digits_is_what_reading_them_gives(data_section: Make) -> None:
    section = data_section(source="digits")
    known, data = outline(section, None, None), prepare_data(section, None, None)
    assert {name: column.shape for name, column in data.inputs.items()} == dict(known.input_shapes)
    assert {name: tuple(column.to_state()["classes"]) for name, column in data.outputs.items()} == dict(known.classes)
    assert data.output_settings == known.outputs


def test_size_channels_and_classes_of_the_settings_win(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    known = outline(
        data_section(source="mnist"),
        {"image": input_column(type="image", size=(32, 40), channels=3)},
        {"digit": output_column(type="category", classes=["a", "b"])},
    )
    assert known.input_shapes == {"image": (3, 32, 40)}
    assert known.classes == {"digit": ("a", "b")}


def test_what_only_the_data_can_tell_is_none(data_section: Make, input_column: Make, output_column: Make) -> None:
    folder = outline(data_section(source="image_folder", root="x"), {"image": input_column(type="image", size=8)}, None)
    assert folder.input_shapes == {"image": None}, "grey or colour?"
    assert folder.classes == {"label": None}
    arrays = outline(
        data_section(source="arrays", train=dict.fromkeys("abcdy", "f")),
        {
            name: input_column(type=kind)
            for name, kind in zip("abcd", ("number", "category", "vector", "image"), strict=True)
        },
        {"y": output_column(type="number")},
    )
    assert arrays.input_shapes == {"a": (1,), "b": (), "c": None, "d": None}
    assert arrays.classes == {}


def test_the_sources_own_columns_are_filled_in(data_section: Make) -> None:
    inputs, outputs = settle_columns(data_section(source="cifar10"), None, None)
    assert {name: column.type for name, column in inputs.items()} == {"image": "image"}
    assert {name: column.type for name, column in outputs.items()} == {"label": "category"}


def test_every_misnamed_column_is_reported_at_its_place(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    with pytest.raises(ConfigError) as error:
        settle_columns(
            data_section(source="mnist"),
            {"imge": input_column(type="image")},
            {"label": output_column(type="category")},
        )
    found = {problem.path: problem.message for problem in error.value.problems}
    assert set(found) == {("inputs", "imge"), ("outputs", "label")}
    assert "did you mean image?" in found["inputs", "imge"]
    assert "has no column label, it has image, digit" in found["outputs", "label"]


def test_arrays_need_their_types_written(data_section: Make) -> None:
    with pytest.raises(ConfigError) as error:
        settle_columns(data_section(source="arrays", train={"x": "x.npy"}), None, None)
    assert {problem.path for problem in error.value.problems} == {("inputs",), ("outputs",)}


def test_a_column_cannot_be_what_goes_in_and_what_comes_out(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    with pytest.raises(ConfigError, match="what it is to predict") as error:
        settle_columns(
            data_section(source="arrays", train={"x": "x.npy", "y": "y.npy"}),
            {"x": input_column(type="number"), "y": input_column(type="number")},
            {"y": output_column(type="number")},
        )
    assert error.value.problems[0].path == ("outputs", "y")


def test_the_outline_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    code = "import sys, ft.core.data.outline; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
