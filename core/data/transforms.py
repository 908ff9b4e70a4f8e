"""torchvision.transforms.v2 by name and with its own arguments, for training pictures: what augment.py does not know.

They change one picture at a time, uint8 (C, H, W), before all that augment.py does to the batch. They draw from torch's
global generators; those are seeded for each picture from (seed, epoch, example) and put back after the batch, so a
picture's change is the same in any batch and after any resume.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ft.core.config.named import Named, split_named, unknown_argument
from ft.core.config.suggest import did_you_mean
from ft.core.data.augment import Draws
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.runtime.torchvision import import_torchvision

Transform: TypeAlias = Callable[[Tensor], Tensor]

TRIES = 8  # of a transform before training: some change a picture only now and then
GREY = 128
_ELSEWHERE = {
    "MixUp": "mixes examples; that is train.mixup",
    "CutMix": "mixes examples; that is train.cutmix",
    "Normalize": "is done after all changes; that is the input's normalize",
}
_WORDS = {"interpolation": "InterpolationMode", "policy": "AutoAugmentPolicy"}  # arguments that are enumerations


def build_transforms(listed: Sequence[Any], shape: tuple[int, int, int], path: TreePath) -> Transform:
    """One function of the transforms in their order, tried out on a grey picture of `shape` = (C, H, W).

    Raises ConfigError, with the place below `path`, for unknown names and arguments and where all of them together do
    not give back a picture of that shape, uint8.
    """
    chain = [_build(named, (*path, place)) for place, named in enumerate(listed)]
    picture = torch.full(shape, GREY, dtype=torch.uint8)
    _try(chain, picture, path)
    return lambda pixels: _in_turn(chain, pixels)


def transformed(pictures: Tensor, draws: Draws, transform: Transform) -> Tensor:
    """uint8 (B, C, H, W) -> the same, changed; on a CUDA device there, else on the CPU.

    torch's generators are afterwards as they were before.
    """
    device = pictures.device
    here = pictures if device.type in ("cpu", "cuda") else pictures.cpu()
    changed = torch.empty_like(here)
    with torch.random.fork_rng(devices=[here.device] if here.device.type == "cuda" else []):
        for place, seed in enumerate(draws.seeds()):
            torch.manual_seed(seed)
            changed[place] = transform(here[place])
    return changed.to(device)


def _in_turn(chain: Sequence[Transform], pixels: Tensor) -> Tensor:
    for transform in chain:
        pixels = transform(pixels)
    return pixels


def _build(named: Named, path: TreePath) -> Transform:
    name, arguments, where = split_named(_without_short_forms(named), path)
    kind = _kinds().get(name)
    if kind is None or name in _ELSEWHERE:
        why = _ELSEWHERE.get(name) or f"is no transform of torchvision.transforms.v2{did_you_mean(name, _kinds())}"
        raise ConfigError(Problem(f"{name} {why}", path))
    known = [each for each in inspect.signature(kind.__init__).parameters if each != "self"]
    strange = [unknown_argument(name, argument, known, where) for argument in arguments if argument not in known]
    if strange:
        raise ConfigError(*strange)
    try:
        made: Transform = kind(**{key: _value(key, value, (*where, key)) for key, value in arguments.items()})
    except (TypeError, ValueError) as error:
        raise ConfigError(Problem(f"{name}: {' '.join(str(error).split())}", path)) from error
    return made


def _without_short_forms(named: Any) -> Any:
    """`{RandomRotation: 10}`: what is no mapping is the first argument."""
    if not isinstance(named, Mapping) or len(named) != 1:
        return named
    [(name, given)] = named.items()
    if isinstance(given, Mapping):
        return named
    if name not in _kinds():
        return name  # which is told
    first = [each for each in inspect.signature(_kinds()[name].__init__).parameters if each != "self"][:1]
    return {name: dict.fromkeys(first, given)}


def _value(key: str, given: Any, path: TreePath) -> Any:
    """An argument as torchvision wants it: lists of transforms built, names of enumerations and dtypes looked up."""
    if key == "transforms" and isinstance(given, list):
        return [_build(named, (*path, place)) for place, named in enumerate(given)]
    if key == "dtype" and isinstance(given, str) and isinstance(getattr(torch, given, None), torch.dtype):
        return getattr(torch, given)
    if key in _WORDS and isinstance(given, str):
        words = getattr(import_torchvision().transforms, _WORDS[key])
        known = {word.value: word for word in words}
        if given not in known:
            message = f"{key} is {given!r}; expected {', '.join(known)}{did_you_mean(given, known)}"
            raise ConfigError(Problem(message, path))
        return known[given]
    return given


@lru_cache(maxsize=1)
def _kinds() -> dict[str, Any]:
    """The transforms by name, without their base class."""
    import_torchvision()
    from torchvision.transforms import v2

    found = {name: kind for name, kind in vars(v2).items() if isinstance(kind, type) and not name.startswith("_")}
    return {name: kind for name, kind in found.items() if issubclass(kind, v2.Transform) and kind is not v2.Transform}


def _try(chain: Sequence[Transform], picture: Tensor, path: TreePath) -> None:
    """Raise ConfigError unless the transforms together give back such a picture every time."""
    with torch.random.fork_rng(devices=[]):
        for attempt in range(TRIES):
            torch.manual_seed(attempt)
            changed: Any = picture
            for place, transform in enumerate(chain):
                try:
                    changed = transform(changed)
                except Exception as error:  # whatever torchvision raises, it is about these arguments
                    message = f"{type(transform).__name__} cannot change a picture of {_shape(changed)}"
                    reason = " ".join(str(error).split())[:200]
                    raise ConfigError(Problem(f"{message}: {reason}", (*path, place))) from error
            made, wanted = _shape(changed), _shape(picture)
            if made != wanted:
                raise ConfigError(
                    Problem(f"makes {made} of {wanted}; a picture keeps its size and is uint8 again", path)
                )


def _shape(picture: Any) -> str:
    if not isinstance(picture, Tensor):
        return type(picture).__name__
    return f"{' x '.join(map(str, picture.shape))} {str(picture.dtype).removeprefix('torch.')}"
