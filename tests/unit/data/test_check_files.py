"""What a check says of pictures and sounds: unreadable, showing nothing, cut, several times the same."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_checks import CATEGORY, INPUTS, OUTPUTS, found
from PIL import Image

from ft.core.data.checks.findings import DataReport
from ft.core.data.checks.looks import check_dataset
from ft.core.data.table import Dataset, Table


def picture(kind: str = "PNG", *, size: int = 24, seed: int | None = 0, color: int = 0) -> bytes:
    """Noise, or one colour without a seed."""
    pixels = np.full((size, size, 3), color, dtype=np.uint8)
    if seed is not None:
        pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def sound(samples: np.ndarray, rate: int = 8_000) -> bytes:
    """16-bit wav. samples: -1..1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def look_at_files(folder: Path, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> DataReport:
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
    labels = np.where(np.arange(len(files)) % 2, "cat", "dog")
    table = Table({"x": np.array(list(files)), "y": labels}, list(files), folder)
    dataset = Dataset({"train": table}, ("train",), {}, "made here")
    return check_dataset(dataset, INPUTS.validate_python({"x": settings}), OUTPUTS.validate_python({"y": CATEGORY}))


@pytest.mark.fault(18)
def test_pictures_that_show_nothing_or_cannot_be_read_are_named(tmp_path: Path) -> None:
    files = {f"{row}.png": picture(seed=row) for row in range(60)}
    files |= {
        "broken.png": picture(seed=99)[:200],
        "empty.png": b"",
        "blank.png": picture(seed=None),
        "small.png": picture(size=3, seed=98),
        "twin.png": picture(seed=0),
    }
    report = look_at_files(tmp_path, files, {"type": "image", "size": 8})
    [unreadable] = found(report, "unreadable")
    assert (unreadable.level, unreadable.count) == ("error", 2)
    assert "broken.png" in unreadable.message
    assert unreadable.rows == ("empty.png",)
    assert [finding.rows for finding in found(report, "blank")] == [("blank.png",)]
    assert [finding.rows for finding in found(report, "small")] == [("small.png",)]
    assert "0.png and twin.png" in found(report, "same-file")[0].message


def test_a_drawing_of_another_format_among_photographs_may_be_a_placeholder(tmp_path: Path) -> None:
    drawing = np.zeros((24, 24, 3), dtype=np.uint8)
    drawing[8:16] = 255
    file = io.BytesIO()
    Image.fromarray(drawing).save(file, "GIF")
    files = {f"{row}.png": picture(seed=row) for row in range(60)} | {"none.gif": file.getvalue()}
    report = look_at_files(tmp_path, files, {"type": "image", "size": 8})
    assert [(finding.level, finding.rows) for finding in found(report, "placeholder")] == [("warning", ("none.gif",))]


def test_a_missing_file_is_an_error_and_with_skip_a_warning(tmp_path: Path) -> None:
    files = {f"{row}.png": picture(seed=row) for row in range(30)}
    levels = []
    for rule in ("fail", "skip"):
        look_at_files(tmp_path, files, {"type": "image", "size": 8})
        table = Table({"x": np.array([*files, "gone.png"]), "y": np.array(["a", "b"] * 15 + ["a"])}, None, tmp_path)
        dataset = Dataset({"train": table}, ("train",), {}, "made here")
        given = INPUTS.validate_python({"x": {"type": "image", "size": 8, "on_error": rule}})
        [finding] = found(check_dataset(dataset, given, OUTPUTS.validate_python({"y": CATEGORY})), "unreadable")
        assert "gone.png in row 30 is not there" in finding.message
        levels.append(finding.level)
    assert levels == ["error", "warning"]


def test_sounds_that_are_silent_clipped_cut_or_of_another_rate_are_named(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    files = {f"{row}.wav": sound(rng.uniform(-0.5, 0.5, 4_000)) for row in range(30)}
    files |= {
        "silent.wav": sound(np.zeros(4_000)),
        "clipped.wav": sound(np.clip(rng.normal(size=4_000) * 3, -1, 1)),
        "long.wav": sound(rng.uniform(-0.5, 0.5, 20_000)),
        "fast.wav": sound(rng.uniform(-0.5, 0.5, 4_000), 16_000),
        "none.wav": sound(np.zeros(0)),
        "text.wav": b"this is no sound",
    }
    report = look_at_files(tmp_path, files, {"type": "audio", "seconds": 1.0, "rate": 8_000})
    assert [finding.rows for finding in found(report, "silent")] == [("silent.wav",)]
    assert [finding.rows for finding in found(report, "clipped")] == [("clipped.wav",)]
    assert "longest has 2.50 s" in found(report, "cut-sound")[0].message
    assert "8,000 Hz (33), 16,000 Hz (1)" in found(report, "rate")[0].message
    [unreadable] = found(report, "unreadable")
    assert (unreadable.level, unreadable.count) == ("error", 2)
    assert "none.wav holds no samples" in unreadable.message
