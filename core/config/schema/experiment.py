"""One YAML file: the experiment as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ft.core.config.schema.data import DataSection
from ft.core.config.schema.inputs import InputColumn
from ft.core.config.schema.model import ModelSection
from ft.core.config.schema.outputs import OutputColumn
from ft.core.config.schema.stages import EvalSection, FinetuneSection, TrainSection
from ft.core.config.schema.tune import TuneSection
from ft.core.config.section import Count, Section, Seed


class Experiment(Section):
    """One YAML file."""

    name: str = Field(
        "experiment",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        examples=["mnist-cnn", "run_2.b"],
        description="names the folder of its runs; letters, digits, dots, dashes, underscores",
    )
    seed: Seed = Field(0, description="of weights, order, augmentation and dropout")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$",
        examples=["auto", "cpu", "cuda", "cuda:1", "mps"],
        description="auto takes the fastest there is and says why",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: Count | None = Field(None, description="CPU threads; left out: torch's choice. Changes the last bits")
    tensorboard: Literal["auto"] | bool = Field("auto", description="auto: written when tensorboard is installed")
    data: DataSection
    inputs: dict[str, InputColumn] | None = Field(None, min_length=1, description="left out: the source's own")
    outputs: dict[str, OutputColumn] | None = Field(None, min_length=1, description="left out: the source's own")
    model: ModelSection
    train: TrainSection | None = None
    finetune: FinetuneSection | None = None
    eval: EvalSection | None = None
    tune: TuneSection | None = None


SECTIONS: Mapping[str, type[Section]] = {
    "train": TrainSection,
    "finetune": FinetuneSection,
    "eval": EvalSection,
}
