"""`key.sub=value` on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from experiments import load_text
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.schema import Experiment, Split
from ft.core.errors import ConfigError

FILE = """
data: {source: digits, split: {val: 0.1}}
outputs: {digit: {type: category}, size: {type: number, loss: huber}}
model:
  layers:
    - Conv2d: {out_channels: 32, kernel_size: 3}
    - MaxPool2d: 2
    - Flatten
    - Linear
"""


def load(*overrides: str) -> Experiment:
    return load_text(FILE, overrides).experiment


def refusal(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(*overrides)
    return [str(problem) for problem in raised.value.problems]


def layers(*overrides: str) -> list[Any]:
    found = load(*overrides).model.layers
    assert found is not None
    return found


def test_values_are_read_as_yaml_and_missing_sections_appear() -> None:
    found = load("train.epochs=3", "train.lr=1e-4", "seed=7", "eval.metrics=[accuracy, f1]", "eval.min.accuracy=0.9")
    assert found.train is not None
    assert (found.train.epochs, found.train.lr, found.seed) == (3, 1e-4, 7)
    assert found.eval is not None
    assert found.eval.metrics == ["accuracy", "f1"]
    assert found.eval.min == {"accuracy": 0.9}


def test_entries_of_lists_are_reached_by_number() -> None:
    assert layers("model.layers.0.Conv2d.out_channels=64")[0] == {"Conv2d": {"out_channels": 64, "kernel_size": 3}}
    assert layers("model.layers.1.MaxPool2d=3")[1] == {"MaxPool2d": 3}
    assert layers("model.layers.2={Dropout: 0.5}")[2] == {"Dropout": 0.5}


def test_a_plain_layer_can_be_given_arguments() -> None:
    assert layers("model.layers.3.Linear.bias=false")[3] == {"Linear": {"bias": False}}
    assert layers("model.layers.3.Linear.bias=false", "model.layers.3.Linear.name=top")[3] == {
        "Linear": {"bias": False, "name": "top"}
    }


def test_text_settings_take_numbers_as_text() -> None:
    found = load("name=007", "outputs.digit.classes=[0, 01, 1e1]", "train.monitor=1")
    assert found.name == "007"
    assert found.outputs is not None
    assert found.outputs["digit"].model_dump()["classes"] == ["0", "01", "1e1"]
    assert found.train is not None
    assert found.train.monitor == "1"


def test_null_brings_the_default_back() -> None:
    text = FILE + "train: {epochs: 3, patience: 2}"
    found = load_text(text, ["train.epochs=null", "train.patience=null", "outputs.size=null"]).experiment
    assert found.train is not None
    assert (found.train.epochs, found.train.patience) == (10, None)
    assert list(found.outputs or {}) == ["digit"]


@pytest.mark.parametrize("optimizer", ["adam", "{adam: {eps: 1}}", "sgd", "{sgd: {nesterov: true}}", "null"])
def test_an_argument_of_an_optimizer_chooses_that_optimizer(optimizer: str) -> None:
    text = FILE + f"train: {{optimizer: {optimizer}}}"
    overrides = ["train.optimizer.sgd.momentum=0.9", "train.optimizer.sgd.dampening=0"]
    train = load_text(text, overrides).stage("train")
    kept = {"nesterov": True} if "nesterov" in optimizer else {}
    assert train.optimizer == {"sgd": {**kept, "momentum": 0.9, "dampening": 0}}


def test_the_argument_of_a_loss_makes_a_mapping_of_its_name() -> None:
    found = load("outputs.size.loss.huber.delta=2").outputs
    assert found is not None
    assert found["size"].model_dump()["loss"] == {"huber": {"delta": 2.0}}


def test_another_source_replaces_the_data_wherever_it_stands_on_the_line() -> None:
    for line in (["data.source=mnist", "data.root=x"], ["data.root=x", "data.source=mnist"]):
        assert load(*line).data.model_dump() == {
            "source": "mnist",
            "root": "x",
            "download": True,
            "split": Split().model_dump(),
        }


def test_an_override_assigns_and_does_not_merge() -> None:
    text = FILE + "train: {epochs: 3, lr: 1}"
    train = load_text(text, ["train={epochs: 5}"]).stage("train")
    assert (train.epochs, train.lr) == (5, 1e-3)


def test_of_two_overrides_of_one_setting_the_later_wins() -> None:
    assert load("seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.epocs=3", "train.epocs is not a setting; did you mean epochs?"),
        ("train.epochs=many", "train.epochs is 'many'; expected a whole number >= 1"),
        ("train.precison=null", "train.precison is not a setting; did you mean precision (at the top level)?"),
        ("train.epochs", "is not an override; expected key.sub=value"),
        ("train..epochs=3", "is not an override; expected key.sub=value"),
        ("=3", "is not an override; expected key.sub=value"),
        ("seed=", "has no value; seed=null brings the default back"),
        ("seed=[1", "is not YAML: a comma or a closing bracket is missing before this"),
        ("model.layers.9=ReLU", "model.layers is a list; 9 is none of its entries (0 to 3)"),
        ("model.layers.x=ReLU", "model.layers is a list; x is none of its entries (0 to 3)"),
        (
            "model.layers.0.Linear.bias=false",
            "model.layers.0 is Conv2d, not Linear; model.layers.0=Linear would replace it",
        ),
        (
            "model.layers.3.Conv2d.bias=false",
            "model.layers.3 is Linear, not Conv2d; model.layers.3=Conv2d would replace it",
        ),
        (
            "model.layers.1.MaxPool2d.stride=1",
            (
                "model.layers.1.MaxPool2d is 2, without a name; "
                "say model.layers.1.MaxPool2d={...} with every argument named"
            ),
        ),
        ("name.first=x", "name is a mapping with first; expected text like mnist-cnn or run_2.b"),
    ],
)
def test_a_bad_override_is_quoted_with_what_is_wrong(override: str, said: str) -> None:
    assert refusal(override) == [f"command line: {override} {said}"]


def test_a_long_override_is_called_by_its_key() -> None:
    image = "inputs.image={type: image, size: 224, augment: {flip: 7, crop: -1}, channels: 2}"
    found = refusal("train.epocs=3", image, "a=1")
    assert len(found) == 5
    assert [line.split(" ")[2] for line in found] == ["train.epocs=3", *["inputs.image=…"] * 3, "a=1"]


@pytest.mark.parametrize("setting", ["unfreeze=3", "unfreeze={2:3}", "lora=8", "feature_cache=maybe", "freeze={a: 1}"])
def test_a_setting_of_finetune_in_train_is_one_mistake(setting: str) -> None:
    key = setting.partition("=")[0]
    (said,) = refusal(f"train.{setting}")
    assert said.endswith(f"train.{key} is not a setting; did you mean finetune.{key}?")


def test_bad_overrides_are_all_reported_in_their_order() -> None:
    found = refusal("train.epocs=3", "b", "a=1")
    assert [line.split(" ")[2] for line in found] == ["train.epocs=3", "b", "a=1"]


@given(
    key=st.sampled_from(["train.lr", "finetune.weight_decay", "eval.min.x"]),
    value=st.floats(1e-9, 1e9) | st.integers(1, 10**9),
)
def test_numbers_come_through_unchanged(key: str, value: float) -> None:
    tree: Any = load_text(FILE, [f"{key}={value!r}"]).resolved()
    for part in key.split("."):
        tree = tree[part]
    assert tree == value


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])).filter(lambda text: "${" not in text))
def test_any_text_comes_through_in_json_quotes(text: str) -> None:
    assert load(f"train.monitor={json.dumps(text, ensure_ascii=False)}").train.monitor == text  # type: ignore[union-attr]
