"""A corpus as training sees it: the rows of a state's index that pass a filter, and where their bytes lie."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loaders.cache import LocalCache
from loaders.memory import empty
from loaders.opening import CorpusError, columns_of, open_table, passing
from loaders.places import PIECE_BYTES, Layers, Place, Texts, joined
from loaders.storage import Bytes, Storage
from schemas.corpus import CORPUS_NAME, Column
from schemas.features import Rate
from schemas.media import Modality
from schemas.state import ANNOTATIONS, KEPT
from storage import files

_READING = ["key", "shard", "offset", "size", "sha256", "head", "columns", "features"]  # what a worker needs
_DIGEST_ROWS = 1 << 20


@dataclass(frozen=True, repr=False)
class Corpus:
    """Rows of one index; `table` has the columns of schemas.rows.INDEX (of version 1: schemas.tables.INDEX).

    Pickled, it is small: the columns that reading needs lie in a temporary file that other processes of this
    machine map, for as long as this object lives. There `table` has only those.
    """

    root: str
    storage: Storage
    table: pa.Table
    cache: LocalCache | None = None
    state: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    unknown: int = 0  # rows of which the condition in SQL was NULL

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"<Corpus {self.root}: {len(self)} samples>"

    def __getstate__(self) -> dict[str, Any]:
        names = ("root", "storage", "cache", "state", "columns", "unknown")
        state = {**{name: self.__dict__[name] for name in names}, "mapped": self._mapped}
        known = {name: self.__dict__[name] for name in ("sound_columns", "rates") if name in self.__dict__}
        return state | known

    def __setstate__(self, state: dict[str, Any]) -> None:
        with pa.memory_map(state.pop("mapped")) as file:
            self.__dict__.update(state, table=pa.ipc.open_file(file).read_all())

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex, of which samples these are, in order: what a checkpoint is checked against."""
        hasher = hashlib.sha256()
        for start in range(0, len(self), _DIGEST_ROWS):
            rows = self.table.select(["key", "sha256"]).slice(start, _DIGEST_ROWS).combine_chunks()
            lines = pc.binary_join_element_wise(rows["key"], rows["sha256"], " ")
            lines = pc.binary_join_element_wise(lines, "", "\n").combine_chunks()
            hasher.update(lines.buffers()[2].slice(0, pc.sum(pc.binary_length(lines)).as_py()))
        return hasher.hexdigest()

    @cached_property
    def steps(self) -> npt.NDArray[np.int64]:
        """int64 [samples]."""
        return np.asarray(self.table["steps"].to_numpy(), dtype=np.int64)

    @cached_property
    def conversations(self) -> npt.NDArray[np.int64]:
        """int64 [samples]: how many each sample has."""
        return np.asarray(self.table["conversations"].to_numpy(), dtype=np.int64)

    @cached_property
    def offsets(self) -> npt.NDArray[np.int64]:
        """int64 [samples]."""
        return np.asarray(self.table["offset"].to_numpy())

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """int64 [samples], in bytes."""
        return np.asarray(self.table["size"].to_numpy())

    @cached_property
    def shard_numbers(self) -> npt.NDArray[np.int32]:
        """int32 [samples]: the same number for samples of one shard."""
        return np.asarray(self._shards.indices.to_numpy())

    @cached_property
    def sound_columns(self) -> frozenset[str]:
        """The features that come from sound.

        Raises:
            CorpusError: corpus.json does not say.
        """
        columns = columns_of(self.storage, self.columns)
        if not columns:
            raise CorpusError(f"{self.root}/{CORPUS_NAME} does not say which columns are sound")
        return frozenset(name for name, column in columns.items() if column.modality == Modality.AUDIO)

    @cached_property
    def rates(self) -> Mapping[str, Rate]:
        """When the rows of columns lie that are not on the grid."""
        columns = columns_of(self.storage, self.columns)
        return {name: rate for name, column in columns.items() if (rate := Rate.of(column.options))}

    def key(self, row: int) -> str:
        return self._key_texts[row]

    def sha256(self, row: int) -> str:
        """Hex, of the bytes at the row's place."""
        return str(self._sha256[row])

    def sha256s(self, row: int) -> list[str]:
        """Hex, of the bytes at each of the row's places, all columns wanted."""
        return [self.sha256(row), *(self._layers.sha256s(row) if self._layers else ())]

    def place(self, row: int) -> Place:
        """Of its base: KEY.json, and what every sample had from the start."""
        shard = self._shard_names[self.shard_numbers.item(row)]
        return Place(shard, self.offsets.item(row), self.sizes.item(row))

    def pieces(self, rows: npt.NDArray[np.int64]) -> Iterator[tuple[Place, npt.NDArray[np.int64]]]:
        """The bases of `rows` (no row twice), joined where they touch up to 32 MiB, and the rows of each."""
        rows = rows[np.lexsort((self.offsets[rows], self.shard_numbers[rows]))]
        shards, offsets = self.shard_numbers[rows], self.offsets[rows]
        ends = offsets + self.sizes[rows]
        apart = np.concatenate([[True], (shards[1:] != shards[:-1]) | (offsets[1:] != ends[:-1])])
        in_run = offsets - offsets[apart][np.cumsum(apart) - 1]
        apart[1:] |= in_run[1:] // PIECE_BYTES != in_run[:-1] // PIECE_BYTES
        starts = np.flatnonzero(apart).tolist()
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            place = self.place(int(rows[start]))
            yield place._replace(size=int(ends[end - 1]) - place.offset), rows[start:end]

    def places(self, row: int, columns: Collection[str] | None = None) -> list[Place]:
        """Where all that is wanted of a sample lies, and no byte of other columns. The first place begins
        with KEY.json. (In a corpus of version 1 the sample's bytes are one place.)"""
        base = self.place(row)
        if self._layers is None:
            return [base]
        if columns is None:
            return [base, *self._layers.places(row)]
        layers = self._layers.of(row)
        wanted = [x for x in layers if x.column == ANNOTATIONS or x.column in columns]
        bases = self._wanted(row, base, columns, {x.column for x in layers})
        return [*bases, *(layer.place for layer in wanted if layer.place.size)]

    def _wanted(self, row: int, base: Place, columns: Collection[str], apart: Collection[str]) -> list[Place]:
        inside = [feature for feature in self._inside.of(row) if feature.column not in apart]
        if not all(feature.place.size for feature in inside):
            return [base]  # of version 1: nobody wrote down where in the sample they lie
        pieces = [(0, int(self._heads[row]))]
        pieces += [feature.place[1:] for feature in inside if feature.column in columns]
        return list(joined(Place(base.shard, base.offset + at, size) for at, size in sorted(pieces)))

    def read(self, *places: Place) -> Bytes:
        """uint8 [their sizes], one place's bytes after another's, writable and not shared; from this
        machine's cache where there is one.

        Raises:
            CorpusError: a later build has swept a shard.
            FileNotFoundError: no such shard, in a corpus of version 1.
            EOFError: a shard ends before a place does.
        """
        data = empty((sum([place.size for place in places]),))
        left = data.data
        for place in places:
            try:
                self._read_into(place, left[: place.size])
            except FileNotFoundError as error:
                self._read_kept(place, left[: place.size], error)
            left = left[place.size :]
        return data

    def _read_into(self, place: Place, buffer: memoryview) -> None:
        if self.cache is None:
            self.storage.read_into(*place[:2], buffer)
            return
        fetch = partial(self._fetch, place.shard)
        if self.cache.read_into(self._version(place.shard), place.offset, buffer, fetch) < place.size:
            raise EOFError(f"{self.root}/{place.shard} ends before byte {place.offset + place.size}")

    def _read_kept(self, place: Place, buffer: memoryview, error: FileNotFoundError) -> None:
        """Where a shard goes that only a kept state needs."""
        if not self.state:
            raise error
        try:
            self._read_into(place._replace(shard=f"{KEPT}/{place.shard}"), buffer)
        except FileNotFoundError:
            again = f"open it again, or keep states that are in use (favor-data keep {self.root} NAME)"
            raise CorpusError(
                f"{self.root}: state {self.state} is no more, {place.shard} has gone: {again}"
            ) from error

    def forget(self, place: Place) -> bool:
        """Removes a place from the cache: its bytes may be bad there alone. Whether it was there."""
        if self.cache is None:
            return False
        return self.cache.forget(self._version(place.shard), place.offset, place.size)

    def where(self, row: int) -> str:
        """For people."""
        return f"sample {self.key(row)} at byte {self.offsets[row]} of {self.root}/{self.place(row).shard}"

    def _fetch(self, shard: str, offset: int, size: int) -> bytes:
        uri = files.join(self.root, shard)
        within = self._entry(shard).size - offset
        return files.read_range(uri, offset, min(size, within)) if within > 0 else b""

    def _version(self, shard: str) -> str:
        """A name that another content of the shard does not have."""
        return f"{self.root}/{shard}\0{self._entry(shard).version}"

    def _entry(self, shard: str) -> files.Entry:
        if shard not in self._entries:
            self._entries[shard] = files.entry(files.join(self.root, shard))
        return self._entries[shard]

    @cached_property
    def _layers(self) -> Layers | None:
        """What lies in shards of its own; None: of version 1."""
        return Layers(self.table["columns"]) if "columns" in self.table.column_names else None

    @cached_property
    def _inside(self) -> Layers:
        """Features, wherever they lie."""
        return Layers(self.table["features"])

    @cached_property
    def _heads(self) -> npt.NDArray[np.int32]:
        return np.asarray(self.table["head"].to_numpy())

    @cached_property
    def _entries(self) -> dict[str, files.Entry]:
        return {}

    @cached_property
    def _keys(self) -> pa.Array:
        return self.table["key"].combine_chunks()

    @cached_property
    def _key_texts(self) -> Texts:
        return Texts(self._keys)

    @cached_property
    def _sha256(self) -> pa.Array:
        return self.table["sha256"].combine_chunks()

    @cached_property
    def _shards(self) -> pa.DictionaryArray:
        shards = self.table["shard"].combine_chunks()
        return shards if isinstance(shards, pa.DictionaryArray) else shards.dictionary_encode()

    @cached_property
    def _shard_names(self) -> list[str]:
        names: list[str] = self._shards.dictionary.to_pylist()
        return names

    @cached_property
    def _mapped(self) -> str:
        """The temporary file."""
        folder = tempfile.mkdtemp(prefix="favor-data-index-")
        weakref.finalize(self, _remove, folder, os.getpid())
        path = str(Path(folder, "reading.arrow"))
        columns = {"key": self._keys, "shard": self._shards, "sha256": self._sha256}
        names = [name for name in _READING if name in self.table.column_names]
        table = pa.table({name: columns.get(name, self.table[name]) for name in names})
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        return path


def open_corpus(
    root: str | os.PathLike[str],
    *,
    where: Any = None,
    state: str | None = None,
    snapshot: str | None = None,
    cache: LocalCache | None = None,
) -> Corpus:
    """Opens the folder that `favor-data build` wrote, local or remote.

    Args:
        root: that folder, or a view that `favor-data select` wrote.
        where: a condition on the index's columns: SQL, as `favor-data select --where` takes it (where it is
            NULL a row does not pass; `unknown` counts those), or as pyarrow.parquet.read_table takes it:
            `pc.field("steps") >= 20`, or `[("conversations", ">", 0)]`.
        state: a name that `favor-data keep` gave; None: the present state.
        snapshot: `state`'s name until 0.1, for one version more.
        cache: keeps what is read of a remote corpus on this machine's disk.

    Raises:
        CorpusError: no corpus there, or no access to it, no such state, a file that was changed, or no sample
            that passes the filter.
    """
    storage = Storage(root)
    told = where if isinstance(where, str) else None
    opened = open_table(storage, None if told else where, state or snapshot)
    table, unknown = opened.table, 0
    if told:
        table, unknown = passing(table, told)
    if not table.num_rows:
        raise CorpusError(f"no sample of {storage.root} passes the filter {where}")
    storage = opened.storage or storage
    columns, kept = dict(opened.columns), cache if storage.remote else None
    return Corpus(storage.root, storage, table, kept, opened.state, columns, unknown)


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # not in a fork's child
        shutil.rmtree(folder, ignore_errors=True)
