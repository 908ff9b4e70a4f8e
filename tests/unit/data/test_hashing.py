"""The hash is the published splitmix64 and never collides."""

from __future__ import annotations

import torch

from ft.core.data import hashing

MASK = (1 << 64) - 1


def splitmix64(state: int) -> int:
    """One output of the published generator, in plain integers."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_the_reference_itself_gives_the_published_first_values() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert splitmix64(1234567) == 6457827717110365317


def test_scramble_is_the_finaliser_of_splitmix64_for_every_sign() -> None:
    states = [0, 1, 1234567, (1 << 63) - 1, -1, -(1 << 63)]
    found = hashing.scramble(torch.tensor(states) + hashing.GOLDEN)
    assert [value & MASK for value in found.tolist()] == [splitmix64(state & MASK) for state in states]


def test_keyed_numbers_never_collide_under_one_key() -> None:
    assert len(hashing.keyed(torch.arange(100_000), 1, 2, 3).unique()) == 100_000


def test_any_part_of_the_key_changes_the_order() -> None:
    orders = [hashing.shuffled(50, *key).tolist() for key in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
