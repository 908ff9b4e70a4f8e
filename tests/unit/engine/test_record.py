"""What is kept of each example comes in the rows' order, and its mean is the metric."""

from __future__ import annotations

import pytest
import torch
from engine_parts import CPU, head, loader, module, network, problem

from ft.core.engine.evaluate import evaluate
from ft.core.engine.record import Recorder
from ft.core.runtime.precision import Precision


def test_values_come_row_after_row_whatever_order_the_batches_had() -> None:
    points, classes = problem(50)
    net, judge = network(module().eval()), head()
    found = []
    for shuffle in (False, True):
        recorder = Recorder()
        batches = recorder.loader(loader(points, classes, 8, shuffle=shuffle))
        evaluation = evaluate(net, batches, recorder.heads([judge]), Precision("fp32", CPU))
        values = recorder.values()["y"]["accuracy"]
        assert float(values.mean()) == pytest.approx(evaluation.metrics()["accuracy"])
        found.append(values)
    with torch.no_grad():
        expected = (net.module(points).argmax(1) == classes).float()
    assert torch.equal(found[0], expected)
    assert torch.equal(found[1], expected)


def test_nothing_is_kept_of_nothing() -> None:
    assert Recorder().values() == {}


def test_raw_answers_and_targets_come_row_after_row() -> None:
    points, classes = problem(30)
    net, recorder = network(module().eval()), Recorder()
    batches = recorder.loader(loader(points, classes, 8, shuffle=True))
    evaluate(net, batches, recorder.heads([head()]), Precision("fp32", CPU))
    answers = recorder.answers()["y"]
    with torch.no_grad():
        torch.testing.assert_close(answers.raw, net.module(points))
    assert torch.equal(answers.targets, classes)
    assert torch.equal(recorder.rows, torch.arange(30))
    assert torch.equal(answers.take(torch.tensor([3, 1])).targets, classes[[3, 1]])


def test_raw_answers_beyond_the_room_are_not_kept_and_values_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft.core.engine.record.ROOM", 8 * 3 * 4)  # a batch of 8 with 3 classes
    points, classes = problem(20)
    recorder = Recorder()
    batches = recorder.loader(loader(points, classes, 8))
    evaluate(network(module().eval()), batches, recorder.heads([head()]), Precision("fp32", CPU))
    assert recorder.answers() == {}
    assert len(recorder.values()["y"]["accuracy"]) == 20
