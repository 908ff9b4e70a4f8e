"""Colour maps and the picture of an explanation, by their pixels; the colours against CIE's own lightness."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest
from numpy.typing import NDArray

from ft.core.report import colours
from ft.core.report.heat_picture import GAP, MARGIN, Axes, draw
from ft.core.report.tokens_page import Told, render

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L*a*b* under D65, by the textbook's formula."""
    value = srgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ TO_XYZ.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_heat_rises_evenly_in_lightness_from_dark_to_light() -> None:
    light = lab(colours.HEAT)[:, 0]
    steps = np.diff(light[::16])
    assert light[0] < 20
    assert light[-1] > 90
    assert steps.min() > 0.5 * steps.mean()
    assert steps.max() < 1.6 * steps.mean()


def test_signed_colours_are_lightest_in_the_middle_and_both_ends_weigh_alike() -> None:
    light = lab(colours.SIGNED)
    assert colours.SIGNED.shape == (256, 3)
    assert light[:, 0].argmax() in range(124, 132)
    assert np.abs(light[127:129, 1:]).max() < 3  # the middle has no hue
    assert abs(light[0, 0] - light[-1, 0]) < 8
    blue, red = colours.signed(np.array([-1.0, 1.0]))
    assert blue[2] > blue[0]
    assert red[0] > red[2]


def panel(picture: NDArray[np.uint8], place: int, side: tuple[int, int]) -> NDArray[np.uint8]:
    """height, width of the drawn panels -> the pixels of one."""
    top = next(row for row in range(picture.shape[0]) if (picture[row, MARGIN : MARGIN + side[1]] == 0).all())
    left = MARGIN + place * (side[1] + GAP)
    return picture[top : top + side[0], left : left + side[1]]


def test_a_small_picture_is_enlarged_by_a_whole_number_and_heat_lies_where_the_map_is() -> None:
    digit = np.zeros((28, 28, 1), dtype=np.uint8)
    digit[5:9, 10:12] = 255
    heat = np.zeros((7, 7))
    heat[5, 1] = 3.0
    whole = np.asarray(draw(digit, heat, "digit: 1", "a.png", signed=False))
    original = panel(whole, 0, (280, 280))
    np.testing.assert_array_equal(original[::10, ::10, 0], digit[..., 0])
    strong = panel(whole, 1, (280, 280)).astype(int).sum(2)
    row, column = np.unravel_index(strong.argmax(), strong.shape)
    assert (row // 40, column // 40) == (5, 1)
    assert strong[:160].max() == int(colours.HEAT[0].astype(int).sum())


def test_signed_maps_keep_their_pixels_and_colours_say_for_and_against() -> None:
    heat = np.zeros((4, 4))
    heat[0, 0], heat[3, 3] = 2.0, -2.0
    whole = np.asarray(draw(np.zeros((4, 4, 3), dtype=np.uint8), heat, "t", "n", signed=True))
    coloured = panel(whole, 1, (280, 280))
    np.testing.assert_array_equal(coloured[:70, :70], np.broadcast_to(colours.SIGNED[-1], (70, 70, 3)))
    np.testing.assert_array_equal(coloured[210:, 210:], np.broadcast_to(colours.SIGNED[0], (70, 70, 3)))


@pytest.mark.parametrize("title", ["x" * 400, "数字: 七 (99.8 %)", "", "a\nb"])
def test_any_title_fits_and_a_map_of_nothing_is_drawn(title: str) -> None:
    picture = np.full((10, 200, 3), 9, dtype=np.uint8)
    whole = draw(picture, np.zeros((3, 4)), title, "note", signed=False, axes=Axes(1.0, 4000.0))
    assert whole.width == 2 * MARGIN + 2 * GAP + 3 * 400


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_a_page_holds_every_token_and_nothing_in_it_is_taken_for_html() -> None:
    told = Told("<i>.csv row 1", "mood: <b>good</b>", "from zero", [("<script>", 0.5), ("&amp;", -0.25)], " ")
    page = render("reviews", [told, Told("b", "mood: bad", "n", [], " ", [("not good", 1.0)])])
    reader = _Words()
    reader.feed(page)
    assert "<script>" in reader.said
    assert "&amp;" in reader.said
    assert not {"script", "b", "i", "link", "img"} & set(reader.tags)
    assert "http" not in page
    assert "0.75)" in page  # the strongest token has the full colour
    assert "0.38)" in page
    assert "(empty)" in page
    assert "not good" in reader.said
