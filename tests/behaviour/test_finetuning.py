"""Fine-tuning: where its weights come from, what stays as it was, what it may replace."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import TINY, changed, ft, write_config
from safetensors.torch import save_file
from torch import Tensor


def weights_of(path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)["weights"]
    return weights


def same(first: dict[str, Tensor], second: dict[str, Tensor], prefix: str = "") -> bool:
    """Whether all tensors below a prefix agree in every bit."""
    names = [name for name in first if name.startswith(prefix)]
    assert names
    return all(first[name].numpy().tobytes() == second[name].numpy().tobytes() for name in names)


# ---------------------------------------------------------------- which weights


@pytest.fixture
def sources(trained: Path) -> Path:
    """Different weights, one for each way to name them, below `trained`; each file's number fills its tensors."""
    weights = weights_of(trained / "runs/tiny/1/checkpoints/best.pt")
    for number, name in enumerate(("line", "setting", "model")):
        filled = {key: torch.full_like(value, 0.01 * (number + 1)) for key, value in weights.items()}
        save_file(filled, trained / f"{name}.safetensors")
    shutil.copy(trained / "runs/tiny/1/checkpoints/best.pt", trained / "given.pt")
    assert ft("train", "tiny.yaml", "seed=9", cwd=trained).code == 0
    return trained


def test_the_first_of_the_five_that_applies_gives_the_weights(sources: Path) -> None:
    from_setting, from_model = "finetune.from=setting.safetensors", "model.weights=model.safetensors"
    ways = [
        (["given.pt", from_setting, from_model, "--from", "line.safetensors"], "line.safetensors"),
        (["given.pt", from_setting, from_model], "setting.safetensors"),
        (["given.pt", from_model], "given.pt"),
        (["tiny.yaml", from_model], "model.safetensors"),
        (["tiny.yaml"], "runs/tiny/2"),
        (["runs/tiny/1"], "runs/tiny/1"),
    ]
    for words, parent in ways:
        answer = ft("finetune", *words, "finetune.max_steps=1", "--json", cwd=sources)
        assert answer.code == 0, answer.err
        assert (sources / json.loads(answer.out)["parent"]).resolve() == (sources / parent).resolve()


def test_the_weights_named_are_the_weights_taken(sources: Path) -> None:
    answer = ft("finetune", "tiny.yaml", "--from", "line.safetensors", "--freeze", "1", "-q", cwd=sources)
    finetuned = weights_of(sources / answer.out.strip())
    assert torch.equal(finetuned["linear_1.weight"], torch.full((32, 64), 0.01))


def test_without_any_weights_it_does_not_begin(tmp_path: Path) -> None:
    write_config(tmp_path / "tiny.yaml")
    answer = ft("finetune", "tiny.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "nothing to start from" in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_training_of_another_name_does_not_count(trained: Path) -> None:
    assert ft("finetune", "tiny.yaml", "name=other", cwd=trained).code == 2


def test_what_finetune_leaves_out_it_takes_from_train_and_a_tenth_of_its_rate(trained: Path) -> None:
    assert ft("finetune", "train.batch_size=50", cwd=trained).code == 0
    settings = torch.load(trained / "runs/tiny/2/checkpoints/best.pt", weights_only=True)["experiment"]["finetune"]
    assert settings["batch_size"] == 50
    assert settings["lr"] == pytest.approx(0.001)


# ---------------------------------------------------------------- what stays


def test_no_bit_of_a_frozen_layer_moves_buffers_included(tmp_path: Path) -> None:
    """Batch norm's statistics are moved by a forward pass alone, so a frozen one must not run in training mode."""
    entries = ["Flatten", {"Linear": {"out_features": 16}}, "BatchNorm1d", {"Dropout": 0.5}, "Linear"]
    write_config(tmp_path / "c.yaml", {"model": {"layers": entries}})
    start = weights_of(tmp_path / ft("train", "c.yaml", "-q", cwd=tmp_path).out.strip())
    moved = weights_of(tmp_path / ft("finetune", "--freeze", "0-2", "-q", cwd=tmp_path).out.strip())
    assert "batchnorm1d_2.running_mean" in start
    assert same(start, moved, "linear_1.")
    assert same(start, moved, "batchnorm1d_2.")
    assert not same(start, moved, "linear_4.")
    free = weights_of(tmp_path / ft("finetune", "runs/tiny/1", "-q", cwd=tmp_path).out.strip())
    assert not same(start, free, "batchnorm1d_2.")  # unfrozen they do move


def test_the_freeze_table_is_told(trained: Path) -> None:
    answer = ft("finetune", "--freeze", "0,lin*_1", cwd=trained)
    assert "frozen: 2,080 of 2,410 values" in answer.err
    assert "lin*_1: linear_1 (2,080 values)" in answer.err


def test_loading_is_reported_as_a_file_too(trained: Path) -> None:
    assert ft("finetune", cwd=trained).code == 0
    report = json.loads((trained / "runs/tiny/2/loading.json").read_text())
    assert len(report["loaded"]) == 4
    assert report["missing"] == report["mismatched"] == report["unexpected"] == []


# ---------------------------------------------------------------- what it may replace


def three_classes(folder: Path, names: list[str]) -> None:
    """Arrays of the digits' size with classes of other names."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 17, (90, 8, 8), dtype=np.uint8)
    np.savez(folder / "o.npz", image=images, digit=np.array(names * (90 // len(names))))


def test_other_classes_get_a_new_last_layer_and_it_is_said(trained: Path) -> None:
    three_classes(trained, ["cat", "dog", "eel"])
    data = {"source": "arrays", "train": {"image": "o.npz:image", "digit": "o.npz:digit"}, "split": {"val": 9}}
    columns = {"inputs": {"image": {"type": "image"}}, "outputs": {"digit": {"type": "category"}}}
    write_config(
        trained / "c.yaml", {"data": data, **columns, "train": {"batch_size": 9}}, changed(TINY, {"data": ...})
    )
    answer = ft("finetune", "c.yaml", "--freeze", "0,1", cwd=trained)
    assert answer.code == 0, answer.err
    assert "replaced, fresh: linear_2.weight" in answer.err
    finetuned = torch.load(trained / "runs/tiny/2/checkpoints/best.pt", weights_only=True)
    assert finetuned["columns"]["outputs"]["digit"]["classes"] == ["cat", "dog", "eel"]
    assert tuple(finetuned["weights"]["linear_2.weight"].shape) == (3, 32)
    assert same(weights_of(trained / "runs/tiny/1/checkpoints/best.pt"), finetuned["weights"], "linear_1.")


def test_only_the_last_layer_may_differ(trained: Path) -> None:
    answer = ft("finetune", "tiny.yaml", "model.layers.1.Linear.out_features=7", cwd=trained)
    assert answer.code == 4
    assert "linear_1.weight: [32, 64] in the file, [7, 64] in the network" in answer.err


# ---------------------------------------------------------------- the user's own code

NET = """
import torch

def build(num_classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, num_classes))
"""


@pytest.fixture
def with_code(tmp_path: Path) -> Path:
    """A folder with a trained python model: net.py and runs/tiny/1."""
    (tmp_path / "net.py").write_text(NET)
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}, "train": {"max_steps": 2}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    return tmp_path


def test_code_runs_only_when_the_line_names_it(with_code: Path) -> None:
    for command in ("eval", "finetune", "layers"):
        answer = ft(command, cwd=with_code)
        assert answer.code == 2
        assert "--python" in answer.err
        assert ft(command, "--python", "net.py", cwd=with_code).code == 0


def test_code_that_changed_is_refused_and_not_run(with_code: Path) -> None:
    (with_code / "net.py").write_text(NET + "open('ran', 'w').close()\n")
    answer = ft("eval", "--python", "net.py", cwd=with_code)
    assert answer.code == 2
    assert "SHA-256" in answer.err
    assert not (with_code / "ran").exists()
