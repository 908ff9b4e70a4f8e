"""What the pictures of a report show stands where the numbers say."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ft.core.report.page import Chart, Line, Span
from ft.core.report.plots import chart, span
from ft.core.report.svg import Scale, label, ticks


def drawn(points: list[tuple[float, float]], **more: object) -> ElementTree.Element:
    return ElementTree.fromstring(chart(Chart("loss", "epoch", [Line("validation", points)], **more)))  # type: ignore[arg-type]


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if name in (each.get("class") or "").split()]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.981, 0.9846, [0.981, 0.982, 0.983, 0.984]), (1, 40, [10, 20, 30, 40])],
)
def test_ticks_are_numbers_that_people_choose(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("high", [1e-12, 3.7e-4, 0.73, 19, 1e9])
def test_there_are_some_ticks_whatever_the_size(high: float) -> None:
    found = ticks(0.1 * high, high)
    assert 3 <= len(found) <= 10
    assert all(0.1 * high <= each * (1 + 1e-9) <= high * (1 + 1e-8) for each in found)
    assert len({label(each) for each in found}) == len(found)


def test_a_larger_value_stands_higher_and_later_further_right() -> None:
    [path] = of_class(drawn([(1, 0.5), (2, 0.75), (3, 1.0)]), "line")
    places = [tuple(map(float, each.split())) for each in (path.get("d") or "")[1:].split("L")]
    (x1, y1), (x2, y2), (x3, y3) = places
    assert x1 < x2 < x3
    assert y1 > y2 > y3
    assert x3 - x2 == pytest.approx(x2 - x1, abs=0.2)
    assert y2 - y3 == pytest.approx(y1 - y2, abs=0.2)


def test_decades_are_drawn_by_their_logarithm() -> None:
    [path] = of_class(drawn([(1, 100.0), (2, 10.0), (3, 1.0), (4, 0.1)]), "line")
    heights = [float(each.split()[1]) for each in (path.get("d") or "")[1:].split("L")]
    steps = [below - above for above, below in pairwise(heights)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)
    assert Scale(0.05, 200, 0, 1, log=True).ticks() == pytest.approx([0.1, 1, 10, 100])


def test_what_is_not_finite_is_a_gap() -> None:
    root = drawn([(1, 1.0), (2, math.nan), (3, 0.5), (4, 0.25), (5, math.inf)])
    assert len(of_class(root, "line")) == 2
    assert len(of_class(root, "dot")) == 3
    assert chart(Chart("loss", "epoch", [Line("validation", [(1, math.nan)])])) == ""


def test_the_best_is_marked_with_its_value() -> None:
    root = drawn([(1, 0.5), (2, 0.25), (3, 0.75)], best=2)
    [ring] = of_class(root, "best")
    dots = of_class(root, "dot")
    assert (ring.get("cx"), ring.get("cy")) == (dots[1].get("cx"), dots[1].get("cy"))
    assert [each.text for each in of_class(root, "strong")] == ["best weights 0.2500"]


def test_one_validation_is_a_dot() -> None:
    assert len(of_class(drawn([(1, 0.5)]), "dot")) == 1


@pytest.mark.parametrize(("value", "bound", "inside"), [(0.9, "min", True), (0.7, "min", False), (0.9, "max", False)])
def test_a_gate_shows_the_value_on_the_side_where_it_lies(value: float, bound: str, inside: bool) -> None:
    drawing = span(Span(value, (value - 0.05, value + 0.05), 0.8, bound))  # type: ignore[arg-type]
    root = ElementTree.fromstring(drawing)
    [shade], [dot] = of_class(root, "pass"), of_class(root, "value")
    left = float(shade.get("x") or 0)
    assert (left <= float(dot.get("cx") or 0) <= left + float(shade.get("width") or 0)) == inside


def test_a_gate_without_a_value_draws_nothing() -> None:
    assert span(Span(None, None, 0.5)) == ""
