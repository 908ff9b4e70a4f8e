"""A file is checked without its data as far as that goes, and what was guessed is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ft.core.config.load import load_experiment
from ft.core.errors import ConfigError
from ft.core.stages.inspect import validate

TABLE = """
data: {source: table, train: not_there.csv, split: {val: 0.1}}
inputs: {city: {type: category}, note: {type: text, max_length: 16}, age: {type: number}}
outputs: {kind: {type: category}, price: {type: number}}
model: {MODEL}
finetune: {freeze: [FREEZE]}
"""


def check(folder: Path, model: str, freeze: str = "encoders.city") -> list[str]:
    file = folder / "x.yaml"
    file.write_text(TABLE.replace("MODEL", model).replace("FREEZE", freeze))
    return validate(load_experiment(file), torch.device("cpu"))


def test_encoders_are_built_without_data_and_the_guesses_are_named(tmp_path: Path) -> None:
    [said] = check(tmp_path, "fusion: gated")
    assert "with a guess" in said
    assert said.endswith(": the classes of kind; the number of values of city, note")
    assert "price" not in said


def test_what_does_not_fit_is_found_without_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="image cannot encode city, which is of type category"):
        check(tmp_path, "encoders: {city: image}")
    with pytest.raises(ConfigError, match=r"encoders\.town matches no layer"):
        check(tmp_path, "fusion: sum", "encoders.town")


def test_two_towers_are_not_built_for_more_classes_than_they_can_tell(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dot answers one output, this experiment has 2"):
        check(tmp_path, "fusion: {dot: {left: [city]}}")
