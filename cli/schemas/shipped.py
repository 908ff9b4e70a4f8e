"""The document of what makes files that run elsewhere: `ft export`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.parts import Bytes, Count, Document, Intervals, Metrics, Number, Part, Seconds, Split


class Largest(Part):
    """How far a file's raw answers are from the checkpoint's."""

    largest: Number = Field(description="the largest absolute difference")
    scale: float = Field(description="what it is held against: the largest absolute value, at least 1")


class Moved(Largest):
    """How far a metric moved."""

    before: Number = Field(description="of the checkpoint, in fp32")
    after: Number = Field(description="of the file")


class Held(Part):
    """A split through the checkpoint and through the file."""

    examples: Count
    batch_sizes: list[Count] = Field(description="those that the file was asked in")
    tolerance: float = Field(description="a share of the scale")
    raw: dict[str, Largest] = Field(description="by output, as OUTPUT.raw; empty for rankings")
    metrics: dict[str, Moved] = Field(description="each output's main metric and the loss")


class ExportedFile(Part):
    """One file, of safetensors with the JSON beside it."""

    format: Literal["onnx", "torch", "safetensors"]
    path: str
    bytes: Bytes
    parity: Held | None = Field(description="null: exported with --no-check")


class Export(Document):
    """`ft export --json`."""

    kind: Literal["export"]
    name: str = Field(description="of the experiment")
    checkpoint: str
    split: Split | None = Field(description="that went through all; null: exported with --no-check")
    passed: bool
    failures: list[str] = Field(description="what differs by more than the tolerance, a sentence each")
    files: list[ExportedFile]
    card: str = Field(description="the model card")
    metrics: Metrics | None = Field(description="of the ONNX file where there is one, else of the checkpoint")
    intervals: Intervals | None
    seconds: Seconds
