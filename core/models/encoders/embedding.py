"""A learned vector for each index; for a set or a text the mean of its members' vectors.

Tables begin as N(0, 1/dim), so that a vector's length is about 1 whatever its size (tensor2tensor's rule, which the
transformers of Vaswani et al. 2017 were trained with); torch's N(0, 1) would drown inputs that are standardised.
The rows of padding and of the unknown begin at zero: what training never saw says nothing, rather than noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ft.core.config.schema.model import EmbeddingEncoder
from ft.core.errors import TreePath
from ft.core.models.forms import InputForm

MOST_BY_RULE = 64
PADDING = 0
UNKNOWN_MEMBER = 1  # of sets and texts; of a category it is 0


def build_embedding(settings: EmbeddingEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:  # noqa: ARG001
    """int64 (B,) or (B, T) -> float (B, dim). An unknown member counts in the mean, padding does not.

    No members at all give zeros.
    """
    assert form.cardinality is not None
    dim = settings.dim or rule_of_dim(form.cardinality)
    encoder = nn.Sequential()
    encoder.add_module("embedding", table(form, dim, dim**-0.5))
    if settings.dropout:
        encoder.add_module("dropout", nn.Dropout(settings.dropout))
    return encoder, dim


def rule_of_dim(cardinality: int) -> int:
    """1.6 * n ** 0.56, at most 64: the rule of thumb of fastai (Howard and Gugger 2020)."""
    by_rule: float = 1.6 * cardinality**0.56
    return min(MOST_BY_RULE, max(1, round(by_rule)))


def table(form: InputForm, dim: int, std: float) -> nn.Embedding | nn.EmbeddingBag:
    """The vectors of a category's index; or the mean of the vectors of a row of indices, in one kernel."""
    assert form.cardinality is not None
    made: nn.Embedding | nn.EmbeddingBag
    if form.shape:
        made = nn.EmbeddingBag(form.cardinality, dim, mode="mean", padding_idx=PADDING)
    else:
        made = nn.Embedding(form.cardinality, dim)
    draw_table(made.weight, std, silent=UNKNOWN_MEMBER + 1 if form.shape else 1)
    return made


def draw_table(weight: Tensor, std: float, silent: int) -> None:
    """N(0, std^2) in place; the first `silent` rows, padding and unknown, are zero."""
    with torch.no_grad():
        weight.normal_(0.0, std)
        weight[:silent] = 0.0
