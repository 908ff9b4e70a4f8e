"""All of a report is kept, also what JSON has no form for, and a damaged file is refused with a reason."""

from __future__ import annotations

import json
import math

import pytest

from ft.core.metrics.scores import ClassScores, Scores
from ft.core.report import html, kept, markdown
from ft.core.report.answered import Answered, Mistake, Reliability
from ft.core.report.gates import Gates, check_gates
from ft.core.report.model import HistoryRow, MainMetric, Parameters, RunReport
from ft.core.report.showing import Shown

SCORES = Scores(
    metrics={"accuracy": 0.75, "f1": math.nan},
    intervals={"accuracy": (0.7, 0.8)},
    per_class=[ClassScores("cat\ud800", 0.5, 0.25, 0.125, 4)],
    confusion=[[3, 1], [0, 4]],
    classes=["cat\ud800", "dog"],
    count=8,
)
REPORT = RunReport(
    name="pets",
    stage="finetune",
    run_path="runs/pets/1",
    command="ft finetune",
    main={"animal": MainMetric("accuracy", True)},
    scores={"test": {"animal": SCORES}},
    parent_scores={"test": {"animal": SCORES}},
    loss={"test": math.inf},
    history=[HistoryRow(1, 10, None, {"loss": math.nan})],
    parameters=Parameters(3, 2),
    units=[{"index": 0, "name": "a", "parameters": 3, "trainable": 2, "rates": [0.1], "from_epochs": [1]}],
    gates=check_gates(Gates({"accuracy": 0.5}), {"accuracy": 0.75}, {"accuracy": (0.7, 0.8)}, {}),
    answered={
        "animal": Answered(
            8,
            1,
            Reliability((8,), (6.5,), (7,), 0.06),
            [Mistake("row 1", "cat", "dog", 0.9, 0.1, 2.3, [Shown("text", words="a")])],
            [],
        )
    },
)


def test_both_forms_can_be_made_again_from_what_is_kept() -> None:
    found, answers = kept.from_json(kept.to_json(REPORT, {"count": 8}))
    assert answers == {"count": 8}
    assert markdown.render(found) == markdown.render(REPORT)
    assert html.render(found) == html.render(REPORT)


def test_what_a_later_version_adds_is_passed_over_and_what_it_leaves_out_is_the_default() -> None:
    document = json.loads(kept.to_json(REPORT, None))
    document["report"]["later"] = 1
    del document["report"]["epoch_seconds"]
    found, _ = kept.from_json(json.dumps(document))
    assert found.epoch_seconds == ()
    assert markdown.render(found) == markdown.render(REPORT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "Expecting"), ("[]", "no report"), ('{"report": {"name": 3}}', "name"), ('{"report": null}', "dict")],
)
def test_a_damaged_file_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        kept.from_json(text)
