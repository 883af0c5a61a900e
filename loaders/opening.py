"""The table of a corpus's samples, whatever version of favor-data wrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from loaders.storage import Storage
from schemas.corpus import CORPUS_NAME, INDEX_NAME, Column, snapshot_index_name
from schemas.corpus import Corpus as CorpusFile
from schemas.rows import INDEX, Wide, read_table
from schemas.selection.view import VIEW_NAME, View, ViewError
from schemas.selection.where import Where, WhereError
from schemas.state import KEPT, STATES, FormatError, State, state_name, state_number
from storage import files
from storage.errors import StorageError

_STATE_KEY = b"favor-data.state"


class CorpusError(ValueError):
    """A corpus that cannot be read as asked: one line that says what is wrong."""


@dataclass(frozen=True)
class Opened:
    """A corpus: a row a sample, the features' columns by name, and the state's number (0: version 1);
    `storage`: where a view's samples lie."""

    table: pa.Table
    columns: Mapping[str, Column]
    state: int
    storage: Storage | None = None


def open_table(storage: Storage, where: Any = None, state: str | None = None) -> Opened:
    """The rows that pass a filter.

    Args:
        where: as pyarrow.parquet.read_table takes it.
        state: the name of a kept state (of version 1: a snapshot); None: the present.

    Raises:
        CorpusError: no corpus there, no access to it, no such state, or a file that is not what it should be.
    """
    number = _latest(storage)
    if not number and (view := _view(storage)):
        return _viewed(storage, view, where)
    if not number:
        return _version_1(storage, where, state)
    if state is not None:
        found = _kept(storage, state)
        return Opened(_filtered(_parts(storage, found), where), found.columns, found.state)
    found = _state(storage, state_name(number))
    content = _native(read(storage, INDEX_NAME))
    said = (pq.read_schema(pa.BufferReader(content)).metadata or {}).get(_STATE_KEY)
    if said == str(number).encode():
        return Opened(_read_table(storage, INDEX_NAME, content, where), found.columns, number)
    return Opened(_filtered(_parts(storage, found), where), found.columns, number)


def passing(table: pa.Table, text: str) -> tuple[pa.Table, int]:
    """The rows of which a condition in SQL is true, and of how many it is NULL; raises CorpusError."""
    try:
        passed = Where(text).passed(table)
    except WhereError as error:
        raise CorpusError(f"where: {error}") from error
    return table.filter(pa.array(passed.mask)), passed.unknown


def _view(storage: Storage) -> View | None:
    path = files.join(storage.root, VIEW_NAME)
    try:
        return View.read(read(storage, VIEW_NAME), path) if files.exists(path) else None
    except ViewError as error:
        raise CorpusError(str(error)) from error


def _viewed(storage: Storage, view: View, where: Any) -> Opened:
    """The rows of a view; their bytes lie in another corpus, which keeps the state that they are of."""
    table = _read_table(storage, INDEX_NAME, _native(read(storage, INDEX_NAME)), where)
    source = Storage(view.corpus)
    try:
        state = _kept(source, view.state)
    except CorpusError as error:
        raise CorpusError(f"{storage.root} is a view of {view.corpus}, which does not keep it any more: "
                          "select again") from error  # fmt: skip
    return Opened(table, state.columns, state.state, source)


def read(storage: Storage, name: str) -> bytes:
    """A whole file; raises CorpusError."""
    try:
        return storage.read(name)
    except FileNotFoundError as error:
        raise CorpusError(
            f"{storage.root} holds no {name}: is it the --output of a finished build?"
        ) from error
    except PermissionError as error:
        raise CorpusError(f"{storage.root}/{name} may not be read: are there credentials?") from error
    except (OSError, StorageError) as error:
        raise CorpusError(f"{storage.root}/{name} cannot be read: {str(error).splitlines()[0]}") from error


def _latest(storage: Storage) -> int:
    try:
        names = files.listing(files.join(storage.root, STATES))
    except PermissionError as error:
        raise CorpusError(f"{storage.root} may not be read: are there credentials?") from error
    except (OSError, StorageError, ValueError) as error:
        raise CorpusError(f"{storage.root} cannot be read: {str(error).splitlines()[0]}") from error
    return max((number for name in names if (number := state_number(name)) is not None), default=0)


def _state(storage: Storage, name: str) -> State:
    try:
        return State.read(read(storage, name), f"{storage.root}/{name}")
    except FormatError as error:
        raise CorpusError(str(error)) from error


def _kept(storage: Storage, name: str) -> State:
    found = files.listing(files.join(storage.root, KEPT))
    kept = sorted(path.rpartition("/")[2].removesuffix(".json") for path in found if path.endswith(".json"))
    if name not in kept:
        raise CorpusError(f"no state {name!r} is kept in {storage.root}; it has {', '.join(kept) or 'none'}")
    return _state(storage, f"{KEPT}/{name}.json")


def _parts(storage: Storage, state: State) -> pa.Table:
    wide = Wide.of(state.index)
    tables = [wide.widened(read_table(read(storage, part.table), INDEX)) for part in state.index]
    return pa.concat_tables(tables) if tables else INDEX.empty_table()


def _filtered(table: pa.Table, where: Any) -> pa.Table:
    if where is None:
        return table
    return table.filter(where if isinstance(where, pc.Expression) else pq.filters_to_expression(where))


def _version_1(storage: Storage, where: Any, snapshot: str | None) -> Opened:
    if snapshot is None:
        content = read(storage, INDEX_NAME)
        return Opened(_read_table(storage, INDEX_NAME, _native(content), where), {}, 0)
    name = snapshot_index_name(snapshot)
    digests = {item.name: item.index_sha256 for item in _corpus_file(storage).snapshots}
    if snapshot not in digests:
        raise CorpusError(
            f"no snapshot {snapshot!r} in {storage.root}; it has {', '.join(digests) or 'none'}"
        )
    content = read(storage, name)
    if hashlib.sha256(content).hexdigest() != digests[snapshot]:
        raise CorpusError(f"{storage.root}/{name} is not the index that snapshot {snapshot} froze")
    return Opened(_read_table(storage, name, _native(content), where), {}, 0)


def columns_of(storage: Storage, opened: Mapping[str, Column]) -> Mapping[str, Column]:
    """The features' columns; of a corpus of version 1 corpus.json is read when they are asked for."""
    return opened or _corpus_file(storage).columns


def _read_table(storage: Storage, name: str, content: pa.Buffer, where: Any) -> pa.Table:
    try:
        return pq.read_table(pa.BufferReader(content), filters=where)
    except pa.ArrowInvalid as error:
        raise CorpusError(f"{storage.root}/{name}: {str(error).splitlines()[0]}") from error


def _native(content: bytes) -> pa.Buffer:
    """A copy in Arrow's own memory: its threads let go of what they read when the interpreter may be gone."""
    buffer = pa.allocate_buffer(len(content))
    np.frombuffer(buffer, np.uint8)[:] = np.frombuffer(content, np.uint8)
    return buffer


def _corpus_file(storage: Storage) -> CorpusFile:
    content = read(storage, CORPUS_NAME)
    try:
        said = json.loads(content).get("schema_version", 1)
        if said != 1:
            raise CorpusError(f"{storage.root}/{CORPUS_NAME} is of version {said}; a state is missing")
        return CorpusFile.model_validate_json(content)
    except ValidationError as error:
        raise CorpusError(f"{storage.root}/{CORPUS_NAME}: {error.errors()[0]['msg']}") from error
    except (ValueError, AttributeError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{storage.root}/{CORPUS_NAME}: {str(error).splitlines()[0]}") from error
