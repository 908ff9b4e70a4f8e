"""A page of a report as one HTML file that needs nothing else: no script, no network, pictures inside it.

The browser is told to load nothing (Content-Security-Policy), so even a name that looks like markup could do nothing;
all text is escaped in any case. The file stays below LIMIT bytes: long tables and texts are cut, then whole sections
left out, and each says so.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from ft.core.report import plots
from ft.core.report.model import RunReport
from ft.core.report.page import Cell, Gallery, Page, Section, Table
from ft.core.report.sections import page

if TYPE_CHECKING:
    from jinja2 import Environment

LIMIT = 1_500_000  # bytes
ROWS = 200  # of a table or list
CODE = 60_000  # characters of one text
NAME, HEAD = 100, 40  # characters of a cell, and of the head of a column
UPRIGHT = 4  # characters of a class name from which on those above a matrix stand upright
LEFT_OUT = "<p>Left out, as this file would be too large; the Markdown report beside it has all.</p>"
FIRST = 18  # characters that the first column keeps where there is little room
INPUTS = 12  # of an example that is shown
DEEP = 0.55  # heat from which on a cell's words are light

# What shows nothing, or turns round what stands beside it: controls, directions, lone surrogates, non-characters.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def render(report: RunReport) -> str:
    """The whole of report.html."""
    return write(page(report))


def write(content: Page) -> str:
    """Any page as HTML."""
    environment = _environment()
    fixed = clean(environment.get_template("page.html.j2").render(page=content, sections=[]))
    room = LIMIT - len(fixed.encode())
    sections = []
    for index, section in enumerate(content.sections):
        text = _section(section)
        room -= (
            len(text.encode()) + 2 * len(clean(section.heading).encode()) + 200
        )  # its heading and its line of the contents
        body = text if room > 0 else LEFT_OUT
        room = room if room > 0 else room + len(text.encode())
        sections.append((f"part-{index + 1}", section.heading, Markup(body)))
    return clean(environment.get_template("page.html.j2").render(page=content, sections=sections))


def _section(section: Section) -> str:
    limits = {"rows": ROWS, "code": CODE, "name": NAME, "head": HEAD, "inputs": INPUTS}
    return clean(_environment().get_template("blocks.html.j2").render(blocks=section.blocks, limits=limits))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # 0.1 s, for those who write reports alone

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cut": cut, "cell": _as_cell}
    environment.globals |= {"chart": plots.chart, "span": plots.span, "diagram": plots.diagram, "chance": chance}
    environment.globals |= {"pictured": _pictured, "look": _look, "first": _first, "shade": shade, "deep": DEEP}
    environment.globals["markup"] = Markup
    return environment


def clean(text: str) -> str:
    """The text without characters that a page has no form for."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def cut(text: str, most: int) -> str:
    """At most so many characters; the middle goes, as both ends of a path or name tell more."""
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def chance(probability: float) -> str:
    """A probability beside others: as many digits as they have."""
    return f"{probability:.4f}" if probability >= 5e-5 else "<0.0001"


def _as_cell(cell: Cell | str) -> Cell:
    return Cell(cell) if isinstance(cell, str) else cell


def shade(heat: float) -> float:
    """How much of a cell is its colour, in percent, for a heat of 0..1. The middle is left out: neither dark nor light
    words could be read on it.
    """
    return 48 * heat / DEEP if heat <= DEEP else 92 + 8 * (heat - DEEP) / (1 - DEEP)


def _look(table: Table) -> str:
    """The classes of a table's element."""
    if table.matrix:
        return "matrix upright" if any(len(head) > UPRIGHT for head in table.head) else "matrix"
    has_spans = any(isinstance(cell, Cell) and cell.span for row in table.rows for cell in row)
    return "spans" if has_spans else "plain"


def _pictured(gallery: Gallery) -> bool:
    return any(shown.picture for mistake in gallery.mistakes for shown in mistake.shown)


def _first(table: Table) -> int:
    """How many characters the first column holds without a break."""
    return min(FIRST, max((len(_as_cell(row[0]).text) for row in table.rows), default=0))
