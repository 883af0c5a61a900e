"""Media inside a Parquet file, as Hugging Face datasets keep them: a column of {"bytes", "path"}.

A cell is named by a uri, `parquet://COLUMN/ROW::FILE` (ROW counts from 0), and read when it is decoded; the
listing of the rows skips the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.forms import cells

SCHEME = "parquet://"


_ROWS_WITH_MEDIA, _ROWS = 64, 4096  # read at a time


class Cell(NamedTuple):
    """One cell that holds a medium."""

    column: str
    row: int
    file: str

    @property
    def uri(self) -> str:
        return f"{SCHEME}{self.column}/{self.row}::{self.file}"

    @classmethod
    def parse(cls, uri: str) -> Cell:
        """Raises:
        ValueError: not such a uri.
        """
        cell, found, file = uri.removeprefix(SCHEME).partition("::")
        column, slash, row = cell.rpartition("/")
        if not (uri.startswith(SCHEME) and found and slash and row.isdecimal()):
            raise ValueError(f"{uri}: want {SCHEME}COLUMN/ROW::FILE")
        return cls(column, int(row), file)


def media_columns(schema: pa.Schema) -> list[str]:
    """Columns whose type is a struct of binary `bytes` and, usually, `path`; or a list of such structs."""
    found = []
    for column in schema:
        kind = column.type.value_type if pa.types.is_list(column.type) else column.type
        if pa.types.is_struct(kind) and {each.name for each in kind} <= {"bytes", "path"}:
            index = kind.get_field_index("bytes")
            if index >= 0 and (
                pa.types.is_binary(kind[index].type) or pa.types.is_large_binary(kind[index].type)
            ):
                found.append(column.name)
    return found


def rows(table: pq.ParquetFile, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, its media as uris; bytes are read only where some are missing."""
    media = media_columns(table.schema_arrow)
    row = 0
    for group in range(table.num_row_groups):
        unread = {column for column in media if _all_there(table, group, column)}
        batch_size = _ROWS_WITH_MEDIA if len(unread) < len(media) else _ROWS
        leaves = (
            None
            if not unread
            else [
                path
                for path in (table.schema.column(i).path for i in range(len(table.schema)))
                if not (path.partition(".")[0] in unread and path.endswith(".bytes"))
            ]
        )
        for batch in table.iter_batches(
            batch_size=batch_size, row_groups=[group], columns=leaves, use_threads=False
        ):
            columns = {column: cells.values(batch.column(column)) for column in batch.schema.names}
            for place in range(batch.num_rows):
                values = {column: found[place] for column, found in columns.items()}
                for column in unread - values.keys():
                    values[column] = {}
                for column in media:
                    values[column] = _named(values[column], Cell(column, row, name), column in unread)
                row += 1
                yield {column: value for column, value in values.items() if value is not None}


def _all_there(table: pq.ParquetFile, group: int, column: str) -> bool:
    """Whether the file's own statistics say that no cell lacks its bytes."""
    described = table.metadata.row_group(group)
    for number in range(described.num_columns):
        chunk = described.column(number)
        if chunk.path_in_schema == f"{column}.bytes":
            known = chunk.statistics
            return bool(known and known.has_null_count and known.null_count == 0)
    return False  # a list of structs


def _named(value: Any, cell: Cell, there: bool) -> Any:
    """The cell's uri where it holds bytes, else the path that it gives."""
    if isinstance(value, list):
        return [_named(each, cell, there=False) for each in value]
    if not isinstance(value, dict):
        return value
    return cell.uri if there or value.get("bytes") is not None else value.get("path")


def content(value: Any) -> bytes | None:
    """The bytes of a cell; of a list, of its only element."""
    if isinstance(value, list):
        return content(value[0]) if len(value) == 1 else None
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else None
