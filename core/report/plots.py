"""The pictures of a report as SVG: lines over epochs, and a score with its interval against a threshold.

Plain functions from values to markup. Colours are classes, so that the page's style sheet has them in light and dark;
every picture says in a `<title>` what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from ft.core.report.page import Chart, Diagram, Line, Span, Tone
from ft.core.report.svg import Scale, label, path, tag
from ft.core.report.text import number

WIDTH, HEIGHT = 420, 236
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 22, 34
DOTS = 24  # points on a line up to which each has a dot
DECADES = 30.0  # largest over smallest value from which on the scale is logarithmic

Points = list[tuple[float, float]]


def chart(drawn: Chart) -> Markup:
    """The lines with axes; empty where not one value is finite."""
    lines = [(line, _finite(line)) for line in drawn.lines]
    values = [y for _, points in lines for _, y in points]
    if not values:
        return Markup("")
    if drawn.level is not None and math.isfinite(drawn.level[1]):
        values.append(drawn.level[1])
    across = _across([x for _, points in lines for x, _ in points])
    up = _up(values)
    parts = [tag("title", _told(drawn, lines)), *_grid(up), *_below(across, drawn.across)]
    if drawn.level is not None and math.isfinite(drawn.level[1]):
        parts += _level(drawn.level, up)
    for line, points in lines:
        parts += _line(line, points, across, up)
    if drawn.best is not None:
        parts += _best(drawn.best, next((points for line, points in lines if line.main), []), across, up)
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", class_="chart")


def _finite(line: Line) -> Points:
    return [(x, y) for x, y in line.points if math.isfinite(y)]


def _across(values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    room = (high - low) * 0.03 or 0.5
    return Scale(low - room, high + room, LEFT, WIDTH - RIGHT)


def _up(values: Sequence[float]) -> Scale:
    """With a little room above and below; logarithmic where linear would press most of the line onto the axis."""
    low, high = min(values), max(values)
    if low > 0 and high / low > DECADES:
        return Scale(low / 1.2, high * 1.2, HEIGHT - BOTTOM, TOP, log=True)
    room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)


def _grid(up: Scale) -> Iterator[Markup]:
    for each in up.ticks(5):
        y = up(each)
        yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
        yield tag("text", label(each), x=LEFT - 8, y=y + 4, text_anchor="end")


def _below(across: Scale, name: str) -> Iterator[Markup]:
    floor = HEIGHT - BOTTOM
    yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=floor, y2=floor, class_="axis")
    whole = [each for each in across.ticks(7) if each == round(each) and each >= 0]
    for each in whole:
        yield tag("text", label(each), x=across(each), y=floor + 16, text_anchor="middle")
    yield tag("text", name, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, text_anchor="middle", class_="name")


def _level(level: tuple[str, float], up: Scale) -> Iterator[Markup]:
    name, value = level
    y = up(value)
    yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="level")
    below = y + 13 < HEIGHT - BOTTOM
    yield tag("text", f"{name} {number(value)}", x=WIDTH - RIGHT, y=y + 13 if below else y - 5, text_anchor="end")


def _line(line: Line, points: Points, across: Scale, up: Scale) -> Iterator[Markup]:
    kind = f"series-{line.series}" if line.series else "main" if line.main else "side"
    for part in _unbroken(line):
        placed = [(across(x), up(y)) for x, y in part]
        yield tag("path", d=path(placed), class_=f"line {kind}")
    if len(points) <= DOTS:
        for x, y in points:
            hint = tag("title", f"{line.name}: {number(y)}")
            yield tag("circle", hint, cx=across(x), cy=up(y), r=2.5, class_=f"dot {kind}")


def _unbroken(line: Line) -> Iterator[Points]:
    """The stretches between what is not finite."""
    part: Points = []
    for x, y in line.points:
        if math.isfinite(y):
            part.append((x, y))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _best(at: float, points: Points, across: Scale, up: Scale) -> Iterator[Markup]:
    value = next((y for x, y in points if x == at), None)
    if value is None:
        return
    x, y = across(at), up(value)
    anchor = "end" if x > WIDTH * 0.8 else "start" if x < WIDTH * 0.25 else "middle"
    yield tag("line", x1=x, x2=x, y1=TOP - 6, y2=HEIGHT - BOTTOM, class_="mark")
    yield tag("circle", cx=x, cy=y, r=4.5, class_="best")
    yield tag("text", f"best weights {number(value)}", x=x, y=TOP - 10, text_anchor=anchor, class_="strong")


def _told(drawn: Chart, lines: Sequence[tuple[Line, Points]]) -> str:
    """The picture in a sentence."""
    ways = [f"{line.name} from {number(points[0][1])} to {number(points[-1][1])}" for line, points in lines if points]
    return f"{drawn.title} by {drawn.across}: {', '.join(ways)}"


PLOT, COUNTS = 300, 46  # heights of a diagram, and below it of how many answers each bin has


def diagram(drawn: Diagram) -> Markup:
    """Each bin as a dot on its interval, beside the diagonal where probabilities mean what they say; counts below."""
    across, up = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1, PLOT - BOTTOM, 8)
    parts: list[Markup] = [tag("title", _diagram_told(drawn)), *_grid(up)]
    parts.append(tag("line", x1=across(0), y1=up(0), x2=across(1), y2=up(1), class_="level"))
    placed = [(across(each.confidence), up(each.accuracy)) for each in drawn.bins]
    parts.append(tag("path", d=path(placed), class_="line main thin"))
    for each, (x, y) in zip(drawn.bins, placed, strict=True):
        hint = tag("title", f"confidence {number(each.confidence)}, right {number(each.accuracy)} of {each.examples:,}")
        parts.append(tag("line", x1=x, x2=x, y1=up(each.interval[0]), y2=up(each.interval[1]), class_="reach"))
        parts.append(tag("circle", hint, cx=x, cy=y, r=4, class_="dot main"))
    floor, most = PLOT + COUNTS - BOTTOM, max(each.examples for each in drawn.bins)
    for each in drawn.bins:
        height = max(1.0, (COUNTS - 10) * each.examples / most)
        left, right = across(each.low), across(each.high)
        parts.append(tag("rect", x=left + 1, width=right - left - 2, y=floor - height, height=height, class_="bar"))
    names = [tag("text", label(tick), x=across(tick), y=floor + 16, text_anchor="middle") for tick in across.ticks(5)]
    parts += names
    parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=floor, y2=floor, class_="axis"))
    name = "confidence of the answer; below, how many examples"
    parts.append(tag("text", name, x=(LEFT + WIDTH - RIGHT) / 2, y=floor + BOTTOM - 2, text_anchor="middle"))
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {PLOT + COUNTS + 2}", role="img", class_="chart")


def _diagram_told(drawn: Diagram) -> str:
    bins = (f"{number(each.accuracy)} right at confidence {number(each.confidence)}" for each in drawn.bins)
    return f"{drawn.title}: {', '.join(bins)}"


SPAN_WIDTH, SPAN_HEIGHT = 150, 18


def span(drawn: Span, tone: Tone = "") -> Markup:
    """A score as a dot on its interval, the threshold as a line, the side that passes shaded; empty without a value."""
    ends = [end for end in drawn.interval or () if math.isfinite(end)]
    shown = [each for each in (drawn.value, drawn.threshold, *ends) if each is not None]
    if drawn.value is None or not shown:
        return Markup("")
    low, high = min(shown), max(shown)
    room = (high - low) * 0.25 or abs(high) * 0.05 or 1.0
    place = Scale(low - room, high + room, 2, SPAN_WIDTH - 2)
    middle = SPAN_HEIGHT / 2
    parts: list[Markup] = [tag("title", _span_told(drawn))]
    if drawn.threshold is not None:
        at = place(drawn.threshold)
        left, right = (at, SPAN_WIDTH - 2.0) if drawn.bound == "min" else (2.0, at)
        parts.append(tag("rect", x=left, y=2, width=right - left, height=SPAN_HEIGHT - 4, class_="pass"))
        parts.append(tag("line", x1=at, x2=at, y1=0, y2=SPAN_HEIGHT, class_="threshold"))
    if len(ends) == 2:
        parts.append(tag("line", x1=place(ends[0]), x2=place(ends[1]), y1=middle, y2=middle, class_=f"reach {tone}"))
    parts.append(tag("circle", cx=place(drawn.value), cy=middle, r=4, class_=f"value {tone}"))
    return tag("svg", *parts, viewBox=f"0 0 {SPAN_WIDTH} {SPAN_HEIGHT}", role="img", class_="span")


def _span_told(drawn: Span) -> str:
    told = "not measured" if drawn.value is None else number(drawn.value)
    if drawn.interval:
        told += f", 95 % interval {number(drawn.interval[0])} to {number(drawn.interval[1])}"
    if drawn.threshold is not None:
        told += f", asked {'at least' if drawn.bound == 'min' else 'at most'} {drawn.threshold:.6g}"
    return told
