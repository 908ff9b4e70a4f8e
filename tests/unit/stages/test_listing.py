"""Which runs are listed, in which order, with what beside; and which way a metric is better."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run

from ft.core.errors import ConfigError
from ft.core.metrics.directions import direction_of
from ft.core.models.heads.category import CategoryHead
from ft.core.models.heads.labels import LabelsHead
from ft.core.models.heads.number import NumberHead
from ft.core.models.heads.ranking import RankingHead
from ft.core.stages.listing import Listing, Query, list_runs
from ft.core.stages.run_fields import differing, parse_condition


def numbers(found: Listing) -> list[int]:
    return [row.status.number for row in found.rows]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """1: the best; 2: NaN; 3: another optimizer, judged on test; 4: a fine-tuning that failed."""
    made_run(tmp_path, metrics={"accuracy": 0.9, "loss": 0.5}, started=100.0, finished=140.0)
    broken = {"accuracy": math.nan, "loss": 9.0}
    made_run(tmp_path, "tiny", {"train": {"lr": 0.1}}, metrics=broken, started=200.0, finished=205.0)
    sgd = {"train": {"optimizer": "sgd"}}
    test = {"test": {"accuracy": 0.7}}
    scores = {"accuracy": 0.8, "loss": 0.4}
    made_run(tmp_path, "tiny", sgd, metrics=scores, evaluations=test, started=300.0, finished=310.0)
    tuned = {"finetune": {"lr": 0.001, "freeze": [0]}}
    made_run(tmp_path, "tiny", tuned, stage="finetune", state="failed", finished=None, started=400.0)
    return tmp_path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"states": ("failed",)}, [4]),
        ({"stages": ("train",)}, [1, 2, 3]),
        ({"states": ("failed", "finished"), "stages": ("finetune",)}, [4]),
        ({"limit": 2}, [3, 4]),
        ({"sort": "started"}, [4, 3, 2, 1]),
        ({"sort": "started", "limit": 1}, [4]),
        ({"sort": "time"}, [2, 3, 1, 4]),
        ({"sort": "accuracy"}, [1, 3, 2, 4]),  # NaN and none come last
        ({"sort": "loss"}, [3, 1, 2, 4]),  # the smaller the better
        ({"sort": "test/accuracy", "limit": 1}, [3]),
        ({"sort": "val/accuracy", "limit": 1}, [1]),
    ],
)
def test_runs_are_chosen_and_sorted(runs: Path, query: dict[str, Any], expected: list[int]) -> None:
    assert numbers(list_runs(runs, Query(**query))) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("train.lr=0.1", [2]),
        ("train.lr=1e-2", [1, 3, 4]),  # as a number: the file says 0.01
        ("train.lr = 1.0e-1", [2]),
        ("train.lr!=0.1", [1, 3, 4]),
        ("train.lr>0.05", [2]),
        ("train.lr<=0.01", [1, 3, 4]),
        ("train.optimizer=sgd", [3]),
        ("finetune.lr<1", [4]),
        ("finetune.lr!=5", [4]),  # whoever lacks it is not meant
        ("finetune.freeze=[0]", [4]),
        ("model.layers.1.Linear.out_features=32", [1, 2, 3, 4]),
        ("tensorboard=false", [1, 2, 3, 4]),
        ("tensorboard=0", []),
        ("seed=3.0", [1, 2, 3, 4]),
        ("accuracy>=0.8", [1, 3]),
        ("accuracy==0.9", [1]),
        ("loss<0.45", [3]),
        ("test/accuracy>0.5", [3]),
        ("accuracy!=0.9", [3]),  # NaN is not measured
    ],
)
def test_conditions_on_settings_and_metrics(runs: Path, condition: str, expected: list[int]) -> None:
    assert numbers(list_runs(runs, Query(where=(parse_condition(condition),)))) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.lr", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("train.lr<fast", "train.lr < wants a number, not fast"),
        ("accuracy=high", "accuracy = wants a number, not high"),
        ("accuracy>=", "wants a number, not nothing"),
        ("train.optimizer=[sgd", r"--where train.optimizer=\[sgd"),
    ],
)
def test_a_condition_of_another_form_is_told(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_condition(text)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query(sort="acuracy"), "--sort acuracy: no run here has this metric; did you mean accuracy?"),
        (Query(sort="test/acuracy"), "did you mean test/accuracy?"),
        (Query(sort="wer"), "there are val/accuracy, val/loss, accuracy, loss, test/accuracy"),
        (Query(sort="train.lr"), "sorted by a metric"),
        (Query(columns=("train.lrr",)), "--columns train.lrr: no run here has this setting; did you mean train.lr?"),
        (Query(where=(parse_condition("finetune.freze=0"),)), "did you mean finetune.freeze?"),
    ],
)
def test_a_name_that_no_run_has_is_told_with_the_nearest(runs: Path, query: Query, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        list_runs(runs, query)
    assert message.replace("?", "") in str(told.value).replace("?", "")


def test_where_there_are_no_runs_nothing_is_unknown(tmp_path: Path) -> None:
    found = list_runs(tmp_path / "nowhere", Query(sort="accuracy", columns=("train.lr",)))
    assert (found.rows, found.total) == ([], 0)


def test_asked_columns_stand_beside_and_what_a_run_lacks_is_left_out(runs: Path) -> None:
    found = list_runs(runs, Query(columns=("train.lr", "finetune.freeze", "accuracy")))
    assert found.columns == ("train.lr", "finetune.freeze", "accuracy")
    assert [dict(row.columns) for row in found.rows] == [
        {"train.lr": 0.01, "accuracy": 0.9},
        {"train.lr": 0.1},
        {"train.lr": 0.01, "accuracy": 0.8},
        {"train.lr": 0.01, "finetune.freeze": [0]},
    ]


def test_what_it_is_sorted_by_is_shown_unless_it_is_a_main_score_anyway(runs: Path) -> None:
    assert list_runs(runs, Query(sort="loss")).columns == ("loss",)
    assert list_runs(runs, Query(sort="accuracy")).columns == ()
    assert list_runs(runs, Query(sort="test/accuracy")).columns == ()
    assert list_runs(runs, Query(sort="time")).columns == ()


def test_only_what_differs_is_a_column(runs: Path) -> None:
    found = list_runs(runs, Query(differing=True))
    assert found.columns == ("train.lr", "train.optimizer")  # one fine-tuning beside trainings is no difference in it
    assert list_runs(runs, Query(differing=True, limit=1)).columns == ()
    assert list_runs(runs, Query(differing=True, where=(parse_condition("finetune.lr!=1"),))).alike is False
    made_run(runs, "other")
    made_run(runs, "other")
    assert list_runs(runs, Query("other", differing=True)).alike


def test_differences_are_told_at_the_deepest_place_that_all_have() -> None:
    def of(*values: Any) -> list[str]:
        return differing([{"model": value, "name": str(place)} for place, value in enumerate(values)])

    assert of({"a": 1}, {"a": 1.0}) == []
    assert of({"a": 1}, {"a": True}) == ["model.a"]
    assert of({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == ["model.a.c"]
    assert of({"a": "adam"}, {"a": {"sgd": {"momentum": 0.9}}}) == ["model.a"]
    assert of({"a": {"adam": {}}}, {"a": {"sgd": {}}}) == ["model.a.adam", "model.a.sgd"]
    assert of({"a": [1, {"x": 2}]}, {"a": [1, {"x": 3}]}) == ["model.a.1.x"]
    assert of({"a": [1]}, {"a": [1, 2]}) == ["model.a"]
    assert differing([{"train": {"lr": 1}}, {"finetune": {"lr": 2}}, {"train": {"lr": 1}, "finetune": None}]) == []


def test_sizes_count_every_file_once_and_follow_no_link(tmp_path: Path) -> None:
    run = made_run(tmp_path / "runs")
    before = list_runs(tmp_path / "runs", Query(sizes=True)).rows[0].bytes
    (tmp_path / "huge").write_bytes(b"x" * 5000)
    (run.path / "link").symlink_to(tmp_path / "huge")
    (run.path / "checkpoints" / "more").write_bytes(b"x" * 300)
    after = list_runs(tmp_path / "runs", Query(sizes=True)).rows[0].bytes
    assert before is not None
    assert after is not None
    assert after - before == 300 + len(str(tmp_path / "huge"))
    assert list_runs(tmp_path / "runs").rows[0].bytes is None


def test_a_run_that_can_no_more_be_told_is_named_and_one_being_made_is_not(tmp_path: Path) -> None:
    made_run(tmp_path)
    damaged = made_run(tmp_path)
    (damaged.path / "status.json").write_text('{"stage": ')
    being_made = made_run(tmp_path, running=True)
    (being_made.path / "status.json").unlink()
    found = list_runs(tmp_path)
    assert numbers(found) == [1]
    assert found.unreadable == (damaged.path,)
    being_made.lock.release()


def test_damaged_settings_are_no_settings(tmp_path: Path) -> None:
    made_run(tmp_path, "tiny", {"train": {"lr": 0.5}})
    (made_run(tmp_path).path / "config.yaml").write_text("a: [")
    assert numbers(list_runs(tmp_path, Query(where=(parse_condition("train.lr>0"),)))) == [1]
    assert list_runs(tmp_path, Query(differing=True)).columns == ()


def test_a_running_one_is_running_and_a_dead_one_killed(tmp_path: Path) -> None:
    alive = made_run(tmp_path, running=True)
    made_run(tmp_path, running=True).lock.release()
    assert [row.status.state for row in list_runs(tmp_path).rows] == ["running", "killed"]
    alive.lock.release()


def test_a_wrong_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    made_run(tmp_path, "pets")
    found = list_runs(tmp_path, Query(name="petz"))
    assert (found.rows, found.total, found.hint) == ([], 1, "; did you mean pets?")


def test_a_metric_of_the_user_s_own_is_better_as_the_experiment_says(tmp_path: Path) -> None:
    for cost in (3.0, 2.0, 4.0):
        own = {"eval": {"python": {"cost": "metrics.py:cost:lower", "gain": "metrics.py:gain"}}}
        made_run(tmp_path, "tiny", own, evaluations={"test": {"cost": cost, "gain": cost, "typed": cost}})
    assert numbers(list_runs(tmp_path, Query(sort="test/cost"))) == [2, 1, 3]
    assert numbers(list_runs(tmp_path, Query(sort="test/gain"))) == [3, 1, 2]
    with pytest.raises(ConfigError, match=r"no run's eval\.python says whether smaller is better"):
        list_runs(tmp_path, Query(sort="test/typed"))


def test_directions_by_name_are_those_of_the_heads() -> None:
    asked = ("balanced_accuracy", "kappa", "mcc", "brier", "ece")
    heads = [
        CategoryHead("spam", ["no", "yes"], more=asked),
        CategoryHead("digit", list("0123456789"), more=asked),
        LabelsHead("genre", ["war", "love"]),
        NumberHead("price"),
        RankingHead("film", ks=(1, 10)),
    ]
    for head in heads:
        assert len(head.metric_names()) > 2
        for name in head.metric_names():
            assert direction_of(name) == head.direction(name), (head.name, name)
    assert direction_of("digit/loss") == "min"
    assert direction_of("loss/accuracy") == "max"
    assert direction_of("cost") is None
