"""A network from the user's own function: `model: {python: net.py:build, args: {...}}`.

Its units are the children of the module it returns. ft sees into no child; the function decides everything else.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, FtError, Problem
from ft.core.models.forms import InputForm, Shape
from ft.core.models.network import Network, call, named_outputs
from ft.core.models.units import Unit
from ft.core.plugins import last_line_in, load_function, neighbours_importable, source_file

_PATH = ("model", "python")
_BATCH = 2


def build_python(
    spec: str,
    args: Mapping[str, Any],
    forms: Mapping[str, InputForm],
    head_sizes: Mapping[str, int],
    device: torch.device,
    expected_sha256: str | None = None,
) -> Network:
    """Call the function, on the CPU, and look at what it returns.

    num_classes and num_outputs are given where the function names them and `args` does not: the size of the output, or
    {output: size} when there are several; num_embeddings, how many indices a category, set or text can take, in the
    same way. Then one forward pass of two zero examples, in eval mode and on a copy, finds
    the shapes; it leaves torch's random generators as they were.

    expected_sha256: of the code that a checkpoint was trained with; other code is refused before any of it runs.
    Inputs arrive float32 (B, ...), indices int64: a category's (B,), a text's or set's (B, T) with T the longest of the
    batch; one by position, several by the names of the columns.
    The answer is a tensor (B, size), or a dictionary of them by output.

    Raises ConfigError when the function, its arguments, its answer or the module's answer are not as they should be,
    and when the user's code fails or exits.
    """
    function, sha256 = load_function(spec, _PATH, expected_sha256=expected_sha256)
    file = source_file(spec, _PATH)
    module = _call(function, _arguments(function, spec, args, _sizes(forms, head_sizes)), file)
    inputs, outputs = tuple(forms), tuple(head_sizes)
    answer, shapes = _try(module, forms, file)
    _check_answer(answer, head_sizes)
    return Network(module.to(device), _units(module, shapes), inputs, outputs, code_sha256=sha256)


def _arguments(
    function: Callable[..., Any], spec: str, args: Mapping[str, Any], sizes: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of the file, checked against the signature, and the sizes the function asks for."""
    known = inspect.signature(function).parameters
    name = spec.rpartition(":")[2]
    if not any(it.kind is it.VAR_KEYWORD for it in known.values()):
        unknown = [key for key in args if key not in known]
        if unknown:
            raise ConfigError(*(_unknown(name, key, tuple(known)) for key in unknown))
    given = {**{key: size for key, size in sizes.items() if key in known}, **args}
    try:
        inspect.signature(function).bind(**given)
    except TypeError as error:
        raise ConfigError(Problem(f"{name}: {error}; give it under args", _PATH)) from error
    return given


def _sizes(forms: Mapping[str, InputForm], head_sizes: Mapping[str, int]) -> dict[str, Any]:
    """What only the data know, by the arguments that stand for it: a number, or by name where there are several."""
    indices = {name: form.cardinality for name, form in forms.items() if form.cardinality is not None}
    sizes: dict[str, Any] = dict.fromkeys(("num_classes", "num_outputs"), _one_or_all(head_sizes))
    return {**sizes, "num_embeddings": _one_or_all(indices)} if indices else sizes


def _one_or_all(sizes: Mapping[str, int]) -> int | dict[str, int]:
    return next(iter(sizes.values())) if len(sizes) == 1 else dict(sizes)


def _unknown(function: str, key: str, known: tuple[str, ...]) -> Problem:
    hint = did_you_mean(key, known) or (f"; it has {', '.join(known)}" if known else "; it has none")
    return Problem(f"{function} has no argument {key}{hint}", ("model", "args", key))


def _call(function: Callable[..., Any], given: Mapping[str, Any], file: Path) -> nn.Module:
    try:
        with neighbours_importable(file):
            module = function(**given)
    except FtError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(Problem(f"building the network failed: {last_line_in(file, error)}", _PATH)) from error
    if not isinstance(module, nn.Module):
        text = f"should return a torch.nn.Module, it returned {type(module).__name__}"
        raise ConfigError(Problem(f"{function.__name__} in {file} {text}", _PATH))
    return module


def _try(module: nn.Module, forms: Mapping[str, InputForm], file: Path) -> tuple[Any, dict[str, Shape]]:
    """The module's answer to two zero examples, and the shape of every child's last answer."""
    shapes: dict[str, Shape] = {}

    def remember(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, answer: Any) -> None:
            if isinstance(answer, Tensor):
                shapes[name] = tuple(answer.shape[1:])

        return hook

    zeros = {name: form.zeros(_BATCH) for name, form in forms.items()}
    try:
        trial = copy.deepcopy(module).cpu().eval()
        for name, child in trial.named_children():
            child.register_forward_hook(remember(name))
        with torch.random.fork_rng(devices=()), torch.no_grad(), neighbours_importable(file):
            return call(trial, zeros, tuple(forms)), shapes
    except (Exception, SystemExit) as error:
        sizes = ", ".join(f"{name} {list(x.shape)}" for name, x in zeros.items())
        text = f"the network failed on a batch of two ({sizes}): {last_line_in(file, error)}"
        raise ConfigError(Problem(text, _PATH)) from error


def _check_answer(answer: Any, head_sizes: Mapping[str, int]) -> None:
    """Every output there, and each a float tensor (B, size)."""
    if isinstance(answer, Tensor) and len(head_sizes) > 1:
        text = f"the network should answer a dict with {', '.join(head_sizes)}, not a tensor"
        raise ConfigError(Problem(text, _PATH))
    if not isinstance(answer, Tensor | dict):
        text = f"the network should answer a tensor, or a dict of tensors by output, not a {type(answer).__name__}"
        raise ConfigError(Problem(text, _PATH))
    answers = named_outputs(answer, tuple(head_sizes))
    problems = [_misfit(name, answers, size) for name, size in head_sizes.items()]
    problems += [f"the network answers {name}, which is no output" for name in answers if name not in head_sizes]
    if found := [text for text in problems if text]:
        raise ConfigError(*(Problem(text, _PATH) for text in found))


def _misfit(name: str, answers: Mapping[str, Any], size: int) -> str | None:
    if name not in answers:
        return f"the network gives no answer for the output {name}; it answers {', '.join(map(str, answers))}"
    answer = answers[name]
    if not isinstance(answer, Tensor):
        return f"the network's answer for {name} should be a tensor, not {type(answer).__name__}"
    if tuple(answer.shape) != (_BATCH, size):
        wanted = f"(batch, {size})"
        return f"the network's answer for {name} should be {wanted}; for a batch of two it is {tuple(answer.shape)}"
    if not answer.is_floating_point():
        return f"the network's answer for {name} should be float, not {answer.dtype}"
    return None


def _units(module: nn.Module, shapes: Mapping[str, Shape]) -> list[Unit]:
    """One unit a child; the module's own parameters and buffers, as a class token, belong to the first."""
    own = tuple(key for key in module.state_dict() if "." not in key)
    places: dict[nn.Module, list[str]] = {}
    for name, child in module._modules.items():  # named_children() hides the second name of a shared child
        if child is not None:
            places.setdefault(child, []).append(name)
    if not places:
        return [Unit(0, type(module).__name__.lower(), type(module).__name__, (module,), own, None)]
    units = []
    for index, (child, names) in enumerate(places.items()):
        prefixes = (*names, *own) if index == 0 else tuple(names)
        units.append(Unit(index, names[0], type(child).__name__, (child,), prefixes, shapes.get(names[0])))
    return units
