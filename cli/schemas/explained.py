"""Documents of `ft explain`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.parts import Count, Document, Ends, Number, Part, Split


class Piece(Part):
    """A token of a text, a number, a name."""

    text: str
    attribution: Number = Field(description="its share of the score")
    run: bool = Field(description="several neighbouring tokens that count as one more, behind the single ones")


class InputShare(Part):
    """What one input did to the answer."""

    input: str
    kind: str = Field(description="as image, text, number")
    method: Literal["gradcam", "integrated_gradients"]
    baseline: str | None = Field(description="what it was compared with; null with gradcam")
    layer: str | None = Field(description="whose map gradcam looked at; null with integrated gradients")
    total: Number = Field(description="the sum of its attributions; null with gradcam")
    map: list[list[float]] | None = Field(
        description="of pictures and sounds, rows of values (of sounds from the lowest channel); of others null"
    )
    pieces: list[Piece] | None = Field(description="of others, in their order; of pictures and sounds null")
    file: str | None = Field(description="the picture that was written; null without")


class Completeness(Part):
    """Whether the attributions add up to what they explain."""

    total: Number = Field(description="of all attributions")
    change: Number = Field(description="the score of the example less that of the baseline")
    gap: Number = Field(description="how far they are apart, as a share of the change")
    steps: Count
    close: bool = Field(description="whether the gap is below one percent")


class Explained(Part):
    """One example."""

    file: str = Field(description="what it is called")
    output: str
    answer: str | float | list[str] = Field(description="the class, the number, or the labels given")
    answer_probability: Number = Field(description="null of a number and of labels")
    target: str | None = Field(description="the class or label that is explained; null of a number")
    probability: Number = Field(description="the target's; null of a number")
    score: str = Field(description="what is explained: log-odds, logit, or the value in the user's units")
    value: Number = Field(description="how much of it there is")
    inputs: list[InputShare]
    completeness: Completeness | None = Field(description="null with gradcam")


class Explain(Document):
    """`ft explain RUN FILES --json`."""

    kind: Literal["explain"]
    name: str = Field(description="of the experiment")
    checkpoint: str
    examples: list[Explained]
    skipped: dict[str, str] = Field(description="why others have no answer, by what they are called")
    notes: list[str] = Field(description="what was missing, unknown or cut, a sentence each")
    pages: list[str] = Field(description="the HTML files of texts that were written")


class InputDrop(Part):
    """How much worse the metric is without what an input says."""

    output: str
    input: str
    kind: str
    drop: Number = Field(description="the mean over shuffles; positive: the input helps")
    interval: Ends | None = Field(description="Student's 95 % interval over shuffles; null of a single one")
    drops: list[Number] = Field(description="of each shuffle")


class Importance(Document):
    """`ft explain RUN --json`: permutation importance, without examples."""

    kind: Literal["importance"]
    name: str = Field(description="of the experiment")
    checkpoint: str
    split: Split
    data: str = Field(description="where the examples came from, in words")
    examples: Count
    repeats: Count = Field(description="shuffles of each input")
    metrics: dict[str, str] = Field(description="by output, what it is the drop of")
    scores: dict[str, Number] = Field(description="by output, with the examples as they are")
    inputs: list[InputDrop] = Field(description="by output, the largest drop first")
