"""What a person opens after a run: its reports as Markdown and as HTML, and several runs side by side."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import ft, write_config
from scipy.stats import binomtest

from ft.core.stages.baseline import read_baseline


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


# ---------------------------------------------------------------- ft report


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two judged runs, of which the second learned much too fast; a third that was never judged."""
    folder = tmp_path_factory.mktemp("pair")
    write_config(folder / "c.yaml")
    for words in (["train.lr=0.01"], ["train.lr=1.0"], ["data.split.test=100"]):
        assert ft("train", "c.yaml", *words, cwd=folder).code == 0
    for number in (1, 2):
        assert ft("eval", f"runs/tiny/{number}", "--out", f"{number}.json", cwd=folder).code == 0
    return folder


def report(folder: Path, *words: object) -> dict[str, Any]:
    answer = ft("report", *words, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def test_two_runs_are_compared_with_the_test_that_scipy_gives(pair: Path) -> None:
    found = report(pair, "tiny/1", "runs/tiny/2")
    first, second = (read_baseline(pair / f"{number}.json").examples.values["accuracy"] for number in (1, 2))
    worse, better = int((first > second).sum()), int((second > first).sum())
    [difference] = found["differences"]
    assert difference["p"] == pytest.approx(binomtest(worse, worse + better).pvalue, rel=1e-6)
    assert difference["gain"] == pytest.approx((better - worse) / 300)
    assert difference["verdict"] == "worse, beyond chance"
    assert (difference["run"], difference["against"]) == ("runs/tiny/2", "runs/tiny/1")
    assert found["settings"] == {"train.lr": ["0.01", "1.0"]}
    metrics = json.loads((pair / "1.json").read_text())
    score = found["runs"][0]["scores"]["test"]["accuracy"]
    assert score == {"value": metrics["metrics"]["accuracy"], "interval": metrics["intervals"]["accuracy"]}


def test_the_comparison_is_written_as_html_or_markdown(pair: Path) -> None:
    for name in ("two.html", "two.md"):
        answer = ft("report", "tiny/1", "tiny/2", "--out", name, "-q", cwd=pair)
        assert (answer.code, answer.out) == (0, f"{name}\n")
        assert "worse, beyond chance" in (pair / name).read_text()
    assert (pair / "two.html").read_text().startswith("<!doctype html>")


def test_a_run_that_was_not_judged_is_compared_by_what_it_has(pair: Path) -> None:
    found = report(pair, "tiny/1", "tiny")
    assert [run["path"] for run in found["runs"]] == ["runs/tiny/1", "runs/tiny/3"]
    assert found["differences"] == []
    assert set(found["runs"][1]["scores"]) == {"val"}


def test_runs_without_kept_answers_name_the_command_that_tests_them(pair: Path, tmp_path: Path) -> None:
    shutil.copytree(pair / "runs", tmp_path / "runs", symlinks=True)
    (tmp_path / "runs/tiny/2/report-test.json").unlink()
    (tmp_path / "runs/tiny/1/report-test.json").write_text("{")
    found = report(tmp_path, "tiny/1", "tiny/2")
    assert found["differences"][0]["verdict"] == "answers not kept; ft eval --baseline tests it"
    assert "report-test.json: cannot be read" in found["notes"][0]
    for name in ("status.json", "result.json", "config.yaml", "metrics.jsonl"):
        (tmp_path / "runs/tiny/2" / name).unlink()
    assert report(tmp_path, "tiny/1", "tiny/2")["runs"][1]["scores"] == {}


def test_one_run_has_its_reports_written_anew(pair: Path) -> None:
    run = pair / "runs/tiny/1"
    before = {name: (run / name).read_bytes() for name in ("report.md", "report.html", "report-test.html")}
    for name in before:
        (run / name).unlink()
    assert ft("report", "tiny/1", "--out", "mine.html", cwd=pair).code == 0
    assert {name: (run / name).read_bytes() for name in before} == before
    assert (pair / "mine.html").read_bytes() == before["report-test.html"]


def test_without_a_run_the_newest_finished_one_is_told(pair: Path) -> None:
    answer = ft("report", cwd=pair)
    assert answer.code == 0
    assert "the newest finished run: runs/tiny/3" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing/1"], "nothing/1 is no run, also not below runs/"),
        (["tiny/1", "--out", "a.pdf"], "a report is .html or .md"),
        (["tiny/1", "--out", "no/a.md"], "there is no folder"),
    ],
)
def test_bad_words_are_refused_before_anything_is_written(pair: Path, words: list[str], said: str) -> None:
    answer = ft("report", *words, cwd=pair)
    assert answer.code == 2
    assert said in answer.errors[0]
