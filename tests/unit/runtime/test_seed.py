"""Randomness repeats: seeds, saved generators, derived seeds."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from ft.core.runtime.seed import mix, rng_state, seed_everything, set_rng_state


def _draws() -> list[float]:
    return [
        *torch.rand(3).tolist(),
        *torch.randn(3).tolist(),
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.randn(),
    ]


@pytest.mark.parametrize("seed", [0, 42, 2**40 + 1, 2**70])
def test_the_same_seed_gives_the_same_draws_of_torch_python_and_numpy(seed: int) -> None:
    seed_everything(seed)
    first = _draws()
    seed_everything(seed)
    assert _draws() == first
    seed_everything(seed + 1)
    assert all(a != b for a, b in zip(_draws(), first, strict=True))


def test_a_restored_state_goes_on_with_the_same_draws(tmp_path: Path) -> None:
    seed_everything(3)
    _draws()  # odd numbers of normal draws: half a pair is left over in Python's and NumPy's generator
    torch.save(rng_state(), tmp_path / "rng.pt")
    expected = _draws()
    seed_everything(99)
    set_rng_state(torch.load(tmp_path / "rng.pt", weights_only=True))
    assert _draws() == expected


def test_a_state_before_any_normal_draw_is_restored_too() -> None:
    seed_everything(3)
    state = rng_state()
    expected = _draws()
    random.gauss(0, 1)
    set_rng_state(state)
    assert _draws() == expected


def test_every_gpu_is_saved_and_those_that_are_there_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    generators = {0: torch.tensor([1]), 1: torch.tensor([2])}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda i: generators[i].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, i: generators.__setitem__(i, state))
    state = rng_state()
    generators.update({0: torch.tensor([7]), 1: torch.tensor([8])})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    set_rng_state(state)
    assert (generators[0].item(), generators[1].item()) == (1, 8)


def test_a_run_on_the_cpu_does_not_start_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _: pytest.fail("asked a device that is not in use"))
    assert not any(key.startswith("cuda") for key in rng_state())


def test_mix_is_splitmix64_without_its_lowest_bit() -> None:
    # first outputs of the reference implementation for the seeds 0 and 1234567
    assert mix(0) == 0xE220A8397B1DCDAF >> 1
    assert mix(1234567) == 6457827717110365317 >> 1


def test_mix_depends_on_every_value_and_their_order_and_fits_an_int64() -> None:
    hashes = {mix(*values) for values in [(), (0,), (0, 0), (1,), (1, 2), (2, 1), (-1,), (1, 2, 3)]}
    assert len(hashes) == 8
    assert all(0 <= value < 2**63 for value in hashes)


def test_mix_of_neighbours_differs_in_about_half_of_the_bits() -> None:
    flips = [(mix(5, n) ^ mix(5, n + 1)).bit_count() for n in range(2000)]
    assert 31 < sum(flips) / len(flips) < 32  # 31.5 expected, standard error 0.09
