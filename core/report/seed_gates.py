"""Gates of several seeds: each holds the mean over seeds, or the end of its t interval that speaks against the model.

A drop against a baseline is shown by Student's one-sided test over seeds. What one seed did not measure has no mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from ft.core.metrics.resampling import Drop
from ft.core.metrics.student import above_zero, spread
from ft.core.report.gates import GateResult, Gates, check_drops, check_gates


def over_seeds(by_seed: Sequence[Sequence[GateResult]]) -> list[GateResult]:
    """by_seed: the same gates of every seed, in the same order."""
    return [_together(same) for same in zip(*by_seed, strict=True)]


def _together(same: Sequence[GateResult]) -> GateResult:
    asked, values = same[0], [gate.value for gate in same if gate.value is not None]
    found = spread(values) if len(values) == len(same) else None
    name, threshold = asked.metric, {asked.metric: asked.threshold}
    if asked.p is not None and found is not None:
        metric = name.removeprefix("drop of ")
        nothing_known = (float("-inf"), float("inf"))
        drop = Drop(found.mean, found.interval or nothing_known, above_zero(values))
        (gate,) = check_drops(Gates(max_drop={metric: asked.threshold}, on=asked.on), {metric: drop})
        return gate
    gates = Gates(threshold, on=asked.on) if asked.bound == "min" else Gates(maximum=threshold, on=asked.on)
    means = {} if found is None else {name: found.mean}
    intervals = {} if found is None or found.interval is None else {name: found.interval}
    (gate,) = check_gates(gates, means, intervals, {})
    return gate
