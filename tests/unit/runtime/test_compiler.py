"""Without torch's compiler an optimizer does what it does with it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ft.core.runtime.compiler import bare_step, leave_compiler_out

KINDS = ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adamax", "ASGD", "Rprop", "RMSprop"]


def gradients(net: nn.Module, step: int) -> None:
    """A gradient for every parameter that hangs on the step only."""
    generator = torch.Generator().manual_seed(step)
    for parameter in net.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bare_step_moves_weights_and_state_as_a_step_does(kind: str) -> None:
    leave_compiler_out()
    net = nn.Linear(5, 3)
    other = copy.deepcopy(net)
    bare, plain = (getattr(torch.optim, kind)(each.parameters(), lr=0.1) for each in (net, other))
    for step in range(4):
        gradients(net, step)
        gradients(other, step)
        bare_step(bare)
        plain.step()
    assert all(map(torch.equal, net.parameters(), other.parameters()))
    assert all(not parameter.grad_fn for parameter in net.parameters())
    saved = [optimizer.state_dict()["state"] for optimizer in (bare, plain)]
    assert saved[0].keys() == saved[1].keys()
    for index, values in saved[0].items():
        for name, value in values.items():
            expected = saved[1][index][name]
            assert torch.equal(value, expected) if isinstance(value, torch.Tensor) else value == expected
