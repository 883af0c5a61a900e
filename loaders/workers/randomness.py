"""Random numbers of a step: the same however training got there, others on every rank."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(words: Sequence[int]) -> Iterator[None]:
    """Python's, NumPy's and torch's (CPU) generators begin from `words`; afterwards they are as before."""
    before = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    begin_from(words)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.random.set_rng_state(before[2])


def begin_from(words: Sequence[int]) -> None:
    """Seeds all three."""
    seeds = np.random.SeedSequence(list(words)).generate_state(3, np.uint32).tolist()
    random.seed(seeds[0])
    np.random.seed(seeds[1])
    torch.default_generator.manual_seed(seeds[2])
