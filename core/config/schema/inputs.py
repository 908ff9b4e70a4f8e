"""The `inputs` section: what each column is that goes in, and how it is brought into numbers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ft.core.config.section import NAMES, Count, Fraction, Range, Section, Side
from ft.core.config.suggest import did_you_mean


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


class ResizedCrop(Section):
    """A random part of the picture, scaled up to the whole size, bilinear."""

    area: Range = Field((0.35, 1.0), description="smallest and largest share of the picture")
    aspect: Range = Field((0.75, 4 / 3), description="smallest and largest width to height of the part, in pixels")

    @field_validator("area", "aspect")
    @classmethod
    def _rising(cls, given: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        most = 1.0 if info.field_name == "area" else float("inf")
        if not 0 < given[0] <= given[1] <= most:
            limit = "above 0 and at most 1" if info.field_name == "area" else "both above 0"
            raise ValueError(f"is {list(given)}; expected [smallest, largest], {limit}")
        return given


class Jitter(Section):
    """Random brightness, then contrast, then saturation; each a factor drawn from 1 minus this to 1 plus this."""

    brightness: float = Field(0.0, ge=0, le=1)
    contrast: float = Field(0.0, ge=0, le=1, description="about the picture's mean grey")
    saturation: float = Field(0.0, ge=0, le=1, description="about the pixel's own grey; grey pictures have none")


# What a name stands for, as a file would write it; `ft config show` shows it.
PRESETS: dict[str, dict[str, Any]] = {
    "light": {"flip": True, "resized_crop": {"area": [0.8, 1.0]}},
    "standard": {
        "flip": True,
        "resized_crop": {"area": [0.35, 1.0]},
        "jitter": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    },
    "strong": {
        "flip": True,
        "resized_crop": {"area": [0.2, 1.0]},
        "affine": {"degrees": 15.0, "shear": 5.0},
        "jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
        "erase": {"probability": 0.25},
    },
}


class ImageAugment(Section):
    """Random changes of training pictures: one draw per example and epoch, the same after a resume.

    Or a name for some of them: light, standard, strong.
    """

    model_config = ConfigDict(json_schema_extra={NAMES: list(PRESETS)})

    crop: int | None = Field(None, ge=1, description="shift by up to this many pixels, black outside")
    resized_crop: ResizedCrop | None = None
    flip: bool = Field(False, description="mirror left and right with probability one half")
    affine: Affine | None = None
    jitter: Jitter | None = None
    erase: Erase | None = None
    transforms: list[dict[str, Any] | str] | None = Field(
        None,
        min_length=1,
        description="before the others, of torchvision.transforms.v2 by name and with arguments: [GaussianBlur: 5]",
    )

    @model_validator(mode="before")
    @classmethod
    def _what_it_means(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        if given not in PRESETS:
            raise ValueError(f"is {given!r}; expected {', '.join(PRESETS)} or a mapping{did_you_mean(given, PRESETS)}")
        return PRESETS[given]


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


class InputSection(Section):
    """What all inputs have in common."""

    column: str | None = Field(None, description="its name in the data, where the input is called otherwise")


class FileInput(InputSection):
    """What inputs that lie in files of their own have in common."""

    on_error: Literal["fail", "skip"] = Field("fail", description="skip: leave out examples whose file cannot be read")
    max_skipped: Count | Fraction = Field(0.05, description="most examples of a split that skip may leave out")
    keep: Literal["auto", "memory", "files"] = Field(
        "auto", description="memory: decode once and keep; files: read when needed; auto: memory while it is small"
    )


class ImageInput(FileInput):
    """A picture: uint8 until the device, then scaled to 0..1 and normalised."""

    type: Literal["image"]
    size: Side | None = Field(
        None, description="side, or [height, width]; scaled to cover it, then cropped at the centre"
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; left out: as the data are")
    keep: Literal["auto", "memory", "disk", "files"] = Field(  # type: ignore[assignment]  # pictures know one more
        "auto",
        description="where decoded files lie. memory; disk: in one file below $FT_CACHE (~/.cache/ft), for later runs "
        "too; files: read when needed; auto: memory up to 1 GiB a split, else disk where half its free room suffices",
    )
    normalize: Literal["fit", "none"] | Normalization | None = Field(
        None,
        description="fit: mean and deviation of the training pictures, kept in the checkpoint; left out: what named "
        "weights were trained with (model.weights: DEFAULT), else fit",
    )
    augment: ImageAugment | None = None


class AudioAugment(Section):
    """Random changes of training sounds: one draw per example and epoch, the same after a resume."""

    shift: float = Field(0.0, ge=0, le=1, description="move by up to this share of the length, silence outside")
    gain_db: float = Field(0.0, ge=0, description="louder or softer by up to this many decibels")
    noise_db: float | None = Field(None, description="add white noise at this signal-to-noise ratio or better")
    speed: float = Field(0.0, ge=0, lt=1, description="faster or slower (and higher or lower) by up to this share")
    mask_mels: int = Field(0, ge=0, description="widest band of mel channels to blank out (SpecAugment)")
    mask_frames: int = Field(0, ge=0, description="longest stretch of frames to blank out (SpecAugment)")


class AudioInput(FileInput):
    """A sound, made mono, resampled and cut or filled to one length; reaches the model as log-mel (1, mels, frames)."""

    type: Literal["audio"]
    seconds: float = Field(gt=0, description="length: longer sounds are cut, shorter ones end in silence")
    rate: Count = Field(16_000, description="samples a second after resampling")
    mels: Count = Field(64, description="mel channels")
    window_ms: float = Field(25.0, gt=0, description="length of the Fourier window")
    hop_ms: float = Field(10.0, gt=0, description="from one frame to the next")
    normalize: Literal["fit", "none"] = Field("fit", description="fit: mean and deviation of each mel channel")
    augment: AudioAugment | None = None


class TextInput(InputSection):
    """A text, as numbers of the tokens that training texts are made of; reaches the model as (B, T), 0 for padding."""

    type: Literal["text"]
    tokens: Literal["words", "chars", "bytes", "bpe"] = Field(
        "words", description="words: split at spaces and punctuation; chars: any language; bytes; bpe: byte pairs"
    )
    lowercase: bool = True
    ngrams: Annotated[int, Field(ge=1, le=5)] = Field(
        1, description="words and chars: also runs of up to this many tokens, as tokens of their own"
    )
    vocab_size: Count = Field(30_000, description="most tokens to know: the most frequent ones of training")
    min_count: Count = Field(1, description="tokens seen less often in training are unknown; not for bytes and bpe")
    max_length: Count = Field(512, description="tokens of one text; what comes after them is cut")

    @model_validator(mode="after")
    def _nothing_in_vain(self) -> TextInput:
        changed = {
            name for name in ("ngrams", "vocab_size", "min_count") if getattr(self, name) != _default(self, name)
        }
        unused = {"bytes": {"ngrams", "vocab_size", "min_count"}, "bpe": {"ngrams", "min_count"}}
        if vain := sorted(changed & unused.get(self.tokens, set())):
            raise ValueError(f"has {' and '.join(vain)}, which tokens: {self.tokens} does not use")
        if self.tokens == "bpe" and self.vocab_size < 256:
            raise ValueError(f"has vocab_size {self.vocab_size}; byte pairs start from 256 bytes, expected 256 or more")
        return self


def _default(section: Section, name: str) -> object:
    return type(section).model_fields[name].default


class NumberInput(InputSection):
    """One number per example; reaches the model as (B, 1), or (B, 2) when missing values are flagged."""

    type: Literal["number"]
    normalize: Literal["fit", "quantile", "none"] = Field(
        "fit", description="fit: mean and deviation of training; quantile: ranks in training as a normal distribution"
    )
    missing: Literal["fail", "flag"] = Field("fail", description="flag: the mean instead, and a second value for it")


class VectorInput(InputSection):
    """A fixed-size array of numbers per example, or several columns of a table; normalised by its last axis."""

    type: Literal["vector"]
    columns: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="columns of a table, side by side"
    )
    normalize: Literal["fit", "quantile", "none"] = Field("fit", description="as for a number, for each entry")
    missing: Literal["fail", "flag"] = Field(
        "fail", description="flag: the mean instead, and as many values more that say so"
    )


class CategoryInput(InputSection):
    """One of several names; reaches the model as an index (B,), for Embedding. Unseen names are index 0."""

    type: Literal["category"]
    min_count: Count = Field(1, description="names seen less often in training are unknown too")


class SetInput(InputSection):
    """Any number of names, as tags; reaches the model as indices (B, T), 0 for padding, 1 for unseen names."""

    type: Literal["set"]
    separator: str = Field("|", min_length=1, description="between the names, where they stand in one text")
    min_count: Count = Field(1, description="names seen less often in training are unknown too")


class DateInput(InputSection):
    """A day or moment: when it was, and the time of year, week and day as circles; (B, 7), or (B, 8) with a flag."""

    type: Literal["date"]
    format: str | None = Field(None, description="as for strptime: %d.%m.%Y; unix: seconds since 1970; left out: ISO")
    missing: Literal["fail", "flag"] = Field("fail", description="flag: zeros instead, and a last value that says so")


class HistoryInput(InputSection):
    """What a ranking's user chose before this row; reaches the model as a set of items does, the latest last.

    Training sees earlier training rows of the same user, validation all of training, the test both.
    """

    type: Literal["history"]
    last: Count = Field(20, description="how many choices, the latest ones")
    time: str | None = Field(
        None, description="column of the data that puts choices in order; left out: data.split.time, else the files'"
    )


InputColumn = Annotated[
    ImageInput
    | AudioInput
    | TextInput
    | NumberInput
    | VectorInput
    | CategoryInput
    | SetInput
    | DateInput
    | HistoryInput,
    Field(discriminator="type"),
]
