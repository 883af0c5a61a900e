"""Where samples' bytes lie, and lists of such places out of an index's columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.state import layer_folder

PIECE_BYTES = 32 << 20  # the longest that is fetched at once
_GAP_BYTES = 64 << 10
_OF_ONE_COLUMN = layer_folder("")  # between two samples there lies nothing but that column of others


class Place(NamedTuple):
    """Where a sample's bytes lie: `size` bytes from `offset` on of a shard, a path inside the corpus."""

    shard: str
    offset: int
    size: int


class Layer(NamedTuple):
    """A column's part of a sample. Of a column inside the base no shard is told, and `offset` counts from the
    sample's first byte."""

    column: str
    place: Place


class Layers:
    """A column of lists of structs (schemas.rows: `columns`, `features`), row by row.

    Numbers as memory, names and shards as numbers of few texts: to make Python objects of a whole row
    takes Arrow 20 µs and more, of one text nearly one.
    """

    def __init__(self, lists: pa.ChunkedArray) -> None:
        column = lists.combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        parts = column.values
        self._ends = np.asarray(column.offsets).data
        known = {parts.type.field(place).name for place in range(parts.type.num_fields)}
        self._columns, self._column_names = _coded(pc.struct_field(parts, "column"))
        self._shards, self._shard_names = (
            _coded(pc.struct_field(parts, "shard"))
            if "shard" in known
            else (np.zeros(len(parts), np.int32).data, [""])
        )
        self._sha256s = Texts(pc.struct_field(parts, "sha256")) if "sha256" in known else None
        self._offsets, self._sizes = (
            np.asarray(pc.struct_field(parts, name)).data for name in ("offset", "size")
        )

    def of(self, row: int) -> list[Layer]:
        """In the column's order."""
        return [
            Layer(
                self._column_names[self._columns[at]],
                Place(self._shard_names[self._shards[at]], self._offsets[at], self._sizes[at]),
            )
            for at in range(self._ends[row], self._ends[row + 1])
        ]

    def places(self, row: int) -> list[Place]:
        """Of those that have any bytes."""
        names, shards, offsets, sizes = self._shard_names, self._shards, self._offsets, self._sizes
        return [
            Place(names[shards[at]], offsets[at], size)
            for at in range(self._ends[row], self._ends[row + 1])
            if (size := sizes[at])
        ]

    def sha256s(self, row: int) -> list[str]:
        """Hex, of those that have any bytes."""
        assert self._sha256s is not None
        return [self._sha256s[at] for at in range(self._ends[row], self._ends[row + 1]) if self._sizes[at]]


class Texts:
    """A column of texts, none null, read where it lies: Arrow's own scalars take as long as a small read."""

    def __init__(self, texts: pa.Array) -> None:
        self._first = texts.offset
        _, ends, content = texts.buffers()
        self._ends = memoryview(ends or b"").cast("q" if pa.types.is_large_string(texts.type) else "i")
        self._bytes = memoryview(content or b"")

    def __getitem__(self, row: int) -> str:
        at = self._first + row
        return str(self._bytes[self._ends[at] : self._ends[at + 1]], "utf-8")


def _coded(texts: pa.Array) -> tuple[memoryview, list[str]]:
    """Number of each text (int32), and the texts."""
    coded = texts.dictionary_encode()
    return np.asarray(coded.indices).data, coded.dictionary.to_pylist()


def joined(places: Iterable[Place], whole: bool = False) -> Iterator[Place]:
    """Places in order, joined where they touch up to 32 MiB; in a column's own shard also where no more than
    64 KiB lie between, since a request far away costs more than reading on.

    Args:
        whole: all columns are wanted: then what lies between is of no other column in base shards either.
    """
    open_: Place | None = None
    for place in places:
        if open_ and open_.shard == place.shard:
            end = open_.offset + open_.size
            size = max(end, place.offset + place.size) - open_.offset
            gap = _GAP_BYTES if whole or place.shard.startswith(_OF_ONE_COLUMN) else 0
            if place.offset <= end + gap and size <= PIECE_BYTES:
                open_ = open_._replace(size=size)
                continue
        if open_:
            yield open_
        open_ = place
    if open_:
        yield open_
