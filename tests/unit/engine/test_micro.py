"""Pieces make up the batch, and a step in pieces is the step of the whole batch."""

from __future__ import annotations

import pytest
import torch
from engine_parts import CLASSES, CPU, head, loader, module, network, problem
from torch import nn

from ft.core.engine.guard import Guard
from ft.core.engine.micro import halved, pieces
from ft.core.engine.step import train_step
from ft.core.errors import ResourceError
from ft.core.runtime.precision import Precision

FULL = torch.OutOfMemoryError("out of memory")


@pytest.mark.parametrize(("most", "sizes"), [(None, [25]), (25, [25]), (40, [25]), (8, [8, 8, 8, 1]), (1, [1] * 25)])
def test_the_pieces_make_up_the_batch(most: int | None, sizes: list[int]) -> None:
    [batch] = loader(*problem(25), 25).epoch(0)
    cut = list(pieces(batch, most))
    assert [len(piece.examples) for piece in cut] == sizes
    assert torch.equal(torch.cat([piece.examples for piece in cut]), batch.examples)
    assert torch.equal(torch.cat([piece.inputs["x"] for piece in cut]), batch.inputs["x"])
    assert torch.equal(torch.cat([piece.targets["y"] for piece in cut]), batch.targets["y"])


@pytest.mark.parametrize("most", [1, 4, 7])
def test_a_step_in_pieces_has_the_gradient_of_cross_entropy_over_the_whole_batch(most: int) -> None:
    points, classes = problem(25)
    weights = torch.tensor([1.0, 4.0, 1.0])
    net, twin = module(norm=False), module(norm=False).double()
    optimizer, precision = torch.optim.SGD(net.parameters(), 0.1), Precision("fp32", CPU)
    [batch] = loader(points, classes, 25, shuffle=False).epoch(0)
    kind = head(class_weights={CLASSES[1]: 4.0})
    guard = Guard(optimizer, precision, CPU)
    loss = train_step(network(net), [kind], [batch], optimizer, precision, guard, micro_batch=most)
    expected = nn.functional.cross_entropy(twin(points.double()), classes, weights.double())
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for weight, reference in zip(net.parameters(), twin.parameters(), strict=True):
        assert weight.grad is not None
        assert reference.grad is not None
        torch.testing.assert_close(weight.grad.double(), reference.grad, rtol=1e-4, atol=1e-6)


def test_out_of_memory_halves_the_piece() -> None:
    assert halved(FULL, module(norm=False).train(), 32) == 16
    assert halved(FULL, module(norm=False).train(), 3) == 1


def test_another_error_is_not_taken_for_a_want_of_memory() -> None:
    broken = ValueError("shapes differ")
    with pytest.raises(ValueError, match="shapes differ") as caught:
        halved(broken, module(norm=False), 32)
    assert caught.value is broken


def test_one_example_that_does_not_fit_ends_the_halving() -> None:
    with pytest.raises(ResourceError, match=r"one example at a time.*batch_size"):
        halved(FULL, module(norm=False).train(), 1)


def test_a_batch_norm_that_learns_its_statistics_refuses_pieces_and_a_frozen_one_does_not() -> None:
    net = module(norm=True).train()
    with pytest.raises(ResourceError, match="batch norm"):
        halved(FULL, net, 32)
    assert halved(FULL, net.eval(), 32) == 16
