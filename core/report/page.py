"""What a report shows, before it is Markdown or HTML: sections of blocks of plain text, with what a picture needs.

Nothing here is escaped; whoever renders a block does that. A block that only draws (Chart, Diagram) has no
words of its own: the table beside it says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ft.core.metrics.scores import Interval
from ft.core.report.answered import Mistake

Tone = Literal["", "good", "bad"]


@dataclass(frozen=True)
class Span:
    """A score on a line: its value and 95 % interval, and the threshold of a gate with the side that passes."""

    value: float | None
    interval: Interval | None = None
    threshold: float | None = None
    bound: Literal["min", "max"] = "min"


@dataclass(frozen=True)
class Cell:
    """A cell of a table. strong: what matters most. share: 0..1, drawn as a bar. heat: 0..1, drawn as the cell's
    colour, good for right answers and bad for errors. span: drawn as a line.
    """

    text: str
    strong: bool = False
    tone: Tone = ""
    share: float | None = None
    heat: float | None = None
    span: Span | None = None


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    kind: ClassVar[str] = "words"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A line each."""

    kind: ClassVar[str] = "bullets"
    lines: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """what -> fact. as_code: the facts are what one types."""

    kind: ClassVar[str] = "facts"
    facts: Mapping[str, str]
    as_code: bool = False


@dataclass(frozen=True)
class Code:
    """Text to be copied as it is. folded: only opened by whoever wants it."""

    kind: ClassVar[str] = "code"
    text: str
    language: str
    folded: bool = False


@dataclass(frozen=True)
class Table:
    """caption: what it shows, for who cannot see where it stands. right: columns of numbers. matrix: rows and columns
    are the same classes. legend: what its colours mean. folded: the numbers behind a picture.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    right: Sequence[int] = ()
    matrix: bool = False
    legend: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Line:
    """A line of a chart: y at x; what is not finite is a gap. main: the one that is looked at.
    series: of several that are all looked at, which; from 1."""

    name: str
    points: Sequence[tuple[float, float]]
    main: bool = True
    series: int = 0


@dataclass(frozen=True)
class Chart:
    """Lines over the same axis. best: where the mark is set on the main lines. level: a line across, with its name."""

    kind: ClassVar[str] = "chart"
    title: str
    across: str
    lines: Sequence[Line]
    best: float | None = None
    level: tuple[str, float] | None = None


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence, low..high: how many, their mean confidence, the share of right ones, its interval."""

    low: float
    high: float
    examples: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class Diagram:
    """Confidence against accuracy; on the diagonal probabilities mean what they say."""

    kind: ClassVar[str] = "diagram"
    title: str
    bins: Sequence[Bin]


@dataclass(frozen=True)
class Gallery:
    """Examples as tiles, with what they looked like."""

    kind: ClassVar[str] = "gallery"
    title: str
    mistakes: Sequence[Mistake]


@dataclass(frozen=True)
class Picture:
    """A picture drawn already. svg: markup, its texts escaped. file: where it lies beside the report, for Markdown."""

    kind: ClassVar[str] = "picture"
    title: str
    svg: str
    file: str


Block = Words | Bullets | Facts | Code | Table | Chart | Diagram | Gallery | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Verdict:
    """One output's score in words. change: a sentence on what fine-tuning did, or nothing."""

    metric: str
    score: str
    split: str
    interval: str
    count: str
    change: str = ""


@dataclass(frozen=True)
class Page:
    """The whole. verdicts: one for each output; none where nothing was evaluated. gates: the sentence on all of them,
    with its tone. notes: what a reader must not miss. empty: what stands in place of verdicts.
    """

    name: str
    stage: str
    verdicts: Sequence[Verdict]
    gates: str
    tone: Tone
    notes: Sequence[str]
    sections: Sequence[Section]
    empty: str = "Nothing was evaluated."
