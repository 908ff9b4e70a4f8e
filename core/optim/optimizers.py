"""Optimizers by name, with torch's own arguments: the short names below, or any class of torch.optim that fits here.

The learning rate and the weight decay are settings of their own, for every optimizer the same, and override torch's
defaults (AdamW's decay is 0.01 in torch and what `weight_decay` says here: 0 when left out).

On weight decay, with rate eta and decay lambda: `sgd` and `adamw` move weights by -eta * lambda * theta besides their
step on the gradient (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"; for sgd without momentum the
coupled and the decoupled kind are the same). `adam` and `rmsprop` add lambda * theta to the gradient (L2), which then
passes through their scaling: the coupled kind, where weights with large gradients decay less.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from ft.core.config.named import Named, split_named, unknown_argument
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.runtime.compiler import leave_compiler_out

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}

_UNFIT = {
    "LBFGS": "evaluates the loss several times in a step; the training loop evaluates it once",
    "SparseAdam": "takes sparse gradients only, and the layers here give dense ones",
    "Optimizer": "is the base of the others",
}

_OWN_SETTINGS = ("lr", "weight_decay")
_UNFIT_ARGUMENTS = {
    "params": "they are the model's trainable ones",
    "maximize": "the loss is made small",
    "fused": "the fastest form for the device is taken; speed: {fused: false} beside it takes the plain one",
    "foreach": "the fastest form for the device is taken without asking",
    "capturable": "it is for CUDA graphs, which the loop does not record",
    "differentiable": "it is for gradients through the optimizer, which the loop does not take",
}

_FUSED_ON = ("cpu", "cuda")  # elsewhere, and for classes without a fused form, torch picks foreach where it is faster
_PATH: TreePath = ("train", "optimizer")


def check(named: Named, weight_decay: float = 0.0, path: TreePath = _PATH) -> None:
    """Raise ConfigError, with every problem found, unless `make_optimizer` would accept this. Needs no model.

    path: where `named` stands in the file; its neighbours are `lr` and `weight_decay`.
    """
    cls, arguments = _resolve(named, weight_decay, path)
    _construct(cls, [torch.zeros(1, 1, requires_grad=True)], {**arguments, "lr": 1.0}, path)


def make_optimizer(
    named: Named,
    groups: list[dict[str, Any]],
    lr: float,
    device: torch.device,
    path: TreePath = _PATH,
    *,
    fused: bool = True,
) -> Optimizer:
    """The optimizer over `groups` (of `parameter_groups`). fused: where the class and the device have that.

    Each group's `weight_decay` is used and kept; `lr` is every group's rate. Raises ConfigError as `check` does.
    """
    decay = max(group["weight_decay"] for group in groups)
    cls, arguments = _resolve(named, decay, path)
    if cls is torch.optim.Muon:
        _check_matrices(groups, path)
    if "fused" in _parameters(cls) and device.type in _FUSED_ON:
        arguments["fused"] = fused
    return _construct(cls, groups, {**arguments, "lr": lr}, path)


def _resolve(named: Named, weight_decay: float, path: TreePath) -> tuple[type[Optimizer], dict[str, Any]]:
    """The class and its checked arguments."""
    name, arguments, where = split_named(named, path)
    cls = _class(name, path)
    problems = [p for argument, value in arguments.items() for p in _argument_problems(cls, argument, value, where)]
    if weight_decay and "weight_decay" not in _parameters(cls):
        problems.append(Problem(f"{cls.__name__} has no weight decay; leave it out", (*path[:-1], "weight_decay")))
    if problems:
        raise ConfigError(*problems)
    return cls, {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}


def _class(name: str, path: TreePath) -> type[Optimizer]:
    if name in OPTIMIZERS:
        return OPTIMIZERS[name]
    if name in _UNFIT:
        raise ConfigError(Problem(f"{name} cannot be used: it {_UNFIT[name]}", path))
    offered = _offered()
    if name in offered:
        return offered[name]
    # short names first: of `SGd` the nearest is sgd, not SGD
    hint = did_you_mean(name, [*OPTIMIZERS, *offered]) or "; known are " + ", ".join([*OPTIMIZERS, *offered])
    raise ConfigError(Problem(f"{name} is not an optimizer{hint}", path))


def _offered() -> dict[str, type[Optimizer]]:
    """The classes of torch.optim by their own names, those that cannot work here left out."""
    found = {name: getattr(torch.optim, name) for name in torch.optim.__all__ if name not in _UNFIT}
    return {name: cls for name, cls in found.items() if isinstance(cls, type) and issubclass(cls, Optimizer)}


def _parameters(cls: type[Optimizer]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls).parameters


def _argument_problems(cls: type[Optimizer], argument: str, value: Any, where: TreePath) -> list[Problem]:
    known = _parameters(cls)
    if argument in _OWN_SETTINGS:
        own = ".".join(map(str, (*where[:-2], argument)))
        return [Problem(f"{argument} is a setting of its own: say {own}", (*where, argument))]
    if argument in _UNFIT_ARGUMENTS:
        return [Problem(f"{argument} is not for you to say: {_UNFIT_ARGUMENTS[argument]}", (*where, argument))]
    if argument not in known:
        offered = [name for name in known if name not in _OWN_SETTINGS and name not in _UNFIT_ARGUMENTS]
        return [unknown_argument(cls.__name__, argument, offered, where)]
    expected = _expected(known[argument], value)
    if expected is None:
        return []
    return [Problem(f"{argument} of {cls.__name__} takes {expected}, not {value!r}", (*where, argument))]


def _expected(parameter: inspect.Parameter, value: Any) -> str | None:
    """What `value` should have been, judged by the argument's default; None when it will do.

    torch checks ranges but not types: `momentum: "0.9"` would fail in a comparison of its own, far from the file.
    """
    default = parameter.default
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int | float):
        whole = parameter.annotation in (int, "int")
        return None if _is_number(value, whole) else "a whole number" if whole else "a number"
    if isinstance(default, tuple):
        fits = isinstance(value, list | tuple) and len(value) == len(default)
        fits = fits and all(_is_number(v) or (v is None and d is None) for v, d in zip(value, default, strict=True))
        return None if fits else f"a list of {len(default)} numbers, such as {list(default)}"
    return None  # a default of None says nothing; torch's own check of the value follows


def _is_number(value: Any, whole: bool = False) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)


def _check_matrices(groups: list[dict[str, Any]], path: TreePath) -> None:
    others = [f"{name} {tuple(p.shape)}" for group in groups for name, p in group["params"] if p.dim() != 2]
    if others:
        some = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise ConfigError(Problem(f"Muon moves matrices only, and this model also learns {some}; take adamw", path))


def _construct(cls: type[Optimizer], params: Any, arguments: dict[str, Any], path: TreePath) -> Optimizer:
    """torch's own check of the values comes with the construction; its words are passed on with the place."""
    leave_compiler_out()
    try:
        return cls(params, **arguments)
    except (TypeError, ValueError, IndexError) as error:
        raise ConfigError(Problem(f"{cls.__name__}: {error}", path)) from error
