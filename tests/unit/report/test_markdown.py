"""The report says the verdict first, then what it rests on, and leaves out what there is nothing to say about."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from ft.core.metrics.scores import ClassScores, Scores
from ft.core.report.gates import Gates, check_gates
from ft.core.report.markdown import render
from ft.core.report.model import HistoryRow, MainMetric, Parameters, RunReport


def category(right: int, of: int = 100) -> Scores:
    share = right / of
    return Scores(
        metrics={"accuracy": share, "f1": share},
        intervals={"accuracy": (share - 0.02, share + 0.02)},
        per_class=[ClassScores("cat", 0.5, 0.25, 0.125, of), ClassScores("dog|wolf", 0.0, 0.0, 0.0, 0)],
        confusion=[[right, of - right], [0, 0]],
        classes=["cat", "dog|wolf"],
        count=of,
    )


def number(mae: float) -> Scores:
    return Scores({"mae": mae, "r2": 0.5}, {"mae": (mae - 1, mae + 1)}, count=50)


REPORT = RunReport(
    name="pets",
    stage="train",
    run_path="runs/pets/1",
    command="ft train pets.yaml train.epochs=3",
    main={"animal": MainMetric("accuracy", True)},
    scores={"val": {"animal": category(90)}, "test": {"animal": category(80)}},
    loss={"val": 0.25, "test": 0.75},
    history=[HistoryRow(epoch, 10 * epoch, 1 / epoch, {"loss": 2 / epoch, "accuracy": 0.5}) for epoch in (1, 2, 3)],
    best_step=20,
    parameters=Parameters(1234, 1000),
    seconds=61,
    device="cpu",
    precision="fp32",
    data="pets: 300 pictures",
    settings="name: pets\n",
    environment={"torch": "2.10"},
    files={"best weights": "runs/pets/1/checkpoints/best.pt"},
    notes=["The last layer is new."],
)
TUNED = replace(
    REPORT, stage="finetune", parent="runs/pets/1", parent_scores={"test": {"animal": category(70)}}, gates=()
)


def headings(text: str) -> list[str]:
    return [line[3:] for line in text.splitlines() if line.startswith("## ")]


def tables(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, read by a Markdown parser."""
    below = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows: list[list[str]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(below)
    for opened, token in pairwise(tokens):
        if opened.type == "tr_open":
            rows.append([])
        if opened.type in ("th_open", "td_open"):
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


def test_the_verdict_comes_first_with_its_interval_and_the_test_split_speaks() -> None:
    lines = render(REPORT).splitlines()
    assert lines[0] == "# pets: training"
    assert lines[2] == "**accuracy 0.8000** on the test split (95 % interval 0.7800 to 0.8200, 100 examples)."


def test_without_a_test_score_validation_speaks_and_says_so() -> None:
    text = render(replace(REPORT, scores={"val": {"animal": category(90)}}))
    assert "**accuracy 0.9000** on the validation split" in text


def test_sections_come_in_the_order_a_reader_asks() -> None:
    gated = replace(REPORT, gates=check_gates(Gates({"accuracy": 0.5}), {"accuracy": 0.8}, {}, {}))
    assert headings(render(gated)) == [
        "Gates", "Scores", "Classes", "Confusion", "Learning curve", "Run", "Environment", "Reproduce",
        "Where things are", "Settings",
    ]  # fmt: skip


def test_what_there_is_nothing_to_say_about_is_left_out() -> None:
    bare = RunReport("x", "eval", "runs/x/1", "ft eval", {"price": MainMetric("mae", False)}, {})
    text = render(bare)
    assert "Nothing was evaluated." in text
    assert headings(text) == ["Run", "Reproduce"]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (70, "Before fine-tuning 0.7000, after it 0.8000: 0.1000 better. The intervals do not overlap."),
        (83, "Before fine-tuning 0.8300, after it 0.8000: 0.0300 worse. The intervals overlap."),
        (80, "Before fine-tuning 0.8000, after it 0.8000: no change. The intervals overlap."),
    ],
)
def test_before_and_after_fine_tuning_are_compared_on_the_same_split(before: int, words: str) -> None:
    text = render(replace(TUNED, parent_scores={"test": {"animal": category(before)}}))
    assert text.splitlines()[3] == words
    assert tables(text, "Scores")[0] == ["metric", "val", "test, before", "test, after"]


def test_a_smaller_error_is_the_better_one() -> None:
    report = replace(
        TUNED,
        main={"price": MainMetric("mae", False)},
        scores={"test": {"price": number(5)}},
        parent_scores={"test": {"price": number(8)}},
    )
    assert "Before fine-tuning 8.0000, after it 5.0000: 3.0000 better." in render(report)


def test_nan_is_neither_better_nor_worse() -> None:
    broken = replace(category(70), metrics={"accuracy": math.nan, "f1": math.nan})
    text = render(replace(TUNED, parent_scores={"test": {"animal": broken}}))
    assert "Before fine-tuning NaN, after it 0.8000: which cannot be compared." in text


def test_failed_gates_are_said_above_everything_else_and_shown_exactly() -> None:
    gates = check_gates(Gates({"accuracy": 0.98, "f1": 0.1, "auc": 0.5}), {"accuracy": 0.97999, "f1": 0.5}, {}, {})
    text = render(replace(REPORT, gates=gates))
    assert text.index("**2 of 3 gates failed.**") < text.index("## ")
    assert tables(text, "Gates")[1:] == [
        ["failed", "accuracy", "at least 0.98", "0.97999", "", "the value"],
        ["passed", "f1", "at least 0.1", "0.5", "", "the value"],
        ["failed", "auc", "at least 0.5", "missing", "", "the value"],
    ]
    passed = render(replace(REPORT, gates=gates[1:2]))
    assert "All gates passed (1 of 1)." in passed


def test_answers_that_were_not_finite_are_said_at_the_top() -> None:
    text = render(replace(REPORT, scores={"test": {"animal": replace(category(80), nonfinite=7)}}))
    sentence = "7 of 100 answers of animal on the test split were NaN or infinite."
    assert text.index(sentence) < text.index("## ")


def test_scores_stand_by_metric_and_split() -> None:
    assert tables(render(REPORT), "Scores") == [
        ["metric", "val", "test"],
        ["loss", "0.2500", "0.7500"],
        ["accuracy", "0.9000 (0.8800 to 0.9200)", "0.8000 (0.7800 to 0.8200)"],
        ["f1", "0.9000", "0.8000"],
    ]


def test_class_names_cannot_break_the_tables() -> None:
    text = render(REPORT)
    assert tables(text, "Classes")[2] == ["dog|wolf", "0.0000", "0.0000", "0.0000", "0"]
    assert tables(text, "Confusion") == [["", "cat", "dog|wolf"], ["cat", "80", "20"], ["dog|wolf", "·", "·"]]


def test_several_outputs_have_a_verdict_and_tables_each() -> None:
    report = replace(
        REPORT,
        main={"animal": MainMetric("accuracy", True), "price": MainMetric("mae", False)},
        scores={"test": {"animal": category(80), "price": number(5)}},
        history=[HistoryRow(1, 10, 1.0, {"loss": 2.0, "animal/accuracy": 0.5, "animal/f1": 0.4, "price/mae": 3.0})],
    )
    text = render(report)
    assert "**animal/accuracy 0.8000** on the test split" in text
    assert "**price/mae 5.0000** on the test split" in text
    assert headings(text)[:5] == [
        "Scores of animal", "Scores of price", "Loss of all outputs", "Classes of animal", "Confusion of animal",
    ]  # fmt: skip
    assert tables(text, "Learning curve")[0] == [
        "epoch",
        "step",
        "train loss",
        "loss",
        "animal/accuracy",
        "price/mae",
        "",
    ]


def test_above_twenty_classes_the_most_confused_pairs_stand_for_the_matrix() -> None:
    names = [f"kind {index}" for index in range(21)]
    matrix = [[100 if row == column else 0 for column in range(21)] for row in range(21)]
    matrix[3][4], matrix[8][1] = 25, 30
    scores = replace(category(80), classes=names, confusion=matrix)
    text = render(replace(REPORT, scores={"test": {"animal": scores}}))
    assert "21 classes is too wide" in text
    assert tables(text, "Confusion")[1:] == [["kind 8", "kind 1", "30", "23.1 %"], ["kind 3", "kind 4", "25", "20.0 %"]]


def test_above_a_hundred_classes_the_hardest_are_listed() -> None:
    rows = [ClassScores(f"kind {index}", 0.5, 0.5, (index * 37 % 150) / 150, 10) for index in range(150)]
    rows[0] = ClassScores("never seen", 0.0, 0.0, 0.0, 0)
    scores = replace(category(80), per_class=rows, confusion=None, classes=[row.name for row in rows])
    text = render(replace(REPORT, scores={"test": {"animal": scores}}))
    assert "The 30 of 150 classes with the lowest F1" in text
    listed = [float(row[3]) for row in tables(text, "Classes")[1:]]
    assert listed == pytest.approx([index / 150 for index in range(1, 31)], abs=1e-4)
    assert "Not counted: 150 classes." in text


def test_the_learning_curve_marks_the_best_validation() -> None:
    rows = tables(render(REPORT), "Learning curve")
    assert rows[0] == ["epoch", "step", "train loss", "loss", "accuracy", ""]
    assert rows[2] == ["2", "20", "0.5000", "1.0000", "0.5000", "best"]
    assert [row[-1] for row in rows] == ["", "", "best", ""]


@pytest.mark.parametrize("best", [1, 500, 1000])
def test_a_long_learning_curve_is_thinned_and_keeps_first_last_and_best(best: int) -> None:
    history = [HistoryRow(epoch, epoch, 1.0, {"loss": 1.0}) for epoch in range(1, 1001)]
    text = render(replace(REPORT, history=history, best_step=best))
    epochs = [int(row[0]) for row in tables(text, "Learning curve")[1:]]
    assert len(epochs) <= 13
    assert {1, best, 1000} <= set(epochs)
    assert epochs == sorted(epochs)
    assert f"{len(epochs)} of 1000 validations" in text


def test_the_monitored_metric_is_in_the_curve_and_the_others_are_not() -> None:
    history = [HistoryRow(1, 10, None, {"loss": 1.0, "accuracy": 0.5, "f1": 0.4, "top5": 0.9})]
    rows = tables(render(replace(REPORT, history=history, monitor="f1")), "Learning curve")
    assert rows == [
        ["epoch", "step", "train loss", "loss", "accuracy", "f1", ""],
        ["1", "10", "", "1.0000", "0.5000", "0.4000", ""],
    ]


def test_the_command_and_the_settings_can_be_copied_as_they_are() -> None:
    command, settings = "ft train 'a b.yaml' x='``'", "name: pets\nnote: |\n  ```\n"
    fences = [
        token
        for token in MarkdownIt("commonmark").parse(render(replace(REPORT, command=command, settings=settings)))
        if token.type == "fence"
    ]
    assert [(fence.info, fence.content) for fence in fences] == [("sh", command + "\n"), ("yaml", settings)]


def test_facts_of_the_run_are_there() -> None:
    text = render(TUNED)
    for line in (
        "- data: pets: 300 pictures",
        "- parameters: 1,234, of which 1,000 learn",
        "- time: 1 min 1 s",
        "- starting weights: runs/pets/1",
        "- torch: 2.10",
        "- best weights: `runs/pets/1/checkpoints/best.pt`",
        "- The last layer is new.",
    ):
        assert line in text.splitlines()


def test_the_notes_of_scores_stand_below_their_table_and_say_which_split_they_are_of() -> None:
    val = replace(category(90), positive="cat", notes=("positive: cat",))
    test = replace(category(80), positive="cat", notes=("positive: cat", "no example is dog|wolf"))
    text = render(replace(REPORT, scores={"val": {"animal": val}, "test": {"animal": test}}))
    section = text.split("## Scores\n")[1].split("\n## ")[0]
    assert section.strip().splitlines()[-2:] == ["- positive: cat", "- test split: no example is dog\\|wolf"]


def test_labels_have_rows_of_their_own_and_no_confusion() -> None:
    scores = replace(category(80), confusion=None, classes=None)
    text = render(replace(REPORT, scores={"test": {"animal": scores}}))
    assert tables(text, "Labels")[0] == ["label", "precision", "recall", "F1", "examples"]
    assert "Confusion" not in headings(text)


def test_a_ranking_counts_users() -> None:
    scores = Scores({"ndcg@10": 0.1}, count=943, unit="users", notes=("ties: the earlier item first",))
    report = replace(REPORT, main={"film": MainMetric("ndcg@10", True)}, scores={"test": {"film": scores}})
    text = render(report)
    assert "**ndcg@10 0.1000** on the test split (943 users)." in text
    assert "- ties: the earlier item first" in text.splitlines()


def test_what_the_data_lacked_and_what_weights_were_learned_is_told() -> None:
    text = render(replace(REPORT, data_notes=("column age, train: 177 of 712 missing",), loss_weights={"animal": 1.5}))
    assert "## Data\n\n- column age, train: 177 of 712 missing\n" in text
    assert tables(text, "Learned weights of the losses")[1] == ["animal", "1.5000"]
    bare = headings(render(REPORT))
    assert "Data" not in bare
    assert "Learned weights of the losses" not in bare
