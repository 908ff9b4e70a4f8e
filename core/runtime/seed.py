"""Randomness that can be repeated: seeding every generator, saving and restoring them, and deriving seeds.

ft's own order and augmentation need no generator (they hash seed, epoch and example); generators serve initial
weights, dropout and whatever a user's Python draws, so Python's and NumPy's are seeded, saved and restored as well.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio


def mix(*values: int) -> int:
    """A hash of integers, in [0, 2^63): derives independent seeds, e.g. `mix(seed, epoch)`; order matters.

    splitmix64 (Steele, Lea & Flood 2014), fed one value at a time and without its lowest bit, so that the result fits
    an int64. The same on every machine, for ever: checkpoints and orders of data depend on it.
    """
    state = 0
    for value in values:
        state = _finalise((state + _GOLDEN + value) & _MASK)
    return state >> 1


def _finalise(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def seed_everything(seed: int) -> None:
    """Seed torch on every device, Python's `random` and NumPy's global generator. seed: any integer >= 0."""
    torch.manual_seed(seed % (1 << 63))  # also every CUDA and MPS device, those not yet started included
    random.seed(seed)
    np.random.seed(mix(seed) % (1 << 32))  # takes 32 bits only


def rng_state() -> dict[str, Tensor]:
    """The state of every generator, tensors only, so that it loads with `weights_only=True`.

    Keys: cpu, python, numpy, cuda:N for every CUDA device once CUDA is in use, mps where there is one.
    """
    state = {"cpu": torch.get_rng_state(), "python": _python_state(), "numpy": _numpy_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        # only then: asking would start CUDA in a run on the CPU
        state |= {f"cuda:{i}": torch.cuda.get_rng_state(i) for i in range(torch.cuda.device_count())}
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(state: dict[str, Tensor]) -> None:
    """Restore what `rng_state` gave. Devices of the state that this machine lacks are passed over."""
    torch.set_rng_state(state["cpu"].cpu())
    _set_python_state(state["python"])
    _set_numpy_state(state["numpy"])
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(gpus):
        if f"cuda:{index}" in state:
            torch.cuda.set_rng_state(state[f"cuda:{index}"].cpu(), index)
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"].cpu())


# Both are a Mersenne twister of 32-bit words, exact in float64, and a float left over from the last normal draw;
# so one float64 tensor holds each. Python's says None where NaN stands here.


def _python_state() -> Tensor:
    _, words, leftover = random.getstate()
    return torch.tensor([*words, float("nan") if leftover is None else leftover], dtype=torch.float64)  # (626,)


def _set_python_state(state: Tensor) -> None:
    *words, leftover = state.tolist()
    random.setstate((3, tuple(map(int, words)), None if leftover != leftover else leftover))


def _numpy_state() -> Tensor:
    whole = np.random.get_state(legacy=False)
    words, position = whole["state"]["key"].tolist(), whole["state"]["pos"]
    return torch.tensor([*words, position, whole["has_gauss"], whole["gauss"]], dtype=torch.float64)  # (627,)


def _set_numpy_state(state: Tensor) -> None:
    *words, position, has_leftover, leftover = state.tolist()
    np.random.set_state(("MT19937", np.array(words, dtype=np.uint32), int(position), int(has_leftover), leftover))
