"""LoRA and DoRA on one layer: a small change beside a weight that stays. Chooses no layers (`targets.py`).

    LoRA  W' = W + s B A                      s = alpha / rank      (Hu et al. 2021, arXiv:2106.09685)
    DoRA  W' = m (W + s B A) / |W + s B A|                          (Liu et al. 2024, arXiv:2402.09353)

DoRA's norm is that of each output's own weights and, as the paper's section 4.3 has it, a constant to the gradient;
m begins as |W|. B (of a table A) begins at zero, so an adapted layer first answers as its base does, bit for bit.

A layer is adapted in place: it stays the object, keeps the names of its tensors and stays a Linear, Conv2d or
Embedding, so that units, patterns and state dicts read as before. `lora_A`, `lora_B`, `lora_embedding_A`, `_B` and
`lora_magnitude_vector` come beside them, named and shaped as in peft. The forward pass keeps the change apart (cheap,
and its input may be dropped out); whoever reads the attribute `weight`, as torch's fused transformer layer does, gets
W'. The parameter called `weight` is W.

A grouped convolution is as many maps as it has groups, and each gets a change of the whole rank: A (groups * rank,
in / groups, kh, kw), B (out, rank, 1, 1). peft shares one rank among the groups, and cannot merge that.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_NORM = 1e-12  # of an output whose weights are all zero: its magnitude is zero too


def change(a: Tensor, b: Tensor, shape: torch.Size, *, table: bool = False) -> Tensor:
    """B A as a change of a weight of this shape, not yet scaled.

    table: of an Embedding: a (rank, rows), b (dim, rank) -> (rows, dim). Linear: a (rank, in), b (out, rank).
    Conv2d: a (groups * rank, in / groups, kh, kw), b (out, rank, 1, 1).
    """
    if table:
        return a.T @ b.T
    if a.dim() == 2:
        return b @ a
    rank = b.shape[1]
    groups = a.shape[0] // rank
    return (b.reshape(groups, -1, rank) @ a.reshape(groups, rank, -1)).reshape(shape)


def adapted(
    weight: Tensor, a: Tensor, b: Tensor, scale: float, magnitude: Tensor | None = None, *, table: bool = False
) -> Tensor:
    """W' of its parts, in the dtype of `weight`. magnitude: DoRA's m, one value per output."""
    changed = weight + scale * change(a, b, weight.shape, table=table)
    if magnitude is None:
        return changed
    return changed * _spread(magnitude / norm(changed, table=table), weight.dim(), table=table)


def norm(weight: Tensor, *, table: bool = False) -> Tensor:
    """(outputs,): the norm of each output's weights; of an Embedding's column over all rows. No gradient."""
    weight = weight.detach()
    flat = weight.T if table else weight.flatten(1)
    length: Tensor = torch.linalg.vector_norm(flat, dim=1)
    return length.clamp_min(LEAST_NORM)


def _spread(values: Tensor, dims: int, *, table: bool) -> Tensor:
    """One value per output, shaped to multiply the weight."""
    return values if table else values.reshape(-1, *[1] * (dims - 1))


class AdaptedLayer(nn.Module):
    """What the three kinds share. Made by `adapt_layer` only."""

    scale: float
    table = False
    lora_A: nn.Linear | nn.Conv2d  # noqa: N815
    lora_B: nn.Linear | nn.Conv2d  # noqa: N815
    lora_dropout: nn.Dropout
    lora_magnitude_vector: nn.Parameter | None

    @property
    def base(self) -> Tensor:
        """W, which does not learn."""
        weight = self._parameters["weight"]
        assert weight is not None
        return weight

    def factors(self) -> tuple[Tensor, Tensor]:
        """A and B, in peft's shapes."""
        return self.lora_A.weight, self.lora_B.weight

    @property
    def weight(self) -> Tensor:
        """W', in full precision also under autocast."""
        with torch.autocast(self.base.device.type, enabled=False):
            return adapted(self.base, *self.factors(), self.scale, self.lora_magnitude_vector, table=self.table)

    def gain(self) -> Tensor:
        """m / |W + s B A|, (outputs,): what DoRA multiplies the answer with. 1 at first, exactly."""
        assert self.lora_magnitude_vector is not None
        with torch.autocast(self.base.device.type, enabled=False):
            return self.lora_magnitude_vector / norm(self.direction(), table=self.table)

    @torch.no_grad()
    def direction(self) -> Tensor:
        """W + s B A."""
        return self.base + self.scale * change(*self.factors(), self.base.shape, table=self.table)

    def joined(self, answer: Tensor, added: Tensor, bias: Tensor | None = None, axes: int = 0) -> Tensor:
        """The base's answer and the change of it, B A x, as one answer. axes: of the answer after the outputs'."""
        if self.lora_magnitude_vector is None:
            return torch.add(answer, added, alpha=self.scale)
        gain = self.gain().reshape(-1, *[1] * axes)
        plain = answer if bias is None else answer - bias.to(answer.dtype).reshape(-1, *[1] * axes)
        more = (gain - 1).to(answer.dtype)  # before the rounding: in bfloat16 a gain near 1 would be 1
        return answer + more * plain + gain.to(answer.dtype) * self.scale * added


class AdaptedLinear(AdaptedLayer, nn.Linear):  # type: ignore[override]  # nobody may set the weight
    """float (..., in) -> (..., out)."""

    def forward(self, x: Tensor) -> Tensor:
        answer = F.linear(x, self.base, self.bias)
        return self.joined(answer, self.lora_B(self.lora_A(self.lora_dropout(x))), self.bias)


class AdaptedConv2d(AdaptedLayer, nn.Conv2d):  # type: ignore[override]
    """float (B, in, H, W) -> (B, out, H', W'). A has the base's kernel, stride, padding, dilation and groups."""

    def forward(self, x: Tensor) -> Tensor:
        answer = self._conv_forward(x, self.base, self.bias)
        return self.joined(answer, self.lora_B(self.lora_A(self.lora_dropout(x))), self.bias, axes=2)


class AdaptedEmbedding(AdaptedLayer, nn.Embedding):  # type: ignore[override]
    """int64 (...) -> float (..., dim). Padding's row of A stays zero; dropout acts on A's rows."""

    table = True
    lora_embedding_A: nn.Parameter  # noqa: N815
    lora_embedding_B: nn.Parameter  # noqa: N815

    def factors(self) -> tuple[Tensor, Tensor]:
        return self.lora_embedding_A, self.lora_embedding_B

    def forward(self, x: Tensor) -> Tensor:
        answer = F.embedding(x, self.base, self.padding_idx)
        a, b = self.factors()
        return self.joined(answer, self.lora_dropout(F.embedding(x, a.T, self.padding_idx)) @ b.T)


ADAPTED: dict[type[nn.Module], type[AdaptedLayer]] = {
    nn.Linear: AdaptedLinear,
    nn.Conv2d: AdaptedConv2d,
    nn.Embedding: AdaptedEmbedding,
}


def adapt_layer(layer: nn.Module, rank: int, alpha: float, dropout: float = 0.0, *, dora: bool = False) -> None:
    """Give the layer a change that learns, in place. Its own parameters' requires_grad stay as they are.

    layer: of one of ADAPTED's classes, exactly. Draws A (of a table B) from torch's global CPU generator, as loralib
    and peft do.
    """
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    layer.__class__ = ADAPTED[type(layer)]
    assert isinstance(layer, AdaptedLayer)
    with torch.device("cpu"):
        own = _fresh(layer, rank)
    for name, part in own.items():
        setattr(layer, name, _beside(part, weight))
    layer.scale, layer.lora_dropout = alpha / rank, nn.Dropout(dropout)
    layer.lora_dropout.train(layer.training)
    magnitude = nn.Parameter(norm(layer.direction(), table=layer.table)) if dora else None
    layer.register_parameter("lora_magnitude_vector", magnitude)


def _beside(part: nn.Module | nn.Parameter, weight: nn.Parameter) -> nn.Module | nn.Parameter:
    """The part where the base's weight is, in its dtype and memory format."""
    if isinstance(part, nn.Parameter):
        return nn.Parameter(part.detach().to(weight.device, weight.dtype))
    part = part.to(weight.device, weight.dtype)
    last = weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    return part.to(memory_format=torch.channels_last) if last else part  # type: ignore[call-overload]


def _fresh(layer: nn.Module, rank: int) -> dict[str, nn.Module | nn.Parameter]:
    """A and B, on the CPU: one of them drawn, the other zero."""
    if isinstance(layer, nn.Embedding):
        a = torch.zeros(rank, layer.num_embeddings)
        b = torch.randn(layer.embedding_dim, rank)
        return {"lora_embedding_A": nn.Parameter(a), "lora_embedding_B": nn.Parameter(b)}
    first: nn.Linear | nn.Conv2d
    second: nn.Linear | nn.Conv2d
    if isinstance(layer, nn.Conv2d):
        first = nn.Conv2d(
            layer.in_channels,
            layer.groups * rank,
            layer.kernel_size,  # type: ignore[arg-type]  # torch's own tuples, of two
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            layer.groups,
            bias=False,
            padding_mode=layer.padding_mode,
        )
        second = nn.Conv2d(layer.groups * rank, layer.out_channels, 1, groups=layer.groups, bias=False)
    else:
        assert isinstance(layer, nn.Linear)
        first, second = nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=False)
    nn.init.kaiming_uniform_(first.weight, a=math.sqrt(5))
    nn.init.zeros_(second.weight)
    return {"lora_A": first, "lora_B": second}
