"""The numbered blocks of a network: what `ft layers` prints and `--freeze` takes. Holds no behaviour of its own.

The idea is spaCy's and torchvision's: people think of a network as a short list, state dicts as long paths; a unit ties
one to the other. Numbers and names stay the same when a network is rewritten, wrapped or compiled.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Unit:
    """One block.

    index: its number, from 0, in the order of the file.
    name: its name in the state dict, or the user's own.
    kind: what it is, for people: `Conv2d + ReLU`, `residual`, a class of the user's.
    modules: its modules; a layer and its activation are two.
    prefixes: where its parameters and buffers lie in the state dict, without the closing dot. A parameter that belongs
        to no child has its own full name here.
    output_shape: shape of its answer for one example, without the batch; None when it never ran or gave no tensor.
    """

    index: int
    name: str
    kind: str
    modules: tuple[nn.Module, ...]
    prefixes: tuple[str, ...]
    output_shape: tuple[int, ...] | None

    def owns(self, key: str) -> bool:
        """Whether a name of the state dict, as `conv2d_0.weight`, lies in this unit."""
        return any(key == prefix or key.startswith(f"{prefix}.") for prefix in self.prefixes)
