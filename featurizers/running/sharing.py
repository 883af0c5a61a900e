"""What those who run encoders must know of them; needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy.typing as npt

THREADS: ContextVar[Callable[[], int] | None] = ContextVar("THREADS", default=None)
"""Asked before every batch how many threads it may use; the output does not depend on it."""

LOAD_METRIC = "weights_micro_secs"  # a Beam counter a column; also inside the first batch's time


def distinct(rows: Sequence[npt.NDArray[Any]]) -> tuple[list[int], list[int]]:
    """Rows that are equal, byte for byte, of one dtype and shape: where each distinct row stands first, and
    every row's number among those."""
    seen: dict[bytes, int] = {}
    firsts: list[int] = []
    numbers: list[int] = []
    for place, row in enumerate(rows):
        number = seen.setdefault(row.tobytes(), len(firsts))
        if number == len(firsts):
            firsts.append(place)
        numbers.append(number)
    return firsts, numbers
