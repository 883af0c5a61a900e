"""The processes that read ahead: started once, asked for one step after another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from loaders.schedule.phase import Batch, Purpose
from loaders.workers.parcel import Parcel
from loaders.workers.steps import Step, Steps, Ticket


class _Tickets(Sampler[Ticket]):
    """The steps of the present iteration."""

    def __init__(self) -> None:
        self.present: Iterator[Ticket] = iter(())

    def __iter__(self) -> Iterator[Ticket]:
        return self.present


class Workers:
    """Ask for one iteration at a time: a new one drops what is left of the one before.

    Args:
        number: of processes; 0: this one.
        start_method: "fork", "forkserver", "spawn"; None: as the system does.
    """

    def __init__(self, steps: Steps, number: int, start_method: str | None, pin_memory: bool) -> None:
        self._steps, self._number = steps, number
        self._start_method, self._pin_memory = start_method, pin_memory
        self._tickets = _Tickets()

    def run(self, batches: Iterator[Batch], seed: tuple[int, ...], start: int) -> Iterator[Step]:
        """The steps of `batches`, in order, the first being `start`; `seed` and its number seed a step."""
        self._tickets.present = _tickets(batches, seed, start, max(1, self._number))
        for step in self._loader:
            yield step.open() if isinstance(step, Parcel) else step

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_loader"} | {
            "_tickets": _Tickets()
        }

    @cached_property
    def _loader(self) -> DataLoader[Any]:
        return DataLoader(
            self._steps,
            batch_size=None,
            sampler=self._tickets,
            collate_fn=_as_it_is,
            num_workers=self._number,
            persistent_workers=self._number > 0,
            multiprocessing_context=self._start_method if self._number else None,
            worker_init_fn=_share_by_name,
            pin_memory=self._pin_memory,
            generator=torch.Generator(),  # its seeds of workers must not take draws from the training's
        )


def _tickets(batches: Iterator[Batch], seed: tuple[int, ...], start: int, workers: int) -> Iterator[Ticket]:
    """A function of its own: a generator that held the loader would close a circle, and workers that only the
    collection of garbage ends are waited for in vain, 5 s each."""
    for place, batch in enumerate(batches):
        yield Ticket(batch, (*seed, Purpose.COLLATE, start + place), first=place < workers)


def _as_it_is(value: Any) -> Any:
    return value


def _share_by_name(worker: int) -> None:
    """Shared memory without an open file for as long as a batch lives."""
    torch.multiprocessing.set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]
