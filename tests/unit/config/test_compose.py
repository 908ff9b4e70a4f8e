"""`base:`: which values merge, which replace, and that every value keeps the file it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from experiments import load_text
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.compose import compose, merge
from ft.core.config.load import load_experiment
from ft.core.config.nodes import Node, Position, from_plain, to_plain
from ft.core.config.yaml import parse
from ft.core.errors import ConfigError

MODEL = "model: {layers: [Flatten, Linear]}\n"
DIGITS = "data: {source: digits, split: {val: 0.1}}\n"


def node(value: Any) -> Node:
    return from_plain(value, Position("test"))


def merged(base: Any, over: Any) -> Any:
    return to_plain(merge(node(base), node(over)))


def composed(path: Path) -> Any:
    problems: list[Any] = []
    root, _ = parse(path.read_text(), str(path))
    root = compose(root, path.parent, problems, (path,))
    assert not problems
    return to_plain(root)


# ---------------------------------------------------------------- the rules

keys = st.sampled_from("abcd")
leaves = st.integers() | st.text("xyz", max_size=2) | st.lists(st.integers(), max_size=2)
trees = st.recursive(
    st.dictionaries(keys, leaves, max_size=3), lambda inner: st.dictionaries(keys, leaves | inner, max_size=3)
)


def reference(base: Any, over: Any) -> Any:
    """The rule for mappings without kinds and nulls, in one line."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {
        k: reference(base[k], over[k]) if k in base and k in over else over.get(k, base.get(k)) for k in base | over
    }


@given(trees, trees)
def test_mappings_merge_by_key_and_all_else_is_replaced(base: Any, over: Any) -> None:
    assert merged(base, over) == reference(base, over)


@given(trees, trees)
def test_laying_a_file_on_twice_is_laying_it_on_once(base: Any, over: Any) -> None:
    assert merged(merged(base, over), over) == merged(base, over)


@given(trees)
def test_nothing_over_a_tree_and_a_tree_over_nothing_and_itself_are_the_tree(tree: Any) -> None:
    assert merged(tree, {}) == merged({}, tree) == merged(tree, tree) == tree


def test_lists_are_replaced_whole() -> None:
    assert merged({"model": {"layers": ["a", "b"]}}, {"model": {"layers": ["c"]}}) == {"model": {"layers": ["c"]}}


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ({"source": "mnist", "root": "x"}, {"source": "digits"}, {"source": "digits"}),
        ({"source": "mnist", "root": "x"}, {"source": "mnist"}, {"source": "mnist", "root": "x"}),
        ({"source": "mnist", "root": "x"}, {"root": "y"}, {"source": "mnist", "root": "y"}),
    ],
)
def test_another_source_replaces_the_data_and_the_same_one_merges(base: Any, over: Any, expected: Any) -> None:
    assert merged({"data": base}, {"data": over}) == {"data": expected}


@pytest.mark.parametrize("columns", ["inputs", "outputs"])
def test_another_type_replaces_a_column_and_leaves_the_others(columns: str) -> None:
    base = {columns: {"x": {"type": "image", "size": 3}, "y": {"type": "number", "weight": 2}}}
    over = {columns: {"x": {"type": "vector"}, "y": {"type": "number"}}}
    assert merged(base, over) == {columns: {"x": {"type": "vector"}, "y": {"type": "number", "weight": 2}}}


def test_a_python_model_replaces_layers_and_the_other_way_round() -> None:
    layers = {"model": {"layers": ["Linear"], "weights": "a.pt"}}
    python = {"model": {"python": "a.py:b", "args": {"c": 1}}}
    assert merged(layers, python) == python
    assert merged(python, layers) == layers
    assert merged(python, {"model": {"args": {"d": 2}}})["model"]["args"] == {"c": 1, "d": 2}


@pytest.mark.parametrize("stage", ["train", "finetune"])
@pytest.mark.parametrize("key", ["optimizer", "schedule"])
def test_another_optimizer_does_not_take_over_arguments(stage: str, key: str) -> None:
    base = {stage: {key: {"sgd": {"momentum": 0.9}}, "lr": 1}}
    assert merged(base, {stage: {key: {"adam": {"eps": 1}}}}) == {stage: {key: {"adam": {"eps": 1}}, "lr": 1}}
    assert merged(base, {stage: {key: "adam"}}) == {stage: {key: "adam", "lr": 1}}
    both = {stage: {key: {"sgd": {"momentum": 0.9, "nesterov": True}}, "lr": 1}}
    assert merged(base, {stage: {key: {"sgd": {"nesterov": True}}}}) == both


def test_null_takes_a_value_away() -> None:
    assert merged({"train": {"lr": 1, "epochs": 2}}, {"train": {"lr": None}}) == {"train": {"epochs": 2}}
    assert merged({"finetune": {"lr": 1}, "seed": 1}, {"finetune": None}) == {"seed": 1}
    assert merged({"inputs": {"a": {"type": "x"}, "b": {}}}, {"inputs": {"b": None}}) == {
        "inputs": {"a": {"type": "x"}}
    }


# ---------------------------------------------------------------- files


def test_a_chain_of_files_is_laid_on_one_another(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "root.yaml").write_text("seed: 1\nname: root\ntrain: {epochs: 1, lr: 1}\n")
    (tmp_path / "deep" / "mid.yaml").write_text("base: root.yaml\nname: mid\ntrain: {epochs: 2}\n")
    (tmp_path / "top.yaml").write_text("base: deep/mid.yaml\ntrain: {epochs: 3}\n")
    assert composed(tmp_path / "top.yaml") == {"seed": 1, "name": "mid", "train": {"epochs": 3, "lr": 1}}


def test_of_several_bases_the_last_is_on_top_and_the_file_above_all(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("seed: 1\nname: a\ndevice: cpu\n")
    (tmp_path / "b.yaml").write_text("seed: 2\nname: b\n")
    (tmp_path / "c.yaml").write_text("base: [a.yaml, b.yaml]\nname: c\n")
    assert composed(tmp_path / "c.yaml") == {"seed": 2, "name": "c", "device": "cpu"}


def test_two_bases_may_build_on_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "root.yaml").write_text("seed: 1\n")
    (tmp_path / "a.yaml").write_text("base: root.yaml\n")
    (tmp_path / "b.yaml").write_text("base: root.yaml\nname: b\n")
    (tmp_path / "c.yaml").write_text("base: [a.yaml, b.yaml]\n")
    assert composed(tmp_path / "c.yaml") == {"seed": 1, "name": "b"}


def test_a_circle_of_files_is_refused_where_it_closes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: b.yaml\n")
    (tmp_path / "b.yaml").write_text("seed: 1\nbase: ./a.yaml\n")
    with pytest.raises(
        ConfigError, match=r"b\.yaml:2:1 base goes round in a circle: .*a\.yaml -> .*b\.yaml -> .*a\.yaml"
    ):
        composed(tmp_path / "a.yaml")


def test_a_missing_base_is_reported_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "mnist.yaml").write_text("seed: 1\n")
    (tmp_path / "a.yaml").write_text("seed: 1\nbase: mnits.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2:1 there is no file .*mnits\.yaml; did you mean .*mnist\.yaml"):
        composed(tmp_path / "a.yaml")


def test_base_is_a_name_or_names(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"base: {{a: 1}}\n{DIGITS}{MODEL}")
    with pytest.raises(ConfigError, match=r"a\.yaml:1:1 base names a file, or is a list of files"):
        load_experiment(tmp_path / "a.yaml")


def test_an_error_points_into_the_file_its_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"{DIGITS}{MODEL}train:\n  epocs: 3\n  lr: 1\n")
    (tmp_path / "a.yaml").write_text("base: base.yaml\n\ntrain:\n  lr: fast\n")
    with pytest.raises(ConfigError) as raised:
        load_experiment(tmp_path / "a.yaml")
    assert [problem.where for problem in raised.value.problems] == [
        f"{tmp_path}/a.yaml:4:3",
        f"{tmp_path}/base.yaml:4:3",
    ]


def test_python_models_are_relative_to_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "nets" / "base.yaml").write_text(f"{DIGITS}model: {{python: my/net.py:build}}\n")
    (tmp_path / "a.yaml").write_text("base: nets/base.yaml\n")
    expected = f"{tmp_path}/nets/my/net.py:build"
    monkeypatch.chdir(tmp_path)
    loaded = load_experiment(Path("a.yaml"))
    assert loaded.experiment.model.python == expected
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_experiment(Path("../a.yaml")).experiment.model.python == expected
    assert load_text(loaded.resolved_yaml()).experiment.model.python == expected
    given = load_experiment(Path("../a.yaml"), ["model.python=net.py:f"]).experiment.model.python
    assert given == f"{tmp_path}/elsewhere/net.py:f"
