"""Large arrays whose memory is used again: the system's fresh pages cost as much as reading into them."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

_LARGE = 1 << 20  # below, malloc itself keeps what is freed


class _Pool:
    """Free blocks, the last one given back first: it is the warmest.

    Nobody waits for the lock: a collection of garbage may give back inside of `take`, and a fork may leave
    the lock taken for ever.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep  # bytes
        self._lock = threading.Lock()
        self._free: dict[int, list[npt.NDArray[np.uint8]]] = {}
        self._held = 0

    def take(self, size: int) -> npt.NDArray[np.uint8]:
        """A block of `size` bytes or up to an eighth more."""
        size += -size % (1 << (size.bit_length() - 4))
        if self._lock.acquire(blocking=False):
            try:
                if blocks := self._free.get(size):
                    self._held -= size
                    return blocks.pop()
            finally:
                self._lock.release()
        return np.empty(size, dtype=np.uint8)

    def give_back(self, block: npt.NDArray[np.uint8]) -> None:
        if self._lock.acquire(blocking=False):
            try:
                if self._held + len(block) > self._keep:
                    self._free.clear()  # all: sizes that nobody asks for any more would stay for ever
                    self._held = 0
                self._free.setdefault(len(block), []).append(block)
                self._held += len(block)
            finally:
                self._lock.release()


_POOL = _Pool(keep=256 << 20)


class _Lease:
    """What every view of a block refers to in the end: the block is free when the last of them is gone."""

    def __init__(self, pool: _Pool, block: npt.NDArray[np.uint8]) -> None:
        self._pool, self._block = pool, block
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        self._pool.give_back(self._block)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """An array with anything in it, writable, nobody else's."""
    size = math.prod(shape)
    if dtype is not np.uint8:
        size *= np.dtype(dtype).itemsize
    if size < _LARGE:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(_POOL, _POOL.take(size)))[:size].view(dtype).reshape(shape)
