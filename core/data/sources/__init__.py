"""Where examples come from: each source finds its files and gives a Dataset as it is, uncut and unencoded.

A new source is one file here and one line in SOURCES, beside its section in the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from importlib import import_module
from threading import Thread

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

# Read by libraries that let go of the interpreter's lock, so that it costs nothing while torch is imported.
BESIDE = ("mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100")
_begun: dict[str, Future[Dataset | None]] = {}


def begin(section: DataSection, wanted: set[str] | None) -> None:
    """Start reading in a thread what is there, for the one `load` that asks for the same."""
    if section.source not in BESIDE:
        return
    source = _source(section)  # imported here: no thread imports while another does
    there = section.model_copy(update={"download": False})
    future: Future[Dataset | None] = Future()
    _begun[_asked(section, wanted)] = future

    def read() -> None:
        try:
            future.set_result(source(there, None, wanted))
        except Exception:
            future.set_result(None)  # `load` stumbles over the same, or fetches what is missing

    Thread(target=read, name="reading ahead", daemon=True).start()  # a command that ends before does not wait


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
    begun = _begun.pop(_asked(section, wanted), None)
    if begun is not None and (dataset := begun.result()) is not None:
        return dataset
    source = _source(section)
    return source(section, needed, wanted, texts) if isinstance(section, TableData) else source(section, needed, wanted)


def _source(section: DataSection) -> Callable[..., Dataset]:
    module, function = SOURCES[section.source].split(":")
    source: Callable[..., Dataset] = getattr(import_module(module), function)
    return source


def _asked(section: DataSection, wanted: set[str] | None) -> str:
    """What was asked for, as a key."""
    return f"{section!r} {sorted(wanted or ())}"
