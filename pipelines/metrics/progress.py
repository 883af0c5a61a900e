"""How far a build is: workers append to one file of this machine, and count for whoever is elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.metrics.counters import DONE_MS, PLANNED_MS, count


@dataclass(frozen=True)
class Progress:
    """Lines `planned SECONDS`, `done SECONDS`, `rejected INPUTS`; without the file nothing is written."""

    path: str | None

    def planned(self, seconds: float) -> None:
        count(PLANNED_MS, round(1000 * seconds))
        self._append(f"planned {seconds:.3f}\n")

    def done(self, seconds: float) -> None:
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


class Watch:
    """A build, looked at now and then.

    Args:
        sums: planned and done media-seconds and rejected inputs up to now.
    """

    def __init__(self, sums: Callable[[], Mapping[str, float]]) -> None:
        self._sums = sums
        self._began = self._encoding_since = time.monotonic()
        self.so_far = SoFar(0.0)

    def look(self) -> SoFar:
        """How far it is now; `so_far` holds it until the next look."""
        now, sums = time.monotonic(), self._sums()
        if not self.so_far.planned and sums["planned"]:
            self._encoding_since = now
        self.so_far = SoFar(now - self._began, now - self._encoding_since, **sums)
        return self.so_far


@dataclass(frozen=True)
class SoFar:
    """How far a build is at a moment.

    Attributes:
        lasted: seconds since it began; `encoding`: since the first medium was planned.
        planned, done: media-seconds.
        rejected: inputs.
    """

    lasted: float
    encoding: float = 0.0
    planned: float = 0.0
    done: float = 0.0
    rejected: float = 0

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> SoFar:
        """Raises KeyError, TypeError, ValueError: it is none."""
        return cls(**{name: float(told[name]) for name in cls.__dataclass_fields__})

    def to_json(self) -> dict[str, float]:
        """Its fields, to a tenth."""
        return {name: round(value, 1) for name, value in asdict(self).items()}

    @property
    def waits_for(self) -> str:
        """In a few words."""
        if not self.planned:
            return "looking at sources"
        return "encoding" if self.done else "decoding; encoders load"

    @property
    def line(self) -> str:
        """For a log."""
        said = f"{self.waits_for}, {self.lasted:.0f} s"
        if self.planned:
            share = 100 * self.done / self.planned
            said += f": {share:.0f} %, {self.done:.0f} of {self.planned:.0f} media-seconds"
        if self.done:
            left = (self.planned - self.done) / self.done * self.encoding
            said += f", about {left / 60:.0f} min left" if left >= 60 else f", about {left:.0f} s left"
        return said + self.beside

    @property
    def beside(self) -> str:
        """Speed and rejections."""
        speed = f", {self.done / self.encoding:.1f}x" if self.done and self.encoding > 1 else ""
        return speed + (f", {self.rejected:.0f} rejected" if self.rejected else "")
