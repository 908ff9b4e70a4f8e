"""Optimizers without torch's compiler, whose import takes as long as that of all the rest of torch.

Methods of torch's optimizers import it when they are first called, only to tell it to pass them by (torch/_compile.py,
torch/optim/optimizer.py); ft's own loop compiles nothing.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.optim import Optimizer

_GUARDED = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
_ANSWER = "__dynamo_disable"  # where torch keeps what the compiler made of a method


def leave_compiler_out() -> None:
    """Let optimizers be made, saved and loaded without the import."""
    for name in _GUARDED:
        pass_by(getattr(Optimizer, name, None))


def pass_by(guarded: Any) -> None:
    """Let a function that torch guards against its compiler run without importing it, unless it is there already."""
    plain = getattr(guarded, "__wrapped__", None)
    if plain is not None and "torch._dynamo" not in sys.modules and not hasattr(plain, _ANSWER):
        setattr(plain, _ANSWER, plain)


def bare_step(optimizer: Optimizer) -> None:
    """As optimizer.step(), without the import and the profiler's mark. Hooks, as pruned weights have, are heard."""
    if optimizer._optimizer_step_post_hooks:
        optimizer.step()
        return
    with torch.no_grad():
        _inmost_step(type(optimizer))(optimizer)  # type: ignore[arg-type]  # a class is hashable


@cache
def _inmost_step(kind: type[Optimizer]) -> Callable[[Optimizer], Any]:
    """What the decorators of its step are around."""
    step: Callable[[Optimizer], Any] = inspect.unwrap(kind.step)
    return step
