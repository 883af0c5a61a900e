"""Batches of an epoch's items for random access: by count or by budget, of like length, of one modality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from loaders.schedule.phase import Batch, Items, Phase, Rows

_BUDGET_WINDOW = 4096  # items that are sorted by cost together: neighbours of like length, still at random


@dataclass(frozen=True)
class Batches:
    """Batch b is `items[bounds[b]:bounds[b + 1]]`; rank r takes batch `world_size * step + r`."""

    items: Items
    bounds: Rows
    world_size: int

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def steps(self) -> int:
        return -(-len(self) // self.world_size)

    def batches(self, rank: int, start: int = 0) -> Iterator[Batch]:
        full = len(self) // self.world_size
        for number in range(start * self.world_size + rank, full * self.world_size, self.world_size):
            yield Batch(self._batch(number))
        if start < self.steps > full:
            yield self._last_step[rank]

    def rest(self, steps: int) -> Items:
        dealt = min(steps * self.world_size, len(self))
        return self.items[self.bounds[dealt] :]

    def _batch(self, number: int) -> Items:
        return self.items[self.bounds[number] : self.bounds[number + 1]]

    @cached_property
    def _last_step(self) -> list[Batch]:
        """Fewer batches than ranks: the largest are halved. A rank that still has nothing gets a fill."""
        full = len(self) // self.world_size * self.world_size
        shares = [self._batch(number) for number in range(full, len(self))]
        while len(shares) < self.world_size:
            largest = max(range(len(shares)), key=lambda place: len(shares[place]))
            if len(shares[largest]) == 1:
                break
            shares[largest : largest + 1] = np.array_split(shares[largest], 2)
        fills = self.world_size - len(shares)
        return [Batch(share) for share in shares] + [Batch(shares[0][:1], fills=1)] * fills


def by_count(
    items: Items,
    phase: Phase,
    steps: npt.NDArray[np.int64] | None = None,
    modalities: npt.NDArray[np.int8] | None = None,
) -> Batches:
    """`batch_size` items each, in their order.

    `steps` [items] with `phase.bucket_steps` (20, 40): batches of at most 20, 21 to 40 and more than 40 steps
    are kept apart as far as an epoch's end allows. `modalities` [items] are never mixed.
    """
    count, size = len(items), phase.batch_size
    if modalities is None and not phase.bucket_steps:
        return Batches(items, np.append(np.arange(0, count, size), count), phase.world_size)
    bounds_of_buckets = np.array(phase.bucket_steps)
    group = np.zeros(count, np.int16) if modalities is None else modalities.astype(np.int16)
    key = group * (len(bounds_of_buckets) + 1)
    if steps is not None and len(bounds_of_buckets):
        key = key + np.searchsorted(bounds_of_buckets, steps).astype(np.int16)
    order = np.argsort(key, kind="stable")
    lengths = _runs(key[order])
    place = np.arange(count) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    whole = place < np.repeat(lengths // size * size, lengths)
    full = order[whole].reshape(-1, size)
    full = full[np.argsort(full[:, -1], kind="stable")]  # a batch is there when its last item is
    left = order[~whole]
    sizes = [size] * len(full)
    for length in _runs(group[left]).tolist():
        sizes += [min(size, length - start) for start in range(0, length, size)]
    return _batches(items, np.concatenate([full.reshape(-1), left]), sizes, phase)


def by_budget(
    items: Items,
    phase: Phase,
    costs: npt.NDArray[np.int64],
    modalities: npt.NDArray[np.int8] | None = None,
    random: np.random.Generator | None = None,
) -> Batches:
    """As many items as their number times the costliest of them stays within `phase.budget`.

    Items of like cost come together: some thousands of neighbours are sorted before they are cut. The batches
    are then put in random order, where `random` is given.
    """
    group = np.zeros(len(items), np.int8) if modalities is None else modalities
    most = phase.batch_size or len(items)
    batches: list[Rows] = []
    for modality in np.unique(group):
        positions = np.flatnonzero(group == modality)
        for start in range(0, len(positions), _BUDGET_WINDOW):
            window = positions[start : start + _BUDGET_WINDOW]
            window = window[np.argsort(-costs[window], kind="stable")]
            batches += _cut(window, costs[window], phase.budget, most)
    if random is not None:
        batches = [batches[number] for number in random.permutation(len(batches))]
    order = np.concatenate(batches) if batches else np.empty(0, np.int64)
    return _batches(items, order, [len(batch) for batch in batches], phase)


def _cut(window: Rows, costs: npt.NDArray[np.int64], budget: int, most: int) -> Iterator[Rows]:
    """`window` has its costliest first, so that a batch's first item says how many it may have."""
    start = 0
    while start < len(window):
        count = max(1, min(most, budget // max(1, int(costs[start]))))
        yield window[start : start + count]
        start += count


def _runs(values: npt.NDArray[np.int16]) -> Rows:
    """Lengths of the runs of equal values."""
    if not len(values):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return np.diff(np.append(starts, len(values)))


def _batches(items: Items, order: Rows, sizes: list[int], phase: Phase) -> Batches:
    bounds = np.concatenate([[0], np.cumsum(np.array(sizes, np.int64))]).astype(np.int64)
    return Batches(items[order], bounds, phase.world_size)
