"""Scores of recommendations, a row per user: hit rate, NDCG and recall among the first k, mean reciprocal rank.

With 1 for a chosen item, 0 for another (binary gains), and ranks from 1:

    hit_rate@k  1 if a chosen item is among the first k
    recall@k    the share of the user's chosen items that are among the first k
    ndcg@k      the sum over the chosen among the first k of 1 / log2(1 + rank), divided by the largest such sum that
                so many chosen items allow (Järvelin and Kekäläinen 2002)
    mrr         1 / rank of the first chosen item, wherever it stands

and of each the mean over the users. What a user chose beside the items that are ranked is chosen and missed: it is in
the number of chosen items and never among the first k. Items of equal score come in the order of their columns:
measured on MovieLens, the tie rule alone moves NDCG@10 of the most popular items from 0.025 to 0.058. A user without
any chosen item that is ranked, one who turned only to items that training never saw, counts 0 in all, as does a user
whose scores are not finite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ft.core.metrics.intervals import mean_interval, wilson
from ft.core.metrics.partial_sums import PartialSums
from ft.core.metrics.scores import Interval, Scores

DEFAULT_K = 10
AT_K = ("hit_rate", "ndcg", "recall")


def asked_k(metrics: Iterable[str]) -> tuple[int, ...]:
    """10, and every k of names such as `ndcg@5`; other names are passed over."""
    found = (re.fullmatch(rf"(?:{'|'.join(AT_K)})@([1-9]\d*)", metric) for metric in metrics)
    return tuple(sorted({DEFAULT_K, *(int(match[1]) for match in found if match)}))


def metric_names(ks: Sequence[int]) -> list[str]:
    """What `RankingScores` reports, in its order."""
    return [*(f"{name}@{k}" for k in ks for name in AT_K), "mrr"]


class RankingScores(PartialSums):
    """Sums over batches of `scores (B, C)` and `targets (B, C)`. ks: how many of the first items to look at."""

    def __init__(self, ks: Sequence[int] = (DEFAULT_K,)) -> None:
        self._ks = tuple(ks)
        size = len(metric_names(self._ks))
        counts = {name: torch.zeros((), dtype=torch.int64) for name in ("users", "without", "nonfinite")}
        sums = {name: torch.zeros(size, dtype=torch.float64) for name in ("total", "squares")}
        super().__init__(None, **sums, **counts)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """predictions: any float (B, C). No host sync.

        targets: int (B, C), 1 chosen, 0 not, -1 not looked at; or (B, C + 1), whose last column says, as -n, that n
        chosen items are none of these C.
        """
        sums = self._on(predictions.device)
        values, without, usable = user_values(predictions, targets, self._ks)
        wide = values.to(sums["total"].dtype)
        sums["total"] += wide.sum(dim=0)
        sums["squares"] += wide.square().sum(dim=0)
        sums["users"] += len(targets)
        sums["without"] += without.sum()
        sums["nonfinite"] += (~usable).sum()

    def compute(self) -> Scores:
        """Every metric in 0..1, NaN before the first user. Copies the sums to the host."""
        users, without = int(self._sums["users"]), int(self._sums["without"])
        names = metric_names(self._ks)
        rows = list(zip(names, self._sums["total"].tolist(), self._sums["squares"].tolist(), strict=True))
        return Scores(
            metrics={name: total / users if users else float("nan") for name, total, _ in rows},
            intervals={name: _interval(name, total, squares, users) for name, total, squares in rows if users > 1},
            count=users,
            unit="users",
            nonfinite=int(self._sums["nonfinite"]),
            notes=_notes(self._ks, users, without),
        )


def user_values(predictions: Tensor, targets: Tensor, ks: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Each metric of each user, float32 (B, M), in the order of `metric_names`; and bool (B,), who chose nothing that
    is ranked, and whose scores are finite. The rest: as `RankingScores.update`. No host sync.
    """
    targets, missed = split_targets(targets, predictions.shape[1])
    scores, chosen, ruled_out = predictions.detach().float(), targets == 1, targets < 0
    usable = (scores.isfinite() | ruled_out).all(dim=1)  # (B,)
    keys = ordered_keys(scores, ruled_out)
    values = torch.stack(_values(keys, chosen, missed, ks), dim=1) * usable[:, None]  # (B, M)
    return values, ~chosen.any(dim=1), usable


def _values(keys: Tensor, chosen: Tensor, missed: Tensor, ks: Sequence[int]) -> list[Tensor]:
    """Each metric of each user, (B,) float32, in the order of the names. missed: int64 (B,)."""
    found_there = chosen.any(dim=1)  # (B,)
    count = chosen.sum(dim=1) + missed  # (B,)
    longest = min(max(ks), keys.shape[1])
    gains = chosen.gather(1, keys.topk(longest, dim=1).indices).float()  # (B, longest), in order of rank
    places = torch.arange(1, longest + 1, device=keys.device)
    discounts = 1 / torch.log2(1 + places)
    reached, ideal = (gains * discounts).cumsum(dim=1), (discounts * (places <= count[:, None])).cumsum(dim=1)
    found = gains.cumsum(dim=1)
    values = []
    for k in ks:
        last = min(k, longest) - 1
        hit = (found[:, last] > 0).float()
        values += [hit, _share(reached[:, last], ideal[:, last]), _share(found[:, last], count)]
    first = keys.masked_fill(~chosen, _LAST).amax(dim=1, keepdim=True)  # (B, 1)
    return [*values, found_there / ((keys > first).sum(dim=1) + 1)]


_LAST = torch.iinfo(torch.int64).min


def split_targets(targets: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """The marks of the ranked items, (B, C), and how many chosen items are none of them, int64 (B,).

    targets: int (B, C) or (B, C + 1), as for `RankingScores.update`. columns: C.
    """
    return targets[:, :columns], -targets[:, columns:].sum(dim=1)


def ordered_keys(scores: Tensor, ruled_out: Tensor | None = None) -> Tensor:
    """Whole numbers in the order of the scores, all different: of equal scores the earlier column has the larger.

    scores float32 (B, C); ruled_out bool (B, C), these come last -> int64 (B, C). `topk` of the keys is the list of
    recommendations, with a tie rule that plain `topk` has not and at a fraction of what a stable sort costs.
    The bits of a positive float32 are in its order, those of a negative one in the opposite (IEEE 754).
    """
    bits = (scores + 0.0).view(torch.int32)  # -0.0 becomes 0.0, which it equals
    order = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()  # the shift gives 0 of a positive number, all ones of another
    columns = scores.shape[1]
    keys = order.mul_(columns).add_(torch.arange(columns - 1, -1, -1, device=scores.device))
    return keys if ruled_out is None else keys.masked_fill_(ruled_out, _LAST)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where there is nothing to find."""
    return torch.where(whole > 0, part / whole.clamp(min=1e-9), 0.0)


def _interval(name: str, total: float, squares: float, users: int) -> Interval:
    """Wilson's for a share of users, the normal one of the mean over users for the others."""
    if name.startswith("hit_rate"):
        return wilson(total, users)
    low, high = mean_interval(total, squares, users)
    return low, min(1.0, high)


def _notes(ks: Sequence[int], users: int, without: int) -> tuple[str, ...]:
    first = " and ".join(map(str, ks))
    told = f"@k looks at the first k = {first} items; of equal scores the item earlier in the list of items comes first"
    if not without:
        return (told,)
    return (told, f"{without:,} of {users:,} users chose only items that training never saw: each counts 0")
