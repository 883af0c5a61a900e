"""How far a build is at a moment, in numbers and in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
