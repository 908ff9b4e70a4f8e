"""The examples that broke a step are found among their healthy neighbours, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from engine_parts import CPU, head, loader, module, network, problem
from torch import nn

from ft.core.engine.blame import culprits, tell_culprits
from ft.core.engine.protocols import Batch
from ft.core.models.network import Network
from ft.core.runtime.precision import Precision

EXACT = Precision("fp32", CPU)


class Spoiled:
    """A loader of the problem's 40 examples, in which numbers of some rows have gone wrong on the way."""

    def __init__(self, rows: list[int], value: float, batch_size: int = 8, *, shuffle: bool = True) -> None:
        self._healthy = loader(*problem(40), batch_size, shuffle=shuffle)
        self._rows, self._value = torch.tensor(rows), value
        self.batches_per_epoch = self._healthy.batches_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for batch in self._healthy.epoch(epoch, start):
            batch.inputs["x"][torch.isin(batch.examples, self._rows), 2] = self._value
            yield batch


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_exactly_the_broken_rows_of_a_shuffled_epoch_are_named(value: float, micro_batch: int | None) -> None:
    data = Spoiled([5, 31], value)
    net = network(module(dropout=0.5, norm=True).train())
    found, count = culprits(net, [head()], data, EXACT, epoch=2, first=0, count=5, micro_batch=micro_batch)
    assert sorted(found) == [5, 31]
    assert count == 40


def test_only_the_batches_of_the_step_are_looked_at() -> None:
    data = Spoiled([13], float("nan"), shuffle=False)  # row 13 is in the second batch of five
    net = network(module().train())
    assert culprits(net, [head()], data, EXACT, epoch=0, first=1, count=1) == ([13], 8)
    assert culprits(net, [head()], data, EXACT, epoch=0, first=2, count=3) == ([], 24)


def test_a_finite_example_whose_own_loss_overflows_is_named() -> None:
    data = Spoiled([7], 3e38, 40)
    net = nn.Linear(6, 3)
    nn.init.constant_(net.weight, 2.0)
    assert culprits(network(net), [head()], data, EXACT, epoch=0, first=0, count=1) == ([7], 40)


def test_statistics_that_the_broken_step_spoiled_do_not_spread_the_blame() -> None:
    data = Spoiled([5], float("nan"), 40)
    net = module(norm=True).train()
    net(next(data.epoch(0)).inputs["x"])  # as the broken step did
    assert not all(buffer.isfinite().all() for buffer in net.buffers() if buffer.is_floating_point())
    assert culprits(network(net), [head()], data, EXACT, 0, 0, 1) == ([5], 40)


def test_the_network_trains_on_as_it_did() -> None:
    net = module(dropout=0.5, norm=True).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    generator = torch.get_rng_state()
    culprits(Network(net, [], ("x",), ("y",)), [head()], loader(*problem(40), 8), EXACT, 0, 0, 5)
    assert all(child.training for child in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ([], "no single one of its 9 examples"),
        ([4], "example row 4"),
        ([4, 2], "examples row 4, row 2"),
        ([0, 1, 2, 3, 4, 5, 6], "examples row 0, row 1, row 2, row 3, row 4 and 2 more"),
    ],
)
def test_a_few_are_named_and_the_others_counted(broken: list[int], told: str) -> None:
    assert tell_culprits(broken, 9, "row {}".format) == told
