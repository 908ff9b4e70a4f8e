"""The two forms of a network that a plain list cannot say: a sum with a shortcut, and branches side by side.

Children are numbered, so that `4.1` reaches the second part of unit 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """x -> branch(x) + shortcut(x) (He et al. 2016, arXiv:1512.03385). Both must have one shape; no broadcasting.

    The branch's parts are the children "0", "1", ...; the shortcut is the child "shortcut", the identity when left out.
    """

    def __init__(self, branch: Mapping[str, nn.Module], shortcut: nn.Module | None = None) -> None:
        super().__init__()
        for name, part in branch.items():
            self.add_module(name, part)
        self.shortcut = nn.Identity() if shortcut is None else shortcut
        self._branch = tuple(branch)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for name in self._branch:
            y = getattr(self, name)(y)
        return y + self.shortcut(x)  # type: ignore[no-any-return]


class Parallel(nn.Module):
    """x -> the branches' answers to the same x, joined along `dim` or summed (Szegedy et al. 2015, arXiv:1409.4842).

    dim counts the batch as 0, as torch does; 1 is the channels.
    """

    def __init__(self, branches: Sequence[nn.Module], merge: str = "concat", dim: int = 1) -> None:
        super().__init__()
        for index, branch in enumerate(branches):
            self.add_module(str(index), branch)
        self.merge, self.dim = merge, dim

    def forward(self, x: Tensor) -> Tensor:
        answers = [branch(x) for branch in self.children()]
        if self.merge == "concat":
            return torch.cat(answers, self.dim)
        total = answers[0]
        for answer in answers[1:]:
            total = total + answer
        return total  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"merge={self.merge}" + (f", dim={self.dim}" if self.merge == "concat" else "")
