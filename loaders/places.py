"""Where samples' bytes lie, and lists of such places out of an index's columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PIECE_BYTES = 32 << 20  # the longest that is fetched at once


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
    sha256: str


class Layers:
    """A column of lists of structs (schemas.rows: `columns`, `features`), row by row.

    Numbers as arrays, texts one by one: to make Python objects of a whole row takes Arrow 20 µs and more.
    """

    def __init__(self, lists: pa.ChunkedArray) -> None:
        column = lists.combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        parts = column.values
        self._ends = np.asarray(column.offsets)
        known = {parts.type.field(place).name for place in range(parts.type.num_fields)}
        self._names, self._shards, self._sha256s = (
            pc.struct_field(parts, name) if name in known else None for name in ("column", "shard", "sha256")
        )
        self._offsets, self._sizes = (np.asarray(pc.struct_field(parts, name)) for name in ("offset", "size"))

    def of(self, row: int) -> list[Layer]:
        """In the column's order."""
        found = []
        names = self._names
        assert names is not None
        for at in range(int(self._ends[row]), int(self._ends[row + 1])):
            shard = "" if self._shards is None else self._shards[at].as_py()
            sha256 = "" if self._sha256s is None else self._sha256s[at].as_py()
            place = Place(shard, int(self._offsets[at]), int(self._sizes[at]))
            found.append(Layer(names[at].as_py(), place, sha256))
        return found


def joined(places: Iterable[Place]) -> Iterator[Place]:
    """Places in order, joined where they touch up to 32 MiB."""
    open_: Place | None = None
    for place in places:
        touches = open_ and open_.shard == place.shard and open_.offset + open_.size == place.offset
        if open_ and touches and open_.size + place.size <= PIECE_BYTES:
            open_ = open_._replace(size=open_.size + place.size)
            continue
        if open_:
            yield open_
        open_ = place
    if open_:
        yield open_
