"""Where examples come from: each source finds its files and gives a Dataset as it is, uncut and unencoded.

A new source is one file here and one line in SOURCES, beside its section in the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from ft.core.config.schema import DataSection, ImageInput
from ft.core.data.table import Dataset

SOURCES = {
    "digits": "ft.core.data.sources.digits:load",
    "mnist": "ft.core.data.sources.mnist:load",
    "fashion_mnist": "ft.core.data.sources.mnist:load",
    "kmnist": "ft.core.data.sources.mnist:load",
    "cifar10": "ft.core.data.sources.cifar:load",
    "cifar100": "ft.core.data.sources.cifar:load",
    "image_folder": "ft.core.data.sources.image_folder:load",
    "arrays": "ft.core.data.sources.arrays:load",
}


def load(section: DataSection, pictures: Mapping[str, ImageInput], wanted: set[str] | None = None) -> Dataset:
    """The examples of a source. pictures: the image inputs, for sources that decode files to a size.

    wanted: the splits that will be used, None for all; a source may leave out official parts that none of them needs.
    Raises DataError when the data are not there or unusable, ConfigError when the settings are at fault.
    """
    module, function = SOURCES[section.source].split(":")
    source: Callable[..., Dataset] = getattr(import_module(module), function)
    return source(section, pictures, wanted)
