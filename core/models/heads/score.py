"""What an explanation explains: one number of an output's answer, as a function with gradients.

log-odds   of a class, log p / (1 - p): what speaks for it against all others, whatever the others are; of a label
           the same of its own probability
logit      of a class before the softmax, what Grad-CAM is defined on; of a single logit the log-odds
value      a number in the user's units
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from ft.core.models.heads.labels import LabelsHead

Kind = Literal["log-odds", "logit", "value"]
Scored = Callable[[Tensor], Tensor]  # raw (S, size) -> float32 (S,)


def score_of(head: Any, index: int | None, kind: Kind) -> Scored:
    """head: of a category, labels or a number. index: of the class or label, None for a number."""
    if index is None:
        return lambda raw: head.answers(raw)[:, 0]
    if isinstance(head, LabelsHead) or (kind == "logit" and head.size > 1):
        return lambda raw: head.answers(raw)[:, index]

    def log_odds(raw: Tensor) -> Tensor:
        logits: Tensor = head.answers(raw)  # (S, K)
        others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
        return logits[:, index] - others.logsumexp(1)

    return log_odds


def score_kind(head: Any, wish: Kind) -> Kind:
    """What `score_of` gives where it is asked for that: a number its value, labels and a single logit log-odds."""
    if not hasattr(head, "classes"):
        return "value"
    return "logit" if wish == "logit" and head.size > 1 and not isinstance(head, LabelsHead) else "log-odds"
