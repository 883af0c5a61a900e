"""How far a build is: workers append to one file of this machine, and count for whoever is elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """Lines `planned SECONDS`, `done SECONDS`, `rejected INPUTS`; without the file nothing is written."""

    path: str | None

    def planned(self, seconds: float) -> None:
        from pipelines.metrics.counters import PLANNED_MS, count  # Beam, which only workers need

        count(PLANNED_MS, round(1000 * seconds))
        self._append(f"planned {seconds:.3f}\n")

    def done(self, seconds: float) -> None:
        from pipelines.metrics.counters import DONE_MS, count

        count(DONE_MS, round(1000 * seconds))
        self._append(f"done {seconds:.3f}\n")

    def rejected(self) -> None:
        """One input more."""
        self._append("rejected 1\n")

    def _append(self, line: str) -> None:
        if self.path is None or not Path(self.path).exists():
            return
        # One short write with O_APPEND: lines of several processes never mix.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


class Appended:
    """Reads the file as it grows."""

    def __init__(self, progress: Progress) -> None:
        self._path, self._offset = progress.path or os.devnull, 0
        self._sums = {"planned": 0.0, "done": 0.0, "rejected": 0.0}

    def sums(self) -> Mapping[str, float]:
        """Planned and done media-seconds and rejected inputs, of all lines that are whole."""
        with Path(self._path).open() as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith("\n"):
                    break
                self._offset += len(line)
                what, number = line.split()
                self._sums[what] += float(number)
        return self._sums
