"""The head of several labels: K decisions of yes or no, each by binary cross-entropy over its own logit.

Balanced weights multiply the loss of a present label by the absences per presence in training, torch's `pos_weight`:
rare labels are then not learned away. They shift the probabilities on purpose; a threshold other than 0.5 is the
milder way to trade precision for recall.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import LabelsOutput
from ft.core.metrics.by_example import LabelsExamples, compared
from ft.core.metrics.decisions import Aim, best_threshold, temperature_of_labels
from ft.core.metrics.labels import LabelScores, by_order_metrics, given, metric_names
from ft.core.metrics.scores import Accumulator
from ft.core.models.heads.base import Decoded, Direction

MOST_WEIGHT = 100.0  # a label seen once in 100,000 examples would otherwise drown all others by its one gradient


class LabelsHead:
    """Targets are multi-hot, 0 or 1 of any type (B, K).

    classes: the labels in the order of the columns.
    threshold: the probability from which a label is given, or each label's own. temperature: what the logits are
        divided by. calibrate, aim: whether `decide` chooses a temperature, and what it chooses thresholds for.
    present_weights: one per label, positive: how much its presence weighs against its absence.
    by_order: which of auroc and average_precision to report; left out: both up to a hundred labels.
    """

    main_metric = "f1"
    higher_is_better = True
    answers_by_example = True
    means: tuple[str, ...] = ("exact_match", "hamming_accuracy")
    on_request: tuple[str, ...] = ("auroc", "average_precision")

    def __init__(
        self,
        name: str,
        classes: Sequence[str],
        *,
        threshold: float | Sequence[float] = 0.5,
        present_weights: Sequence[float] | None = None,
        weight: float = 1.0,
        by_order: Sequence[str] | None = None,
        temperature: float = 1.0,
        calibrate: bool = False,
        aim: Aim | None = None,
    ) -> None:
        assert present_weights is None or len(present_weights) == len(classes), "a weight per label"
        self.name = name
        self.size = len(classes)
        self.weight = weight
        self.classes = list(classes)
        self._threshold: float | Tensor = torch.tensor(threshold) if isinstance(threshold, Sequence) else threshold
        self._temperature, self._calibrate, self._aim = temperature, calibrate, aim
        self._weights = None if present_weights is None else torch.tensor(present_weights, dtype=torch.float32)
        self._by_order = by_order_metrics(len(classes)) if by_order is None else tuple(by_order)

    @classmethod
    def from_settings(
        cls, name: str, settings: LabelsOutput, state: Mapping[str, Any], asked: Iterable[str] = ()
    ) -> LabelsHead:
        """As `make_head` says."""
        classes = list(state["classes"])
        balanced, wish = settings.class_weights == "balanced", settings.threshold
        decisions = state.get("decisions", {})
        return cls(
            name,
            classes,
            threshold=decisions.get("threshold", 0.5) if isinstance(wish, str) else wish,
            present_weights=balanced_weights(state["counts"], state["rows"]) if balanced else None,
            weight=settings.weight,
            by_order=by_order_metrics(len(classes), asked),
            temperature=decisions.get("temperature", 1.0),
            calibrate=settings.calibrate is not None,
            aim=wish if isinstance(wish, str) else None,
        )

    def loss_sum(self, raw: Tensor, targets: Tensor) -> Tensor:
        """raw: logits (B, K). targets: 0 or 1 (B, K). -> scalar float32, summed over examples and labels."""
        return functional.binary_cross_entropy_with_logits(
            self._logits(raw), targets.float(), pos_weight=self._weights_on(raw.device), reduction="sum"
        )

    def denominator(self, targets: Tensor) -> Tensor:
        """How many decisions: examples times labels, so that the mean is torch's."""
        return torch.full((), targets.numel(), dtype=torch.float32, device=targets.device)

    def answers(self, raw: Tensor) -> Tensor:
        """What a student of this model is taught: the logits, float32 (B, K)."""
        return self._logits(raw)

    def imitation_sum(
        self,
        raw: Tensor,
        answers: Tensor,
        targets: Tensor,  # noqa: ARG002 - weights of presence are the labels' own affair
        temperature: float,
    ) -> Tensor:
        """T^2 times the divergence of each label's softened yes and no from the teacher's, summed over examples and
        labels. raw, answers: logits (B, K), in the order of these labels.
        """
        ours, theirs = self._logits(raw) / temperature, answers.float() / temperature
        share = theirs.sigmoid()
        entropy = functional.binary_cross_entropy_with_logits(theirs, share, reduction="sum")
        return temperature**2 * (functional.binary_cross_entropy_with_logits(ours, share, reduction="sum") - entropy)

    def decode(self, raw: Tensor) -> Decoded:
        """The labels that are given, uint8 (B, K), and the probability of each, float32 (B, K). NaN gives none."""
        logits = self._logits(raw)
        return Decoded(given(logits, self._threshold).to(torch.uint8), logits.sigmoid())

    def scores(self) -> LabelScores:
        return LabelScores(self.classes, self._threshold, self._by_order)

    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None:
        scores.update(self._logits(raw), targets)

    def per_example(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        usable = raw.isfinite()
        right = ((given(self._logits(raw), self._threshold) & usable) == targets.bool()) & usable  # (B, K)
        return {"exact_match": right.all(1).float(), "hamming_accuracy": right.float().mean(1)}

    def by_example(self, raw: Tensor, targets: Tensor) -> LabelsExamples:
        logits = self._logits(raw)
        losses = functional.binary_cross_entropy_with_logits(
            logits, targets.float(), pos_weight=self._weights_on(raw.device), reduction="none"
        )
        return LabelsExamples(
            targets.bool().numpy(),
            given(logits, self._threshold).numpy(),
            losses.mean(1).numpy(),
            logits.numpy(),
            self.metric_names(),
        )

    @property
    def leaves_decisions(self) -> bool:
        return self._calibrate or self._aim is not None

    def decide(self, raw: Tensor, targets: Tensor) -> dict[str, Any]:
        logits = self._logits(raw)
        found: dict[str, Any] = {}
        if self._calibrate:
            found["temperature"] = temperature_of_labels(logits.numpy(), targets.bool().numpy())
            logits = logits / found["temperature"]
        if self._aim is not None:
            pairs = zip(logits.sigmoid().T.numpy(), targets.bool().T.numpy(), strict=True)
            found["threshold"] = [best_threshold(*pair, self._aim) for pair in pairs]
        return found

    def comparable(self) -> list[str]:
        return [*self.means, "loss", *compared(self.metric_names())]

    def metric_names(self) -> list[str]:
        return ["loss", *metric_names(self._by_order)]

    def direction(self, metric: str) -> Direction:
        return "min" if metric == "loss" else "max"

    def _logits(self, raw: Tensor) -> Tensor:
        """(B, K) of any float type -> float32 (B, K)."""
        return raw.float() if self._temperature == 1 else raw.float() / self._temperature

    def _weights_on(self, device: torch.device) -> Tensor | None:
        """Moved once to where the data are, and outside inference mode, so that training may use them after."""
        if self._weights is not None and self._weights.device != device:
            with torch.inference_mode(False):
                self._weights = self._weights.to(device)
        return self._weights


def balanced_weights(counts: Sequence[int], examples: int) -> list[float]:
    """How many training examples lack a label for each that has it, within 1/100 to 100.

    counts: examples with each label. A label that no example has is weighed as if one had it.
    """
    ratios = ((examples - count) / max(1, count) for count in counts)
    return [min(MOST_WEIGHT, max(1 / MOST_WEIGHT, ratio)) for ratio in ratios]
