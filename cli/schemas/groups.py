"""The document of several seeds: `ft train|finetune|run --seeds N`, and what `seeds.json` of their folder holds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.parts import Count, Document, Ends, Number, Part, Seconds, Split, Stage
from ft.cli.schemas.results import Finetune, Gate, Run, Train


class OfSeeds(Part):
    """What the seeds gave of one metric."""

    values: list[Number] = Field(description="one for each seed that finished, in their order; null: not finite")
    mean: Number
    sd: Number = Field(description="the sample's standard deviation (n - 1); null of a single value")
    min: Number
    max: Number
    interval: Ends | None = Field(description="Student's 95 % interval of the mean; null of a single value")


class StageScores(Part):
    """What a stage reached on one split."""

    stage: Stage
    split: Split
    judged: bool = Field(description="true: in its evaluation; false: in its best validation")
    seeds: list[Count] = Field(description="whose values they are, in order")
    examples: str | None = Field(description="identity of what was seen; null where nobody knows it")
    main: list[str] = Field(description="the metrics that speak for each output")
    metrics: dict[str, OfSeeds] = Field(description="by metric name")


class Differs(Part):
    """The mean of these seeds less that of the others."""

    value: Number
    interval: Ends = Field(description="Welch's 95 % interval")
    p: Number = Field(description="how likely such a difference is by chance (two-sided)")


class Compared(Part):
    """These seeds and those of `--against`."""

    path: str
    split: Split
    main: list[str]
    counts: tuple[Count, Count] = Field(description="how many seeds: these, the others")
    means: dict[str, tuple[Number, Number]] = Field(description="by metric: these, the others")
    differences: dict[str, Differs | None] = Field(description="by metric; null: fewer than two values, or not finite")


class Seed(Part):
    """What became of one seed."""

    seed: Count
    state: Literal["finished", "diverged"]
    error: str | None = Field(description="how it diverged; null where it finished")
    runs: list[str] = Field(description="its folders; empty of a smoke test, which keeps nothing")
    result: Train | Finetune | Run | None = Field(description="the document of the one command; null: it diverged")


class Seeds(Document):
    """`--seeds N --json`. Printed with exit code 3, too, when a gate failed, and 5 when a seed diverged."""

    kind: Literal["seeds"]
    name: str = Field(description="of the experiment")
    command: Literal["train", "finetune", "run"]
    folder: str | None = Field(description="of what they come to together; null of a smoke test")
    passed: bool = Field(description="whether every seed finished and every gate held")
    asked: Count
    finished: Count
    scores: list[StageScores] = Field(description="of the seeds that finished, stage by stage")
    gates: list[Gate] = Field(description="of the means; empty but for ft run")
    against: list[Compared] = Field(description="empty without --against")
    seconds: Seconds = Field(description="wall-clock seconds")
    seeds: list[Seed]
