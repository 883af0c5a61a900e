"""Which rank reads what, and when: pure functions of the index, a seed and the steps already taken.

An epoch is a list of items. A phase of it is dealt to the ranks in batches, as many steps to each. What a
stopped phase has not dealt is the list of the next phase, which may have other ranks, workers or batch sizes:
so every item is read exactly once an epoch however often training stops, and a checkpoint is a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from loaders.corpus import Corpus

Items = npt.NDArray[np.int64]  # [items, 2]: row of the corpus's table, number of the conversation or -1
Conversations = Literal["draw", "expand"]
_DRAW, _ORDER, _WINDOWS = range(3)  # what a random generator is for: the third word of its seed


class Item(NamedTuple):
    """One reading of one sample. `fill`: a repetition, so that no rank runs out of steps before another."""

    row: int
    conversation: int | None = None
    fill: bool = False


@dataclass(frozen=True)
class Phase:
    """How (a part of) an epoch is dealt, and how many steps of it every rank has taken."""

    world_size: int
    batch_size: int
    workers: int = 1
    bucket_steps: tuple[int, ...] = ()
    window_bytes: int = 0
    steps: int = 0

    def continues(self, other: Phase) -> bool:
        """Both deal alike: going on is taking more steps of the same phase."""
        return replace(self, steps=0) == replace(other, steps=0)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "bucket_steps": list(self.bucket_steps)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(**{**value, "bucket_steps": tuple(value["bucket_steps"])})


class Plan(Protocol):
    """Deals epochs; `number` counts the epoch's earlier phases."""

    def items(self, epoch: int) -> Items: ...

    def steps(self, items: Items, phase: Phase) -> int:
        """Steps that every rank takes if the phase runs to its end."""
        ...

    def remaining(self, items: Items, phase: Phase, epoch: int, number: int) -> Items:
        """What `phase.steps` steps have not dealt."""
        ...


@dataclass(frozen=True)
class ShuffledPlan:
    """Any item anywhere: for random access. `bucket_steps` (20, 40): batches of at most 20, 21 to 40 and
    more than 40 steps are kept apart, as far as an epoch's end allows."""

    corpus: Corpus
    seed: int = 0
    shuffle: bool = True
    conversations: Conversations = "draw"

    def items(self, epoch: int) -> Items:
        rows = np.arange(len(self.corpus))
        items = with_conversations(self.corpus, rows, self.conversations, self.seed, epoch)
        if self.shuffle:
            items = items[np.random.default_rng([self.seed, epoch, _ORDER]).permutation(len(items))]
        return items

    def steps(self, items: Items, phase: Phase) -> int:
        return -(-len(self._batches(items, phase)) // phase.world_size)

    def batches(self, items: Items, phase: Phase, rank: int) -> list[list[Item]]:
        """A rank's batches of the whole phase. The last step's items are shared out among the ranks; if they
        are fewer than ranks, a rank without one gets a fill."""
        batches, world = self._batches(items, phase), phase.world_size
        full = len(batches) // world * world
        mine = [_items(batch) for batch in batches[rank:full:world]]
        if full < len(batches):
            last = np.concatenate(batches[full:])
            share = np.array_split(last, world)[rank]
            mine.append(_items(share) if len(share) else _items(last[:1], fill=True))
        return mine

    def remaining(self, items: Items, phase: Phase, epoch: int, number: int) -> Items:
        return _concatenate(self._batches(items, phase)[phase.steps * phase.world_size :])

    def _batches(self, items: Items, phase: Phase) -> list[Items]:
        buckets = np.searchsorted(np.array(phase.bucket_steps), self.corpus.steps[items[:, 0]])
        waiting: list[list[int]] = [[] for _ in range(len(phase.bucket_steps) + 1)]
        batches = []
        for position, bucket in enumerate(buckets.tolist()):
            waiting[bucket].append(position)
            if len(waiting[bucket]) == phase.batch_size:
                batches.append(items[waiting[bucket]])
                waiting[bucket] = []
        left = [position for bucket in waiting for position in bucket]
        size = phase.batch_size
        return batches + [items[left[start : start + size]] for start in range(0, len(left), size)]


@dataclass(frozen=True)
class StreamPlan:
    """Neighbours in a shard are read together: for shards far away or on disks.

    Runs of about `block_bytes` in one shard are put in random order and joined; every worker of every rank
    reads its own stretch of that, and shuffles inside windows of `Phase.window_bytes`.
    """

    corpus: Corpus
    seed: int = 0
    shuffle: bool = True
    conversations: Conversations = "draw"
    block_bytes: int = 32 << 20

    def items(self, epoch: int) -> Items:
        blocks = self._blocks()
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch, _ORDER]).permutation(len(blocks))
            blocks = [blocks[number] for number in order]
        rows = np.concatenate(blocks)
        return with_conversations(self.corpus, rows, self.conversations, self.seed, epoch)

    def steps(self, items: Items, phase: Phase) -> int:
        per_rank = -(-len(items) // phase.world_size)
        return -(-per_rank // phase.batch_size)

    def stream(
        self, items: Items, phase: Phase, rank: int, worker: int, epoch: int, number: int
    ) -> Iterator[list[Item]]:
        """What one worker reads in the whole phase, window by window. It gives every `workers`-th batch of
        its rank, so that a loader that asks its workers in turn ends with all of them."""
        mine, fills = _stretch(items, phase.world_size, rank)
        start, end = _worker_stretch(len(mine) + fills, phase, worker)
        random = np.random.default_rng([self.seed, epoch, _WINDOWS, number, rank, worker])
        for window in self._windows(mine[start : min(end, len(mine))], phase.window_bytes):
            yield _items(window[random.permutation(len(window))] if self.shuffle else window)
        if start <= len(mine) < end:
            yield _items(mine[-1:] if len(mine) else items[:1], fill=True)

    def remaining(self, items: Items, phase: Phase, epoch: int, number: int) -> Items:
        rest: list[Item] = []
        for rank in range(phase.world_size):
            for worker in range(phase.workers):
                windows = self.stream(items, phase, rank, worker, epoch, number)
                read = [item for window in windows for item in window]
                taken = batches_of_worker(phase.steps, phase.workers, worker) * phase.batch_size
                rest += [item for item in read[taken:] if not item.fill]
        return np.array(
            [(item.row, -1 if item.conversation is None else item.conversation) for item in rest],
            dtype=np.int64,
        ).reshape(-1, 2)

    def _blocks(self) -> list[Items]:
        """Row numbers of runs that lie one after another in one shard."""
        table = self.corpus.table
        shards = table["shard"].combine_chunks().dictionary_encode().indices.to_numpy()
        order = np.lexsort((table["offset"].to_numpy(), shards))
        ends = np.cumsum(table["size"].to_numpy()[order])
        blocks, start = [], 0
        for shard_end in [*(np.flatnonzero(np.diff(shards[order])) + 1).tolist(), len(order)]:
            while start < shard_end:
                limit = (ends[start - 1] if start else 0) + self.block_bytes
                fitting = int(np.searchsorted(ends, limit, side="right"))
                end = min(max(fitting, start + 1), shard_end)
                blocks.append(order[start:end])
                start = end
        return blocks

    def _windows(self, items: Items, window_bytes: int) -> list[Items]:
        ends = np.cumsum(self.corpus.table["size"].to_numpy()[items[:, 0]])
        windows = ends // max(window_bytes, 1)
        return np.split(items, np.flatnonzero(np.diff(windows)) + 1) if len(items) else []


def with_conversations(
    corpus: Corpus, rows: npt.NDArray[Any], conversations: Conversations, seed: int, epoch: int
) -> Items:
    """One item a row with a conversation drawn at random, or one for every conversation."""
    counts = corpus.conversations[rows]
    if conversations == "draw":
        # Drawn by row, not by place in the order, so that both plans draw the same.
        drawn = np.random.default_rng([seed, epoch, _DRAW]).random(len(corpus))[rows]
        return np.stack([rows, np.where(counts > 0, (drawn * counts).astype(np.int64), -1)], axis=1)
    repeats = np.maximum(counts, 1)
    starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
    numbers = np.arange(repeats.sum()) - starts
    numbers[np.repeat(counts == 0, repeats)] = -1
    return np.stack([np.repeat(rows, repeats), numbers], axis=1)


def batches_of_worker(steps: int, workers: int, worker: int) -> int:
    """Of the first `steps` batches of a rank, those that this worker gives, workers taking turns."""
    return max(0, -(-(steps - worker) // workers))


def _stretch(items: Items, world_size: int, rank: int) -> tuple[Items, int]:
    """A rank's items, and how many fills (0 or 1) make it as long as the longest."""
    base, extra = divmod(len(items), world_size)
    start = rank * base + min(rank, extra)
    return items[start : start + base + (rank < extra)], int(rank >= extra > 0)


def _worker_stretch(length: int, phase: Phase, worker: int) -> tuple[int, int]:
    """[start, end) of a rank's items that one worker reads: whole batches, but for the rank's last."""
    steps = -(-length // phase.batch_size)
    counts = [batches_of_worker(steps, phase.workers, other) for other in range(phase.workers)]
    sizes = [count * phase.batch_size for count in counts]
    if steps:
        sizes[(steps - 1) % phase.workers] -= steps * phase.batch_size - length
    return sum(sizes[:worker]), sum(sizes[: worker + 1])


def _items(rows: Items, fill: bool = False) -> list[Item]:
    return [
        Item(row, None if conversation < 0 else conversation, fill) for row, conversation in rows.tolist()
    ]


def _concatenate(batches: Sequence[Items]) -> Items:
    return np.concatenate(batches) if batches else np.empty((0, 2), dtype=np.int64)
