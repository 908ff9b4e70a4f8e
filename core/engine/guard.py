"""No update after a gradient that is not a number: the weights stay those of the last healthy step.

The norm of every gradient is taken; clipping needs it anyway. Where reading it costs nothing (a CPU), the host looks at
it before the update. On a GPU that would be a sync in every step, so the verdict stays there as a flag that masks this
and every later update inside the fused optimizer (its `found_inf`, made for the loss scaler), and the host reads it
when it reads the loss. Optimizers without a fused form are looked at in every step.

fp16 overflows as a matter of course: its scaler skips such steps, and only many skips in a row are a divergence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from ft.core.runtime.precision import Precision

MOST_SKIPS = 25  # in a row: the scale has fallen by 2^25, below any that a network needs


class Guard:
    """Lets updates through until one must not. norm: of the last gradient, a float or a tensor on its device.

    masked: leave the verdict on the device (None: where the optimizer is fused and the device is no CPU).
    """

    def __init__(
        self, optimizer: Optimizer, precision: Precision, device: torch.device, masked: bool | None = None
    ) -> None:
        self._optimizer, self._precision = optimizer, precision
        fused = all(group.get("fused") for group in optimizer.param_groups)
        self.masked = (fused and device.type != "cpu") if masked is None else masked
        self.norm: Tensor | float = 0.0
        self._flag = torch.zeros((), device=device)  # 1: some gradient was not finite
        self._healthy = torch.zeros((), device=device)  # updates before that one, since `begin`
        self._skips = torch.zeros(2, device=device)  # fp16: in a row now, and the most there were
        self._begun = 0
        self._tripped = False
        if self.masked and not precision.scales:
            optimizer.found_inf = self._flag  # type: ignore[attr-defined]

    def begin(self, step: int) -> None:
        """Count from here: `step` updates were made before."""
        self._begun = step
        self._healthy.zero_()

    def update(self, loss: Tensor, norm: Tensor) -> None:
        """The optimizer's step, unless the gradient's norm or the loss, or one before them, was not finite."""
        self.norm = norm
        if self._precision.scales:
            self._count_skips()
        elif self.masked:
            bad = (norm + loss).isfinite().logical_not()
            self._flag.copy_(torch.maximum(self._flag, bad.to(self._flag.dtype)))
            self._precision.step(self._optimizer)
            self._healthy += 1 - self._flag
        elif not self._tripped and math.isfinite(norm.item() + loss.item()):
            self._precision.step(self._optimizer)
        else:
            self._tripped = True

    def _count_skips(self) -> None:
        one = torch.ones((), device=self._skips.device)
        before = self._precision.scaled(one)
        self._precision.step(self._optimizer)
        skipped = (self._precision.scaled(one) < before).to(self._skips.dtype)  # the scale falls at a skip only
        now = (self._skips[0] + 1) * skipped
        self._skips.copy_(torch.stack([now, torch.maximum(self._skips[1], now)]))

    @property
    def is_free(self) -> bool:
        """Whether asking `guilty` costs no sync with the device."""
        return not self.masked and not self._precision.scales

    def guilty(self, step: int) -> int | None:
        """The first step of at most `step` that must not have been taken, if there is one. One host sync."""
        if self.is_free:
            return step if self._tripped else None
        if not self.masked or not self._flag.item():
            return None
        return self._begun + int(self._healthy.item()) + 1

    def skipped_too_often(self) -> bool:
        """Whether fp16's scaler skipped so many steps in a row that nothing is learned. One host sync in fp16."""
        return self._precision.scales and self._skips[1].item() >= MOST_SKIPS

    def state_dict(self) -> dict[str, Tensor]:
        """fp16's skips; the flag is never up where something is saved."""
        return {"skips": self._skips.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._skips.copy_(state["skips"])


def all_finite(values: Sequence[Tensor]) -> bool:
    """Whether every floating-point value of these tensors is. One host sync."""
    checks = [value.isfinite().all() for value in values if value.is_floating_point()]
    return not checks or bool(torch.stack(checks).all().item())


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """The 2-norm of all gradients as one vector, a float scalar on their device. NaN or Inf if any value is.

    As torch.nn.utils.get_total_norm without its sorting by device and type, a third of the time of small networks'.
    """
    norms = [torch.linalg.vector_norm(each) for each in gradients]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())
