"""The files for people and plain readers, written from a state's parts: each names the state it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.states.commit import latest
from pipelines.states.parts import read_part
from schemas.corpus import CORPUS_NAME, INDEX_NAME, LEDGER_NAME
from schemas.rows import INDEX, LEDGER, TALKS, joined_kind, metadata_arrays, metadata_column, read_table
from schemas.state import CONVERSATIONS_NAME, State
from storage import files

STATE_KEY = b"favor-data.state"
_KINDS = {"bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64()}
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
    kinds = all_kinds(state)
    index = INDEX
    for name, kind in kinds.items():
        index = index.append(pa.field(metadata_column(name), _KINDS.get(kind, pa.string())))
    found = {
        INDEX_NAME: (index, _index(output, state, kinds)),
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


def all_kinds(state: State) -> dict[str, str]:
    """Metadata name -> kind over all rows."""
    kinds: dict[str, str] = {}
    for part in state.index:
        for name, kind in part.metadata.items():
            kinds[name] = joined_kind(kinds[name], kind) if name in kinds else kind
    return dict(sorted(kinds.items()))


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
        size = files.entry(path).size
        tail = files.read_range(path, max(0, size - _TAIL), min(size, _TAIL))
        length = int.from_bytes(tail[-8:-4], "little") + 8
        if length > size:
            return None
        if length > len(tail):
            tail = files.read_range(path, size - length, length)
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


def _index(output: str, state: State, kinds: Mapping[str, str]) -> Iterator[pa.Table]:
    for part in state.index:
        table = _table(output, part.table, INDEX)
        for name, array in metadata_arrays(table["metadata"].to_pylist(), kinds).items():
            table = table.append_column(name, array)
        yield table


def _table(output: str, name: str, schema: pa.Schema) -> pa.Table:
    return read_table(read_part(output, name), schema)
