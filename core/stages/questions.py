"""What a user asks a trained model about: pictures or sounds, rows of a table, or one example from the command line.

All three become encoded examples by the columns that the checkpoint holds. What is done with them then is for
`ft predict` and `ft explain` to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ft.core.config.schema import InputColumn, TableData
from ft.core.config.suggest import did_you_mean
from ft.core.data.outline import settle_columns
from ft.core.data.sources.table_files import is_table
from ft.core.data.unlabelled import Unlabelled, encode_texts, read_rows
from ft.core.errors import ConfigError
from ft.core.stages.evaluate import Rebuilt

COMMAND_LINE = "--input"  # what the one example of the command line is called
LOOSE = ("image", "audio")  # kinds of inputs that lie in files of their own


def read_files(rebuilt: Rebuilt, files: Sequence[Path]) -> Unlabelled:
    """Each row of tables, or each picture or sound, in the order given.

    Where the experiment says `on_error: skip`, what cannot be read is left out and named. Raises ConfigError where the
    files are not what the model takes, DataError for one that cannot be read, or with skip when none can.
    """
    if any(map(is_table, files)):
        return _of_tables(rebuilt, files)
    paths = list(map(str, files))
    return encode_texts({_loose_input(rebuilt): paths}, paths, rebuilt.inputs, _settings(rebuilt))


def read_values(rebuilt: Rebuilt, values: Mapping[str, str]) -> Unlabelled:
    """The one example of the command line. values: by input, as they would stand in a table; of pictures and sounds the
    file. Raises ConfigError for inputs that are missing or that the model does not have, else as `read_files`.
    """
    _check_names(rebuilt, values)
    return _of_values(rebuilt, values)


def _of_tables(rebuilt: Rebuilt, files: Sequence[Path]) -> Unlabelled:
    loose = [str(file) for file in files if not is_table(file)]
    if loose:
        raise ConfigError(f"{', '.join(loose)}: tables and other files cannot be asked about together")
    return read_rows(rebuilt.experiment.data, rebuilt.inputs, _settings(rebuilt), files)


def _settings(rebuilt: Rebuilt) -> dict[str, InputColumn]:
    experiment = rebuilt.experiment
    return settle_columns(experiment.data, experiment.inputs, experiment.outputs)[0]


def _loose_input(rebuilt: Rebuilt) -> str:
    """The one input that a loose file stands for."""
    kinds = {name: column.kind for name, column in rebuilt.inputs.items()}
    if len(kinds) == 1 and set(kinds.values()) <= set(LOOSE):
        return next(iter(kinds))
    takes = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
    example = " ".join(f"-i {name}=…" for name in kinds)
    raise ConfigError(
        f"this model takes {takes}: name a table with these columns (csv, tsv, jsonl, parquet), or write {example}"
    )


def _check_names(rebuilt: Rebuilt, values: Mapping[str, str]) -> None:
    names = rebuilt.inputs
    problems = [
        f"--input {given}: the model has no such input, it has {', '.join(names)}{did_you_mean(given, names)}"
        for given in values
        if given not in names
    ]
    missing = [name for name in names if name not in values]
    if missing:
        kinds = ", ".join(f"{name} ({names[name].kind})" for name in missing)
        problems.append(f"inputs are missing: {kinds}; write " + " ".join(f"-i {name}=…" for name in missing))
    if problems:
        raise ConfigError(*problems)


def _of_values(rebuilt: Rebuilt, values: Mapping[str, str]) -> Unlabelled:
    """What stands for a missing value in the experiment's tables does so here."""
    texts, notes = dict(values), []
    for name, column in rebuilt.inputs.items():
        if is_missing(rebuilt, name, values[name]):
            texts[name] = ""
            if column.kind == "category":  # the others tell by themselves
                notes.append(f"{name} has no value; it counts as missing")
    rows = encode_texts({n: [text] for n, text in texts.items()}, [COMMAND_LINE], rebuilt.inputs, _settings(rebuilt))
    return replace(rows, notes=(*notes, *rows.notes))


def is_missing(rebuilt: Rebuilt, name: str, text: str) -> bool:
    """Whether a text stands for a missing value of this input, as in the experiment's own tables."""
    data = rebuilt.experiment.data
    missing = data.missing if isinstance(data, TableData) else []
    return rebuilt.inputs[name].kind != "text" and text in ("", *missing)
