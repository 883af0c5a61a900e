"""A corpus as training sees it: the rows of its index, or of a snapshot's, that pass a filter."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from loaders.storage import Storage
from schemas.corpus import CORPUS_NAME, INDEX_NAME, snapshot_index_name
from schemas.corpus import Corpus as CorpusFile


class CorpusError(ValueError):
    """A corpus that cannot be read as asked: one line that says what is wrong."""


@dataclass(frozen=True)
class Corpus:
    """Rows of one index; `table` has the columns of schemas.tables.INDEX."""

    root: str
    storage: Storage
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex, of which samples these are, in order: what a checkpoint is checked against."""
        hasher = hashlib.sha256()
        for key, sha256 in zip(self.table["key"].to_pylist(), self.table["sha256"].to_pylist(), strict=True):
            hasher.update(f"{key} {sha256}\n".encode())
        return hasher.hexdigest()

    @cached_property
    def steps(self) -> npt.NDArray[np.int64]:
        """int64 [samples]."""
        return np.asarray(self.table["steps"].to_numpy(), dtype=np.int64)

    @cached_property
    def conversations(self) -> npt.NDArray[np.int64]:
        """int64 [samples]: how many each sample has."""
        return np.asarray(self.table["conversations"].to_numpy(), dtype=np.int64)


def open_corpus(root: str | os.PathLike[str], *, where: Any = None, snapshot: str | None = None) -> Corpus:
    """Opens the folder that `favor-data build` wrote, local or remote.

    Args:
        where: a filter on the index's columns, as pyarrow.parquet.read_table takes it:
            `pc.field("steps") >= 20`, or `[("conversations", ">", 0)]`.
        snapshot: a name from corpus.json; None: the newest state.

    Raises:
        CorpusError: no corpus there, no such snapshot, an index that was changed after its snapshot,
            or no sample that passes the filter.
    """
    storage = Storage(root)
    name = INDEX_NAME if snapshot is None else snapshot_index_name(snapshot)
    expected = None if snapshot is None else _snapshot_digest(storage, snapshot)
    try:
        content = storage.read(name)
    except FileNotFoundError as error:
        raise CorpusError(
            f"{storage.root} holds no {name}: is it the --output of a finished build?"
        ) from error
    if expected is not None and hashlib.sha256(content).hexdigest() != expected:
        raise CorpusError(f"{storage.root}/{name} is not the index that snapshot {snapshot} froze")
    try:
        table = pq.read_table(pa.BufferReader(content), filters=where)
    except pa.ArrowInvalid as error:
        raise CorpusError(f"{storage.root}/{name}: {str(error).splitlines()[0]}") from error
    if not table.num_rows:
        raise CorpusError(f"no sample of {storage.root} passes the filter {where}")
    return Corpus(storage.root, storage, table)


def _snapshot_digest(storage: Storage, snapshot: str) -> str:
    try:
        corpus = CorpusFile.model_validate_json(storage.read(CORPUS_NAME))
    except FileNotFoundError as error:
        raise CorpusError(f"{storage.root} holds no {CORPUS_NAME}, so no snapshot") from error
    except ValidationError as error:
        raise CorpusError(f"{storage.root}/{CORPUS_NAME}: {error.errors()[0]['msg']}") from error
    digests = {item.name: item.index_sha256 for item in corpus.snapshots}
    if snapshot not in digests:
        raise CorpusError(
            f"no snapshot {snapshot!r} in {storage.root}; it has {', '.join(digests) or 'none'}"
        )
    return digests[snapshot]
