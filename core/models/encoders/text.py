"""Texts as one vector: token vectors, then their mean, windows, a recurrent net or attention. Padding has no say.

Tokens are int64 (B, T): 0 padding, behind the text; 1 unknown, a token like others. T is the longest of the batch, so
an answer must not depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from ft.core.config.schema.model import TextEncoder
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.encoders.embedding import PADDING, UNKNOWN_MEMBER, draw_table, table
from ft.core.models.forms import InputForm

LONGEST_WAVE = 10_000  # of the sinusoidal positions, in tokens over 2 pi


def build_text(settings: TextEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:
    """int64 (B, T) -> (B, D): D is dim, with conv width for each window, with gru twice width.

    Raises ConfigError when the attention's heads do not divide dim.
    """
    if settings.kind == "transformer" and (settings.dim % settings.heads or settings.dim % 2):
        message = f"dim is {settings.dim}; it should be even and a multiple of heads, {settings.heads}"
        raise ConfigError(Problem(message, (*path, "dim")))
    encoder, size = _named(settings, form)
    module = nn.Sequential()
    for name, part in encoder.items():
        module.add_module(name, part)
    if settings.dropout:
        module.add_module("dropout", nn.Dropout(settings.dropout))
    return module, size


def _named(settings: TextEncoder, form: InputForm) -> tuple[dict[str, nn.Module], int]:
    dim, width, depth, dropout = settings.dim, settings.width, settings.depth, settings.dropout
    match settings.kind:
        case "mean":
            return {"embedding": table(form, dim, dim**-0.5)}, dim
        case "conv":
            return {"conv": Windows(_tokens(form, dim), width, settings.windows)}, width * len(settings.windows)
        case "gru":
            return {"gru": Recurrent(_tokens(form, dim), width, depth, dropout)}, 2 * width
        case "transformer":
            attention = Attention(_tokens(form, dim), form.shape[0], settings.heads, depth, dropout)
            return {"transformer": attention}, dim


def _tokens(form: InputForm, dim: int) -> nn.Embedding:
    """A vector for each token; padding's stays zero."""
    assert form.cardinality is not None
    tokens = nn.Embedding(form.cardinality, dim, padding_idx=PADDING)
    draw_table(tokens.weight, dim**-0.5, silent=UNKNOWN_MEMBER + 1)
    return tokens


class Windows(nn.Module):
    """Convolutions over windows of several sizes, ReLU, and each channel's maximum over the text (Kim 2014,
    arXiv:1408.5882). A window is centred on each real token, with zeros beyond both ends; an empty text gives zeros.
    """

    def __init__(self, embedding: nn.Embedding, width: int, windows: Sequence[int]) -> None:
        super().__init__()
        self.embedding = embedding
        self.windows = nn.ModuleList(nn.Conv1d(embedding.embedding_dim, width, size) for size in windows)

    def forward(self, tokens: Tensor) -> Tensor:
        padding = (tokens == PADDING).unsqueeze(1)  # (B, 1, T)
        x = self.embedding(tokens).transpose(1, 2)  # (B, dim, T), zeros where padding is
        return torch.cat([self._strongest(window, x, padding) for window in self.windows], dim=1)

    def _strongest(self, window: nn.Module, x: Tensor, padding: Tensor) -> Tensor:
        assert isinstance(window, nn.Conv1d)
        (size,) = window.kernel_size
        found = window(functional.pad(x, ((size - 1) // 2, size // 2))).relu()  # (B, width, T)
        return found.masked_fill(padding, 0.0).max(dim=2).values  # type: ignore[no-any-return]  # all are >= 0


class Recurrent(nn.Module):
    """The last states of a gated recurrent net, forwards and backwards (Cho et al. 2014), read to the text's own end.

    Packing costs one host sync a batch on a GPU, and saves the steps over padding. An empty text is one step of zeros.
    """

    def __init__(self, embedding: nn.Embedding, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        between = dropout if depth > 1 else 0.0
        self.gru = nn.GRU(embedding.embedding_dim, width, depth, batch_first=True, bidirectional=True, dropout=between)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PADDING).sum(1).clamp_(min=1).cpu()
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, states = self.gru(packed)  # (2 * depth, B, width)
        return torch.cat([states[-2], states[-1]], dim=1)


class Attention(nn.Module):
    """Transformer layers (Vaswani et al. 2017), the norm first in each (Xiong et al. 2020), and the mean of what they
    say of the real tokens. Positions are sinusoidal, so they have no weights. An empty text gives zeros.
    """

    positions: Tensor

    def __init__(self, embedding: nn.Embedding, longest: int, heads: int, depth: int, dropout: float) -> None:
        super().__init__()
        dim = embedding.embedding_dim
        self.embedding = embedding
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 4 * dim, dropout, functional.gelu, batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.register_buffer("positions", sinusoids(longest, dim), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        real = tokens != PADDING  # (B, T)
        ignored = ~real
        ignored[:, 0] = False  # real in every text but an empty one, whose attention would be 0 / 0
        x = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim) + self.positions[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=ignored)
        x = self.norm(x) * real.unsqueeze(2)  # (B, T, dim)
        return x.sum(1) / real.sum(1, keepdim=True).clamp(min=1)  # type: ignore[no-any-return]


def sinusoids(length: int, dim: int) -> Tensor:
    """(length, dim): sin in the even places and cos in the odd ones, of waves of rising length."""
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(LONGEST_WAVE) / dim))  # (dim / 2,)
    angle = torch.arange(length).unsqueeze(1) * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
