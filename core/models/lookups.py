"""Finds where a network turns indices into vectors, and puts other vectors there: points of a straight way.

Words and categories have no gradient, their vectors have. Whoever walks from a baseline to an example replaces what
`torch.nn.functional.embedding` and `embedding_bag` answer for an input's own indices: so it works for every module that
ends there, the user's own too. Lookups of other indices, as of positions, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Baseline = Callable[[Tensor], Tensor]  # of a table, float (N, D), gives the vector of nothing, (D,)


def zero_vector(table: Tensor) -> Tensor:
    """float (N, D) -> (D,): what padding says."""
    return torch.zeros_like(table[0])


def mean_vector(table: Tensor) -> Tensor:
    """float (N, D) -> (D,): the mean of all names' vectors; the first row is the unknown's."""
    return table[1:].mean(0)


@dataclass(frozen=True)
class Looked:
    """One lookup of an input's indices. point: the vectors that stood in their place, (S, ..., D), which have a
    gradient. way: from the baseline to the example's own vectors, (S, ..., D).
    """

    name: str
    point: Tensor
    way: Tensor


class Lookups(TorchFunctionMode):
    """Within it, an input's vectors are those of points along the way.

    indices: int64 (S, ...) by input, the very tensors that the network is given. share: float (S,), how far along each
    row is. baselines: by input. `looked` lists the lookups that were met, in their order.
    """

    def __init__(self, indices: Mapping[str, Tensor], share: Tensor, baselines: Mapping[str, Baseline]) -> None:
        super().__init__()
        self._indices, self._share, self._baselines = indices, share, baselines
        self.looked: list[Looked] = []

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is functional.embedding:
            return self._embedding(*args, **given)
        if func is functional.embedding_bag:
            return self._bag(*args, **given)
        return func(*args, **given)

    def _embedding(self, indices: Tensor, table: Tensor, *rest: Any, **options: Any) -> Tensor:
        answer = functional.embedding(indices, table, *rest, **options)
        name = self._whose(indices)
        return answer if name is None else self._moved(name, answer, table)

    def _bag(self, indices: Tensor, table: Tensor, *rest: Any, **options: Any) -> Tensor:
        """The mean or sum of vectors that are moved one by one. Other ways to join them are left as they are."""
        names = ("offsets", "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse", "per_sample_weights")
        told = dict(zip((*names, "include_last_offset", "padding_idx"), rest, strict=False)) | options
        name, mode = self._whose(indices), told.get("mode", "mean")
        if name is None or indices.dim() != 2 or mode == "max" or told.get("per_sample_weights") is not None:
            return functional.embedding_bag(indices, table, *rest, **options)
        vectors = self._moved(name, functional.embedding(indices, table), table)  # (S, T, D)
        padding = told.get("padding_idx")
        real = torch.ones_like(indices, dtype=torch.bool) if padding is None else indices != padding % len(table)
        joined = (vectors * real[..., None]).sum(1)
        return joined if mode == "sum" else joined / real.sum(1, keepdim=True).clamp(min=1)

    def _moved(self, name: str, vectors: Tensor, table: Tensor) -> Tensor:
        """vectors: (S, ..., D), of the example -> of the points on the way to it."""
        nothing = self._baselines[name](table.detach())
        way = vectors.detach() - nothing
        share = self._share.to(way.dtype).reshape(-1, *[1] * (way.dim() - 1))
        point = (nothing + share * way).requires_grad_()
        self.looked.append(Looked(name, point, way))
        return point.clone()  # a layer that works in place may follow

    def _whose(self, indices: Tensor) -> str | None:
        """The input that these indices are, as they came or in another shape of the same values."""
        for name, own in self._indices.items():
            same = indices is own or (indices.data_ptr() == own.data_ptr() and indices.numel() == own.numel())
            if same and len(indices) == len(own):
                return name
        return None
