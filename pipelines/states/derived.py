"""The files for people and plain readers, written from a state's parts: each names the state it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.states.commit import latest
from pipelines.states.parts import read_part
from schemas.corpus import CORPUS_NAME, INDEX_NAME, LEDGER_NAME
from schemas.rows import INDEX, LEDGER, TALKS, Wide, read_table
from schemas.state import CONVERSATIONS_NAME, State
from storage import files

STATE_KEY = b"favor-data.state"
_TAIL = 1 << 16


def write_derived(output: str, state: State) -> None:
    """All four; raises StorageError. Memory: one part's rows."""
    for name, (schema, parts) in _tables(output, state).items():
        with files.atomic_writer(files.join(output, name), output) as stream:
            _write(stream, schema, parts)
    files.put(files.join(output, CORPUS_NAME), corpus_bytes(state), output)


def derived_tables(output: str, state: State) -> dict[str, bytes]:
    """What the three tables should be, whole."""
    found = {}
    for name, (schema, parts) in _tables(output, state).items():
        stream = BytesIO()
        _write(stream, schema, parts)
        found[name] = stream.getvalue()
    return found


def _tables(output: str, state: State) -> dict[str, tuple[pa.Schema, Iterator[pa.Table]]]:
    """Name -> schema, and the tables of its parts."""
    wide = Wide.of(state.index)
    found = {
        INDEX_NAME: (wide.schema, _index(output, state, wide)),
        CONVERSATIONS_NAME: (TALKS, (_table(output, part.talks, TALKS) for part in state.index)),
        LEDGER_NAME: (LEDGER, (_table(output, part.table, LEDGER) for part in state.ledger)),
    }
    described = {STATE_KEY: str(state.state)}
    return {
        name: (schema.with_metadata({**(schema.metadata or {}), **described}), parts)
        for name, (schema, parts) in found.items()
    }


def _write(stream: IO[bytes], schema: pa.Schema, parts: Iterator[pa.Table]) -> None:
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for table in parts:
            writer.write_table(table.cast(schema))


def corpus_bytes(state: State) -> bytes:
    """The file corpus.json: the state for people."""
    said = {
        "schema_version": state.format,
        "state": state.state,
        "options": state.options,
        "sources": state.sources,
        "columns": {name: column.model_dump() for name, column in state.columns.items()},
        "layers": state.layers,
        "counts": state.counts,
        "media_seconds": state.media_seconds,
    }
    return (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()


def ensure_derived(output: str, state: State) -> bool:
    """Writes all four where one describes another state; whether that was needed.

    Of two builds that write them at once the older one may be last, so each looks again afterwards.
    """
    tables = (INDEX_NAME, CONVERSATIONS_NAME, LEDGER_NAME)
    if {corpus_state(output), *(described(output, name) for name in tables)} == {state.state}:
        return False
    write_derived(output, state)
    newest = latest(output)
    if newest is not None and newest.state != state.state:
        ensure_derived(output, newest)
    return True


def described(output: str, name: str) -> int | None:
    """The state that a Parquet file at the top describes; None: none, or not there."""
    path = files.join(output, name)
    try:
        tail = files.read_tail(path, _TAIL)
        length = int.from_bytes(tail[-8:-4], "little") + 8
        if length > len(tail):
            tail = files.read_tail(path, length)
        metadata = pq.read_metadata(pa.BufferReader(b"PAR1" + tail[-length:])).metadata or {}
        return int(metadata[STATE_KEY])
    except (FileNotFoundError, KeyError, ValueError, OSError):
        return None


def corpus_state(output: str) -> int | None:
    """The state that corpus.json describes; None: none, or not there."""
    try:
        said = json.loads(files.read_bytes(files.join(output, CORPUS_NAME)))
        return int(said["state"])
    except (FileNotFoundError, KeyError, ValueError, TypeError):
        return None


def _index(output: str, state: State, wide: Wide) -> Iterator[pa.Table]:
    for part in state.index:
        yield wide.widened(_table(output, part.table, INDEX))


def _table(output: str, name: str, schema: pa.Schema) -> pa.Table:
    return read_table(read_part(output, name), schema)
