"""Arrays change hands by descriptor, and their memory goes with the last view of them."""

from __future__ import annotations

import gc
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from decoders.processes import shared_memory, wire

SIZE = 3 * wire.LARGE + 5


def _mappings() -> int:
    return Path("/proc/self/maps").read_text().count("memfd:decoded")


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_block_holds_what_was_written_until_its_last_view_is_gone() -> None:
    data = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    before = _mappings(), _descriptors()
    block = shared_memory.create(SIZE)
    shared_memory.fill(block, data.data)
    array = np.frombuffer(shared_memory.read(block, SIZE), np.uint8)
    os.close(block)
    part = array[10:20]
    del array
    gc.collect()
    assert _mappings() == before[0] + 1
    assert _descriptors() == before[1]
    np.testing.assert_array_equal(part, data[10:20])
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 1
    del part
    gc.collect()
    assert _mappings() == before[0]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux' memfd_create")
def test_whoever_gets_a_block_cannot_cut_it_short() -> None:
    block = shared_memory.create(SIZE)
    for size in (SIZE - 1, SIZE + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(block, size)
    os.close(block)


def test_small_and_large_arrays_arrive_in_order_and_leave_no_descriptor_open() -> None:
    sizes = [0, SIZE, 7, wire.LARGE, wire.LARGE - 1, 0]
    sent = [np.full(size, index, np.uint8).data for index, size in enumerate(sizes)]
    before = _descriptors()
    here, there = socket.socketpair()
    with here, there:
        worker = threading.Thread(target=wire.hand_over, args=(there, {"kind": "clip"}, sent))
        worker.start()
        header, found = wire.take_over(here)
        worker.join()
    assert header == {"kind": "clip"}
    assert [bytes(buffer) for buffer in found] == [bytes(buffer) for buffer in sent]
    assert _descriptors() == before


def test_a_receiver_that_is_gone_ends_the_sender() -> None:
    here, there = socket.socketpair()
    with there:
        here.close()
        with pytest.raises(ConnectionError):
            wire.hand_over(there, {}, [bytes(SIZE)])
