"""Named tensors that batches are added or appended to: moved to where the data are, reduced, saved and loaded.

The common part of the accumulators. It knows no metric. Sums cost nothing to speak of; scores that depend on the order
of all answers (areas under curves, rank correlations) need every value, and those are kept on the device: memory grows
with the split, by 4 bytes per float32 value and example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Collective = Callable[[Tensor], Tensor]


class PartialSums:
    """Holds the sums and the kept values of an accumulator. They start on the CPU and follow the first batch.

    kept: name -> a tensor without rows that shows the dtype and the shape of what is kept per example.
    zeros: name -> the sum at the start.
    """

    def __init__(self, kept: Mapping[str, Tensor] | None = None, /, **zeros: Tensor) -> None:
        self._sums = zeros
        self._kept: dict[str, list[Tensor]] = {name: [empty] for name, empty in (kept or {}).items()}

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        """The sums on `device`. Moves them, and what was kept, when the data moved, so normally once."""
        if any(tensor.device != device for tensor in self._sums.values()):
            self._sums = {name: _moved(tensor, device) for name, tensor in self._sums.items()}
            self._kept = {name: [_moved(part, device) for part in parts] for name, parts in self._kept.items()}
        return self._sums

    def _keep(self, **values: Tensor) -> None:
        """Append a batch of each kept value, (B, ...). Copies: the caller may use its memory again."""
        for name, batch in values.items():
            parts = self._kept[name]
            parts.append(batch.detach().to(parts[0].dtype, copy=True))

    def _all(self, name: str) -> Tensor:
        """Every value kept under `name`, (N, ...), in the order of the batches."""
        self._kept[name] = [torch.cat(self._kept[name])]
        return self._kept[name][0]

    def reduce(self, all_reduce: Collective, all_gather: Collective) -> None:
        """Replace every sum by its sum over the processes, and what was kept by what all of them kept.

        Call once, after the last batch, on every process. Clones first: sums made under `inference_mode` may not be
        changed in place outside of it, as all-reduce does.
        """
        self._sums = {name: all_reduce(tensor.clone()) for name, tensor in self._sums.items()}
        self._kept = {name: [all_gather(self._all(name))] for name in self._kept}

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the sums and of what was kept, untouched by later updates."""
        return {name: tensor.clone() for name, tensor in self._sums.items()} | {
            name: self._all(name).clone() for name in self._kept
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`, which an accumulator made with the same arguments wrote."""
        shapes = {name: tensor.shape for name, tensor in self._sums.items()}
        shapes |= {name: parts[0].shape[1:] for name, parts in self._kept.items()}
        given = {name: value.shape[1:] if name in self._kept else value.shape for name, value in state.items()}
        assert given == shapes, f"sums of another accumulator: {given} instead of {shapes}"
        self._sums = {name: state[name].clone() for name in self._sums}
        self._kept = {name: [state[name].clone()] for name in self._kept}


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`; float64 becomes float32 on MPS, which has no float64."""
    if device.type == "mps" and tensor.dtype == torch.float64:
        return tensor.float().to(device)
    return tensor.to(device)
