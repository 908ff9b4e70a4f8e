"""A network from the user's own function: its children are the units, its mistakes are told in the user's own lines."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError, Problem
from ft.core.models.build import build_network
from ft.core.models.forms import InputForm
from ft.core.models.network import Network

PYTHON = ("model", "python")

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, width), nn.Dropout(0.5))
        self.scale = nn.Parameter(torch.ones(1))
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.head(self.norm(self.body(x)) * self.scale)

def build(num_classes, width=6):
    return Net(num_classes, width)
"""

TWO = """
import torch
from torch import nn

class Two(nn.Module):
    def __init__(self, num_outputs, num_embeddings):
        super().__init__()
        self.picture = nn.Flatten()
        self.user = nn.Embedding(num_embeddings, 3)
        self.digit = nn.Linear(4 + 3, num_outputs["digit"])
        self.age = nn.Linear(4 + 3, num_outputs["age"])

    def forward(self, *, image, user):
        x = torch.cat([self.picture(image), self.user(user)], 1)
        return {"digit": self.digit(x), "age": self.age(x)}

def build(num_outputs, num_embeddings):
    return Two(num_outputs, num_embeddings)
"""


def build(
    folder: Path,
    text: str,
    inputs: dict[str, InputForm] | None = None,
    outputs: dict[str, int] | None = None,
    name: str = "build",
    **args: Any,
) -> Network:
    (folder / "net.py").write_text(text)
    section = ModelSection(python=f"{folder}/net.py:{name}", args=args)
    return build_network(section, inputs or {"x": InputForm("vector", (4,))}, outputs or {"y": 3}, torch.device("cpu"))


def problem(*given: Any, **args: Any) -> Problem:
    with pytest.raises(ConfigError) as caught:
        build(*given, **args)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_children_are_the_units_and_loose_parameters_belong_to_the_first(tmp_path: Path) -> None:
    network = build(tmp_path, NET, width=8)
    assert [(unit.index, unit.name, unit.kind, unit.output_shape) for unit in network.units] == [
        (0, "body", "Sequential", (8,)),
        (1, "norm", "BatchNorm1d", (8,)),
        (2, "head", "Linear", (3,)),
    ]
    assert network.units[0].prefixes == ("body", "scale")
    assert network.last_layer("y") == ("head",)
    assert network.code_sha256 == hashlib.sha256((tmp_path / "net.py").read_bytes()).hexdigest()


def test_trying_the_network_out_changes_neither_generator_nor_buffers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build(tmp_path, NET)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    torch.nn.Linear(4, 6), torch.nn.Linear(6, 3)
    assert torch.equal(after, torch.get_rng_state())
    assert network.module.state_dict()["norm.num_batches_tracked"] == 0
    assert all(module.training and not module._forward_hooks for module in network.module.modules())


def test_several_inputs_go_by_name_and_several_outputs_come_as_a_dict(tmp_path: Path) -> None:
    forms = {"image": InputForm("image", (1, 2, 2)), "user": InputForm("category", (), 5)}
    network = build(tmp_path, TWO, forms, {"digit": 10, "age": 1})
    answer = network({"user": torch.tensor([1, 4]), "image": torch.rand(2, 1, 2, 2)})
    assert {name: tuple(value.shape) for name, value in answer.items()} == {"digit": (2, 10), "age": (2, 1)}
    assert [unit.name for unit in network.units] == ["picture", "user", "digit", "age"]


def test_a_size_given_in_args_wins(tmp_path: Path) -> None:
    found = problem(tmp_path, NET, num_classes=5)
    assert found.message == "the network's answer for y should be (batch, 3); for a batch of two it is (2, 5)"


def test_a_network_without_children_is_one_unit(tmp_path: Path) -> None:
    network = build(tmp_path, "from torch import nn\ndef build(num_outputs):\n    return nn.Linear(4, num_outputs)\n")
    assert [(unit.name, unit.kind, unit.prefixes) for unit in network.units] == [
        ("linear", "Linear", ("weight", "bias"))
    ]


def test_a_child_with_two_names_is_one_unit_that_owns_both(tmp_path: Path) -> None:
    text = """
from torch import nn
def build(num_outputs):
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, num_outputs))
    net.insert(1, net[0])
    return net
"""
    network = build(tmp_path, text)
    assert [unit.prefixes for unit in network.units] == [("0", "1"), ("2",)]


def answering(expression: str) -> str:
    module = f"class A(nn.Module):\n    def forward(self, x):\n        return {expression}\n"
    return f"from torch import nn\n{module}\nbuild = A\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def build(): return 3\n", "should return a torch.nn.Module, it returned int"),
        ("def build():\n    x = 1\n    raise ValueError('too wide')\n", r"net.py:3: ValueError: too wide"),
        ("def build(depth): ...\n", "build: missing a required argument: 'depth'; give it under args"),
        (
            "from torch import nn\ndef build():\n    return nn.Linear(7, 3)\n",
            r"failed on a batch of two \(x \[2, 4\]\): .*net.py: RuntimeError: mat1 and mat2",
        ),
        ("import sys\ndef build():\n    sys.exit('enough')\n", r"net.py:3: SystemExit: enough"),
        ("import sys\nsys.exit(2)\n", r"net.py:2: SystemExit: 2"),
        (answering("exit(4)"), r"net.py:4: SystemExit: 4"),
        (answering("x.nope"), r"net.py:4: AttributeError"),
        (answering("(x, x)"), "a tensor, or a dict of tensors by output, not a tuple"),
        (answering("{'z': x}"), "gives no answer for the output y; it answers z"),
        (answering("{'y': x[:, :3], 'z': x}"), "the network answers z, which is no output"),
        (answering("{'y': 3}"), "answer for y should be a tensor, not int"),
        (answering("x[:, :3].long()"), "should be float, not torch.int64"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build(tmp_path, text)
    assert caught.value.problems[0].path == PYTHON


def test_a_checkpoint_is_never_built_by_other_code(tmp_path: Path) -> None:
    trained = build(tmp_path, NET)
    section = ModelSection(python=f"{tmp_path}/net.py:build")
    wanted = section, {"x": InputForm("vector", (4,))}, {"y": 3}, torch.device("cpu")
    again = build_network(*wanted, code_sha256=trained.code_sha256)
    assert again.code_sha256 == trained.code_sha256
    (tmp_path / "net.py").write_text("raise RuntimeError('this ran')\n")
    with pytest.raises(ConfigError, match=r"net\.py is not the code this checkpoint was trained with") as caught:
        build_network(*wanted, code_sha256=trained.code_sha256)
    assert caught.value.problems[0].path == PYTHON


def test_an_unknown_argument_is_named_with_the_nearest(tmp_path: Path) -> None:
    found = problem(tmp_path, NET, widht=8)
    assert found == Problem("build has no argument widht; did you mean width?", ("model", "args", "widht"))


def test_a_tensor_for_several_outputs_is_refused(tmp_path: Path) -> None:
    text = "from torch import nn\ndef build():\n    return nn.Linear(4, 3)\n"
    assert "a dict with a, b, not a tensor" in problem(tmp_path, text, None, {"a": 3, "b": 3}).message


def test_a_missing_file_and_a_missing_function_are_named(tmp_path: Path) -> None:
    assert "has no built; did you mean build?" in problem(tmp_path, NET, name="built").message
    section, forms = ModelSection(python=f"{tmp_path}/other.py:f"), {"x": InputForm("vector", (4,))}
    with pytest.raises(ConfigError, match=r"there is no file .*other\.py"):
        build_network(section, forms, {"y": 3}, torch.device("cpu"))
