"""A corpus as a webdataset pipeline: shards read in long stretches, shuffled in windows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator

import webdataset as wds
from torch.utils.data import get_worker_info
from webdataset.compat import FluidInterface

from loaders.corpus import Corpus
from loaders.dataset import CorpusDataset, TrainingSample
from loaders.plan import Item, Items, Phase, StreamPlan, batches_of_worker

WINDOW_BYTES = 256 << 20


class StreamingCorpus(wds.DataPipeline, FluidInterface):
    """The `TrainingSample`s that fall to this rank and worker, each exactly once an epoch.

    A webdataset pipeline: `.map`, `.select`, `.batched` and the like follow it, `wds.WebLoader` takes it.
    Every rank gets as many samples, if need be by one fill (`TrainingSample.fill`).

    Args:
        phase: ranks, workers, batch size, window. `workers` must be the loader's `num_workers` (1 for 0).
        skip: batches of this rank, all workers together, that an earlier run has consumed.
    """

    def __init__(
        self,
        corpus: Corpus,
        phase: Phase,
        rank: int = 0,
        *,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = True,
        columns: Collection[str] | None = None,
        plan: StreamPlan | None = None,
        items: Items | None = None,
        number: int = 0,
        skip: int = 0,
    ) -> None:
        super().__init__(self._samples)
        self.plan = plan or StreamPlan(corpus, seed, shuffle)
        self.dataset = CorpusDataset(corpus, columns)
        self.phase, self.rank, self.epoch, self.number, self.skip = phase, rank, epoch, number, skip
        self.items = self.plan.items(epoch) if items is None else items

    def _samples(self) -> Iterator[TrainingSample]:
        info = get_worker_info()
        if (info.num_workers if info else 1) != self.phase.workers:
            raise ValueError(f"the phase is planned for {self.phase.workers} workers a rank")
        # The loader asks worker 0 first, wherever the earlier run stopped in its turns.
        worker = ((info.id if info else 0) + self.skip) % self.phase.workers
        windows = self.plan.stream(self.items, self.phase, self.rank, worker, self.epoch, self.number)
        left = batches_of_worker(self.skip, self.phase.workers, worker) * self.phase.batch_size
        for window in windows:
            wanted = window[left:]
            left = max(0, left - len(window))
            yield from self._read(wanted)

    def _read(self, window: list[Item]) -> Iterator[TrainingSample]:
        """Samples in the window's order."""
        extents = {item.row: self.dataset.extent_of(item.row) for item in window}
        ranges = sorted(extents.values())
        storage = self.dataset.corpus.storage
        if not storage.remote:
            for shard, start, size in _joined(ranges, self.plan.block_bytes):
                storage.will_read(shard, start, size)
            for item in window:
                yield self.dataset[item]
            return
        fetched = {}
        for shard, start, size in _joined(ranges, self.plan.block_bytes):
            fetched[shard, start] = storage.read_range(shard, start, size)
        starts = sorted(fetched)
        for item in window:
            shard, offset, size = extents[item.row]
            run = starts[bisect_right(starts, (shard, offset)) - 1]
            extent = fetched[run][offset - run[1] :][:size]
            yield self.dataset.decode(item, extent.copy())  # its own memory: a sample must not hold the run


def _joined(ranges: list[tuple[str, int, int]], limit: int) -> Iterator[tuple[str, int, int]]:
    """Ranges (shard, offset, size) that touch, joined up to about `limit` bytes; `ranges` in order."""
    joined: tuple[str, int, int] | None = None
    for shard, offset, size in ranges:
        if joined and joined[0] == shard and joined[1] + joined[2] == offset and joined[2] + size <= limit:
            joined = (shard, joined[1], joined[2] + size)
            continue
        if joined:
            yield joined
        joined = (shard, offset, size)
    if joined:
        yield joined
