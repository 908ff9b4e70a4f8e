"""What training draws and mixes: sampling of classes, mixup and cutmix, checked against the data before a run."""

from __future__ import annotations

import torch
from torch import Tensor

from ft.core.config.schema import CategoryOutput, NumberOutput, TrainSection
from ft.core.data.mixing import Mixing
from ft.core.data.prepare import Data
from ft.core.errors import ConfigError, Problem

MIXABLE = ("image", "audio", "number", "vector")  # reach the model as floats; an index has nothing in between


def sampled_classes(settings: TrainSection, stage: str, data: Data) -> Tensor | None:
    """The classes that come equally often, int64 (N,) of the training rows; None where rows come as they are.

    Raises ConfigError without exactly one category output, and where its loss is balanced too.
    """
    if settings.sampling == "shuffle":
        return None
    place = (stage, "sampling")
    names = [name for name, output in data.output_settings.items() if isinstance(output, CategoryOutput)]
    if len(names) != 1:
        there = f"there are {len(names)}: {', '.join(names)}" if names else "there is none"
        message = f"{stage}.sampling: balanced needs one category output, and {there}; leave it out"
        raise ConfigError(Problem(message, place))
    output = data.output_settings[names[0]]
    if isinstance(output, CategoryOutput) and output.class_weights == "balanced":
        message = (
            f"{stage}.sampling: balanced and class_weights: balanced of {names[0]} correct the same imbalance twice"
        )
        raise ConfigError(Problem(f"{message}; leave one of them out", place))
    return data.examples["train"].targets[names[0]]


def tell_sampling(settings: TrainSection, stage: str, data: Data) -> tuple[str, ...]:
    """One line where classes are balanced: what they count, and how often each comes in an epoch."""
    classes = sampled_classes(settings, stage, data)
    if classes is None:
        return ()
    counts = torch.bincount(classes)
    counts = counts[counts > 0]
    low, rest = divmod(len(classes), len(counts))
    times = f"{low:,} or {low + 1:,}" if rest else f"{low:,}"
    has = f"{int(counts.min()):,} to {int(counts.max()):,} examples"
    [name] = [name for name, output in data.output_settings.items() if isinstance(output, CategoryOutput)]
    return (f"sampling balanced: the {len(counts)} classes of {name} have {has}, each comes {times} times in an epoch",)


def mixing(seed: int, settings: TrainSection, stage: str, data: Data) -> Mixing | None:
    """How batches are mixed; None where nothing asks for it. Raises ConfigError for columns that cannot be mixed."""
    keys = [key for key in ("mixup", "cutmix") if getattr(settings, key) is not None]
    problems = [problem for key in keys for problem in _unmixable(key, stage, data)]
    if problems:
        raise ConfigError(*problems)
    if not keys:
        return None
    classes = {
        name: len(data.outputs[name].to_state()["classes"])
        for name, output in data.output_settings.items()
        if isinstance(output, CategoryOutput)
    }
    return Mixing(seed, classes, settings.mixup, settings.cutmix)


def _unmixable(key: str, stage: str, data: Data) -> list[Problem]:
    """What stands in the way of mixing, a sentence each."""
    place, found = (stage, key), []
    for name, output in data.output_settings.items():
        if not isinstance(output, CategoryOutput | NumberOutput):
            what = f"mixes categories and numbers, and the output {name} is of type {output.type}"
            found.append(Problem(f"{stage}.{key} {what}; leave it out", place))
    for name, column in data.inputs.items():
        if column.kind not in MIXABLE:
            what = f"the input {name} is of type {column.kind}, between whose values there is nothing"
            found.append(Problem(f"{stage}.{key}: {what}; leave it out", place))
    kinds = [column.kind for column in data.inputs.values()]
    if key == "cutmix" and kinds != ["image"] and not found:
        message = f"{stage}.cutmix cuts pictures and needs one input, an image; the inputs are {', '.join(data.inputs)}"
        found.append(Problem(f"{message}; leave it out, or use mixup", place))
    return found
