"""Rows of several inputs through an encoder, in batches of one fixed shape.

A row's bits depend on the shape of the batch it is computed in (kernels split work by shape), not on its
neighbours or its place. So every batch has the same shape, the last one filled up with zeros.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from featurizers.running.sharing import THREADS, Seen
from featurizers.running.transfer import download

Rows = Sequence[npt.NDArray[Any]]
_OnItsWay = Callable[[], npt.NDArray[np.float16]]
_OUT_OF_MEMORY = ("allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
_LOG = logging.getLogger(__name__)


class FixedBatches:
    """Batches of `size` rows. `size` is halved, for good, where memory does not suffice."""

    def __init__(self, size: int) -> None:
        self.size = size

    def run(
        self,
        inputs: Sequence[Iterable[npt.NDArray[Any]]],
        row_shape: tuple[int, ...],
        forward: Callable[[Rows, int], torch.Tensor],
    ) -> list[npt.NDArray[np.float16]]:
        """float16 [rows, *row_shape] of every input. Equal rows are computed once.

        Args:
            inputs: every input's rows.
            row_shape: what the encoder makes of one row.
            forward: (at most `size` rows, size) -> [size, *row_shape]; fills up with zero rows itself.

        Raises:
            ValueError: a value that is not finite in float16.
        """
        listed = [list(rows) for rows in inputs]
        outputs = [np.empty((len(rows), *row_shape), np.float16) for rows in listed]
        target = [row for output in outputs for row in output]
        seen = Seen()
        rows = (row for each in listed for row in each)
        fresh = ((place, row) for place, row in enumerate(rows) if seen.new(row))
        for places, batch in _one_behind(self._batches(fresh, forward)):
            for place, encoded in zip(places, batch(), strict=True):
                target[place][...] = encoded
        for place, first in enumerate(seen.firsts()):
            if first != place:
                target[place][...] = target[first]
        return outputs

    def _batches(
        self, fresh: Iterator[tuple[int, npt.NDArray[Any]]], forward: Callable[[Rows, int], torch.Tensor]
    ) -> Iterator[tuple[list[int], _OnItsWay]]:
        """Rows' places, and what they become. Rows are looked at while a GPU computes those before them."""
        waiting: list[tuple[int, npt.NDArray[Any]]] = []
        while True:
            size = self.size
            waiting += itertools.islice(fresh, max(0, size - len(waiting)))
            if not waiting:
                return
            if threads := THREADS.get():
                torch.set_num_threads(threads())
            batch = self._begin([row for _, row in waiting[:size]], size, forward)
            if batch is not None:
                yield [place for place, _ in waiting[:size]], batch
                waiting = waiting[size:]

    def _begin(self, rows: Rows, size: int, forward: Callable[[Rows, int], torch.Tensor]) -> _OnItsWay | None:
        """None: there was not enough memory, and `self.size` is smaller from here on."""
        try:
            return download(forward(rows, size)[: len(rows)])
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if size == 1 or not out_of_memory(error):
                raise
        # Not inside `except`: the error holds the frames it went through, and those the batch's tensors.
        self.size = size // 2
        _LOG.warning("out of memory: batches of %d rows from here on", self.size)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None


def _one_behind(
    batches: Iterator[tuple[list[int], _OnItsWay]],
) -> Iterator[tuple[list[int], _OnItsWay]]:
    """A GPU already computes the next batch while the host takes this one."""
    held: tuple[list[int], _OnItsWay] | None = None
    for batch in batches:
        if held is not None:
            yield held
        held = batch
    if held is not None:
        yield held


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch says so by the error's class, or in words only (on the host; pinned
    memory and kernels' own on a GPU; cuBLAS's workspace)."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)
