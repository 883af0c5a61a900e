"""Which sample goes into which shard: from keys, kinds and sizes alone, whatever order they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

Slice = tuple[str, str, int]  # group, key, bytes


@dataclass(frozen=True)
class Slices:
    """How items are measured.

    Attributes:
        of: an item -> its Slice.
        first: the number of the first shard, asked for when all sizes are known.
    """

    of: Callable[[Any], Slice]
    first: Callable[[], int]


@beam.typehints.with_input_types(tuple[str, Any])
@beam.typehints.with_output_types(tuple[int, Iterable[Any]])
class PackShards(beam.PTransform):
    """(key, item), each key once -> (shard number, its items).

    A new shard begins at every change of group, and before one would outgrow `shard_bytes`.
    """

    def __init__(self, slices: Slices, shard_bytes: int) -> None:
        super().__init__()
        self._slices = slices
        self._shard_bytes = shard_bytes

    def expand(self, items: beam.PCollection) -> beam.PCollection:
        measure = self._slices.of
        sizes = beam.Map(lambda item: (None, measure(item[1]))).with_output_types(tuple[None, Slice])
        number = beam.FlatMap(_pack, self._shard_bytes, self._slices.first)
        numbers = (
            items
            | "Sizes" >> sizes
            | "All sizes" >> beam.GroupByKey()
            | "Number" >> number.with_output_types(tuple[str, int])
        )
        return (
            {"items": items, "numbers": numbers}
            | "Numbers meet items" >> beam.CoGroupByKey()
            | "By number" >> beam.FlatMap(_by_number).with_output_types(tuple[int, Any])
            | "Shards" >> beam.GroupByKey()
        )


def _pack(
    element: tuple[None, Iterable[Slice]], shard_bytes: int, first: Callable[[], int]
) -> Iterator[tuple[str, int]]:
    """(key, shard number)."""
    for number, keys in packed(element[1], shard_bytes, first()).items():
        yield from ((key, number) for key in keys)


def packed(slices: Iterable[Slice], shard_bytes: int, first: int) -> dict[int, list[str]]:
    """Shard number -> its keys, in order."""
    number, filled, open_group = first - 1, 0, None
    shards: dict[int, list[str]] = {}
    for group, key, size in sorted(slices, key=lambda s: (-s[0].count("+"), s)):  # richest members first
        if group != open_group or (filled and filled + size > shard_bytes):
            number, filled, open_group = number + 1, 0, group
        filled += size
        shards.setdefault(number, []).append(key)
    return shards


def _by_number(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[tuple[int, Any]]:
    key, joined = element
    numbers, items = list(joined["numbers"]), list(joined["items"])
    if len(items) != 1:
        raise ValueError(f"key {key!r} is given {len(items)} times: a sample's key is its own")
    yield numbers[0], items[0]
