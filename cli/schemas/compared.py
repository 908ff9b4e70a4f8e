"""The document of `ft report`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ft.cli.schemas.parts import Count, Document, Ends, Number, Part, Split, Stage, State


class Value(Part):
    """A score and its 95 % interval."""

    value: Number
    interval: Ends | None = Field(description="null: it has none")


class Side(Part):
    """One run."""

    path: str
    name: str = Field(description="of the experiment")
    stage: Stage
    state: State
    started: float = Field(description="seconds since 1970")
    epochs: Count
    steps: Count
    seconds: float | None = Field(description="wall-clock seconds; null where it has not ended")
    parameters: Count | None = Field(description="values in the network; null where it has not ended")
    main: list[str] = Field(description="the metrics that speak for it")
    scores: dict[str, dict[str, Value]] = Field(description="by split and metric")
    curves: dict[str, list[tuple[float, Number]]] = Field(description="by metric, [epoch, value]")


class Differs(Part):
    """How a run differs from the first on the same examples."""

    run: str
    against: str = Field(description="the first run")
    split: Split
    metric: str
    other: Count = Field(description="the run's place among the runs")
    gain: Number = Field(description="how much better it is, in the metric's units; null: nothing can be said")
    interval: Ends = Field(description="95 %; nulls where nothing can be said")
    p: Number = Field(description="how likely such a difference is between equal models (two-sided)")
    test: str = Field(description="which test; empty where there was none")
    why: str = Field(description="why nothing can be said; empty where something can")
    verdict: str = Field(description="in words")


class Report(Document):
    """`ft report RUN... --json`."""

    kind: Literal["report"]
    runs: list[Side] = Field(description="in the order given")
    settings: dict[str, list[Any]] = Field(description="a value for each run, of those settings that differ")
    differences: list[Differs]
    notes: list[str] = Field(description="what could not be read, a sentence each")
    files: list[str] = Field(description="that were written")
