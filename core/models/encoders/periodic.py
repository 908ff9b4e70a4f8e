"""Numbers as sines and cosines of learned frequencies: the PLR embedding of Gorishniy, Rubachev and Babenko 2022,
"On Embeddings for Numerical Features in Tabular Deep Learning" (arXiv:2203.05556), section 3.3.

    v_k = 2 pi c_k x,  c_k ~ N(0, sigma) at the start;  answer = ReLU(Linear([sin v, cos v]))

Each number has frequencies and a linear layer of its own. So a net can follow a threshold or a narrow peak that layers
on the plain value reach late. What says that a value is missing passes through as it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ft.core.config.schema.model import PeriodicEncoder
from ft.core.errors import TreePath
from ft.core.models.forms import InputForm


def build_periodic(settings: PeriodicEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:  # noqa: ARG001
    """float (B, ..., last) -> (B, values * dim + flags)."""
    rows, last = math.prod(form.shape[:-1]), form.shape[-1] - form.flags
    module = Periodic(rows * last, settings.frequencies, settings.dim, settings.sigma, form.flags)
    return module, rows * (last * settings.dim + form.flags)


class Periodic(nn.Module):
    """float (B, ..., last) -> (B, F * dim + what are flags), F numbers, each on its own.

    flags: how many of the last axis are none of the numbers.
    frequency: (F, K). weight: (F, 2K, dim) and bias: (F, dim), drawn as nn.Linear draws its own.
    """

    def __init__(self, values: int, frequencies: int, dim: int, sigma: float, flags: int = 0) -> None:
        super().__init__()
        self.values, self.flags, self.sigma = values, flags, sigma
        self.frequency = nn.Parameter(torch.empty(values, frequencies).normal_(0.0, sigma))
        bound = 1 / math.sqrt(2 * frequencies)
        self.weight = nn.Parameter(torch.empty(values, 2 * frequencies, dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(values, dim).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        numbers = x[..., : x.shape[-1] - self.flags].flatten(1)  # (B, F)
        angle = 2 * math.pi * numbers[:, :, None] * self.frequency  # (B, F, K)
        waves = torch.cat([angle.sin(), angle.cos()], dim=2)  # (B, F, 2K)
        answer = torch.einsum("bfk,fkd->bfd", waves, self.weight) + self.bias  # (B, F, dim)
        answer = answer.relu().flatten(1)
        if not self.flags:
            return answer
        return torch.cat([answer, x[..., -self.flags :].flatten(1).to(answer.dtype)], dim=1)

    def extra_repr(self) -> str:
        return f"{self.values} values, {self.frequency.shape[1]} frequencies, sigma={self.sigma}"
