"""Deleting runs: what is chosen, what must stay, and that nothing else is touched, however it is cut short."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run

from ft.core.errors import ConfigError, ResourceError
from ft.core.runtime import disk_use
from ft.core.stages import deleting
from ft.core.stages.deleting import Deletion, Wish, carry_out, plan
from ft.core.stages.runs import RunFolder, all_runs, create_run


def scored(runs_dir: Path, *scores: float, **more: Any) -> list[RunFolder]:
    return [made_run(runs_dir, metrics={"accuracy": score}, started=float(i), **more) for i, score in enumerate(scores)]


def going(found: Deletion) -> list[str]:
    return [run.path.name for run in found.going]


def staying(found: Deletion) -> dict[str, str]:
    return {run.path.name: run.why for run in found.staying}


def left(runs_dir: Path, name: str = "tiny") -> list[str]:
    return sorted(path.name for path in (runs_dir / name).iterdir() if path.name.isdecimal())


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    scored(tmp_path, 0.1, 0.2)
    before = sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))
    found = plan(tmp_path, Wish(("tiny/1",)))
    assert (going(found), found.done) == (["1"], False)
    assert found.going[0].bytes == sum(
        path.stat().st_size for path in (tmp_path / "tiny/1").rglob("*") if path.is_file()
    )
    assert sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_what_is_deleted_is_gone_and_the_rest_untouched(tmp_path: Path) -> None:
    first, second = scored(tmp_path, 0.1, 0.2)
    before = {path: path.read_bytes() for path in second.path.rglob("*") if path.is_file()}
    found = carry_out(plan(tmp_path, Wish((str(first.path),))))
    assert found.done
    assert left(tmp_path) == ["2"]
    assert {path: path.read_bytes() for path in second.path.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.glob("*/.deleted-*"))


def test_latest_moves_to_the_newest_that_stays_and_goes_with_the_last(tmp_path: Path) -> None:
    scored(tmp_path, 0.1, 0.2, 0.3)
    latest = tmp_path / "tiny" / "latest"
    carry_out(plan(tmp_path, Wish(("tiny/2",))))
    assert str(latest.readlink()) == "3"
    carry_out(plan(tmp_path, Wish(("tiny/latest",))))
    assert left(tmp_path) == ["1"]
    assert str(latest.readlink()) == "1"
    carry_out(plan(tmp_path, Wish(("tiny/1",))))
    assert not latest.is_symlink()


def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    scored(tmp_path, 0.1, 0.2, 0.3)
    carry_out(plan(tmp_path, Wish(("tiny/3", "tiny/2"))))
    assert create_run(tmp_path, "tiny", "train").path.name == "4"
    carry_out(plan(tmp_path, Wish(("tiny/1",))))
    assert create_run(tmp_path, "tiny", "train").path.name == "5"


def test_the_best_of_each_experiment_stay(tmp_path: Path) -> None:
    scored(tmp_path, 0.5, 0.9, 0.7, 0.8)
    made_run(tmp_path, "prices", metrics={"rmse": 3.0}, main_metrics=["rmse"])
    made_run(tmp_path, "prices", metrics={"rmse": 2.0}, main_metrics=["rmse"])  # smaller is better
    found = plan(tmp_path, Wish(keep_best=2))
    assert going(found) == ["3", "1"]
    assert found.going[1].why == "4 of 4, accuracy 0.5000"
    found = plan(tmp_path, Wish(("prices",), keep_best=1))
    assert [str(run.path.relative_to(tmp_path)) for run in found.going] == ["prices/1"]


def test_what_nothing_ranks_and_what_did_not_finish_stays_when_the_best_are_kept(tmp_path: Path) -> None:
    scored(tmp_path, 0.5, 0.9, float("nan"))
    made_run(tmp_path, state="preempted", metrics={"accuracy": 0.1})
    found = plan(tmp_path, Wish(keep_best=1))
    assert going(found) == ["1"]
    assert staying(found) == {"3": "it has no accuracy to be ranked by"}


def test_runs_may_be_ranked_by_another_metric(tmp_path: Path) -> None:
    for loss, test in ((0.1, 0.7), (0.2, 0.9)):
        made_run(tmp_path, metrics={"accuracy": 0.5, "loss": loss}, evaluations={"test": {"accuracy": test}})
    assert going(plan(tmp_path, Wish(keep_best=1, by="loss"))) == ["2"]
    assert going(plan(tmp_path, Wish(keep_best=1, by="test/accuracy"))) == ["1"]
    with pytest.raises(ConfigError, match=r"--by acuracy: .*did you mean accuracy"):
        plan(tmp_path, Wish(keep_best=1, by="acuracy"))
    with pytest.raises(ConfigError, match="ranked by a metric"):
        plan(tmp_path, Wish(keep_best=1, by=r"train.lr"))


def test_of_several_outputs_the_loss_speaks(tmp_path: Path) -> None:
    for loss in (0.1, 0.2):
        made_run(tmp_path, metrics={"a/accuracy": loss, "loss": loss}, main_metrics=["a/accuracy", "b/accuracy"])
    assert going(plan(tmp_path, Wish(keep_best=1))) == ["2"]


def test_failed_means_ended_unfinished_and_not_to_be_gone_on_with_by_a_scheduler(tmp_path: Path) -> None:
    for state in ("failed", "finished", "diverged", "interrupted", "preempted"):
        made_run(tmp_path, state=state)
    made_run(tmp_path, running=True).lock.release()  # killed
    alive = made_run(tmp_path, running=True)
    assert going(plan(tmp_path, Wish(failed=True))) == ["1", "3", "4", "6"]
    alive.lock.release()


def test_a_run_that_a_process_works_on_stays(tmp_path: Path) -> None:
    alive = made_run(tmp_path, running=True)
    with pytest.raises(ResourceError, match="tiny/1 is not deleted: a process works on it"):
        plan(tmp_path, Wish(("tiny/1",)))
    alive.update(state="failed")  # gone on with, and not yet said so
    assert staying(plan(tmp_path, Wish(failed=True))) == {"1": "a process works on it"}
    alive.lock.release()


def test_a_run_that_is_gone_on_with_after_the_plan_stays(tmp_path: Path) -> None:
    (run,) = scored(tmp_path, 0.5)
    planned = plan(tmp_path, Wish(("tiny/1",)))
    run.lock.take()
    with pytest.raises(ResourceError, match="in use"):
        carry_out(planned)
    run.lock.release()
    assert left(tmp_path) == ["1"]


def test_what_another_run_began_from_stays_unless_that_goes_too(tmp_path: Path) -> None:
    (parent,) = scored(tmp_path, 0.5)
    child = made_run(tmp_path, stage="finetune", parent=parent.path, metrics={"accuracy": 0.9})
    made_run(tmp_path, stage="finetune", parent=child.path, metrics={"accuracy": 0.95})
    with pytest.raises(ConfigError, match=r"tiny/1 is not deleted: .*tiny/2 began from it"):
        plan(tmp_path, Wish(("tiny/1",)))
    with pytest.raises(ConfigError, match=r"tiny/2 is not deleted: .*tiny/3 began from it"):
        plan(tmp_path, Wish(("tiny/1", "tiny/2")))
    found = plan(tmp_path, Wish(keep_best=1))
    assert going(found) == []
    assert staying(found) == {"2": f"{tmp_path}/tiny/3 began from it", "1": f"{tmp_path}/tiny/2 began from it"}
    assert going(plan(tmp_path, Wish(("tiny/1", "tiny/2", "tiny/3")))) == ["1", "2", "3"]


def test_a_parent_is_known_after_the_runs_folder_has_moved(tmp_path: Path) -> None:
    (parent,) = scored(tmp_path / "old", 0.5)
    made_run(tmp_path / "old", stage="finetune", parent=parent.path)
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(ConfigError, match="began from it"):
        plan(tmp_path / "new", Wish(("tiny/1",)))


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("eval.baseline", {"eval": {"baseline": "{run}/main.json", "max_drop": {"accuracy": 0.1}}}),
        ("finetune.from", {"finetune": {"from": "{run}/checkpoints/best.pt"}}),
        ("train.teacher.from", {"train": {"teacher": {"from": "{run}"}}}),
        ("data.files.1", {"data": {"files": ["a/b", "{run}/answers.csv"]}}),
    ],
)
def test_what_another_run_names_in_its_settings_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, settings: Mapping[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    scored(Path("runs"), 0.5)

    def named(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {name: named(value) for name, value in tree.items()}
        if isinstance(tree, list):
            return [named(value) for value in tree]
        return tree.replace("{run}", "runs/tiny/1") if isinstance(tree, str) else tree

    made_run(Path("runs"), "other", named(settings))
    with pytest.raises(ConfigError, match=rf"runs/other/1 names it \({key}\)"):
        plan(Path("runs"), Wish(("tiny/1",)))
    assert going(plan(Path("runs"), Wish(("tiny/1", "other/1")))) == ["1", "1"]


# ---------------------------------------------------------------- what is not below the folder


def test_links_are_never_followed(tmp_path: Path) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    (inside,) = scored(runs, 0.5)
    (outside,) = scored(elsewhere, 0.1)
    (runs / "tiny" / "7").symlink_to(outside.path)
    (runs / "linked").symlink_to(elsewhere / "tiny")
    (inside.path / "data").symlink_to(elsewhere)
    for word, message in (
        ("tiny/7", "is a link to"),
        ("linked/1", "lies outside"),
        (str(outside.path), "lies outside"),
        ("../elsewhere/tiny/1", "lies outside"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan(runs, Wish((word,)))
    outside.update(state="failed")
    inside.update(state="failed")
    found = plan(runs, Wish(failed=True))
    assert [run.path for run in found.going] == [runs / "tiny" / "1"]
    assert [run.path for run in found.staying] == [runs / "linked" / "1"]
    carry_out(found)
    assert (outside.best).read_bytes() == b"x" * 1000
    assert not inside.path.exists()


def test_a_runs_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    scored(tmp_path / "big", 0.1)
    (tmp_path / "runs").symlink_to(tmp_path / "big")
    carry_out(plan(tmp_path / "runs", Wish(("tiny/1",))))
    assert left(tmp_path / "big") == []


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(("tiny/2",)), "there is no run tiny/2 below .*did you mean tiny/1"),
        (Wish(("tiny",)), "tiny is an experiment; name runs"),
        (Wish(("tinny",), failed=True), "tinny is no experiment below .*did you mean tiny"),
        (Wish(("tiny/1",), keep_best=3), "take experiments, not runs"),
        (Wish((".",)), "there is no run"),
        (Wish(("tiny/1/checkpoints",)), "there is no run"),
    ],
)
def test_what_is_no_run_is_told(tmp_path: Path, wish: Wish, message: str) -> None:
    scored(tmp_path, 0.5)
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, wish)


def test_a_run_whose_status_is_damaged_can_be_named(tmp_path: Path) -> None:
    (run,) = scored(tmp_path, 0.5)
    (run.path / "status.json").write_text("{")
    found = plan(tmp_path, Wish(("tiny/1",)))
    assert found.going[0].state is None
    carry_out(found)
    assert left(tmp_path) == []


def test_where_there_is_nothing_nothing_goes(tmp_path: Path) -> None:
    assert plan(tmp_path / "runs", Wish(failed=True)) == Deletion(())


# ---------------------------------------------------------------- cut short


def test_a_kill_leaves_no_half_run_and_the_next_deletion_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(tmp_path, 0.1, 0.2, 0.3)
    planned = plan(tmp_path, Wish(("tiny/3",)))

    def killed(path: Path) -> None:
        next(path.rglob("best.pt")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deleting, "remove_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(planned)
    assert [status.number for _, status in all_runs(tmp_path)] == [1, 2]
    assert str((tmp_path / "tiny" / "latest").readlink()) == "2"
    (trash,) = tmp_path.glob("tiny/.deleted-3-*")
    found = plan(tmp_path, Wish(("tiny/1",)))
    assert found.leftovers == (trash,)
    assert found.bytes > found.going[0].bytes
    carry_out(found)
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == [".last-deleted", "2", "latest"]


def test_a_kill_before_the_rename_leaves_the_run_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored(tmp_path, 0.1, 0.2)
    planned = plan(tmp_path, Wish(("tiny/2",)))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(planned)
    assert [status.number for _, status in all_runs(tmp_path)] == [1, 2]
    carry_out(planned)
    assert left(tmp_path) == ["1"]


def test_a_folder_that_cannot_be_changed_is_told_with_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(tmp_path, 0.1, 0.2)
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.name == "2":
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(ResourceError, match=r"cannot delete .*2: Permission denied; deleted before that: .*tiny/1$"):
        carry_out(plan(tmp_path, Wish(("tiny/1", "tiny/2"))))
    assert left(tmp_path) == ["2"]
    assert RunFolder(tmp_path / "tiny" / "2").lock.is_held() is False


def test_two_that_remove_the_same_folder_do_not_stumble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trash" / "a").mkdir(parents=True)
    (tmp_path / "trash" / "b").write_text("")
    rmtree, calls = shutil.rmtree, []

    def other_first(path: Path) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise FileNotFoundError(2, "gone", "b")
        rmtree(path)

    monkeypatch.setattr(disk_use.shutil, "rmtree", other_first)
    disk_use.remove_tree(tmp_path / "trash")
    assert not (tmp_path / "trash").exists()
    monkeypatch.undo()
    disk_use.remove_tree(tmp_path / "trash")
