"""The pictures and the words of a search and of a learning-rate test."""

from __future__ import annotations

import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ft.core.report import html, markdown
from ft.core.report.lr_curve import LrPoint, chart, curve
from ft.core.report.parallel import Axis, parallel
from ft.core.report.tuning import LookAtTest, RandomSearch, TrialRow, TuneReport, page


def render(report: TuneReport) -> str:
    return markdown.write(page(report))


SVG = "{http://www.w3.org/2000/svg}"
TRIALS = (
    TrialRow(1, "finished", {"train.lr": 0.01, "train.optimizer": "adam"}, 0.9, 2.0, "runs/x/1", random=True),
    TrialRow(2, "finished", {"train.lr": 0.1, "train.optimizer": {"sgd": {"momentum": 0.9}}}, 0.8, 2.0, "runs/x/2"),
    TrialRow(3, "failed", {"train.lr": 1.0, "train.optimizer": "adam"}, None, 1.0, "runs/x/3", "diverged: <NaN>"),
)
AXES = (
    Axis("train.lr", 0.01, 1.0, log=True),
    Axis("train.optimizer", choices=("adam", "{sgd: {momentum: 0.9}}")),
)
REPORT = TuneReport(
    name="x",
    stage="train",
    metric="accuracy",
    higher_is_better=True,
    sampler="tpe",
    pruner="none",
    seed=0,
    trials=TRIALS,
    best=TRIALS[0],
    search={"train.lr": "0.01 to 1, log", "train.optimizer": "adam, sgd"},
    seconds=5.0,
    data="digits",
    command="ft tune c.yaml",
    files={},
)


def test_the_picture_has_an_axis_for_each_setting_and_the_score_and_a_line_for_each_finished_trial() -> None:
    picture = ElementTree.fromstring(parallel(AXES, "accuracy", TRIALS, higher_is_better=True))
    assert len(picture.findall(f"{SVG}line")) == 3
    lines = picture.findall(f"{SVG}polyline")
    assert [line.find(f"{SVG}title").text for line in lines] == ["trial 2: 0.8", "trial 1: 0.9"]  # type: ignore[union-attr]
    heights = [[float(point.split(",")[1]) for point in line.attrib["points"].split()] for line in lines]
    bottom, top = 330.0, 50.0
    assert heights[1] == pytest.approx([bottom, bottom, top], abs=0.1)  # 0.01 of 0.01..1, the first choice, the best
    assert heights[0] == pytest.approx([(bottom + top) / 2, top, bottom], abs=0.1)  # 0.1 is the middle in logarithms


def test_without_a_finished_trial_there_is_no_picture() -> None:
    assert parallel(AXES, "accuracy", TRIALS[2:], higher_is_better=True) == ""


def test_the_best_comes_first_and_what_failed_last_with_its_reason_harmless() -> None:
    text = render(replace(REPORT, higher_is_better=False))
    table = [line for line in text.splitlines() if "runs/x/" in line]
    assert ["runs/x/2" in table[0], "runs/x/1" in table[1], "runs/x/3" in table[2]] == [True] * 3
    assert r"diverged: \<NaN>" in table[2]


def test_the_caution_and_how_often_the_test_split_was_seen_are_always_said() -> None:
    assert "chosen because it is the largest" in render(REPORT)
    once = render(replace(REPORT, test=LookAtTest({"accuracy": 0.85}, (0.8, 0.9), 1)))
    assert "**test accuracy 0.8500** on the test split (95 % interval 0.8000 to 0.9000, trial 1)" in once
    assert "The test split was looked at once" in once
    assert "3 trials of this study were looked at on the test split" in render(
        replace(REPORT, test=LookAtTest({"accuracy": 0.85}, None, 3))
    )


def test_the_page_in_a_browser_holds_the_picture_and_nothing_of_a_name_is_markup() -> None:
    evil = replace(TRIALS[2], why="<script>alert(1)</script>")
    drawn = parallel(AXES, "accuracy", TRIALS, higher_is_better=True)
    text = html.write(page(replace(REPORT, trials=(*TRIALS[:2], evil), parallel=drawn)))
    assert "<polyline" in text
    assert "<script" not in text
    assert "![Each line is a finished trial; the darker, the better](parallel.svg)" in render(
        replace(REPORT, parallel=drawn)
    )


def test_random_search_is_said_with_its_limits() -> None:
    told = render(replace(REPORT, random_search=RandomSearch(0.95, (0.9, 0.97), 10, 30, 1)))
    assert "expected at 0.9500 (0.9000 to 0.9700); this search's best is 0.0500 worse than that" in told
    assert "30 draws are more than the 10 seen" in told
    assert "1 of them failed and count as the worst" in told


def test_the_curve_of_learning_rates_is_lowest_where_the_loss_is() -> None:
    rates = [10 ** (-6 + 0.1 * step) for step in range(61)]
    points = [LrPoint(rate, 1.0, 1 + (math.log10(rate) + 2) ** 2) for rate in rates]
    lines = chart(points, 1e-4)
    bottom = lines[11]
    assert bottom.startswith("        1 ")
    middle = (bottom.index("*", 35) + bottom.rindex("*")) / 2
    assert middle == pytest.approx(10 + 63 * 4 / 6, abs=1)  # 1e-2 of 1e-6..1
    assert all(line[10 + round(63 * 2 / 6)] in "|*" for line in lines[:11] if len(line) > 40)
    picture = ElementTree.fromstring(curve(points, 1e-4))
    (line,) = picture.findall(f"{SVG}polyline")
    places = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert max(places, key=lambda place: place[1])[0] == pytest.approx(60 + 550 * 4 / 6, abs=1)
