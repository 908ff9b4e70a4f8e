"""Lists of layers run in a cheaper way with the same answers and gradients: what a network's author need not think of.

What is written stays: the modules, their names, numbers and weights. Only the way an `nn.Sequential` calls its children
changes, decided from their classes, so a rewritten network is trained, frozen, saved and shown as before.

    max-pool before ReLU, ReLU6, Hardtanh   the largest of activated values is the activated largest, and activation
                                            and gradient touch a quarter of the values
    ReLU in place                           where the layer before it keeps its own answer for nothing
    Flatten                                 its gradient takes the memory layout of its input
    max-pool of 2 by 2 as maxima            on a CPU, where nobody asks for its gradient
    convolution and norm as one             in float32, where neither learns and the norm's statistics stand still

All but the last give the same bits; that one rounds otherwise, by some 1e-6 of the largest answer. A layer with a hook,
or whose `forward` somebody replaced, is called as it is written, and so is a list whose class runs in a way of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ft.core.models.composites import Residual

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)
_MONOTONE = (nn.ReLU, nn.ReLU6, nn.Hardtanh)  # others round: of two values that become one, one is no longer larger
_READERS = (*_CONVOLUTIONS, *_NORMS, nn.Linear, nn.LayerNorm, nn.GroupNorm)  # answer anew, and leave their input alone
_PASSING = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)  # may hand their input on
# Each answers with a tensor of its own that its gradient does not need.
_FRESH = (*_CONVOLUTIONS, *_NORMS, *_POOLS, nn.Linear, nn.LayerNorm, nn.GroupNorm, Residual)

KEEPS_LAYOUT = "Flatten keeps the memory layout"  # told of a network whose channels lie last

Kind: TypeAlias = "type[nn.Module] | None"  # None: a layer that is called as it is written, whatever stands beside it
Call: TypeAlias = "Callable[..., Tensor]"  # of a tensor and one or two layers


@dataclass(frozen=True)
class _Step:
    """What is called, on the children of which places. told: how that differs from what is written, else ""."""

    call: Call
    places: tuple[int, ...]
    told: str = ""


class _Runner:
    """Stands for the `forward` of one list of layers: runs it by a plan that their classes decide."""

    def __init__(self, layers: nn.Sequential) -> None:
        self._layers = layers

    def __call__(self, x: Any) -> Any:
        children = tuple(self._layers._modules.values())
        for step in _plan(tuple(map(_kind, children))):
            x = step.call(x, *[children[place] for place in step.places])
        return x


def rewrite(module: nn.Module) -> None:
    """Let every list of layers in the module, itself among them, run in the cheaper way. In place."""
    for part in module.modules():
        if isinstance(part, nn.Sequential) and _runs_plainly(type(part)) and "forward" not in part.__dict__:
            part.__dict__["forward"] = _Runner(part)


def run_as_written(module: nn.Module) -> None:
    """Undo `rewrite`, for what looks at each layer: exporters, say. In place."""
    for part in module.modules():
        if is_rewritten(part):
            del part.__dict__["forward"]


def is_rewritten(module: nn.Module) -> bool:
    """Whether it is a list of layers that runs in the cheaper way."""
    return isinstance(module.__dict__.get("forward"), _Runner)


def rewrites(module: nn.Module) -> list[str]:
    """What is done otherwise than written, a phrase each, as "max-pool before its activation"."""
    lists = [part for part in module.modules() if is_rewritten(part)]
    steps = [step for part in lists for step in _plan(tuple(map(_kind, part.children())))]
    return list(dict.fromkeys(step.told for step in steps if step.told))


def _runs_plainly(kind: type[nn.Sequential]) -> bool:
    """Whether a class of the user's calls its children one after another, as torch does."""
    return kind.forward is nn.Sequential.forward and kind.__iter__ is nn.Sequential.__iter__


# ---------------------------------------------------------------- the plan


def _kind(layer: nn.Module) -> Kind:
    """Its class; None for one that must be called as it is written."""
    own = layer.__dict__  # asking the module itself for what it lacks takes a microsecond
    if own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"] or own["_backward_pre_hooks"]:
        return None
    kind = type(layer)
    changes = own.get("inplace") is True and kind not in _MONOTONE
    indexed = kind in _POOLS and own.get("return_indices") is True
    return None if changes or indexed or "forward" in own else kind


@cache
def _plan(kinds: tuple[Kind, ...]) -> tuple[_Step, ...]:
    """Steps that call every place once."""
    order = _pools_first(kinds)
    return tuple(_joined(kinds, list(_steps(kinds, order))))


def _pools_first(kinds: Sequence[Kind]) -> list[int]:
    """The places, every max-pool before the monotone activation that it is written behind."""
    order = list(range(len(kinds)))
    for place in range(1, len(order)):
        before, here = order[place - 1], order[place]
        if kinds[before] in _MONOTONE and kinds[here] in _POOLS and _is_read(kinds[place + 1 :]):
            order[place - 1], order[place] = here, before
    return order


def _is_read(following: Sequence[Kind]) -> bool:
    """Whether what comes out is only read: an activation's gradient needs its answer, which a max-pool's does not, so
    nobody may change it, neither a layer in place nor whoever gets the list's answer.
    """
    for kind in following:
        if kind not in _PASSING:
            return kind in _READERS
    return False


def _steps(kinds: Sequence[Kind], order: Sequence[int]) -> Iterator[_Step]:
    """One for each place."""
    before: Kind = None
    for position, place in enumerate(order):
        kind = kinds[place]
        if kind is nn.ReLU and before in _FRESH:
            yield _Step(_relu_in_place, (place,), "ReLU in place")
        elif kind is nn.Flatten:
            yield _Step(_flatten, (place,), KEEPS_LAYOUT)
        else:
            told = "max-pool before its activation" if place > position else ""
            yield _Step(_max_pool if kind is nn.MaxPool2d else _call, (place,), told)
        before = kind


def _joined(kinds: Sequence[Kind], steps: Sequence[_Step]) -> Iterator[_Step]:
    """A convolution and the norm behind it as one step."""
    waiting: _Step | None = None
    for step in steps:
        kind = kinds[step.places[0]]
        if waiting is not None and kind in _NORMS:
            told = "convolution and norm as one in float32 evaluation"
            yield _Step(_conv_norm, (*waiting.places, *step.places), told)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = step if kind in _CONVOLUTIONS else None
        if waiting is None:
            yield step
    if waiting is not None:
        yield waiting


# ---------------------------------------------------------------- what is called


def _call(x: Tensor, layer: nn.Module) -> Tensor:
    return layer(x)  # type: ignore[no-any-return]


def _relu_in_place(x: Tensor, _: nn.Module) -> Tensor:
    return functional.relu_(x)


def _flatten(x: Tensor, layer: nn.Flatten) -> Tensor:
    whole = x.dim() == 4 and layer.start_dim == 1 and layer.end_dim in (-1, 3)
    if whole and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
        return _Flattened.apply(x)  # type: ignore[no-any-return, no-untyped-call]
    return layer(x)  # type: ignore[no-any-return]


class _Flattened(torch.autograd.Function):
    """(B, C, H, W) -> (B, C * H * W), of channels last, with a gradient that has them last too; torch's has not."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.flatten(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ARG004 - torch's signature
        ctx.shape = inputs[0].shape

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.reshape(ctx.shape).contiguous(memory_format=torch.channels_last)


def _max_pool(x: Tensor, layer: nn.MaxPool2d) -> Tensor:
    """Without a gradient nobody needs to know which value was the largest; comparing whole rows is twice as fast."""
    learns = torch.is_grad_enabled() and x.requires_grad
    if learns or x.device.type != "cpu" or x.dim() != 4 or not _halves(layer):
        return layer(x)  # type: ignore[no-any-return]
    if not x.is_contiguous(memory_format=torch.channels_last):
        return layer(x)  # type: ignore[no-any-return]
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    rows = torch.maximum(x[:, :, 0:height:2, :width], x[:, :, 1:height:2, :width])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


def _halves(pool: nn.MaxPool2d) -> bool:
    """Whether its windows are 2 by 2, side by side, all within the picture."""
    plain = pool.padding in (0, (0, 0)) and pool.dilation in (1, (1, 1)) and not pool.ceil_mode
    return plain and pool.kernel_size in (2, (2, 2)) and pool.stride in (2, (2, 2))


def _conv_norm(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """As one convolution where nothing of the two learns, the norm's statistics are fixed, and nothing is rounded."""
    mean, variance = norm.running_mean, norm.running_var
    weights = (conv.weight, conv.bias, norm.weight, norm.bias)
    learns = torch.is_grad_enabled() and any(weight is not None and weight.requires_grad for weight in weights)
    coarse = torch.is_autocast_enabled(x.device.type)
    if norm.training or mean is None or variance is None or learns or coarse:
        return norm(conv(x))  # type: ignore[no-any-return]
    weight, bias = fuse_conv_bn_weights(conv.weight, conv.bias, mean, variance, norm.eps, norm.weight, norm.bias)
    return conv._conv_forward(x, weight, bias)  # type: ignore[no-any-return]
