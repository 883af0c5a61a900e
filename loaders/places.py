"""Where samples' bytes lie, and lists of such places out of an index's columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
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

    Numbers as arrays, names and shards as numbers of few texts: to make Python objects of a whole row
    takes Arrow 20 µs and more, of one text nearly one.
    """

    def __init__(self, lists: pa.ChunkedArray) -> None:
        column = lists.combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        parts = column.values
        self._ends = np.asarray(column.offsets)
        known = {parts.type.field(place).name for place in range(parts.type.num_fields)}
        self._columns, self._column_names = _coded(pc.struct_field(parts, "column"))
        self._shards, self._shard_names = (
            _coded(pc.struct_field(parts, "shard"))
            if "shard" in known
            else (np.zeros(len(parts), np.int32), [""])
        )
        self._sha256s = pc.struct_field(parts, "sha256") if "sha256" in known else None
        self._offsets, self._sizes = (np.asarray(pc.struct_field(parts, name)) for name in ("offset", "size"))

    def of(self, row: int) -> list[Layer]:
        """In the column's order."""
        return [
            Layer(
                self._column_names[self._columns.item(at)],
                Place(self._shard_names[self._shards.item(at)], self._offsets.item(at), self._sizes.item(at)),
            )
            for at in self._parts(row)
        ]

    def places(self, row: int) -> list[Place]:
        """Of those that have any bytes."""
        names, shards, offsets, sizes = self._shard_names, self._shards, self._offsets, self._sizes
        return [
            Place(names[shards.item(at)], offsets.item(at), size)
            for at in self._parts(row)
            if (size := sizes.item(at))
        ]

    def sha256s(self, row: int) -> list[str]:
        """Hex, of those that have any bytes."""
        assert self._sha256s is not None
        return [self._sha256s[at].as_py() for at in self._parts(row) if self._sizes.item(at)]

    def _parts(self, row: int) -> range:
        return range(self._ends.item(row), self._ends.item(row + 1))


def _coded(texts: pa.Array) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Number of each text, and the texts."""
    coded = texts.dictionary_encode()
    return np.asarray(coded.indices), coded.dictionary.to_pylist()


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
