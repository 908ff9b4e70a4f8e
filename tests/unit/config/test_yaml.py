"""The YAML reader: YAML 1.2 scalars, places, and files made to harm.

Times are of this process alone: the wall clock of a busy machine proves nothing about a file.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config import yaml
from ft.core.config.nodes import find, to_plain
from ft.core.config.write import dump
from ft.core.errors import ConfigError, TreePath


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: libyaml's, where it was built in, and the one in Python."""
    if not hasattr(pyyaml, request.param):
        pytest.skip("PyYAML was built without libyaml here")
    monkeypatch.setattr(yaml, "_PARSER", getattr(pyyaml, request.param))


def read(text: str) -> Any:
    root, problems = yaml.parse(text, "a.yaml")
    assert not problems
    return to_plain(root)


def complaints(text: str) -> list[str]:
    try:
        problems = yaml.parse(text, "a.yaml")[1]
    except ConfigError as error:
        problems = list(error.problems)
    return [str(problem) for problem in problems]


# ---------------------------------------------------------------- scalars

SCALARS: list[tuple[str, Any]] = [
    ("1e-3", 0.001),
    ("-1E+3", -1000.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("-.inf", -math.inf),
    ("010", 10),
    ("-7", -7),
    ("0o17", 15),
    ("0xFF", 255),
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("off", "off"),
    ("12:30:00", "12:30:00"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("2026-01-01", "2026-01-01"),
    ("1e", "1e"),
    ("'1e-3'", "1e-3"),
    ('"true"', "true"),
    ("!!str 12", "12"),
    ("! 12", "12"),
]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(("written", "value"), SCALARS)
def test_scalars_are_those_of_yaml_1_2(written: str, value: Any) -> None:
    found = read(f"key: {written}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(read("a: .nan")["a"])


def test_a_number_of_ten_thousand_digits_neither_stops_nor_slows_the_reader() -> None:
    assert read(f"a: {'9' * 10_000}")["a"] == math.inf


def test_keys_are_text_as_written() -> None:
    assert read("{3: a, true: b, 1e-3: c, null: d}") == {"3": "a", "true": "b", "1e-3": "c", "null": "d"}


# Values that YAML 1.1 and 1.2 write alike: PyYAML's dumper quotes text that 1.1 reads otherwise.
alike = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])).filter(
    lambda text: isinstance(yaml.scalar(text), str)
)
scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | alike
trees = st.dictionaries(
    alike,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(alike, inner, max_size=4)),
    min_size=1,
    max_size=5,
)


@given(trees)
def test_agrees_with_pyyaml_on_what_both_versions_read_alike(tree: dict[str, Any]) -> None:
    text = pyyaml.safe_dump(tree, allow_unicode=True)
    assert read(text) == pyyaml.safe_load(text) == tree


anything = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            anything, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
        ),
        min_size=1,
    )
)
def test_what_is_written_reads_back_the_same(tree: dict[str, Any]) -> None:
    assert read(dump(tree)) == tree


@pytest.mark.parametrize(
    "text", ["1e-3", "010", "0o17", "no", "yes", "null", "", "12:30:00", "=", "<<", "a: b", "- x", "#"]
)
def test_text_that_looks_like_something_else_is_written_in_quotes(text: str) -> None:
    assert read(dump({"a": text, text: 1})) == {"a": text, text: 1}


# ---------------------------------------------------------------- places


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("train",), 2, 1),
        (("train", "lr"), 3, 3),
        (("train", "flow", "b"), 4, 16),
        (("model", "layers", 1), 8, 7),
        (("model", "layers", 1, "Conv2d"), 8, 7),
        (("model", "layers", 1, "Conv2d", "out_channels"), 8, 16),
    ],
)
def test_every_value_knows_its_line_and_column(path: TreePath, line: int, column: int) -> None:
    text = (
        "# é\ntrain:\n  lr: 1\n  flow: {a: 1, b: 2}\nmodel:\n  layers:\n    - ReLU\n    - Conv2d: {out_channels: 3}\n"
    )
    root, _ = yaml.parse(text, "a.yaml")
    node, depth = find(root, path)
    assert depth == len(path)
    assert (node.at.file, node.at.line, node.at.column) == ("a.yaml", line, column)


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.yaml is empty; `ft config init` writes a file to start from"),
        ("# only a comment\n", "a.yaml is empty; `ft config init` writes a file to start from"),
        ("---\n", "a.yaml is empty; `ft config init` writes a file to start from"),
        ("- a\n- b", "a.yaml:1:1 the file holds a list; expected settings, `key: value`"),
        ("just words", "a.yaml:1:1 the file holds a single value; expected settings, `key: value`"),
        ("a:\n\tb: 1", "a.yaml:2:1 a tab cannot indent YAML; use spaces"),
        ("a: 1\n---\nb: 2", "a.yaml:2:1 a second document (`---`) begins; a file holds one experiment"),
        (
            "a: 1\nb: x: y",
            "a.yaml:2:5 is not YAML: a second `:` on this line, which wants quotes, or a wrong indentation",
        ),
        ("a: *b", "a.yaml:1:4 *b: no anchor of this name stands above"),
        ("a: &x [*x]", "a.yaml:1:8 *x: no anchor of this name stands above"),
        ("? [a, b]\n: 1", "a.yaml:1:3 a key is text; a list, mapping or alias cannot be one"),
        ("a: b\x07", "a.yaml:1:5 the character '\\x07' cannot stand in YAML"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(text: str, expected: str) -> None:
    assert complaints(text) == [expected]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    "text", ["a: [1, 2", "a: {b: 1", 'a: "open', "a: 1\n b: 2", "a: @x", "a: %x", "[1, 2]]", "a: 'x' y"]
)
def test_broken_syntax_is_one_problem_with_a_place(text: str) -> None:
    (said,) = complaints(text)
    assert said.startswith("a.yaml:")
    assert "is not YAML: " in said


@pytest.mark.fault(21)
def test_repeated_keys_and_tags_are_all_reported_at_once() -> None:
    assert complaints("a: 1\nb: 2\na: 3\nb: !!set {}\nc: !mine 1") == [
        "a.yaml:3:1 a is given twice; first in line 1",
        "a.yaml:4:1 b is given twice; first in line 2",
        "a.yaml:4:4 the tag !!set is refused: an experiment holds plain text, numbers, lists and mappings",
        "a.yaml:5:4 the tag !mine is refused: an experiment holds plain text, numbers, lists and mappings",
    ]


@pytest.mark.usefixtures("_parser")
def test_merge_keys_are_refused_and_point_to_base() -> None:
    (said,) = complaints("a: &x {b: 1}\nc: {<<: *x}")
    assert said.startswith("a.yaml:2:5 merge keys (<<) are not read; `base: other.yaml`")


def test_an_alias_stands_for_its_anchor() -> None:
    assert read("a: &x {b: [1, 2]}\nc: *x\nd: [*x]") == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}]}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
TALL = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [[[[[[*a{i - 1}]]]]]]\n" for i in range(1, 400))


@pytest.mark.fault(21)
@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!python/object/apply:os.system ['echo no']", "the tag !!python/object/apply:os.system is refused"),
        (BOMB, "the file holds more than 50,000 values"),
        (TALL, "nested more than 100 levels deep"),
        ("a: " + "[" * 10_000, "nested more than 100 levels deep"),
        ("a: " + "{b: " * 10_000, "nested more than 100 levels deep"),
        ("".join(" " * i + f"k{i}:\n" for i in range(1_000)), "nested more than 100 levels deep"),
        ("a: 1\n" * 2 + "b: 2", "a.yaml:2:1 a is given twice"),
    ],
)
def test_a_file_made_to_harm_is_refused_with_its_line_within_a_second(text: str, said: str) -> None:
    start = time.process_time()
    found = complaints(text)
    assert time.process_time() - start < 1
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("a.yaml:")


@pytest.mark.fault(21)
@pytest.mark.parametrize("content", [b"a: [" + b"0," * 499_990 + b"]", b"- 0\n" * 249_000, b"#" * 5_000_000])
def test_a_megabyte_is_refused_within_a_second(tmp_path: Path, content: bytes) -> None:
    if not hasattr(pyyaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml here")
    file = tmp_path / "big.yaml"
    file.write_bytes(content)
    start = time.process_time()
    with pytest.raises(ConfigError, match=r"50,000 values|larger than 1 MB"):
        yaml.parse(yaml.read_file(file), "big.yaml")
    assert time.process_time() - start < 1


# ---------------------------------------------------------------- files


def test_undecodable_bytes_are_one_problem_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("name: x\nroot: é".encode() + b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"a\.yaml:2:8 is not UTF-8 text"):
        yaml.read_file(file)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read(yaml.read_file(file)) == {"name": "x"}


def test_a_missing_file_names_the_file_beside_it_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "mnist.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"there is no file .*minst\.yaml; did you mean .*mnist\.yaml\?"):
        yaml.read_file(tmp_path / "minst.yaml")
    with pytest.raises(ConfigError, match="there is no folder"):
        yaml.read_file(tmp_path / "nowhere" / "a.yaml")


def test_a_folder_is_not_an_experiment(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        yaml.read_file(tmp_path)
