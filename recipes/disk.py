"""Tables too large for memory, in a temporary SQLite file: sets have half a million records."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self


class Database:
    """A SQLite file that goes with the `with` block (or with the process: it is unlinked at once where
    the system allows)."""

    def __init__(self, schema: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="favor-data-recipe-")
        self.connection = sqlite3.connect(Path(self._folder.name) / "tables", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.executescript(schema)
        self.connection.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._folder.cleanup()


class Lookup(Database):
    """Key -> value (text), the last one given."""

    def __init__(self) -> None:
        super().__init__("CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")

    def __setitem__(self, key: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", (key, value))

    def get(self, key: str) -> str | None:
        found = self.connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None


class Groups(Database):
    """Values that share a key, gathered from anywhere in a file."""

    def __init__(self) -> None:
        super().__init__("CREATE TABLE entries (place INTEGER PRIMARY KEY, key TEXT, value TEXT)")

    def add(self, key: str, value: Any) -> None:
        """`value`: anything that JSON can hold."""
        self.connection.execute("INSERT INTO entries (key, value) VALUES (?, ?)", (key, json.dumps(value)))

    def __iter__(self) -> Iterator[tuple[str, list[Any]]]:
        """(key, values) in the order in which keys, and values, were first added."""
        self.connection.execute("CREATE INDEX IF NOT EXISTS by_key ON entries (key)")
        query = (
            "SELECT e.key, e.value FROM entries e JOIN "
            "(SELECT key, MIN(place) AS first FROM entries GROUP BY key) g "
            "ON e.key = g.key ORDER BY g.first, e.place"
        )
        current: str | None = None
        values: list[Any] = []
        for key, value in self.connection.execute(query):
            if key != current and current is not None:
                yield current, values
                values = []
            current = key
            values.append(json.loads(value))
        if current is not None:
            yield current, values
