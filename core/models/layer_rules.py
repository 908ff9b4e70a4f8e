"""Which of torch.nn's classes may stand in a `layers` list, and what ft infers for them. Tables, no construction.

A layer maps one tensor (B, ...) to one tensor (B, ...). Everything in torch.nn that does is allowed under its own name;
the rest is adapted (`sequence.py`) or refused with the reason and a way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from torch import nn

from ft.core.models import sequence
from ft.core.models.forms import Shape

ADAPTED: Mapping[str, type[nn.Module]] = {
    "RNN": sequence.RNN,
    "LSTM": sequence.LSTM,
    "GRU": sequence.GRU,
    "MultiheadAttention": sequence.SelfAttention,
}

_REFUSED_PLACES: Mapping[str, str] = {
    "torch.nn.modules.loss": "is a loss; the output column chooses it (outputs.NAME.loss)",
    "torch.nn.modules.adaptive": "is a loss; the output column chooses it (outputs.NAME.loss)",
    "torch.nn.modules.container": "is a container; write its layers in the list, or use repeat, residual or parallel",
    "torch.nn.modules.module": "is a container; write its layers in the list, or use repeat, residual or parallel",
    "torch.nn.modules.distance": "compares two tensors, a layer has one",
    "torch.nn.parallel.data_parallel": "spreads a model over devices, it is not a layer of it",
}

_REFUSED: Mapping[str, str] = {
    "Bilinear": "takes two tensors, a layer has one; write such a network as model.python",
    "Transformer": "takes two sequences, a layer has one; use TransformerEncoderLayer in a repeat",
    "TransformerEncoder": "is a stack of modules; use repeat: {times: N, layers: [TransformerEncoderLayer: {...}]}",
    "TransformerDecoder": "takes two sequences, a layer has one; use TransformerEncoderLayer in a repeat",
    "TransformerDecoderLayer": "takes two sequences, a layer has one; use TransformerEncoderLayer",
    "RNNBase": "is the base of RNN, LSTM and GRU; use one of these",
    "RNNCellBase": "is the base of the cells; use RNN, LSTM or GRU",
    "RNNCell": "is one step of a sequence; use RNN",
    "LSTMCell": "is one step of a sequence; use LSTM",
    "GRUCell": "is one step of a sequence; use GRU",
    "SyncBatchNorm": "works across several GPUs only; use BatchNorm1d, 2d or 3d",
}

# Arguments that ft decides itself; a user's value would be ignored or break what follows.
REFUSED_ARGUMENTS: Mapping[str, str] = {
    "device": "is chosen by the experiment's device",
    "dtype": "is chosen by the experiment's precision",
    "batch_first": "is always true here: tensors are (batch, steps, features)",
    "return_indices": "would give two tensors; a layer passes one on",
    "sparse": "would give sparse gradients, which most optimizers refuse",
}

# Arguments with a default in torch that nobody should trust: Softmax picks axis 0, the batch, for three axes.
NO_DEFAULT: Mapping[str, str] = {"Softmax": "dim", "LogSoftmax": "dim", "Softmin": "dim"}

# The arguments that say how large a layer's answer is; the last of them left out comes from the output column.
SIZE_ARGUMENTS = ("out_features", "out_channels")


def layer_class(name: str) -> type[nn.Module] | None:
    """The class of that name, adapted where it has to be; None when torch.nn has none or it is refused."""
    found = getattr(nn, name, None)
    if not isinstance(found, type) or not issubclass(found, nn.Module) or refusal(name):
        return None
    return ADAPTED.get(name, found)


def refusal(name: str) -> str | None:
    """Why a class of torch.nn cannot be a layer, as the end of a sentence that begins with its name."""
    found = getattr(nn, name, None)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        return None
    if name.startswith("Lazy"):
        return f"is not needed: input sizes are inferred; write {name.removeprefix('Lazy')}"
    if name.startswith("MaxUnpool"):
        return "takes the indices of a pooling as a second tensor; use Upsample or ConvTranspose"
    return _REFUSED.get(name) or _REFUSED_PLACES.get(found.__module__)


@cache
def layer_names() -> tuple[str, ...]:
    """Every name that may be written, in alphabetical order."""
    return tuple(name for name in sorted(dir(nn)) if layer_class(name))


def is_activation(name: str) -> bool:
    """Whether `activation:` may name it: torch.nn's activations, of which MultiheadAttention is none."""
    made = layer_class(name)
    return made is not None and made.__module__ == "torch.nn.modules.activation"


# ---------------------------------------------------------------- what is inferred from the shape that arrives


def _first(shape: Shape) -> int:
    return shape[0]


def _last(shape: Shape) -> int:
    return shape[-1]


INFERRED: Mapping[str, Callable[[Shape], int]] = {
    "in_channels": _first,
    "num_channels": _first,
    "num_features": _first,
    "in_features": _last,
    "input_size": _last,
    "embed_dim": _last,
    "d_model": _last,
    "normalized_shape": _last,
}

_SEQUENCES = ("RNN", "LSTM", "GRU", "MultiheadAttention", "TransformerEncoderLayer")
_AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def wanted_shape(name: str, shape: Shape) -> str | None:
    """What a layer wants, when the number of axes that reaches it is wrong; None when it is right.

    torch takes a batch of (length, features) for one picture without a batch where a layer's name ends in 2d, and a
    batch of vectors for one sequence, and computes something; so the axes are counted here.
    """
    if name == "EmbeddingBag":
        return None if len(shape) == 1 else "(indices), as of a text or set"
    if name in _SEQUENCES:
        return None if len(shape) == 2 else "(steps, features)"
    found = re.search(r"([123])d$", name)
    if not found:
        return None
    axes = _AXES[int(found.group(1))]
    if len(shape) == 1 + len(axes) or (name == "BatchNorm1d" and len(shape) == 1):
        return None
    return f"(channels, {', '.join(axes)})"
