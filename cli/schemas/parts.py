"""What documents are made of: the strict base class, the head that every printed document has, shared pieces.

Descriptions hold what a reader in another language must know: units, what null means, what a word stands for. Every
key is always there unless it has a default here; nothing else is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SchemaVersion = Literal[1]  # the same number as ft.cli.border.SCHEMA_VERSION; a test compares

Number = float | None  # null: not a finite number (NaN, infinite)
Seconds = Annotated[float, Field(ge=0, description="seconds")]
Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Ends = tuple[Number, Number]
Metrics = Annotated[
    dict[str, Number],
    Field(description="value by metric name: METRIC, OUTPUT/METRIC with several outputs; null: not a finite number"),
]
Intervals = Annotated[
    dict[str, Ends], Field(description="95 % confidence interval [low, high] of those metrics that have one")
]
Stage = Literal["train", "finetune"]
Split = Literal["train", "val", "test"]
State = Literal["running", "finished", "preempted", "interrupted", "diverged", "failed", "killed", "pruned"]


class Part(BaseModel):
    """A mapping inside a document."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Document(Part):
    """The head of every document that a command prints. Each adds `kind`, one word of its own."""

    schema_version: SchemaVersion = Field(
        description="changes when a key goes, is renamed or means something else; new keys may come without it"
    )
    timings: dict[str, Seconds] = Field({}, description="seconds by phase, the last is total; only with --timings")
