"""Run folders: numbers are taken once, and only what finished is found again."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ft.core.errors import ConfigError, ResourceError
from ft.core.stages.checks import check_writable
from ft.core.stages.runs import RunFolder, all_runs, create_run, newest_finished


def finished(runs_dir: Path, name: str, stage: str, when: float) -> RunFolder:
    run = create_run(runs_dir, name, stage)
    run.best.write_bytes(b"")
    run.update(state="finished", finished=when)
    return run


def test_no_number_is_given_twice(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: create_run(tmp_path, "a", "train").path, range(24)))
    assert sorted(int(path.name) for path in paths) == list(range(1, 25))


def test_the_newest_is_the_one_that_ended_last_of_those_that_finished(tmp_path: Path) -> None:
    first = finished(tmp_path, "a", "train", when=20.0)
    finished(tmp_path, "a", "train", when=10.0)
    tuned = finished(tmp_path, "a", "finetune", when=30.0)
    other = finished(tmp_path, "b", "train", when=25.0)
    create_run(tmp_path, "a", "train").update(state="failed", finished=99.0)
    create_run(tmp_path, "a", "train")  # still running

    def newest(*stages: str, name: str | None = None) -> Path | None:
        run = newest_finished(tmp_path, stages, name)
        return run.path if run else None

    assert newest("train", "finetune") == tuned.path
    assert newest("train") == other.path
    assert newest("train", name="a") == first.path
    assert newest("train", name="c") is None


def test_a_finished_run_without_its_checkpoint_is_not_taken(tmp_path: Path) -> None:
    finished(tmp_path, "a", "train", when=1.0).best.unlink()
    assert newest_finished(tmp_path, ("train",)) is None


def test_folders_of_others_are_passed_over(tmp_path: Path) -> None:
    create_run(tmp_path, "a", "train")
    (tmp_path / "a" / "notes").mkdir()
    (tmp_path / "a" / "9").mkdir()
    (tmp_path / "a" / "9" / "status.json").write_text("{}")
    assert [status.number for _, status in all_runs(tmp_path)] == [1]
    with pytest.raises(ConfigError, match="not the folder of a run"):
        RunFolder(tmp_path / "a" / "notes").status()


def test_asking_whether_a_folder_can_be_made_makes_none(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "runs")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="is no folder"):
        check_writable(tmp_path / "file" / "runs")


def test_a_metric_that_is_no_number_is_null_in_the_file_and_nan_again_when_read(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a", "train")
    run.update(metrics={"auroc": math.nan, "f1": 0.5}, evaluations={"test": {"auroc": math.nan}}, main_metrics=["f1"])

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    written = json.loads((run.path / "status.json").read_text(), parse_constant=refused)
    assert written["metrics"] == {"auroc": None, "f1": 0.5}
    status = run.status()
    assert status.metrics["f1"] == 0.5
    assert math.isnan(status.metrics["auroc"])
    assert math.isnan(status.evaluations["test"]["auroc"])
    assert status.main_metrics == ["f1"]


def test_what_cannot_be_written_leaves_nothing_half_written_behind(tmp_path: Path) -> None:
    run = create_run(tmp_path, "tiny", "train")
    (run.path / "report.md").mkdir()
    before = sorted(run.path.iterdir())
    with pytest.raises(ResourceError, match=r"cannot write .*report\.md"):
        run.write("report.md", "text")
    assert sorted(run.path.iterdir()) == before


def test_a_name_that_is_no_unicode_does_not_keep_a_file_of_the_run_from_being_written(tmp_path: Path) -> None:
    run = create_run(tmp_path, "x", "train")
    run.write("report.md", "caf\udce9")  # as Python reads the folder b"caf\xe9"
    assert (run.path / "report.md").read_text(encoding="utf-8") == "caf?"
