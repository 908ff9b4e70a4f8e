"""`--format`: a verdict as CI systems read it, alone on stdout, also where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import Answer, ft, write_config

from ft.cli import github

PASSES, FAILS = ["--min", "accuracy=0.1"], ["--min", "accuracy=0.1", "--max", "loss=1e-6"]


@pytest.fixture
def eval_(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return trained


def judged(home: Path, *words: object, **env: str) -> Answer:
    return ft("eval", "runs/tiny/1", *words, cwd=home, env=env)


@pytest.mark.parametrize(("gates", "code"), [(PASSES, 0), (FAILS, 3), ([], 0)])
@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_junit_is_the_file_on_stdout(eval_: Path, gates: list[str], code: int, quiet: list[str]) -> None:
    answer = judged(eval_, *gates, *quiet, "--format", "junit", "--junit", "gates.xml")
    assert answer.code == code
    printed, written = (ElementTree.fromstring(text) for text in (answer.out, (eval_ / "gates.xml").read_text()))
    assert [case.attrib for case in printed.iter("testcase")] == [case.attrib for case in written.iter("testcase")]
    assert printed.get("tests") == str(len(gates) // 2)
    assert printed.get("failures") == ("1" if code else "0")
    assert {each.get("name") for each in printed.iter("property")} > {"accuracy", "accuracy 95 % interval"}


def test_markdown_is_the_summary_that_github_gets(eval_: Path) -> None:
    answer = judged(eval_, *FAILS, "--format", "markdown")
    assert answer.code == 3
    assert answer.out.startswith("## tiny: 1 of 2 gates failed\n")
    summary = eval_ / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    judged(eval_, *FAILS, **env)
    assert summary.read_text() == answer.out
    assert judged(eval_, "--format", "markdown").out.startswith("## tiny: judged on test\n\n| metric")


def test_github_s_form_needs_no_github(eval_: Path) -> None:
    answer = judged(eval_, *FAILS, "--format", "github")
    first, second, *rest = answer.out.splitlines()
    assert (answer.code, first.partition("::loss <= 1e-06: ")[0]) == (3, "::error title=tiny%3A gate failed")
    assert second == "## tiny: 1 of 2 gates failed"
    assert any(line.startswith("| accuracy") for line in rest)
    assert "::error" not in answer.err
    passed = judged(eval_, *PASSES, "--format", "github").out.splitlines()[0]
    assert passed.startswith("::notice title=tiny%3A the gate passed::test: accuracy 0.")


def test_under_github_its_form_is_told_once_and_the_summary_kept(eval_: Path) -> None:
    summary = eval_ / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    answer = judged(eval_, *FAILS, "--format", "github", **env)
    assert answer.out.count("::error") == 1
    assert answer.err.count("::error") == 0
    assert len(answer.out.splitlines()) == 1
    assert summary.read_text().count("## tiny") == 1
    other = judged(eval_, *FAILS, "--format", "junit", **env)  # by itself as ever
    assert other.err.count("::error") == 1
    ElementTree.fromstring(other.out)


def test_json_is_json_and_text_is_text(eval_: Path) -> None:
    words = ["--min", "accuracy=0.1"]
    same = [json.loads(judged(eval_, *words, *form).out) for form in (["--json"], ["--format", "json"])]
    for document in same:
        document.pop("seconds")
    assert same[0] == same[1]
    assert json.loads(judged(eval_, "--json", "--format", "json").out)["kind"] == "eval"
    assert "report  runs/tiny/1/report-test.html" in judged(eval_, "--format", "text").out


@pytest.mark.parametrize("form", ["text", "github", "junit", "markdown"])
def test_json_and_another_form_are_refused_before_anything_runs(eval_: Path, form: str) -> None:
    for command in (["eval", "runs/tiny/1"], ["run", "tiny.yaml"]):
        answer = ft(*command, "--json", "--format", form, cwd=eval_)
        assert answer.code == 2
        assert f"--json is --format json, not {form}" in json.loads(answer.out)["error"]
        assert len(answer.errors) == 1
    assert not (eval_ / "runs/tiny/2").exists()


def test_a_form_that_there_is_not_is_refused(eval_: Path) -> None:
    answer = judged(eval_, "--format", "xml")
    assert answer.code == 2
    assert "'github', 'junit', 'markdown'" in answer.err
    misuse = ft("eval", "--format", "json", "--no-such-option", cwd=eval_)
    assert json.loads(misuse.out)["kind"] == "error"


@pytest.mark.parametrize(("words", "code"), [(["nothing.pt"], 2), (["runs/tiny/1", "--split", "val"], 4)])
def test_without_a_verdict_every_form_says_why(eval_: Path, words: list[str], code: int) -> None:
    (eval_ / "runs/tiny/1/checkpoints/best.pt").write_bytes(b"damaged")
    told = {form: ft("eval", *words, "--format", form, cwd=eval_) for form in ("github", "junit", "markdown", "json")}
    assert {answer.code for answer in told.values()} == {code}
    why = told["json"].errors[0]
    assert json.loads(told["json"].out)["error"] == why
    (error,) = ElementTree.fromstring(told["junit"].out).iter("error")
    assert (error.get("message"), error.get("type")) == (why, f"exit code {code}")
    assert told["github"].out.startswith("::error title=ft%3A failed::")
    assert told["markdown"].out.startswith("## ft: failed\n\n- ")


def test_a_run_tells_its_evaluation_with_the_training_beside_it(eval_: Path) -> None:
    stages = {"finetune": {"epochs": 1, "freeze": [1]}, "eval": {"min": {"accuracy": 2e-9}}}
    write_config(eval_ / "all.yaml", {"name": "all", **stages})
    text = ft("run", "all.yaml", "--format", "markdown", cwd=eval_).out
    assert text.startswith("## all: all gates passed\n")
    assert "test, trained | test, fine-tuned" in " ".join(text.split())
    answer = ft("run", "all.yaml", "--format", "junit", cwd=eval_)
    assert ElementTree.fromstring(answer.out).get("tests") == "1"
    for form in ("github", "junit", "markdown"):
        smoke = ft("run", "all.yaml", "--smoke", "--format", form, cwd=eval_)
        assert smoke.code == 2
        assert "two batches (--smoke) have none" in smoke.err
    assert ft("run", "all.yaml", "--smoke", "--format", "json", cwd=eval_).code == 0


def test_a_run_that_names_no_eval_tells_its_validation(eval_: Path) -> None:
    github_, junit, markdown = (ft("run", "tiny.yaml", "--format", form, cwd=eval_) for form in
                                ("github", "junit", "markdown"))  # fmt: skip
    assert github_.out.startswith("::notice title=tiny::validation: accuracy 0.")
    assert ElementTree.fromstring(junit.out).get("tests") == "0"
    assert {each.get("name") for each in ElementTree.fromstring(junit.out).iter("property")} > {"loss", "accuracy"}
    assert markdown.out.startswith("## tiny: trained\n\n| metric")


def test_what_is_cut_is_cut_at_a_line_and_says_so() -> None:
    text = "".join(f"| ä{line} |\n" for line in range(100))
    short = github.cut(text, 300)
    assert len(short.encode()) <= 300
    assert short.endswith(github.CUT)
    assert text.startswith(short.removesuffix(github.CUT))
    assert github.cut(text) == text
    assert github.cut(text, 10) == ""
