"""Batches of a corpus for one rank of a training job: equal steps on every rank, resumed at any of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch.distributed
from torch.utils.data import DataLoader

from loaders.corpus import Corpus
from loaders.dataset import CorpusDataset, TrainingSample
from loaders.plan import Conversations, Items, Phase, ShuffledPlan, StreamPlan
from loaders.streaming import WINDOW_BYTES, StreamingCorpus

STATE_VERSION = 1

Collate = Callable[[list[TrainingSample]], Any]


class CheckpointError(ValueError):
    """A loader's state that does not fit this loader: one line that says why."""


class CorpusLoader:
    """Iterating gives the batches of one epoch; the next iteration those of the next.

    Every sample comes exactly once an epoch over all ranks and workers. All ranks take the same number of
    steps: where the last step has fewer samples than ranks, a repeated one marked `fill` stands in.
    `state_dict` may be taken after any step, on any rank, and loaded with another number of ranks or workers,
    or another batch size. (torchdata's StatefulDataLoader refuses a changed number of workers.)

    Args:
        batch_size: samples a rank and step.
        collate: list of samples -> batch, for example `loaders.synchronise.Synchronise.of(corpus)`.
        conversations: "draw": one of each sample's, another every epoch; "expand": an item for each.
        bucket_steps: keep samples of at most so many steps together (not when streaming).
        streaming: read the shards in long stretches instead of sample by sample.
        columns: features to decode; None: all.
        rank, world_size: those of torch.distributed when it runs, else 0 of 1.
    """

    def __init__(
        self,
        corpus: Corpus,
        batch_size: int,
        *,
        collate: Collate = list,
        seed: int = 0,
        shuffle: bool = True,
        conversations: Conversations = "draw",
        bucket_steps: Sequence[int] = (),
        streaming: bool = False,
        window_bytes: int = WINDOW_BYTES,
        columns: Collection[str] | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank = rank if rank is not None else (torch.distributed.get_rank() if distributed else 0)
        world = (
            world_size
            if world_size is not None
            else (torch.distributed.get_world_size() if distributed else 1)
        )
        if batch_size < 1 or not 0 <= self.rank < world:
            raise ValueError(f"batch size {batch_size}, rank {self.rank} of {world}: out of range")
        if streaming and bucket_steps:
            raise ValueError("length buckets need random access: leave out either bucket_steps or streaming")
        self.corpus, self.collate, self.columns = corpus, collate, columns
        self.num_workers, self.pin_memory, self.streaming = num_workers, pin_memory, streaming
        plan = StreamPlan if streaming else ShuffledPlan
        self.plan: ShuffledPlan | StreamPlan = plan(corpus, seed, shuffle, conversations)
        self.phase = (
            Phase(world, batch_size, workers=max(1, num_workers), window_bytes=window_bytes)
            if streaming
            else Phase(world, batch_size, bucket_steps=tuple(sorted(bucket_steps)))
        )
        self.epoch = 0
        self._phases: list[Phase] = []
        self._resuming = False

    def __len__(self) -> int:
        """Steps that the next iteration takes, the same on every rank."""
        items, _, skip = self._position()
        return self.plan.steps(items, self.phase) - skip

    def __iter__(self) -> Iterator[Any]:
        items, earlier, skip = self._position()
        self._resuming = False
        for steps, batch in enumerate(self._loader(items, len(earlier), skip), start=skip + 1):
            self._phases = [*earlier, replace(self.phase, steps=steps)]
            yield batch
        self.epoch, self._phases = self.epoch + 1, []

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON: the same on every rank that has taken as many steps."""
        return {
            "version": STATE_VERSION,
            "epoch": self.epoch,
            "phases": [phase.to_json() for phase in self._phases],
            **self._identity(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on where the state was taken.

        Raises:
            CheckpointError: another version, or other samples, seed, order or conversations.
        """
        if state.get("version") != STATE_VERSION:
            raise CheckpointError(f"a loader state of version {state.get('version')}, not {STATE_VERSION}")
        for name, value in self._identity().items():
            if state[name] != value:
                raise CheckpointError(
                    f"the state was taken with {name} {state[name]!r}, this loader has {value!r}"
                )
        self.epoch = state["epoch"]
        self._phases = [Phase.from_json(phase) for phase in state["phases"]]
        self._resuming = True

    def _identity(self) -> dict[str, Any]:
        return {
            "samples": self.corpus.digest,
            "seed": self.plan.seed,
            "shuffle": self.plan.shuffle,
            "conversations": self.plan.conversations,
            "streaming": self.streaming,
        }

    def _position(self) -> tuple[Items, list[Phase], int]:
        """What is left of the epoch when the current phase begins, the phases before it, its steps done."""
        earlier = list(self._phases) if self._resuming else []
        skip = earlier.pop().steps if earlier and earlier[-1].continues(self.phase) else 0
        items, plan = self.plan.items(self.epoch), self.plan
        for number, phase in enumerate(earlier):
            items = plan.remaining(items, phase, self.epoch, number)
        return items, earlier, skip

    def _loader(self, items: Items, number: int, skip: int) -> DataLoader[Any]:
        options: dict[str, Any] = {
            "num_workers": self.num_workers,
            "pin_memory": self.pin_memory,
            # The threads of Arrow's object-store clients do not survive a fork.
            "multiprocessing_context": "forkserver"
            if self.num_workers and self.corpus.storage.remote
            else None,
        }
        if isinstance(self.plan, ShuffledPlan):
            batches = self.plan.batches(items, self.phase, self.rank)[skip:]
            dataset = CorpusDataset(self.corpus, self.columns)
            return DataLoader(dataset, batch_sampler=batches, collate_fn=self.collate, **options)
        stream = StreamingCorpus(
            self.corpus,
            self.phase,
            self.rank,
            columns=self.columns,
            plan=self.plan,
            items=items,
            epoch=self.epoch,
            number=number,
            skip=skip,
        ).batched(self.phase.batch_size, collation_fn=self.collate)
        return DataLoader(stream, batch_size=None, **options)
