"""`${env:NAME}`: values from the environment, and that they stay out of what is written."""

from __future__ import annotations

from typing import Any

import pytest

from ft.core.config.env import expand
from ft.core.config.load import load_experiment, load_resolved
from ft.core.config.nodes import Position, from_plain, to_plain
from ft.core.errors import ConfigError, Problem

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
        load_experiment(None, text=FILE)
    said = [str(problem) for problem in raised.value.problems]
    assert (
        "experiment:2:1 the environment variable FT_NAME is not set; ${env:FT_NAME:-default} gives it a default" in said
    )
    assert any(line.startswith("experiment:5:35 the environment variable FT_PART is not set") for line in said)


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
    loaded = load_experiment(None, text=FILE)
    assert loaded.experiment.name == "secret-1"
    assert loaded.experiment.finetune is not None
    assert loaded.experiment.finetune.monitor == "secret-2/accuracy"
    assert loaded.experiment.model.layers == ["Flatten", {"Linear": 12345}]
    written = loaded.resolved_yaml()
    assert "secret" not in written
    assert "12345" not in written
    assert load_experiment(None, text=written).experiment == loaded.experiment
    assert load_resolved(loaded.resolved()).resolved() == loaded.resolved()


def test_an_error_does_not_print_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_SECRET", "hunter2")
    train = "{epochs: '${env:FT_SECRET}', lr: ['x${env:FT_SECRET}']}"
    text = f"data: {{source: digits}}\nmodel: {{layers: [Linear]}}\ntrain: {train}"
    with pytest.raises(ConfigError) as raised:
        load_experiment(None, text=text)
    assert "hunter2" not in str(raised.value)
    assert "train.epochs is '${env:FT_SECRET}'; expected a whole number >= 1" in str(raised.value)


def test_text_settings_take_numbers_from_the_environment_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_NAME", "007")
    monkeypatch.setenv("FT_PART", "x")
    assert load_experiment(None, text=FILE).experiment.name == "007"


def test_escaped_text_survives_the_round_trip() -> None:
    text = "data: {source: digits, split: {val: 9}}\nmodel: {layers: [Linear]}\ntrain: {monitor: 'a$${b}'}"
    loaded = load_experiment(None, text=text)
    assert loaded.stage("train").monitor == "a${b}"
    assert load_experiment(None, text=loaded.resolved_yaml()).experiment == loaded.experiment
