"""Values of settings: what was there, what was expected, what does not fit together; all of it at once."""

from __future__ import annotations

from typing import Any

import pytest
from experiments import TREE, load, refusal, refused

from ft.core.config.write import dump


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            {"train": {"epochs": "10"}},
            "train.epochs is '10'; expected a whole number >= 1; it is text, write it without quotes",
        ),
        ({"train": {"epochs": True}}, "train.epochs is true; expected a whole number >= 1"),
        ({"train": {"epochs": 1.5}}, "train.epochs is 1.5; expected a whole number >= 1"),
        ({"train": {"epochs": 0}}, "train.epochs is 0; expected a whole number >= 1"),
        ({"train": {"lr": float("inf")}}, "train.lr is inf; expected a number > 0"),
        ({"train": {"lr": float("nan")}}, "train.lr is nan; expected a number > 0"),
        ({"train": {"augment": "yes"}}, "train.augment is 'yes'; expected true or false"),
        ({"train": {"augment": 1}}, "train.augment is 1; expected true or false"),
        ({"train": {"ema": 1}}, "train.ema is 1; expected a number > 0 and < 1"),
        ({"train": {"optimizer": 3}}, "train.optimizer is 3; expected text or {name: {arguments}}"),
        (
            {"train": {"optimizer": {"a": {}, "b": {}}}},
            "train.optimizer is a mapping with a, b; expected text or {name: {arguments}}",
        ),
        ({"train": {"optimizer": {"sgd": 3}}}, "train.optimizer.sgd is 3; expected a mapping"),
        ({"train": 3}, "train is 3; expected a mapping with epochs"),
        ({"seed": -1}, "seed is -1; expected a whole number >= 0 and < 9.22337e+18"),
        ({"name": "a/b"}, "name is 'a/b'; expected text like mnist-cnn or run_2.b"),
        ({"device": "gpu"}, "device is 'gpu'; expected text like auto, cpu, cuda, cuda:1 or mps"),
        ({"precision": "fp61"}, "precision is 'fp61'; expected auto, fp32, bf16 or fp16; did you mean fp16?"),
        ({"tensorboard": "on"}, "tensorboard is 'on'; expected auto, true or false"),
        ({"data": {"source": "mnits"}}, "data.source is 'mnits'; expected digits, mnist, fashion_mnist, kmnist"),
        ({"data": {}}, "data.source is missing; expected digits, mnist"),
        ({"data": {"source": None}}, "data.source is missing; expected digits, mnist"),
        ({"data": 3}, "data is 3; expected a mapping with source: digits, mnist"),
        ({"data": {"source": "image_folder"}}, "data.root is missing; expected text"),
        (
            {"inputs": {"x": {"type": "pic"}}},
            "inputs.x.type is 'pic'; expected image, audio, text, number, vector, category, set, date or history",
        ),
        ({"inputs": {"x": None}}, "inputs.x is null; expected a mapping with type: image, audio, text, number"),
        (
            {"inputs": {"x": {"type": "image", "augment": False}}},
            "inputs.x.augment is false; expected light, standard, strong or a mapping with crop, resized_crop",
        ),
        ({"inputs": {}}, "inputs is an empty mapping; expected a mapping with an entry or more"),
        ({"outputs": {"x": {"type": "category", "classes": [1, 2]}}}, "outputs.x.classes.0 is 1; expected text"),
        ({"finetune": {"freeze": [1.5]}}, "finetune.freeze.0 is 1.5; expected a whole number or text"),
        ({"finetune": {"freeze": 1.5}}, "finetune.freeze is 1.5; expected a list, a whole number or text"),
        ({"finetune": {"from_": "x"}}, "finetune.from_ is not a setting; did you mean from?"),
        ({"eval": {"min": {"a": "b"}}}, "eval.min.a is 'b'; expected a number"),
        ({"model": {"layers": []}}, "model.layers is []; expected a list of 1 or more"),
        (
            {"model": {"layers": ["a"], "python": "b:c"}},
            "model needs one of layers, torchvision, timm, python or encoders (with fusion and body), and only one",
        ),
        ({"model": {"layers": ["a"], "args": {"b": 1}}}, "model has args, which only a python model takes"),
    ],
)
def test_wrong_values_are_told_what_was_there_and_what_was_expected(tree: dict[str, Any], said: str) -> None:
    found = refused(tree)
    assert found[0].startswith(said)


def image(**settings: Any) -> dict[str, Any]:
    return {"inputs": {"x": {"type": "image", **settings}}}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            image(size=[28]),
            "inputs.x.size is [28]; expected a whole number >= 1 or [a whole number >= 1, a whole number >= 1]",
        ),
        (image(size=[1, 2, 3]), "inputs.x.size is [1, 2, 3]; expected a whole number >= 1 or ["),
        (image(size=[1, 2.5]), "inputs.x.size.1 is 2.5; expected a whole number >= 1"),
        (image(channels=2), "inputs.x.channels is 2; expected 1 or 3"),
        (image(normalize="fix"), "inputs.x.normalize is 'fix'; expected fit, none or a mapping with mean, std"),
        (image(normalize={"mean": [1]}), "inputs.x.normalize.std is missing; expected a list"),
        (image(normalize={"mean": [1], "std": [1, 2]}), "inputs.x.normalize.std has 2 values and mean 1"),
        (
            image(augment={"affine": {"scale": [2, 1]}}),
            "inputs.x.augment.affine.scale is [2.0, 1.0]; expected [smallest",
        ),
        (
            image(augment={"affine": {"scale": [0, 1]}}),
            "inputs.x.augment.affine.scale is [0.0, 1.0]; expected [smallest",
        ),
        (
            image(augment={"erase": {"area": [0.5, 0.1]}}),
            "inputs.x.augment.erase.area is [0.5, 0.1]; expected [smallest",
        ),
        (
            {"data": {"source": "digits", "split": {"val": 0.5, "test": 0.5}}},
            "data.split takes 1 of the training examples",
        ),
        (
            {"data": {"source": "digits", "split": {"val": 0}}},
            "data.split.val is 0; expected a whole number >= 1, a number >",
        ),
        ({"train": {"warmup_steps": 1, "warmup_epochs": 1}}, "train.warmup_epochs is given and warmup_steps too"),
        (
            {"train": {"validate_every_epochs": 1, "validate_every_steps": 5}, "finetune": {}},
            "train.validate_every_steps is given and validate_every_epochs too; say only one of the two",
        ),
        (
            {"finetune": {"validate_every_epochs": 2, "validate_every_steps": 5}},
            "finetune.validate_every_steps is given and validate_every_epochs too",
        ),
        ({"finetune": {"freeze": ""}}, "finetune.freeze has a blank in it, which names no unit; [] freezes nothing"),
        ({"finetune": {"freeze": " , "}}, "finetune.freeze has a blank in it, which names no unit"),
        ({"finetune": {"freeze": [0, ""]}}, "finetune.freeze has a blank in it, which names no unit"),
        ({"finetune": {"freeze": "${env:FT_NONE:-}"}}, "finetune.freeze has a blank in it, which names no unit"),
        ({"inputs": {"x": {"type": "number"}}, "outputs": {"x": {"type": "number"}}}, "outputs.x is an input too"),
        ({"data": {"source": "digits", "split": {"group": "a", "per": "b"}}}, "data.split has group and per"),
        ({"model": {"fusion": {"sum": {}, "concat": {}}}}, "model.fusion names concat and sum; expected one of concat"),
        ({"model": {"fusion": {}}}, "model.fusion names no kind; expected one of concat"),
        ({"data": {"source": "digits"}, "train": {"patience": 3}}, "train.patience needs validation examples"),
        ({"data": {"source": "mnist"}, "finetune": {"monitor": "f1"}}, "finetune.monitor needs validation examples"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(tree: dict[str, Any], said: str) -> None:
    (found,) = refused(tree)
    assert found.startswith(said)


@pytest.mark.parametrize("split", [{"val": 0.1}, {"val": 10}])
def test_patience_is_fine_with_validation_examples_or_where_only_the_data_can_tell(split: dict[str, Any]) -> None:
    load({"data": {"source": "digits", "split": split}, "train": {"patience": 3}})
    load({"data": {"source": "image_folder", "root": "x"}, "train": {"patience": 3}})
    load({"data": {"source": "arrays", "train": {"x": "a"}, "val": {"x": "b"}}, "train": {"patience": 3}})


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    text = """seed: x
data: {source: digits, split: {val: 0.5}, root: d}
lr: 1
model: {layers: [Linear]}
train:
  epochs: "3"
  epochs: 3
  precison: 1
finetune: {lr: 0}
"""
    assert [line.split(" ")[0] for line in refusal(text)] == [
        "a.yaml:1:1",
        "a.yaml:2:43",
        "a.yaml:3:1",
        "a.yaml:7:3",
        "a.yaml:8:3",
        "a.yaml:9:12",
    ]


def test_what_finetune_inherits_is_reported_once_and_where_train_says_it() -> None:
    text = dump({**TREE, "data": {"source": "digits"}, "train": {"lr": -1, "patience": 3, "epocs": 2}, "finetune": {}})
    assert [line.split(" ", 1)[1].split(";")[0] for line in refusal(text)] == [
        "train.lr is -1",
        "train.patience needs validation examples",
        "train.epocs is not a setting",
    ]


def test_an_experiment_without_anything_lacks_two_sections() -> None:
    said = refusal("seed: 1\n")
    assert [line.split(";")[0] for line in said] == ["a.yaml:1:1 data is missing", "a.yaml:1:1 model is missing"]


def test_plain_ints_are_floats_and_lists_are_pairs() -> None:
    loaded = load({"train": {"lr": 1}, **image(size=[28, 14], augment={"affine": {"scale": [1, 2]}})})
    assert loaded.stage("train").lr == 1.0
    column = loaded.experiment.inputs["x"]
    assert column.size == (28, 14)
    assert column.augment.affine.scale == (1.0, 2.0)
