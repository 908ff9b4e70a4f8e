"""Numbers as sines and cosines of learned frequencies: the PLR embedding of Gorishniy, Rubachev and Babenko 2022,
"On Embeddings for Numerical Features in Tabular Deep Learning" (arXiv:2203.05556), section 3.3.

    v_k = 2 pi c_k x,  c_k ~ N(0, sigma) at the start;  answer = ReLU(Linear([sin v, cos v]))

Each number has frequencies and a linear layer of its own. So a net can follow a threshold or a narrow peak that layers
on the plain value reach late. What says that a number or date is missing passes through as it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ft.core.config.schema.model import PeriodicEncoder
from ft.core.errors import TreePath
from ft.core.models.forms import InputForm


def build_periodic(settings: PeriodicEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:  # noqa: ARG001
    """float (B, ...) -> (B, values * dim + flags)."""
    values = math.prod(form.shape) - form.flags
    module = Periodic(values, settings.frequencies, settings.dim, settings.sigma, form.flags)
    return module, values * settings.dim + form.flags


class Periodic(nn.Module):
    """float (B, F + flags) -> (B, F * dim + flags), F numbers, each on its own.

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
        x = x.flatten(1)  # (B, F + flags)
        angle = 2 * math.pi * x[:, : self.values, None] * self.frequency  # (B, F, K)
        waves = torch.cat([angle.sin(), angle.cos()], dim=2)  # (B, F, 2K)
        answer = torch.einsum("bfk,fkd->bfd", waves, self.weight) + self.bias  # (B, F, dim)
        answer = answer.relu().flatten(1)
        return torch.cat([answer, x[:, self.values :].to(answer.dtype)], dim=1) if self.flags else answer

    def extra_repr(self) -> str:
        return f"{self.values} values, {self.frequency.shape[1]} frequencies, sigma={self.sigma}"
