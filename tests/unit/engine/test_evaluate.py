"""Evaluation equals one plain forward pass over everything, and leaves the module as it was."""

from __future__ import annotations

import pytest
import torch
from engine_parts import CPU, head, loader, module, network, problem
from sklearn.metrics import accuracy_score, f1_score
from torch import nn

from ft.core.engine.evaluate import evaluate, evaluating
from ft.core.runtime.precision import Precision


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100])
def test_scores_do_not_depend_on_the_batches(batch_size: int) -> None:
    points, classes = problem(100)
    net = module()
    result = evaluate(
        network(net), loader(points, classes, batch_size, shuffle=False), [head()], Precision("fp32", CPU)
    )
    logits = net.eval()(points)
    assert result.loss == pytest.approx(nn.functional.cross_entropy(logits, classes).item(), rel=1e-6)
    assert result.metrics()["accuracy"] == accuracy_score(classes, logits.argmax(1))
    assert result.metrics()["f1"] == pytest.approx(f1_score(classes, logits.argmax(1), average="macro"))
    assert result.examples == 100


def test_every_modules_own_mode_is_restored() -> None:
    net = module()
    net.train()
    net[1].eval()  # a frozen norm
    with evaluating(net):
        assert not net.training
    assert net.training
    assert not net[1].training


def test_statistics_do_not_move() -> None:
    net = module()
    before = net[1].running_mean.clone()
    evaluate(network(net), loader(*problem(50), 8), [head()], Precision("fp32", CPU))
    assert torch.equal(net[1].running_mean, before)
