"""A network as a graph by torch.export, of any batch size; what cannot be traced is named by its unit.

Tracing is not strict: Python runs as it is and what it does to tensors is recorded. Sizes that may differ from batch to
batch are named, so a network that needs one of them fixed is refused rather than fixed without a word.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ft.core.data.columns import Column
from ft.core.errors import ConfigError
from ft.core.models.network import Network
from ft.core.ship.graph import Graph, example, has_length

_REMARKS = (  # torch's own about its own code, and about weights that are read as plain numbers
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "Converting a tensor with requires_grad=True to a scalar",
    "The tensor attributes .*_flat_weights",  # of a recurrent layer, which sorts its weights anew
)


def trace(graph: Graph, inputs: Mapping[str, Column]) -> ExportedProgram:
    """Raises whatever torch does: see `blaming`."""
    batch = Dim("batch", min=1)
    sizes = []
    for place, column in enumerate(inputs.values()):
        own = {0: batch}
        if has_length(column):
            longest = {"max": column.shape[0]} if column.kind == "text" else {}  # a set's shape is a guess
            own[1] = Dim(f"length_{place}", min=1, **longest)
        sizes.append(own)
    args = tuple(map(example, inputs.values()))
    with torch.no_grad(), quiet():
        program = torch.export.export(graph, args, dynamic_shapes=(tuple(sizes),), strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the paths of source files
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Without the remarks of exporters that say nothing of the model."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator of torch's alone
    try:
        with warnings.catch_warnings():
            for text in _REMARKS:
                warnings.filterwarnings("ignore", message=text)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def blaming(
    what: str, graph: Graph, inputs: Mapping[str, Column], convert: Callable[[ExportedProgram], object]
) -> Iterator[None]:
    """Turn a failure inside into a ConfigError that names the unit which cannot be exported, where one is to blame.

    what: the format, for people. convert: what is done with a traced module; tried with each unit alone.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # torch raises some twenty kinds
        found = _culprit(graph, inputs, convert)
        if found is None:
            said = f"the network cannot be exported as {what}, though each of its layers can: {_line(error)}"
            raise ConfigError(said) from error
        unit, fault = found
        raise ConfigError(f"layer {unit} cannot be exported as {what}: {_line(fault)}") from error


def _culprit(
    graph: Graph, inputs: Mapping[str, Column], convert: Callable[[ExportedProgram], object]
) -> tuple[str, Exception] | None:
    """The first unit that fails on its own, as `4 (layer3, of the kind …)`, and how."""
    for unit, module, args in _seen(graph.network, graph, inputs):
        try:
            batch = Dim("batch", min=1)
            with torch.no_grad(), quiet():
                shapes = tuple({0: batch} for _ in args)
                convert(torch.export.export(module, args, dynamic_shapes=shapes, strict=False))
        except Exception as error:  # as above
            return unit, error
    return None


def _seen(
    network: Network, graph: Graph, inputs: Mapping[str, Column]
) -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Of each module of a unit what it is given, found by running the whole."""
    given: dict[nn.Module, tuple[Tensor, ...]] = {}

    def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        if args and all(isinstance(each, Tensor) for each in args):
            given[module] = tuple(each.clone() for each in args)

    modules = [(unit, module) for unit in network.units for module in unit.modules]
    hooks = [module.register_forward_pre_hook(look) for _, module in modules]
    try:
        with torch.no_grad(), suppress(Exception):  # what runs in ONNX alone ends it; those before were seen
            graph(*map(example, inputs.values()))
    finally:
        for hook in hooks:
            hook.remove()
    for unit, module in modules:
        if module in given:
            yield f"{unit.index} ({unit.name}, {unit.kind})", module, given[module]


def _line(error: BaseException) -> str:
    """The first line that says something of the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
