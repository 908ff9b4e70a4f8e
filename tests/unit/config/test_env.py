"""`${env:NAME}`: values from the environment, and that they stay out of what is written."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from experiments import load_text

from ft.core.config.env import expand
from ft.core.config.load import load_experiment, load_resolved
from ft.core.config.nodes import Position, from_plain, to_plain
from ft.core.errors import ConfigError, Problem

TREE: dict[str, Any] = {
    "data": {"source": "digits", "split": {"val": 0.1}},
    "model": {"layers": ["Flatten", "Linear"]},
}
FILE = """
name: "${env:FT_NAME}"
data: {source: digits, split: {val: 0.1}}
model: {layers: [Flatten, Linear: "${env:FT_SIZE:-10}"]}
train: {lr: "${env:FT_LR:-1e-3}", monitor: "${env:FT_PART}/accuracy"}
finetune: {}
"""


def value_of(text: str) -> Any:
    problems: list[Problem] = []
    found = to_plain(expand(from_plain(text, Position("here")), problems))
    assert not problems
    return found


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:FT_A}", 0.001),
        ("x${env:FT_A}y", "x1e-3y"),
        ("${env:FT_A}${env:FT_A}", "1e-31e-3"),
        ("${env:FT_NONE:-1e-3}", 0.001),
        ("${env:FT_NONE:-}", ""),
        ("${env:FT_EMPTY:-7}", 7),
        ("${env:FT_EMPTY}", ""),
        ("${env:FT_NONE:-no}", "no"),
        ("${env:FT_NONE:-a b:-c}", "a b:-c"),
        ("$${env:FT_A}", "${env:FT_A}"),
        ("$$ and $ and {}", "$$ and $ and {}"),
    ],
)
def test_references_are_replaced_and_whole_ones_typed(
    written: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_A", "1e-3")
    monkeypatch.setenv("FT_EMPTY", "")
    monkeypatch.delenv("FT_NONE", raising=False)
    found = value_of(written)
    assert found == value
    assert type(found) is type(value)


def test_a_variable_that_is_not_set_is_an_error_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FT_NAME", "FT_PART"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as raised:
        load_text(FILE)
    said = [str(problem) for problem in raised.value.problems]
    assert "a.yaml:2:1 the environment variable FT_NAME is not set; ${env:FT_NAME:-default} gives it a default" in said
    assert any(line.startswith("a.yaml:5:35 the environment variable FT_PART is not set") for line in said)


@pytest.mark.parametrize("written", ["${HOME}", "${env:1X}", "${env:}", "${env:A", "${", "${env:A B}"])
def test_what_is_no_reference_is_an_error_and_not_text(written: str) -> None:
    problems: list[Problem] = []
    expand(from_plain({"a": written}, Position("here")), problems)
    assert len(problems) == 1
    assert "is no reference; expected ${env:NAME}" in problems[0].message


def test_the_resolved_copy_names_the_variable_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_NAME", "secret-1")
    monkeypatch.setenv("FT_PART", "secret-2")
    monkeypatch.setenv("FT_SIZE", "12345")
    loaded = load_text(FILE)
    assert loaded.experiment.name == "secret-1"
    assert loaded.experiment.finetune is not None
    assert loaded.experiment.finetune.monitor == "secret-2/accuracy"
    assert loaded.experiment.model.layers == ["Flatten", {"Linear": 12345}]
    written = loaded.resolved_yaml()
    assert "secret" not in written
    assert "12345" not in written
    assert load_text(written).experiment == loaded.experiment
    assert load_resolved(loaded.resolved()).resolved() == loaded.resolved()


def test_an_error_does_not_print_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_SECRET", "hunter2")
    train = "{epochs: '${env:FT_SECRET}', lr: ['x${env:FT_SECRET}']}"
    text = f"data: {{source: digits}}\nmodel: {{layers: [Linear]}}\ntrain: {train}"
    with pytest.raises(ConfigError) as raised:
        load_text(text)
    assert "hunter2" not in str(raised.value)
    assert "train.epochs is '${env:FT_SECRET}'; expected a whole number >= 1" in str(raised.value)


def test_text_settings_take_numbers_from_the_environment_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_NAME", "007")
    monkeypatch.setenv("FT_PART", "x")
    assert load_text(FILE).experiment.name == "007"


def test_escaped_text_survives_the_round_trip() -> None:
    text = "data: {source: digits, split: {val: 9}}\nmodel: {layers: [Linear]}\ntrain: {monitor: 'a$${b}'}"
    loaded = load_text(text)
    assert loaded.stage("train").monitor == "a${b}"
    assert load_text(loaded.resolved_yaml()).experiment == loaded.experiment


def test_a_rate_taken_from_a_secret_rate_is_not_written_but_inherited_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_RATE", "0.0123")
    for finetune in ({}, {"lr": None}, None):
        tree = {**TREE, "train": {"lr": "${env:FT_RATE}"}, "finetune": finetune}
        loaded = load_resolved(tree)
        assert loaded.stage("finetune").lr == 0.00123
        written = loaded.resolved("finetune")
        assert "123" not in str(written)
        again = load_resolved(loaded.resolved())
        assert (again.experiment, again.complete) == (loaded.experiment, loaded.complete)
        assert again.resolved() == loaded.resolved()
        assert load_resolved(written).stage("finetune") == loaded.stage("finetune")


def test_finetunes_own_rate_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_RATE", "0.0123")
    loaded = load_resolved({**TREE, "train": {"lr": "${env:FT_RATE}"}, "finetune": {"lr": 0.5}})
    assert loaded.resolved()["finetune"]["lr"] == 0.5
    loaded = load_resolved({**TREE, "train": {"lr": 0.5}, "finetune": {"lr": "${env:FT_RATE}"}})
    assert loaded.resolved()["finetune"]["lr"] == "${env:FT_RATE}"


def test_an_optimizers_secret_name_is_not_written_with_the_arguments_it_inherits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FT_OPTIMIZER", "rmsprop")
    train = {"optimizer": {"rmsprop": {"momentum": 0.5}}}
    loaded = load_resolved({**TREE, "train": train, "finetune": {"optimizer": "${env:FT_OPTIMIZER}"}})
    assert loaded.stage("finetune").optimizer == {"rmsprop": {"momentum": 0.5}}
    assert loaded.resolved()["finetune"]["optimizer"] == "${env:FT_OPTIMIZER}"
    assert load_resolved(loaded.resolved()).complete == loaded.complete


def said_later(tree: dict[str, Any], message: str, *path: str | int) -> str:
    (problem,) = load_resolved({**TREE, **tree}).locate(ConfigError(Problem(message, path))).problems
    return problem.message


def test_a_later_error_says_the_variables_name_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_SECRET", "hunter2")
    train = {"train": {"optimizer": "${env:FT_SECRET}"}}
    hidden = "${env:FT_SECRET} is not an optimizer"
    assert said_later(train, "hunter2 is not an optimizer", "train", "optimizer") == hidden
    assert said_later(train, "hunter2 is not an optimizer", "finetune", "optimizer") == hidden, "inherited"
    assert said_later(train, "'hunter2' is wrong", "train") == "'${env:FT_SECRET}' is wrong", "a descendant"
    assert said_later(train, "hunter2 takes no eps", "train", "optimizer", "hunter2", "eps").startswith("${env:")
    layers = {"model": {"layers": ["Flatten", {"Linear": {"name": "x-${env:FT_SECRET}"}}]}}
    assert said_later(layers, "x-hunter2 twice", "model", "layers", 1, "Linear", "name") == "x-${env:FT_SECRET} twice"


def test_a_traceback_of_a_later_error_leads_to_its_cause_and_holds_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_SECRET", "hunter2")
    loaded = load_resolved({**TREE, "train": {"optimizer": "${env:FT_SECRET}"}})
    cause = OSError("the cause")
    with pytest.raises(ConfigError) as raised, loaded.locating():
        raise ConfigError(Problem("hunter2 is wrong", ("train", "optimizer"))) from cause
    shown = "".join(traceback.format_exception(raised.value)).replace('Problem("hunter2', "the source line")
    assert "hunter2" not in shown
    assert raised.value.__cause__ is cause


def test_a_problem_with_a_place_of_its_own_hides_the_value_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_SECRET", "hunter2")
    loaded = load_resolved({**TREE, "train": {"monitor": "${env:FT_SECRET}"}})
    error = loaded.locate(ConfigError(Problem("no hunter2", ("train", "monitor"), "a.yaml:1:1")))
    assert str(error) == "a.yaml:1:1 no ${env:FT_SECRET}"


def test_hiding_values_garbles_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_SECRET", "adam")
    optimizer = {"train": {"optimizer": "${env:FT_SECRET}"}}
    later = "no adam; there is adamw, madam and adam_x"
    assert said_later(optimizer, later, "train", "optimizer") == later.replace("adam;", "${env:FT_SECRET};")
    assert said_later(optimizer, "no adam", "train", "schedule") == "no adam", "another setting"
    monkeypatch.setenv("FT_SECRET", "3")
    assert said_later({"train": {"patience": "${env:FT_SECRET}"}}, "of 3 rows", "train", "patience") == "of 3 rows"


def test_a_variable_that_is_not_set_is_one_error_and_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FT_NOPE", raising=False)
    for tree in (
        {"name": "${env:FT_NOPE}"},
        {"train": {"lr": "${env:FT_NOPE}", "epochs": 3}, "finetune": {}},
        {"train": {"epochs": "${env:FT_NOPE}"}, "finetune": {}},
        {"data": {"source": "${env:FT_NOPE}"}},
        {"inputs": {"x": {"type": "image", "size": ["${env:FT_NOPE}", 3]}}},
    ):
        with pytest.raises(ConfigError) as raised:
            load_resolved({**TREE, **tree})
        assert [problem.message.split(";")[0] for problem in raised.value.problems] == [
            "the environment variable FT_NOPE is not set"
        ]
    (tmp_path / "a.yaml").write_text("base: ${env:FT_NOPE}\n")
    with pytest.raises(ConfigError) as raised:
        load_experiment(tmp_path / "a.yaml")
    assert [problem.where for problem in raised.value.problems] == [f"{tmp_path}/a.yaml:1:1"]


def test_beside_a_variable_that_is_not_set_other_errors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FT_NOPE", raising=False)
    with pytest.raises(ConfigError) as raised:
        load_resolved({**TREE, "name": "${env:FT_NOPE}", "seed": -1})
    assert len(raised.value.problems) == 2
