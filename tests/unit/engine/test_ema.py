"""The average is the published formula, its warm-up included; buffers are copied."""

from __future__ import annotations

import torch
from engine_parts import module

from ft.core.engine.ema import Ema


def test_the_average_follows_the_formula_in_double_precision() -> None:
    source = module().double()
    ema = Ema(source, decay=0.8)
    expected = [parameter.detach().clone() for parameter in source.parameters()]
    for update in range(20):
        with torch.no_grad():
            for parameter in source.parameters():
                parameter.add_(torch.randn_like(parameter))
        ema.update()
        decay = min(0.8, (1 + update) / (10 + update))
        expected = [e * decay + (1 - decay) * p.detach() for e, p in zip(expected, source.parameters(), strict=True)]
    for ours, theirs in zip(ema.module.parameters(), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_statistics_of_batch_norm_are_the_live_ones() -> None:
    source = module()
    ema = Ema(source, decay=0.99)
    source.train()(torch.randn(32, 6))
    ema.update()
    assert torch.equal(ema.module[1].running_mean, source[1].running_mean)  # type: ignore[index]


def test_weights_that_do_not_move_average_to_themselves_exactly() -> None:
    source = module()
    ema = Ema(source, decay=0.999)
    for _ in range(100):
        ema.update()
    for ours, theirs in zip(ema.module.parameters(), source.parameters(), strict=True):
        assert torch.equal(ours, theirs)
