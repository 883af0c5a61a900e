"""One step of one rank, read and collated: what a worker does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Self

import torch
from torch.utils.data import Dataset, get_worker_info

from loaders.dataset import Readings
from loaders.extent import ExtentError
from loaders.sample import TrainingSample
from loaders.schedule.phase import Batch, Item
from loaders.workers.parcel import Parcel
from loaders.workers.randomness import begin_from, seeded
from storage.errors import StorageError

Collate = Callable[[list[TrainingSample]], Any]
BadSamples = Literal["raise", "skip"]


class Ticket(NamedTuple):
    """What a worker is asked for. `run`: in which run of steps; `first`: of this worker in it."""

    batch: Batch
    seed: tuple[int, ...]
    run: int
    first: bool


@dataclass(frozen=True)
class Step:
    """A collated batch, what was said of its bad samples, or why there is no batch."""

    batch: Any = None
    skipped: tuple[str, ...] = ()
    error: Exception | None = None


class _StaleError(Exception):
    """Nobody waits for the step any more."""


class Steps(Dataset[Any]):
    """Map-style: `steps[ticket]` is a `Step`, in a worker a `Parcel` of one.

    Args:
        draws: `collate` may draw random numbers, so they are seeded: some 0.1 ms a step.
    """

    def __init__(
        self, readings: Readings, collate: Collate, bad_samples: BadSamples, draws: bool = True
    ) -> None:
        self._readings, self._collate, self._bad_samples = readings, collate, bad_samples
        self._draws = draws
        self._newest: torch.Tensor | None = None

    def of_runs(self, newest: torch.Tensor) -> Self:
        """Tickets of other runs than this, a number that may grow at any time, are then not read."""
        self._newest = newest
        return self

    def __getitem__(self, ticket: Ticket) -> Step | Parcel:
        if get_worker_info():
            if self._draws:
                begin_from(ticket.seed)  # and not restored: nobody else draws in a worker
            return Parcel.of(self._step(ticket))
        with seeded(ticket.seed) if self._draws else nullcontext():
            return self._step(ticket)

    def _step(self, ticket: Ticket) -> Step:
        try:
            samples, skipped = self._read(ticket)
        except _StaleError:
            return Step()
        except (ExtentError, OSError, StorageError) as error:
            return Step(error=error)
        return Step(self._collate(samples), tuple(skipped))

    def _read(self, ticket: Ticket) -> tuple[list[TrainingSample], list[str]]:
        if ticket.first:
            self._readings.forget()
        self._readings.fetch(ticket.batch)
        samples, skipped = [], []
        for item in ticket.batch.readings():
            if self._newest is not None and ticket.run != self._newest:
                raise _StaleError
            try:
                samples.append(self._readings[item])
            except (ExtentError, FileNotFoundError) as error:
                if self._bad_samples == "raise":
                    raise
                skipped.append(str(error))
        return samples or [self._stand_in(item)], skipped

    def _stand_in(self, item: Item) -> TrainingSample:
        """The next sample that is good, as a fill: no rank may miss a step.

        Raises:
            ExtentError: there is none.
        """
        for distance in range(1, len(self._readings)):
            row = (item.row + distance) % len(self._readings)
            try:
                sample = self._readings[Item(row, fill=True)]
            except (ExtentError, FileNotFoundError):
                continue
            return replace(sample, conversation=next(iter(sample.conversations), None))
        raise ExtentError("no sample of the corpus can be read")
