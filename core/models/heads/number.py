"""The head of a number: one raw value per example, learned in units of the training targets' deviation.

Normalising inside the loss keeps the network's last layer and the learning rate in the same range whatever the
user's units. The reported loss is therefore in normalised units; the metrics are in the user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import Huber, HuberLoss, NumberOutput
from ft.core.metrics.by_example import NumberExamples, compared
from ft.core.metrics.regression import METRICS, NumberScores
from ft.core.metrics.scores import Accumulator
from ft.core.models.heads.base import Decoded, Direction


class NumberHead:
    """Targets are float (B,) in the user's units.

    mean, std: of the training targets, std above 0; 0 and 1 leave the targets as they are.
    loss: mse, l1, or huber, which is quadratic for errors below `delta` normalised units and linear above.
    """

    size = 1
    higher_is_better = False
    answers_by_example = True
    means: tuple[str, ...] = ("mae", "mse")
    on_request: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        *,
        mean: float = 0.0,
        std: float = 1.0,
        loss: Literal["mse", "l1", "huber"] = "mse",
        delta: float = 1.0,
        weight: float = 1.0,
    ) -> None:
        assert std > 0, f"the deviation of {name} is {std}"
        self.name = name
        self.weight = weight
        self.main_metric = "rmse" if loss == "mse" else "mae"  # the one that the loss minimises
        self._mean = mean
        self._std = std
        self._loss = loss
        self._delta = delta

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: NumberOutput,
        state: Mapping[str, Any],
        asked: Iterable[str] = (),  # noqa: ARG003 - a number's metrics are the same whatever is asked
    ) -> NumberHead:
        """As `make_head` says."""
        fitted = settings.normalize == "fit"
        huber = settings.loss.huber if isinstance(settings.loss, HuberLoss) else Huber()
        return cls(
            name,
            mean=float(state["mean"]) if fitted else 0.0,
            std=float(state["std"]) if fitted else 1.0,
            loss="huber" if isinstance(settings.loss, HuberLoss) else settings.loss,
            delta=huber.delta,
            weight=settings.weight,
        )

    def loss_sum(self, raw: Tensor, targets: Tensor) -> Tensor:
        """raw: (B, 1). targets: float (B,), the user's units. -> scalar float32, normalised units."""
        return self._losses(raw, targets, "sum")

    def _losses(self, raw: Tensor, targets: Tensor, reduction: Literal["sum", "none"]) -> Tensor:
        answers = raw.squeeze(1).float()  # (B,): a view both ways, where raw[:, 0] has a copy for its gradient
        wanted = (targets.float() - self._mean).div_(self._std)  # (B,)
        match self._loss:
            case "mse":
                return functional.mse_loss(answers, wanted, reduction=reduction)
            case "l1":
                return functional.l1_loss(answers, wanted, reduction=reduction)
            case "huber":
                return functional.huber_loss(answers, wanted, reduction=reduction, delta=self._delta)

    def denominator(self, targets: Tensor) -> Tensor:
        """How many targets."""
        return _count(len(targets), targets.device)

    def answers(self, raw: Tensor) -> Tensor:
        """What a student of this model is taught: its predictions in the user's units, float32 (B, 1)."""
        return self.decode(raw).prediction[:, None]

    def imitation_sum(
        self,
        raw: Tensor,
        answers: Tensor,
        targets: Tensor,  # noqa: ARG002
        temperature: float,  # noqa: ARG002 - a number has no probabilities to soften
    ) -> Tensor:
        """Squared differences from the teacher's predictions, (B, 1) in the user's units, summed in normalised ones."""
        return functional.mse_loss(raw.float(), (answers.float() - self._mean) / self._std, reduction="sum")

    def decode(self, raw: Tensor) -> Decoded:
        """Predictions in the user's units, float32 (B,)."""
        return Decoded(raw[:, 0].float() * self._std + self._mean)

    def scores(self) -> NumberScores:
        return NumberScores()

    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None:
        scores.update(self.decode(raw).prediction, targets)

    def per_example(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        error = (self.decode(raw).prediction - targets).abs()
        return {"mae": error, "mse": error.square()}

    def by_example(self, raw: Tensor, targets: Tensor) -> NumberExamples:
        prediction, losses = self.decode(raw).prediction, self._losses(raw, targets, "none")
        return NumberExamples(targets.float().numpy(), prediction.numpy(), losses.numpy())

    leaves_decisions = False

    def decide(self, raw: Tensor, targets: Tensor) -> dict[str, Any]:  # noqa: ARG002 - leaves nothing to validation
        return {}

    def comparable(self) -> list[str]:
        return [*self.means, "loss", *compared(self.metric_names())]

    def metric_names(self) -> list[str]:
        return ["loss", *METRICS]

    def direction(self, metric: str) -> Direction:
        return "max" if metric in ("r2", "spearman") else "min"


@lru_cache(maxsize=64)
def _count(count: int, device: torch.device) -> Tensor:
    """Made once for each size of batch, as a short step feels the making. Never changed in place."""
    with torch.inference_mode(False):  # it outlives an evaluation that happens to ask first
        return torch.full((), count, dtype=torch.float32, device=device)
