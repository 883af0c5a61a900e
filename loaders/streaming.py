"""A corpus as a webdataset pipeline: shards read in long stretches, shuffled in windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import webdataset as wds
from torch.utils.data import get_worker_info
from webdataset.compat import FluidInterface

from loaders.corpus import Corpus
from loaders.dataset import Readings
from loaders.sample import TrainingSample
from loaders.schedule.epochs import Epochs
from loaders.schedule.mixture import Mixture, mixture_of
from loaders.schedule.phase import Phase, Purpose
from loaders.schedule.streams import Streams, batches_of_worker
from loaders.workers.randomness import begin_from


class StreamingCorpus(wds.DataPipeline, FluidInterface):
    """The `TrainingSample`s that fall to this rank and worker, each exactly once an epoch.

    A webdataset pipeline: `.map`, `.select`, `.batched` and the like follow it, `wds.WebLoader` takes it.
    Every rank gets as many samples, if need be by one fill (`TrainingSample.fill`). In a worker, random
    numbers drawn after it (Python's, NumPy's, torch's on the CPU) depend on seed, epoch and sample alone.

    Args:
        phase: ranks, workers, batch size, window. `workers` must be the loader's `num_workers` (1 for 0).
        epoch: which one every iteration gives; `set_epoch` for the next.
        verify: check every sample's SHA-256 against the index.
        skip: batches of this rank, all workers together, that an earlier run has consumed.
    """

    def __init__(
        self,
        corpus: Corpus | Mixture,
        phase: Phase,
        rank: int = 0,
        *,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = True,
        columns: Collection[str] | None = None,
        verify: bool = False,
        skip: int = 0,
    ) -> None:
        super().__init__(self._samples)
        mixture = mixture_of(corpus)
        self._epochs = Epochs(mixture, seed, shuffle, in_blocks=True)
        self._readings = Readings(mixture.corpora, columns, verify)
        self.phase, self.rank, self.epoch, self.skip = phase, rank, epoch, skip

    def set_epoch(self, epoch: int) -> None:
        """Before the workers start: those that run keep the epoch that they started with."""
        self.epoch, self.skip = epoch, 0

    def __repr__(self) -> str:
        names = ", ".join(source.root for source in self._epochs.mixture.corpora)
        return f"<StreamingCorpus of {names}: epoch {self.epoch}, rank {self.rank}>"

    def _samples(self) -> Iterator[TrainingSample]:
        info = get_worker_info()
        if (info.num_workers if info else 1) != self.phase.workers:
            raise ValueError(f"the phase is planned for {self.phase.workers} workers a rank")
        # The loader asks worker 0 first, wherever the earlier run stopped in its turns.
        worker = ((info.id if info else 0) + self.skip) % self.phase.workers
        epochs = self._epochs
        items, sizes = epochs.items(self.epoch), epochs.mixture.sizes
        streams = Streams(items, sizes, self.phase, epochs.seed, epochs.shuffle, self.epoch, number=0)
        start = batches_of_worker(self.skip, self.phase.workers, worker)
        self._readings.forget()
        for batch in streams.batches_of(self.rank, worker, start):
            if batch.ahead is not None:
                self._readings.fetch(batch)
            for item in batch.readings():
                sample = self._readings[item]
                if info:
                    begin_from((epochs.seed, self.epoch, Purpose.COLLATE, item.row, (item.conversation or 0)))
                yield sample
