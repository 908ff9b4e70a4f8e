"""Whether the columns that an experiment names are there, by the first lines of its tables; no row is read.

Other sources say what columns they have without their files (outline.py), and their settings were held against that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ft.core.config.schema import DataSection, InputColumn, OutputColumn, RankingOutput, TableData
from ft.core.data.gather import ColumnSettings, reads_of, require_columns
from ft.core.data.outline import settle_columns
from ft.core.data.sources.table_head import columns_by_split, find_files
from ft.core.data.splits import require_split_columns, split_columns
from ft.core.data.table import Dataset, Table
from ft.core.errors import DataError


def look_at_columns(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> str:
    """Nothing when every column is there, else why nobody could look: files that are not on this machine.

    Raises ConfigError for columns that are not there, DataError for files whose first lines cannot be read.
    """
    if not isinstance(data, TableData):
        return ""
    try:
        find_files(data)
    except DataError as error:
        return f"the columns were not looked for in the data: {error}"
    given, wanted = settle_columns(data, inputs, outputs)
    settings: dict[str, ColumnSettings] = {**given, **wanted}
    reads = reads_of(data, settings)
    titles = {name: s.title for name, s in settings.items() if isinstance(s, RankingOutput) and s.title}
    read = {column for columns in reads.values() for column in columns}
    found = columns_by_split(data, read | split_columns(data.split) | set(titles.values()))
    splits = {split: Table({name: np.zeros(1) for name in names}) for split, names in found.items()}
    require_columns(Dataset(splits, tuple(splits), {}, "the first lines"), settings, reads, titles)
    require_split_columns(splits["train"], data.split)
    return ""
