"""Learned weights of several losses: the paper's formula, outside the network, restored by a resume."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from engine_parts import CPU, loop_of_two
from torch import nn

from ft.core.engine.balance import Balance
from ft.core.engine.consumers import MetricsFile
from ft.core.engine.events import EpochEnded, Validated
from ft.core.errors import DivergedError


class Output:
    """As much of a head as balancing needs."""

    def __init__(self, name: str, weight: float) -> None:
        self.name, self.weight = name, weight


def test_the_total_and_its_gradients_are_the_formulas_in_float64() -> None:
    balance = Balance([Output("a", 1.0), Output("b", 2.0)], CPU)
    balance.log_variances = nn.Parameter(torch.tensor([0.3, -0.7], dtype=torch.float64))
    losses = torch.tensor([1.5, 0.25], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, 2.0], dtype=torch.float64)
    total = balance.total([weights[0] * losses[0], weights[1] * losses[1]])
    s = torch.tensor([0.3, -0.7], dtype=torch.float64)
    expected = (weights * (torch.exp(-s) * losses.detach() + s / 2)).sum()
    torch.testing.assert_close(total, expected)
    total.backward()
    torch.testing.assert_close(losses.grad, weights * torch.exp(-s))
    torch.testing.assert_close(balance.log_variances.grad, weights * (0.5 - torch.exp(-s) * losses.detach()))
    assert balance.weights() == pytest.approx({"a": float(torch.exp(-s[0])), "b": float(2 * torch.exp(-s[1]))})


def test_the_weights_go_where_the_formula_has_its_minimum() -> None:
    """dL/ds = 0 at exp(-s) = 1 / (2 L): a loss twice as large gets half the weight."""
    balance = Balance([Output("a", 1.0), Output("b", 1.0)], CPU)
    optimizer = torch.optim.SGD([balance.log_variances], 0.5)
    for _ in range(300):
        optimizer.zero_grad()
        balance.total([torch.tensor(2.0), torch.tensor(4.0)]).backward()
        optimizer.step()
    assert balance.weights() == pytest.approx({"a": 0.25, "b": 0.125}, rel=1e-4)


def test_micro_batches_move_the_weights_as_one_batch_does() -> None:
    moved = []
    for accumulate, batch_size in ((1, 16), (4, 4)):
        it = loop_of_two(accumulate=accumulate, batch_size=batch_size, max_steps=3, optimizer="sgd")
        for _ in it.run():
            pass
        assert it.balance is not None
        moved.append(it.balance.log_variances.detach())
    assert moved[0].abs().min() > 0
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-4, atol=1e-6)


def test_a_resumed_run_has_the_bits_of_the_whole_one() -> None:
    whole = loop_of_two()
    for _ in whole.run():
        pass
    first = loop_of_two()
    for number, _ in enumerate(first.run()):
        if number == 9:
            break
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    second = loop_of_two(seed=5)
    second.load_state_dict(torch.load(saved, weights_only=True))
    for _ in second.run():
        pass
    assert whole.balance is not None
    assert second.balance is not None
    assert torch.equal(second.balance.log_variances, whole.balance.log_variances)
    for ours, theirs in zip(second.network.module.parameters(), whole.network.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_are_in_the_lines_of_epochs_and_the_losses_stay_plain(tmp_path: Path) -> None:
    it, path = loop_of_two(epochs=2), tmp_path / "metrics.jsonl"
    write = MetricsFile(path)
    seen = []
    for event in it.run():
        write(event)
        seen.append(event)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    [last] = [row for row in rows if row["event"] == "epoch" and row["epoch"] == 2]
    assert it.balance is not None
    assert last["loss_weights"] == pytest.approx(it.balance.weights())
    assert set(last["loss_weights"]) == {"y", "z"}
    validated = [event for event in seen if isinstance(event, Validated)][-1].metrics
    assert validated["loss"] == pytest.approx(validated["y/loss"] + 0.5 * validated["z/loss"])
    assert all(event.loss_weights for event in seen if isinstance(event, EpochEnded))


def test_a_learned_weight_that_is_no_number_stops_the_run_before_it_is_saved() -> None:
    it = loop_of_two(epochs=1)
    assert it.balance is not None
    events = it.run()
    while not isinstance(next(events), Validated):
        pass
    it.balance.log_variances.data[1] = torch.nan
    with pytest.raises(DivergedError, match="became NaN or infinite"):
        next(events)


def test_what_ships_has_no_trace_of_the_weights() -> None:
    it = loop_of_two()
    assert not [name for name in it.shipped.module.state_dict() if "variance" in name]
