"""The head of a ranking: the model gives each of C items a score, and the chosen one should have the largest.

`softmax` is the cross-entropy of the chosen item among itself and the candidates, which with drawn candidates is
sampled softmax (Jean et al. 2015), uniform draws needing no correction. `bpr` compares the chosen item with one
candidate at a time (Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", 2009).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import RankingOutput
from ft.core.metrics.ranking import (
    DEFAULT_K,
    RankingScores,
    asked_k,
    metric_names,
    ordered_keys,
    split_targets,
    user_values,
)
from ft.core.metrics.scores import Accumulator
from ft.core.models.heads.base import Decoded, Direction

PAIRS_AT_ONCE = 4_000_000  # scores compared in one piece: 16 MB


class RankingHead:
    """Raw is (B, C), a score per item. Targets are marks (B, C): 1 chosen, 0 candidate, -1 not to be looked at.

    Their type says which there are: int8, in training, has one chosen item in every row; int16, in judging, any number.
    A column more, int16 (B, C + 1), says as -n that n chosen items are none of the C: the metrics count them as missed.
    ks: how many of the first items the metrics look at.
    """

    size = 1
    main_metric = f"ndcg@{DEFAULT_K}"
    higher_is_better = True
    answers_by_example = False  # a row is a user's, and as long as there are items
    means: tuple[str, ...]
    on_request: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        *,
        loss: Literal["softmax", "bpr"] = "softmax",
        weight: float = 1.0,
        ks: Sequence[int] = (DEFAULT_K,),
    ) -> None:
        self.name = name
        self.weight = weight
        self._loss = loss
        self._ks = tuple(ks)
        self.means = tuple(metric_names(self._ks))

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: RankingOutput,
        state: Mapping[str, Any],  # noqa: ARG003 - items and users belong to the data, the head only compares scores
        asked: Iterable[str] = (),
    ) -> RankingHead:
        """As `make_head` says."""
        return cls(name, loss=settings.loss, weight=settings.weight, ks=asked_k(asked))

    def loss_sum(self, raw: Tensor, targets: Tensor) -> Tensor:
        """raw: (B, C). targets: as above. -> scalar float32, summed over the chosen items. No host sync for int8."""
        scores, (marks, _) = raw.float(), split_targets(targets, raw.shape[1])
        if self._loss == "bpr":
            return _bpr_sum(scores, marks)
        return _softmax_of_one(scores, marks) if marks.dtype == torch.int8 else _softmax_sum(scores, marks)

    def denominator(self, targets: Tensor) -> Tensor:
        """How many of the ranked items were chosen."""
        if targets.dtype == torch.int8:
            return torch.full((), len(targets), dtype=torch.float32, device=targets.device)
        return (targets == 1).sum(dtype=torch.float32)

    def decode(self, raw: Tensor) -> Decoded:
        """The column of the item that comes first, int64 (B,); of equal scores the earlier column."""
        return Decoded(ordered_keys(raw.float()).argmax(dim=1))

    def scores(self) -> RankingScores:
        return RankingScores(self._ks)

    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None:
        scores.update(raw, targets)

    def per_example(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Of each user, whose row it is."""
        values, _, _ = user_values(raw, targets, self._ks)
        return dict(zip(self.means, values.unbind(1), strict=True))

    def by_example(self, raw: Tensor, targets: Tensor) -> None:  # noqa: ARG002 - its rows are users
        return None

    leaves_decisions = False

    def decide(self, raw: Tensor, targets: Tensor) -> dict[str, Any]:  # noqa: ARG002 - leaves nothing to validation
        return {}

    def comparable(self) -> list[str]:
        return list(self.means)

    def metric_names(self) -> list[str]:
        return ["loss", *metric_names(self._ks)]

    def direction(self, metric: str) -> Direction:
        return "min" if metric == "loss" else "max"


def _softmax_of_one(scores: Tensor, marks: Tensor) -> Tensor:
    """The cross-entropy of each row's chosen item among all that are not ruled out.

    Those are overwritten behind autograd's back: their probability is 0, and so is their gradient, without a pass over
    all scores that makes it so.
    """
    among = scores.clone()
    among.detach().masked_fill_(marks < 0, torch.finfo(scores.dtype).min)
    return functional.cross_entropy(among, marks.max(dim=1).indices, reduction="sum")


def _softmax_sum(scores: Tensor, marks: Tensor) -> Tensor:
    """Of each chosen item -log(e^s / (e^s + the candidates' sum)), which is softplus(log of that sum - s)."""
    least = torch.finfo(scores.dtype).min  # not -inf: a row without candidates would have NaN gradients
    candidates = scores.masked_fill(marks != 0, least).logsumexp(dim=1)  # (B,)
    rows, columns = (marks == 1).nonzero(as_tuple=True)  # (P,), (P,)
    return functional.softplus(candidates[rows] - scores[rows, columns]).sum()


def _bpr_sum(scores: Tensor, marks: Tensor) -> Tensor:
    """Of each chosen item the mean over its row's candidates of -log sigmoid(s - candidate).

    Costs the chosen items times C, in pieces; and one host sync, to find them.
    """
    rows, columns = (marks == 1).nonzero(as_tuple=True)  # (P,), (P,)
    candidates = marks == 0
    shares = candidates / candidates.sum(dim=1, keepdim=True).clamp(min=1)  # (B, C), a row sums to 1 or 0
    chosen, piece = scores[rows, columns], max(1, PAIRS_AT_ONCE // scores.shape[1])
    total = scores.new_zeros(())
    for some, own in zip(torch.split(rows, piece), torch.split(chosen, piece), strict=True):
        total = total + (functional.softplus(scores[some] - own[:, None]) * shares[some]).sum()
    return total
