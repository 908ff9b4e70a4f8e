"""The blocks of a network that somebody else wrote, in the order they run: what becomes its numbered units.

The rule, for a network of any library: a plain container (Sequential, ModuleList, ModuleDict) is opened, and so is
whatever holds one stack of blocks, that is a container with two or more modules of one class that have a forward of
their own: so ViT's encoder is opened and its layers are the blocks, while an Inception block, whose branches are two
such stacks side by side, stays whole. Everything else is one block: `layer1.0` of a ResNet,
`features.3` of a VGG, a convolution with its norm and activation where the library made them one. What lies on the way
to the last layer is opened as well, so that the last layer stands alone. An activation belongs to the block before it,
and Identity is left out. What never ran stays where it was written, behind the one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from ft.core.models.units import Unit

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_ACTIVATIONS = tuple(
    kind
    for kind in vars(activation).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and kind not in (nn.Module, nn.MultiheadAttention)
)


@dataclass
class _Block:
    """parts: module paths with their modules; an activation is the second. order, shape: as it ran, None if never."""

    parts: list[tuple[str, nn.Module]]
    order: int | None = None
    shape: tuple[int, ...] | None = None


@dataclass
class _Ran:
    """When each module first answered, and what: without the batch."""

    order: dict[nn.Module, int] = field(default_factory=dict)
    shapes: dict[nn.Module, tuple[int, ...]] = field(default_factory=dict)

    def hook(self, module: nn.Module, _inputs: Any, answer: Any) -> None:
        self.order.setdefault(module, len(self.order))
        if isinstance(answer, Tensor):
            self.shapes[module] = tuple(answer.shape[1:])


def units_of(module: nn.Module, run: Callable[[], Any], opened: tuple[str, ...]) -> list[Unit]:
    """The units of a network, which together own all of its parameters and buffers.

    run: calls the module once. opened: paths of last layers; what they lie in is opened.
    """
    blocks = list(_blocks(module, "", opened))
    ran = _watched([part for block in blocks for _, part in block.parts], run)
    ordered = _in_order(blocks, ran)
    own = _ownerless(module, ordered)
    units = []
    for index, block in enumerate(ordered):
        names, modules = [name for name, _ in block.parts], tuple(part for _, part in block.parts)
        prefixes = (*names, *own) if index == 0 else tuple(names)
        kind = " + ".join(type(part).__name__ for part in modules)
        shape = next((ran.shapes[part] for part in reversed(modules) if part in ran.shapes), None)
        units.append(Unit(index, names[0], kind, modules, prefixes, shape))
    return units


def _blocks(module: nn.Module, path: str, opened: tuple[str, ...]) -> Iterator[_Block]:
    """In the order they are written."""
    last: _Block | None = None
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if isinstance(child, nn.Identity):
            continue
        if last is not None and isinstance(child, _ACTIVATIONS):
            last.parts.append((inner, child))
        elif _is_opened(child, inner, opened):
            yield from [last] if last else []
            last = None
            yield from _blocks(child, inner, opened)
        else:
            yield from [last] if last else []
            last = _Block([(inner, child)])
    yield from [last] if last else []


def _is_opened(module: nn.Module, path: str, opened: tuple[str, ...]) -> bool:
    if any(place.startswith(f"{path}.") for place in opened) or type(module) in _CONTAINERS:
        return any(True for _ in module.children())
    return _is_stack(module) or sum(_is_stack(child) for child in module.children()) == 1


def _is_stack(module: nn.Module) -> bool:
    """Whether a container holds two or more blocks of one class."""
    if not isinstance(module, _CONTAINERS):
        return False
    kinds = Counter(type(child) for child in module.children() if _is_block(child))
    return any(count >= 2 for count in kinds.values())


def _is_block(module: nn.Module) -> bool:
    """Neither a layer of torch's, nor a mere row of layers."""
    has_parts = any(True for _ in module.children())
    runs_in_order = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    return has_parts and not runs_in_order and not type(module).__module__.startswith("torch.nn.")


def _watched(modules: list[nn.Module], run: Callable[[], Any]) -> _Ran:
    ran = _Ran()
    handles = [module.register_forward_hook(ran.hook) for module in modules]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return ran


def _in_order(blocks: list[_Block], ran: _Ran) -> list[_Block]:
    """Sorted by when they first ran; one that never ran follows the one it was written behind."""
    keys, latest = [], -1
    for block in blocks:
        latest = ran.order.get(block.parts[0][1], latest)
        keys.append(latest)
    return [block for _, block in sorted(zip(keys, blocks, strict=True), key=lambda pair: pair[0])]


def _ownerless(module: nn.Module, blocks: list[_Block]) -> tuple[str, ...]:
    """Parameters and buffers outside of all blocks, as a class token: the first unit's."""
    prefixes = tuple(f"{name}." for block in blocks for name, _ in block.parts)
    names = dict.fromkeys(
        [*(name for name, _ in module.named_parameters(remove_duplicate=False)), *module.state_dict()]
    )
    return tuple(name for name in names if not name.startswith(prefixes))


def last_layer(module: nn.Module) -> str:
    """The path of the last linear layer, or of the convolution that stands for one; "" where there is neither."""
    places = [name for name, part in module.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    return places[-1] if places else ""


def no_grad_in_eval(module: nn.Module, run: Callable[[], Any]) -> Any:
    """What `run` gives while the module is in eval mode: it draws nothing and counts nothing."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            return run()
    finally:
        module.train(training)
