"""The stages of an experiment: `train`, `finetune`, `eval`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ft.core.config.section import Count, Named, Section


class TrainSection(Section):
    """One run of the loop."""

    epochs: Count = 10
    max_steps: Count | None = Field(None, description="stop after this many optimizer steps, if epochs are longer")
    batch_size: Count = Field(128, description="examples in one forward pass")
    accumulate: Count = Field(1, description="batches per optimizer step; equals one batch of that many times the size")
    optimizer: Named = Field("adam", description="sgd, adam, adamw, rmsprop, or a class of torch.optim; {name: {args}}")
    lr: float = Field(1e-3, gt=0, description="learning rate")
    weight_decay: float = Field(0.0, ge=0, description="adam and sgd add it to the gradient (L2); adamw decouples it")
    weight_decay_on: Literal["all", "weights"] = Field("all", description="weights: spares biases and norm layers")
    schedule: Named = Field(
        "constant", description="constant, step, multistep, cosine, linear, one_cycle, plateau; {name: {args}}"
    )
    warmup_steps: int = Field(0, ge=0, description="optimizer steps over which the rate rises from near zero")
    warmup_epochs: float = Field(0.0, ge=0, description="the same in epochs; say only one of the two")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the whole gradient")
    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of the averaged weights, which are validated and kept"
    )
    loss_weights: Literal["fixed", "uncertainty"] = Field(
        "fixed", description="of several outputs: their weights, or learned beside them (Kendall et al. 2018)"
    )
    monitor: str | None = Field(None, description="validation metric that chooses best; default: the output's main one")
    patience: Count | None = Field(None, description="stop after this many validations without a better one")
    validate_every_epochs: Count = 1
    validate_every_steps: Count | None = Field(None, description="validate every so many steps instead")
    augment: bool = Field(True, description="apply the inputs' augment in this stage")
    log_every_steps: Count = Field(50, description="steps between lines of metrics.jsonl")
    checkpoint_every_steps: Count | None = Field(None, description="save last.pt every so many steps too")
    checkpoint_every_minutes: float | None = Field(
        10.0, gt=0, description="save last.pt when this long has passed; every epoch's end saves in any case"
    )
    keep_last: Count = Field(2, description="how many of last.pt stay: last.pt, last-1.pt, ...")
    micro_batch: Count | Literal["auto"] | None = Field(
        None, description="most examples in one forward pass; auto: halves when memory runs out; the step stays whole"
    )

    @field_validator("warmup_epochs")
    @classmethod
    def _one_warmup(cls, epochs: float, info: ValidationInfo) -> float:
        if epochs and info.data.get("warmup_steps"):
            raise ValueError("is given and warmup_steps too; say only one of the two")
        return epochs

    @field_validator("optimizer", "schedule", mode="before")
    @classmethod
    def _no_arguments(cls, named: Any) -> Any:
        """`sgd:` with nothing below it is read as `sgd: {}`."""
        return {k: {} if v is None else v for k, v in named.items()} if isinstance(named, dict) else named


class LoraSection(Section):
    """Small changes beside weights that stay (Hu et al. 2021); all but they and the last layer is frozen."""

    rank: Count = Field(8, description="of the change of a layer: more can say more, and costs more")
    alpha: float | None = Field(
        None, gt=0, description="the change counts alpha / rank times; left out: twice the rank"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="of what goes into the change")
    target: list[int | str] | int | str | None = Field(
        None,
        description="layers that get one: numbers, names, globs; left out: every Linear, Conv2d and Embedding but the "
        "last layer and depthwise convolutions",
    )
    dora: bool = Field(False, description="learn each output's magnitude too (DoRA, Liu et al. 2024)")

    @field_validator("target")
    @classmethod
    def _names_layers(cls, target: list[int | str] | int | str | None) -> list[int | str] | int | str | None:
        wanted = target if isinstance(target, list) else [target]
        if not wanted or any(not str(pattern).strip() for pattern in wanted):
            raise ValueError("names no layer; left out, it means all that can be adapted")
        return target


class FinetuneSection(TrainSection):
    """The loop again, from given weights. What is left out comes from train; lr from a tenth of train's."""

    lr: float = Field(1e-4, gt=0, description="learning rate; left out: a tenth of train's")
    from_: str | None = Field(
        None, alias="from", description="starting weights: checkpoint, run, state dict or .safetensors file"
    )
    freeze: list[int | str] | int | str = Field(
        default_factory=list, description="units that do not learn: numbers, ranges (0-2), names, globs; see ft layers"
    )

    lora: LoraSection | None = Field(None, description="learn small changes beside frozen weights, and the last layer")

    @field_validator("freeze")
    @classmethod
    def _names_units(cls, freeze: list[int | str] | int | str) -> list[int | str] | int | str:
        for pattern in freeze if isinstance(freeze, list) else [freeze]:
            if not str(pattern).replace(",", " ").strip():
                raise ValueError("has a blank in it, which names no unit; [] freezes nothing")
        return freeze


class EvalSection(Section):
    """How a checkpoint is judged."""

    split: Literal["train", "val", "test"] = "test"
    batch_size: Count | None = Field(None, description="left out: train's")
    metrics: list[str] | None = Field(None, min_length=1, description="which to show; left out: all of the output's")
    min: dict[str, float] = Field(default_factory=dict, description="gate: metric: least value, else exit 3")
