"""A page of a report as Markdown: readable as it is in a terminal, with short lines, padded tables and no HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ft.core.report.answered import Mistake
from ft.core.report.gates import GateResult
from ft.core.report.model import RunReport
from ft.core.report.page import (
    Block,
    Bullets,
    Cell,
    Chart,
    Code,
    Diagram,
    Facts,
    Gallery,
    Page,
    Picture,
    Table,
    Verdict,
    Words,
)
from ft.core.report.sections import gate_table as gate_blocks
from ft.core.report.sections import page
from ft.core.report.text import block, code, escape, number, table

SAID = 100  # characters


def render(report: RunReport) -> str:
    """The whole of report.md; ends in a newline."""
    return write(page(report))


def write(content: Page) -> str:
    """Any page as Markdown; ends in a newline."""
    parts = [f"# {escape(content.name)}: {content.stage}", *_head(content)]
    parts += [f"## {escape(section.heading)}\n\n{_blocks(section.blocks)}" for section in content.sections]
    return "\n\n".join(parts) + "\n"


def gate_table(gates: Sequence[GateResult]) -> str:
    """What was asked and reached, gate by gate; nothing without gates."""
    return _blocks(gate_blocks(gates))


def _head(content: Page) -> Iterator[str]:
    """A paragraph per output, then the gates in a sentence, then the notes."""
    yield from map(_verdict, content.verdicts)
    if not content.verdicts and content.empty:
        yield content.empty
    if content.gates:
        yield f"**{content.gates}**" if content.tone == "bad" else content.gates
    if content.notes:
        yield _block(Bullets(content.notes))


def _verdict(verdict: Verdict) -> str:
    sure = f"95 % interval {verdict.interval}, " if verdict.interval else ""
    text = f"**{escape(verdict.metric)} {verdict.score}** on the {verdict.split} ({sure}{verdict.count})."
    return f"{text}\n{verdict.change}" if verdict.change else text


def _blocks(blocks: Sequence[Block]) -> str:
    return "\n\n".join(_block(each) for each in blocks if not isinstance(each, Chart | Diagram))


def _block(each: Block) -> str:
    match each:
        case Words(text):
            return escape(text)
        case Bullets(lines):
            return "\n".join(f"- {escape(line)}" for line in lines)
        case Facts(facts, as_code):
            shown = code if as_code else escape
            return "\n".join(f"- {escape(what)}: {shown(fact)}" for what, fact in facts.items())
        case Code(text, language):
            return block(text, language)
        case Table():
            rows = [[_cell(cell) for cell in row] for row in each.rows]
            return table([escape(head) for head in each.head], rows, right=each.right)
        case Gallery(title, mistakes):
            return f"{escape(title)}\n\n{_gallery(mistakes)}"
        case Picture(title, _, file):
            return f"![{escape(title)}]({file})"
        case Chart() | Diagram():
            return ""


def _gallery(mistakes: Sequence[Mistake]) -> str:
    head = ["example", "true class", "answered", "with", "true class had", "loss"]
    rows = [
        [each.name, each.true, each.answered, number(each.probability), number(each.own), number(each.loss)]
        for each in mistakes
    ]
    if any(shown.words for each in mistakes for shown in each.shown):
        head = [*head, "what it says"]
        rows = [[*row, _said(each)] for row, each in zip(rows, mistakes, strict=True)]
    return table(head, [[escape(cell) for cell in row] for row in rows], right=(3, 4, 5))


def _said(mistake: Mistake) -> str:
    """The words of an example, short enough for a table that is read in a terminal."""
    several = len(mistake.shown) > 1
    spoken = [shown for shown in mistake.shown if shown.words]
    words = "; ".join(f"{shown.name} {shown.words}" if several else shown.words for shown in spoken)
    return words if len(words) <= SAID else f"{words[: SAID - 1]}…"


def _cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return escape(cell)
    return f"**{escape(cell.text)}**" if cell.strong else escape(cell.text)
