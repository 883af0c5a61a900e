"""What a launcher says of its build while it runs, beside the staged inputs in OUT/.tmp: `favor-data status`
reads it, on whatever machine."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from pipelines.metrics.counters import DONE_MS, INPUTS_REJECTED, PLANNED_MS, counted
from pipelines.metrics.progress import Appended, Progress
from pipelines.metrics.so_far import Watch


class Telling:
    """Called, it gives the newest word: JSON of `host`, `process`, `runner`, `began` and `said` (seconds
    since 1970), and of a `SoFar`.

    Attributes:
        pipeline: the Beam pipeline once there is one. Where workers of this machine append nothing, what
            its runner has committed of their counters says how far they are.
    """

    def __init__(self, progress: Progress, runner: str) -> None:
        self._who = {"host": socket.gethostname(), "process": os.getpid(), "runner": runner}
        self._began = time.time()
        self._appended = Appended(progress)
        self._watched = Watch(self._sums)
        self.pipeline: Any = None

    def __call__(self) -> bytes:
        times = {"began": round(self._began, 1), "said": round(time.time(), 1)}
        return json.dumps({**self._who, **times, **self._watched.look().to_json()}).encode()

    def _sums(self) -> Mapping[str, float]:
        sums = self._appended.sums()
        running = getattr(self.pipeline, "result", None)  # from the submission on, but of Beam's own runner
        if sums["planned"] or running is None:
            return sums
        try:
            counters = counted(running)
        except Exception:  # noqa: BLE001 - each runner has its own; the next word comes in seconds
            return sums
        return {
            "planned": counters[PLANNED_MS] / 1000,
            "done": counters[DONE_MS] / 1000,
            "rejected": sum(n for name, n in counters.items() if name.startswith(INPUTS_REJECTED)),
        }
