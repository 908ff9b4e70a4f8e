"""A network with adapters: which layers got one, what still learns, and its weights with the adapters merged in.

Reads and writes no file (`adapter_file.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from ft.core.adapt.lora import AdaptedLayer, adapt_layer, adapted
from ft.core.adapt.patterns import UnitLike
from ft.core.adapt.targets import candidates, choose
from ft.core.errors import TreePath


@dataclass(frozen=True)
class Adapters:
    """How a network was adapted: all that its weights do not say, in plain values.

    layers: paths of the layers that have an adapter. heads: paths of those that learn wholly. alpha: as LoRA has it;
    the change is scaled by alpha / rank.
    """

    rank: int
    alpha: float
    dropout: float
    dora: bool
    layers: tuple[str, ...]
    heads: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self) | {"layers": list(self.layers), "heads": list(self.heads)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Adapters:
        """What `to_dict` gave. Raises TypeError or KeyError for something else."""
        return cls(**{**values, "layers": tuple(values["layers"]), "heads": tuple(values["heads"])})


@dataclass(frozen=True)
class AdapterReport:
    """What was adapted.

    held: paths of norm layers, which stay in eval mode as the weights around them stay. values: of the adapters;
    learning, total: of the whole network. left_out: "path: why" of layers that the targets name.
    """

    adapters: Adapters
    held: tuple[str, ...]
    left_out: tuple[str, ...]
    values: int
    learning: int
    total: int

    def lines(self) -> list[str]:
        """For people: the sum comes last."""
        it = self.adapters
        kind, heads = "DoRA" if it.dora else "LoRA", list(it.heads)
        return [
            f"{kind} of rank {it.rank}, alpha {it.alpha:g}, beside {_few(it.layers)}: {self.values:,} values",
            *([f"learns wholly, as the last layer: {', '.join(heads)}"] if heads else []),
            *(f"without an adapter: {each}" for each in self.left_out),
            f"learning: {self.learning:,} of {self.total:,} values; all others are frozen",
        ]


def add_adapters(
    module: nn.Module,
    units: Sequence[UnitLike],
    heads: Collection[str],
    frozen: Collection[str],
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    target: Sequence[str] | None = None,
    *,
    dora: bool = False,
    path: TreePath = ("finetune", "lora"),
) -> AdapterReport:
    """Adapt layers in place; then nothing learns but the adapters and the heads, as far as those did before.

    heads: paths of the last layers. frozen: paths of modules that stay wholly as they are. target: patterns; None:
    every layer that can be adapted, but heads and depthwise convolutions. Draws from torch's global CPU generator.

    Raises ConfigError, with the table of layers, where a target names none that can be adapted.
    """
    every = candidates(module, heads, frozen)
    named = choose(units, module, every, target, (*path, "target") if target else path)
    last = {module.get_submodule(head) for head in heads}
    for layer in module.modules():
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(parameter.requires_grad and layer in last)
    learning = {layer for layer in last if any(p.requires_grad for p in layer.parameters())}
    for each in named:
        if not each.why_not:
            adapt_layer(module.get_submodule(each.path), rank, alpha, dropout, dora=dora)
    names = list(module.named_modules(remove_duplicate=False))  # a layer that is used twice has two names in a file
    layers = tuple(name for name, layer in names if isinstance(layer, AdaptedLayer))
    values = sum(p.numel() for name, p in module.named_parameters() if is_adapter(name, layers))
    parameters = list(module.parameters())
    return AdapterReport(
        Adapters(rank, alpha, dropout, dora, layers, tuple(name for name, layer in names if layer in learning)),
        tuple(name for name, each in module.named_modules() if isinstance(each, nn.modules.batchnorm._NormBase)),
        tuple(f"{each.path}: {each.why_not}" for each in named if each.why_not),
        values,
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.numel() for p in parameters),
    )


def last_module(module: nn.Module, prefixes: Sequence[str]) -> str | None:
    """The path of the last module at or below these that has a matrix of its own: what answers."""
    found = [
        name
        for name, each in module.named_modules()
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
        and any(parameter is not None and parameter.dim() >= 2 for parameter in each._parameters.values())
    ]
    return found[-1] if found else None


# ---------------------------------------------------------------- weights


def is_adapter(key: str, layers: Collection[str]) -> bool:
    """Whether a name of the state dict belongs to the adapter of one of the layers, and not to its base."""
    owner, found, _ = key.rpartition(".lora_")
    return bool(found) and owner in layers


def merged_weights(weights: Mapping[str, Tensor], adapters: Adapters) -> dict[str, Tensor]:
    """The state dict of the network without adapters that answers as this one does: W' where W was.

    Computed in float64, stored as the base was. Raises KeyError where an adapter's tensors are not all there.
    """
    parts = {key for key in weights if key.rpartition(".lora_")[1]}
    layers = [
        owner for owner in dict.fromkeys(key.rpartition(".lora_")[0] for key in parts) if f"{owner}.weight" in weights
    ]
    plain = {key: value for key, value in weights.items() if key.rpartition(".lora_")[0] not in layers}
    scale = adapters.alpha / adapters.rank
    for layer in layers:
        table = f"{layer}.lora_embedding_A" in weights
        names = ("lora_embedding_A", "lora_embedding_B") if table else ("lora_A.weight", "lora_B.weight")
        a, b = (weights[f"{layer}.{name}"].double() for name in names)
        magnitude = weights[f"{layer}.lora_magnitude_vector"].double() if adapters.dora else None
        base = weights[f"{layer}.weight"]
        plain[f"{layer}.weight"] = adapted(base.double(), a, b, scale, magnitude, table=table).to(base.dtype)
    return plain


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
