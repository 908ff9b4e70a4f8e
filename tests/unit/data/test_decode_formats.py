"""Promises of decoding: the formats that cameras, scanners and web pages leave behind, and files that are broken."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ft.core.data import decode
from ft.core.errors import DataError

COLOURS = ((220, 30, 40), (20, 180, 60), (30, 50, 200), (240, 230, 90))  # top left, top right, bottom left and right


def quarters(height: int = 32, width: int = 48) -> np.ndarray:
    """Four plain rectangles: uint8 (H, W, 3)."""
    pixels = np.empty((height, width, 3), np.uint8)
    half, middle = height // 2, width // 2
    pixels[:half, :middle], pixels[:half, middle:] = COLOURS[0], COLOURS[1]
    pixels[half:, :middle], pixels[half:, middle:] = COLOURS[2], COLOURS[3]
    return pixels


def corners(found: np.ndarray) -> np.ndarray:
    """(C, H, W) -> the four colours in the middles of its quarters, int (4, C)."""
    height, width = found.shape[1:]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array([found[:, row, column] for row in rows for column in columns]).astype(int)


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("a.jpg", {"quality": 95}, 4),
        ("progressive.jpeg", {"quality": 95, "progressive": True}, 4),
        ("a.png", {}, 0),
        ("a.webp", {"quality": 95}, 8),
        ("lossless.webp", {"lossless": True}, 0),
        ("a.gif", {}, 0),
        ("a.bmp", {}, 0),
        ("a.tif", {}, 0),
        ("lzw.tiff", {"compression": "tiff_lzw"}, 0),
        ("a.ppm", {}, 0),
    ],
)
def test_every_format_shows_the_same_picture(tmp_path: Path, name: str, options: dict[str, object], error: int) -> None:
    Image.fromarray(quarters()).save(tmp_path / name, **options)  # type: ignore[arg-type]
    found = decode.read(tmp_path / name, (3, 32, 48))
    assert np.abs(corners(found) - COLOURS).max() <= error


def test_of_a_moving_gif_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in COLOURS]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert decode.read(tmp_path / "a.gif", (3, 8, 8))[:, 4, 4].tolist() == list(COLOURS[0])


def test_four_inks_become_three_lights(tmp_path: Path) -> None:
    inks = 255 - np.concatenate([quarters(), np.full((32, 48, 1), 255, np.uint8)], -1)  # no black: light = 255 - ink
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif")
    for name, error in (("a.jpg", 6), ("a.tif", 1)):
        assert np.abs(corners(decode.read(tmp_path / name, (3, 32, 48))) - COLOURS).max() <= error, name


def test_16_bits_of_a_motorola_scanner_are_read_in_their_own_order(tmp_path: Path) -> None:
    wide = np.array([[0, 257, 32896, 65535]], dtype=">u2")
    tags = {256: 4, 257: 1, 258: 16, 259: 1, 262: 1, 273: 122, 277: 1, 278: 1, 279: 8}
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"MM\0*" + struct.pack(">IH", 8, len(tags)) + entries + bytes(4)
    assert len(head) == 122
    (tmp_path / "a.tif").write_bytes(head + wide.tobytes())
    assert decode.read(tmp_path / "a.tif", (1, 1, 4))[0, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_large_jpeg_is_turned_though_it_is_decoded_in_draft(tmp_path: Path, orientation: int) -> None:
    upright = quarters(1600, 1200)
    lying = np.rot90(upright, {1: 0, 3: 2, 6: 1, 8: -1}[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(lying)).save(tmp_path / "a.jpg", quality=95, exif=exif)
    assert np.abs(corners(decode.read(tmp_path / "a.jpg", (3, 80, 40))) - COLOURS).max() <= 4


def test_a_broken_tag_beside_the_orientation_does_not_cost_the_picture(tmp_path: Path) -> None:
    """ImageOps.exif_transpose writes all tags anew, and raises struct.error or TypeError over those it cannot write."""
    value = b"pi\0"  # a rational number made of letters
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x0128, 2, 3, value)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    Image.fromarray(np.rot90(quarters())).save(tmp_path / "a.jpg", quality=95, exif=exif)
    assert np.abs(corners(decode.read(tmp_path / "a.jpg", (3, 32, 48))) - COLOURS).max() <= 4


def png_head(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.fault(19)
@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 9_000)])
def test_a_small_file_that_claims_a_huge_picture_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(png_head(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ft says it itself, as an error
        with pytest.raises(DataError, match=r"bomb\.png: .*the limit is 89,478,485 in all"):
            decode.read(tmp_path / "bomb.png", (3, 8, 8))


def test_text_under_a_pictures_name_and_a_jpeg_cut_short_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("to do: take pictures")
    Image.fromarray(quarters(600, 800)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-2000])
    for name in ("notes.jpg", "cut.jpg"):
        with pytest.raises(DataError, match=f"{name}: cannot be read as a picture"):
            decode.read(tmp_path / name, (3, 64, 64))
