"""Quiet keeps remarks to itself, but not warnings."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text

from ft.cli.console import Console
from ft.cli.progress import wrapped
from ft.cli.views import freezing
from ft.core.stages.notices import Notice


def test_quiet_still_shows_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(quiet=True, as_json=False) as console:
        for kind in ("stage", "choice", "data", "weights", "freeze", "saved", "warning"):
            said: Any = kind
            console.notice(Notice(said, f"about {kind}"))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "warning: about warning\n")


@pytest.mark.parametrize(
    ("last", "option"),
    [
        (0, ""),
        (1, "--freeze 0"),
        (2, "--freeze 0,1"),
        (3, "--freeze 0,1,2"),
        (4, "--freeze 0-3"),
        (20, "--freeze 0-19"),
    ],
)
def test_all_but_the_last_unit_with_weights_is_offered_forfreezing(last: int, option: str) -> None:
    assert freezing(last) == option


def test_a_narrow_terminal_breaks_lines_at_spaces_and_no_path() -> None:
    path = "runs/a-name/1/checkpoints/best.pt"
    broken = wrapped(Text(f"  starting from {path} (the training just done)"), 30).plain
    assert broken.splitlines() == ["  starting from", f"      {path}", "      (the training just done)"]
    pieces = wrapped(Text("  epoch 1/3  loss 1.8255  val accuracy 0.9000  best"), 30).plain
    assert pieces.splitlines() == ["  epoch 1/3  loss 1.8255", "      val accuracy 0.9000", "      best"]
    assert wrapped(Text("  short"), 30).plain == "  short"
