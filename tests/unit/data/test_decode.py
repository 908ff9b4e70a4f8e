"""Promises of decoding: every kind of file becomes the uint8 planes it shows, turned, covered and cropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ft.core.data import decode
from ft.core.data.columns.image import ImageColumn, read_picture
from ft.core.data.table import Values
from ft.core.errors import DataError


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_a_picture_of_the_right_size_keeps_every_pixel(tmp_path: Path) -> None:
    pixels = noise(7, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(decode.read(tmp_path / "a.png", (3, 7, 5)), pixels.transpose(2, 0, 1))
    Image.fromarray(pixels[..., 0]).save(tmp_path / "b.png")
    assert np.array_equal(decode.read(tmp_path / "b.png", (1, 7, 5))[0], pixels[..., 0])


def test_cropping_alone_moves_no_pixel(tmp_path: Path) -> None:
    pixels = noise(6, 11)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(decode.read(tmp_path / "a.png", (1, 6, 6))[0], pixels[:, 2:8])


def test_shrinking_is_antialiased_and_growing_covers(tmp_path: Path) -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)  # grey from afar
    Image.fromarray(board).save(tmp_path / "board.png")
    small = decode.read(tmp_path / "board.png", (1, 8, 8))[0]
    assert np.abs(small[1:-1, 1:-1].astype(int) - 127).max() <= 2
    Image.new("L", (3, 2), 90).save(tmp_path / "tiny.png")
    assert (decode.read(tmp_path / "tiny.png", (1, 10, 10)) == 90).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_tag_says(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((8, 6), np.uint8)
    upright[:4, :3], upright[:4, 3:] = 255, 128
    inverse = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(inverse[orientation])).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(decode.read(tmp_path / "a.png", (1, 8, 6))[0], upright)


def test_16_bits_become_8_by_rounding(tmp_path: Path) -> None:
    wide = np.array([[0, 128, 129, 257, 32896, 65535]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(wide).save(tmp_path / name)
        found = decode.read(tmp_path / name, (1, 1, 6))[0, 0]
        assert found.tolist() == [round(float(value) / 65535 * 255) for value in wide[0]]


def test_palettes_transparency_and_two_colours_become_what_they_show(tmp_path: Path) -> None:
    red = Image.new("RGB", (4, 4), (200, 10, 30))
    red.quantize(4).save(tmp_path / "palette.png")
    red.quantize(4).save(tmp_path / "palette.gif")
    transparent = red.quantize(4)
    transparent.save(tmp_path / "transparent.png", transparency=bytes([100, 255, 255, 255]))
    red.convert("RGBA").save(tmp_path / "alpha.png")
    for name in ("palette.png", "palette.gif", "transparent.png", "alpha.png"):
        assert decode.read(tmp_path / name, (3, 4, 4))[:, 0, 0].tolist() == [200, 10, 30], name
    Image.new("LA", (4, 4), (70, 128)).save(tmp_path / "la.png")
    Image.new("1", (4, 4), 1).save(tmp_path / "bits.png")
    assert (decode.read(tmp_path / "la.png", (1, 4, 4)) == 70).all()
    assert (decode.read(tmp_path / "bits.png", (1, 4, 4)) == 255).all()


def test_a_large_jpeg_decoded_in_draft_looks_the_same(tmp_path: Path) -> None:
    y, x = np.mgrid[0:1280, 0:1600]
    smooth = np.stack([x / 1600, y / 1280, (x + y) / 2880], -1)
    Image.fromarray((smooth * 255).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    blocks = smooth[:, 160:1440].reshape(32, 40, 32, 40, 3).mean((1, 3))  # the middle square, averaged
    found = decode.read(tmp_path / "a.jpg", (3, 32, 32)).transpose(1, 2, 0) / 255
    assert np.abs(found - blocks).max() < 0.02


def test_loose_files_and_arrays_take_the_same_path(tmp_path: Path) -> None:
    pixels = noise(20, 30, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    column = ImageColumn((1, 8, 8), (0.0,), (1.0,))
    loose = read_picture(tmp_path / "a.png", column)
    assert np.array_equal(loose.numpy(), decode.fit_all(pixels[None], (1, 8, 8))[0])
    in_a_column = column.encode(Values(np.array(["a.png"]), "photo", "test", folder=tmp_path))
    assert isinstance(in_a_column, Tensor)
    assert torch.equal(loose, in_a_column[0])


def test_grey_is_told_by_the_head_of_a_file(tmp_path: Path) -> None:
    kinds = {"L": True, "LA": True, "1": True, "I;16": True, "RGB": False, "RGBA": False, "P": False}
    for mode, grey in kinds.items():
        Image.new(mode, (4, 4)).save(tmp_path / "a.png")
        assert decode.is_grey(tmp_path / "a.png") == grey, mode


@pytest.mark.fault(19)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", 99)
    Image.new("L", (10, 10)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: 10 x 10 pixels; the limit is 99"):
        decode.read(tmp_path / "a.png", (1, 2, 2))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    Image.fromarray(noise(64, 64, 3)).save(tmp_path / "whole.jpg")
    contents = {"cut.jpg": (tmp_path / "whole.jpg").read_bytes()[:500], "text.png": b"hello", "empty.gif": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        said = "is empty" if not content else "cannot be read as a picture"
        with pytest.raises(DataError, match=f"{name}: {said}"):
            decode.read(tmp_path / name, (3, 8, 8))
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"float\.tif: .*save it with 8 or 16 bits"):
        decode.read(tmp_path / "float.tif", (1, 4, 4))
    with pytest.raises(DataError, match=r"none\.png: no such file"):
        decode.read(tmp_path / "none.png", (1, 4, 4))
