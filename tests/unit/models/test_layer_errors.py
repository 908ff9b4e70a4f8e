"""A slip in a `layers` list is named: where it stands, what was expected, the nearest name; all of them at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError, Problem
from ft.core.models.build import build_network
from ft.core.models.forms import InputForm

LAYERS = ("model", "layers")


def form(shape: tuple[int, ...]) -> InputForm:
    """Numbers of that shape; one of 11 indices where it has no axis."""
    return InputForm("vector", shape) if shape else InputForm("category", (), 11)


def problems(layers: list[Any], shape: tuple[int, ...] = (1, 28, 28)) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        build_network(ModelSection(layers=layers), {"x": form(shape)}, {"y": 10}, torch.device("meta"))
    return list(caught.value.problems)


def only(layers: list[Any], shape: tuple[int, ...] = (1, 28, 28)) -> Problem:
    found = problems(layers, shape)
    assert len(found) == 1, found
    return found[0]


def test_a_misspelled_argument_is_named_with_its_place_and_the_nearest_one() -> None:
    layers = [{"Conv2d": {"out_chanels": 32, "kernel_size": 3}}, "Flatten", "Linear"]
    expected = Problem(
        "Conv2d has no argument out_chanels; did you mean out_channels?", (*LAYERS, 0, "Conv2d", "out_chanels")
    )
    assert only(layers) == expected


def test_all_slips_of_names_and_arguments_are_found_at_once() -> None:
    found = problems(
        [
            {"Conv2d": {"out_chanels": 32}},
            "Convd2",
            {"Dropout": {"p": "0.5"}},
            {"residual": [{"BatchNrm2d": {}}, {"ReLU": {"inplce": True}}]},
            {"parallel": {"branches": [["Identity"], ["Flaten"]], "mrge": "sum"}},
            {"Linear": {"activation": "RELUU"}},
            "Linear",
        ]
    )
    texts = {problem.path: problem.message for problem in found}
    assert texts == {
        (*LAYERS, 0, "Conv2d", "out_chanels"): "Conv2d has no argument out_chanels; did you mean out_channels?",
        (*LAYERS, 0, "Conv2d"): "Conv2d needs kernel_size",
        (*LAYERS, 1): "Convd2 is not a layer of torch.nn; did you mean Conv2d?",
        (*LAYERS, 2, "Dropout", "p"): "Dropout's p is '0.5'; it wants a number",
        (*LAYERS, 3, "residual", 0, "BatchNrm2d"): "BatchNrm2d is not a layer of torch.nn; did you mean BatchNorm2d?",
        (*LAYERS, 3, "residual", 1, "ReLU", "inplce"): "ReLU has no argument inplce; did you mean inplace?",
        (*LAYERS, 4, "parallel", "branches", 1, 0): "Flaten is not a layer of torch.nn; did you mean Flatten?",
        (*LAYERS, 4, "parallel", "mrge"): "parallel has no argument mrge; did you mean merge?",
        (*LAYERS, 5, "Linear", "activation"): "RELUU is not an activation of torch.nn; did you mean ReLU?",
        (*LAYERS, 5, "Linear"): "Linear needs out_features; only the last layer's size is known",
    }


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"Linear": {"bias": "no"}}, "Linear's bias is 'no'; it wants true or false"),
        ({"Linear": 3.5}, "Linear's out_features is 3.5; it wants an integer"),
        ({"Linear": True}, "Linear's out_features is True; it wants an integer"),
        ({"MaxPool2d": [2, "a"]}, "MaxPool2d's kernel_size is [2, 'a']; it wants an integer or a list of integers"),
        (
            {"Conv2d": {"out_channels": 1, "kernel_size": [3, 3, 3]}},
            "Conv2d's kernel_size is [3, 3, 3]; it wants an integer or a list of 2 integers",
        ),
        ({"Identity": 5}, "Identity takes no arguments, it was given 5"),
        ({"Tanh": {"slope": 1}}, "Tanh takes no arguments"),
        ({"Flatten": {"zzz": 1}}, "Flatten has no argument zzz; it has start_dim, end_dim"),
        ({"Linear": {"device": "cuda"}}, "Linear's device is chosen by the experiment's device; leave it out"),
        (
            {"GRU": {"hidden_size": 3, "batch_first": False}},
            "GRU's batch_first is always true here: tensors are (batch, steps, features); leave it out",
        ),
        ({"RNN": {"hidden_size": 3, "nonlinearity": "sin"}}, "RNN's nonlinearity is 'sin'; it wants one of tanh, relu"),
        ("CrossEntropyLoss", "CrossEntropyLoss is a loss; the output column chooses it (outputs.NAME.loss)"),
        ("LazyLinear", "LazyLinear is not needed: input sizes are inferred; write Linear"),
        ("Bilinear", "Bilinear takes two tensors, a layer has one; write such a network as model.python"),
        ("Softmax", "Softmax needs dim"),
        ("LSTMCell", "LSTMCell is one step of a sequence; use LSTM"),
        (3, "an entry is a layer's name, or its name and arguments; this is 3"),
        ({"Linear": 3, "activation": "ReLU"}, "one entry is one layer; put activation inside Linear: {...}"),
        ({"residual": []}, "this should be a list of layers, not []"),
        ({"residual": {"layer": ["Tanh"]}}, "residual needs layers: a list"),
        ({"repeat": {"layers": ["Tanh"]}}, "repeat needs times: how often, an integer of at least 1"),
        ({"repeat": {"layers": ["Tanh"], "times": 0}}, "repeat needs times: how often, an integer of at least 1"),
        (
            {"parallel": [["Tanh"]]},
            "parallel needs at least two branches, each a list of layers; Identity passes on",
        ),
        (
            {"parallel": {"branches": [["Tanh"], ["Tanh"]], "dim": 0}},
            "dim is an axis, 1 for the channels; 0 is the batch. It is 0",
        ),
        ({"Linear": {"out_features": 3, "name": "a.b"}}, "a name is letters, digits and _, not 'a.b'"),
        (
            {"Linear": {"out_features": 3, "name": "forward"}},
            "forward has a meaning in torch already; choose another name",
        ),
        (
            {"repeat": {"times": 2, "layers": [{"Tanh": {"name": "act"}}]}},
            "inner parts are numbered; only entries of model.layers and model.body have a name",
        ),
        (
            {"residual": [{"ReLU": {"inplace": True}}]},
            "ReLU in place would change what the other branch reads; leave inplace out",
        ),
        (
            {"parallel": [["Identity"], [{"Dropout": {"activation": {"ReLU": {"inplace": True}}}}]]},
            "ReLU in place would change what the other branch reads; leave inplace out",
        ),
        ({"Linear": {"out_features": 3, "activation": "Conv2d"}}, "Conv2d is not an activation of torch.nn"),
    ],
)
def test_what_is_written_wrongly_is_said_in_one_sentence(entry: Any, text: str) -> None:
    assert only([entry, "Linear"], (28,)).message.startswith(text)


def test_two_layers_of_one_name_are_refused() -> None:
    layers = [{"Linear": {"out_features": 3, "name": "linear_1"}}, "Linear"]
    assert only(layers, (28,)) == Problem("two layers are called linear_1; give one of them another name", (*LAYERS, 1))


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    ("layers", "shape", "number", "reached", "wanted"),
    [
        (
            [{"Conv2d": {"out_channels": 3, "kernel_size": 3}}, "Linear"],
            (20,),
            "0",
            "(20)",
            "(channels, height, width)",
        ),
        ([{"MaxPool2d": 2}, "Flatten", "Linear"], (9, 9), "0", "(9, 9)", "(channels, height, width)"),
        (["Flatten", {"Linear": {"in_features": 5}}], (1, 4, 4), "1", "(16)", "in_features is 5, it should be 16"),
        ([{"repeat": {"times": 3, "layers": [{"AvgPool1d": 4}]}}, "Linear"], (2, 32), "0.2.0", "(2, 2)", "too small"),
        ([{"LSTM": 6}, {"MultiheadAttention": 4}, "Linear"], (5, 3), "1", "(5, 6)", "divisible by num_heads"),
        (
            [{"Conv2d": {"out_channels": 4, "kernel_size": 9}}, "Flatten", "Linear"],
            (1, 5, 5),
            "0",
            "(1, 5, 5)",
            "Kernel",
        ),
        (["Linear"], (), "0", "()", "an Embedding has to come first"),
        ([{"Embedding": 3}, "Linear"], (4,), "0", "(4)", "looks up the index of a category"),
        ([{"GRU": 3}, "Linear"], (4,), "0", "(4)", "it wants (steps, features)"),
        ([{"MultiheadAttention": 2}, "Linear"], (4,), "0", "(4)", "it wants (steps, features)"),
        ([{"Softmax": 0}, "Linear"], (4,), "0", "(4)", "dim 0 is the batch"),
        ([{"Softmax": {"dim": -2}}, "Linear"], (4,), "0", "(4)", "dim -2 is the batch"),
        (["LayerNorm", "Flatten", "Linear"], (3, 8, 8), "0", "(3, 8, 8)", "normalized_shape: [3, 8, 8], or [8]"),
        ([{"Flatten": 0}, "Linear"], (3,), "0", "(3)", "mixes the examples of a batch"),
    ],
)
def test_a_layer_that_does_not_fit_names_number_shape_and_wish(
    layers: list[Any], shape: tuple[int, ...], number: str, reached: str, wanted: str
) -> None:
    message = problems(layers, shape)[0].message
    assert wanted in message
    assert message.startswith(f"layer {number}: ")
    assert f"the shape {reached} that reaches it" in message


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_misfit_is_found_with_the_same_words_with_and_without_weights(device: str) -> None:
    layers = [{"Conv2d": {"out_channels": 3, "kernel_size": 3, "groups": 2}}, "Flatten", "Linear"]
    with pytest.raises(ConfigError) as caught:
        build_network(ModelSection(layers=layers), {"x": form((1, 8, 8))}, {"y": 10}, torch.device(device))
    assert "layer 0: Conv2d" in str(caught.value)
    assert "in_channels must be divisible by groups" in str(caught.value)


def test_a_residual_whose_shapes_differ_says_both_and_a_shortcut_that_does_fit() -> None:
    branch = [{"Conv2d": {"out_channels": 8, "kernel_size": 3, "padding": 1, "stride": 2}}]
    found = only([{"residual": branch}, "Flatten", "Linear"], (3, 9, 9))
    assert found.path == (*LAYERS, 0, "residual")
    assert "its layers give (8, 5, 5), but its input, which is added, is (3, 9, 9)" in found.message
    assert "[Conv2d: {out_channels: 8, kernel_size: 1, stride: 2}]" in found.message
    shortcut = [{"Conv2d": {"out_channels": 8, "kernel_size": 1, "stride": 2}}]
    mended = [{"residual": {"layers": branch, "shortcut": shortcut}}, "Flatten", "Linear"]
    build_network(ModelSection(layers=mended), {"x": form((3, 9, 9))}, {"y": 10}, torch.device("meta"))


def test_branches_that_cannot_be_joined_say_their_shapes() -> None:
    pooled = [["Identity"], [{"MaxPool2d": 2}]]
    assert "give (1, 28, 28), (1, 14, 14)" in only([{"parallel": pooled}, "Flatten", "Linear"]).message
    summed = {"parallel": {"branches": [[{"Linear": 3}], [{"Linear": 4}]], "merge": "sum"}}
    assert "these give (3), (4)" in only([summed, "Linear"], (5,)).message


def test_an_answer_of_the_wrong_size_says_what_the_output_needs() -> None:
    found = only(["Flatten", {"Linear": 12}])
    assert found.path == (*LAYERS, 1, "Linear", "out_features")
    assert found.message.startswith("the network gives (12) for each example, the output needs (10)")


def test_an_answer_with_too_many_axes_suggests_flatten() -> None:
    found = only([{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "Linear"])
    assert "the network gives (4, 26, 10) for each example, the output needs (10); put Flatten" in found.message


def test_layers_with_several_inputs_or_outputs_point_to_encoders() -> None:
    section = ModelSection(layers=["Linear"])
    with pytest.raises(ConfigError, match=r"one input; this experiment has 2 \(a, b\)"):
        build_network(section, {"a": form((1,)), "b": form((2,))}, {"y": 1}, torch.device("meta"))
    with pytest.raises(ConfigError, match=r"one output; this experiment has 2 \(y, z\)"):
        build_network(section, {"a": form((1,))}, {"y": 1, "z": 1}, torch.device("meta"))
