"""The typed form of an experiment: every setting that exists, its default, its range and its meaning.

Descriptions here are what `ft config schema` and `ft config init` show. Imports no torch.
What a setting does is decided where it is used; what it may be is decided only here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ft.core.config.section import Count, Fraction, Named, Range, Section, Seed, Side

# ---------------------------------------------------------------- data


class Split(Section):
    """How validation and test examples are set aside when the source does not bring them."""

    val: Count | Fraction | None = Field(None, description="validation examples: a count or a fraction of training")
    test: Count | Fraction | None = Field(None, description="test examples: a count or a fraction; official tests stay")
    stratify: bool = Field(True, description="keep the shares of the classes in every part")
    seed: Seed = Field(0, description="chooses which examples; not the experiment's seed, so its seeds share a split")

    @model_validator(mode="after")
    def _something_is_left(self) -> Split:
        taken = sum(part for part in (self.val, self.test) if isinstance(part, float))
        if taken >= 1:
            raise ValueError(f"takes {taken:g} of the training examples for val and test; expected less than 1")
        return self


class DigitsData(Section):
    """1,797 handwritten digits, 8x8, that come inside scikit-learn: real, offline, no download."""

    source: Literal["digits"]
    split: Split = Split()


class NamedData(Section):
    """A well-known picture set, found under `root` in its usual layouts or downloaded and verified."""

    source: Literal["mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100"]
    root: str = Field("data", description="folder that holds the files; relative to the working directory")
    download: bool = Field(True, description="fetch and verify the files when they are not there")
    split: Split = Split()


class ImageFolderData(Section):
    """Pictures in one folder per class, with or without train/, val/ and test/ above them."""

    source: Literal["image_folder"]
    root: str = Field(description="folder of class folders, or of train/, val/ and test/ with class folders inside")
    split: Split = Split()


class ArraysData(Section):
    """Arrays in files: `column: file` for .npy and idx, `column: file.npz:name` for archives; .gz is read too."""

    source: Literal["arrays"]
    root: str = Field(".", description="folder the files are relative to")
    train: dict[str, str] = Field(min_length=1, description="column: file, for training")
    val: dict[str, str] | None = Field(None, description="column: file, for validation")
    test: dict[str, str] | None = Field(None, description="column: file, for the test")
    split: Split = Split()


DataSection = Annotated[DigitsData | NamedData | ImageFolderData | ArraysData, Field(discriminator="source")]


# ---------------------------------------------------------------- columns


class Affine(Section):
    """A random rotation, shift, scale and shear, bilinear; what comes from outside the picture is black."""

    degrees: float = Field(0.0, ge=0, le=180, description="rotation drawn from plus or minus this")
    translate: float = Field(0.0, ge=0, le=1, description="shift, as a fraction of the side, plus or minus")
    scale: Range = Field((1.0, 1.0), description="smallest and largest factor of size")
    shear: float = Field(0.0, ge=0, lt=90, description="shear in degrees, plus or minus")

    @field_validator("scale")
    @classmethod
    def _rising(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"is {list(scale)}; expected [smallest, largest], both above 0")
        return scale


class Erase(Section):
    """A random rectangle is blacked out."""

    probability: float = Field(0.5, gt=0, le=1)
    area: Range = Field((0.02, 0.2), description="smallest and largest share of the picture")

    @field_validator("area")
    @classmethod
    def _rising(cls, area: tuple[float, float]) -> tuple[float, float]:
        if not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f"is {list(area)}; expected [smallest, largest], above 0 and at most 1")
        return area


class ImageAugment(Section):
    """Random changes of training pictures: one draw per example and epoch, the same after a resume."""

    crop: int | None = Field(None, ge=1, description="shift by up to this many pixels, black outside")
    flip: bool = Field(False, description="mirror left and right with probability one half")
    affine: Affine | None = None
    erase: Erase | None = None


class Normalization(Section):
    """Fixed channel statistics, on pixels scaled to 0..1."""

    mean: list[float] = Field(min_length=1)
    std: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)

    @field_validator("std")
    @classmethod
    def _as_many_as_means(cls, std: list[float], info: ValidationInfo) -> list[float]:
        mean = info.data.get("mean", std)  # absent when it was itself wrong
        if len(std) != len(mean):
            raise ValueError(f"has {len(std)} values and mean {len(mean)}; expected one of each per channel")
        return std


class ImageInput(Section):
    """A picture: uint8 until the device, then scaled to 0..1 and normalised."""

    type: Literal["image"]
    size: Side | None = Field(
        None, description="side, or [height, width]; scaled to cover it, then cropped at the centre"
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; left out: as the data are")
    normalize: Literal["fit", "none"] | Normalization = Field(
        "fit", description="fit: mean and deviation of the training pictures, kept in the checkpoint"
    )
    augment: ImageAugment | None = None


class NumberInput(Section):
    """One number per example; reaches the model as (B, 1)."""

    type: Literal["number"]
    normalize: Literal["fit", "none"] = "fit"


class VectorInput(Section):
    """A fixed-size array of numbers per example, any shape; normalised by its last axis."""

    type: Literal["vector"]
    normalize: Literal["fit", "none"] = "fit"


class CategoryInput(Section):
    """One of several names; reaches the model as an index (B,), for Embedding. Unseen names are index 0."""

    type: Literal["category"]


InputColumn = Annotated[ImageInput | NumberInput | VectorInput | CategoryInput, Field(discriminator="type")]


class CategoryOutput(Section):
    """One of several classes."""

    type: Literal["category"]
    classes: list[str] | None = Field(None, min_length=2, description="left out: the source's, else the sorted values")
    loss: Literal["cross_entropy", "binary_cross_entropy"] = Field(
        "cross_entropy", description="binary_cross_entropy: two classes, one logit for the second"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        None, description="balanced: the inverse of each class's share; or class: weight, 1 where left out"
    )
    weight: float = Field(1.0, gt=0, description="this output's share in the total loss")


class Huber(Section):
    """Quadratic below `delta`, linear above."""

    delta: float = Field(1.0, gt=0)


class HuberLoss(Section):
    """The form that takes an argument."""

    huber: Huber


class NumberOutput(Section):
    """A number to predict."""

    type: Literal["number"]
    loss: Literal["mse", "l1", "huber"] | HuberLoss = "mse"
    normalize: Literal["fit", "none"] = Field("fit", description="learn in units of the training deviation")
    weight: float = Field(1.0, gt=0, description="this output's share in the total loss")


OutputColumn = Annotated[CategoryOutput | NumberOutput, Field(discriminator="type")]


# ---------------------------------------------------------------- model


class ModelSection(Section):
    """The network: a list of layers, or a function of the user's own."""

    layers: list[Any] | None = Field(None, min_length=1, description="torch.nn's names and arguments, in order")
    python: str | None = Field(None, description="FILE.py:FUNCTION that returns a torch.nn.Module")
    args: dict[str, Any] = Field(default_factory=dict, description="arguments of that function")
    weights: str | None = Field(None, description="starting weights: a checkpoint, state dict or .safetensors file")

    @model_validator(mode="after")
    def _one_kind(self) -> ModelSection:
        if (self.layers is None) == (self.python is None):
            raise ValueError("needs layers or python, one of the two")
        if self.args and self.python is None:
            raise ValueError("has args, which only a python model takes")
        return self


# ---------------------------------------------------------------- stages


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
    monitor: str | None = Field(None, description="validation metric that chooses best; default: the output's main one")
    patience: Count | None = Field(None, description="stop after this many validations without a better one")
    validate_every_epochs: Count = 1
    validate_every_steps: Count | None = Field(None, description="validate every so many steps instead")
    augment: bool = Field(True, description="apply the inputs' augment in this stage")
    log_every_steps: Count = Field(50, description="steps between lines of metrics.jsonl")

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


class FinetuneSection(TrainSection):
    """The loop again, from given weights. What is left out comes from train; lr from a tenth of train's."""

    lr: float = Field(1e-4, gt=0, description="learning rate; left out: a tenth of train's")
    from_: str | None = Field(
        None, alias="from", description="starting weights: checkpoint, run, state dict or .safetensors file"
    )
    freeze: list[int | str] | int | str = Field(
        default_factory=list, description="units that do not learn: numbers, ranges (0-2), names, globs; see ft layers"
    )

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


# ---------------------------------------------------------------- the whole


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


SECTIONS: Mapping[str, type[Section]] = {
    "train": TrainSection,
    "finetune": FinetuneSection,
    "eval": EvalSection,
}
