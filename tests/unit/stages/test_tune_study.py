"""Who has which trial: asked without any training, by studies that stand for processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import write_config
from optuna.trial import TrialState

from ft.core.config.load import load_experiment
from ft.core.config.schema import TuneSection
from ft.core.errors import ConfigError
from ft.core.report.tuning import TrialRow
from ft.core.stages.tuning.findings import Goal, best_of, random_search
from ft.core.stages.tuning.samplers import STARTUP, is_random
from ft.core.stages.tuning.space import Dimension, Space, open_space
from ft.core.stages.tuning.study import Asked, Study

SEARCH = {"train.lr": {"log": [1e-4, 1e-1]}, "train.epochs": {"int": [1, 9]}}


@pytest.fixture
def space(tmp_path: Path) -> Space:
    path = write_config(tmp_path / "c.yaml", {"tune": {"search": SEARCH}})
    loaded = load_experiment(path)
    assert loaded.experiment.tune is not None
    return open_space(path, [], loaded, loaded.experiment.tune, [])


def process(space: Space, tmp_path: Path, **settings: object) -> Study:
    tune = TuneSection.model_validate({"search": SEARCH, **settings})
    return Study(tmp_path / "study", space, tune, "max", 3)


def asked(study: Study, most: int | None = None) -> Asked:
    found = study.ask(most)
    assert found is not None
    return found


def die(study: Study) -> None:
    """As the kernel does it when a process dies: its lock is free, its file stays."""
    study._lock.release()


def test_a_trial_whose_process_died_is_given_to_the_next_who_asks_with_its_values(space: Space, tmp_path: Path) -> None:
    first, second = process(space, tmp_path), process(space, tmp_path)
    mine = asked(first)
    first.began(mine, "tiny-tune/1")
    assert asked(second).trial.number == 1  # while the first lives
    die(first)
    again = asked(second)
    assert (again.trial.number, again.values, again.run, again.adopted) == (0, mine.values, "tiny-tune/1", True)


def test_a_trial_that_was_handed_back_goes_on_and_nobody_died(space: Space, tmp_path: Path) -> None:
    study = process(space, tmp_path)
    for _ in range(5):
        mine = asked(study)
        assert mine.trial.number == 0
        study.hand_back(mine)


def test_a_trial_over_which_three_processes_died_counts_as_failed(space: Space, tmp_path: Path) -> None:
    for _ in range(3):
        study = process(space, tmp_path)
        assert asked(study).trial.number == 0
        die(study)
    last = process(space, tmp_path)
    assert asked(last).trial.number == 1
    lost = last.trials()[0]
    assert (lost.state, lost.user_attrs["why"]) == (TrialState.FAIL, "3 processes died over it")


def test_no_more_trials_are_begun_than_there_may_be_over_all_processes(space: Space, tmp_path: Path) -> None:
    first, second = process(space, tmp_path), process(space, tmp_path)
    assert [asked(each, 3).trial.number for each in (first, second, first)] == [0, 1, 2]
    assert first.ask(3) is None
    assert second.ask(3) is None


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_a_trial_draws_depends_on_its_number_and_not_on_its_process(
    sampler: str, space: Space, tmp_path: Path
) -> None:
    def draw(folder: Path, processes: int) -> list[dict[str, object]]:
        studies = [process(space, folder, sampler=sampler, seed=4) for _ in range(processes)]
        values = []
        for number in range(STARTUP + 3):
            study = studies[number % processes]
            mine = asked(study)
            study.tell(mine, TrialState.COMPLETE, float(mine.values["train.lr"]))
            values.append(dict(mine.values))
        return values

    alone = draw(tmp_path / "a", 1)
    assert draw(tmp_path / "b", 3) == alone
    assert len({str(values) for values in alone}) == len(alone)
    assert [is_random(sampler, number) for number in (0, STARTUP - 1, STARTUP)] == [True, True, sampler == "random"]


def test_all_values_lie_on_the_steps_and_within_the_ends(space: Space, tmp_path: Path) -> None:
    study = process(space, tmp_path, sampler="random")
    drawn = [asked(study).values for _ in range(40)]
    assert {values["train.epochs"] for values in drawn} <= set(range(1, 10))
    assert all(1e-4 <= float(values["train.lr"]) <= 1e-1 for values in drawn)
    assert 8 < sum(float(values["train.lr"]) < 10**-2.5 for values in drawn) < 32  # half, in the logarithm


def test_steps_are_listed_from_the_lower_end_on() -> None:
    assert Dimension("x", "int", 8, 31, 8).listed() == [8, 16, 24]
    assert Dimension("x", "linear", 0.1, 0.4, 0.1).listed() == [0.1, 0.2, 0.3, 0.4]


def test_everything_that_cannot_be_searched_is_told_at_once(tmp_path: Path) -> None:
    search = {"train.lrr": {"log": [0.1, 1]}, "tune.seed": {"int": [1, 2]}, "eval.batch_size": {"int": [1, 2]}}
    path = write_config(tmp_path / "c.yaml", {"tune": {"search": search}})
    loaded = load_experiment(path)
    assert loaded.experiment.tune is not None
    with pytest.raises(ConfigError) as refused:
        open_space(path, [], loaded, loaded.experiment.tune, [])
    assert len(refused.value.problems) == 3


# ---------------------------------------------------------------- what was found


def rows(*scores: float | None) -> list[TrialRow]:
    return [
        TrialRow(number, "failed" if score is None else "finished", {}, score, random=number <= 3)
        for number, score in enumerate(scores, 1)
    ]


@pytest.mark.parametrize(("direction", "best"), [("max", 2), ("min", 1)])
def test_the_earliest_of_the_best_is_the_best(direction: str, best: int) -> None:
    found = best_of(rows(0.1, 0.9, 0.1, 0.9, None), Goal("accuracy", direction, "tpe"))
    assert found is not None
    assert found.number == best


def test_random_search_is_told_by_the_random_trials_alone_and_those_that_failed_count_as_the_worst() -> None:
    told = random_search(rows(0.5, None, 0.7, 0.99, 0.99), Goal("accuracy", "max", "tpe"))
    assert told is not None
    # five draws from {0.5, 0.5, 0.7}: 0.7 unless all five are 0.5
    assert told.expected == pytest.approx(0.7 - 0.2 * (2 / 3) ** 5)
    assert (told.draws, told.trials, told.failed) == (3, 5, 1)
