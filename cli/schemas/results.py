"""Documents of the stages: `ft train`, `ft finetune`, `ft eval`, `ft run`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.corrupted import Corrupted
from ft.cli.schemas.parts import Count, Document, Intervals, Metrics, Number, Part, Seconds, Split, Stage


class Unit(Part):
    """One layer of the numbered list, and what of it learned."""

    index: Count = Field(description="the number that --freeze takes")
    name: str
    parameters: Count = Field(description="values in it")
    trainable: Count = Field(description="values that learn")
    rates: list[float] = Field(description="learning rates in it, each once")
    from_epochs: list[int] = Field(description="epochs (from 1) with which its parts begin to learn")


class Unmoved(Part):
    """The proof that frozen weights did not move."""

    tensors: Count
    values: Count = Field(description="numbers in those tensors")
    sha256: str = Field(description="of the digests of all frozen tensors")
    identical: Literal[True] = Field(description="always: a difference ends the command with exit code 3")


class Fitted(Part):
    """A finished training or fine-tuning; what a run's `result.json` holds."""

    stage: Stage
    name: str = Field(description="of the experiment")
    run: str | None = Field(description="the run's folder; null for a smoke test, which keeps nothing")
    best: str | None = Field(description="the checkpoint to use; null for a smoke test")
    metrics: Metrics = Field(description="of the best validation; empty without a validation split")
    intervals: Intervals
    main_metric: str = Field(description="what chose the best")
    before: Metrics | None = Field(
        description="validation metrics of the starting weights; null where there are none or they do not fit"
    )
    best_epoch: int | None = Field(description="from 1; null without a validation")
    epochs: Count = Field(description="epochs done")
    steps: Count = Field(description="optimizer steps done")
    reason: Literal["epochs", "max_steps", "patience"] = Field(description="what ended it")
    seconds: Seconds = Field(description="wall-clock seconds")
    parameters: Count = Field(description="values in the network")
    trainable: Count = Field(description="values that learn")
    last_unit: int = Field(description="number of the last layer that has parameters")
    device: str = Field(description="as cpu, cuda, mps")
    precision: str = Field(description="fp32, bf16 or fp16")
    parent: str | None = Field(description="run or file that the starting weights came from; null: fresh ones")
    smoke: bool = Field(description="whether it was two batches only (--smoke)")
    main_metrics: list[str] = Field(description="what speaks for each output, in the outputs' order")
    undecided: bool = Field(description="what should choose the best was NaN in every validation: best is the last")
    units: list[Unit] = Field(description="the layers in order")
    frozen: Unmoved | None = Field(description="null where nothing is frozen")
    adapter: str | None = Field(description="the folder of the adapters that were trained; null without")
    choices: list[str] = Field(description="how it was computed, a sentence each")
    validated_on: str | None = Field(
        description="identity of the validation's examples and wanted answers, as an evaluation's per_example has it; "
        "null without a validation split"
    )


class Train(Document, Fitted):
    """`ft train --json`."""

    kind: Literal["train"]
    stage: Literal["train"]


class Finetune(Document, Fitted):
    """`ft finetune --json`."""

    kind: Literal["finetune"]
    stage: Literal["finetune"]


class Gate(Part):
    """One gate and its verdict."""

    metric: str = Field(description="or `recall of CLASS`, `METRIC of SLICE`, `drop of METRIC`")
    threshold: float = Field(description="the least or largest value, in the metric's own unit")
    value: Number = Field(description="what was reached; null: not measured, or not finite")
    passed: bool
    interval: tuple[Number, Number] | None = Field(description="its 95 % interval [low, high]; null: it has none")
    bound: Literal["min", "max"] = Field(description="what the threshold is: min a least value, max a largest")
    on: Literal["estimate", "lower_bound"] = Field(
        description="what decides: the value, or the end of the interval that speaks against the model"
    )
    p: Number = Field(description="of a drop: how likely one as large is between equal models (one-sided); else null")


class ClassRow(Part):
    """One class against all others, or one label."""

    name: str
    precision: Number = Field(description="0..1")
    recall: Number = Field(description="0..1")
    f1: Number = Field(description="0..1")
    support: Count = Field(description="examples of this class")


class OutputScores(Part):
    """One output of the model."""

    classes: list[str] | None = Field(description="names in the order of the confusion matrix; null: it has none")
    positive: str | None = Field(description="of two classes the one that auroc and sensitivity speak of; else null")
    per_class: list[ClassRow] | None = Field(description="of a category or of labels; else null")
    confusion: list[list[Count]] | None = Field(
        description="examples: true classes are rows, answered ones columns; null above 1,000 classes or without any"
    )
    count: Count = Field(description="how many were judged")
    unit: Literal["examples", "users"] = Field(description="what was counted; users of a ranking")
    nonfinite: Count = Field(description="those whose answer was NaN or infinite")
    notes: list[str] = Field(description="what a reader must know to understand the metrics, a sentence each")


class Slice(Part):
    """A part of the examples, judged on its own."""

    name: str = Field(description="as sex=female")
    column: str = Field(description="of the data, whose values part the examples")
    count: Count = Field(description="examples in it")
    metrics: Metrics = Field(description="by metric name; empty of an empty part")
    intervals: Intervals


class PerExample(Part):
    """What the next evaluation needs to be compared with this one (`ft eval --baseline`)."""

    identity: str = Field(description="SHA-256 of the examples' names and wanted answers")
    count: Count = Field(description="how many examples")
    values: dict[str, str] = Field(
        description="by metric or answer: little-endian float32 of every example (of several numbers one example after "
        "the other), zlib-compressed, base64"
    )


class Eval(Document):
    """`ft eval --json` and `--out`: a judged checkpoint. Printed with exit code 3, too, when a gate failed."""

    kind: Literal["eval"]
    name: str = Field(description="of the experiment")
    stage: Stage = Field(description="what made the checkpoint")
    checkpoint: str | None = Field(description="its file; null for a smoke test, which keeps nothing")
    run: str | None = Field(description="the run it belongs to; null for a loose file")
    split: Split
    data: str = Field(description="where the examples came from, in words")
    metrics: Metrics = Field(description="those asked for")
    intervals: Intervals
    main_metric: str = Field(description="the one that sums it up")
    main_metrics: list[str] = Field(description="what speaks for each output, in the outputs' order")
    gates: list[Gate] = Field(description="in the order given")
    passed: bool = Field(description="whether every gate held; true without gates")
    examples: Count = Field(description="how many were judged; of a ranking how many users")
    loss: Number = Field(description="the weighted sum over outputs of their mean losses")
    outputs: dict[str, OutputScores]
    robustness: Corrupted | None = Field(description="what corruptions cost; null where none was asked for")
    slices: list[Slice] = Field(description="parts judged on their own; empty where none was asked for")
    per_example: PerExample | None = Field(description="null of a smoke test")
    seconds: Seconds = Field(description="wall-clock seconds")
    device: str = Field(description="as cpu, cuda, mps")
    precision: str = Field(description="fp32, bf16 or fp16")
    data_notes: list[str] = Field(description="what was missing, unknown, cut or skipped, a sentence each")


class Run(Document):
    """`ft run --json`: all stages of a file. Printed with exit code 3, too, when a gate failed."""

    kind: Literal["run"]
    fits: list[Train | Finetune] = Field(description="in their order")
    evaluation: Eval | None = Field(description="of the last of them; null where the file names no eval")
    baseline: Eval | None = Field(description="the trained model beside the fine-tuned one; null with one fit")
