"""One pool of decoder processes in each worker process, however many bundles it works on at once."""

from __future__ import annotations

import threading

from decoders.cores import cores
from decoders.limits import Limits
from decoders.processes.pool import DecoderPool

_lock = threading.Lock()
_pools: dict[Limits, tuple[DecoderPool, int]] = {}


def decode_workers() -> int:
    """Processes that decode ahead of the encoders on this machine: a core is left to those."""
    return max(1, cores() - 1)


def acquire(limits: Limits) -> DecoderPool:
    """The worker process's pool, started if nobody holds it; every `acquire` wants a `release`."""
    with _lock:
        pool, holders = _pools.get(limits) or (DecoderPool(decode_workers(), limits), 0)
        _pools[limits] = pool, holders + 1
        return pool


def release(limits: Limits) -> None:
    """Ends the pool when the last holder lets go."""
    with _lock:
        pool, holders = _pools[limits]
        if holders > 1:
            _pools[limits] = pool, holders - 1
            return
        del _pools[limits]
    pool.close()
