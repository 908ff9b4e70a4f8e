"""Whether a layer can be made and fits what reaches it, and the sentence that says why not. Builds no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError, Problem, ResourceError, TreePath
from ft.core.models.forms import InputForm, Shape
from ft.core.models.layer_entries import Entry, Layer, sized_last
from ft.core.models.layer_rules import INFERRED, SIZE_ARGUMENTS, wanted_shape

BATCH = 2  # examples that try a layer out

# What torch raises for a value or a shape that it does not like; anything else is a bug.
_TORCH_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError)
_INDEX_LAYERS = ("Embedding", "EmbeddingBag", "Identity", "Flatten", "Unflatten")  # may read indices
_LOOK_UP = ("Embedding", "EmbeddingBag")


@dataclass(frozen=True)
class Place:
    """Where in the list something went wrong, and the shape that had arrived there."""

    entry: Entry
    number: str
    shape: Shape

    def error(self, text: str, *below: str) -> ConfigError:
        """To be raised. below: the argument it is about, when it is about one."""
        what = f"layer {self.number}: {self.entry.kind} does not fit the shape {show(self.shape)} that reaches it"
        return ConfigError(Problem(f"{what}: {text}", (*self.entry.path, *below)))

    def check_input(self, x: Tensor) -> None:
        """Indices for Embedding, numbers for the rest, and as many axes as the layer wants."""
        kind = self.entry.kind
        if not x.is_floating_point() and kind not in _INDEX_LAYERS:
            first = "an Embedding or EmbeddingBag" if self.shape else "an Embedding"
            raise self.error(f"these are indices, as a category's or a text's are; {first} has to come first")
        if x.is_floating_point() and kind in _LOOK_UP:
            raise self.error("it looks up the index of a category or token, but these are numbers")
        wanted = wanted_shape(kind, self.shape)
        if wanted:
            raise self.error(f"it wants {wanted}")

    def check_inferred(self, name: str, given: int) -> None:
        """A size the user wrote although it is known must be the known one."""
        fits = INFERRED[name](self.shape)
        if given != fits:
            raise self.error(f"its {name} is {given}, it should be {fits}, or be left out", name)

    def check_axis(self, axis: object) -> None:
        """Softmax over axis 0 would share one probability among the examples of a batch, and no shape would tell."""
        if axis in (0, -len(self.shape) - 1):
            raise self.error(f"dim {axis} is the batch; 1 is the first axis of an example", "dim")


def check_end(entries: Sequence[Entry], shape: Shape, head_size: int, path: TreePath) -> None:
    """The list is the whole model: its answer must be what the output column needs."""
    if shape == (head_size,):
        return
    end = f"the network gives {show(shape)} for each example, the output needs {show((head_size,))}"
    last = sized_last(entries)
    if len(shape) > 1:
        raise ConfigError(Problem(f"{end}; put Flatten before the last layer, or pool and flatten after it", path))
    if last is not None and isinstance(last.body, Layer) and last.body.open_size is None:
        name = next(name for name in SIZE_ARGUMENTS if name in last.body.arguments)
        where = (*last.path, name)
        raise ConfigError(Problem(f"{end}; leave {name} out, then it comes from the data", where))
    raise ConfigError(Problem(f"{end}; end with Linear, without a size", path))


def check_any_length(module: nn.Module, form: InputForm, expected: Shape, device: torch.device, path: TreePath) -> None:
    """A batch of texts is as long as its longest: the answer must have one shape for every length."""
    longest = form.shape[0]
    other = longest // 2 if longest > 1 else 2
    x = replace(form, shape=(other,)).zeros(BATCH, device)
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=()):
            shape: Shape | None = shape_of(module(x))
    except _TORCH_ERRORS:
        shape = None
    module.train()
    if shape != expected:
        otherwise = "fail" if shape is None else f"give {show(shape)}"
        message = (
            f"the layers give {show(expected)} for a {form.kind} of {longest} and {otherwise} for one of {other}; "
            "lengths differ from batch to batch, so bring them together first, as EmbeddingBag does"
        )
        raise ConfigError(Problem(message, path))


def make(layer: Layer, arguments: dict[str, Any], place: Place, meta: bool) -> nn.Module:
    """On meta first, which is free and finds what the arguments have wrong before a large layer fills the memory."""
    try:
        with torch.device("meta"):
            sketch = layer.make(**arguments)
    except _TORCH_ERRORS as error:
        raise place.error(_short(error)) from error
    if meta:
        return sketch
    try:
        with torch.device("cpu"):
            return layer.make(**arguments)
    except RuntimeError as error:  # its arguments were good, so only memory is left to fail
        raise ResourceError(f"layer {place.number}: {place.entry.kind} cannot be stored: {_short(error)}") from error


def run(module: nn.Module, x: Tensor, place: Place) -> Tensor:
    """The layer's answer in eval mode: dropout draws nothing, batch norm counts nothing."""
    module.eval()
    try:
        with torch.random.fork_rng(devices=()):  # FractionalMaxPool draws in eval mode too
            answer = module(x)
    except _TORCH_ERRORS as error:
        raise place.error(_short(error)) from error
    module.train()
    if not isinstance(answer, Tensor):
        raise place.error("it gives more than one tensor, the next layer takes one")
    if answer.ndim == 0 or answer.shape[0] != BATCH:
        raise place.error("it mixes the examples of a batch; axis 0 is the batch, leave it alone")
    return answer


def fitting_shortcut(arrives: Shape, wanted: Shape) -> str:
    """A shortcut that would fit, written out for the common cases."""
    if len(arrives) == len(wanted) == 1:
        return f"a shortcut that fits is [Linear: {wanted[0]}]"
    if len(arrives) == len(wanted) == 3 and wanted[1] and wanted[2]:
        stride = -(-arrives[1] // wanted[1])
        if tuple(-(-side // stride) for side in arrives[1:]) == wanted[1:]:
            size = f"out_channels: {wanted[0]}, kernel_size: 1" + (f", stride: {stride}" if stride > 1 else "")
            return f"a shortcut that fits is [Conv2d: {{{size}}}]"
    return "give it a shortcut of the same shape, or layers that keep the shape (padding: same)"


def shape_of(x: Tensor) -> Shape:
    """(B, ...) -> the shape of one example."""
    return tuple(x.shape[1:])


def show(shape: Shape) -> str:
    """(32, 26, 26), as a person writes it; (10) for one axis."""
    return f"({', '.join(map(str, shape))})"


def _short(error: Exception) -> str:
    """The first sentence of what torch said."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
