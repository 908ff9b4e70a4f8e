"""Other data than the experiment's own, for judging: what `--data` names, and the classes that such a file lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ft.core.config.load import Loaded, load_experiment
from ft.core.config.schema import CategoryOutput, DataSection, InputColumn, OutputColumn, Split, TableData
from ft.core.data.columns import Column
from ft.core.data.outline import columns_of
from ft.core.data.sources.table_files import is_table
from ft.core.data.sources.table_head import names_itself
from ft.core.errors import ConfigError
from ft.core.stages.subject import is_config

ANY_MODEL = "model={layers: [Linear]}"  # instead of that of a file whose data alone are wanted; it may have none


def other_section(
    loaded: Loaded, other: Path | None, split: str, settings: Mapping[str, InputColumn | OutputColumn]
) -> DataSection:
    """What to read: the experiment's own data where no others are named. settings: of the model's columns, by name."""
    if other is None:
        return loaded.experiment.data
    reads = {read for name, column in settings.items() for read in columns_of(name, column)}
    section: DataSection = _other_data(loaded, other, split, reads)
    return section


def listed_classes(path: Path | None, outputs: Mapping[str, Column]) -> dict[str, list[str]]:
    """The classes that the YAML file of `--data` lists, by the checkpoint's outputs; one output stands for one."""
    if path is None or not is_config(path):
        return {}
    theirs = load_experiment(path, [ANY_MODEL]).experiment.outputs or {}
    if len(theirs) == len(outputs) == 1:
        theirs = dict(zip(outputs, theirs.values(), strict=True))
    listed = {name: column.classes for name, column in theirs.items() if isinstance(column, CategoryOutput)}
    return {name: list(classes) for name, classes in listed.items() if classes and name in outputs}


def _other_data(loaded: Loaded, path: Path, split: str, reads: Collection[str]) -> Any:
    """`--data`: a YAML file's `data`, whatever else it holds, a table whose every row is judged, or another folder.

    reads: the data's columns that the model needs. A table of a model without a header may have one of its own.
    """
    if is_config(path):
        return load_experiment(path, [ANY_MODEL]).experiment.data
    section = loaded.experiment.data
    if isinstance(section, TableData) and path.is_file():
        file = str(path.absolute())
        own = {"train": file, "val": None, "test": None, split: file, "split": Split()}
        section = section.model_copy(update=own | ({"format": None} if is_table(path) else {}))
        return section.model_copy(update={"header": True}) if names_itself(section, path, reads) else section
    if "root" not in type(section).model_fields:
        raise ConfigError(
            f"--data {path}: the source {section.source} reads no folder; name a YAML file with a data section"
        )
    if not path.exists():
        raise ConfigError(f"--data {path}: there is no such file or folder")
    return section.model_copy(update={"root": str(path)})
