"""Parts of the tables that somebody deleted, made again from the files for people: the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.errors import StorageError
from pipelines.states.commit import tables_of
from pipelines.states.derived import described
from pipelines.states.listed import listed
from pipelines.states.parts import part_name
from schemas.corpus import INDEX_NAME, LEDGER_NAME
from schemas.rows import INDEX, LEDGER, TALKS, Row, read_rows, table_bytes
from schemas.state import CONVERSATIONS_NAME, TABLES, State
from storage import files

_TABLES = {INDEX_NAME: INDEX, CONVERSATIONS_NAME: TALKS, LEDGER_NAME: LEDGER}


def restore_parts(output: str, state: State) -> bool:
    """Writes the parts of the present state that are not there; whether there were any.

    Raises:
        StorageError: the files for people do not hold their rows.
    """
    lost = tables_of(state) - listed(output, TABLES).keys()
    if not lost:
        return False
    if {described(output, name) for name in _TABLES} == {state.state}:
        for name, content in _made_again(output, state):
            if name in lost:
                files.put(files.join(output, *name.split("/")), content, output)
                lost.remove(name)
    if lost:
        raise StorageError(
            f"{output}: {min(lost)} is missing, and index.parquet and its neighbours do not hold its rows: "
            "bring it back, or build into another --output"
        )
    return True


def _made_again(output: str, state: State) -> Iterator[tuple[str, bytes]]:
    """Name and content of every part, as the rows at the top give them."""
    index, talks, ledger = (
        read_rows(files.read_bytes(files.join(output, name)), schema) for name, schema in _TABLES.items()
    )
    said: dict[str, list[Row]] = {}
    for talk in talks:
        said.setdefault(talk["key"], []).append(talk)
    at = 0
    for part in state.index:
        rows = index[at : at + part.samples]
        at += part.samples
        yield _named("index", table_bytes(rows, INDEX))
        told = [talk for row in rows for talk in said.get(row["key"], [])]
        yield _named("conversations", table_bytes(told, TALKS))
    at = 0
    for inputs in (part.inputs for part in state.ledger):
        yield _named("ledger", table_bytes(ledger[at : at + inputs], LEDGER))
        at += inputs


def _named(kind: str, content: bytes) -> tuple[str, bytes]:
    return part_name(kind, content), content
