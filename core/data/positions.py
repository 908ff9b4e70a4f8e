"""Classes that another file lists: in its data an integer is a position in its own list, not in the checkpoint's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ft.core.data.columns.names import is_integer, name_values
from ft.core.data.table import Dataset


def with_names(dataset: Dataset, classes: Mapping[str, Sequence[str]]) -> Dataset:
    """The same with names instead of positions, so that classes in another order meet by name. classes: by column.

    As in training, integers are positions only where the listed classes are no integers. Values that are names, lack
    or lie outside the list stay, for the column to read or to refuse.
    """
    splits = dict(dataset.splits)
    for column, listed in classes.items():
        if all(map(is_integer, listed)):
            continue
        for split, table in dataset.splits.items():
            codes, names = name_values(replace(dataset.values(split, column), classes=None, notes=[]))
            if (codes >= 0).all() and all(map(is_integer, {names[code] for code in np.unique(codes)})):
                called = [listed[int(name)] if name.isdecimal() and int(name) < len(listed) else name for name in names]
                splits[split] = replace(splits[split], columns={**table.columns, column: np.array(called)[codes]})
    return replace(dataset, splits=splits)
