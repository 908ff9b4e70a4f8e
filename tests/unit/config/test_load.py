"""Loading: every error at its place and in words, what stages inherit, and the resolved copy."""

from __future__ import annotations

import subprocess
import sys
import time
from copy import deepcopy
from typing import Any

import pytest
from experiments import load_text
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ft.core.config import schema
from ft.core.config.belongs import SYNONYMS, homes
from ft.core.config.export import shipped
from ft.core.config.load import load_experiment, load_resolved
from ft.core.config.write import dump
from ft.core.errors import ConfigError, MissingExtraError, Problem

TREE: dict[str, Any] = {
    "data": {"source": "digits", "split": {"val": 0.1}},
    "model": {"layers": ["Flatten", "Linear"]},
}


def load(tree: dict[str, Any], *overrides: str) -> Any:
    return load_resolved({**TREE, **tree}, overrides)


def refusal(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_text(text)
    return [str(problem) for problem in raised.value.problems]


def refused(tree: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(tree)
    return [problem.message for problem in raised.value.problems]


# ---------------------------------------------------------------- errors

SECTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    # section: (where it stands, an experiment that holds it as {})
    "DigitsData": ("data", {"data": {"source": "digits"}}),
    "NamedData": ("data", {"data": {"source": "mnist"}}),
    "ImageFolderData": ("data", {"data": {"source": "image_folder", "root": "x"}}),
    "ArraysData": ("data", {"data": {"source": "arrays", "train": {"x": "a.npy"}}}),
    "Split": ("data.split", {"data": {"source": "digits", "split": {}}}),
    "ImageInput": ("inputs.x", {"inputs": {"x": {"type": "image"}}}),
    "ImageAugment": ("inputs.x.augment", {"inputs": {"x": {"type": "image", "augment": {}}}}),
    "Affine": ("inputs.x.augment.affine", {"inputs": {"x": {"type": "image", "augment": {"affine": {}}}}}),
    "Erase": ("inputs.x.augment.erase", {"inputs": {"x": {"type": "image", "augment": {"erase": {}}}}}),
    "Normalization": (
        "inputs.x.normalize",
        {"inputs": {"x": {"type": "image", "normalize": {"mean": [0], "std": [1]}}}},
    ),
    "NumberInput": ("inputs.x", {"inputs": {"x": {"type": "number"}}}),
    "VectorInput": ("inputs.x", {"inputs": {"x": {"type": "vector"}}}),
    "CategoryInput": ("inputs.x", {"inputs": {"x": {"type": "category"}}}),
    "CategoryOutput": ("outputs.y", {"outputs": {"y": {"type": "category"}}}),
    "NumberOutput": ("outputs.y", {"outputs": {"y": {"type": "number"}}}),
    "HuberLoss": ("outputs.y.loss", {"outputs": {"y": {"type": "number", "loss": {"huber": {}}}}}),
    "Huber": ("outputs.y.loss.huber", {"outputs": {"y": {"type": "number", "loss": {"huber": {}}}}}),
    "ModelSection": ("model", {}),
    "TrainSection": ("train", {"train": {}}),
    "FinetuneSection": ("finetune", {"finetune": {}}),
    "EvalSection": ("eval", {"eval": {}}),
    "Experiment": ("", {}),
}


def test_the_table_of_sections_is_whole() -> None:
    known = {name for name, item in vars(schema).items() if isinstance(item, type) and issubclass(item, schema.Section)}
    assert set(SECTIONS) == known - {"Section"}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_refuses_an_unknown_key_at_its_place_with_the_nearest_name(section: str) -> None:
    path, tree = SECTIONS[section]
    fields = getattr(schema, section).model_fields
    meant = max((field.alias or name for name, field in fields.items()), key=len)
    wrong = meant[:-1] + "q" if len(meant) > 2 else meant + "q"
    tree = deepcopy({**TREE, **tree})
    load_text(dump(tree))  # right but for the key
    place = tree
    for key in path.split(".") if path else []:
        place = place[key]
    place[wrong] = None
    text = dump(tree)
    (said,) = refusal(text)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if wrong in line)
    column = text.splitlines()[line - 1].index(wrong) + 1
    name = f"{path}.{wrong}" if path else wrong
    assert said == f"a.yaml:{line}:{column} {name} is not a setting; did you mean {meant}?"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"lr": 1}, "lr is not a setting; did you mean train.lr?"),
        ({"train": {"precison": 1}}, "train.precison is not a setting; did you mean precision (at the top level)?"),
        ({"train": {"freeze": 1}}, "train.freeze is not a setting; did you mean finetune.freeze?"),
        ({"train": {"split": 1}}, "train.split is not a setting; did you mean data.split?"),
        ({"train": {"learning_rate": 1}}, "train.learning_rate is not a setting; did you mean lr?"),
        ({"eval": {"epochs": 1}}, "eval.epochs is not a setting; did you mean train.epochs?"),
        ({"loss": 1, "outputs": {"y": {"type": "number"}}}, "loss is not a setting; did you mean outputs.y.loss?"),
        ({"size": 28}, "size is not a setting; did you mean inputs.NAME.size?"),
        ({"augment": 1}, "augment is not a setting; did you mean inputs.NAME.augment?"),
        ({"flip": True}, "flip is not a setting; did you mean inputs.NAME.augment.flip?"),
        ({"qqqqqq": 1}, "qqqqqq is not a setting"),
        (
            {"train": {"momentum": 0.9}},
            "train.momentum is not a setting; optimizers take their arguments below their name: {sgd: {momentum: ...}}",
        ),
        (
            {"data": {"source": "digits", "root": "x", "split": {"val": 1}}},
            (
                "data.root is not a setting; "
                "root is for mnist, fashion_mnist, kmnist, cifar10, cifar100, image_folder or arrays"
            ),
        ),
        (
            {"inputs": {"x": {"type": "vector", "size": 3}}},
            "inputs.x.size is not a setting; size is for image",
        ),
    ],
)
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(tree: dict[str, Any], said: str) -> None:
    assert refused(tree) == [said]


def test_every_word_of_other_programs_leads_to_a_setting() -> None:
    assert set(SYNONYMS.values()) <= set(homes())
    assert not set(SYNONYMS) & set(homes())


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
        ({"inputs": {"x": {"type": "pic"}}}, "inputs.x.type is 'pic'; expected image, number, vector or category"),
        ({"inputs": {"x": None}}, "inputs.x is null; expected a mapping with type: image, number, vector or category"),
        ({"inputs": {}}, "inputs is an empty mapping; expected a mapping with an entry or more"),
        ({"outputs": {"x": {"type": "category", "classes": [1, 2]}}}, "outputs.x.classes.0 is 1; expected text"),
        ({"finetune": {"freeze": [1.5]}}, "finetune.freeze.0 is 1.5; expected a whole number or text"),
        ({"finetune": {"freeze": 1.5}}, "finetune.freeze is 1.5; expected a list, a whole number or text"),
        ({"finetune": {"from_": "x"}}, "finetune.from_ is not a setting; did you mean from?"),
        ({"eval": {"min": {"a": "b"}}}, "eval.min.a is 'b'; expected a number"),
        ({"model": {"layers": []}}, "model.layers is []; expected a list of 1 or more"),
        ({"model": {"layers": ["a"], "python": "b:c"}}, "model needs layers or python, one of the two"),
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
            "data.split.val is 0; expected a whole number >= 1 or a number >",
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


# ---------------------------------------------------------------- places of errors that come later


def test_later_errors_are_located_at_the_setting_or_what_holds_it() -> None:
    text = dump({**TREE, "train": {"optimizer": {"sgd": {"momentum": 0.9}}}, "finetune": {"epochs": 3}})
    loaded = load_text(text, ["train.monitor=f2"])

    def where(*path: str | int) -> str | None:
        return loaded.locate(ConfigError(Problem("wrong", path))).problems[0].where

    at = {line.strip(" -").split(":")[0]: number for number, line in enumerate(text.splitlines(), 1)}
    assert where("model", "layers") == f"a.yaml:{at['layers']}:3"
    assert where("train", "optimizer", "sgd", "momentum") == f"a.yaml:{at['sgd']}:11"
    assert where("finetune", "optimizer", "sgd", "momentum") == f"a.yaml:{at['sgd']}:11"
    assert where("finetune", "epochs") == f"a.yaml:{at['finetune']}:12"
    assert where("finetune", "freeze") == f"a.yaml:{at['finetune']}:1"
    assert where("train", "monitor") == where("finetune", "monitor") == "command line: train.monitor=f2"
    assert where("outputs", "digit") == "a.yaml:1:1"


def test_an_error_without_a_setting_is_left_as_it_is() -> None:
    loaded = load({})
    for error in (
        MissingExtraError("x", "demo"),
        ConfigError("no file"),
        ConfigError(Problem("x", ("seed",), "a:1:1")),
    ):
        assert loaded.locate(error) is error
        with pytest.raises(type(error)) as raised, loaded.locating():
            raise error
        assert raised.value is error


def test_a_checkpoints_experiment_is_located_by_the_checkpoints_name() -> None:
    loaded = load_resolved(load({}).resolved(), name="best.pt")
    (problem,) = loaded.locate(ConfigError(Problem("is wrong", ("train", "lr")))).problems
    assert str(problem) == "best.pt is wrong"


# ---------------------------------------------------------------- stages


def test_finetune_takes_from_train_what_it_leaves_out_and_a_tenth_of_its_rate() -> None:
    train = {"epochs": 7, "batch_size": 3, "lr": 3e-4, "weight_decay": 0.5, "clip_norm": 2, "schedule": "cosine"}
    found = load({"train": train, "finetune": {"epochs": 2}}).stage("finetune")
    assert (found.epochs, found.batch_size, found.weight_decay, found.clip_norm) == (2, 3, 0.5, 2)
    assert found.schedule == "cosine"
    assert found.lr == 3e-5


def test_without_a_word_about_it_finetune_learns_at_a_tenth_of_the_default_rate() -> None:
    loaded = load({})
    assert loaded.stage("finetune").lr == loaded.stage("train").lr / 10
    assert loaded.named_stages() == []
    assert load({"eval": {}, "train": {}}).named_stages() == ["train", "eval"]


@pytest.mark.parametrize(
    ("train", "finetune", "expected"),
    [
        ({"sgd": {"momentum": 0.9}}, "sgd", {"sgd": {"momentum": 0.9}}),
        ({"sgd": {"momentum": 0.9}}, {"sgd": {"nesterov": True}}, {"sgd": {"momentum": 0.9, "nesterov": True}}),
        ({"sgd": {"momentum": 0.9}}, {"sgd": {"momentum": 0.5}}, {"sgd": {"momentum": 0.5}}),
        ({"sgd": {"momentum": 0.9}}, "adam", "adam"),
        ({"sgd": {"momentum": 0.9}}, {"adam": {"eps": 1}}, {"adam": {"eps": 1}}),
        ("sgd", {"sgd": {"momentum": 0.5}}, {"sgd": {"momentum": 0.5}}),
        ({"sgd": {"momentum": 0.9}}, None, "adam"),
    ],
)
def test_arguments_are_inherited_only_by_the_same_optimizer(train: Any, finetune: Any, expected: Any) -> None:
    loaded = load({"train": {"optimizer": train}, "finetune": {"optimizer": finetune}})
    assert loaded.stage("finetune").optimizer == expected


def test_null_in_finetune_is_the_default_whatever_train_says() -> None:
    loaded = load({"train": {"patience": 3, "clip_norm": 1}, "finetune": {"patience": None}})
    assert loaded.stage("finetune").patience is None
    assert loaded.stage("finetune").clip_norm == 1
    assert load({"train": {"patience": 3}}, "finetune.patience=null").stage("finetune").patience is None


def test_finetunes_own_way_to_say_a_thing_drops_trains_other_way() -> None:
    train = {"warmup_steps": 100, "validate_every_steps": 50}
    found = load({"train": train, "finetune": {"warmup_epochs": 1, "validate_every_epochs": 2}}).stage("finetune")
    assert (found.warmup_steps, found.warmup_epochs) == (0, 1)
    assert (found.validate_every_steps, found.validate_every_epochs) == (None, 2)


@pytest.mark.parametrize("train", [{}, {"validate_every_steps": 50}, {"validate_every_epochs": 2}])
@pytest.mark.parametrize(
    "finetune", [{}, {"validate_every_steps": 7}, {"validate_every_epochs": 3}, {"validate_every_steps": None}]
)
def test_the_resolved_copy_says_one_of_the_two_ways_to_validate(
    train: dict[str, Any], finetune: dict[str, Any]
) -> None:
    loaded = load({"train": train, "finetune": finetune})
    tree = loaded.resolved()
    for stage in ("train", "finetune"):
        section = loaded.stage(stage)  # type: ignore[call-overload]
        expected = None if section.validate_every_steps else section.validate_every_epochs
        assert tree[stage]["validate_every_epochs"] == expected
        assert tree[stage]["validate_every_steps"] == section.validate_every_steps
    again = load_resolved(tree)
    assert (again.complete, again.resolved()) == (loaded.complete, tree)


def test_nothing_is_frozen_by_an_empty_list() -> None:
    for freeze in ([], None):
        assert load({"finetune": {"freeze": freeze}}).stage("finetune").freeze == []


def test_the_evaluation_takes_trains_batch_size() -> None:
    assert load({"train": {"batch_size": 7}}).eval.batch_size == 7
    assert load({"train": {"batch_size": 7}, "eval": {"batch_size": 9}}).eval.batch_size == 9
    assert load({}).eval.batch_size == load({}).stage("train").batch_size
    assert load({}).eval.split == "test"


# ---------------------------------------------------------------- the resolved copy


def shown(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_resolved_copy_shows_every_setting_of_the_named_stages() -> None:
    loaded = load({"train": {}, "finetune": {}})
    tree = loaded.resolved()
    assert set(tree) == shown(schema.Experiment) - {"eval"}
    assert set(tree["train"]) == shown(schema.TrainSection)
    assert set(tree["finetune"]) == shown(schema.FinetuneSection)
    assert set(tree["data"]["split"]) == shown(schema.Split)
    assert set(loaded.resolved("eval")["eval"]) == shown(schema.EvalSection)


stages = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 99) | st.none(),
        "lr": st.floats(1e-6, 10),
        "batch_size": st.integers(1, 512) | st.none(),
        "optimizer": st.sampled_from(
            ["adam", "sgd", {"sgd": {"momentum": 0.9}}, {"adam": None}, {"sgd": {"nesterov": True}}]
        ),
        "schedule": st.sampled_from(["cosine", {"step": {"every_epochs": 2}}, None]),
        "patience": st.integers(1, 5) | st.none(),
        "warmup_steps": st.integers(0, 9),
        "validate_every_steps": st.integers(1, 9) | st.none(),
        "monitor": st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5).filter(
            lambda text: "${" not in text
        ),
    },
)
experiments = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**62),
        "train": stages | st.none(),
        "finetune": stages | st.none(),
        "eval": st.fixed_dictionaries({}, optional={"batch_size": st.integers(1, 9) | st.none()}) | st.none(),
        "inputs": st.sampled_from(
            [None, {"x": {"type": "image", "size": [3, 4], "augment": {"affine": {"scale": [1, 2]}}}}]
        ),
        "outputs": st.sampled_from([None, {"y": {"type": "number", "loss": {"huber": {}}}}]),
    },
)


@given(experiments)
def test_the_resolved_copy_is_an_equal_experiment(tree: dict[str, Any]) -> None:
    loaded = load(tree)
    for again in (load_text(loaded.resolved_yaml()), load_resolved(loaded.resolved())):
        assert again.experiment == loaded.experiment
        assert again.complete == loaded.complete
        assert again.resolved() == loaded.resolved()


def test_overrides_reach_into_a_resolved_experiment() -> None:
    again = load_resolved(load({"train": {"lr": 1}}).resolved(), ["train.epochs=2", "model.layers.1.Linear.bias=false"])
    assert (again.stage("train").epochs, again.stage("train").lr) == (2, 1)
    assert again.experiment.model.layers == ["Flatten", {"Linear": {"bias": False}}]


def test_the_command_lines_settings_are_known_by_their_paths_as_given() -> None:
    given = ["train.epochs=2", "model.layers.1.Linear.bias=false", "eval={split: val}", "outputs=null"]
    expected = (("train", "epochs"), ("model", "layers", 1, "Linear", "bias"), ("eval",), ("outputs",))
    assert load({}, *given).overrides == expected
    assert load_resolved(load({}).resolved(), given).overrides == expected
    assert load({}).overrides == load_resolved(load({}, *given).resolved()).overrides == ()


def test_a_trusted_file_takes_the_stored_ones_place_for_every_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_CODE", "/stored/net.py:build")
    stored = load({"model": {"python": "${env:FT_CODE}", "args": {"width": 3}}, "train": {}})
    trusted = stored.with_model_python("/mine/a${b}.py:build")
    for experiment in (trusted.experiment, trusted.complete):
        assert experiment.model.python == "/mine/a${b}.py:build"
        assert experiment.model.args == {"width": 3}
    assert load_resolved(trusted.resolved()).experiment == trusted.experiment
    monkeypatch.delenv("FT_CODE")
    assert "FT_CODE" not in trusted.resolved_yaml()
    back = trusted.with_model_python("/stored/net.py:build")
    assert (back.experiment, back.complete) == (stored.experiment, stored.complete)
    assert stored.experiment.model.python == "/stored/net.py:build", "the one it came from is as it was"


# ---------------------------------------------------------------- cost


def test_reading_an_experiment_takes_less_than_thirty_milliseconds() -> None:
    def once() -> float:
        start = time.process_time()
        load_experiment(shipped()["digits"])
        return time.process_time() - start

    assert min(once() for _ in range(5)) < 0.03


def test_settings_are_read_without_torch_or_numpy() -> None:
    code = (
        "import sys; from ft.core.config.load import load_experiment; import ft.core.config.export; "
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
