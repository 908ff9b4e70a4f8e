"""What the report remembers of a training: validations with the loss in between, and learned weights of losses."""

from __future__ import annotations

from ft.core.engine.evaluate import Evaluation
from ft.core.engine.events import EpochEnded, Logged, Validated
from ft.core.stages.reporting import History


def validated(step: int, *, best: bool) -> Validated:
    metrics = {"loss": 1.0, "accuracy": step / 100}
    return Validated(step, step // 10, Evaluation(1.0, {}, 5), metrics, "accuracy", step / 100, best)


def test_a_validation_carries_the_mean_loss_since_the_one_before() -> None:
    history = History()
    for event in (Logged(5, 1, 30, 2.0, 0.1, 1.0), Logged(9, 1, 10, 4.0, 0.1, 1.0), validated(10, best=True)):
        history(event)
    history(validated(20, best=False))
    assert [(row.step, row.train_loss) for row in history.rows] == [(10, 2.5), (20, None)]
    assert history.best is not None
    assert history.best.step == 10


def test_the_weights_of_losses_are_those_of_the_last_epoch_and_none_when_fixed() -> None:
    history = History()
    history(EpochEnded(10, 1, 0.5, 1.0))
    assert history.loss_weights == {}
    history(EpochEnded(20, 2, 0.5, 1.0, {"digit": 1.25, "speaker": 0.75}))
    history(EpochEnded(30, 3, 0.5, 1.0, {"digit": 1.5, "speaker": 0.5}))
    assert history.loss_weights == {"digit": 1.5, "speaker": 0.5}


def test_the_time_of_each_epoch_is_remembered_also_by_the_process_that_goes_on() -> None:
    history, later = History(), History()
    history(EpochEnded(10, 1, 0.5, 1.25))
    later.load_state_dict(history.state_dict())
    later(EpochEnded(20, 2, 0.5, 2.5))
    assert later.epoch_seconds == [1.25, 2.5]
    older = {key: value for key, value in history.state_dict().items() if key != "epoch_seconds"}
    later.load_state_dict(older)
    assert later.epoch_seconds == []
