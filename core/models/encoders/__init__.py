"""What turns one input into a vector: (B, ...) -> (B, D). `ENCODERS` is the whole family, `DEFAULTS` who takes what.

A new encoder is one file and one line in each table. Every encoder masks padding: a text answers the same whatever
stands beside it in the batch, and an empty one answers something finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import nn

from ft.core.config.schema.model import Encoder
from ft.core.config.section import Section
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.forms import InputForm

ENCODERS: Mapping[str, str] = {
    "layers": "ft.core.models.encoders.layers:build_list",
    "embedding": "ft.core.models.encoders.embedding:build_embedding",
    "mlp": "ft.core.models.encoders.mlp:build_mlp",
    "periodic": "ft.core.models.encoders.periodic:build_periodic",
    "text": "ft.core.models.encoders.text:build_text",
    "audio": "ft.core.models.encoders.convolution:build_audio",
    "image": "ft.core.models.encoders.convolution:build_image",
    "torchvision": "ft.core.models.encoders.torchvision:build_torchvision",
}

VALUES = "values"  # the input itself, without parameters: no choice in a file, what a number gets when left out

DEFAULTS: Mapping[str, str] = {
    "number": VALUES,
    "vector": VALUES,
    "date": VALUES,
    "category": "embedding",
    "set": "embedding",
    "history": "embedding",
    "text": "text",
    "audio": "audio",
    "image": "image",
}

SUITABLE: Mapping[str, tuple[str, ...]] = {
    "number": ("mlp", "periodic", "layers"),
    "vector": ("mlp", "periodic", "layers"),
    "date": ("mlp", "periodic", "layers"),
    "category": ("embedding", "layers"),
    "set": ("embedding", "layers"),
    "history": ("embedding", "layers"),
    "text": ("text", "embedding", "layers"),
    "audio": ("audio", "layers"),
    "image": ("image", "torchvision", "layers"),
}


@dataclass(frozen=True)
class Encoding:
    """An encoder for one input. size: length D of its vectors. kind: its name in `ENCODERS`, or "values"."""

    kind: str
    module: nn.Module
    size: int


def default_encoder(form: InputForm) -> Encoder | None:
    """The encoder of an input that the file leaves out, by its type; None takes the values as they are."""
    kind = DEFAULTS[form.kind]
    return None if kind == VALUES else Encoder.model_validate({kind: {}})


def chosen(encoder: Encoder) -> tuple[str, Section | list[object]]:
    """The one kind that an encoder names, and its settings."""
    kind = next(name for name in ENCODERS if getattr(encoder, name) is not None)
    return kind, getattr(encoder, kind)


def check_encoders(encoders: Mapping[str, Encoder], forms: Mapping[str, InputForm]) -> list[Problem]:
    """Encoders of inputs that there are not, and encoders that cannot read their input."""
    problems = []
    for name, encoder in encoders.items():
        if name not in forms:
            has = f"; the inputs are {', '.join(forms)}"
            hint = did_you_mean(name, forms) or has
            problems.append(Problem(f"model.encoders.{name}: there is no input {name}{hint}", _path(name)))
        elif (kind := chosen(encoder)[0]) not in (suitable := SUITABLE[forms[name].kind]):
            message = f"{kind} cannot encode {name}, which is of type {forms[name].kind}; {_listed(suitable)} can"
            problems.append(Problem(message, _path(name, kind)))
    return problems


def build_encoder(encoder: Encoder | None, form: InputForm, name: str, device: torch.device) -> Encoding:
    """The encoder of the input `name` with fresh weights: on the CPU, or without any on the device "meta".

    encoder: as the file has it; None takes the values as they are. Raises ConfigError below model.encoders.<name>.
    """
    if encoder is None:
        return Encoding(VALUES, nn.Identity() if len(form.shape) == 1 else nn.Flatten(), math.prod(form.shape))
    kind, settings = chosen(encoder)
    module, _, function = ENCODERS[kind].partition(":")
    build = getattr(import_module(module), function)
    try:
        with torch.device("meta" if device.type == "meta" else "cpu"):
            built, size = build(settings, form, _path(name, kind))
    except ConfigError as error:
        raise ConfigError(*(_named(problem, name) for problem in error.problems)) from error
    return Encoding(kind, built, size)


def _path(*below: str) -> TreePath:
    return ("model", "encoders", *below)


def _named(problem: Problem, name: str) -> Problem:
    """Messages of encoders do not know whose they are."""
    return Problem(f"the encoder of {name}: {problem.message}", problem.path, problem.where)


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
