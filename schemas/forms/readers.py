"""Files of rows, row by row: .jsonl, .json lists, .csv, .tsv, .txt lists, .parquet.

A reader gives (line, values), and (line, RowError) for a row that cannot be read where the next one can; it
holds a row, or a batch of a Parquet file, at a time. In .json and .parquet a line is a row's number from 1.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.forms import embedded
from schemas.forms.errors import ManifestError, RowError
from schemas.forms.lists import items
from schemas.forms.plain import from_json, is_whole

Rows = Iterator[tuple[int, Any]]
Reader = Callable[[str, IO[bytes]], Rows]

_LONGEST = 64 << 20  # bytes or characters of one row
_JSON_CELLS = ("conversations", "metadata")
_OTHER_UNICODE = (b"\xff\xfe", b"\xfe\xff")


def _lines(name: str, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something."""
    line = 0
    while raw := stream.readline(_LONGEST + 1):
        line += 1
        if len(raw) > _LONGEST:
            raise ManifestError(f"{name}:{line}: longer than {_LONGEST >> 20} MiB: want a row a line")
        if line == 1 and raw.startswith(_OTHER_UNICODE):
            raise ManifestError(f"{name}: is UTF-16: save it as UTF-8")
        if line == 1:
            raw = raw.removeprefix(BOM_UTF8)
        if raw.strip():
            yield line, raw


def jsonl(name: str, stream: IO[bytes]) -> Rows:
    """A JSON object a line."""
    for line, raw in _lines(name, stream):
        yield line, _object(f"{name}:{line}", raw)


def _object(place: str, raw: bytes) -> Any:
    try:
        return from_json(raw)
    except ValueError as error:
        return RowError(f"{place}: not a JSON object: {error}")


def json_list(name: str, stream: IO[bytes]) -> Rows:
    """A list of rows, as LLaVA and VideoChat keep theirs."""
    line = 0
    try:
        for line, raw in enumerate(items(stream, _LONGEST), start=1):
            yield line, _object(f"{name}:{line}", raw)
    except ValueError as error:
        raise ManifestError(f"{name}:{line + 1}: not a JSON list of rows: {error}") from error
    if not line:
        raise ManifestError(f"{name}: holds no rows: want a JSON list of objects")


def paths(name: str, stream: IO[bytes]) -> Rows:
    """A file's name a line."""
    for line, raw in _lines(name, stream):
        try:
            yield line, {"media": raw.decode("utf-8-sig").strip()}
        except UnicodeDecodeError as error:
            yield line, RowError(f"{name}:{line}: not UTF-8 (byte {error.start + 1})")


def comma_separated(name: str, stream: IO[bytes]) -> Rows:
    """A table whose first line names the columns."""
    return _table(name, stream, ",")


def tab_separated(name: str, stream: IO[bytes]) -> Rows:
    """The same with tabs."""
    return _table(name, stream, "\t")


def _table(name: str, stream: IO[bytes], delimiter: str) -> Rows:
    csv.field_size_limit(_LONGEST)  # the module's own limit, 131,072, is under what a conversation may take
    cells = csv.reader(_text_lines(name, stream), delimiter=delimiter, strict=True)
    try:
        columns = _header(name, next(cells, []))
        for row in cells:
            if row:
                yield cells.line_num, _row(f"{name}:{cells.line_num}", columns, row)
    except csv.Error as error:
        raise ManifestError(f"{name}:{cells.line_num}: not a table of cells: {error}") from error


def _text_lines(name: str, stream: IO[bytes]) -> Iterator[str]:
    """Bytes that are no UTF-8 come as halves of surrogate pairs."""
    text = TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    for line in iter(lambda: text.readline(_LONGEST + 1), ""):
        if len(line) > _LONGEST:
            raise ManifestError(f"{name}: a line is longer than {_LONGEST >> 20} MiB: want a row a line")
        if "\0" in line:
            raise ManifestError(f"{name}: holds zero bytes: save it as UTF-8 text")
        yield line


def _header(name: str, cells: list[str]) -> list[str]:
    columns = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
    for column in columns:
        if not is_whole(column):
            raise ManifestError(f"{name}:1: the names of the columns are not UTF-8: save it as UTF-8")
        if columns.count(column) > 1:
            raise ManifestError(f"{name}:1: two columns are called {column!r}")
    return columns


def _row(place: str, columns: list[str], cells: list[str]) -> dict[str, Any] | RowError:
    if len(cells) != len(columns):
        return RowError(
            f"{place}: the row has another number of cells than the header: {len(cells)}, not {len(columns)}"
        )
    values: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if not is_whole(cell):
            return RowError(f"{place}: field '{column}': not UTF-8")
        if cell and column in _JSON_CELLS:
            try:
                values[column] = from_json(cell.encode())
            except ValueError as error:
                return RowError(f"{place}: field '{column}': not JSON: {error}")
        elif cell:
            values[column] = cell
    return values


def parquet(name: str, stream: IO[bytes]) -> Rows:
    """A row of a Parquet file; `schemas.forms.embedded` says what becomes of media inside."""
    try:
        # Read by this thread alone: schemas.tables.read_rows says why.
        table = pq.ParquetFile(pa.PythonFile(stream, mode="r"), pre_buffer=False)
        if twice := [each for each in table.schema_arrow.names if table.schema_arrow.names.count(each) > 1]:
            raise ManifestError(f"{name}: two columns are called {twice[0]!r}")
        yield from enumerate(embedded.rows(table, name), start=1)
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, ManifestError):
            raise
        fault = str(error).strip().partition("\n")[0]
        raise ManifestError(f"{name}: not a Parquet file that can be read: {fault}") from error


READERS: dict[str, Reader] = {
    "jsonl": jsonl,
    "json": json_list,
    "csv": comma_separated,
    "tsv": tab_separated,
    "txt": paths,
    "parquet": parquet,
}
