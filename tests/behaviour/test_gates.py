"""A pipeline that judges: gates pass or end with 3, and a file tells the CI system which one failed and why."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from command_line import ft, write_config

from ft.cli import github
from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_config(tmp_path / "tiny.yaml", {"train": {"epochs": 3, "batch_size": 64, "lr": 0.01}})
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    return tmp_path


def failures(file: Path) -> list[str]:
    return [each.get("message", "") for each in ElementTree.parse(file).iter("failure")]


def test_train_pass_break_fail(home: Path) -> None:
    gates = ["--min", "accuracy=0.7", "--max", "loss=1.5", "--per-class", "recall=0.2", "--junit", "gates.xml"]
    passed = ft("eval", "runs/tiny/1", *gates, cwd=home)
    assert passed.code == 0, passed.err
    assert failures(home / "gates.xml") == []
    assert ElementTree.parse(home / "gates.xml").getroot().get("tests") == "12"  # ten classes

    broken = load_checkpoint(home / "runs/tiny/1/checkpoints/best.pt")
    broken["weights"] = {name: torch.zeros_like(value) for name, value in broken["weights"].items()}
    broken.pop("digest", None)
    save_checkpoint(home / "broken.pt", broken)
    failed = ft("eval", "broken.pt", *gates, cwd=home)
    assert failed.code == 3
    told = failures(home / "gates.xml")
    assert told[0] == "accuracy >= 0.7: 0.1, FAILED"  # one class of ten for all
    assert any(each.startswith("loss <= 1.5: 2.3") for each in told)
    assert any(each.startswith("recall of 3 >= 0.2: 0, ") for each in told)
    assert "accuracy >= 0.7" in failed.err


def test_gates_of_the_file_and_of_the_line_hold_together(home: Path) -> None:
    write_config(home / "gated.yaml", {"name": "gated", "eval": {"max": {"loss": 1e-6}, "per_class": {"f1": 0.1}}})
    answer = ft("run", "gated.yaml", cwd=home)
    assert answer.code == 3
    assert "loss <= 1e-06" in answer.err
    relaxed = ft("eval", "runs/gated/1", "--max", "loss=9", "--json", cwd=home)
    assert relaxed.code == 0, relaxed.err
    gates = json.loads(relaxed.out)["gates"]
    assert [gate["metric"] for gate in gates][:2] == ["loss", "f1 of 0"]


def test_a_run_that_goes_on_is_held_to_the_gates_of_now(home: Path) -> None:
    write_config(home / "late.yaml", {"name": "late", "eval": {"min": {"accuracy": 0.9999}}})
    assert ft("run", "late.yaml", cwd=home).code == 3
    relaxed = ft("run", "late.yaml", "--resume", "eval.min.accuracy=0.1", "eval.max.loss=9", "--json", cwd=home)
    assert relaxed.code == 0, relaxed.err
    gates = json.loads(relaxed.out)["evaluation"]["gates"]
    assert [(gate["metric"], gate["threshold"]) for gate in gates] == [("accuracy", 0.1), ("loss", 9)]


def test_the_lower_bound_asks_for_more_than_the_estimate(home: Path) -> None:
    document = json.loads(ft("eval", "runs/tiny/1", "--json", cwd=home).out)
    value, (low, _) = document["metrics"]["accuracy"], document["intervals"]["accuracy"]
    between = f"accuracy={(value + low) / 2}"
    assert ft("eval", "runs/tiny/1", "--min", between, cwd=home).code == 0
    answer = ft("eval", "runs/tiny/1", "--min", between, "--gate-on", "lower_bound", cwd=home)
    assert answer.code == 3
    assert f"by its 95 % interval down to {low:.6g}, FAILED" in answer.err
    answer = ft("eval", "runs/tiny/1", "--min", f"accuracy={low - 1e-6}", "--gate-on", "lower_bound", cwd=home)
    assert answer.code == 0
    answer = ft("eval", "runs/tiny/1", "--per-class", "f1=0.1", "--gate-on", "lower_bound", cwd=home)
    assert answer.code == 3
    assert "no interval" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max", "accuracy=0.9"], "better when larger"),
        (["--max", "los=0.9"], "did you mean loss?"),
        (["--max", "loss=-1"], "never below 0"),
        (["--min", "kapa=0.5"], "did you mean kappa?"),
        (["--min", "acc=0.5"], "did you mean accuracy?"),
        (["--min", "nothing=0.5"], "balanced_accuracy"),
        (["--max", "loss"], "expected METRIC=VALUE, e.g. --max loss=0.2"),
        (["--per-class", "recall=90"], "between 0 and 1"),
        (["--per-class", "accuracy=0.9"], "there are precision, recall and f1"),
        (["--per-class", "kind/recall=0.9"], "kind is no output with classes; there are: digit"),
        (["eval.per_class.foo=0.9"], "there are precision, recall, f1, or OUTPUT/recall"),
        (["--gate-on", "median"], "there are estimate and lower_bound"),
        (["--junit", "."], "this is a folder"),
        (["--junit", "nowhere/gates.xml"], "there is no folder"),
    ],
)
def test_a_gate_that_cannot_be_held_is_told_before_anything_runs(home: Path, words: list[str], message: str) -> None:
    answer = ft("eval", "runs/tiny/1", *words, cwd=home)
    assert answer.code == 2
    assert message in answer.err
    assert "examples" not in answer.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--min", "acuracy=0.9"], "--min acuracy=0.9 acuracy is not a metric of this experiment; did you"),
        (["--max-drop", "accuracy=0.1"], "--max-drop accuracy=0.1 max_drop needs the evaluation of an earlier model: "),
        (["--per-class", "recall=2"], "--per-class recall=2 recall is between 0 and 1"),
        (["--baseline", "main.json"], "--baseline main.json baseline says nothing by itself"),
        (["eval.min.acuracy=0.9"], "eval.min.acuracy=0.9 acuracy is not a metric"),
        (["data.split.test=null", "--split", "test"], "--split test the data have no test split"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_the_option_that_was_typed(home: Path, words: list[str], told: str) -> None:
    answer = ft("eval", "runs/tiny/1", *words, cwd=home)
    assert answer.code == 2
    assert answer.errors[0].startswith(f"command line: {told}")


def test_a_mistake_of_the_settings_keeps_its_place_beside_one_of_the_line(home: Path) -> None:
    gates = ["eval.max.speed=3", "--max", "los=3"]
    answer = ft("eval", "runs/tiny/1", *gates, cwd=home)
    assert [line.split(" is not ")[0] for line in answer.errors] == [
        "command line: eval.max.speed=3 speed",
        "command line: --max los=3 los",
    ]


def test_classes_have_no_gate_where_there_are_none(home: Path) -> None:
    outputs = {"digit": {"type": "number"}}
    write_config(home / "number.yaml", {"name": "number", "outputs": outputs, "eval": {"per_class": {"f1": 0.5}}})
    answer = ft("run", "number.yaml", cwd=home)
    assert answer.code == 2
    assert "no output of this experiment has classes" in answer.err


def test_github_actions_gets_annotations_and_a_summary(home: Path) -> None:
    summary = home / "summary.md"
    summary.write_text("before\n")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    gates = ["--min", "accuracy=0.9999", "--max", "loss=9"]
    answer = ft("eval", "runs/tiny/1", *gates, "--json", cwd=home, env=env)
    assert answer.code == 3
    (annotation,) = (line for line in answer.err.splitlines() if line.startswith("::error "))
    assert annotation.startswith("::error title=tiny%3A gate failed::accuracy >= 0.9999: 0.")
    assert json.loads(answer.out)["passed"] is False
    text = summary.read_text()
    assert text.startswith("before\n## tiny: 1 of 2 gates failed\n")
    assert "| accuracy | at least 0.9999 |" in " ".join(text.split())
    silent = ft("eval", "runs/tiny/1", *gates, cwd=home)
    assert "::error" not in silent.err


def test_a_summary_that_is_full_or_cannot_be_written_changes_no_verdict(home: Path) -> None:
    summary = home / "summary.md"
    summary.write_text("x" * (github.LIMIT - 200))
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    assert ft("eval", "runs/tiny/1", "--min", "accuracy=0.1", cwd=home, env=env).code == 0
    assert summary.stat().st_size <= github.LIMIT
    env["GITHUB_STEP_SUMMARY"] = str(home)
    answer = ft("eval", "runs/tiny/1", "--min", "accuracy=0.1", cwd=home, env=env)
    assert answer.code == 0
    assert "the job summary was not written" in answer.err


def test_scores_that_are_reported_when_asked_for_can_be_gates_and_choose_the_best(home: Path) -> None:
    settings = {"metrics": ["accuracy", "ece", "mcc"], "max": {"brier": 1.0}, "min": {"kappa": 0.1}}
    write_config(home / "asked.yaml", {"name": "asked", "eval": settings, "train": {"epochs": 2, "monitor": "ece"}})
    answer = ft("run", "asked.yaml", "--json", cwd=home)
    assert answer.code == 0, answer.err
    verdict = json.loads(answer.out)["evaluation"]
    assert list(verdict["metrics"]) == ["accuracy", "ece", "mcc"]
    assert [gate["metric"] for gate in verdict["gates"]] == ["kappa", "brier"]
    rows = [json.loads(row) for row in (home / "runs/asked/1/metrics.jsonl").read_text().splitlines()]
    validated = [row["ece"] for row in rows if row["event"] == "validation"]
    best = json.loads((home / "runs/asked/1/result.json").read_text())["best_epoch"]
    assert validated[best - 1] == min(validated)
    assert "better when smaller" in ft("eval", "runs/asked/1", "--min", "ece=0.1", cwd=home).err


@pytest.fixture
def two(home: Path) -> Path:
    """Run 1, a good model, run 2, a worse one, and main.json, which says what run 1 answered."""
    assert ft("train", "tiny.yaml", "train.max_steps=6", cwd=home).code == 0
    assert ft("eval", "runs/tiny/1", "--out", "main.json", cwd=home).code == 0
    return home


def test_a_model_is_held_against_a_baseline_example_by_example(two: Path) -> None:
    against = ["--baseline", "main.json", "--max-drop", "accuracy=0.003"]
    same = ft("eval", "runs/tiny/1", *against, "--json", cwd=two)
    assert same.code == 0, same.err
    (gate,) = json.loads(same.out)["gates"]
    assert (gate["metric"], gate["value"], gate["p"], gate["passed"]) == ("drop of accuracy", 0.0, 1.0, True)
    worse = ft("eval", "runs/tiny/2", *against, "--json", cwd=two)
    assert worse.code == 3
    document = json.loads(worse.out)
    (gate,) = document["gates"]
    drop = json.loads((two / "main.json").read_text())["metrics"]["accuracy"] - document["metrics"]["accuracy"]
    assert gate["value"] == pytest.approx(drop)
    assert gate["interval"][0] < drop < gate["interval"][1]
    assert gate["p"] < 0.05
    assert "drop of accuracy <= 0.003: " in worse.err
    assert "by chance with p = " in worse.err
    better = ft("eval", "runs/tiny/1", "--baseline", "worse.json", "--max-drop", "accuracy=0", cwd=two)
    assert better.code == 2  # there is no such file
    assert ft("eval", "runs/tiny/2", "--out", "worse.json", cwd=two).code == 0
    assert ft("eval", "runs/tiny/1", "--baseline", "worse.json", "--max-drop", "accuracy=0", cwd=two).code == 0


def test_by_the_lower_bound_a_drop_must_be_shown_to_be_small(two: Path) -> None:
    words = ["eval", "runs/tiny/1", "--baseline", "main.json", "--gate-on", "lower_bound", "--max-drop"]
    assert ft(*words, "accuracy=0.0001", cwd=two).code == 3  # 300 examples cannot show that
    assert ft(*words, "accuracy=0.05", cwd=two).code == 0


def test_a_baseline_may_stand_in_the_file_and_speak_of_numbers(two: Path) -> None:
    settings = {"name": "number", "outputs": {"digit": {"type": "number"}}, "eval": {"metrics": ["mae", "rmse"]}}
    write_config(two / "number.yaml", settings)
    assert ft("run", "number.yaml", cwd=two).code == 0
    assert ft("eval", "runs/number/1", "--out", "first.json", cwd=two).code == 0
    gates = {"baseline": "first.json", "max_drop": {"mae": 0.01}}
    write_config(two / "number.yaml", {**settings, "eval": gates, "train": {"epochs": 1, "lr": 1e-5}})
    answer = ft("run", "number.yaml", "--json", cwd=two)
    assert answer.code == 3
    (gate,) = json.loads(answer.out)["evaluation"]["gates"]
    assert gate["metric"] == "drop of mae"
    assert gate["value"] > 0.01


def test_a_baseline_that_is_not_there_is_told_before_training(home: Path) -> None:
    gates = {"baseline": "none.json", "max_drop": {"accuracy": 0.01}}
    write_config(home / "late.yaml", {"name": "late", "eval": gates})
    answer = ft("run", "late.yaml", cwd=home)
    assert answer.code == 2
    assert "baseline none.json: there is no such file" in answer.err
    assert not (home / "runs/late").exists()


def test_a_baseline_of_other_examples_is_refused(two: Path) -> None:
    words = ["--baseline", "main.json", "--max-drop", "accuracy=0.1"]
    other = ft("eval", "runs/tiny/1", "--split", "val", *words, cwd=two)
    assert other.code == 4
    assert "judged 300 examples and this evaluation 200" in other.err
    write_config(two / "cut.yaml", {"name": "cut", "data": {"split": {"val": 200, "test": 300, "seed": 9}}})
    assert ft("train", "cut.yaml", cwd=two).code == 0
    other = ft("eval", "runs/cut/1", *words, cwd=two)
    assert other.code == 4
    assert "judged other examples" in other.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--max-drop", "accuracy=0.1"], 2, "needs the evaluation of an earlier model"),
        (["--baseline", "main.json"], 2, "says nothing by itself"),
        (
            ["--baseline", "main.json", "--max-drop", "top5=0.1"],
            2,
            "tested example by example; there are: acc",
        ),
        (["--baseline", "main.json", "--max-drop", "accuracy=-0.1"], 2, "a drop is not below 0"),
        (["--baseline", "tiny.yaml", "--max-drop", "accuracy=0.1"], 2, "not what ft eval --json or --out writes"),
        (["--baseline", "none.json", "--max-drop", "accuracy=0.1"], 2, "there is no such file"),
        (["--baseline", "damaged.json", "--max-drop", "accuracy=0.1"], 4, "are damaged"),
        (["--baseline", "cut.json", "--max-drop", "accuracy=0.1"], 4, "for it is no whole JSON document"),
        (["--baseline", "bytes.json", "--max-drop", "accuracy=0.1"], 4, "for it is no whole JSON document"),
        (["--baseline", "without.json", "--max-drop", "accuracy=0.1"], 4, "it is damaged, for it has no metrics"),
        (["--baseline", "other.json", "--max-drop", "accuracy=0.1"], 2, "not what ft eval --json or --out writes"),
        (["--baseline", ".", "--max-drop", "accuracy=0.1"], 2, "it cannot be read (Is a directory)"),
    ],
)  # fmt: skip
def test_a_baseline_that_cannot_be_used_is_told(two: Path, words: list[str], code: int, message: str) -> None:
    document = json.loads((two / "main.json").read_text())
    (two / "cut.json").write_text(json.dumps(document)[:-40])
    (two / "bytes.json").write_bytes(b'{"kind": "eval\xff"}')
    (two / "without.json").write_text(json.dumps({"kind": "eval", "per_example": document["per_example"]}))
    (two / "other.json").write_text(json.dumps({"kind": "train"}))
    document["per_example"]["values"]["accuracy"] = "AAAA"
    (two / "damaged.json").write_text(json.dumps(document))
    answer = ft("eval", "runs/tiny/1", *words, cwd=two)
    assert answer.code == code
    assert message in answer.err


# ---------------------------------------------------------------- slices


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A model of a table whose column `town` it never sees; in one town what it learned does not hold."""
    draw = torch.Generator().manual_seed(0)
    rows = ["x,y,town,age,kind"]
    for index in range(400):
        x, y = torch.randn(2, generator=draw).tolist()
        town = ("Oslo", "Bergen")[index % 2]
        holds = town == "Oslo" or index % 4 == 1
        rows.append(f"{x:.3f},{y:.3f},{town},{20 + index % 50},{'a' if (x + y > 0) == holds else 'b'}")
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    settings = {
        "name": "towns",
        "data": {"source": "table", "root": ".", "train": "rows.csv", "split": {"val": 80, "test": 120}},
        "inputs": {"x": {"type": "number"}, "y": {"type": "number"}},
        "outputs": {"kind": {"type": "category"}},
        "model": {"body": [{"Linear": {"out_features": 8, "activation": "ReLU"}}]},
        "train": {"epochs": 20, "batch_size": 32, "lr": 0.02},
    }
    (tmp_path / "towns.yaml").write_text(json.dumps(settings))
    assert ft("train", "towns.yaml", cwd=tmp_path).code == 0
    return tmp_path


def test_parts_of_the_examples_are_judged_on_their_own(table: Path) -> None:
    words = ["--slice", "town", "--slice", "age=30,60", "--per-slice", "accuracy=0.8"]
    answer = ft("eval", "runs/towns/1", *words, "--json", cwd=table)
    assert answer.code == 3
    document = json.loads(answer.out)
    slices = {each["name"]: each for each in document["slices"]}
    assert list(slices) == ["town=Bergen", "town=Oslo", "age<30", "30<=age<60", "age>=60"]
    oslo, bergen = slices["town=Oslo"], slices["town=Bergen"]
    assert oslo["count"] + bergen["count"] == sum(each["count"] for each in document["slices"][2:]) == 120
    hits = sum(each["count"] * each["metrics"]["accuracy"] for each in (oslo, bergen))
    assert hits / 120 == pytest.approx(document["metrics"]["accuracy"])
    loss = sum(each["count"] * each["metrics"]["loss"] for each in (oslo, bergen)) / 120
    assert loss == pytest.approx(document["metrics"]["loss"], rel=1e-5)
    assert oslo["intervals"]["accuracy"][0] < oslo["metrics"]["accuracy"] < oslo["intervals"]["accuracy"][1]
    passed = {gate["metric"]: gate["passed"] for gate in document["gates"]}
    assert passed["accuracy of town=Oslo"]
    assert not passed["accuracy of town=Bergen"]
    assert "town=Bergen" in (table / "runs/towns/1/report-test.md").read_text()


def test_an_empty_slice_is_never_good_enough(table: Path) -> None:
    words = ["--slice", "town=Oslo,Trondheim", "--per-slice", "accuracy=0.1", "--per-slice", "loss=9"]
    answer = ft("eval", "runs/towns/1", *words, cwd=table)
    assert answer.code == 3
    assert "accuracy of town=Trondheim >= 0.1: not measured, FAILED" in answer.err
    assert "town=Oslo" not in answer.err
    assert "town=Trondheim" in answer.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--slice", "twon"], "did you mean town?"),
        (["--slice", "age=60,30"], "bounds ascend"),
        (["--slice", "age="], "expected COLUMN"),
        (["--per-slice", "accuracy=0.5"], "per_slice needs slices"),
        (["--slice", "town", "--per-slice", "acuracy=0.5"], "did you mean accuracy?"),
        (["--slice", "x"], "slices are at most 100"),
        (["eval.slices.age=[]"], "eval.slices"),
    ],
)
def test_slices_that_cannot_be_cut_are_told(table: Path, words: list[str], message: str) -> None:
    answer = ft("eval", "runs/towns/1", *words, cwd=table)
    assert answer.code == 2
    assert message in answer.err


# ---------------------------------------------------------------- every score


def test_every_score_has_an_interval_and_can_be_held_against_a_baseline(two: Path) -> None:
    words = ["eval.metrics=[accuracy,f1,f1_weighted,mcc,kappa,balanced_accuracy,brier,ece,auroc,loss]", "--json"]
    first = ft("eval", "runs/tiny/1", *words, "--out", "first.json", cwd=two)
    assert first.code == 0, first.err
    document = json.loads(first.out)
    for metric, value in document["metrics"].items():
        low, high = document["intervals"][metric]
        assert low <= value <= high, metric
    against = [
        "--baseline",
        "first.json",
        *(word for metric in ("f1", "mcc", "loss") for word in ("--max-drop", f"{metric}=0")),
    ]
    worse = ft("eval", "runs/tiny/2", *words, *against, cwd=two)
    assert worse.code == 3
    for gate in json.loads(worse.out)["gates"]:
        metric = gate["metric"].removeprefix("drop of ")
        sign = -1 if metric == "loss" else 1
        change = sign * (document["metrics"][metric] - json.loads(worse.out)["metrics"][metric])
        assert gate["value"] == pytest.approx(change, abs=1e-6)
        assert gate["p"] < 0.05


# ---------------------------------------------------------------- verdicts that cannot be reached


def test_a_command_that_fails_leaves_no_earlier_pass_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    best = home / "runs/tiny/1/checkpoints/best.pt"
    words = ["eval", "model.pt", "--min", "accuracy=0.5", "--junit", "gates.xml"]
    (home / "model.pt").write_bytes(best.read_bytes())
    assert ft(*words, cwd=home).code == 0
    damaged = bytearray(best.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (home / "model.pt").write_bytes(damaged)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(home / "summary.md"))
    answer = ft(*words, cwd=home)
    assert answer.code == 4
    root = ElementTree.parse(home / "gates.xml").getroot()
    assert root.get("errors") == "1"
    assert "damaged" in next(root.iter("error")).get("message", "")
    assert "::error title=ft%3A failed::" in answer.err
    assert "damaged" in (home / "summary.md").read_text()


def test_a_gate_given_twice_is_refused(home: Path) -> None:
    answer = ft("eval", "runs/tiny/1", "--min", "accuracy=0.9", "--min", "accuracy=0.1", cwd=home)
    assert answer.code == 2
    assert "--min accuracy: is given twice" in answer.err


def test_names_cannot_command_a_terminal_or_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("a" + chr(27) + "[31mred", "b" + chr(10) + "::error ::x")
    rows = ["x,kind", *(f'{index},"{names[index % 2]}"' for index in range(60))]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    settings = {
        "name": "odd",
        "data": {"source": "table", "root": ".", "train": "rows.csv", "split": {"val": 10, "test": 20}},
        "inputs": {"x": {"type": "number"}},
        "outputs": {"kind": {"type": "category"}},
        "model": {"body": [{"Linear": 4}]},
        "train": {"epochs": 1, "batch_size": 16},
    }
    (tmp_path / "odd.yaml").write_text(json.dumps(settings))
    assert ft("train", "odd.yaml", cwd=tmp_path).code == 0
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    answer = ft("eval", "runs/odd/1", "--per-class", "recall=0.99", "--slice", "kind", cwd=tmp_path)
    assert answer.code == 3
    for text in (answer.out, answer.err, (tmp_path / "summary.md").read_text()):
        assert chr(27) not in text
        assert not any(line.startswith("::error ::") for line in text.splitlines())
    assert "\\x1b[31mred" in answer.out


def test_rates_of_two_classes_can_be_held_against_a_baseline(table: Path) -> None:
    assert ft("eval", "runs/towns/1", "--out", "main.json", cwd=table).code == 0
    assert ft("train", "towns.yaml", "train.epochs=1", "train.lr=0.0001", cwd=table).code == 0
    drops = [word for metric in ("sensitivity", "specificity", "kappa") for word in ("--max-drop", f"{metric}=0.9")]
    answer = ft("eval", "runs/towns/2", "--baseline", "main.json", *drops, "--json", cwd=table)
    document, before = json.loads(answer.out), json.loads((table / "main.json").read_text())["metrics"]
    for gate in document["gates"][:2]:
        metric = gate["metric"].removeprefix("drop of ")
        assert gate["value"] == pytest.approx(before[metric] - document["metrics"][metric], abs=1e-6)
    assert document["gates"][2]["metric"] == "drop of kappa"
    other = {**json.loads((table / "main.json").read_text()), "schema_version": 99}
    (table / "other.json").write_text(json.dumps(other))
    later = ft("eval", "runs/towns/2", "--baseline", "other.json", *drops, cwd=table)
    assert later.code == 2
    assert "schema_version 99" in later.err
