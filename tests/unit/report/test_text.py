"""Words from outside stay words: checked with a Markdown parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ft.core.report.text import block, code, duration, escape, number, table

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> str:
    """The text of a rendered paragraph, empty when it became something else than words."""
    inline = next(token for token in PARSER.parse(markdown) if token.type == "inline")
    kinds = {child.type for child in inline.children or []}
    return "".join(child.content for child in inline.children or []) if kinds <= {"text", "text_special"} else ""


@pytest.mark.parametrize(
    "name",
    ["a|b", "*bold*", "__init__", "snake_case", "<b>", "&lt;", "R&D", "`x`", "[a](b)", "a\\b", "~~x~~", "two\nlines"],
)
def test_a_class_name_is_shown_as_it_is(name: str) -> None:
    assert shown("x " + escape(name)) == "x " + " ".join(name.split())
    assert PARSER.render(table([escape(name)], [[escape(name)]])).count("<td>") == 1


@given(st.characters(codec="ascii", categories=["Cc"]))
def test_a_control_character_is_shown_by_its_escape_or_as_a_blank(unseen: str) -> None:
    told = shown(f"x{escape(f'x{unseen}y')}")
    assert told == ("xx y" if unseen.isspace() else f"xx{ascii(unseen)[1:-1]}y")


@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=12))
def test_any_printable_text_is_shown_as_it_is(text: str) -> None:
    assert shown("x" + escape(text)) == ("x" + " ".join(text.split()) if text.split() else "x")


@pytest.mark.parametrize("text", ["plain", "has ` tick", "``two``", "a/b c"])
def test_code_keeps_its_ticks(text: str) -> None:
    (span,) = (child for child in PARSER.parse(code(text))[1].children or [] if child.type == "code_inline")
    assert span.content == text


def test_a_fence_is_not_closed_by_what_is_inside() -> None:
    inner = "name: x\n```\nnote: `a`\n````"
    (token,) = PARSER.parse(block(inner, "yaml"))
    assert (token.type, token.info, token.content) == ("fence", "yaml", inner + "\n")


def test_tables_line_up_and_numbers_stand_right() -> None:
    assert table(["a", "long head"], [["xyz", "1"], ["", "22"]], right=(1,)).splitlines() == [
        "| a   | long head |",
        "| --- | --------: |",
        "| xyz |         1 |",
        "|     |        22 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.98956, "0.9896"),
        (0.0, "0.0000"),
        (12.34567, "12.3457"),
        (-2.5, "-2.5000"),
        (1234.5678, "1,234.57"),
        (0.00012345, "1.234e-04"),
        (12345678.0, "1.235e+07"),
        (float("nan"), "NaN"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers_keep_their_meaning(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.21, "4.2 s"), (59.99, "1 min 0 s"), (200.4, "3 min 20 s"), (4320, "1 h 12 min")]
)
def test_durations_show_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
