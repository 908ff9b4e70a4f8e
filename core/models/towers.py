"""Two towers and the product of their vectors: one number for each pair, or for each of several candidates.

    raw = l . r + b(left) + b(right),  l, r (dim,)

With one embedding on each side this is matrix factorisation with biases (Koren, Bell and Volinsky 2009, equation 5;
the mean mu is the output column's). With more on a side it is the two-tower model of retrieval (Covington et al. 2016).
Which inputs stand on which side is decided here too; nothing here knows losses or how candidates are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ft.core.config.schema.model import DotFusion, EmbeddingEncoder
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem
from ft.core.models.encoders.embedding import table
from ft.core.models.forms import InputForm

FACTOR_STD = 0.1  # products of 32 such factors have a deviation of 0.06: training begins near the biases
CANDIDATES_AT_ONCE = 8192  # encoded without gradients: 100 tokens of 64 values each are 200 MB

_PATH = ("model", "fusion", "dot")


@dataclass(frozen=True)
class RankingSides:
    """Inputs of a ranking by what they describe."""

    user: tuple[str, ...]
    item: tuple[str, ...]


def choose_sides(
    settings: DotFusion, inputs: Sequence[str], ranking: RankingSides | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The inputs of both towers: a ranking's user and item, else those of the settings, else the first and second.

    Raises ConfigError where an input is on both sides or on none, does not exist, or contradicts the ranking.
    """
    if ranking is not None:
        left, right = ranking.user, ranking.item
        for side, names in (("left", left), ("right", right)):
            given = getattr(settings, side)
            if given is not None and set(given) != set(names):
                message = f"{side} is {', '.join(given)}, but the ranking's side is {', '.join(names)}; leave it out"
                raise ConfigError(Problem(message, (*_PATH, side)))
    else:
        left, right = _written(settings, inputs)
    if not left or not right:
        raise ConfigError(Problem("dot compares two sides and one of them has no input; add one", _PATH))
    return left, right


def _written(settings: DotFusion, inputs: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sides that are left out take what the other leaves, when only one is; else the first and the second input."""
    given = {side: tuple(names) for side in ("left", "right") if (names := getattr(settings, side)) is not None}
    there = f"; there are {', '.join(inputs)}"
    unknown = [
        Problem(f"{name} is no input{did_you_mean(name, inputs) or there}", (*_PATH, side, at))
        for side, names in given.items()
        for at, name in enumerate(names)
        if name not in inputs
    ]
    if unknown:
        raise ConfigError(*unknown)
    if not given and len(inputs) != 2:
        message = f"dot has two sides and there are {len(inputs)} inputs ({', '.join(inputs)}); say left and right"
        raise ConfigError(Problem(message, _PATH))
    if not given:
        return (inputs[0],), (inputs[1],)
    rest = tuple(name for name in inputs if not any(name in names for names in given.values()))
    left, right = given.get("left", rest), given.get("right", rest)
    if twice := [name for name in left if name in right]:
        raise ConfigError(Problem(f"{', '.join(twice)} is on both sides; a dot compares one with the other", _PATH))
    if len(given) == 2 and rest:
        raise ConfigError(Problem(f"{', '.join(rest)} is on neither side; name it in left or right", _PATH))
    return left, right


# ---------------------------------------------------------------- the factors


def is_factor(encoder: EmbeddingEncoder | None) -> bool:
    """Whether a side's only encoder is an embedding whose size is left out: its vectors are then the factors."""
    return encoder is not None and encoder.dim is None


def build_factor(encoder: EmbeddingEncoder, form: InputForm, settings: DotFusion) -> nn.Module:
    """The embedding of a side that consists of it: `dim` factors, and with bias one value more, which begins at 0."""
    made = table(form, settings.dim + settings.bias, FACTOR_STD)
    if settings.bias:
        with torch.no_grad():
            made.weight[:, -1] = 0.0
    factor = nn.Sequential()
    factor.add_module("embedding", made)
    if encoder.dropout:
        factor.add_module("dropout", nn.Dropout(encoder.dropout))
    return factor


class Dot(nn.Module):
    """left (B, D_l), right (B, D_r) -> (B, 1); right (B, C, D_r) or (1, C, D_r) -> (B, C).

    sizes: D_l and D_r; None for a side whose vectors are the factors already. A vector's last value is the side's own
    share when there is a bias. dropout: of the terms of the product, the same ones for all candidates.
    """

    def __init__(self, left: int | None, right: int | None, dim: int, *, bias: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.left = None if left is None else nn.Linear(left, dim + bias)
        self.right = None if right is None else nn.Linear(right, dim + bias)
        self.dim, self.bias, self.dropout = dim, bias, dropout

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        left = left if self.left is None else self.left(left)  # (B, dim), or (B, dim + 1)
        right = right if self.right is None else self.right(right)
        own = left[:, self.dim :]  # (B, 1), or (B, 0)
        factors = left[:, : self.dim] if self.bias else left
        if self.dropout:
            factors = functional.dropout(factors, self.dropout, self.training)
        if self.bias:  # 1 meets the right side's own share: it needs no cut of what may be all candidates
            factors = torch.cat([factors, torch.ones_like(own)], dim=1)
        product = _products(factors, right)
        return product + own if self.bias else product

    def extra_repr(self) -> str:
        return f"dim={self.dim}, bias={self.bias}, dropout={self.dropout}"


def _products(left: Tensor, right: Tensor) -> Tensor:
    """(B, D) by (B, D) -> (B, 1); by (B, C, D) or (1, C, D) -> (B, C)."""
    if right.ndim == 2:
        return (left * right).sum(1, keepdim=True)
    if right.shape[0] == 1:
        return left @ right[0].T
    return torch.bmm(right, left.unsqueeze(2)).squeeze(2)


def encode_side(
    encoders: Sequence[nn.Module], names: Sequence[str], axes: Sequence[int], inputs: Mapping[str, Tensor]
) -> Tensor:
    """The vectors of one side, side by side: (B, D), or (B, C, D) where its inputs have an axis of candidates.

    axes: how many axes each input has without that one. Candidates are encoded as if they were rows of the batch.
    """
    if inputs[names[0]].ndim == axes[0]:
        return joined([encoder(inputs[name]) for encoder, name in zip(encoders, names, strict=True)])
    leading = inputs[names[0]].shape[:2]
    vectors = [_encoded(encoder, inputs[name].flatten(0, 1)) for encoder, name in zip(encoders, names, strict=True)]
    return joined(vectors).view(*leading, -1)


def _encoded(encoder: nn.Module, rows: Tensor) -> Tensor:
    """(N, ...) -> (N, D). Where nothing is learned, as in an evaluation on all items, in pieces that fit in memory."""
    if torch.is_grad_enabled() or len(rows) <= CANDIDATES_AT_ONCE:
        return encoder(rows)  # type: ignore[no-any-return]
    return torch.cat([encoder(piece) for piece in torch.split(rows, CANDIDATES_AT_ONCE)])


def joined(vectors: Sequence[Tensor]) -> Tensor:
    """(B, D_1), (B, D_2), ... -> (B, D_1 + D_2 + ...)."""
    return torch.cat(list(vectors), dim=1) if len(vectors) > 1 else vectors[0]
