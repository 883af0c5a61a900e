"""SIGTERM and Ctrl-C wait for the step that runs: then its checkpoint is taken."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """`signal`: the number of the one that came, or 0. A second one ends the process at once."""

    def __init__(self) -> None:
        self.signal = 0
        self._owner = os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._came) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # a forked process that reads ahead: its parent ends it
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        self.signal = number
        signal.signal(number, signal.SIG_DFL)
