"""Schedules draw the curves that torch's schedulers draw, after a warm-up worked out by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from ft.core.errors import ConfigError
from ft.core.optim.schedules import SCHEDULES, check, make_schedule

LR, TOTAL, PER_EPOCH = 0.3, 60, 5


def _optimizer(lr: float = LR) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def _torchs(make: Callable[[torch.optim.Optimizer], Any], steps: int = TOTAL) -> list[float]:
    """The rates with which torch's scheduler takes each step."""
    optimizer = _optimizer()
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def _ours(named: Any, total: int = TOTAL, warmup: int = 0) -> list[float]:
    optimizer, schedule = _optimizer(), make_schedule(named, total, PER_EPOCH, warmup)
    rates = []
    for step in range(total):
        schedule.apply(optimizer, step)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


TORCH: list[tuple[Any, Callable[[torch.optim.Optimizer], Any]]] = [
    ("constant", lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    ({"step": {"every_epochs": 2, "factor": 0.5}}, lambda o: lr_scheduler.StepLR(o, 2 * PER_EPOCH, 0.5)),
    ({"step": {"every_epochs": 3}}, lambda o: lr_scheduler.StepLR(o, 3 * PER_EPOCH, 0.1)),
    (
        {"multistep": {"at_epochs": [2, 3, 9], "factor": 0.3}},
        lambda o: lr_scheduler.MultiStepLR(o, [2 * PER_EPOCH, 3 * PER_EPOCH, 9 * PER_EPOCH], 0.3),
    ),
    ("cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL - 1)),
    ({"cosine": {"min_factor": 0.1}}, lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL - 1, eta_min=0.1 * LR)),
    ("linear", lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, TOTAL - 1)),
    ({"linear": {"min_factor": 0.2}}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, TOTAL - 1)),
]


@pytest.mark.parametrize(("named", "make"), TORCH, ids=[str(named) for named, _ in TORCH])
def test_the_curve_is_torchs(named: Any, make: Callable[[torch.optim.Optimizer], Any]) -> None:
    assert _ours(named) == pytest.approx(_torchs(make), rel=0, abs=1e-12)


@pytest.mark.parametrize(("rise", "start", "least"), [(0.3, 0.04, 4e-6), (0.25, 0.1, 0.001), (0.61, 1.0, 0.5)])
@pytest.mark.parametrize("total", [7, 60, 101])
def test_one_cycle_is_torchs(rise: float, start: float, least: float, total: int) -> None:
    def make(optimizer: torch.optim.Optimizer) -> Any:
        # torch divides: peak / div_factor is the first rate, that / final_div_factor the last
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=LR,
            total_steps=total + 1,  # one more, as the last `scheduler.step()` would go beyond the end
            pct_start=rise,
            div_factor=1 / start,
            final_div_factor=start / least,
            cycle_momentum=False,
        )

    optimizer = _optimizer()
    scheduler = make(optimizer)
    expected = [float(optimizer.param_groups[0]["lr"])]
    for _ in range(total):
        optimizer.step()
        scheduler.step()
        expected.append(float(optimizer.param_groups[0]["lr"]))
    named = {"one_cycle": {"rise": rise, "start_factor": start, "min_factor": least}}
    assert _ours(named, total + 1) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_plateau_is_torchs_and_a_nan_is_not_better(seed: int) -> None:
    scores = torch.rand(80, generator=torch.Generator().manual_seed(seed)).tolist()
    scores[3] = scores[20] = float("nan")
    theirs, ours = _optimizer(), _optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(theirs, patience=2, factor=0.5, threshold=0.0, min_lr=0.01 * LR, eps=0.0)
    schedule = make_schedule({"plateau": {"patience": 2, "factor": 0.5, "min_factor": 0.01}}, 80, 1)
    best = float("inf")
    for step, score in enumerate(scores):
        schedule.apply(ours, step)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=0, abs=1e-12)
        scheduler.step(score)
        schedule.observe(score < best)
        best = score if score < best else best
    assert ours.param_groups[0]["lr"] == pytest.approx(0.01 * LR)  # it did reach the floor


def test_the_warm_up_rises_in_equal_parts_to_the_full_rate() -> None:
    assert _ours("constant", total=6, warmup=4) == pytest.approx([LR / 4, LR / 2, LR * 3 / 4, LR, LR, LR])


@pytest.mark.parametrize("warmup", [1, 7, 30])
@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_after_the_warm_up_the_curve_has_the_rest_and_ends_at_its_least(name: str, warmup: int) -> None:
    named = {name: {"min_factor": 0.1}}
    rates = _ours(named, warmup=warmup)
    assert rates[warmup:] == pytest.approx(_ours(named, total=TOTAL - warmup), rel=0, abs=1e-12)
    assert rates[warmup - 1] == rates[warmup] == LR
    assert rates[-1] == pytest.approx(0.1 * LR)


def test_epochs_of_step_count_from_the_start_of_training_not_from_the_end_of_the_warm_up() -> None:
    plain, warmed = _ours({"step": {"every_epochs": 2}}), _ours({"step": {"every_epochs": 2}}, warmup=7)
    assert warmed[7:] == plain[7:]


@pytest.mark.parametrize("name", ["cosine", "linear", "one_cycle"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_trainings_have_finite_rates(name: str, total: int) -> None:
    assert all(0 <= rate <= LR for rate in _ours(name, total))


def test_a_training_of_one_step_takes_it_at_the_full_rate() -> None:
    assert [_ours(name, total=1) for name in ("cosine", "linear", "one_cycle")] == [[LR]] * 3


def test_a_warm_up_longer_than_the_training_only_rises() -> None:
    rates = _ours("cosine", total=5, warmup=50)
    assert rates == pytest.approx([LR * (step + 1) / 50 for step in range(5)])


def test_every_group_keeps_its_own_rate_under_one_factor() -> None:
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(parameters, (0.1, 0.02), strict=True)])
    schedule = make_schedule("linear", 11, 1)
    for step in (0, 9, 5):  # in any order: a function of the step
        schedule.apply(optimizer, step)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.01])
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.1, 0.02]


@pytest.mark.parametrize("named", ["cosine", {"plateau": {"patience": 1, "factor": 0.5}}])
def test_a_resumed_schedule_goes_on_with_the_same_rates(named: Any, tmp_path: Path) -> None:
    outcomes = list(itertools.islice(itertools.cycle([True, False, False]), 20))
    whole, whole_optimizer = make_schedule(named, 20, 1, 3), _optimizer()
    first, first_optimizer = make_schedule(named, 20, 1, 3), _optimizer()
    for step in range(8):
        for schedule, optimizer in ((whole, whole_optimizer), (first, first_optimizer)):
            schedule.apply(optimizer, step)
            schedule.observe(outcomes[step])
    torch.save({"schedule": first.state_dict(), "optimizer": first_optimizer.state_dict()}, tmp_path / "last.pt")
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    resumed, resumed_optimizer = make_schedule(named, 20, 1, 3), _optimizer()
    resumed.load_state_dict(state["schedule"])
    resumed_optimizer.load_state_dict(state["optimizer"])
    for step in range(8, 20):
        for schedule, optimizer in ((whole, whole_optimizer), (resumed, resumed_optimizer)):
            schedule.apply(optimizer, step)
            schedule.observe(outcomes[step])
        assert whole_optimizer.param_groups[0]["lr"] == resumed_optimizer.param_groups[0]["lr"]


def test_only_plateau_needs_validation() -> None:
    names = [name for name in SCHEDULES if name not in ("step", "multistep")]
    assert [name for name in names if make_schedule(name, 10, 1).needs_validation] == ["plateau"]


@pytest.mark.parametrize(
    ("named", "words", "path"),
    [
        ("cosin", "did you mean cosine", ()),
        ("onecycle", "did you mean one_cycle", ()),
        ("sawtooth", "known are constant, step", ()),
        ({"cosine": {}, "linear": {}}, "not cosine and linear", ()),
        ("step", "step needs every_epochs: epochs between two reductions", ()),
        (
            {"multistep": {"at_epochs": []}},
            "at_epochs of multistep should have at least 1 item, not []",
            ("multistep", "at_epochs"),
        ),
        ({"multistep": {"at_epochs": [3, 0]}}, "greater than or equal to 1, not 0", ("multistep", "at_epochs", 1)),
        ({"cosine": {"min_fctor": 0.1}}, "did you mean min_factor", ("cosine", "min_fctor")),
        (
            {"cosine": {"min_factor": 1.5}},
            "min_factor of cosine should be less than or equal to 1, not 1.5",
            ("cosine", "min_factor"),
        ),
        ({"step": {"every_epochs": "2"}}, "valid integer, not '2'", ("step", "every_epochs")),
        ({"constant": {"factor": 2}}, "it takes none", ("constant", "factor")),
    ],
)
def test_what_cannot_be_says_why_and_where(named: Any, words: str, path: tuple[str | int, ...]) -> None:
    for ask in (lambda: check(named), lambda: make_schedule(named, 10, 1)):
        with pytest.raises(ConfigError) as raised:
            ask()
        assert words in str(raised.value)
        assert raised.value.problems[0].path == ("train", "schedule", *path)


def test_every_problem_of_the_arguments_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        check({"step": {"factor": -1.0, "evry": 2}}, path=("finetune", "schedule"))
    assert len(raised.value.problems) == 3
    assert all(problem.path[:2] == ("finetune", "schedule") for problem in raised.value.problems)


def test_one_cycle_takes_no_warm_up_as_it_has_its_own() -> None:
    check("one_cycle")
    with pytest.raises(ConfigError, match="rises by itself"):
        check("one_cycle", warmup=True)
    with pytest.raises(ConfigError, match="rises by itself"):
        make_schedule("one_cycle", 10, 1, warmup_steps=2)
