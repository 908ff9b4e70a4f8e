"""Columns of another table, added to every row by a key: a left join, which neither adds nor drops rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ft.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow

SHOWN = 5  # keys in an error


def join(
    rows: pyarrow.Table,
    others: pyarrow.Table,
    on: str,
    key: str,
    *,
    name: str,
    asked: Collection[str] | None,
) -> tuple[pyarrow.Table, str | None]:
    """rows with the asked columns of others beside them, missing where no key fits, and what to tell of that.

    on: the key in rows. key: in others, whose own column is not added. name: of others, for errors.
    Raises DataError for a key that others have twice, for columns that both have, and when no key fits at all.
    """
    import pyarrow
    import pyarrow.compute as pc

    added = [column for column in others.column_names if column != key and (asked is None or column in asked)]
    both = [column for column in added if column in rows.column_names]
    if both:
        raise DataError(f"{name}: column {', '.join(both)} is in the rows too; rename it in one of the files")
    left, right = _comparable(rows[on]), _comparable(others[key])
    _refuse_repeated(right, key, name)
    places = pc.index_in(left, value_set=right, skip_nulls=True)
    lost = places.null_count
    if lost == len(rows):
        examples = [pc.unique(keys.drop_null())[:SHOWN].to_pylist() for keys in (left, right)]
        raise DataError(f"{name}: none of its keys {key} is in the rows' {on}: {examples[1]} there, {examples[0]} here")
    for column in added:
        rows = rows.append_column(column, pyarrow.chunked_array([others[column].combine_chunks().take(places)]))
    return (
        rows,
        f"{lost:,} of {len(rows):,} rows have no match in {name} by {on}; its columns are missing there"
        if lost
        else None,
    )


def _comparable(keys: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Keys as text: a csv says "7" where a parquet says 7."""
    import pyarrow

    text: pyarrow.Array = keys.cast(pyarrow.large_string()).combine_chunks()
    return text


def _refuse_repeated(keys: pyarrow.Array, key: str, name: str) -> None:
    import pyarrow.compute as pc

    counts = pc.value_counts(keys.drop_null())
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(repeated):
        shown = ", ".join(repeated[:SHOWN].to_pylist())
        more = f" and {len(repeated) - SHOWN:,} more" if len(repeated) > SHOWN else ""
        raise DataError(f"{name}: {key} {shown}{more} is there more than once; which row is meant is not known")
