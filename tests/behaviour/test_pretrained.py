"""Starting from a library's weights or a stranger's file: fetched once, fitted, and every name accounted for.

The weights are drawn here and served under torchvision's own address, with a name that carries their SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from command_line import changed, ft
from PIL import Image
from torch import Tensor

from ft.core.runtime.torchvision import import_torchvision

NET = "shufflenet_v2_x0_5"  # 0.3 M parameters without its last layer
PHOTOS: dict[str, Any] = {
    "name": "pets",
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {"source": "image_folder", "root": "photos", "split": {"val": 0.25, "test": 0.25}},
    "inputs": {"image": {"type": "image", "size": 32}},
    "outputs": {"label": {"type": "category"}},
    "model": {"torchvision": NET},
    "train": {"epochs": 1, "batch_size": 8, "lr": 1e-3},
    "finetune": {"freeze": "all but head"},
}


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found: dict[str, Tensor] = import_torchvision().models.get_model(NET, weights=None).state_dict()
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with photos of two kinds and pets.yaml."""
    numbers = np.random.default_rng(0)
    for kind, colour in (("cat", (200, 80, 60)), ("dog", (60, 90, 200))):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(numbers.normal(colour, 40, (40, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / kind / f"{number}.png")
    write(tmp_path)
    return tmp_path


def write(home: Path, changes: dict[str, Any] | None = None) -> None:
    (home / "pets.yaml").write_text(yaml.safe_dump(changed(PHOTOS, changes or {})))


@pytest.fixture
def served(home: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """torchvision's address of the network's weights answers with `state`. Gives the addresses asked for."""
    content = io.BytesIO()
    torch.save(state, content)
    known = import_torchvision().models.get_model_weights(NET).DEFAULT.value
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    monkeypatch.setattr(known, "url", f"https://example.org/{NET}-{digest[:8]}.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(home / "hub"))
    asked: list[str] = []

    class Answer(io.BytesIO):
        headers: dict[str, str] = {}  # noqa: RUF012

        def geturl(self) -> str:
            return asked[-1]

    def urlopen(url: str, timeout: float) -> Answer:  # noqa: ARG001
        asked.append(url)
        return Answer(content.getvalue())

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def checkpoint(home: Path, run: str = "runs/pets/1") -> dict[str, Any]:
    found: dict[str, Any] = torch.load(home / run / "checkpoints/best.pt", weights_only=True)
    return found


def test_named_weights_are_fetched_once_and_everything_but_the_head_is_theirs(
    home: Path, served: list[str], state: dict[str, Tensor]
) -> None:
    for _ in range(2):
        answer = ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home)
        assert answer.code == 0, answer.err
    assert len(served) == 1
    assert "ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1" in answer.err
    found = checkpoint(home)["weights"]
    for name, value in state.items():
        assert name.startswith("fc.") or torch.equal(found[name], value), name  # all but the head was frozen
    assert found["fc.weight"].shape == (2, 1024)


@pytest.mark.usefixtures("served")
def test_pictures_are_normalised_as_the_weights_expect_unless_the_file_says_how(home: Path) -> None:
    answer = ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home)
    assert "image: normalised as" in answer.err
    assert checkpoint(home)["columns"]["inputs"]["image"]["mean"] == pytest.approx([0.485, 0.456, 0.406])
    answer = ft("finetune", "pets.yaml", "model.weights=DEFAULT", "inputs.image.normalize=fit", cwd=home)
    assert "normalised as" not in answer.err
    assert checkpoint(home, "runs/pets/2")["columns"]["inputs"]["image"]["mean"][0] != pytest.approx(0.485, abs=1e-3)


@pytest.mark.usefixtures("served")
def test_the_librarys_file_means_the_same_wherever_it_lies(home: Path) -> None:
    first = ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home)
    (file,) = (home / "hub/checkpoints").iterdir()
    second = ft("finetune", "pets.yaml", "--from", shutil.copy(file, home), cwd=home)
    assert first.code == second.code == 0, second.err
    one, two = checkpoint(home), checkpoint(home, "runs/pets/2")
    assert all(torch.equal(value, two["weights"][name]) for name, value in one["weights"].items())
    assert one["columns"] == two["columns"]


@pytest.mark.usefixtures("served")
def test_what_became_of_every_name_is_a_file_and_a_part_of_the_report(home: Path) -> None:
    ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home)
    loading = json.loads((home / "runs/pets/1/loading.json").read_text())
    assert Path(loading["from"]).parent == home / "hub/checkpoints"
    assert loading["replaced"] == ["fc.weight", "fc.bias"]
    assert loading["missing"] == loading["unexpected"] == []
    assert loading["share"] == 1.0
    report = (home / "runs/pets/1/report.md").read_text()
    section = report.partition("## Starting weights")[2].partition("##")[0]
    assert "replaced, fresh: fc.weight" in section


@pytest.mark.usefixtures("served")
def test_training_cannot_begin_from_them_where_the_classes_are_others_and_says_what_can(home: Path) -> None:
    answer = ft("train", "pets.yaml", "model.weights=DEFAULT", cwd=home)
    assert answer.code == 4
    assert "only the last layer differs: fine-tuning can replace it (ft finetune)" in answer.err
    assert not (home / "runs").exists()


@pytest.mark.usefixtures("served")
def test_without_a_network_one_line_says_which_file_to_put_where(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    answer = ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home)
    assert answer.code == 4
    assert "put it there:" in answer.errors[0]
    assert not (home / "runs").exists()


@pytest.mark.usefixtures("served")
def test_a_kept_file_that_was_changed_is_refused(home: Path) -> None:
    assert ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home).code == 0
    (file,) = (home / "hub/checkpoints").iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    answer = ft("finetune", "pets.yaml", "model.weights=DEFAULT", cwd=home)
    assert answer.code == 4
    assert "is damaged: its SHA-256 begins with" in answer.err


def test_resuming_a_finetuning_from_a_strangers_file_has_all_bits(home: Path, state: dict[str, Tensor]) -> None:
    torch.save({"state_dict": state}, home / "w.pth")
    write(home, {"train": ..., "finetune": {"epochs": 2, "batch_size": 4}})
    answer = ft("verify-resume", "pets.yaml", "model.weights=w.pth", cwd=home)
    assert answer.code == 0, answer.err
    assert "equal" in answer.out


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (["model.weights=IMAGENET1K_V9"], 2, f"{NET} has no weights IMAGENET1K_V9; it has IMAGENET1K_V1"),
        (
            ["model.weights=DEFAULT", "model.torchvision=null", "model.layers=[Flatten,Linear]"],
            2,
            "names weights of a lib",
        ),
        (["model.weights=http://example.org/a.pth"], 2, "https only"),
        (["model.weights=nowhere.pth"], 2, "there is no file nowhere.pth"),
        (["model.rename={a: b}"], 2, "model.rename"),
        (["model.rename={a: '*'}"], 2, "more * on the right"),
        (["model.require_loaded=2"], 2, "require_loaded"),
        (["model.timm=resnet18"], 2, "only one"),
    ],
)
@pytest.mark.usefixtures("served")
def test_wishes_that_cannot_be_met_are_one_clear_line(home: Path, settings: list[str], code: int, message: str) -> None:
    answer = ft("train", "pets.yaml", *settings, "finetune=null", cwd=home)
    assert answer.code == code, answer.err
    assert message in answer.err
    assert not (home / "runs").exists()


# ---------------------------------------------------------------- strangers' files


def test_foreign_names_are_renamed_and_the_changes_are_told(home: Path, state: dict[str, Tensor]) -> None:
    foreign = {f"module.backbone.{name}".replace("stage2", "second"): value for name, value in state.items()}
    torch.save({"state_dict": foreign, "epoch": 7}, home / "foreign.pth")
    write(home, {"model": {"rename": {"backbone.second": "stage2"}}})
    answer = ft("finetune", "pets.yaml", "--from", "foreign.pth", cwd=home)
    assert answer.code == 0, answer.err
    found = checkpoint(home)["weights"]
    assert torch.equal(found["stage2.0.branch1.0.weight"], state["stage2.0.branch1.0.weight"])
    summary = json.loads((home / "runs/pets/1/loading.json").read_text())["summary"]
    assert any(line.startswith("renamed: backbone.second to stage2, ") for line in summary)
    assert any(line.startswith("taken off the names: backbone. ") for line in summary)


def test_batch_counters_that_an_old_file_lacks_are_one_line_and_no_loss(home: Path, state: dict[str, Tensor]) -> None:
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, home / "old.pth")
    answer = ft("finetune", "pets.yaml", "--from", "old.pth", "model.require_loaded=0.999", cwd=home)
    assert answer.code == 0, answer.err
    assert "norm layers count their batches from 0 (56 of them)" in answer.err
    assert "missing in the file" not in answer.err


def test_less_than_the_required_share_ends_before_anything_is_written(home: Path, state: dict[str, Tensor]) -> None:
    some = {name: value for name, value in state.items() if not name.startswith(("conv5", "stage4"))}
    torch.save(some, home / "some.pth")
    answer = ft("finetune", "pets.yaml", "--from", "some.pth", "model.require_loaded=0.95", cwd=home)
    assert answer.code == 4
    assert "of the network's values, and model.require_loaded is 0.95" in answer.err
    assert "missing in the file, fresh: stage4.0.branch1.0.weight" in answer.err
    assert not (home / "runs").exists()
    assert ft("finetune", "pets.yaml", "--from", "some.pth", "model.require_loaded=0.1", cwd=home).code == 0


def test_weights_of_another_architecture_end_with_exit_code_4(home: Path) -> None:
    other = import_torchvision().models.get_model("squeezenet1_1", weights=None)
    torch.save(other.state_dict(), home / "other.pth")
    answer = ft("finetune", "pets.yaml", "--from", "other.pth", cwd=home)
    assert answer.code == 4
    assert "none of the file's weights belongs to this network" in answer.err


def test_grey_pictures_get_the_sum_of_the_three_colours_weights(home: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, home / "w.pth")
    answer = ft("finetune", "pets.yaml", "--from", "w.pth", "inputs.image.channels=1", cwd=home)
    assert answer.code == 0, answer.err
    assert "conv1.0.weight: summed over the 3 input channels of the file, for pictures of 1" in answer.err
    expected = state["conv1.0.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(checkpoint(home)["weights"]["conv1.0.weight"], expected)
    assert ft("eval", cwd=home).code == 0
