"""What each way of listening hears: remarks, warnings, the one line of a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from ft.cli.console import Console
from ft.cli.progress import wrapped
from ft.cli.views import freezing
from ft.core.engine.evaluate import Evaluation
from ft.core.metrics.scores import Scores
from ft.core.stages.notices import Notice
from ft.core.stages.results import EvalResult


def test_quiet_still_shows_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(quiet=True, as_json=False) as console:
        for kind in ("stage", "choice", "data", "weights", "freeze", "saved", "warning"):
            said: Any = kind
            console.notice(Notice(said, f"about {kind}"))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "warning: about warning\n")


def test_what_the_user_should_know_of_the_data_is_one_plain_block_and_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notice = Notice("data", "table a.csv: train 9", ("column x, train: 1 of 9 rows lack a number",))
    with Console(quiet=False, as_json=False) as console:
        console.notice(notice)
        console.notice(notice)
    assert capsys.readouterr().err == "  table a.csv: train 9\n    column x, train: 1 of 9 rows lack a number\n"


def test_a_quiet_verdict_has_the_main_metric_of_every_output(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"kind": Scores({"accuracy": 0.75, "f1": 0.5}), "price": Scores({"rmse": 3.25})}
    evaluation = Evaluation(1.5, scores, 8)
    verdict = EvalResult(
        "pets", "train", Path("best.pt"), None, "test", "", evaluation, evaluation.metrics(), {}, "loss", [], 1.0,
        "cpu", "fp32", main_metrics=("kind/accuracy", "price/rmse"),
    )  # fmt: skip
    with Console(quiet=True, as_json=False) as console:
        console.evaluation(verdict)
    assert capsys.readouterr().out == "kind/accuracy=0.75  price/rmse=3.25\n"


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
