"""What can be said of an experiment's columns before any data is read: their settings, shapes and classes.

So a configuration is checked, and its network built, where the data are not. Imports neither torch nor NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from ft.core.config.schema import (
    CategoryInput,
    CategoryOutput,
    DataSection,
    ImageInput,
    InputColumn,
    NumberInput,
    OutputColumn,
)
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem

Shape = tuple[int, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DIGITS = tuple("0123456789")
CIFAR10 = _words("airplane automobile bird cat deer dog frog horse ship truck")
CIFAR100 = _words(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm"""
)
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
KUZUSHIJI = _words("o ki su tsu na ha ma ya re wo")


@dataclass(frozen=True)
class Known:
    """A picture source: its input and output columns, and if they are fixed its pictures (C, H, W) and its classes."""

    label: str
    picture: tuple[int, int, int] | None = None
    classes: tuple[str, ...] | None = None
    image: str = "image"


KNOWN: Mapping[str, Known] = {
    "digits": Known("digit", (1, 8, 8), DIGITS),
    "mnist": Known("digit", (1, 28, 28), DIGITS),
    "fashion_mnist": Known("label", (1, 28, 28), FASHION),
    "kmnist": Known("label", (1, 28, 28), KUZUSHIJI),
    "cifar10": Known("label", (3, 32, 32), CIFAR10),
    "cifar100": Known("label", (3, 32, 32), CIFAR100),
    "image_folder": Known("label"),
}


@dataclass(frozen=True)
class Outline:
    """Settings of every column, those of the source filled in; shapes and classes where they are certain, else None."""

    inputs: Mapping[str, InputColumn]
    outputs: Mapping[str, OutputColumn]
    input_shapes: Mapping[str, Shape | None]
    classes: Mapping[str, tuple[str, ...] | None]


def outline(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> Outline:
    """Everything known without the data. classes: of category outputs. Raises ConfigError as settle_columns does."""
    settled_inputs, settled_outputs = settle_columns(data, inputs, outputs)
    known = KNOWN.get(data.source)
    classes = {
        name: tuple(column.classes) if column.classes else known.classes if known else None
        for name, column in settled_outputs.items()
        if isinstance(column, CategoryOutput)
    }
    shapes = {name: _shape(column, known) for name, column in settled_inputs.items()}
    return Outline(settled_inputs, settled_outputs, shapes, classes)


def settle_columns(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> tuple[dict[str, InputColumn], dict[str, OutputColumn]]:
    """The columns that go in and come out: those written, else the source's own.

    Raises ConfigError for a column that the source does not have, one on both sides, or types left out for arrays.
    """
    known = KNOWN.get(data.source)
    has = (known.image, known.label) if known else tuple(getattr(data, "train", ()))
    problems = [
        Problem(
            f"source {data.source} has no column {name}, it has {', '.join(has)}{did_you_mean(name, has)}", (side, name)
        )
        for side, columns in (("inputs", inputs or {}), ("outputs", outputs or {}))
        for name in columns
        if name not in has
    ]
    if known is None:
        problems += [
            Problem(f"arrays do not tell what they mean; write {side}, e.g. {example}", (side,))
            for side, columns, example in (
                ("inputs", inputs, "inputs: {x: {type: image}}"),
                ("outputs", outputs, "outputs: {y: {type: category}}"),
            )
            if columns is None
        ]
    settled_in = dict(inputs or {}) or _default(InputColumn, "image", "image")
    settled_out = dict(outputs or {}) or _default(OutputColumn, known.label if known else "", "category")
    problems += [
        Problem(f"column {name} is an input too: the model would see what it is to predict", ("outputs", name))
        for name in settled_out
        if name in settled_in
    ]
    if problems:
        raise ConfigError(*problems)
    return settled_in, settled_out


def _default(union: Any, name: str, kind: str) -> dict[str, Any]:
    return {name: TypeAdapter(union).validate_python({"type": kind})}


def _shape(column: InputColumn, known: Known | None) -> Shape | None:
    """The shape of one example of an input as the model sees it, where the data cannot change it."""
    if isinstance(column, NumberInput):
        return (1,)
    if isinstance(column, CategoryInput):
        return ()
    if not isinstance(column, ImageInput):
        return None
    channels, height, width = known.picture if known and known.picture else (None, None, None)
    channels = column.channels or channels
    if column.size is not None:
        height, width = (column.size, column.size) if isinstance(column.size, int) else column.size
    return None if channels is None or height is None or width is None else (channels, height, width)
