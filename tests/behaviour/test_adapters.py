"""Fine-tuning by small changes (LoRA, DoRA): what is kept, what answers the same, what is refused. Real commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY, changed, ft, ft_process, write_config
from dying import dying
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from ft.core.engine.checkpoint import load_checkpoint
from ft.core.stages.runs import RunFolder
from ft.core.stages.verify import compare_runs

NET: dict[str, Any] = {
    "model": {
        "layers": [
            {"Conv2d": {"out_channels": 8, "kernel_size": 3, "activation": "ReLU"}},
            "BatchNorm2d",
            {"Dropout": 0.2},
            "Flatten",
            {"Linear": {"out_features": 24, "activation": "ReLU"}},
            "Linear",
        ]
    },
    "finetune": {"lr": 0.01, "epochs": 2},
}
LORA = ("--lora", "4", "finetune.lora.alpha=6", "finetune.lora.dropout=0.1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a training, runs/tiny/1, and two fine-tunings of it: LoRA, 2, and DoRA, 3."""
    folder = tmp_path_factory.mktemp("adapters")
    write_config(folder / "c.yaml", NET)
    for words in (["train", "c.yaml"], ["finetune", *LORA], ["finetune", *LORA, "finetune.lora.dora=true"]):
        answer = ft(*words, cwd=folder)
        assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy, to work in."""
    shutil.copytree(made, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


def best(folder: Path, run: int) -> dict[str, Any]:
    return load_checkpoint(folder / f"runs/tiny/{run}/checkpoints/best.pt")


# ---------------------------------------------------------------- what is kept


@pytest.mark.parametrize("run", [2, 3])
def test_the_base_does_not_move_by_a_bit_and_keeps_its_names(made: Path, run: int) -> None:
    before, after = best(made, 1)["weights"], best(made, run)["weights"]
    assert set(before) < set(after)
    moved = [name for name in before if before[name].numpy().tobytes() != after[name].numpy().tobytes()]
    assert moved == ["linear_5.weight", "linear_5.bias"]


@pytest.mark.parametrize("run", [2, 3])
def test_that_no_byte_of_the_base_moved_is_proved_and_told(made: Path, run: int) -> None:
    frozen = json.loads((made / f"runs/tiny/{run}/result.json").read_text())["frozen"]
    base = {name: value for name, value in best(made, 1)["weights"].items() if not name.startswith("linear_5.")}
    assert frozen["identical"] is True
    assert (frozen["tensors"], frozen["values"]) == (len(base), sum(value.numel() for value in base.values()))


def test_how_many_values_learn_is_told(made: Path) -> None:
    answer = ft("finetune", "runs/tiny/1", "--lora", "4", "--target", "4", "finetune.max_steps=1", cwd=made)
    own, head = 4 * (288 + 24), 24 * 10 + 10
    total = sum(value.numel() for name, value in best(made, 1)["weights"].items() if "batches" not in name) - 16
    assert f"learning: {own + head:,} of {total + own:,} values" in answer.err
    assert "LoRA of rank 4, alpha 8, beside linear_4" in answer.err
    shown = ft("layers", "runs/tiny/4", "--json", cwd=made)
    rows = {row["name"]: row for row in json.loads(shown.out)["rows"]}
    assert (rows["linear_4"]["state"], rows["linear_4"]["trainable"]) == ("partly", own)
    assert (rows["conv2d_0"]["state"], rows["linear_5"]["state"]) == ("frozen", "trainable")
    shutil.rmtree(made / "runs/tiny/4")


def test_before_the_first_step_it_answers_as_its_base(home: Path) -> None:
    answer = ft("finetune", "runs/tiny/1", "--lora", "4", "finetune.max_steps=1", "--json", cwd=home)
    validated = json.loads(ft("eval", "runs/tiny/1", "--split", "val", "--json", cwd=home).out)["metrics"]
    assert json.loads(answer.out)["before"]["loss"] == validated["loss"]


def test_the_small_file_lies_beside_best_in_the_form_of_peft(made: Path) -> None:
    folder = made / "runs/tiny/3/checkpoints/adapter"
    tensors = load_file(folder / "adapter_model.safetensors")
    own = {f"{layer}.lora_{part}.weight" for layer in ("conv2d_0", "linear_4") for part in "AB"}
    sizes = {f"{layer}.lora_magnitude_vector" for layer in ("conv2d_0", "linear_4")}
    assert set(tensors) == {f"base_model.model.{name}" for name in own | sizes | {"linear_5.weight", "linear_5.bias"}}
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["lora_dropout"]) == (4, 6, 0.1)
    assert settings["use_dora"] is True
    assert settings["target_modules"] == "conv2d_0|linear_4"
    assert settings["modules_to_save"] == ["linear_5"]


# ---------------------------------------------------------------- what answers the same


def judged(folder: Path, *words: object) -> dict[str, float]:
    answer = ft("eval", *words, "--split", "val", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    metrics: dict[str, float] = json.loads(answer.out)["metrics"]
    return metrics


@pytest.mark.parametrize("run", [2, 3])
def test_run_merged_file_and_base_with_adapter_are_judged_alike(home: Path, run: int) -> None:
    """As its own validation, in which the adapters were apart, had it."""
    assert ft("merge", f"runs/tiny/{run}", "--out", "plain.pt", cwd=home).code == 0
    validated = json.loads((home / f"runs/tiny/{run}/result.json").read_text())["metrics"]
    small = home / f"runs/tiny/{run}/checkpoints/adapter"
    status = (home / "runs/tiny/1/status.json").read_text()
    for words in ([f"runs/tiny/{run}"], ["plain.pt"], ["runs/tiny/1", "--adapter", small]):
        metrics = judged(home, *words)
        assert metrics["loss"] == pytest.approx(validated["loss"], rel=1e-5)
        assert metrics["accuracy"] == validated["accuracy"]
    assert (home / "runs/tiny/1/status.json").read_text() == status  # what its adapter reached is not its own score
    assert judged(home, "runs/tiny/1")["loss"] != pytest.approx(validated["loss"], rel=1e-3)


@pytest.mark.parametrize("run", [2, 3])
def test_a_merged_checkpoint_holds_a_plain_network_that_answers_by_the_formula(home: Path, run: int) -> None:
    assert ft("merge", f"runs/tiny/{run}", "--out", "plain.pt", cwd=home).code == 0
    w, plain = best(home, run)["weights"], load_checkpoint(home / "plain.pt")
    assert set(plain["weights"]) == set(best(home, 1)["weights"])
    assert "adapter" not in plain
    x = torch.rand(5, 1, 8, 8, dtype=torch.float64)
    w = {name: value.double() for name, value in w.items()}

    def changed_weight(layer: str) -> torch.Tensor:
        base = w[f"{layer}.weight"]
        a, b = w[f"{layer}.lora_A.weight"].flatten(1), w[f"{layer}.lora_B.weight"].flatten(1)
        flat = base.flatten(1) + 6 / 4 * b @ a
        if run == 3:
            flat = w[f"{layer}.lora_magnitude_vector"][:, None] * flat / flat.norm(dim=1, keepdim=True)
        return flat.reshape(base.shape)

    def forward(conv: torch.Tensor, linear: torch.Tensor, v: dict[str, torch.Tensor]) -> torch.Tensor:
        hidden = F.conv2d(x, conv, v["conv2d_0.bias"]).relu()
        norm = nn.BatchNorm2d(8).double().eval()
        norm.load_state_dict({k.removeprefix("batchnorm2d_1."): t for k, t in v.items() if k.startswith("batchnorm")})
        hidden = F.linear(norm(hidden).flatten(1), linear, v["linear_4.bias"]).relu()
        return F.linear(hidden, v["linear_5.weight"], v["linear_5.bias"])

    apart = forward(changed_weight("conv2d_0"), changed_weight("linear_4"), w)
    merged = {name: value.double() for name, value in plain["weights"].items()}
    together = forward(merged["conv2d_0.weight"], merged["linear_4.weight"], merged)
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-5)


def test_merging_says_where_and_merges_once(home: Path) -> None:
    answer = ft("merge", "runs/tiny/2", "-q", cwd=home)
    assert answer.code == 0
    merged = Path(answer.out.strip())
    assert merged == home / "runs/tiny/2/checkpoints/merged.pt"
    again = ft("merge", merged, cwd=home)
    assert (again.code, "nothing to merge" in again.err) == (2, True)
    told = json.loads(ft("merge", "runs/tiny/1", "--adapter", "runs/tiny/3", "--json", cwd=home).out)
    assert (told["kind"], told["layers"]) == ("merge", 2)
    assert told["out"] == "runs/tiny/3/checkpoints/merged.pt"
    assert ft("finetune", merged, "finetune.lora=null", "finetune.max_steps=1", cwd=home).code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["runs/tiny/1"], 2, "has no adapters, so there is nothing to merge"),
        (["c.yaml"], 2, "file of settings"),
        (["nowhere"], 2, "there is no file or run"),
        (["runs/tiny/1", "--adapter", "nowhere"], 2, "there is no adapter nowhere"),
        (["runs/tiny/2", "--out", "nowhere/x.pt"], 2, "there is no folder"),
        (["runs/tiny/2", "seed=3"], 2, "changes no settings"),
        (["runs/tiny/2", "--out", "runs/tiny/2/checkpoints/best.pt"], 2, "this is what is merged"),
        (["runs/tiny/2", "--adapter", "runs/tiny/2"], 4, "trained beside other weights"),
    ],
)
def test_what_cannot_be_merged_is_refused(made: Path, words: list[str], code: int, said: str) -> None:
    answer = ft("merge", *words, cwd=made)
    assert answer.code == code
    assert said in answer.err


def test_an_adapter_of_another_base_or_damaged_is_refused(home: Path) -> None:
    assert ft("train", "c.yaml", "seed=9", cwd=home).code == 0
    for command in (["eval", "runs/tiny/4"], ["predict", "runs/tiny/4", "-i", "image=x.png"]):
        answer = ft(*command, "--adapter", "runs/tiny/2", cwd=home)
        assert (answer.code, "trained beside other weights" in answer.err) == (4, True)
    file = home / "runs/tiny/2/checkpoints/adapter/adapter_model.safetensors"
    whole = bytearray(file.read_bytes())
    whole[-3] ^= 1
    file.write_bytes(whole)
    answer = ft("eval", "runs/tiny/1", "--adapter", file, cwd=home)
    assert (answer.code, "do not match its checksum" in answer.err) == (4, True)
    save_file({"x": torch.zeros(1)}, home / "other.safetensors")
    answer = ft("eval", "runs/tiny/1", "--adapter", "other.safetensors", cwd=home)
    assert (answer.code, "holds no adapter of ft" in answer.err) == (4, True)


def test_an_adapter_brings_its_own_classes_to_its_base(home: Path) -> None:
    images = np.random.default_rng(0).integers(0, 17, (90, 8, 8), dtype=np.uint8)
    np.savez(home / "o.npz", image=images, digit=np.array(["cat", "dog", "eel"] * 30))
    data = {"source": "arrays", "train": {"image": "o.npz:image", "digit": "o.npz:digit"}, "split": {"val": 9}}
    columns = {"inputs": {"image": {"type": "image"}}, "outputs": {"digit": {"type": "category"}}}
    settings = changed({**NET, "data": data, **columns}, {"train": {"batch_size": 9}})
    write_config(home / "o.yaml", settings, changed(TINY, {"data": ...}))
    tuned = ft("finetune", "o.yaml", "--from", "runs/tiny/1", "--lora", "2", "-q", cwd=home)
    assert tuned.code == 0, tuned.err
    assert judged(home, "runs/tiny/1", "--adapter", "runs/tiny/4") == judged(home, "runs/tiny/4")
    assert ft("merge", "runs/tiny/1", "--adapter", "runs/tiny/4", "--out", "three.pt", cwd=home).code == 0
    assert load_checkpoint(home / "three.pt")["columns"]["outputs"]["digit"]["classes"] == ["cat", "dog", "eel"]


# ---------------------------------------------------------------- on the way


@pytest.mark.fault(3)
def test_killed_with_adapters_it_ends_with_the_bits_of_the_run_that_was_not(home: Path) -> None:
    words = [*LORA, "finetune.ema=0.9", "finetune.checkpoint_every_steps=3", "finetune.lora.dora=true"]
    whole = ft_process("finetune", "runs/tiny/1", *words, "--runs-dir", "whole", cwd=home)
    assert whole.code == 0, whole.err
    killed = ["finetune", "runs/tiny/1", *words, "--runs-dir", "killed", "--resume"]
    assert dying("step", 8, *killed, cwd=home) == -9
    assert dying("step", 17, *killed, cwd=home) == -9
    answer = ft_process(*killed, cwd=home)
    assert answer.code == 0, answer.err
    assert compare_runs(RunFolder(home / "whole/tiny/1"), RunFolder(home / "killed/tiny/1"))[-1] is None
    small = "tiny/1/checkpoints/adapter/adapter_model.safetensors"
    first, second = load_file(home / "whole" / small), load_file(home / "killed" / small)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_from_a_checkpoint_with_adapters_a_fine_tuning_goes_on_with_all_it_learned(home: Path) -> None:
    answer = ft("finetune", "runs/tiny/2", "finetune.lora=null", "finetune.max_steps=1", "--json", cwd=home)
    assert answer.code == 0, answer.err
    validated = json.loads((home / "runs/tiny/2/result.json").read_text())["metrics"]
    assert json.loads(answer.out)["before"]["loss"] == pytest.approx(validated["loss"], rel=1e-5)
    assert not [name for name in best(home, 4)["weights"] if "lora" in name]


def test_all_stages_of_a_file_with_adapters_run_and_are_validated_before(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", changed(NET, {"finetune": {"lora": {"rank": 2, "target": ["conv*"]}}}))
    assert ft("config", "validate", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("run", "c.yaml", "-q", cwd=tmp_path)
    assert answer.code == 0, answer.err
    names = {name for name in load_checkpoint(tmp_path / answer.out.strip())["weights"] if "lora" in name}
    assert names == {"conv2d_0.lora_A.weight", "conv2d_0.lora_B.weight"}
    assert ft("run", "c.yaml", "--smoke", cwd=tmp_path).code == 0
    wrong = ft("config", "validate", "c.yaml", "finetune.lora.target=nothing", cwd=tmp_path)
    assert (wrong.code, "target nothing matches no layer" in wrong.err) == (2, True)
    blank = ft("finetune", "c.yaml", "--lora", "2", "--target", " , ", cwd=tmp_path)
    assert (blank.code, "--target names no layer" in blank.err) == (2, True)


CODE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.all = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, num_classes))
    def forward(self, x):
        return self.all(x)

def build(num_classes):
    return Net(num_classes)
"""


def test_a_model_of_ones_own_code_takes_adapters(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CODE)
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("finetune", "c.yaml", "--lora", "2", "-q", cwd=tmp_path)
    assert answer.code == 0, answer.err
    added = {name for name in load_checkpoint(tmp_path / answer.out.strip())["weights"] if "lora" in name}
    assert added == {"all.1.lora_A.weight", "all.1.lora_B.weight"}
    assert ft("merge", "runs/tiny/2", "-q", cwd=tmp_path).code == 0  # runs no code
    assert ft("eval", "runs/tiny/2/checkpoints/merged.pt", "--python", "net.py", cwd=tmp_path).code == 0


def test_encoders_and_tables_of_vectors_take_adapters(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kind, size = rng.integers(0, 5, 120), rng.normal(size=120).astype(np.float32)
    np.savez(tmp_path / "t.npz", kind=kind, size=size, y=(kind + size > 2).astype(np.int64))
    train = {name: f"t.npz:{name}" for name in ("kind", "size", "y")}
    settings = {
        "data": {"source": "arrays", "train": train, "split": {"val": 30}},
        "inputs": {"kind": {"type": "category"}, "size": {"type": "number"}},
        "outputs": {"y": {"type": "category"}},
        "model": {"layers": ..., "fusion": "concat", "body": [{"Linear": {"out_features": 8, "activation": "ReLU"}}]},
        "train": {"batch_size": 16},
    }
    write_config(tmp_path / "c.yaml", settings, changed(TINY, {"data": ...}))
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("finetune", "c.yaml", "--lora", "2", "finetune.lr=0.01", "-q", cwd=tmp_path)
    assert answer.code == 0, answer.err
    layers = best(tmp_path, 2)["adapter"]["layers"]
    assert layers == ["encoders.kind.embedding", "body.linear_0"]
    assert best(tmp_path, 2)["adapter"]["heads"] == ["heads.y"]
    validated = json.loads((tmp_path / "runs/tiny/2/result.json").read_text())["metrics"]
    assert judged(tmp_path, "runs/tiny/2")["loss"] == pytest.approx(validated["loss"], rel=1e-5)
    answer = ft("predict", "runs/tiny/1", "--adapter", "runs/tiny/2", "-i", "kind=3", "-i", "size=0.5", cwd=tmp_path)
    plain = ft("predict", "runs/tiny/2", "-i", "kind=3", "-i", "size=0.5", cwd=tmp_path)
    assert (answer.code, answer.out) == (0, plain.out)


def test_adapters_beside_gradual_unfreezing_are_refused_before_anything_runs(tmp_path: Path) -> None:
    stage = {"epochs": 2, "freeze": [1], "unfreeze": {2: [1]}, "lora": {"rank": 2, "target": "*"}}
    write_config(tmp_path / "c.yaml", {"finetune": stage})
    answer = ft("config", "validate", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "finetune.unfreeze lets frozen layers learn, and finetune.lora keeps them as they are" in answer.err
