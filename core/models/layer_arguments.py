"""The arguments of one layer, checked against the signature of its class before anything is built.

torch itself finds many slips late or never: `bias: "no"` is a true bias to it, `Identity: 5` is swallowed. So names are
checked against the signature and values against its annotations, where torch gives them.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import nn

from ft.core.config.suggest import did_you_mean, nearest
from ft.core.errors import Problem, TreePath
from ft.core.models.layer_rules import INFERRED, NO_DEFAULT, REFUSED_ARGUMENTS, SIZE_ARGUMENTS

_CATEGORY_ARGUMENTS = ("num_embeddings",)  # inferred from the number of categories, not from a shape


def parameters(make: type[nn.Module]) -> Mapping[str, inspect.Parameter]:
    """The arguments a class can be given by name, in torch's order, without those that ft decides itself."""
    written = {
        name: parameter
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if issubclass(make, nn.RNNBase):  # these hide theirs behind *args
        written = dict(inspect.signature(nn.RNNBase).parameters)
        del written["mode"]
        if issubclass(make, nn.RNN):
            written["nonlinearity"] = inspect.Parameter("nonlinearity", inspect.Parameter.KEYWORD_ONLY, default="tanh")
    hidden = {*REFUSED_ARGUMENTS, "process_group"}
    return {name: it for name, it in written.items() if name not in hidden and not name.startswith("_")}


def forced(make: type[nn.Module]) -> dict[str, Any]:
    """Arguments that ft decides: batches come first wherever torch asks."""
    source = nn.RNNBase if issubclass(make, nn.RNNBase) else make
    return {"batch_first": True} if "batch_first" in inspect.signature(source).parameters else {}


def inferred_names(make: type[nn.Module]) -> tuple[str, ...]:
    """The arguments of a class that may be left out because the network knows them."""
    return tuple(name for name in parameters(make) if name in INFERRED or name in _CATEGORY_ARGUMENTS)


def open_size(make: type[nn.Module], given: Mapping[str, Any]) -> str | None:
    """The argument for the size of the answer, when the class has one and it was left out."""
    return next((name for name in SIZE_ARGUMENTS if name in parameters(make) and name not in given), None)


def bare_argument(make: type[nn.Module]) -> str | None:
    """Which argument `MaxPool2d: 2` means: the first that is required and not inferred, else the first inferred one
    (`BatchNorm2d: 32`), else the first (`Dropout: 0.5`). None when the class has no arguments."""
    known, inferred = parameters(make), inferred_names(make)
    required = [name for name, it in known.items() if it.default is it.empty and name not in inferred]
    return next(iter([*required, *inferred, *known]), None)


def check_arguments(kind: str, make: type[nn.Module], given: Mapping[str, Any], path: TreePath) -> list[Problem]:
    """Every unknown, ill-typed and missing argument. A left-out size of the answer is the caller's to judge."""
    known = parameters(make)
    problems = []
    for name, value in given.items():
        if name in known:
            message = _wrong_type(kind, make, name, value)
        elif name in REFUSED_ARGUMENTS:
            message = f"{kind}'s {name} {REFUSED_ARGUMENTS[name]}; leave it out"
        else:
            message = _unknown(kind, name, known)
        if message:
            problems.append(Problem(message, (*path, name)))
    meant = {nearest(name, known) for name in given if name not in known}  # misspelled is not missing as well
    not_needed = {*inferred_names(make), *SIZE_ARGUMENTS, *given, *meant}
    needed = [name for name, it in known.items() if it.default is it.empty or NO_DEFAULT.get(kind) == name]
    missing = [name for name in needed if name not in not_needed]
    if missing:
        problems.append(Problem(f"{kind} needs {' and '.join(missing)}", path))
    return problems


def _unknown(kind: str, name: str, known: Mapping[str, inspect.Parameter]) -> str:
    suggestion = did_you_mean(name, [*known, "activation", "name"])
    if suggestion:
        return f"{kind} has no argument {name}{suggestion}"
    return f"{kind} has no argument {name}; it has {', '.join(known)}" if known else f"{kind} takes no arguments"


# ---------------------------------------------------------------- types


def _wrong_type(kind: str, make: type[nn.Module], name: str, value: Any) -> str | None:
    hint = _hints(make).get(name)
    default = parameters(make)[name].default
    if hint is None or (value is None and default is None) or _fits(hint, value):
        return None
    return f"{kind}'s {name} is {value!r}; it wants {_readable(hint)}"


def _hints(make: type[nn.Module]) -> Mapping[str, Any]:
    """torch's annotations, {} where they cannot be read: then torch's own error speaks when the layer is built."""
    if issubclass(make, nn.RNN):
        return {**typing.get_type_hints(nn.RNNBase.__init__), "nonlinearity": typing.Literal["tanh", "relu"]}
    try:
        return typing.get_type_hints(nn.RNNBase.__init__ if issubclass(make, nn.RNNBase) else make.__init__)
    except NameError:
        return {}


def _fits(hint: Any, value: Any) -> bool:
    """A YAML list may stand for a tuple or a list."""
    forms = [value, tuple(value)] if isinstance(value, list) else [value]
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, strict=True))
    for form in forms:
        try:
            adapter.validate_python(form)
        except ValidationError:
            continue
        return True
    return False


_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a name", type(None): "null"}


def _readable(hint: Any) -> str:
    """An annotation in the words of a YAML file: `an integer or a list of 2 integers`."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_readable(one) for one in inner if one is not torch.Size))
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin is tuple and Ellipsis not in inner:
        return f"a list of {len(inner)} {_plural(inner[0])}"
    if origin in (tuple, list):
        return f"a list of {_plural(inner[0])}"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _plural(hint: Any) -> str:
    return "integers" if hint is int else "numbers"
