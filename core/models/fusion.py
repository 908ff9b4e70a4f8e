"""How the vectors of several encoders become one: list of (B, D_i) -> (B, D). `FUSIONS` is the whole family.

Two towers (`dot`) answer by themselves, without heads: they are in towers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ft.core.config.schema.model import AttentionFusion, ConcatFusion, GatedFusion, SumFusion
from ft.core.errors import ConfigError, Problem

Sizes = Mapping[str, int]  # of the encoders' vectors, by a name fit for a child module


class Concat(nn.Module):
    """The vectors side by side: (B, D_1 + ... + D_k)."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        joined = torch.cat(list(vectors), dim=1) if len(vectors) > 1 else vectors[0]
        return functional.dropout(joined, self.dropout, self.training) if self.dropout else joined

    def extra_repr(self) -> str:
        return f"dropout={self.dropout}"


class Projected(nn.Module):
    """What the others begin with: a linear layer for each input, which brings it to one size."""

    def __init__(self, sizes: Sizes, dim: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in sizes.items()})
        self.dropout = dropout

    def projected(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """Each (B, dim)."""
        return [project(vector) for project, vector in zip(self.project.values(), vectors, strict=True)]

    def dropped(self, fused: Tensor) -> Tensor:
        return functional.dropout(fused, self.dropout, self.training) if self.dropout else fused

    def extra_repr(self) -> str:
        return f"dropout={self.dropout}"


class Sum(Projected):
    """sum_i W_i x_i + b_i: (B, dim)."""

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        first, *others = self.projected(vectors)
        for other in others:
            first = first + other
        return self.dropped(first)


class Gated(Projected):
    """The gated multimodal unit of Arevalo et al. 2017 (arXiv:1702.01992), section 3.2, for any number of inputs:

        h_i = tanh(W_i x_i),  z_i = sigmoid(V_i [x_1, ..., x_k]),  answer = sum_i z_i * h_i

    So each value of the answer weighs the inputs anew for every example: a blank picture can be left unheard.
    """

    def __init__(self, sizes: Sizes, dim: int, dropout: float) -> None:
        super().__init__(sizes, dim, dropout)
        self.gate = nn.Linear(sum(sizes.values()), len(sizes) * dim)  # all V_i in one product

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        said = torch.cat(self.projected(vectors), dim=1).tanh()  # (B, k * dim)
        gates = self.gate(torch.cat(list(vectors), dim=1)).sigmoid()
        return self.dropped((gates * said).unflatten(1, (len(vectors), -1)).sum(1))


class Attended(Projected):
    """One layer of attention among the inputs (Vaswani et al. 2017), with the sum and the norm after it, then the mean.

    The projections' biases tell the inputs apart, so no positions are added.
    """

    def __init__(self, sizes: Sizes, dim: int, heads: int, dropout: float) -> None:
        super().__init__(sizes, dim, dropout)
        self.attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        x = torch.stack(self.projected(vectors), dim=1)  # (B, k, dim)
        heard, _ = self.attention(x, x, x, need_weights=False)
        return self.dropped(self.norm(x + heard).mean(1))


def _concat(settings: ConcatFusion, sizes: Sizes) -> tuple[nn.Module, int]:
    return Concat(settings.dropout), sum(sizes.values())


def _sum(settings: SumFusion, sizes: Sizes) -> tuple[nn.Module, int]:
    return Sum(sizes, settings.dim, settings.dropout), settings.dim


def _gated(settings: GatedFusion, sizes: Sizes) -> tuple[nn.Module, int]:
    return Gated(sizes, settings.dim, settings.dropout), settings.dim


def _attention(settings: AttentionFusion, sizes: Sizes) -> tuple[nn.Module, int]:
    if settings.dim % settings.heads:
        message = f"the attention of fusion: dim is {settings.dim}; it should be a multiple of heads, {settings.heads}"
        raise ConfigError(Problem(message, ("model", "fusion", "attention", "dim")))
    return Attended(sizes, settings.dim, settings.heads, settings.dropout), settings.dim


FUSIONS: Mapping[str, Callable[[Any, Sizes], tuple[nn.Module, int]]] = {
    "concat": _concat,
    "sum": _sum,
    "gated": _gated,
    "attention": _attention,
}
