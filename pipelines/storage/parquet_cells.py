"""Media that lie in the cells of a Parquet file, read a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.forms.embedded import Cell, content
from storage import files

_GROUP_BYTES = 256 << 20  # a row group up to this size is held: its cells are asked for one after another


def read(cell: Cell, version: str) -> bytes:
    """The bytes of one cell of a file in this version.

    Raises:
        FileNotFoundError: no such row, or nothing in it.
        ValueError: not a Parquet file, or no such column.
        PermissionError, StorageError: the file cannot be read.
    """
    with _opened(cell.file) as table:
        first = 0
        for group in range(table.num_row_groups):
            described = table.metadata.row_group(group)
            if cell.row < first + described.num_rows:
                break
            first += described.num_rows
        else:
            raise FileNotFoundError(f"{cell.file} has no row {cell.row}")
        small = described.total_byte_size <= _GROUP_BYTES
        found = None if small else _one(table, group, cell.column, cell.row - first)
    if small:
        found = _group(cell.file, version, group, cell.column)[cell.row - first]
    if found is None:
        raise FileNotFoundError(f"{cell.uri}: the cell is empty")
    return found


@lru_cache(maxsize=2)
def _group(file: str, version: str, group: int, column: str) -> list[bytes | None]:
    with _opened(file) as table:
        read = table.read_row_group(group, columns=_leaves(table, column), use_threads=False)
    return [content(value) for value in read.column(column).to_pylist()]


def _one(table: pq.ParquetFile, group: int, column: str, row: int) -> bytes | None:
    batches = table.iter_batches(
        batch_size=1, row_groups=[group], columns=_leaves(table, column), use_threads=False
    )
    for place, batch in enumerate(batches):
        if place == row:
            return content(batch.column(column)[0].as_py())
    return None


def _leaves(table: pq.ParquetFile, column: str) -> list[str]:
    paths = [table.schema.column(number).path for number in range(len(table.schema))]
    leaves = [path for path in paths if path.partition(".")[0] == column]
    if not leaves:
        raise ValueError(f"no column {column!r}")
    return leaves


@contextmanager
def _opened(file: str) -> Iterator[pq.ParquetFile]:
    """Read by this thread alone: `schemas.tables.read_rows` says why."""
    with files.open_read(file) as stream:
        yield pq.ParquetFile(pa.PythonFile(stream, mode="r"), pre_buffer=False)
