"""Memory that is used again is never in two hands at once."""

import gc
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from loaders import memory

LARGE = 3 << 20


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    pool = memory._Pool(keep=8 << 20)
    monkeypatch.setattr(memory, "_POOL", pool)
    return pool


def test_a_block_is_free_when_its_last_view_is_gone():
    array = memory.empty((LARGE,))
    place = array.ctypes.data
    tensor = torch.from_numpy(np.frombuffer(array.data[512:], np.float16, 100)).view(10, 10)[2:]
    del array
    other = memory.empty((LARGE,))
    assert other.ctypes.data != place
    del tensor
    assert memory.empty((LARGE - 1000,)).ctypes.data == place


@pytest.mark.parametrize("shape", [(2, 3), (7, LARGE), (0, 4)])
def test_shape_and_type(shape):
    array = memory.empty(shape, np.float16)
    assert array.shape == shape
    assert array.dtype == np.float16
    array.fill(1)
    assert array.flags.c_contiguous


def test_no_more_is_kept_than_allowed(pool):
    arrays = [memory.empty((LARGE + step * 500_000,)) for step in range(9)]
    del arrays
    assert pool._held == sum(size * len(blocks) for size, blocks in pool._free.items()) <= 8 << 20


def test_a_lock_that_a_fork_left_taken_is_not_waited_for(pool):
    pool._lock.acquire()
    array = memory.empty((LARGE,))
    array.fill(3)
    del array
    assert not pool._free


def test_threads_never_share_a_block():
    def work(seed):
        rng = random.Random(seed)
        held = []
        for turn in range(60):
            value = (seed * 60 + turn) % 251
            array = memory.empty((LARGE,))
            array[:: 1 << 16] = value
            held.append((array, value))
            if len(held) > 2:
                array, value = held.pop(rng.randrange(3))
                assert (array[:: 1 << 16] == value).all()
        return all((array[:: 1 << 16] == value).all() for array, value in held)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    gc.collect()
