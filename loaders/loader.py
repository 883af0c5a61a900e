"""Batches of a corpus for one rank of a training job: equal steps on every rank, resumed at any of them."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from loaders.corpus import Corpus
from loaders.dataset import Readings
from loaders.position import Position
from loaders.schedule import agreement
from loaders.schedule.epochs import Epochs
from loaders.schedule.mixture import Mixture, mixture_of
from loaders.schedule.pairing import Pairing
from loaders.schedule.phase import Batch, Conversations, Deal, Phase, Purpose
from loaders.schedule.schedule import Cost, Schedule, steps_of
from loaders.synchronise import Synchronise
from loaders.workers.pool import Workers
from loaders.workers.steps import BadSamples, Collate, Step, Steps

STATE_VERSION = 2
WINDOW_BYTES = 256 << 20

_log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A loader's state that does not fit this loader: one line that says why."""


class CorpusLoader:
    """Each iteration gives the batches of one epoch, the next one those of the next.

    Every sample comes exactly once an epoch over all ranks and workers. All ranks take the same number of
    steps: where the last step has fewer samples than ranks, a repeated one marked `fill` stands in.

    The position is a function of the steps taken. With an epoch's last step it is at the next epoch, whether
    or not the iteration is asked once more. An iteration that is left in mid-epoch gives way to the next
    epoch when another begins; one that took no step never was. `state_dict` may be taken after any step, on
    any rank, and loaded with another number of ranks or workers, or another batch size: the next iteration
    gives what is left of that epoch. A loader has one iteration at a time.

    Args:
        corpus: one, or a `Mixture` of several.
        batch_size: samples a rank and step; with a budget the most of them, None: any number.
        collate: list of samples -> batch, for example `loaders.synchronise.Synchronise.of(corpus)`. Random
            numbers drawn in it (Python's, NumPy's, torch's on the CPU) depend on seed, epoch, step and rank
            alone. An object of a class in a module, where workers are not forked.
        conversations: "draw": one of each sample's, another every epoch; "expand": an item for each.
        pairing: which sound goes with which pictures.
        budget: the most that a batch costs: its samples' number times the costliest of them.
        cost: the index's table -> int64 [rows], what a sample counts against the budget; by default its
            steps.
        bucket_steps: keep samples of at most so many steps together.
        one_modality: no batch has samples of two modalities.
        streaming: read the shards in long stretches instead of sample by sample.
        columns: features to decode; None: all.
        verify: check every sample's SHA-256 against the index.
        bad_samples: "raise": a damaged sample ends the epoch with an error; "skip": its batch goes without
            it, and `skipped` counts it. Steps stay equal: a batch that has lost all gets another as a fill.
        rank, world_size: by default those of torch.distributed when the iteration begins, else 0 of 1.
        num_workers: processes that read ahead; they are kept from epoch to epoch.
        start_method: how they start: "fork", "forkserver" or "spawn"; None: as the system does. All but
            "fork" run the script once more: it needs its `if __name__ == "__main__":`.

    Raises:
        ValueError: arguments out of range or that exclude one another.
        CorpusError: a sample that exceeds the budget; a pairing that the corpus cannot have.
        RanksDifferError: on the first step, where ranks have other samples, arguments or positions. Then the
            first iteration is a collective.
        ExtentError: from an iteration, a damaged sample.
        OSError, StorageError: from an iteration, storage that cannot be read.
    """

    def __init__(
        self,
        corpus: Corpus | Mixture,
        batch_size: int | None = None,
        *,
        collate: Collate = list,
        seed: int = 0,
        shuffle: bool = True,
        conversations: Conversations = "draw",
        pairing: Pairing | None = None,
        budget: int | None = None,
        cost: Cost = steps_of,
        bucket_steps: Sequence[int] = (),
        one_modality: bool = False,
        streaming: bool = False,
        window_bytes: int = WINDOW_BYTES,
        columns: Collection[str] | None = None,
        verify: bool = False,
        bad_samples: BadSamples = "raise",
        rank: int | None = None,
        world_size: int | None = None,
        num_workers: int = 0,
        start_method: str | None = None,
        pin_memory: bool = False,
    ) -> None:
        _check(batch_size, budget, rank, world_size)
        if streaming and (bucket_steps or budget or one_modality):
            raise ValueError(
                "a stream's batches come as they lie: leave out either streaming or bucket_steps, budget, "
                "one_modality"
            )
        if budget and bucket_steps:
            raise ValueError("a budget already keeps like lengths together: leave out bucket_steps")
        self.corpus = corpus
        self.skipped = 0  # bad samples of this rank
        self._rank, self._world_size = rank, world_size
        mixture = mixture_of(corpus)
        self._schedule = Schedule(Epochs(mixture, seed, shuffle, conversations, pairing, streaming), cost)
        if budget:
            self._schedule.check(budget)
        if pairing:
            for source in mixture.corpora:
                _ = source.sound_columns  # said now, and known to the workers
        self._phase = Phase(
            1,
            batch_size or 0,
            workers=max(1, num_workers) if streaming else 1,
            bucket_steps=tuple(sorted(bucket_steps)),
            window_bytes=window_bytes if streaming else 0,
            budget=budget or 0,
            one_modality=one_modality,
        )
        draws = collate is not list and type(collate) is not Synchronise
        steps = Steps(Readings(mixture.corpora, columns, verify), collate, bad_samples, draws)
        self._workers = Workers(steps, num_workers, start_method, pin_memory)
        self._position = Position()
        self._iterations = 0
        self._steps: Iterator[Step] = iter(())  # what the workers are asked for, without an end
        self._running: tuple[Position, Phase, int] | None = None  # where it goes on
        self._agreed = False

    @property
    def rank(self) -> int:
        return agreement.world()[0] if self._rank is None else self._rank

    @property
    def world_size(self) -> int:
        return agreement.world()[1] if self._world_size is None else self._world_size

    @property
    def epoch(self) -> int:
        """The epoch of the next step."""
        return self._position.epoch

    @property
    def sampler(self) -> CorpusLoader:
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The next iteration gives this epoch from its beginning; from its loaded state, if that is of it."""
        self._position = self._position.at_epoch(epoch)

    def __repr__(self) -> str:
        size = self._phase.batch_size or "any number"
        where = f"epoch {self.epoch}, rank {self.rank} of {self.world_size}"
        return f"<CorpusLoader of {self.corpus!r}: {size} samples a batch, {where}>"

    def __len__(self) -> int:
        """Steps of the epoch, the same on every rank: those already taken are counted too."""
        phase, position = self._current_phase(), self._position
        return self._schedule.steps(position.earlier(phase)[0], phase, position.epoch)

    def __iter__(self) -> Iterator[Any]:
        # Nothing happens before the first step: frameworks make an iterator, then say which epoch it is for.
        self._iterations += 1
        iteration = self._iterations
        deal, start = self._begin()
        phase, rank = self._current_phase(), self.rank
        if self._running != (self._position, phase, rank):
            self._steps = self._workers.run(_asked(self._schedule, self._position, phase, rank))
        for taken in range(start + 1, deal.steps + 1):
            self._running = None
            batch = self._opened(next(self._steps))
            self._position = self._position.after(phase, taken, deal.steps)
            self._running = (self._position, phase, rank)
            yield batch
            if iteration != self._iterations:
                raise RuntimeError("another iteration of this loader has begun: it has one at a time")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_steps": iter(()), "_running": None}

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON: the same on every rank that has taken as many steps."""
        return {"version": STATE_VERSION, **self._position.to_json(), **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on where the state was taken. States of version 0.1 are read too.

        Raises:
            CheckpointError: another version, or other samples, seed, order, conversations, proportions or
                pairing.
        """
        if state.get("version") not in (1, STATE_VERSION):
            raise CheckpointError(f"a loader state of version {state.get('version')}, not {STATE_VERSION}")
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise CheckpointError(
                    f"the state was taken with {name} {state.get(name)!r}, this loader has {value!r}"
                )
        self._position = Position.from_json(state)
        self._agreed = False

    def _begin(self) -> tuple[Deal, int]:
        """What is left of the epoch, and how many of its steps were taken."""
        self._position = self._position.next_iteration()
        self._agree()
        phase = self._current_phase()
        earlier, start = self._position.earlier(phase)
        deal = self._schedule.deal(earlier, phase, self.epoch)
        if start >= deal.steps:  # a state of version 0.1, taken at an epoch's end
            self._position = Position(self.epoch + 1)
            return self._schedule.deal((), phase, self.epoch), 0
        return deal, start

    def _opened(self, step: Step) -> Any:
        if step.error:
            raise copy.copy(step.error)  # the same one would hold this frame, and that the workers
        for message in step.skipped:
            _log.warning("skipped: %s", message)
        self.skipped += len(step.skipped)
        return step.batch

    def _agree(self) -> None:
        rank, size = agreement.world()
        if self._agreed or size == 1 or (self.rank, self.world_size) != (rank, size):
            return
        facts = {**self._identity(), **self._current_phase().to_json(), "position": self._position.to_json()}
        agreement.agree(facts)
        self._agreed = True

    def _current_phase(self) -> Phase:
        return self._phase.dealt_to(self.world_size)

    def _identity(self) -> dict[str, Any]:
        """What makes an order: a state is only of use where all of this is the same."""
        epochs = self._schedule.epochs
        identity = {
            "samples": epochs.mixture.digest,
            "seed": epochs.seed,
            "shuffle": epochs.shuffle,
            "conversations": epochs.conversations,
            "streaming": epochs.in_blocks,
        }
        if isinstance(self.corpus, Mixture):
            identity["mixture"] = self.corpus.to_json()
        if epochs.pairing:
            identity["pairing"] = epochs.pairing.to_json()
        if self._phase.budget:
            identity["costs"] = self._schedule.costs_digest
        return identity


def _asked(
    schedule: Schedule, position: Position, phase: Phase, rank: int
) -> Iterator[tuple[Batch, tuple[int, ...]]]:
    """A rank's batches from `position` on, and what seeds each: epoch after epoch, so that no worker is idle
    at an epoch's end. A function of its own: it must not hold the loader, which holds it."""
    while True:
        earlier, start = position.earlier(phase)
        batches = schedule.deal(earlier, phase, position.epoch).batches(rank, start)
        for step, batch in enumerate(batches, start):
            seed = (schedule.epochs.seed, position.epoch, len(earlier), rank, Purpose.COLLATE, step)
            yield batch, seed
        position = Position(position.epoch + 1)


def _check(batch_size: int | None, budget: int | None, rank: int | None, world_size: int | None) -> None:
    if batch_size is None and budget is None:
        raise ValueError("a loader needs a batch_size or a budget")
    if (batch_size is not None and batch_size < 1) or (budget is not None and budget < 1):
        raise ValueError(f"batch size {batch_size}, budget {budget}: out of range")
    if (rank is None) != (world_size is None):
        raise ValueError("give rank and world_size both, or neither")
    if rank is not None and world_size is not None and not 0 <= rank < world_size:
        raise ValueError(f"rank {rank} of {world_size}: out of range")
