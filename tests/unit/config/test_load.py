"""Loading: places of later errors, what stages inherit, and the resolved copy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from experiments import TREE, load, load_text
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ft.core.config import schema
from ft.core.config.load import load_resolved
from ft.core.config.write import dump
from ft.core.errors import ConfigError, MissingExtraError, Problem

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
    assert set(tree) == shown(schema.Experiment) - {"eval", "tune"}
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


def test_settings_are_read_without_torch_or_numpy() -> None:
    code = (
        "import sys; from ft.core.config.load import load_experiment; import ft.core.config.export; "
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_another_seed_is_as_if_it_stood_on_the_line() -> None:
    text = (
        "seed: ${env:NO_SUCH_SEED:-7}\ndata: {source: digits}\nmodel: {layers: [Flatten, Linear]}\ntrain: {epochs: 2}\n"
    )
    ours, theirs = load_text(text).with_seed(12), load_text(text, ["seed=12"])
    assert (ours.experiment, ours.complete) == (theirs.experiment, theirs.complete)
    assert ours.resolved_yaml("train") == theirs.resolved_yaml("train")


def test_an_experiment_can_be_judged_as_another_one_says() -> None:
    text = "data: {source: digits}\nmodel: {layers: [Flatten, Linear]}\neval: {min: {accuracy: 0.5}}\n"
    ours = load_text(text, ["seed=12"]).with_eval(load_text(text, ["eval.min.accuracy=0.9", "eval.split=val"]))
    theirs = load_text(text, ["seed=12", "eval.min.accuracy=0.9", "eval.split=val"])
    assert (ours.experiment, ours.complete) == (theirs.experiment, theirs.complete)
    assert ours.resolved_yaml() == theirs.resolved_yaml()
