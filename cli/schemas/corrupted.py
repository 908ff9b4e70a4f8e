"""What corruptions cost: a part of the document of an evaluation."""

from __future__ import annotations

from pydantic import Field

from ft.cli.schemas.parts import Count, Ends, Intervals, Metrics, Number, Part


class Degraded(Part):
    """The metric at one severity."""

    severity: Count = Field(description="1 to 5")
    value: Number
    drop: Number = Field(description="how much worse than clean, in the metric's own units")
    interval: Ends | None = Field(description="the drop's 95 % one; null: it has none")


class Corruption(Part):
    """One corruption; value, drop and interval are of the mean over its severities."""

    corruption: str
    inputs: list[str] = Field(description="that it changed")
    severities: list[Degraded]
    value: Number
    drop: Number
    interval: Ends | None


class CorruptedOutput(Part):
    """An output's main metric, clean and corrupted."""

    metric: str
    clean: Number
    value: Number = Field(description="the mean corruption score")
    relative: Number = Field(description="that as a share of the clean value")
    drop: Number = Field(description="how much worse it is")
    drop_interval: Ends | None
    corruptions: list[Corruption]


class Corrupted(Part):
    """`ft eval --corruptions`."""

    outputs: list[CorruptedOutput]
    untouched: list[str] = Field(description="inputs that no corruption changes")
    means: Metrics = Field(description="the mean corruption score of every metric")
    intervals: Intervals
    passes: Count = Field(description="how often the data were judged")
    seed: Count
