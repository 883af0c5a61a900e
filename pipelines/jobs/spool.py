"""Inputs and ledger rows on a disk of the launcher: its memory does not grow with them."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter

from pipelines.changes import ledger_rows
from pipelines.errors import StorageError
from schemas.manifest import InputRow
from schemas.state import State

_ROW = TypeAdapter(InputRow)
_AT_ONCE = 1000  # rows from the disk
Row = Mapping[str, Any]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(f"{tempfile.gettempdir()}: {error}: set TMPDIR to a disk with room") from error


class _Table:
    """Names and what is known of each, in the order in which the names came; gone with the process.

    Raises (everything):
        StorageError: the disk is full or fails.
    """

    def __init__(self) -> None:
        with _translated(), tempfile.NamedTemporaryFile(prefix="favor-data-") as file:
            self._base = sqlite3.connect(file.name, isolation_level=None, check_same_thread=False)
            self._do("PRAGMA journal_mode=OFF")
            self._do("PRAGMA synchronous=OFF")
            self._do("CREATE TABLE t (place INTEGER PRIMARY KEY, name BLOB UNIQUE, said BLOB)")
            self._do("BEGIN")  # one for good: nobody else reads it

    def put(self, name: str, said: bytes) -> None:
        """A name that is there keeps its place."""
        self._do(
            "INSERT INTO t (name, said) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET said = excluded.said",
            (name.encode(), said),
        )

    def get(self, name: str) -> bytes | None:
        """What is known of it."""
        found = self._do("SELECT said FROM t WHERE name = ?", (name.encode(),)).fetchone()
        return None if found is None else bytes(found[0])

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __len__(self) -> int:
        last: int | None = self._do("SELECT max(place) FROM t").fetchone()[0]
        return last or 0

    def said(self, first: int, count: int) -> Iterator[bytes]:
        """From the `first` place (from 0) on."""
        for begin in range(first, first + count, _AT_ONCE):
            last = min(begin + _AT_ONCE, first + count)
            found = self._do(
                "SELECT said FROM t WHERE place > ? AND place <= ? ORDER BY place", (begin, last)
            )
            rows = found.fetchall()
            yield from (bytes(row[0]) for row in rows)
            if not rows:
                return

    def _do(self, command: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with _translated():
            return self._base.execute(command, values)


class Names(Collection[str]):
    """Of the rows of a table."""

    def __init__(self, table: _Table) -> None:
        self._table = table

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[str]:
        return (json.loads(said)["input"] for said in self._table.said(0, len(self)))


class Inputs:
    """Rows, each name once: of two the later one stands, in the earlier one's place."""

    def __init__(self, rows: Iterable[InputRow] = ()) -> None:
        self._table = _Table()
        self.names = Names(self._table)
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
        return map(_ROW.validate_json, self._table.said(first, count))


class LedgerRows(Mapping[str, Row]):
    """A state's ledger by input."""

    def __init__(self, output: str, state: State | None) -> None:
        self._table = _Table()
        for row in ledger_rows(output, state):
            self._table.put(row["input"], json.dumps(row).encode())

    def __getitem__(self, name: str) -> Row:
        said = self._table.get(name)
        if said is None:
            raise KeyError(name)
        found: Row = json.loads(said)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[str]:
        return iter(Names(self._table))
