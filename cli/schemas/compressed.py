"""The document of `ft compress`: both models, as they were measured, and what may be said of the result."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.parts import Bytes, Count, Document, Ends, Intervals, Metrics, Number, Part, Seconds, Split
from ft.cli.schemas.results import Gate


class Latency(Part):
    """Of one batch size, against the first model, round by round."""

    p50_ms: float = Field(description="milliseconds of a batch, the median of all calls")
    p95_ms: float = Field(description="milliseconds that 95 % of the calls did not exceed")
    ratio: float = Field(description="to the first model, the median of all rounds; below 1 is faster")
    low: float = Field(description="the least ratio of a round")
    high: float = Field(description="the largest ratio of a round")


class Measured(Part):
    """One model, as it was measured."""

    model: str = Field(description="as it was, as ONNX, or compressed")
    runtime: Literal["torch", "onnxruntime"]
    file_bytes: Bytes = Field(description="of a checkpoint without what only resuming needs")
    zipped_bytes: Bytes | None = Field(description="of the same, deflated; null where no weights were pruned")
    parameters: Count = Field(description="values that were learned")
    nonzero: Count = Field(description="those of them that are not zero")
    memory_bytes: Bytes | None = Field(
        description="what a process grows by to load it and to answer a batch of 32; null: that could not be measured"
    )
    latency: dict[str, Latency] = Field(description="by batch size")
    metrics: Metrics
    intervals: Intervals


class DropOf(Part):
    """How much worse than the first model the last one is, example by example."""

    value: Number = Field(description="in the metric's own unit; negative where it is better")
    interval: Ends = Field(description="its 95 % interval [low, high]")
    p: Number = Field(description="how likely one as large is between equal models (one-sided)")


class Compress(Document):
    """`ft compress --json`."""

    kind: Literal["compress"]
    name: str = Field(description="of the experiment")
    checkpoint: str = Field(description="what was compressed")
    out: str = Field(description="the file that was written")
    split: Split = Field(description="what both were judged on")
    examples: Count = Field(description="of that split")
    device: str
    precision: str = Field(description="of torch; ONNX Runtime computes in fp32 or int8")
    threads: Count
    how: list[str] = Field(description="what was done, a sentence each")
    rows: list[Measured] = Field(description="the model as it was; of int8 the plain ONNX file; the result")
    main_metrics: list[str] = Field(description="what speaks for each output, in the outputs' order")
    drops: dict[str, DropOf] = Field(description="by metric: the main ones, and those of --max-drop")
    gates: list[Gate] = Field(description="of --max-drop")
    passed: bool = Field(description="whether every gate held; true without gates")
    healed: str | None = Field(description="the run of the healing; null without --heal")
    verdict: list[str] = Field(description="what the figures allow to say, a sentence each")
    seconds: Seconds = Field(description="wall-clock seconds")
