"""What no single setting shows: settings that contradict one another. Only what is certain before any data are read.

Works on the plain tree, tolerantly, so that its findings come together with the schema's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ft.core.config.known import value_at
from ft.core.config.validate import Fault

# Sources that bring no validation examples of their own; folders of pictures may.
_WITHOUT_VALIDATION = ("digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "arrays", "table")
_NEEDS = "needs validation examples; set data.split.val, e.g. to 0.1"


def contradictions(tree: Mapping[str, Any]) -> list[Fault]:
    """Every contradiction in a composed experiment."""
    return [*_names_twice(tree), *_two_rhythms(tree), *_no_validation(tree)]


def _names_twice(tree: Mapping[str, Any]) -> Iterator[Fault]:
    inputs, outputs = tree.get("inputs"), tree.get("outputs")
    if isinstance(inputs, dict) and isinstance(outputs, dict):
        for name in outputs:
            if name in inputs:
                yield Fault(("outputs", name), "value_error", "is an input too; a column goes either in or out")


def _two_rhythms(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Not the schema's to find: there, epochs that were left out look like its default."""
    every, other = "validate_every_steps", "validate_every_epochs"
    for stage in ("train", "finetune"):
        if value_at(tree, (stage, every)) is not None and value_at(tree, (stage, other)) is not None:
            yield Fault((stage, every), "value_error", f"is given and {other} too; say only one of the two")


def _no_validation(tree: Mapping[str, Any]) -> Iterator[Fault]:
    data = tree.get("data")
    if not isinstance(data, dict) or data.get("source") not in _WITHOUT_VALIDATION:
        return
    if value_at(data, ("split", "val")) is not None or data.get("val") is not None:
        return
    for stage in ("train", "finetune"):
        for key in ("patience", "monitor"):
            if value_at(tree, (stage, key)) is not None:
                yield Fault((stage, key), "value_error", _NEEDS)
    if tree.get("tune") is not None:
        yield Fault(("tune",), "value_error", f"chooses by the score on validation and {_NEEDS}")
    yield from _chosen_on_validation(tree.get("outputs"))


def _chosen_on_validation(outputs: Any) -> Iterator[Fault]:
    for name, output in outputs.items() if isinstance(outputs, dict) else ():
        if isinstance(output, dict):
            for key in ("calibrate", "threshold"):
                if output.get(key) is not None and not isinstance(output[key], int | float):
                    yield Fault(("outputs", name, key), "value_error", f"is chosen on validation and {_NEEDS}")
