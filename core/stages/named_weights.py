"""Weights that a library offers by name (`model.weights: DEFAULT`): which they are, where they lie, what they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ft.core.adapt.weights import read_weights
from ft.core.config.schema import Experiment, ImageInput, ModelSection
from ft.core.config.weights import like_a_name
from ft.core.data.outline import settle_columns
from ft.core.errors import ConfigError, Problem
from ft.core.models.libraries import NamedWeights, named_weights, weights_in_file
from ft.core.models.named_network import chosen_library
from ft.core.runtime.fetch import check_hash, fetch, place_of
from ft.core.stages.notices import Notice

__all__ = [
    "NamedWeights",
    "named_by_file",
    "named_in",
    "named_normalization",
    "place_of_named",
    "read_named",
    "tell_normalization",
]


def named_in(model: ModelSection, wish: str) -> NamedWeights | None:
    """The weights that a wish names, when it names any; None for a path or an address.

    Raises ConfigError where there are no such weights, or where the network is no library's.
    """
    if not like_a_name(wish):
        return None
    library = chosen_library(model)
    if library is None:
        message = (
            f"{wish} names weights of a library's network, which this one is not; say model.torchvision, or a file"
        )
        raise ConfigError(Problem(message, ("model", "weights")))
    kind, name, _ = library
    return named_weights(kind, name, wish)


def named_by_file(model: ModelSection, path: Path) -> NamedWeights | None:
    """The weights of the network's library that lie in this file, told by its name and SHA-256; None for others.

    Raises CheckpointError when the name promises another SHA-256.
    """
    library = chosen_library(model)
    found = weights_in_file(library[0], library[1], path.name) if library and path.is_file() else None
    if found is not None:
        check_hash(path)
    return found


def place_of_named(named: NamedWeights) -> Path:
    """The file they lie in; for those without one what stands for it in messages."""
    return place_of(named.url) if named.url is not None else Path(named.label)


def read_named(named: NamedWeights, tell: Callable[[Notice], None]) -> tuple[Path, dict[str, Tensor]]:
    """Where they lie and what they are, downloaded where they are not there yet."""
    if named.url is not None:
        path = fetch(named.url, lambda line: tell(Notice("weights", line)))
        return path, read_weights(path)
    assert named.read is not None, "without a url the library reads them"
    tell(Notice("weights", f"getting {named.label}, by its own means"))
    return place_of_named(named), named.read()


def named_normalization(named: NamedWeights, experiment: Experiment) -> dict[str, dict[str, Any]]:
    """By picture input, the column's state that says what the weights' pictures were normalised with.

    Only of inputs whose `normalize` the file leaves out.
    """
    inputs, _ = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
    state = {"type": "image", "shape": [len(named.mean), 1, 1], "mean": list(named.mean), "std": list(named.std)}
    return {name: state for name, it in inputs.items() if isinstance(it, ImageInput) and it.normalize is None}


def tell_normalization(
    named: NamedWeights, kept: Mapping[str, Mapping[str, Any]], tell: Callable[[Notice], None]
) -> None:
    """Say which inputs are normalised as the weights expect."""
    for name, state in kept.items():
        mean, std = (", ".join(f"{value:.3f}" for value in state[key]) for key in ("mean", "std"))
        tell(Notice("choice", f"{name}: normalised as {named.label} expects, mean {mean}, deviation {std}"))
