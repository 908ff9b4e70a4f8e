"""Explanations on a terminal and off one."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from ft.cli.explain_view import explanations, importance
from ft.core.stages.explain_files import percent
from ft.core.stages.explained import Completeness, Explained, Explanations, InputShare, Piece
from ft.core.stages.importance import Importance, InputDrop


def told(*inputs: InputShare) -> Explanations:
    total = sum(share.total or 0.0 for share in inputs)
    done = Completeness(total, total, 0.0, 16, True)
    example = Explained("a.csv row 1", "mood", "good", 0.9, "good", 0.9, "log-odds", total, inputs, done)
    return Explanations("reviews", Path("best.pt"), (example,), {"b.csv row 2": "broken"}, (), ())


def shown(result: Explanations, *, terminal: bool, no_color: bool = False) -> str:
    out = io.StringIO()
    system = "truecolor" if terminal else None
    console = Console(file=out, force_terminal=terminal, color_system=system, no_color=no_color, width=120)
    for part in explanations(result):
        console.print(part)
    return out.getvalue()


TEXT = InputShare(
    "say", "text", "integrated_gradients", "zero", total=0.45, pieces=(Piece("fine", 0.5), Piece("[red]but", -0.05))
)


def test_tokens_have_colours_on_a_terminal_and_signs_elsewhere() -> None:
    coloured = shown(told(TEXT), terminal=True)
    assert "\x1b[" in coloured
    assert "(+0.5)" not in coloured
    for plain in (shown(told(TEXT), terminal=False), shown(told(TEXT), terminal=True, no_color=True)):
        assert "fine (+0.5)" in plain
        assert "[red]but (-0.05)" in plain


def test_runs_of_neighbours_stand_on_a_line_of_their_own() -> None:
    pieces = (Piece("not", 0.1), Piece("good", 0.2), Piece("not good", -0.4, run=True))
    lines = shown(
        told(InputShare("say", "text", "integrated_gradients", "zero", total=-0.1, pieces=pieces)), terminal=False
    )
    [single] = [line for line in lines.splitlines() if "good (+0.2)" in line]
    assert "not good" not in single
    assert "neighbours not good (-0.4)" in lines


def test_shares_of_a_row_come_by_their_size_with_bars_to_either_side() -> None:
    small = InputShare("age", "number", "integrated_gradients", "30 (the mean)", total=0.1, pieces=(Piece("41", 0.1),))
    large = InputShare("city", "category", "integrated_gradients", "mean", total=-0.2, pieces=(Piece("Rome", -0.2),))
    lines = shown(told(small, large), terminal=False).splitlines()
    [city] = [line for line in lines if "Rome" in line]
    [age] = [line for line in lines if "41" in line]
    assert lines.index(city) < lines.index(age)
    assert "████████████│" in city
    assert "│██████" in age
    assert "b.csv row 2: not explained: broken" in lines


def test_importances_share_their_digits_and_say_what_fell() -> None:
    rows = (
        InputDrop("mood", "say", "text", 0.25, (0.2, 0.3), (0.2, 0.3)),
        InputDrop("mood", "age", "number", -0.0004, None, (-0.0004,)),
    )
    found = Importance("x", Path("b.pt"), "test", "d", 90, 2, {"mood": "accuracy"}, {"mood": 0.8}, rows)
    out = io.StringIO()
    for part in importance(found):
        Console(file=out, width=120).print(part)
    assert "accuracy 0.8000 on 90 examples of test" in out.getvalue()
    assert "0.2500" in out.getvalue()
    assert "-0.0004" in out.getvalue()


def test_what_is_nearly_sure_is_not_called_sure() -> None:
    given = (1.0, 0.99999, 0.998, 0.00001, 0.0)
    assert [percent(share) for share in given] == ["100.0 %", "> 99.9 %", "99.8 %", "< 0.1 %", "0.0 %"]
