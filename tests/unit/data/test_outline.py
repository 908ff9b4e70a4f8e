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


def test_shapes_and_cardinalities_of_settings_are_those_that_the_data_give(
    data_section: Make, input_column: Make, output_column: Make, tmp_path: Path
) -> None:
    """What a fitted column says of itself, beside what was said before it was fitted."""
    (tmp_path / "a.csv").write_text("n,a,b,d,t,y\n1,2,3,2024-05-31,two words,u\n2,,4,,word,v\n")
    inputs = {
        "n": input_column(type="number"),
        "flagged": input_column(type="number", column="a", missing="flag"),
        "v": input_column(type="vector", columns=["n", "b"]),
        "w": input_column(type="vector", columns=["n", "a"], missing="flag"),
        "d": input_column(type="date", missing="flag"),
        "t": input_column(type="text", tokens="bytes", max_length=20),
    }
    section = data_section(source="table", root=str(tmp_path), train="a.csv")
    outputs = {"y": output_column(type="category")}
    known, data = outline(section, inputs, outputs), prepare_data(section, inputs, outputs)
    assert {name: column.shape for name, column in data.inputs.items()} == dict(known.input_shapes)
    indices = {name: column.cardinality for name, column in data.inputs.items() if column.cardinality is not None}
    assert indices == known.cardinalities == {"t": 258}
    assert known.classes == {"y": None}


def test_what_is_unknown_of_names_and_words_is_none_and_floats_have_no_cardinality(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    kinds = {"c": {"type": "category"}, "s": {"type": "set"}, "t": {"type": "text", "max_length": 9}}
    sound = input_column(type="audio", seconds=1, rate=8000, mels=40, hop_ms=10)
    known = outline(
        data_section(source="table", train="a.csv"),
        {name: input_column(**settings) for name, settings in kinds.items()} | {"sound": sound},
        {"y": output_column(type="labels", classes=["u", "v"]), "z": output_column(type="labels")},
    )
    assert known.cardinalities == {"c": None, "s": None, "t": None}
    assert known.input_shapes == {"c": (), "s": (8,), "t": (9,), "sound": (1, 40, 101)}
    assert known.classes == {"y": ("u", "v"), "z": None}


def test_folders_of_sounds_and_names_that_tell_columns(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    sounds = {"audio": input_column(type="audio", seconds=1)}
    _, outputs = settle_columns(data_section(source="audio_folder", root="x"), sounds, None)
    assert set(outputs) == {"label"}
    told = data_section(source="audio_folder", root="x", names="{digit}_{speaker}_{index}")
    with pytest.raises(ConfigError, match="file names tell digit, speaker, index; write which comes out") as error:
        settle_columns(told, sounds, None)
    assert error.value.problems[0].path == ("outputs",)
    both = {name: output_column(type="category") for name in ("digit", "speaker")}
    assert settle_columns(told, sounds, both)[1] == both
    with pytest.raises(ConfigError, match="has no column label, it has audio, digit, speaker, index"):
        settle_columns(told, sounds, {"label": output_column(type="category")})


def test_a_table_takes_what_is_written_and_fills_nothing_in(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    section = data_section(source="table", train="a.csv")
    inputs, outputs = {"anything": input_column(type="number")}, {"y": output_column(type="number")}
    assert settle_columns(section, inputs, outputs) == (inputs, outputs)
    with pytest.raises(ConfigError) as error:
        settle_columns(section, None, None)
    assert {problem.path for problem in error.value.problems} == {("inputs",), ("outputs",)}


@pytest.mark.parametrize(
    ("inputs", "outputs", "path", "message"),
    [
        (
            {"a": {"type": "number", "column": "c"}},
            {"b": {"type": "number", "column": "c"}},
            ("outputs", "b"),
            "is an input",
        ),
        (
            {"v": {"type": "vector", "columns": ["a", "b"]}},
            {"b": {"type": "number"}},
            ("outputs", "b"),
            "is an input too",
        ),
        ({"a": {"type": "number", "column": "c"}}, {"a": {"type": "number"}}, ("outputs", "a"), "is called a too"),
        (
            {"v": {"type": "vector", "columns": ["a"], "column": "b"}},
            {"y": {"type": "number"}},
            ("inputs", "v", "columns"),
            "has column and columns",
        ),
    ],
)
def test_what_contradicts_itself_is_told_at_its_place(
    data_section: Make, input_column: Make, output_column: Make, inputs: Any, outputs: Any, path: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        settle_columns(
            data_section(source="table", train="a.csv"),
            {name: input_column(**settings) for name, settings in inputs.items()},
            {name: output_column(**settings) for name, settings in outputs.items()},
        )
    assert [problem.path for problem in error.value.problems] == [path]


def test_a_ranking_names_two_categories_among_the_inputs(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    inputs = {"user": input_column(type="category"), "item": input_column(type="number")}
    wrong = output_column(type="ranking", user="usr", item="item", item_inputs=["x"], column="y")
    with pytest.raises(ConfigError) as error:
        settle_columns(data_section(source="table", train="a.csv"), inputs, {"r": wrong})
    found = {problem.path[2:]: problem.message for problem in error.value.problems}
    assert set(found) == {("column",), ("user",), ("item",), ("item_inputs", 0)}
    assert "did you mean user?" in found["user",]
    assert "item is a number; expected a category" in found["item",]


def test_a_ranking_beside_another_output_is_refused_at_its_place(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    inputs = {"user": input_column(type="category"), "item": input_column(type="category")}
    outputs = {
        "choice": output_column(type="ranking", user="user", item="item"),
        "stars": output_column(type="number"),
    }
    with pytest.raises(ConfigError, match="only output, and there is stars too") as caught:
        settle_columns(data_section(source="table", train="a.csv"), inputs, outputs)
    assert [problem.path for problem in caught.value.problems] == [("outputs", "choice")]


def test_the_outline_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    code = "import sys, ft.core.data.outline; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


def test_a_text_with_runs_is_as_long_as_its_column_says(
    data_section: Make, input_column: Make, output_column: Make, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("t,y\na b c d,1\ne f,2\n")
    inputs = {"t": input_column(type="text", ngrams=3, max_length=5)}
    arguments = data_section(source="table", root=str(tmp_path), train="a.csv"), inputs
    outputs = {"y": output_column(type="category")}
    assert outline(*arguments, outputs).input_shapes == {"t": prepare_data(*arguments, outputs).inputs["t"].shape}


def test_an_input_called_self_beside_others_is_refused(
    data_section: Make, input_column: Make, output_column: Make
) -> None:
    """A module takes several inputs by their names, and one of them cannot be the module."""
    inputs = {"self": input_column(type="number"), "other": input_column(type="number")}
    section, outputs = data_section(source="table", train="a.csv"), {"y": output_column(type="category")}
    with pytest.raises(ConfigError, match="column: self") as error:
        outline(section, inputs, outputs)
    assert error.value.problems[0].path == ("inputs", "self")
    assert outline(section, {"self": inputs["self"]}, outputs).input_shapes == {"self": (1,)}
