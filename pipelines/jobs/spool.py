"""Inputs and ledger rows on a disk of the launcher: its memory does not grow with them."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter

from pipelines.changes import ledger_rows
from pipelines.errors import StorageError
from schemas.manifest import InputRow
from schemas.state import State

_ROW = TypeAdapter(InputRow)
_PUT = (
    "INSERT INTO t (name, content) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content"
)
Row = Mapping[str, Any]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(f"{tempfile.gettempdir()}: {error}: set TMPDIR to a disk with room") from error


class _Table(Collection[str]):
    """Names and what is known of each, in the order in which the names came. Its file has no name, so that
    nothing is left of it, however the process ends.

    Raises (everything):
        StorageError: the disk is full or fails.
    """

    def __init__(self) -> None:
        with _translated(), tempfile.NamedTemporaryFile(prefix="favor-data-") as file:
            self._base = sqlite3.connect(file.name, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._base.close)
            self._base.execute("PRAGMA journal_mode=OFF")
            self._base.execute("PRAGMA synchronous=OFF")
            self._base.execute("CREATE TABLE t (place INTEGER PRIMARY KEY, name BLOB UNIQUE, content BLOB)")
            self._base.execute("BEGIN")  # one for good: nobody else reads it

    def put(self, name: str, content: bytes) -> None:
        """A name that is there keeps its place."""
        with _translated():
            self._base.execute(_PUT, (name.encode(), content))

    def get(self, name: str) -> bytes | None:
        """What is known of it."""
        return next(self._rows("SELECT content FROM t WHERE name = ?", name.encode()), None)

    def __contains__(self, name: object) -> bool:
        return any(self._rows("SELECT 1 FROM t WHERE name = ?", str(name).encode()))

    def __len__(self) -> int:
        return next(self._rows("SELECT max(place) FROM t")) or 0

    def __iter__(self) -> Iterator[str]:
        return map(bytes.decode, self._rows("SELECT name FROM t ORDER BY place"))

    def contents(self, first: int, count: int) -> Iterator[bytes]:
        """From the `first` place (from 0) on."""
        return self._rows(
            "SELECT content FROM t WHERE place > ? AND place <= ? ORDER BY place", first, first + count
        )

    def _rows(self, query: str, *values: bytes | int) -> Iterator[Any]:
        with _translated():
            for (value,) in self._base.execute(query, values):
                yield value


class Inputs:
    """Rows, each name once: of two the later one stands, in the earlier one's place."""

    def __init__(self, rows: Iterable[InputRow] = ()) -> None:
        self._table = _Table()
        self.names: Collection[str] = self._table
        for row in rows:
            self.add(row)

    def add(self, row: InputRow) -> None:
        """As the rows of `__init__`."""
        self._table.put(row.input, _ROW.dump_json(row))

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[InputRow]:
        return self.part(0, len(self))

    def part(self, first: int, count: int) -> Iterator[InputRow]:
        """From the `first` (from 0) on."""
        return map(_ROW.validate_json, self._table.contents(first, count))


class LedgerRows(Mapping[str, Row]):
    """A state's ledger by input."""

    def __init__(self, output: str, state: State | None) -> None:
        self._table = _Table()
        for row in ledger_rows(output, state):
            self._table.put(row["input"], json.dumps(row).encode())

    def __getitem__(self, name: str) -> Row:
        content = self._table.get(name)
        if content is None:
            raise KeyError(name)
        row: Row = json.loads(content)
        return row

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)
