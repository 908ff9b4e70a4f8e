"""An explained picture or sound as one picture: the original, the heat map and both together, a title and a legend.

Small pictures are enlarged by a whole number, so that their pixels stay squares. Knows no network and no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ft.core.report import colours

SIDE = 280  # pixels that the longer side of a panel has at least
GAP, MARGIN, LINE = 20, 24, 22
TITLE_SIZE, TEXT_SIZE = 20, 14
BAR_HEIGHT = 10
INK, FAINT, PAPER = (28, 30, 34), (104, 108, 116), (255, 255, 255)
SHOWN = 0.995  # of the strongest values of a signed map: what is beyond is drawn as strong
FONTS = (  # for letters that Pillow's own font lacks
    *("NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "wqy-microhei.ttc", "PingFang.ttc"),
    *("Arial Unicode.ttf", "DejaVuSans.ttf"),
)

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Axes:
    """What the sides of a sound's picture stand for."""

    seconds: float
    top_hz: float


def draw(
    original: Pixels, heat: Floats, title: str, note: str, *, signed: bool, axes: Axes | None = None
) -> Image.Image:
    """original: (H, W, 1 or 3). heat: (h, w), stretched over it; signed: blue below zero and red above, else >= 0.

    note: a line below the title. The strongest value is at the end of the scale.
    """
    height, width = original.shape[:2]
    scale = max(1, -(-SIDE // max(height, width)))
    shown = _enlarged(original, scale)
    strength, most = _strength(heat, (shown.height, shown.width), signed=signed)
    panels = [shown, _coloured(strength, signed=signed), _laid_over(shown, strength, signed=signed)]
    names = ["log-mel" if axes else "picture", "heat map", "overlay"]
    below = LINE if axes else 0
    top = MARGIN + TITLE_SIZE + 10 + LINE + 12 + LINE
    whole = Image.new(
        "RGB",
        (2 * MARGIN + 3 * shown.width + 2 * GAP, top + shown.height + below + 16 + BAR_HEIGHT + LINE + MARGIN),
        PAPER,
    )
    pen = ImageDraw.Draw(whole)
    room = whole.width - 2 * MARGIN
    pen.text((MARGIN, MARGIN), _fitted(title, TITLE_SIZE, room), INK, _font(title, TITLE_SIZE))
    pen.text((MARGIN, MARGIN + TITLE_SIZE + 10), _fitted(note, TEXT_SIZE, room), FAINT, _font(note, TEXT_SIZE))
    for place, (name, panel) in enumerate(zip(names, panels, strict=True)):
        left = MARGIN + place * (shown.width + GAP)
        pen.text((left, top - LINE), name, FAINT, _font(name, TEXT_SIZE))
        whole.paste(panel, (left, top))
        if axes is not None:
            _mark(pen, left, top, (shown.width, shown.height), axes, first=place == 0)
    _legend(whole, pen, top + shown.height + below + 16, shown.width, most, signed=signed)
    return whole


def _enlarged(original: Pixels, scale: int) -> Image.Image:
    colour = np.repeat(original, 3, axis=2) if original.shape[2] == 1 else original
    picture = Image.fromarray(np.ascontiguousarray(colour))
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def _strength(heat: Floats, size: tuple[int, int], *, signed: bool) -> tuple[Floats, float]:
    """The map over `size` (height, width), brought to -1..1 or 0..1, and the value that 1 stands for."""
    sizes = np.abs(heat)
    most = float(np.quantile(sizes, SHOWN)) if signed else float(sizes.max())
    most = most or float(sizes.max()) or 1.0
    level = Image.fromarray((heat / most).astype(np.float32))
    whole = size[0] % heat.shape[0] == 0 and size[1] % heat.shape[1] == 0 and signed
    way = Image.Resampling.NEAREST if whole else Image.Resampling.BILINEAR  # pixels stay pixels, maps have no corners
    stretched = np.asarray(level.resize((size[1], size[0]), way), dtype=np.float64)
    return np.clip(stretched, -1 if signed else 0, 1), most


def _coloured(strength: Floats, *, signed: bool) -> Image.Image:
    return Image.fromarray(colours.signed(strength) if signed else colours.heat(strength))


def _laid_over(picture: Image.Image, strength: Floats, *, signed: bool) -> Image.Image:
    """The picture in grey, coloured the more the stronger the map is there."""
    grey = np.asarray(picture.convert("L"), dtype=np.float64)[..., None] / 255
    if signed:
        base, cover = 0.25 + 0.75 * grey, np.abs(strength)[..., None] ** 0.7
        paint = colours.signed(np.sign(strength) * 0.9) / 255
    else:
        base, cover = 0.75 * grey, 0.1 + 0.65 * strength[..., None]
        paint = colours.heat(strength) / 255
    return Image.fromarray(np.rint(255 * ((1 - cover) * base + cover * paint)).astype(np.uint8))


def _legend(whole: Image.Image, pen: ImageDraw.ImageDraw, top: int, width: int, most: float, *, signed: bool) -> None:
    """The colours below the heat map, with what their ends mean."""
    left = MARGIN + width + GAP
    ramp = np.linspace(-1 if signed else 0, 1, width)[None].repeat(BAR_HEIGHT, axis=0)
    whole.paste(_coloured(ramp, signed=signed), (left, top))
    low, high = (f"against -{most:.2g}", f"for +{most:.2g}") if signed else ("no part", "strongest")
    font = _font(low + high, TEXT_SIZE)
    pen.text((left, top + BAR_HEIGHT + 5), low, FAINT, font)
    pen.text((left + width - font.getlength(high), top + BAR_HEIGHT + 5), high, FAINT, font)


def _mark(pen: ImageDraw.ImageDraw, left: int, top: int, size: tuple[int, int], axes: Axes, *, first: bool) -> None:
    """Seconds below, and how high the scale reaches, in the first picture's upper corner."""
    width, height = size
    font = _font("0 s", TEXT_SIZE)
    for share in (0.0, 0.5, 1.0):
        text = f"{axes.seconds * share:.2g} s"
        at = left + share * (width - font.getlength(text))
        pen.text((at, top + height + 4), text, FAINT, font)
    if first:
        pen.text((left + 6, top + 4), f"{axes.top_hz:g} Hz", PAPER, font, stroke_width=2, stroke_fill=INK)


def _fitted(text: str, size: int, room: int) -> str:
    """The text, shortened in its middle where the picture is too narrow for it."""
    font = _font(text, size)
    if font.getlength(text) <= room:
        return text
    half = len(text) // 2
    while half > 1 and font.getlength(f"{text[:half]}…{text[-half:]}") > room:
        half -= 1
    return f"{text[:half]}…{text[-half:]}"


def _font(text: str, size: int) -> Font:
    """Pillow's own where it has the letters, else the first of `FONTS` that the machine has."""
    missing = frozenset(letter for letter in text if not letter.isspace() and not _has(letter))
    return _other_font(size) if missing else _own_font(size)


@lru_cache(maxsize=1024)
def _has(letter: str) -> bool:
    """Whether Pillow's own font draws it otherwise than what it draws for letters that do not exist."""
    font = _own_font(TEXT_SIZE)
    return letter.isascii() or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010ffff"))


@lru_cache(maxsize=8)
def _own_font(size: int) -> Font:
    return ImageFont.load_default(size)


@lru_cache(maxsize=8)
def _other_font(size: int) -> Font:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return _own_font(size)
