"""The `layers` list -> one nn.Sequential, its left-out sizes inferred from the shapes that arrive.

Each layer is built in the order of the file and run once on a batch of two zero examples; its answer's shape is what
reaches the next. Running draws no random number that counts, so the weights of one seed are those of the same network
written by hand in torch. Running on the CPU costs milliseconds; on the meta device it costs no memory, but its first
operation imports sympy and torch._dynamo (1.3 s), so only validation, which has no use for weights, builds there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.errors import TreePath
from ft.core.models.composites import Parallel as ParallelModule
from ft.core.models.composites import Residual as ResidualModule
from ft.core.models.forms import InputForm
from ft.core.models.layer_arguments import forced, inferred_names
from ft.core.models.layer_entries import Entry, Layer, Parallel, Repeat, Residual, sized_last, unit_name
from ft.core.models.layer_fit import (
    BATCH,
    Place,
    check_any_length,
    check_end,
    fitting_shortcut,
    make,
    run,
    shape_of,
    show,
)
from ft.core.models.layer_reader import read_entries
from ft.core.models.layer_rules import INFERRED, NO_DEFAULT
from ft.core.models.units import Unit

Named = dict[str, nn.Module]


def build_layers(
    items: Sequence[Any],
    form: InputForm,
    head_size: int | None,
    device: torch.device,
    *,
    path: TreePath = ("model", "layers"),
    outermost: bool = True,
) -> tuple[nn.Sequential, list[Unit]]:
    """Build the list and number its entries.

    form: of the input; its cardinality, where it is indices, fills num_embeddings.
    head_size: values per example that the last layer must give; fills its size where it is left out. None: the list is
        a part of a network, every size is written, and any shape may come out.
    path: where the list stands, for messages.
    outermost: whether entries have names; else they are numbered, as the parts of a composite are.

    Each entry is one unit called `<kind>_<index>` or its own name; an activation is the sibling `<name>_act`, so that
    it changes no weight's name. Draws from torch's global CPU generator, nothing on the device "meta".

    Raises ConfigError: every slip of names and arguments at once, else the first layer that does not fit, or that the
    answer's shape changes with the length of a text.
    """
    entries = read_entries(items, path, sized=head_size is not None, outermost=outermost)
    builder = _Builder(sized_last(entries), head_size, form.cardinality, meta=device.type == "meta")
    x = form.zeros(BATCH, "meta" if builder.meta else "cpu")
    modules: Named = {}
    units: list[Unit] = []
    with torch.no_grad():
        for index, entry in enumerate(entries):
            name = unit_name(entry, index) if outermost else str(index)
            parts, x = builder.entry(entry, x, name, str(index))
            modules.update(parts)
            units.append(Unit(index, name, entry.label, tuple(parts.values()), tuple(parts), shape_of(x)))
    if head_size is not None:
        check_end(entries, shape_of(x), head_size, path)
    sequence = _sequential(modules)
    if form.is_uneven:
        check_any_length(sequence, form, shape_of(x), x.device, path)
    return sequence.to(device), units


@dataclass(frozen=True)
class _Builder:
    """Builds entries one after another; x is the batch of two that goes through them."""

    last: Entry | None
    head_size: int | None
    categories: int | None
    meta: bool

    def chain(self, entries: Sequence[Entry], x: Tensor, number: str) -> tuple[Named, Tensor]:
        """Entries in a row; their modules are named by their place: "0", "0_act", "1"."""
        modules: Named = {}
        for index, entry in enumerate(entries):
            parts, x = self.entry(entry, x, str(index), f"{number}.{index}")
            modules.update(parts)
        return modules, x

    def entry(self, entry: Entry, x: Tensor, name: str, number: str) -> tuple[Named, Tensor]:
        """One entry and its activation. number: as `--freeze` takes it, for messages."""
        body = entry.body
        module: nn.Module
        if isinstance(body, Layer):
            module, x = self.layer(entry, body, x, number)
        elif isinstance(body, Repeat):
            module, x = self.repeat(body, x, number)
        elif isinstance(body, Residual):
            module, x = self.residual(entry, body, x, number)
        else:
            module, x = self.parallel(entry, body, x, number)
        modules = {name: module}
        if entry.activation is not None:
            assert isinstance(entry.activation.body, Layer)
            modules[f"{name}_act"], x = self.layer(entry.activation, entry.activation.body, x, number)
        return modules, x

    def layer(self, entry: Entry, layer: Layer, x: Tensor, number: str) -> tuple[nn.Module, Tensor]:
        place = Place(entry, number, shape_of(x))
        arguments = self._arguments(layer, x, place)
        module = make(layer, arguments, place, self.meta)
        return module, run(module, x, place)

    def _arguments(self, layer: Layer, x: Tensor, place: Place) -> dict[str, Any]:
        """What was given, what is inferred, and the size of the last layer."""
        place.check_input(x)
        arguments = {**forced(layer.make), **layer.arguments}
        for name in inferred_names(layer.make):
            if name not in arguments:
                arguments[name] = self._inferred(name, place)
            elif name in INFERRED and isinstance(arguments[name], int):
                place.check_inferred(name, arguments[name])
        if place.entry.kind in NO_DEFAULT:
            place.check_axis(arguments["dim"])
        if layer.open_size and place.entry is self.last:
            arguments[layer.open_size] = self.head_size
        return arguments

    def _inferred(self, name: str, place: Place) -> int:
        if name in INFERRED:
            if name == "normalized_shape" and len(place.shape) > 2:
                channels = list(place.shape)
                raise place.error(f"say which axes it normalises: normalized_shape: {channels}, or {channels[-1:]}")
            return INFERRED[name](place.shape)
        assert self.categories is not None, "only indices reach a layer that looks them up"
        return self.categories

    # ------------------------------------------------------------ composites

    def repeat(self, body: Repeat, x: Tensor, number: str) -> tuple[nn.Module, Tensor]:
        rounds: Named = {}
        for index in range(body.times):
            modules, x = self.chain(body.entries, x, f"{number}.{index}")
            rounds[str(index)] = _sequential(modules)
        return _sequential(rounds), x

    def residual(self, entry: Entry, body: Residual, x: Tensor, number: str) -> tuple[nn.Module, Tensor]:
        branch, answer = self.chain(body.entries, x, number)
        shortcut, beside = self.chain(body.shortcut, x, f"{number}.shortcut")
        if answer.shape != beside.shape:
            way = "its shortcut" if shortcut else "its input"
            text = f"its layers give {show(shape_of(answer))}, but {way}, which is added, is {show(shape_of(beside))}"
            raise Place(entry, number, shape_of(x)).error(f"{text}; {fitting_shortcut(shape_of(x), shape_of(answer))}")
        return ResidualModule(branch, _sequential(shortcut) if shortcut else None), answer

    def parallel(self, entry: Entry, body: Parallel, x: Tensor, number: str) -> tuple[nn.Module, Tensor]:
        chains = [self.chain(branch, x, f"{number}.{index}") for index, branch in enumerate(body.branches)]
        answers = [answer for _, answer in chains]
        shapes = ", ".join(show(shape_of(answer)) for answer in answers)
        place = Place(entry, number, shape_of(x))
        if body.merge == "sum" and len({answer.shape for answer in answers}) > 1:
            raise place.error(f"a sum needs branches of one shape, these give {shapes}")
        module = ParallelModule([_sequential(modules) for modules, _ in chains], body.merge, body.dim)
        try:
            joined = torch.cat(answers, body.dim) if body.merge == "concat" else answers[0]
        except (RuntimeError, IndexError) as error:
            raise place.error(f"its branches give {shapes}, which cannot be joined along dim {body.dim}") from error
        if joined.shape[0] != BATCH:
            raise place.error(f"dim {body.dim} is the batch; 1 is the channels", "dim")
        return module, joined


def _sequential(modules: Named) -> nn.Sequential:
    sequence = nn.Sequential()
    for name, module in modules.items():
        sequence.add_module(name, module)
    return sequence
