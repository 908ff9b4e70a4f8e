"""What can be said of an experiment's columns before any data is read: their settings, shapes and classes.

So a configuration is checked, and its network built, where the data are not. What columns a table holds is known only
once it is read (prepare.py looks then). Imports neither torch nor NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from ft.core.config.schema import (
    ArraysData,
    AudioInput,
    CategoryInput,
    CategoryOutput,
    DataSection,
    DateInput,
    FolderData,
    HistoryInput,
    ImageInput,
    InputColumn,
    LabelsOutput,
    NumberInput,
    OutputColumn,
    RankingOutput,
    SetInput,
    TextInput,
    VectorInput,
)
from ft.core.config.suggest import did_you_mean
from ft.core.data.shapes import audio_shape
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
    """A source of pictures or sounds: its output and input columns, and if they are fixed its pictures (C, H, W) and
    its classes. The input is named as its type is: image or audio."""

    label: str
    picture: tuple[int, int, int] | None = None
    classes: tuple[str, ...] | None = None
    input: str = "image"


KNOWN: Mapping[str, Known] = {
    "digits": Known("digit", (1, 8, 8), DIGITS),
    "mnist": Known("digit", (1, 28, 28), DIGITS),
    "fashion_mnist": Known("label", (1, 28, 28), FASHION),
    "kmnist": Known("label", (1, 28, 28), KUZUSHIJI),
    "cifar10": Known("label", (3, 32, 32), CIFAR10),
    "cifar100": Known("label", (3, 32, 32), CIFAR100),
    "image_folder": Known("label"),
    "audio_folder": Known("label", input="audio"),
}

BYTES = 256  # tokens of a text taken as bytes, all known beforehand
TOKENS_BEFORE = 2  # padding and unknown
SET_SHAPE = (8,)  # nominal: the members of a batch's largest set decide
DATE_VALUES = 7


@dataclass(frozen=True)
class Outline:
    """Settings of every column, those of the source filled in, and what is certain of them without the data.

    input_shapes: of one example as the model sees it, None where the data decide. cardinalities: of the inputs that are
    indices, how many there are, None where the data decide; inputs that are floats are not in it. classes: of outputs
    that have classes, None where the data decide.
    """

    inputs: Mapping[str, InputColumn]
    outputs: Mapping[str, OutputColumn]
    input_shapes: Mapping[str, Shape | None]
    cardinalities: Mapping[str, int | None]
    classes: Mapping[str, tuple[str, ...] | None]


def outline(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> Outline:
    """Everything known without the data. Raises ConfigError as settle_columns does."""
    settled_inputs, settled_outputs = settle_columns(data, inputs, outputs)
    known = None if own_words(data) else KNOWN.get(data.source)
    classes = {
        name: tuple(column.classes) if column.classes else known.classes if known else None
        for name, column in settled_outputs.items()
        if isinstance(column, CategoryOutput | LabelsOutput)
    }
    shapes = {name: _shape(column, known) for name, column in settled_inputs.items()}
    indices = (CategoryInput, TextInput, SetInput, HistoryInput)
    cardinalities = {
        name: _cardinality(column) for name, column in settled_inputs.items() if isinstance(column, indices)
    }
    return Outline(settled_inputs, settled_outputs, shapes, cardinalities, classes)


def settle_columns(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> tuple[dict[str, InputColumn], dict[str, OutputColumn]]:
    """The columns that go in and come out: those written, else the source's own.

    Raises ConfigError for a column that the source does not have, one on both sides, or columns that only a person can
    name and that are not written: of arrays, of tables, and of files whose names say more than one thing.
    """
    has = source_columns(data)
    problems = [
        *_absent(data.source, has, "inputs", inputs or {}),
        *_absent(data.source, has, "outputs", outputs or {}),
        *_unwritten(data, inputs, outputs),
    ]
    known = KNOWN.get(data.source)
    settled_in = dict(inputs or {}) or _default(InputColumn, known.input if known else "", known.input if known else "")
    settled_out = dict(outputs or {}) or _default(OutputColumn, known.label if known else "", "category")
    problems += _clashes(settled_in, settled_out)
    problems += _misfits(data, settled_in, settled_out)
    if problems:
        raise ConfigError(*problems)
    return settled_in, settled_out


def source_columns(data: DataSection) -> tuple[str, ...] | None:
    """The columns that a source has, in its own words; None for a table, whose files tell."""
    known = KNOWN.get(data.source)
    if known is not None:
        return (known.input, *(own_words(data) or (known.label,)))
    return tuple(data.train) if isinstance(data, ArraysData) else None


def own_words(data: DataSection) -> tuple[str, ...]:
    """The columns that a folder's file names tell: the words of data.names, in their order."""
    pattern = data.names if isinstance(data, FolderData) else None
    return tuple(re.findall(r"\{(\w+)\}", pattern or ""))


def columns_of(name: str, column: InputColumn | OutputColumn) -> tuple[str, ...]:
    """The data's columns that an input or output reads: one as a rule, several side by side, none for a ranking
    and for a history, which are made of others."""
    if isinstance(column, RankingOutput | HistoryInput):
        return ()
    if isinstance(column, VectorInput) and column.columns:
        return tuple(column.columns)
    return (column.column or name,)


def _absent(
    source: str, has: Sequence[str] | None, side: str, columns: Mapping[str, InputColumn] | Mapping[str, OutputColumn]
) -> list[Problem]:
    """Columns that are written and that the source does not have."""
    if has is None:
        return []
    return [
        Problem(
            f"source {source} has no column {read}, it has {', '.join(has)}{did_you_mean(read, has)}",
            (side, name, "column") if column.column else (side, name),
        )
        for name, column in columns.items()
        for read in columns_of(name, column)
        if read not in has
    ]


def _unwritten(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> list[Problem]:
    """Sides that are left out where the source cannot fill them in."""
    words = own_words(data)
    if words and outputs is None:
        example = f"outputs: {{{words[0]}: {{type: category}}}}"
        return [Problem(f"file names tell {', '.join(words)}; write which comes out, e.g. {example}", ("outputs",))]
    if data.source in KNOWN:
        return []
    kind, example = ("arrays", "{x: {type: image}}") if data.source == "arrays" else ("tables", "{age: {type: number}}")
    sides = (("inputs", inputs, example), ("outputs", outputs, "{y: {type: category}}"))
    return [
        Problem(f"{kind} do not tell what they mean; write {side}, e.g. {side}: {wording}", (side,))
        for side, columns, wording in sides
        if columns is None
    ]


def _clashes(inputs: Mapping[str, InputColumn], outputs: Mapping[str, OutputColumn]) -> list[Problem]:
    """Outputs that go in too, by their name or by the column that they read."""
    going_in = {read for name, column in inputs.items() for read in columns_of(name, column)}
    problems = []
    for name, column in outputs.items():
        seen = going_in.intersection(columns_of(name, column))
        if seen:
            message = f"column {seen.pop()} is an input too: the model would see what it is to predict"
            problems.append(Problem(message, ("outputs", name)))
        elif name in inputs:
            problems.append(Problem(f"an input is called {name} too; give one of them another name", ("outputs", name)))
    return problems


def _misfits(
    data: DataSection, inputs: Mapping[str, InputColumn], outputs: Mapping[str, OutputColumn]
) -> list[Problem]:
    """Settings that contradict each other or Python: a place given twice, a ranking of what is no category."""
    problems = [
        Problem("has column and columns; only one of them can say where the numbers are", ("inputs", name, "columns"))
        for name, column in inputs.items()
        if isinstance(column, VectorInput) and column.columns and column.column
    ]
    if "self" in inputs and len(inputs) > 1:
        message = "several inputs reach a module by their names, and self is the module; call it otherwise, with column"
        problems.append(Problem(f"{message}: {inputs['self'].column or 'self'}", ("inputs", "self")))
    problems += _history_misfits(data, inputs, outputs)
    for name, column in outputs.items():
        if isinstance(column, RankingOutput):
            problems += _ranking_misfits(data, name, column, inputs)
            if others := [other for other in outputs if other != name]:
                message = f"a ranking is an experiment's only output, and there is {', '.join(others)} too"
                problems.append(Problem(f"{message}; make two experiments of them", ("outputs", name)))
    return problems


def _history_misfits(
    data: DataSection, inputs: Mapping[str, InputColumn], outputs: Mapping[str, OutputColumn]
) -> list[Problem]:
    """A history is of the user of a ranking, and all of them follow one order."""
    histories = {name: column for name, column in inputs.items() if isinstance(column, HistoryInput)}
    rankings = [column for column in outputs.values() if isinstance(column, RankingOutput)]
    times = {column.time for column in histories.values()}
    has = source_columns(data)
    problems = []
    for name, column in histories.items():
        place = ("inputs", name)
        if not rankings:
            message = "a history is of what the user of a ranking chose, and no output is a ranking; leave it out"
            problems.append(Problem(message, place))
        if any(name in ranking.item_inputs for ranking in rankings):
            problems.append(Problem("a history describes the user; take it out of the ranking's item_inputs", place))
        if column.column is not None:
            problems.append(Problem("a history reads no column of its own; leave this out", (*place, "column")))
        if len(times) > 1:
            problems.append(Problem("histories have different times; choices have one order", (*place, "time")))
        if column.time and has is not None and column.time not in has:
            hint = did_you_mean(column.time, has)
            problems.append(Problem(f"the data have no column {column.time}{hint}", (*place, "time")))
    return problems


def _ranking_misfits(
    data: DataSection, name: str, ranking: RankingOutput, inputs: Mapping[str, InputColumn]
) -> list[Problem]:
    problems = []
    if ranking.column is not None:
        problems.append(Problem("a ranking reads no column of its own; leave this out", ("outputs", name, "column")))
    for key in ("user", "item"):
        wanted = getattr(ranking, key)
        settings = inputs.get(wanted)
        if settings is None:
            hint = did_you_mean(wanted, inputs)
            problems.append(
                Problem(f"there is no input {wanted}, only {', '.join(inputs)}{hint}", ("outputs", name, key))
            )
        elif not isinstance(settings, CategoryInput):
            problems.append(
                Problem(f"input {wanted} is a {settings.type}; expected a category", ("outputs", name, key))
            )
    problems += [
        Problem(f"there is no input {wanted}{did_you_mean(wanted, inputs)}", ("outputs", name, "item_inputs", place))
        for place, wanted in enumerate(ranking.item_inputs)
        if wanted not in inputs
    ]
    has = source_columns(data)
    if ranking.title and has is not None and ranking.title not in has:
        hint = did_you_mean(ranking.title, has)
        problems.append(Problem(f"the data have no column {ranking.title}{hint}", ("outputs", name, "title")))
    return problems


def _default(union: Any, name: str, kind: str) -> dict[str, Any]:
    """The source's own column with the settings' defaults; nothing where a problem says that it must be written."""
    if not name:
        return {}
    return {name: TypeAdapter(union).validate_python({"type": kind})}


def _shape(column: InputColumn, known: Known | None) -> Shape | None:
    """The shape of one example of an input as the model sees it, where the data cannot change it."""
    flagged = isinstance(column, NumberInput | VectorInput | DateInput) and column.missing == "flag"
    match column:
        case NumberInput():
            return (1 + flagged,)
        case VectorInput():
            return (len(column.columns) * (1 + flagged),) if column.columns else None
        case DateInput():
            return (DATE_VALUES + flagged,)
        case CategoryInput():
            return ()
        case TextInput():
            return (sum(max(0, column.max_length - more) for more in range(column.ngrams)),)
        case SetInput():
            return SET_SHAPE
        case HistoryInput():
            return (column.last,)
        case AudioInput():
            return audio_shape(column)
        case ImageInput():
            return _picture_shape(column, known)


def _picture_shape(column: ImageInput, known: Known | None) -> Shape | None:
    channels, height, width = known.picture if known and known.picture else (None, None, None)
    channels = column.channels or channels
    if column.size is not None:
        height, width = (column.size, column.size) if isinstance(column.size, int) else column.size
    return None if channels is None or height is None or width is None else (channels, height, width)


def _cardinality(column: InputColumn) -> int | None:
    """How many indices an input has, where the data cannot change it: bytes are all known beforehand."""
    return BYTES + TOKENS_BEFORE if isinstance(column, TextInput) and column.tokens == "bytes" else None
