"""A corpus as a webdataset pipeline: shards read in long stretches, shuffled in windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import webdataset as wds
from torch.utils.data import get_worker_info
from webdataset.compat import FluidInterface

from loaders.corpus import Corpus
from loaders.dataset import CorpusDataset, TrainingSample
from loaders.plan import Item, Items, Phase, StreamPlan, batches_of_worker
from loaders.storage import Bytes

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
        """Samples in the window's order, their bytes fetched by one read a run of neighbours."""
        extents = {item.row: self.dataset.extent_of(item.row) for item in window}
        rows = sorted(extents, key=extents.__getitem__)
        uses = Counter(item.row for item in window)
        fetched: dict[int, Bytes] = {}
        for run in _runs([(row, extents[row]) for row in rows], self.plan.block_bytes):
            (shard, start, _), (_, last, size) = extents[run[0]], extents[run[-1]]
            data = self.dataset.corpus.storage.read_range(shard, start, last + size - start)
            for row in run:
                _, offset, length = extents[row]
                fetched[row] = data[offset - start : offset - start + length]
        for item in window:
            uses[item.row] -= 1
            extent = fetched[item.row].copy() if uses[item.row] else fetched.pop(item.row)
            yield self.dataset.decode(item, extent)


def _runs(rows: list[tuple[int, tuple[str, int, int]]], limit: int) -> Iterator[list[int]]:
    """Rows whose bytes touch, up to about `limit` bytes together."""
    run: list[int] = []
    held, following = 0, ("", -1)
    for row, (shard, offset, size) in rows:
        if run and ((shard, offset) != following or held + size > limit):
            yield run
            run, held = [], 0
        run.append(row)
        held, following = held + size, (shard, offset + size)
    if run:
        yield run
