"""Encoders, their fusion, a body and a head for each output, as one module and its numbered units.

    {input: (B, ...)} -> encoders -> fusion -> body -> {output: (B, size)}

With `fusion: dot` the product of two towers is the only output's answer, and there is neither body nor head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ft.core.config.schema.model import DotFusion, EmbeddingEncoder, Encoder, ModelSection
from ft.core.errors import ConfigError, Problem
from ft.core.models.encoders import Encoding, build_encoder, check_encoders, default_encoder
from ft.core.models.forms import InputForm
from ft.core.models.fusion import FUSIONS, Concat
from ft.core.models.layers import build_layers
from ft.core.models.network import Network
from ft.core.models.towers import Dot, RankingSides, build_factor, choose_sides, encode_side, is_factor
from ft.core.models.units import Unit


class EncoderNetwork(nn.Module):
    """One input by position or by its name, several by their names -> {output: float (B, size)}.

    The names of children are fit for torch (`child_names`); inputs and outputs keep theirs.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        fusion: nn.Module,
        body: nn.Module | None,
        heads: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(encoders), tuple(heads)
        self.encoders = _children(encoders)
        self.fusion, self.body = fusion, body
        self.heads = _children(heads)

    def forward(self, *alone: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
        arriving = alone or [inputs[name] for name in self.inputs]
        vectors = [encoder(x) for encoder, x in zip(self.encoders.values(), arriving, strict=True)]
        fused = self.fusion(vectors)  # (B, D)
        if self.body is not None:
            fused = self.body(fused)
        return {name: head(fused) for name, head in zip(self.outputs, self.heads.values(), strict=True)}


class TowerNetwork(nn.Module):
    """Inputs by their names -> {output: (B, 1)}, or (B, C) where the right side's inputs have an axis of candidates.

    axes: of each input's batch without that axis.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        axes: Mapping[str, int],
        sides: tuple[tuple[str, ...], tuple[str, ...]],
        fusion: Dot,
        output: str,
    ) -> None:
        super().__init__()
        self.encoders = _children(encoders)
        self.fusion, self.output = fusion, output
        child = child_names(encoders)
        self._sides = [(names, [child[name] for name in names], [axes[name] for name in names]) for names in sides]

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        left, right = (
            encode_side([self.encoders[child] for child in children], names, axes, inputs)
            for names, children, axes in self._sides
        )
        return {self.output: self.fusion(left, right)}


def build_encoder_network(
    model: ModelSection,
    forms: Mapping[str, InputForm],
    head_sizes: Mapping[str, int],
    device: torch.device,
    ranking: RankingSides | None,
) -> Network:
    """The network with fresh weights, drawn in the order of its units. Arguments and errors as for `build_network`."""
    named = model.encoders or {}
    if problems := check_encoders(named, forms):
        raise ConfigError(*problems)
    encoders = {name: named[name] if name in named else default_encoder(form) for name, form in forms.items()}
    if model.fusion is not None and model.fusion.dot is not None:
        return _towers(model, model.fusion.dot, encoders, forms, head_sizes, device, ranking)
    encodings = {name: build_encoder(encoder, forms[name], name, device) for name, encoder in encoders.items()}
    units = _encoder_units(encodings)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        kind, fusion, size = _fusion(model, {name: it.size for name, it in encodings.items()})
    if len(forms) > 1 or any(True for _ in fusion.parameters()):
        units.append(_unit(units, "fusion", kind, (fusion,), (size,)))
    body = None
    if model.body is not None:
        body, size = _body(model.body, size, device, units)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        heads = {name: nn.Linear(size, wanted) for name, wanted in head_sizes.items()}
    children = child_names(heads)
    for name, head in heads.items():
        units.append(_unit(units, f"heads.{children[name]}", "Linear", (head,), (head.out_features,)))
    module = EncoderNetwork({name: it.module for name, it in encodings.items()}, fusion, body, heads)
    last = {name: (f"heads.{child}",) for name, child in children.items()}
    return Network(module.to(device), units, tuple(forms), tuple(heads), heads=last)


def _fusion(model: ModelSection, sizes: Mapping[str, int]) -> tuple[str, nn.Module, int]:
    """Its kind, the module and the length of its answer; concat when the file names none."""
    children = child_names(sizes)
    by_child = {children[name]: size for name, size in sizes.items()}
    for kind, build in FUSIONS.items():
        settings = getattr(model.fusion, kind, None)
        if settings is not None:
            return kind, *build(settings, by_child)
    return "concat", Concat(), sum(sizes.values())


def _body(items: list[object], size: int, device: torch.device, units: list[Unit]) -> tuple[nn.Module, int]:
    """The layers between fusion and heads, each a unit of its own."""
    sequence, inner = build_layers(items, InputForm("vector", (size,)), None, device, path=("model", "body"))
    shape = inner[-1].output_shape
    if shape is None or len(shape) != 1:
        end = f"it gives ({', '.join(map(str, shape or ()))}) for each example"
        raise ConfigError(
            Problem(f"model.body should end with one axis, for the heads; {end}: add Flatten", ("model", "body"))
        )
    for unit in inner:
        prefixes = tuple(f"body.{prefix}" for prefix in unit.prefixes)
        units.append(Unit(len(units), f"body.{unit.name}", unit.kind, unit.modules, prefixes, unit.output_shape))
    return sequence, shape[0]


# ---------------------------------------------------------------- two towers


def _towers(
    model: ModelSection,
    settings: DotFusion,
    encoders: Mapping[str, Encoder | None],
    forms: Mapping[str, InputForm],
    head_sizes: Mapping[str, int],
    device: torch.device,
    ranking: RankingSides | None,
) -> Network:
    _check_towers(model, head_sizes)
    sides = choose_sides(settings, tuple(forms), ranking)
    factors = {names[0] for names in sides if len(names) == 1 and is_factor(_embedding(encoders[names[0]]))}
    encodings = {
        name: _factor(encoder, forms[name], settings, device)
        if name in factors
        else build_encoder(encoder, forms[name], name, device)
        for name, encoder in encoders.items()
    }
    left, right = (None if names[0] in factors else sum(encodings[name].size for name in names) for names in sides)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        fusion = Dot(left, right, settings.dim, bias=settings.bias, dropout=settings.dropout)
    units = _encoder_units(encodings)
    units.append(_unit(units, "fusion", "dot", (fusion,), (1,)))
    (output,) = head_sizes
    axes = {name: 1 + len(form.shape) for name, form in forms.items()}
    module = TowerNetwork({name: it.module for name, it in encodings.items()}, axes, sides, fusion, output)
    return Network(module.to(device), units, tuple(forms), (output,), heads={output: ()})


def _check_towers(model: ModelSection, head_sizes: Mapping[str, int]) -> None:
    """The product of two towers is one number, and the answer."""
    dot, body = ("model", "fusion"), ("model", "body")
    if len(head_sizes) != 1:
        message = f"dot answers one output, this experiment has {len(head_sizes)} ({', '.join(head_sizes)})"
        raise ConfigError(Problem(f"{message}; keep one of them, or use another fusion", dot))
    ((output, size),) = head_sizes.items()
    if size != 1:
        message = f"dot answers with one number and {output} needs {size}; of two classes one number can tell"
        raise ConfigError(Problem(f"{message} (loss: binary_cross_entropy), else use another fusion", dot))
    if model.body is not None:
        message = "dot's answer is the output's, so no layers come after it; give the encoders layers instead"
        raise ConfigError(Problem(message, body))


def _embedding(encoder: Encoder | None) -> EmbeddingEncoder | None:
    return None if encoder is None else encoder.embedding


def _factor(encoder: Encoder | None, form: InputForm, settings: DotFusion, device: torch.device) -> Encoding:
    embedding = _embedding(encoder)
    assert embedding is not None
    with torch.device("meta" if device.type == "meta" else "cpu"):
        return Encoding("embedding", build_factor(embedding, form, settings), settings.dim + settings.bias)


# ---------------------------------------------------------------- names and units


def child_names(names: Iterable[str]) -> dict[str, str]:
    """Each name as a child of a module may be called: no dots, nothing that modules have themselves (`type`, `half`).

    Other names stay as they are, so state dicts read like the file.
    """
    taken: dict[str, str] = {}
    plain = nn.ModuleDict()
    for name in names:
        child = name.replace(".", "_")
        while hasattr(plain, child) or child in taken.values():
            child += "_"
        taken[name] = child
    return taken


def _children(modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
    children = child_names(modules)
    return nn.ModuleDict({children[name]: module for name, module in modules.items()})


def _encoder_units(encodings: Mapping[str, Encoding]) -> list[Unit]:
    units: list[Unit] = []
    for name, child in child_names(encodings).items():
        it = encodings[name]
        units.append(_unit(units, f"encoders.{child}", it.kind, (it.module,), (it.size,)))
    return units


def _unit(before: Sequence[Unit], name: str, kind: str, modules: tuple[nn.Module, ...], shape: tuple[int, ...]) -> Unit:
    return Unit(len(before), name, kind, modules, (name,), shape)
