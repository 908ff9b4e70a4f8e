"""The stages of an experiment: `train`, `finetune`, `eval`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ft.core.config.patterns import split_text
from ft.core.config.schema.corruptions import Corruptions
from ft.core.config.schema.inputs import ImageAugment
from ft.core.config.section import Count, Fraction, Named, Section

PER_CLASS = ("precision", "recall", "f1")
NotBelowZero = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Patterns = list[int | str] | int | str


class TeacherSection(Section):
    """Distillation: learn from a trained model's answers too (Hinton et al. 2015)."""

    checkpoint: str = Field(description="the teacher: a checkpoint or run of ft with the same classes")
    temperature: float = Field(4.0, gt=0, description="softens the classes' probabilities of both; numbers have none")
    weight: float = Field(0.5, gt=0, le=1, description="the teacher's share of the loss, the labels have the rest")
    python: str | None = Field(None, description="the teacher's own Python file, where its model is a python: one")


class SpeedSection(Section):
    """How the same is computed faster. Left alone, rules of model, shapes and device decide; see ft profile."""

    rewrite: bool = Field(True, description="run lists of layers in a cheaper way with the same answers and gradients")
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        "auto", description="of pictures and convolutions; auto: channels_last with 2-D convolutions on CPU and CUDA"
    )
    fused: bool = Field(True, description="the optimizer's fused form where its class and the device have one")


class TrainSection(Section):
    """One run of the loop."""

    epochs: Count = 10
    max_steps: Count | None = Field(None, description="stop after this many optimizer steps, if epochs are longer")
    batch_size: Count = Field(128, description="examples in one forward pass")
    accumulate: Count = Field(1, description="batches per optimizer step; equals one batch of that many times the size")
    optimizer: Named = Field("adam", description="sgd, adam, adamw, rmsprop, or a class of torch.optim; {name: {args}}")
    lr: float = Field(1e-3, gt=0, description="learning rate")
    layer_lr: dict[str, Rate] = Field(
        default_factory=dict, description="rates of their own by layer, as freeze names them: {head: 1e-3}; others: lr"
    )
    layer_decay: Fraction | None = Field(
        None, description="each layer's rate is this times that of the layer after it; the last one's is lr"
    )
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

    speed: SpeedSection = Field(default_factory=SpeedSection, description="how it is computed, fixed by hand")
    teacher: TeacherSection | None = Field(None, description="a larger model whose answers are learned too")
    sampling: Literal["shuffle", "balanced"] = Field(
        "shuffle", description="balanced: each class of the category output equally often; epochs stay as long"
    )
    mixup: float | None = Field(
        None,
        gt=0,
        description="mix each example with another: alpha of Beta(alpha, alpha), e.g. 0.2 (Zhang et al. 2018)",
    )
    cutmix: float | None = Field(
        None,
        gt=0,
        description="paste a part of another picture: alpha, e.g. 1.0; with mixup one is drawn for each batch",
    )

    @field_validator("layer_lr")
    @classmethod
    def _names_layers(cls, rates: dict[str, float]) -> dict[str, float]:
        if blank := [pattern for pattern in rates if not split_text(pattern)]:
            raise ValueError(f"has a blank in it ({blank[0]!r}), which names no unit")
        return rates

    @field_validator("layer_decay")
    @classmethod
    def _one_way(cls, decay: float | None, info: ValidationInfo) -> float | None:
        if decay is not None and info.data.get("layer_lr"):
            raise ValueError("is given and layer_lr too; say only one of the two")
        return decay

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
    freeze: Patterns = Field(
        default_factory=list,
        description="what does not learn: numbers, ranges (0-2), names, globs, until:NAME, all but NAME; see ft layers",
    )
    unfreeze: dict[str, Patterns] = Field(
        default_factory=dict, description="gradually: the epoch with which frozen parts begin to learn: {2: layer4}"
    )

    @field_validator("freeze", mode="before")
    @classmethod
    def _until_is_text(cls, freeze: Any) -> Any:
        for pattern in freeze if isinstance(freeze, list) else [freeze]:
            if isinstance(pattern, dict) and list(pattern) == ["until"]:
                raise ValueError(f"is a mapping; write it without the blank: until:{pattern['until']}")
        return freeze

    lora: LoraSection | None = Field(None, description="learn small changes beside frozen weights, and the last layer")
    feature_cache: Literal["auto", "on", "off"] = Field(
        "auto", description="compute what frozen first layers answer once, not in every epoch; auto: where that pays"
    )
    augment_views: Count | None = Field(
        None, description="augmentations of each example, in turn by epoch, so that their features can be kept"
    )

    @field_validator("freeze")
    @classmethod
    def _names_units(cls, freeze: Patterns) -> Patterns:
        for pattern in freeze if isinstance(freeze, list) else [freeze]:
            if not split_text(str(pattern)):
                raise ValueError("has a blank in it, which names no unit; [] freezes nothing")
        return freeze

    @field_validator("unfreeze")
    @classmethod
    def _epochs_that_come(cls, unfreeze: dict[str, Patterns], info: ValidationInfo) -> dict[str, Patterns]:
        epochs = info.data.get("epochs")
        for epoch, patterns in unfreeze.items():
            if not epoch.isdecimal() or int(epoch) < 2:
                raise ValueError(f"has {epoch!r}; expected an epoch to begin with, a whole number >= 2: {{2: layer4}}")
            if epochs is not None and int(epoch) > epochs:
                raise ValueError(f"has epoch {epoch}, which never comes: epochs is {epochs}")
            if not all(split_text(str(each)) for each in (patterns if isinstance(patterns, list) else [patterns])):
                raise ValueError(f"has a blank at epoch {epoch}, which names no unit")
        if len({int(epoch) for epoch in unfreeze}) < len(unfreeze):
            raise ValueError("names an epoch twice")
        if unfreeze and info.data.get("freeze") == []:
            raise ValueError("is given, and freeze is not: only what is frozen can begin to learn")
        return unfreeze


class ViewsSection(Section):
    """Test-time augmentation: each example is also judged changed, and the mean of the answers counts."""

    views: int = Field(4, ge=2, description="how often each example is seen, once of them as it is")
    augment: ImageAugment | None = Field(None, description="of pictures; left out: each input's own augment")


class EvalSection(Section):
    """How a checkpoint is judged."""

    split: Literal["train", "val", "test"] = "test"
    batch_size: Count | None = Field(None, description="left out: train's")
    metrics: list[str] | None = Field(None, min_length=1, description="which to show; left out: all of the output's")
    python: dict[str, str] = Field(
        default_factory=dict,
        description="metrics of your own: name: file.py:function, given the answers; better when smaller: "
        "file.py:function:lower",
    )
    min: dict[str, float] = Field(default_factory=dict, description="gate: metric: least value, else exit 3")
    max: dict[str, float] = Field(default_factory=dict, description="gate: metric: largest value, else exit 3")
    per_class: dict[str, float] = Field(
        default_factory=dict, description="gate: least precision, recall or f1 of every class, else exit 3"
    )
    per_slice: dict[str, float] = Field(
        default_factory=dict, description="gate: metric: least value in every slice (largest, of errors), else exit 3"
    )
    slices: dict[str, Literal["all"] | list[str] | list[float]] = Field(
        default_factory=dict,
        description="parts judged on their own, by column of the data: all its values, some of them, or the bounds of "
        "ranges: {sex: all, town: [Oslo, Bergen], age: [18, 65]}",
    )
    baseline: str | None = Field(None, description="an earlier evaluation of the same data, as ft eval --out writes it")
    max_drop: dict[str, NotBelowZero] = Field(
        default_factory=dict, description="gate: metric: how much worse than the baseline, else exit 3"
    )
    gate_on: Literal["estimate", "lower_bound"] = Field(
        "estimate", description="what gates hold: the value, or the worse end of its 95 % interval"
    )
    tta: ViewsSection | Literal["flip"] | None = Field(
        None, description="test-time augmentation; flip: each picture as it is and mirrored"
    )
    corruptions: Corruptions | None = Field(
        None,
        description="judge again with each corruption of the inputs, at severities 1 to 5: all that suit their types, "
        "a list of names: [jpeg, typos], or names with their severities: {jpeg: [1, 3, 5]}",
    )

    @field_validator("slices")
    @classmethod
    def _some_slices(cls, slices: dict[str, Any]) -> dict[str, Any]:
        for column, asked in slices.items():
            if asked != "all" and not asked:
                raise ValueError(f"has none of {column}; expected all, some of its values, or the bounds of ranges")
            if asked != "all" and not isinstance(asked[0], str) and asked != sorted(set(asked)):
                raise ValueError(f"has bounds of {column} that do not ascend: {asked}")
        return slices

    @field_validator("per_class")
    @classmethod
    def _of_classes(cls, least: dict[str, float]) -> dict[str, float]:
        if unknown := [name for name in least if name.rpartition("/")[2] not in PER_CLASS]:
            raise ValueError(f"has {unknown[0]!r}; there are {', '.join(PER_CLASS)}, or OUTPUT/recall and so on")
        return least
