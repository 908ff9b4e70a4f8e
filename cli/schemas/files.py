"""The files of a run's folder that programs read: `status.json`, `result.json`, a line of `metrics.jsonl`.

They carry no schema_version: a run belongs to the ft that wrote it (env.json says which).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel

from ft.cli.schemas.parts import Count, Metrics, Number, Part, Seconds, Stage, State


class Status(Part):
    """`status.json`: what a run is and how it ended."""

    stage: Stage
    name: str = Field(description="of the experiment")
    number: int = Field(ge=1, description="of the run, among those of its name")
    state: State = Field(
        description="running, and killed where that process is gone (only ft runs says so); preempted and interrupted "
        "runs go on with --resume; pruned: a search gave it up"
    )
    started: float = Field(description="seconds since 1970")
    finished: float | None = Field(description="seconds since 1970; null: it did not come to its end")
    pid: int = Field(description="of the process that wrote this")
    parent: str | None = Field(description="run or file that the starting weights came from; null: fresh ones")
    saved: bool = Field(description="whether a checkpoint to go on from was written")
    epochs: Count = Field(description="epochs done")
    steps: Count = Field(description="optimizer steps done")
    best_epoch: int | None = Field(description="from 1; null without a validation")
    metrics: Metrics = Field(description="of the best validation")
    evaluations: dict[str, Metrics] = Field(description="of ft eval, by split")
    main_metrics: list[str] = Field(description="what speaks for each output")
    error: str | None = Field(description="what ended it; null where nothing did")
    study: str | None = Field(description="of a trial of ft tune, the folder of its search; null of other runs")
    trial: int | None = Field(description="of a trial of ft tune, its number; null of other runs")


class _Line(Part):
    step: Count = Field(description="optimizer steps done")
    epoch: Count = Field(description="from 1")


class Logged(_Line):
    """Means over the examples since the line before."""

    event: Literal["train"]
    loss: Number
    lr: float = Field(description="learning rate of the first parameter group")
    examples_per_s: float


class UnfrozenLine(_Line):
    """With this epoch these units begin to learn."""

    event: Literal["unfrozen"]
    units: list[str]
    values: Count = Field(description="values that were frozen until now")


class Validation(_Line):
    """The validation split was judged; every other key is a metric."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Number]

    event: Literal["validation"]
    loss: Number


class Epoch(_Line):
    """All batches of an epoch were seen."""

    event: Literal["epoch"]
    loss: Number = Field(description="mean over the epoch's training examples")
    seconds: Seconds
    loss_weights: Metrics = Field({}, description="weight of each output's loss; only where they are learned")


class MetricsLine(RootModel[Annotated[Logged | UnfrozenLine | Validation | Epoch, Field(discriminator="event")]]):
    """A line of `metrics.jsonl`."""
