"""A hash instead of a random stream: a number depends on its key alone, not on what was drawn before it.

The finaliser of splitmix64 (Steele, Lea, Flood 2014), in int64 tensors on the CPU, which wrap as uint64 does; an
accelerator need not. Same bits in every version, which a library's random generator does not promise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ft.core.runtime.seed import mix

ORDER, DRAWS, SPLIT, NEGATIVES, MIXING, BALANCED = 1, 2, 3, 4, 5, 6  # first part of a key: keeps the uses apart


def _signed(constant: int) -> int:
    return constant - (1 << 64) if constant >> 63 else constant


GOLDEN = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)


def scramble(x: Tensor) -> Tensor:
    """x: int64, any shape -> int64 of that shape. One to one, and every bit of x moves about half of the result's."""
    x = _folded(x, 30).mul_(_FIRST)
    return _folded(_folded(x, 27).mul_(_SECOND), 31)


def keyed(numbers: Tensor, *key: int) -> Tensor:
    """A hash of each number under a key. numbers: int64 (N,) -> int64 (N,); different numbers never collide."""
    return scramble(numbers * GOLDEN + mix(*key))


def name_numbers(names: Sequence[str]) -> Tensor:
    """A number for each name that depends on it alone: int64 (N,), the first 64 bits of its BLAKE2."""
    encoded = (name.encode(errors="surrogateescape") for name in names)  # a file's name need not be UTF-8
    digests = b"".join(hashlib.blake2b(name, digest_size=8).digest() for name in encoded)
    return torch.from_numpy(np.frombuffer(digests, dtype="<i8").astype(np.int64))


def shuffled(n: int, *key: int) -> Tensor:
    """The numbers 0..n-1, int64 (n,), in the order of their hashes. No two are equal, so every sort agrees."""
    return ordered(torch.arange(n), *key)


def ordered(numbers: Tensor, *key: int) -> Tensor:
    """The rows of numbers, int64 (N,), in the order of the numbers' hashes under a key: int64 (N,)."""
    return keyed(numbers, *key).argsort()


def _folded(x: Tensor, bits: int) -> Tensor:
    """x ^ (x >> bits), a new tensor. torch's shift carries the sign along: it is masked away."""
    return (x >> bits).bitwise_and_((1 << (64 - bits)) - 1).bitwise_xor_(x)
