"""A checkpoint is written whole or not at all, and a damaged one is known."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from ft.core.engine import checkpoint as module
from ft.core.engine.checkpoint import NotACheckpointError, digest, load_checkpoint, save_checkpoint
from ft.core.errors import CheckpointError, ResourceError


def contents() -> dict[str, Any]:
    return {
        "weights": {"a": torch.arange(1000, dtype=torch.float32).reshape(10, 100), "b": torch.tensor(3)},
        "half": torch.ones(3, dtype=torch.bfloat16),
        "channels_last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "metrics": {"accuracy": 0.5, "nothing": None, "undefined": float("nan")},
        "state": {0: {"step": 3}, 1: {"step": 4}},
        "groups": [{"params": [0, 1]}, {}],
        "betas": (0.9, 0.999),
    }


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", contents())
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(loaded["weights"]["a"], contents()["weights"]["a"])
    assert loaded["state"] == contents()["state"]
    assert loaded["betas"] == (0.9, 0.999)


def test_nothing_but_the_checkpoint_is_left_in_the_folder(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", contents())
    save_checkpoint(tmp_path / "c.pt", contents())
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_one_flipped_byte_is_found(tmp_path: Path, part: float) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"weights": {"a": torch.rand(20_000)}})
    data = bytearray(path.read_bytes())
    data[int(len(data) * part)] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"c\.pt (is damaged|cannot be read)"):
        load_checkpoint(path)


@pytest.mark.parametrize("kept", [0, 10, 1000, -1])
def test_a_file_cut_short_is_told(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, contents())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"c\.pt"):
        load_checkpoint(path)


@pytest.mark.fault(20)
def test_a_pickle_with_code_in_it_runs_nothing(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path}/ran",)

    path = tmp_path / "trap.pt"
    torch.save({"format": "ft-checkpoint", "trap": Trap()}, path)
    with pytest.raises(CheckpointError, match="never loads"):
        load_checkpoint(path)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "plain.pt")
    assert not (tmp_path / "ran").exists()


def test_plain_weights_are_told_from_a_checkpoint(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pt")
    save_checkpoint(tmp_path / "c.pt", contents())
    assert load_checkpoint(tmp_path / "c.pt")["betas"] == (0.9, 0.999)
    with pytest.raises(NotACheckpointError, match="holds no ft checkpoint"):
        load_checkpoint(tmp_path / "w.pt")


def test_a_checkpoint_of_a_later_format_is_refused_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VERSION", 2)
    save_checkpoint(tmp_path / "c.pt", contents())
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="format version 2; this ft reads version 1"):
        load_checkpoint(tmp_path / "c.pt")


@pytest.mark.fault(14)
def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"metrics": {"accuracy": 0.1}})

    def full(_: Any, file: Any) -> None:
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ResourceError, match="No space left"):
        save_checkpoint(path, {"metrics": {"accuracy": 0.2}})
    monkeypatch.undo()
    assert load_checkpoint(path)["metrics"] == {"accuracy": 0.1}
    assert [it.name for it in tmp_path.iterdir()] == ["c.pt"]


def test_the_first_checkpoint_on_a_full_disk_does_not_speak_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any, __: Any) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr(module, "_free", lambda _: 0)
    with pytest.raises(ResourceError, match="the disk is full") as error:
        save_checkpoint(tmp_path / "c.pt", contents())
    assert "earlier" not in str(error.value)


def test_the_digest_sees_values_names_types_and_shapes_and_nothing_else() -> None:
    base = digest(contents())
    assert digest(dict(reversed(contents().items()))) != ""
    same = contents()
    same["channels_last"] = torch.as_tensor(same["channels_last"]).contiguous()
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 4, 4)
    assert digest({"p": picture}) == digest({"p": picture.to(memory_format=torch.channels_last)})
    assert digest({"p": picture}) != digest({"p": picture.reshape(2, 3, 16)})
    assert digest({"p": picture}) != digest({"q": picture})
    assert digest({"p": torch.ones(2)}) != digest({"p": torch.ones(2, dtype=torch.float64)})
    assert digest({1: "a"}) != digest({"1": "a"})
    assert len(base) == 64


def test_an_interrupt_while_saving_stays_an_interrupt_whatever_the_zip_writer_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("unexpected pos")  # as torch's writer does when it closes half a file

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path / "a.pt", {"x": 1})
    assert not list(tmp_path.iterdir())
