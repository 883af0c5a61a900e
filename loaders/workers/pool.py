"""The processes that read ahead: started once, asked for one step after another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from loaders.schedule.phase import Batch
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
        self._steps, self._number, self._runs = steps, number, 0
        self._start_method, self._pin_memory = start_method, pin_memory
        self._tickets = _Tickets()

    def run(self, asked: Iterator[tuple[Batch, tuple[int, ...]]]) -> Iterator[Step]:
        """The steps that are asked for, each a batch and what seeds it, in order."""
        self._runs += 1
        self._tickets.present = _tickets(asked, self._runs, max(1, self._number))
        if self._number:
            self._newest.fill_(self._runs)
        for step in self._loader:
            yield step.open() if isinstance(step, Parcel) else step

    def __getstate__(self) -> dict[str, Any]:
        made_here = ("_loader", "_newest")
        state = {name: value for name, value in self.__dict__.items() if name not in made_here}
        return {**state, "_tickets": _Tickets()}

    @cached_property
    def _newest(self) -> torch.Tensor:
        """The newest run's number, which its workers share: they drop the tickets of older ones."""
        number = torch.zeros((), dtype=torch.int64)
        return number.share_memory_()  # type: ignore[no-untyped-call,no-any-return]

    @cached_property
    def _loader(self) -> DataLoader[Any]:
        return DataLoader(
            self._steps.of_runs(self._newest) if self._number else self._steps,
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


def _tickets(asked: Iterator[tuple[Batch, tuple[int, ...]]], run: int, workers: int) -> Iterator[Ticket]:
    """A function of its own: a generator that held the loader would close a circle, and workers that only the
    collection of garbage ends are waited for in vain, 5 s each."""
    for place, (batch, seed) in enumerate(asked):
        yield Ticket(batch, seed, run, first=place < workers)


def _as_it_is(value: Any) -> Any:
    return value


def _share_by_name(worker: int) -> None:
    """Shared memory without an open file for as long as a batch lives."""
    torch.multiprocessing.set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]
