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
