"""Which device the work runs on, and the way there. `auto` chooses and says why; a named device that is not there is an
error.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ft.core.errors import ConfigError, Problem


@dataclass(frozen=True)
class DeviceChoice:
    """device: as torch names it, with its index on CUDA. reason: half a sentence for people, e.g. `the first GPU`."""

    device: torch.device
    reason: str


def choose_device(wish: str) -> DeviceChoice:
    """The device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    `cuda` means `cuda:0`. Raises ConfigError, at the setting `device`, when the wish is not on this machine.
    """
    if wish == "auto":
        return _best()
    device = torch.device("cuda:0" if wish == "cuda" else wish)
    lack = _lack(device)
    if lack:
        raise ConfigError(Problem(f"device {wish} {lack}; device: auto takes the best there is", path=("device",)))
    return DeviceChoice(device, "asked for")


def send(values: Tensor, device: torch.device) -> Tensor:
    """The values on the device; to CUDA through pinned memory, so that the host does not wait for the copy."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def _best() -> DeviceChoice:
    if torch.cuda.is_available():
        return DeviceChoice(torch.device("cuda:0"), f"the first GPU, {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return DeviceChoice(torch.device("mps"), "Apple's GPU")
    return DeviceChoice(torch.device("cpu"), _why_no_gpu())


def _why_no_gpu() -> str:
    """A CPU build hides a GPU that may be there: the commonest reason for a slow first run."""
    if torch.version.cuda is None and torch.version.hip is None and not torch.backends.mps.is_built():
        return "this build of torch is for the CPU only"
    return "no GPU was found"


def _lack(device: torch.device) -> str | None:
    """What stands against `device`, as the rest of a sentence that begins with it; None when it is there."""
    if device.type == "cpu":
        return None
    if device.type == "mps":
        return None if torch.backends.mps.is_available() else "is not there (it needs a Mac with Apple's own GPU)"
    if not torch.cuda.is_available():
        return f"is not there: {_why_no_gpu()}"
    count = torch.cuda.device_count()
    if device.index >= count:
        there = "only cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        return f"is not there: this machine has {there}"
    return None
