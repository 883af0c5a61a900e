"""Random numbers of a step: the same however training got there, others on every rank."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.random import mtrand

_BITS = np.random.MT19937(0)  # lent to NumPy's own generator: saving its state takes 150 µs a step


@contextmanager
def seeded(words: tuple[int, ...]) -> Iterator[None]:
    """Python's, NumPy's and torch's (CPU) generators begin from `words`; afterwards they are as before."""
    generator = torch.default_generator
    before = random.getstate(), mtrand.get_bit_generator(), generator.get_state()
    mtrand.set_bit_generator(_BITS)
    begin_from(words)
    try:
        yield
    finally:
        random.setstate(before[0])
        mtrand.set_bit_generator(before[1])
        generator.set_state(before[2])


def begin_from(words: tuple[int, ...]) -> None:
    """Seeds all three."""
    seeds = struct.unpack("<3I", hashlib.blake2b(repr(words).encode(), digest_size=12).digest())
    random.seed(seeds[0])
    np.random.seed(seeds[1])
    torch.default_generator.manual_seed(seeds[2])
