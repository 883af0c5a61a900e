"""Rows of several inputs through an encoder, in batches of one fixed shape.

A row's bits depend on the shape of the batch it is computed in (kernels split work by shape), not on its
neighbours or its place. So every batch has the same shape, the last one filled up with zeros.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from featurizers.running.sharing import THREADS, distinct
from featurizers.running.transfer import download

Rows = Sequence[npt.NDArray[Any]]
_OnItsWay = Callable[[], npt.NDArray[np.float16]]
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
        source = [row for rows in listed for row in rows]
        target = [row for output in outputs for row in output]
        firsts, numbers = distinct(source)
        places: list[list[npt.NDArray[np.float16]]] = [[] for _ in firsts]
        for number, place in zip(numbers, target, strict=True):
            places[number].append(place)
        done = 0
        for batch in _one_behind(self._batches([source[first] for first in firsts], forward)):
            encoded = batch()
            for same, row in zip(places[done : done + len(encoded)], encoded, strict=True):
                for place in same:
                    place[...] = row
            done += len(encoded)
        return outputs

    def _batches(self, source: Rows, forward: Callable[[Rows, int], torch.Tensor]) -> Iterator[_OnItsWay]:
        done = 0
        while done < len(source):
            size = self.size
            if threads := THREADS.get():
                torch.set_num_threads(threads())
            rows = source[done : done + size]
            try:
                batch = forward(rows, size)[: len(rows)]
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if size == 1 or not out_of_memory(error):
                    raise
                self.size = size // 2
                _LOG.warning("out of memory: batches of %d rows from here on", self.size)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            yield download(batch)
            done += size


def _one_behind(batches: Iterator[_OnItsWay]) -> Iterator[_OnItsWay]:
    """A GPU already computes the next batch while the host takes this one."""
    held: _OnItsWay | None = None
    for batch in batches:
        if held is not None:
            yield held
        held = batch
    if held is not None:
        yield held


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a GPU or (torch says it in words only) on the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "allocate memory" in str(error) or "not enough memory" in str(error)
