"""What those who run encoders must know of them; needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy.typing as npt

THREADS: ContextVar[Callable[[], int] | None] = ContextVar("THREADS", default=None)
"""Asked before every batch how many threads it may use; the output does not depend on it."""

LOAD_METRIC = "weights_micro_secs"  # a Beam counter a column; also inside the first batch's time


class Seen:
    """Rows told from those before them; equal are rows of one dtype and shape, byte for byte."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}
        self._firsts: list[int] = []

    def new(self, row: npt.NDArray[Any]) -> bool:
        """Whether no row before was equal to this."""
        place = len(self._firsts)
        self._firsts.append(self._same(row, place))
        return self._firsts[-1] == place

    def _same(self, row: npt.NDArray[Any], place: int) -> int:
        return self._first.setdefault(row.tobytes(), place)

    def firsts(self) -> list[int]:
        """For every row, where the first like it stands."""
        return self._firsts


def distinct(rows: Sequence[npt.NDArray[Any]]) -> tuple[list[int], list[int]]:
    """Where each distinct row stands first, and every row's number among those."""
    seen = Seen()
    firsts = [place for place, row in enumerate(rows) if seen.new(row)]
    numbers = {first: number for number, first in enumerate(firsts)}
    return firsts, [numbers[first] for first in seen.firsts()]
