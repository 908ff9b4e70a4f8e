"""In which number format the network computes: fp32, or mixed with bf16 or fp16.

`choose_precision` decides once, by a rule of the machine alone (a stopwatch would change bits between two runs);
`Precision` is the small object that the training step talks to. Weights, optimizer and loss stay float32: autocast
(Micikevicius et al. 2018, "Mixed precision training") lowers only the operations that bear it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ft.core.errors import ConfigError, Problem
from ft.core.runtime.compiler import bare_step

# fp32 is None: no autocast at all
_DTYPES: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class PrecisionChoice:
    """name: fp32, bf16 or fp16. reason: half a sentence for people."""

    name: str
    reason: str


def choose_precision(wish: str, device: torch.device) -> PrecisionChoice:
    """The precision for `auto`, `fp32`, `bf16` or `fp16` on `device`, which must be there.

    Raises ConfigError, at the setting `precision`, for one that the device cannot compute in.
    """
    if wish == "auto":
        return _best(device)
    assert wish in _DTYPES, wish
    lack = _lack(wish, device)
    if lack:
        raise ConfigError(Problem(f"precision {wish} {lack}; precision: auto fits the machine", path=("precision",)))
    if wish == "bf16" and device.type == "cpu" and not cpu_has_bf16_units():
        return PrecisionChoice(wish, "asked for, but slow: this CPU has no units for bf16 and imitates it")
    return PrecisionChoice(wish, "asked for")


def fast_precisions(device: torch.device) -> tuple[str, ...]:
    """The precisions that `device` has arithmetic units for, fp32 first; `ft doctor` shows them."""
    if device.type == "cpu":
        return ("fp32", "bf16") if cpu_has_bf16_units() else ("fp32",)
    if device.type == "mps":
        return ("fp32", "fp16")
    capability = torch.cuda.get_device_capability(device)
    return ("fp32", *(["fp16"] if capability >= (7, 0) else []), *(["bf16"] if capability >= (8, 0) else []))


def cpu_has_bf16_units() -> bool:
    """AVX512-BF16 or AMX. Without them bf16 is imitated in fp32 and training slows down.

    With AVX512-BF16 training steps of convolutional nets and a wide MLP were 1.4 to 1.8 times as fast as in fp32; steps
    below a millisecond lose some 0.3 ms to the casts (torch 2.13).

    torch's probes are private and x86 only, hence the guards: a torch without them counts as a CPU without units.
    """
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def _best(device: torch.device) -> PrecisionChoice:
    if device.type == "mps":
        return PrecisionChoice("fp32", "the safe choice on Apple's GPU")
    fast = fast_precisions(device)
    if device.type == "cpu":
        if "bf16" in fast:
            return PrecisionChoice("bf16", "this CPU has units for bf16 (AVX512-BF16 or AMX)")
        return PrecisionChoice("fp32", "this CPU has no units for bf16, which would be slower")
    if "bf16" in fast:
        return PrecisionChoice("bf16", "this GPU has units for bf16, which needs no loss scaling")
    if "fp16" in fast:
        return PrecisionChoice("fp16", "this GPU has units for fp16 but not for bf16; the loss is scaled")
    return PrecisionChoice("fp32", "this GPU has no units for 16-bit numbers")


def _lack(wish: str, device: torch.device) -> str | None:
    """What stands against `wish` on `device`, as the rest of a sentence that begins with it."""
    if wish == "fp16" and device.type == "cpu":
        return "is for GPUs; a CPU computes in fp32 or bf16"
    if wish == "bf16" and device.type == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0):
        return "needs macOS 14 or later on Apple's GPU"
    if wish == "bf16" and device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if major < 8:
            return f"needs a GPU of compute capability 8.0; this one has {major}.{minor}"
    return None


class Precision:
    """The forward pass, backward pass and optimizer step in one precision; one object per training loop.

    fp16 has too few exponent bits for small gradients, so its loss is multiplied before backward and its gradients
    divided before the step by a scale that adapts (GradScaler); a step whose gradients overflowed is skipped.
    With a fused optimizer that costs no host sync; torch's other optimizers cost one per step in fp16.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self.name = name
        self._device_type = device.type
        self._dtype = _DTYPES[name]
        self._scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None

    def forward(self) -> AbstractContextManager[Any]:
        """The context for the network's forward pass (not the loss, not backward). Fresh on every call."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device_type, dtype=self._dtype)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`, a float32 scalar, to every `.grad`; in fp16 they are scaled until `unscale`."""
        if self._scaler is not None:
            loss = self._scaler.scale(loss)
        loss.backward()  # type: ignore[no-untyped-call]

    @property
    def scales(self) -> bool:
        """Whether the loss is scaled, so that gradients overflow as a matter of course: fp16."""
        return self._scaler is not None

    def scaled(self, value: Tensor) -> Tensor:
        """`value` times the loss scale of now; itself where nothing is scaled. Costs no host sync."""
        return value if self._scaler is None else self._scaler.scale(value)

    def unscale(self, optimizer: Optimizer) -> None:
        """Bring the gradients to their true size, in place, before clipping or reading them. At most once a step."""
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Step the optimizer; in fp16 unscale first if `unscale` was not called, and skip when gradients overflowed."""
        if self._scaler is None:
            bare_step(optimizer)
            return
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The loss scale and its history in fp16, else empty; plain numbers. One host sync on a GPU."""
        return {} if self._scaler is None else dict(self._scaler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over `state_dict()`. The state of another precision is left aside: the scale starts anew."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)
