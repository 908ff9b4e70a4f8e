"""Where examples come from: each source finds its files and gives a Dataset as it is, uncut and unencoded.

A new source is one file here and one line in SOURCES, beside its section in the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module

from ft.core.config.schema import DataSection, TableData
from ft.core.data.table import Dataset

SOURCES = {
    "digits": "ft.core.data.sources.digits:load",
    "mnist": "ft.core.data.sources.mnist:load",
    "fashion_mnist": "ft.core.data.sources.mnist:load",
    "kmnist": "ft.core.data.sources.mnist:load",
    "cifar10": "ft.core.data.sources.cifar:load",
    "cifar100": "ft.core.data.sources.cifar:load",
    "image_folder": "ft.core.data.sources.folders:load",
    "audio_folder": "ft.core.data.sources.folders:load",
    "arrays": "ft.core.data.sources.arrays:load",
    "table": "ft.core.data.sources.table:load",
}


def load(
    section: DataSection,
    needed: Collection[str] | None = None,
    wanted: set[str] | None = None,
    texts: Collection[str] = (),
) -> Dataset:
    """The examples of a source, as they are.

    needed: the columns that will be used, None for all; a source may leave out others, and gives those it has.
    wanted: the splits that will be used, None for all; official parts that none of them needs are left out.
    texts: columns of a table in which no text stands for a missing value.
    Raises DataError when the data are not there or unusable, ConfigError when the settings are at fault.
    """
    module, function = SOURCES[section.source].split(":")
    source: Callable[..., Dataset] = getattr(import_module(module), function)
    return source(section, needed, wanted, texts) if isinstance(section, TableData) else source(section, needed, wanted)
