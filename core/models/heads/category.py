"""The head of a category: one of K classes, by cross-entropy over K logits or over a single one for two classes.

The single logit of binary cross-entropy stands against a fixed zero for the first class: the softmax of (0, z) is
(1 - sigmoid(z), sigmoid(z)), so both forms share one loss, one decoding and one set of metrics, label smoothing and
class weights included. Smoothing follows Szegedy et al., "Rethinking the Inception Architecture" (2016), as
torch.nn.functional.cross_entropy does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import CategoryOutput
from ft.core.config.schema.outputs import AtLeast
from ft.core.config.suggest import nearest
from ft.core.errors import ConfigError, Problem
from ft.core.metrics.by_example import CategoryExamples, compared
from ft.core.metrics.classification import (
    BY_ORDER,
    MORE,
    SMALLER_IS_BETTER,
    CategoryScores,
    answered,
    asked_top_k,
    default_top_k,
    metric_names,
)
from ft.core.metrics.decisions import Aim, best_threshold, temperature_of_classes
from ft.core.metrics.scores import Accumulator
from ft.core.models.heads.base import Decoded, Direction


class CategoryHead:
    """Targets are class indices, int64 (B,), or, where examples were mixed, shares of the classes, float (B, K).

    classes: names in the order of the indices.
    binary: one logit, for the second of two classes, instead of one per class.
    label_smoothing: share of the target spread evenly over all classes, 0 to below 1.
    class_weights: one per class, positive; the mean loss then divides by the weights of the targets, as torch does.
    top_k: which top-k accuracies to report; left out: top-5 above five classes.
    positive: of two classes the index of the one that sensitivity, auroc and average precision speak of.
    by_order: of more than two classes, which of auroc and average_precision to report. more: which of MORE.
    temperature: what the logits are divided by. threshold: of two classes, the probability from which the positive one
        is answered; None for the likelier class.
    calibrate, aim: whether `decide` chooses a temperature, and what it chooses a threshold for.
    """

    main_metric = "accuracy"
    higher_is_better = True
    answers_by_example = True
    means: tuple[str, ...] = ("accuracy",)
    on_request: tuple[str, ...] = (*BY_ORDER, *MORE)

    def __init__(
        self,
        name: str,
        classes: Sequence[str],
        *,
        binary: bool = False,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        weight: float = 1.0,
        top_k: Sequence[int] | None = None,
        positive: int = 1,
        by_order: Sequence[str] = (),
        more: Sequence[str] = (),
        temperature: float = 1.0,
        threshold: float | None = None,
        calibrate: bool = False,
        aim: Aim | None = None,
    ) -> None:
        assert not binary or len(classes) == 2, f"one logit for {len(classes)} classes"
        assert class_weights is None or len(class_weights) == len(classes), "a weight per class"
        self.name = name
        self.size = 1 if binary else len(classes)
        self.weight = weight
        self.classes = list(classes)
        self._binary = binary
        self._smoothing = label_smoothing
        self._class_weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self._top_k = default_top_k(len(classes)) if top_k is None else tuple(top_k)
        self._positive = positive
        self._by_order, self._more = tuple(by_order), tuple(more)
        self._temperature, self._threshold = temperature, threshold
        self._calibrate, self._aim = calibrate, aim

    @classmethod
    def from_settings(
        cls, name: str, settings: CategoryOutput, state: Mapping[str, Any], asked: Iterable[str] = ()
    ) -> CategoryHead:
        """As `make_head` says. Raises ConfigError for binary cross-entropy or a positive class of other than two
        classes, and for weights of classes, or a positive class, that do not exist."""
        classes = list(state["classes"])
        binary = settings.loss == "binary_cross_entropy"
        if binary and len(classes) != 2:
            message = f"binary_cross_entropy needs two classes and {name} has {len(classes)}; use cross_entropy"
            raise ConfigError(Problem(message, ("outputs", name, "loss")))
        return cls(
            name,
            classes,
            binary=binary,
            label_smoothing=settings.label_smoothing,
            class_weights=_resolved_weights(name, settings, classes, state),
            weight=settings.weight,
            top_k=sorted({*default_top_k(len(classes)), *asked_top_k(asked, len(classes))}),
            positive=_positive(name, settings, classes),
            by_order=[metric for metric in BY_ORDER if metric in asked],
            more=[metric for metric in MORE if metric in asked],
            **_decisions(name, settings, classes, state.get("decisions", {})),
        )

    def loss_sum(self, raw: Tensor, targets: Tensor) -> Tensor:
        """raw: logits (B, size). targets: int64 (B,) or float (B, K). -> scalar float32."""
        return functional.cross_entropy(
            self._logits(raw),
            targets,
            weight=self._weights_on(raw.device),
            reduction="sum",
            label_smoothing=self._smoothing,
        )

    def denominator(self, targets: Tensor) -> Tensor:
        """How many targets, or the sum of their classes' weights, each by its share."""
        weights = self._weights_on(targets.device)
        if weights is None:
            return torch.full((), len(targets), dtype=torch.float32, device=targets.device)
        return (targets @ weights).sum() if targets.is_floating_point() else weights[targets].sum()

    def answers(self, raw: Tensor) -> Tensor:
        """What a student of this model is taught: logits of all classes, float32 (B, K)."""
        return self._logits(raw)

    def imitation_sum(self, raw: Tensor, answers: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """T^2 KL(softmax(answers / T) || softmax(logits / T)), summed (Hinton et al. 2015).

        T^2 keeps the size of the gradient whatever the temperature T. raw: (B, size). answers: float (B, K), in the
        order of these classes. targets: (B,), whose classes weigh.
        """
        ours, theirs = (each.div(temperature).log_softmax(1) for each in (self._logits(raw), answers.float()))
        each = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)  # (B,)
        weights = self._weights_on(raw.device)
        return temperature**2 * (each if weights is None else each * weights[targets]).sum()

    def decode(self, raw: Tensor) -> Decoded:
        """Probabilities float32 (B, K), also with a single logit, and the class they speak for. NaN stays NaN."""
        logits = self._logits(raw)
        return Decoded(self._chosen(logits), logits.softmax(dim=1, dtype=torch.float32))

    def scores(self) -> CategoryScores:
        return CategoryScores(
            self.classes,
            self._top_k,
            positive=self._positive,
            by_order=self._by_order,
            more=self._more,
            threshold=self._threshold,
        )

    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None:
        scores.update(self._logits(raw), targets)

    def per_example(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        logits = self._logits(raw)
        return {"accuracy": ((self._chosen(logits) == targets) & logits.amax(1).isfinite()).float()}

    def by_example(self, raw: Tensor, targets: Tensor) -> CategoryExamples:
        logits = self._logits(raw)
        weights = self._weights_on(raw.device)
        losses = functional.cross_entropy(
            logits, targets, weight=weights, reduction="none", label_smoothing=self._smoothing
        )
        share = 1.0 if weights is None else float(weights[targets].mean())  # the mean loss divides by these weights
        return CategoryExamples(
            targets=targets.long().numpy(),
            answer=self._chosen(logits).numpy(),
            loss=(losses / share).numpy(),
            logits=logits.numpy(),
            metrics=self.metric_names(),
            positive=self._positive if len(self.classes) == 2 else None,
        )

    @property
    def leaves_decisions(self) -> bool:
        return self._calibrate or self._aim is not None

    def decide(self, raw: Tensor, targets: Tensor) -> dict[str, Any]:
        logits = self._logits(raw)
        found: dict[str, Any] = {}
        if self._calibrate:
            found["temperature"] = temperature_of_classes(logits.numpy(), targets.numpy())
            logits = logits / found["temperature"]
        if self._aim is not None:
            shares = logits.softmax(1)[:, self._positive].numpy()
            found["threshold"] = best_threshold(shares, (targets == self._positive).numpy(), self._aim)
        return found

    def comparable(self) -> list[str]:
        return [*self.means, "loss", *compared(self.metric_names(), binary=len(self.classes) == 2)]

    def metric_names(self) -> list[str]:
        return ["loss", *metric_names(len(self.classes), self._top_k, self._by_order, self._more)]

    def direction(self, metric: str) -> Direction:
        return "min" if metric == "loss" or metric in SMALLER_IS_BETTER else "max"

    def _logits(self, raw: Tensor) -> Tensor:
        """(B, size) of any float type -> float32 (B, K): a sum in 16 bits loses its last digits, in fp16 its range."""
        logits = functional.pad(raw.float(), (1, 0)) if self._binary else raw.float()
        return logits if self._temperature == 1 else logits / self._temperature

    def _chosen(self, logits: Tensor) -> Tensor:
        """float32 (B, K) -> the class that is answered, int64 (B,)."""
        if self._threshold is None:
            return logits.argmax(1)
        return answered(logits, self._threshold, self._positive)

    def _weights_on(self, device: torch.device) -> Tensor | None:
        """The class weights, moved once to where the data are.

        Moved outside inference mode: else a first evaluation would leave weights that training may not use.
        """
        if self._class_weights is not None and self._class_weights.device != device:
            with torch.inference_mode(False):
                self._class_weights = self._class_weights.to(device)
        return self._class_weights


def _resolved_weights(
    name: str, settings: CategoryOutput, classes: Sequence[str], state: Mapping[str, Any]
) -> list[float] | None:
    match settings.class_weights:
        case None:
            return None
        case "balanced":
            return balanced_weights(state["counts"])
        case named:
            unknown = [given for given in named if given not in classes]
            problems = [_unknown_class(name, given, classes, ("class_weights", given)) for given in unknown]
            if problems:
                raise ConfigError(*problems)
            return [named.get(one, 1.0) for one in classes]


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """The inverse of each class's share of the training examples, divided by K: 1 for all when they are even.

    A class without examples is weighed as if it had one.
    """
    total = sum(counts)
    return [total / (len(counts) * max(1, count)) for count in counts]


def _decisions(
    name: str, settings: CategoryOutput, classes: Sequence[str], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """What turns scores into answers: as the settings fix it or leave it to validation, and as that chose."""
    wish = settings.threshold
    if wish is not None and len(classes) != 2:
        message = f"a threshold speaks of two classes and {name} has {len(classes)}; leave it out"
        raise ConfigError(Problem(message, ("outputs", name, "threshold")))
    aim: Aim | None = wish if isinstance(wish, str) else None
    if isinstance(wish, AtLeast):
        reached = wish.sensitivity or wish.specificity
        assert reached is not None, "checked by the schema"
        aim = ("sensitivity" if wish.sensitivity is not None else "specificity", reached)
    return {
        "temperature": chosen.get("temperature", 1.0),
        "threshold": wish if isinstance(wish, float) else chosen.get("threshold"),
        "calibrate": settings.calibrate is not None,
        "aim": aim,
    }


def _positive(name: str, settings: CategoryOutput, classes: Sequence[str]) -> int:
    """The index of the positive class, the second unless the settings say."""
    if settings.positive is None:
        return 1
    if settings.positive not in classes:
        raise ConfigError(_unknown_class(name, settings.positive, classes, ("positive",)))
    if len(classes) != 2:
        message = f"positive speaks of two classes and {name} has {len(classes)}; leave it out"
        raise ConfigError(Problem(message, ("outputs", name, "positive")))
    return classes.index(settings.positive)


def _unknown_class(name: str, given: str, classes: Sequence[str], where: Sequence[str]) -> Problem:
    near = nearest(given, classes)
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    hint = f"did you mean {near}?" if near else f"the classes are {shown}"
    return Problem(f"{given} is not a class of {name}; {hint}", ("outputs", name, *where))
