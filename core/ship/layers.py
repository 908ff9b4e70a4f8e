"""Layers that exporters cannot take, or write as loops over the rows, as others that give the same answers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ft.core.models.encoders.embedding import PADDING
from ft.core.models.encoders.text import Recurrent


def replace_layers(module: nn.Module, *, onnx: bool) -> None:
    """In place, below the module. onnx: also by what only that format has."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.EmbeddingBag and child.mode == "mean":
                setattr(parent, name, MeanOfRows(child))
            elif onnx and type(child) is Recurrent:
                setattr(parent, name, OnnxRecurrent(child))


class MeanOfRows(nn.Module):
    """What nn.EmbeddingBag gives for rows of one width: the mean of the vectors, padding left out."""

    def __init__(self, bag: nn.EmbeddingBag) -> None:
        super().__init__()
        self.weight, self.padding = bag.weight, bag.padding_idx

    def forward(self, rows: Tensor) -> Tensor:
        vectors = functional.embedding(rows, self.weight)  # (B, T, D)
        if self.padding is None:
            return vectors.mean(1)
        real = (rows != self.padding).unsqueeze(2).to(vectors.dtype)
        return (vectors * real).sum(1) / real.sum(1).clamp(min=1)


class OnnxRecurrent(nn.Module):
    """What Recurrent gives, by ONNX's own operator, which takes the texts' lengths; torch's packing has no form there.

    Runs nowhere but in the graph. ONNX orders the gates z, r, n and torch r, z, n.
    """

    def __init__(self, inner: Recurrent) -> None:
        super().__init__()
        self.embedding, self.width, self.depth = inner.embedding, inner.gru.hidden_size, inner.gru.num_layers
        for layer in range(self.depth):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                both = [getattr(inner.gru, f"{name}_l{layer}{suffix}") for suffix in ("", "_reverse")]
                self.register_buffer(f"{name}_{layer}", torch.stack([_gates(each) for each in both]))  # (2, 3 H, ...)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PADDING).sum(1).clamp(min=1).int()  # (B,)
        x = self.embedding(tokens).transpose(0, 1)  # (T, B, D)
        for layer in range(self.depth):
            weight, again, *biases = (
                getattr(self, f"{name}_{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            each, last = torch.onnx.ops.symbolic_multi_out(
                "GRU",
                (x, weight, again, torch.cat(biases, 1), lengths),
                {"hidden_size": self.width, "direction": "bidirectional", "linear_before_reset": 1},
                dtypes=(torch.float32, torch.float32),
                shapes=((x.shape[0], 2, x.shape[1], self.width), (2, x.shape[1], self.width)),
            )
            x = each.transpose(1, 2).flatten(2)  # (T, 2, B, H) -> (T, B, 2 H)
        return last.transpose(0, 1).flatten(1)


def _gates(weight: Tensor) -> Tensor:
    reset, update, new = weight.detach().chunk(3)
    return torch.cat([update, reset, new])
