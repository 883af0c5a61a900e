"""An epoch dealt in stretches: neighbours in a shard are read together, for shards far away or on disks.

Every worker of every rank reads its own stretch of the epoch's items, and shuffles inside windows of
`Phase.window_bytes`. Workers give their batches in turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loaders.schedule.phase import Batch, Items, Phase, Purpose


@dataclass(frozen=True)
class Streams:
    """Args:
    sizes: int64 [rows], bytes of each sample.
    epoch, number: the epoch, and how many of its phases were before: they seed the windows.
    """

    items: Items
    sizes: npt.NDArray[np.int64]
    phase: Phase
    seed: int
    shuffle: bool
    epoch: int
    number: int

    @property
    def steps(self) -> int:
        return -(-self._per_rank // self.phase.batch_size)

    def batches(self, rank: int, start: int = 0) -> Iterator[Batch]:
        workers = self.phase.workers
        turns = [
            self.batches_of(rank, worker, batches_of_worker(start, workers, worker))
            for worker in range(workers)
        ]
        for step in range(start, self.steps):
            yield next(turns[step % workers])

    def batches_of(self, rank: int, worker: int, start: int = 0) -> Iterator[Batch]:
        """What one worker reads in the whole phase, from its own batch `start` on."""
        size = self.phase.batch_size
        begun, ahead = self.items[:0], []
        left = start * size
        windows, fill = self._windows_of(rank, worker)
        for whole in windows:
            window = whole[left:]
            left = max(0, left - len(whole))
            if not len(window):
                continue
            ahead.append(window[:, 0])
            begun = np.concatenate([begun, window])
            while len(begun) >= size:
                yield Batch(begun[:size], ahead=np.concatenate(ahead) if ahead else None)
                begun, ahead = begun[size:], []
        if len(fill) and not left:
            begun = np.concatenate([begun, fill])
        if len(begun):
            yield Batch(begun, len(fill), np.concatenate(ahead) if ahead else None)

    def rest(self, steps: int) -> Items:
        left = []
        for rank in range(self.phase.world_size):
            for worker in range(self.phase.workers):
                windows, _ = self._windows_of(rank, worker)
                read = np.concatenate([self.items[:0], *windows])
                left.append(
                    read[batches_of_worker(steps, self.phase.workers, worker) * self.phase.batch_size :]
                )
        return np.concatenate(left)

    @property
    def _per_rank(self) -> int:
        return -(-len(self.items) // self.phase.world_size)

    def _windows_of(self, rank: int, worker: int) -> tuple[list[Items], Items]:
        """A worker's windows, each in random order, and its fill or nothing."""
        mine = self._of_rank(rank)
        fills = self._per_rank - len(mine)
        start, end = self._of_worker(worker)
        random = np.random.default_rng([self.seed, self.epoch, Purpose.WINDOWS, self.number, rank, worker])
        windows = self._windows(mine[start : min(end, len(mine))])
        if self.shuffle:
            windows = [window[random.permutation(len(window))] for window in windows]
        last = fills and start <= len(mine) < end
        return windows, (mine[-1:] if len(mine) else self.items[:1]) if last else self.items[:0]

    def _of_rank(self, rank: int) -> Items:
        base, extra = divmod(len(self.items), self.phase.world_size)
        start = rank * base + min(rank, extra)
        return self.items[start : start + base + (rank < extra)]

    def _of_worker(self, worker: int) -> tuple[int, int]:
        """[start, end) of a rank's items: whole batches, but for the rank's last."""
        size, workers = self.phase.batch_size, self.phase.workers
        sizes = [batches_of_worker(self.steps, workers, other) * size for other in range(workers)]
        if self.steps:
            sizes[(self.steps - 1) % workers] -= self.steps * size - self._per_rank
        return sum(sizes[:worker]), sum(sizes[: worker + 1])

    def _windows(self, items: Items) -> list[Items]:
        ends = np.cumsum(self.sizes[items[:, 0]])
        windows = ends // max(self.phase.window_bytes, 1)
        return np.split(items, np.flatnonzero(np.diff(windows)) + 1) if len(items) else []


def batches_of_worker(steps: int, workers: int, worker: int) -> int:
    """Of the first `steps` batches of a rank, those that this worker gives, workers taking turns."""
    return max(0, -(-(steps - worker) // workers))
