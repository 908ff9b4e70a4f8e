"""The JSON Schema for editors, and the experiments that come along."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from experiments import load_text

from ft.core.config.export import init_text, json_schema, shipped
from ft.core.config.load import load_experiment
from ft.core.config.nodes import to_plain
from ft.core.config.yaml import parse

SCHEMA = json_schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)
TREE: dict[str, Any] = {"data": {"source": "digits"}, "model": {"layers": ["Flatten", "Linear"]}}


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in str(SCHEMA)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"train": {"epochs": None, "lr": "${env:LR:-1e-3}", "optimizer": {"sgd": {"momentum": 0.9}}}},
        {"finetune": {"freeze": [0, "1-2"], "from": "x.pt"}, "eval": {"min": {"accuracy": 0.9}}},
        {"train": None, "inputs": {"x": {"type": "image", "size": [3, 4], "normalize": {"mean": [1], "std": [1]}}}},
        {"precision": "${env:PRECISION}", "device": "cuda:1"},
    ],
)
def test_editors_accept_what_ft_accepts(more: dict[str, Any]) -> None:
    CHECK.validate({**TREE, **more})


def test_editors_accept_a_file_that_leaves_sections_to_its_base() -> None:
    CHECK.validate({"base": "other.yaml", "train": {"epochs": 3}})
    CHECK.validate({"base": ["a.yaml", "b.yaml"]})
    assert not CHECK.is_valid({"train": {"epochs": 3}})


@pytest.mark.parametrize(
    "more",
    [
        {"train": {"epocs": 3}},
        {"train": {"epochs": "3"}},
        {"train": {"lr": 0}},
        {"precision": "fp61"},
        {"data": {"source": "digits", "root": "x"}},
        {"eval": {"min": 3}},
    ],
)
def test_editors_refuse_what_ft_refuses(more: dict[str, Any]) -> None:
    assert not CHECK.is_valid({**TREE, **more})


def test_editors_can_describe_every_setting_that_needs_words() -> None:
    train = SCHEMA["$defs"]["TrainSection"]
    assert train["properties"]["clip_norm"]["description"] == "largest norm of the whole gradient"
    assert train["properties"]["epochs"]["default"] == 10
    assert train["description"]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_experiment_satisfies_the_schema_and_loads(name: str) -> None:
    path = shipped()[name]
    root, problems = parse(path.read_text(encoding="utf-8"), str(path))
    assert not problems
    CHECK.validate(to_plain(root))
    load_experiment(path)


def test_the_starting_file_is_the_digits_experiment_in_four_layers() -> None:
    loaded = load_text(init_text())
    assert loaded.experiment.data.source == "digits"
    assert [
        next(iter(entry)) if isinstance(entry, dict) else entry for entry in loaded.experiment.model.layers or []
    ] == [
        "Conv2d",
        "MaxPool2d",
        "Flatten",
        "Linear",
    ]
    assert loaded.named_stages() == ["train", "finetune", "eval"]
    assert loaded.stage("finetune").model_dump()["freeze"] == [0, 1, 2]


def test_every_setting_of_the_starting_file_is_explained_beside_it() -> None:
    lines = [line for line in init_text().splitlines() if line.strip() and not line.startswith("#")]
    assert [line for line in lines if "#" not in line and not line.rstrip().endswith(":")] == []
