"""Weights are read from the files people have, and nothing a file says is ever executed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ft.core.adapt.weights import read_weights
from ft.core.errors import CheckpointError

STATE: dict[str, Tensor] = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, -1.0])}


def same(found: dict[str, Tensor]) -> bool:
    return list(found) == list(STATE) and all(torch.equal(found[key], STATE[key]) for key in STATE)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE, "optimizer": {"lr": 0.1}},
        {"model_state_dict": STATE},
        {f"module.{key}": value for key, value in STATE.items()},
        {"state_dict": {f"module._orig_mod.{key}": value for key, value in STATE.items()}},
        {"format": "ft-checkpoint", "version": 1, "weights": STATE, "config": {"name": "x"}},
    ],
)
def test_state_dicts_are_found_in_their_usual_wrappers(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    assert same(read_weights(tmp_path / "w.pt"))


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    found = read_weights(tmp_path / "w.safetensors")
    assert {key: value.tolist() for key, value in found.items()} == {
        key: value.tolist() for key, value in STATE.items()
    }


def test_a_prefix_that_only_some_names_have_is_a_child_of_the_user(tmp_path: Path) -> None:
    content = {"module.weight": torch.ones(1), "head.weight": torch.ones(2)}
    torch.save(content, tmp_path / "w.pt")
    assert list(read_weights(tmp_path / "w.pt")) == ["module.weight", "head.weight"]


def test_names_in_an_ft_checkpoint_are_taken_as_they_are(tmp_path: Path) -> None:
    torch.save({"format": "ft-checkpoint", "weights": {"module.weight": torch.ones(1)}}, tmp_path / "w.pt")
    assert list(read_weights(tmp_path / "w.pt")) == ["module.weight"]


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    "save", [torch.save, lambda content, file: file.write_bytes(pickle.dumps(content, protocol=2))]
)
def test_a_malicious_file_executes_nothing(tmp_path: Path, save: Any) -> None:
    save({"weights": Bomb(tmp_path / "gotcha")}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="ft runs no code of a file"):
        read_weights(tmp_path / "w.pt")
    assert not (tmp_path / "gotcha").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "gotcha")))
    assert (tmp_path / "gotcha").exists(), "the bomb is a real one"


def test_a_whole_pickled_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"save model\.state_dict\(\) instead"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("damage", ["empty", "garbage", "short", "text"])
def test_a_damaged_file_is_a_checkpoint_error_that_names_it(tmp_path: Path, name: str, damage: str) -> None:
    file = tmp_path / name
    if name.endswith("pt"):
        torch.save(STATE, file)
    else:
        save_file(STATE, file)
    whole = file.read_bytes()
    file.write_bytes({"empty": b"", "garbage": bytes(range(256)) * 9, "short": whole[:-40], "text": b"hello"}[damage])
    with pytest.raises(CheckpointError, match=name):
        read_weights(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds no state dict .*; it holds: epoch, lr"),
        ({}, "it holds: nothing"),
        (torch.ones(3), "it holds: Tensor"),
        ([1, 2], "it holds: list"),
        ({"format": "ft-checkpoint", "weights": {"a": 3}}, "says it is a checkpoint of ft, but holds no weights"),
        ({"format": "ft-checkpoint"}, "says it is a checkpoint of ft, but holds no weights"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=message):
        read_weights(tmp_path / "w.pt")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(CheckpointError, match="there is no file"):
            read_weights(path)
