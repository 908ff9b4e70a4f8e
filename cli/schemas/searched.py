"""Documents of `ft tune`: a search, and its `--lr-find`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ft.cli.schemas.parts import Count, Document, Ends, Number, Part, Seconds, Stage
from ft.cli.schemas.results import Eval


class Trial(Part):
    """One trial of a search."""

    number: int = Field(ge=1)
    state: Literal["finished", "pruned", "failed", "running"]
    settings: dict[str, Any] = Field(description="what was drawn, by dotted name")
    score: Number = Field(description="of the metric; of a pruned trial its best so far; null: it has none")
    seconds: Seconds | None
    run: str | None = Field(description="its folder; null: it never began one")
    why: str | None = Field(description="why it failed or was pruned")
    random: bool = Field(description="drawn without a look at the other trials")


class RandomSearch(Part):
    """What random search is expected to reach with as many trials."""

    expected: Number
    interval: Ends = Field(description="95 %, bootstrap")
    draws: Count = Field(description="random trials that tell so")
    trials: Count = Field(description="how many draws the expectation is of")
    failed: Count = Field(description="random trials that failed, and count as the worst score seen")


class Tune(Document):
    """`ft tune --json`."""

    kind: Literal["tune"]
    name: str = Field(description="of the experiment")
    stage: Stage
    study: str | None = Field(description="folder of the search; null after --smoke, as the next two")
    best_config: str | None = Field(description="the file that trains the best trial again")
    report: str | None
    metric: str = Field(description="of validation, that is searched for")
    direction: Literal["min", "max"]
    sampler: str
    pruner: str
    trials: list[Trial]
    best: Trial | None
    importance: dict[str, float] = Field(description="share of each setting; empty where too few trials tell it")
    random_search: RandomSearch | None = Field(description="null: no trial was drawn at random")
    baseline: str = Field(description="the same in a sentence")
    test: Eval | None = Field(description="the best trial on the test split; null: it was not asked for")
    looks: Count = Field(description="trials of this study that were ever judged on the test split")
    seconds: Seconds
    smoke: bool


class LrPoint(Part):
    """One step of the sweep."""

    rate: float
    loss: Number
    smoothed: Number


class LrFind(Document):
    """`ft tune --lr-find --json`."""

    kind: Literal["lr-find"]
    name: str = Field(description="of the experiment")
    stage: Stage
    suggestion: float = Field(description="the rate where the smoothed loss falls most steeply")
    lowest: float = Field(description="the rate where the smoothed loss is lowest")
    current: float = Field(description="the rate that the file has now")
    points: list[LrPoint]
    reason: str = Field(description="why the sweep ended")
