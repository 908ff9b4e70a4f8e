"""How long one call takes, of several contenders in turn, so that what disturbs the machine disturbs all alike.

Each round lets every contender make some calls in a row, and begins with another one; what is compared is the medians
of one round. A contender is called faster only where it was in every round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

ROUNDS = 9  # of equals, all fall on one side by chance once in 256 times
CALLS = (3, 60)  # of a contender in a round, at least and at most
WARM_UP = 3  # calls
BUDGET_S = 6.0  # for all rounds of all contenders; the least number of calls goes beyond it where they are slow


@dataclass(frozen=True)
class Latency:
    """p50_ms, p95_ms: of all calls. ratio: the median of the rounds' medians over the first contender's; low, high:
    its extremes over the rounds.
    """

    p50_ms: float
    p95_ms: float
    ratio: float
    low: float
    high: float

    @property
    def faster(self) -> bool:
        """Than the first contender, in every round."""
        return self.high < 1

    @property
    def slower(self) -> bool:
        """Than the first contender, in every round."""
        return self.low > 1


def race(contenders: Sequence[Callable[[], object]], device: torch.device, budget_s: float = BUDGET_S) -> list[Latency]:
    """Time them against the first of them. device: whose work is waited for after every call."""
    for call in contenders:
        for _ in range(WARM_UP):
            _seconds(call, device)
    slowest = sum(min(_seconds(call, device) for _ in range(WARM_UP)) for call in contenders)
    count = min(max(int(budget_s / ROUNDS / max(slowest, 1e-9)), CALLS[0]), CALLS[1])
    times: list[list[list[float]]] = [[] for _ in contenders]  # by contender and round
    for round_ in range(ROUNDS):
        for place in range(len(contenders)):
            turn = (round_ + place) % len(contenders)
            times[turn].append([_seconds(contenders[turn], device) for _ in range(count)])
    return [_summary(own, times[0]) for own in times]


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    call()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - began


def _summary(own: Sequence[Sequence[float]], first: Sequence[Sequence[float]]) -> Latency:
    calls = sorted(1000 * seconds for each in own for seconds in each)
    ratios = [median(a) / median(b) for a, b in zip(own, first, strict=True)]
    p95 = calls[min(int(0.95 * len(calls)), len(calls) - 1)]
    return Latency(median(calls), p95, median(ratios), min(ratios), max(ratios))
