"""Picture files and arrays -> uint8 (C, H, W) of one size, by one path: training and prediction see the same pixels.

A picture is turned as its EXIF tag says, made grey or RGB (transparency is dropped, as most trainers do; of 16 bits
the upper 8 stay, rounded), scaled until it covers the size, antialiased, and cropped at the centre. Of several frames
the first counts. Pillow decodes; torch is not needed here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ft.core.errors import DataError
from ft.core.runtime.cores import cores

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
MAX_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb: 268 MB as RGB
FORM = 1  # to be counted up when the same file comes to give other pixels: caches go by it
ORIENTATION = 0x0112  # the EXIF tag
UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error)  # all of these come from Pillow
NO_PICTURE = "cannot be read as a picture: it is none, or of a format that Pillow does not know"
UPLOADED = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow would start Ghostscript for others
GREY_MODES = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}


class TooManyPixelsError(DataError):
    """A picture that is not decoded because of its size."""


def read(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """One file as uint8 `shape` = (C, H, W). Raises DataError naming the file."""
    out = np.empty(shape, dtype=np.uint8)
    read_into(path, out)
    return out


def read_into(path: Path, out: np.ndarray) -> Sequence[str]:
    """Fill out, uint8 (C, H, W), from a file; nothing is to be remarked. Raises DataError naming the file."""
    with _opened(path, path) as image:
        _decode(image, out)
    return ()


def read_bytes(data: bytes, name: str, shape: tuple[int, int, int], max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A picture that somebody sent, as `read` would give it. name: what errors call it.

    Raises TooManyPixelsError before anything is decoded, DataError for what is no picture.
    """
    out = np.empty(shape, dtype=np.uint8)
    with _opened(BytesIO(data), name, UPLOADED, max_pixels) as image:
        _decode(image, out)
    return out


def _decode(image: Image.Image, out: np.ndarray) -> None:
    image.draft(None, (2 * max(out.shape[1:]),) * 2)  # JPEG only: skips detail beyond twice the size
    _fit_into(_upright(image), out)


def form() -> str:
    """What decides the pixels besides the file and the size: these rules and the libraries that decode."""
    from PIL import __version__, features

    libraries = (f"{name} {features.version(name)}" for name in ("jpg", "webp", "zlib", "libtiff"))
    return ", ".join([f"form {FORM}", f"Pillow {__version__}", *libraries])


def is_grey(path: Path) -> bool:
    """Whether a file holds grey levels alone, by its head; a palette counts as colours. Raises DataError naming it."""
    with _opened(path, path) as image:
        return image.mode in GREY_MODES


def fit_all(arrays: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 (N, h, w, C') with 1 or 3 channels -> uint8 (N, *shape), fitted as files are."""
    from PIL import Image

    out = np.empty((len(arrays), *shape), dtype=np.uint8)

    def fit_row(row: int) -> None:
        pixels = arrays[row, ..., 0] if arrays.shape[-1] == 1 else arrays[row]
        _fit_into(Image.fromarray(np.ascontiguousarray(pixels)), out[row])

    with ThreadPoolExecutor(cores()) as pool:  # Pillow lets go of the interpreter lock while it resizes
        list(pool.map(fit_row, range(len(arrays))))
    return out


@contextmanager
def _opened(
    source: Path | BytesIO, name: Path | str, formats: tuple[str, ...] | None = None, max_pixels: int | None = None
) -> Iterator[Image.Image]:
    """A picture whose size is bearable, open; whatever Pillow raises within becomes a DataError that names it."""
    from PIL import Image, UnidentifiedImageError

    max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        with Image.open(source, formats=formats) as opened:
            if opened.width * opened.height > max_pixels:
                size = f"{opened.width} x {opened.height} pixels"
                raise TooManyPixelsError(f"{name}: {size}; the limit is {max_pixels:,} in all")
            yield opened
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file") from error
    except UnidentifiedImageError as error:
        length = source.stat().st_size if isinstance(source, Path) else len(source.getbuffer())
        raise DataError(f"{name}: {NO_PICTURE if length else 'is empty'}") from error
    except UNREADABLE as error:
        raise DataError(f"{name}: cannot be read as a picture: {error}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixelsError(f"{name}: too many pixels; the limit is {max_pixels:,} in all") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the EXIF tag says.

    Not by ImageOps.exif_transpose: it writes the EXIF block anew, which fails for pictures whose other tags are broken.
    """
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    image.load()  # a PNG's EXIF may stand behind its pixels
    tag = image.getexif().get(ORIENTATION, 1)
    return image.transpose(turns[tag]) if isinstance(tag, int) and tag in turns else image


def _fit_into(image: Image.Image, out: np.ndarray) -> None:
    """Convert, scale to cover and crop at the centre into out, uint8 (C, H, W)."""
    from PIL import Image

    channels, height, width = out.shape
    image, mode = _plain(image), "L" if channels == 1 else "RGB"
    if image.mode != mode or "transparency" in image.info:
        image = image.convert(mode)  # of the same mode it would be a copy
    if image.size != (width, height):
        scale = max(width / image.width, height / image.height)
        wide, tall = min(width / scale, image.width), min(height / scale, image.height)
        left, top = int((image.width - wide) / 2), int((image.height - tall) / 2)
        image = image.resize((width, height), Image.Resampling.BILINEAR, box=(left, top, left + wide, top + tall))
    out[:] = np.moveaxis(np.asarray(image).reshape(height, width, channels), -1, 0)


def _plain(image: Image.Image) -> Image.Image:
    """16 bits as 8, a transparent palette as RGBA, others as they are. Raises ValueError for floats and 32 bits."""
    from PIL import Image

    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA")  # Pillow warns when it is to drop such a transparency at once
    if image.mode == "F":
        raise ValueError("its pixels are floats of unknown range; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its pixels have 32 bits; save it with 8 or 16")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))
