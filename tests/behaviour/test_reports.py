"""What a person opens after a run: the report of a training and of an evaluation, each as Markdown and as HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import ft, write_config


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained and judged run, and its evaluation as eval.json."""
    folder = tmp_path_factory.mktemp("judged")
    write_config(folder / "c.yaml")
    assert ft("train", "c.yaml", cwd=folder).code == 0
    assert ft("eval", "--out", "eval.json", "--min", "accuracy=0.2", cwd=folder).code == 0
    return folder


def test_a_run_has_its_report_in_both_forms_and_so_has_each_evaluation(judged: Path) -> None:
    run = judged / "runs/tiny/1"
    for name in ("report", "report-test"):
        text, page = (run / f"{name}.md").read_text(), (run / f"{name}.html").read_text()
        headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
        assert headings == re.findall(r"<h2 [^>]*>(.*?)</h2>", page)
    assert "- data: 1,797 digits inside scikit-learn: train 1,297, val 200\n" in (run / "report.md").read_text()
    assert "All gates passed (1 of 1)." in (run / "report-test.html").read_text()


def test_the_mistakes_shown_are_wrong_ones_of_the_test_split_with_their_pictures(judged: Path) -> None:
    page = (judged / "runs/tiny/1/report-test.html").read_text()
    document = json.loads((judged / "eval.json").read_text())
    wrong = round((1 - document["metrics"]["accuracy"]) * 300)
    assert f"{wrong} of 300 answers are wrong." in page
    assert 12 <= page.count('<img src="data:image/png;base64,') <= 24
    examples = sum(int(each) for each in re.findall(r"right [\d.]+ of (\d+)", page))
    assert examples == 300
