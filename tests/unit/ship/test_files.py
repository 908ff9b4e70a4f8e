"""Exported files are known to be whole; what is put into them comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ft.core.errors import CheckpointError, ResourceError
from ft.core.ship import onnx_file
from ft.core.ship.replacing import replacing
from ft.core.ship.tensors_file import read_safetensors, write_safetensors

CONTENTS: dict[str, Any] = {
    "stage": "train",
    "columns": {"inputs": {"seen": {"values": torch.tensor([3, 1], dtype=torch.int32)}}},
    "counts": [1, 2.5, None],
}


def written(folder: Path) -> Path:
    tied = torch.arange(6.0).view(2, 3)
    write_safetensors(folder / "model.safetensors", {"a.weight": tied, "b.weight": tied, "c": tied.t()}, CONTENTS)
    return folder / "model.safetensors"


def test_weights_and_all_else_come_back_from_safetensors_and_json(tmp_path: Path) -> None:
    found = read_safetensors(written(tmp_path))
    weights = found.pop("weights")
    assert weights.keys() == {"a.weight", "b.weight", "c"}
    assert torch.equal(weights["c"], torch.arange(6.0).view(2, 3).t())
    assert torch.equal(found["columns"]["inputs"]["seen"].pop("values"), torch.tensor([3, 1], dtype=torch.int32))
    assert found == {"stage": "train", "columns": {"inputs": {"seen": {}}}, "counts": [1, 2.5, None]}


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_of_the_weights_is_found(tmp_path: Path) -> None:
    path = written(tmp_path)
    flip(path, -3)
    with pytest.raises(CheckpointError, match="checksum"):
        read_safetensors(path)


def test_a_document_of_other_weights_is_found(tmp_path: Path) -> None:
    path = written(tmp_path)
    told = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**told, "stage": "finetune"}))
    with pytest.raises(CheckpointError, match="checksum"):
        read_safetensors(path)


def test_weights_without_their_document_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"model\.json is missing"):
        read_safetensors(path)


def sealed(folder: Path) -> tuple[Path, dict[str, str]]:
    """A file that holds its metadata as an ONNX file does: keys and values as they are, among other bytes."""
    entries = onnx_file.metadata({"stage": "train"}, {"inputs": {"x": {}}})
    path = folder / "model.onnx"
    path.write_bytes(b"graph\0" + b"\0".join(f"{key}\0{value}".encode() for key, value in entries.items()))
    return path, {**entries, "sha256": onnx_file.seal(path)}


def test_a_sealed_file_says_what_was_put_into_it(tmp_path: Path) -> None:
    path, entries = sealed(tmp_path)
    assert onnx_file.read(entries, path) == {"stage": "train"}
    assert json.loads(entries["inputs"]) == {"x": {}}


def test_a_flipped_bit_of_a_sealed_file_is_found(tmp_path: Path) -> None:
    path, entries = sealed(tmp_path)
    flip(path, 2)
    with pytest.raises(CheckpointError, match="checksum"):
        onnx_file.read(entries, path)


def test_a_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    path, entries = sealed(tmp_path)
    with pytest.raises(CheckpointError, match="not written by ft export"):
        onnx_file.read({"inputs": entries["inputs"]}, path)


def test_a_file_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("no room")

    with pytest.raises(ResourceError, match="no room"):
        fail()
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "before"
