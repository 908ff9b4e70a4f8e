"""The `outputs` section: what each column is that comes out; its type decides head, loss, decoding and metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ft.core.config.section import Count, Fraction, Section

CALIBRATE = (
    "temperature: when training ends, one number is chosen on validation that all scores are divided by, so that "
    "probabilities are as often right as they say"
)


class OutputSection(Section):
    """What all outputs have in common."""

    column: str | None = Field(None, description="its name in the data, where the output is called otherwise")
    weight: float = Field(1.0, gt=0, description="this output's share in the total loss")


class AtLeast(Section):
    """A threshold that reaches one of the two, and of those that do the best one for the other."""

    sensitivity: Fraction | None = Field(None, description="least share of the positive class that is found")
    specificity: Fraction | None = Field(None, description="least share of the other class that is left alone")

    @model_validator(mode="after")
    def _one(self) -> AtLeast:
        if (self.sensitivity is None) == (self.specificity is None):
            raise ValueError("needs one of sensitivity and specificity")
        return self


class CategoryOutput(OutputSection):
    """One of several classes."""

    type: Literal["category"]
    classes: list[str] | None = Field(None, min_length=2, description="left out: the source's, else the sorted values")
    loss: Literal["cross_entropy", "binary_cross_entropy"] = Field(
        "cross_entropy", description="binary_cross_entropy: two classes, one logit for the second"
    )
    positive: str | None = Field(
        None, description="of two classes, the one that sensitivity and precision-recall speak of; left out: the second"
    )
    threshold: Fraction | Literal["f1", "balanced_accuracy"] | AtLeast | None = Field(
        None,
        description="of two classes, the probability from which the positive one is answered; chosen on validation "
        "when training ends: f1, balanced_accuracy, {sensitivity: 0.95} or {specificity: 0.9}; left out: 0.5",
    )
    calibrate: Literal["temperature"] | None = Field(None, description=CALIBRATE)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        None, description="balanced: the inverse of each class's share; or class: weight, 1 where left out"
    )


class Huber(Section):
    """Quadratic below `delta`, linear above."""

    delta: float = Field(1.0, gt=0)


class HuberLoss(Section):
    """The form that takes an argument."""

    huber: Huber


class NumberOutput(OutputSection):
    """A number to predict."""

    type: Literal["number"]
    loss: Literal["mse", "l1", "huber"] | HuberLoss = "mse"
    normalize: Literal["fit", "none"] = Field("fit", description="learn in units of the training deviation")


class LabelsOutput(OutputSection):
    """Any number of labels for each example, each decided on its own."""

    type: Literal["labels"]
    separator: str = Field("|", min_length=1, description="between the labels, where they stand in one text")
    classes: list[str] | None = Field(None, min_length=1, description="left out: the sorted labels of training")
    class_weights: Literal["balanced"] | None = Field(
        None, description="balanced: a label's presence weighs as much in the loss as its absence"
    )
    threshold: Fraction | Literal["f1"] = Field(
        0.5, description="probability from which a label is given; f1: each label's own, chosen on validation"
    )
    calibrate: Literal["temperature"] | None = Field(None, description=CALIBRATE)


class RankingOutput(OutputSection):
    """Which items a user turns to: every row is one choice, compared with items drawn for it or with all others."""

    type: Literal["ranking"]
    user: str = Field(description="the input that says who chose; a category")
    item: str = Field(description="the input that says what was chosen; a category")
    item_inputs: list[str] = Field([], description="other inputs that describe the item, not the user")
    title: str | None = Field(None, description="column of the data that says what to call an item")
    loss: Literal["softmax", "bpr"] = Field(
        "softmax", description="softmax over the chosen and the other items; bpr: the chosen one before each other one"
    )
    negatives: Count | Literal["all"] = Field(
        100, description="items drawn for each choice, fresh in every epoch; all: every item, encoded once a batch"
    )


OutputColumn = Annotated[CategoryOutput | NumberOutput | LabelsOutput | RankingOutput, Field(discriminator="type")]
