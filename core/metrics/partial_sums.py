"""Named tensors that batches are added to: moved to where the data are, reduced, saved and loaded.

The common part of the accumulators. It knows no metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class PartialSums:
    """Holds the sums of an accumulator. They start on the CPU and follow the first batch to its device."""

    def __init__(self, **zeros: Tensor) -> None:
        self._sums = zeros

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        """The sums on `device`. Moves them when the data moved, so normally once."""
        if any(tensor.device != device for tensor in self._sums.values()):
            self._sums = {name: _moved(tensor, device) for name, tensor in self._sums.items()}
        return self._sums

    def reduce(self, all_reduce: Callable[[Tensor], Tensor]) -> None:
        """Replace every sum by its sum over the processes. Call once, after the last batch, on every process.

        Clones first: sums made under `inference_mode` may not be changed in place outside of it, as all-reduce does.
        """
        self._sums = {name: all_reduce(tensor.clone()) for name, tensor in self._sums.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the sums, untouched by later updates."""
        return {name: tensor.clone() for name, tensor in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`, which an accumulator made with the same arguments wrote."""
        shapes = {name: tensor.shape for name, tensor in self._sums.items()}
        given = {name: tensor.shape for name, tensor in state.items()}
        assert given == shapes, f"sums of another accumulator: {given} instead of {shapes}"
        self._sums = {name: state[name].clone() for name in self._sums}


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`; float64 becomes float32 on MPS, which has no float64."""
    if device.type == "mps" and tensor.dtype == torch.float64:
        return tensor.float().to(device)
    return tensor.to(device)
