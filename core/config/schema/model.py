"""The `model` section: a list of layers, a library's network, a function of the user's, or encoders and a fusion."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from ft.core.config.section import Count, Section

ONE_KIND = "x-one-kind"  # marks such mappings in the JSON Schema
Dropout = Annotated[float, Field(ge=0, lt=1)]


def _named(choice: Any) -> Any:
    """`gated`, or `gated:` alone, is read as `gated: {}`; resolved files write the others as null."""
    if isinstance(choice, str):
        return {choice: {}}
    alone = isinstance(choice, dict) and len(choice) == 1
    return {kind: {} if given is None else given for kind, given in choice.items()} if alone else choice


class OneOf(Section):
    """A mapping that names exactly one of several kinds."""

    model_config = ConfigDict(json_schema_extra={ONE_KIND: True})

    @model_validator(mode="after")
    def _one_kind(self) -> OneOf:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise ValueError(f"names {' and '.join(given) or 'no kind'}; expected one of {kinds}")
        return self


# ---------------------------------------------------------------- encoders


class EmbeddingEncoder(Section):
    """A learned vector for each category; for a set or a text the mean of its members' vectors."""

    dim: Count | None = Field(None, description="left out: 1.6 times the number of categories to the power 0.56, <= 64")
    dropout: Dropout = 0.0


class MlpEncoder(Section):
    """Linear layers with ReLU, for numbers, vectors and dates."""

    width: Count = 64
    depth: Count = 1
    dropout: Dropout = 0.0


class PeriodicEncoder(Section):
    """Each number as sines and cosines of learned frequencies, then a linear layer (Gorishniy et al. 2022)."""

    frequencies: Count = 16
    sigma: float = Field(0.1, gt=0, description="spread of the frequencies at the start")
    dim: Count = Field(8, description="values for each number")


class TextEncoder(Section):
    """Embedded tokens, brought into one vector."""

    dim: Count = Field(64, description="of a token's vector")
    kind: Literal["mean", "conv", "gru", "transformer"] = Field(
        "mean", description="mean of the vectors; conv: windows and their maximum (Kim 2014); gru: both directions"
    )
    width: Count = Field(64, description="conv: channels of each window; gru: state each way; transformer: unused")
    windows: Annotated[list[Count], Field(min_length=1)] = Field([3, 4, 5], description="conv: tokens in each window")
    depth: Count = Field(1, description="gru and transformer: layers")
    heads: Count = Field(4, description="transformer: attention heads")
    dropout: Dropout = 0.0


class AudioEncoder(Section):
    """Convolutions over mel and time, halved after each, then the mean over time."""

    channels: Annotated[list[Count], Field(min_length=1)] = Field([16, 32, 64], description="of each block")
    dropout: Dropout = 0.0


class ImageEncoder(Section):
    """Convolutions, halved after each, then the mean over the picture."""

    channels: Annotated[list[Count], Field(min_length=1)] = Field([32, 64], description="of each block")
    dropout: Dropout = 0.0


class TorchvisionEncoder(Section):
    """A model of torchvision without its classifier, with fresh weights; model.weights brings others."""

    name: str = Field(description="e.g. resnet18")
    args: dict[str, Any] = Field(default_factory=dict, description="arguments of that model")


class Encoder(OneOf):
    """What turns one input into a vector."""

    layers: list[Any] | None = Field(None, min_length=1, description="torch.nn's names; what comes out is flattened")
    embedding: EmbeddingEncoder | None = None
    mlp: MlpEncoder | None = None
    periodic: PeriodicEncoder | None = None
    text: TextEncoder | None = None
    audio: AudioEncoder | None = None
    image: ImageEncoder | None = None
    torchvision: TorchvisionEncoder | None = None


# ---------------------------------------------------------------- fusion


class ConcatFusion(Section):
    """The encoders' vectors side by side."""

    dropout: Dropout = 0.0


class SumFusion(Section):
    """Each brought to one size by a linear layer, then added."""

    dim: Count = 128
    dropout: Dropout = 0.0


class GatedFusion(Section):
    """Each brought to one size and weighed, value by value, by what all inputs say (Arevalo et al. 2017)."""

    dim: Count = 128
    dropout: Dropout = 0.0


class AttentionFusion(Section):
    """Each brought to one size; one layer of attention among the inputs, then their mean."""

    dim: Count = 128
    heads: Count = 4
    dropout: Dropout = 0.0


class DotFusion(Section):
    """Two towers: the product of two vectors, plus what each side brings alone, is the one answer."""

    left: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="inputs of one tower; left out: the first, or what describes a ranking's user"
    )
    right: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="inputs of the other; left out: the second, or a ranking's item"
    )
    dim: Count = Field(32, description="length of the two vectors")
    bias: bool = Field(True, description="each side also has a value of its own that is added")
    dropout: Dropout = 0.0


class Fusion(OneOf):
    """How the encoders' vectors become one."""

    concat: ConcatFusion | None = None
    sum: SumFusion | None = None
    gated: GatedFusion | None = None
    attention: AttentionFusion | None = None
    dot: DotFusion | None = None


# ---------------------------------------------------------------- the section


class NamedModel(Section):
    """A network of a library by its name, with arguments."""

    name: str = Field(description="e.g. resnet18")
    args: dict[str, Any] = Field(default_factory=dict, description="arguments of that model, in the library's words")


class ModelSection(Section):
    """The network: a list of layers, a library's classifier by name, a function of the user's own, or encoders, their
    fusion and a head per output. And the weights it starts from."""

    layers: list[Any] | None = Field(None, min_length=1, description="torch.nn's names and arguments, in order")
    torchvision: NamedModel | str | None = Field(None, description="a classifier of torchvision, e.g. resnet18")
    timm: NamedModel | str | None = Field(None, description="a classifier of timm, e.g. convnext_tiny.fb_in1k")
    python: str | None = Field(None, description="FILE.py:FUNCTION that returns a torch.nn.Module")
    args: dict[str, Any] = Field(default_factory=dict, description="arguments of that function")
    encoders: dict[str, Encoder] | None = Field(
        None, description="input: what turns it into a vector; for inputs left out their type decides"
    )
    fusion: Fusion | None = Field(None, description="concat, sum, gated, attention or dot; left out: concat")
    body: list[Any] | None = Field(None, min_length=1, description="layers between fusion and heads")
    weights: str | None = Field(
        None,
        description="starting weights: a checkpoint, run, state dict or .safetensors file, an https URL of one, or a "
        "library's own by name: DEFAULT, IMAGENET1K_V1",
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        description="names in foreign weights: old: new, of a part and all below it; * is any text, kept in new's *",
    )
    require_loaded: float = Field(
        0.5, ge=0, le=1, description="share of the network's values that weights must bring, a new last layer aside"
    )

    @field_validator("rename")
    @classmethod
    def _stars_have_a_source(cls, rename: dict[str, str]) -> dict[str, str]:
        for old, new in rename.items():
            if new.count("*") > old.count("*"):
                raise ValueError(f"has {old}: {new}, with more * on the right than on the left to take them from")
        return rename

    @field_validator("encoders", mode="before")
    @classmethod
    def _kinds(cls, encoders: Any) -> Any:
        return {k: _named(v) for k, v in encoders.items()} if isinstance(encoders, dict) else encoders

    @field_validator("fusion", mode="before")
    @classmethod
    def _kind(cls, fusion: Any) -> Any:
        return _named(fusion)

    @model_validator(mode="after")
    def _one_form(self) -> ModelSection:
        encodes = {"encoders": self.encoders, "fusion": self.fusion, "body": self.body}
        parts = [name for name, value in encodes.items() if value is not None]
        whole = (self.layers, self.torchvision, self.timm, self.python)
        if sum([*(form is not None for form in whole), bool(parts)]) != 1:
            kinds = "layers, torchvision, timm, python or encoders (with fusion and body)"
            raise ValueError(f"needs one of {kinds}, and only one")
        if self.args and self.python is None:
            raise ValueError("has args, which only a python model takes")
        return self
