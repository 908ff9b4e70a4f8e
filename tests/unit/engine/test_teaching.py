"""A loop with a teacher is the loop one would write by hand: labels and softened answers, blended."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_parts import CPU, head, loader, module, network, problem
from torch import Tensor, nn
from torch.nn import functional

from ft.core.engine.guard import Guard
from ft.core.engine.step import train_step
from ft.core.engine.teaching import TaughtHead, TaughtLoader
from ft.core.runtime.precision import Precision

WEIGHT, TEMPERATURE = 0.7, 2.5


def teacher() -> nn.Sequential:
    return module(seed=5).eval()


def by_hand(steps: int, batch_size: int, accumulate: int = 1) -> list[Tensor]:
    """Weights after some steps of SGD on the blended loss."""
    points, classes = problem(50)
    student, wise = module(seed=0, norm=False), teacher()
    student.train()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    plain = list(loader(points, classes, batch_size).epoch(0))
    for step in range(steps):
        batches = plain[step * accumulate : (step + 1) * accumulate]
        count = sum(len(batch.examples) for batch in batches)
        optimizer.zero_grad()
        for batch in batches:
            x, y = points[batch.examples], classes[batch.examples]
            raw = student(x)
            with torch.no_grad():
                soft = (wise(x) / TEMPERATURE).softmax(1)
            imitation = TEMPERATURE**2 * functional.kl_div((raw / TEMPERATURE).log_softmax(1), soft, reduction="sum")
            own = functional.cross_entropy(raw, y, reduction="sum")
            (((1 - WEIGHT) * own + WEIGHT * imitation) / count).backward()
        optimizer.step()
    return list(student.parameters())


@pytest.mark.parametrize(("accumulate", "micro_batch"), [(1, None), (2, None), (1, 3)])
def test_a_step_is_the_one_written_by_hand(accumulate: int, micro_batch: int | None) -> None:
    points, classes = problem(50)
    student, wise = module(seed=0, norm=False), teacher()
    student.train()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    plain: Any = head()
    taught: Any = TaughtHead(plain, WEIGHT, TEMPERATURE)

    def answers(_epoch: int, rows: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"y": plain.answers(wise(points[rows]))}

    precision = Precision("fp32", CPU)
    guard = Guard(optimizer, precision, CPU)
    batches = list(TaughtLoader(loader(points, classes, 8), answers).epoch(0))
    for step in range(3):
        some = batches[step * accumulate : (step + 1) * accumulate]
        train_step(network(student), [taught], some, optimizer, precision, guard, micro_batch=micro_batch)
    for ours, theirs in zip(student.parameters(), by_hand(3, 8, accumulate), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_without_a_teachers_answers_a_taught_head_is_the_plain_one() -> None:
    plain: Any = head()
    taught: Any = TaughtHead(plain, WEIGHT, TEMPERATURE)
    raw, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    assert torch.equal(taught.loss_sum(raw, targets), plain.loss_sum(raw, targets))
    assert torch.equal(taught.denominator(targets), plain.denominator(targets))
