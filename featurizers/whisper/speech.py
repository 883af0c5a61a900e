"""Where somebody speaks: Silero's detector, so that Whisper is not asked for words where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from schemas.grid import SAMPLE_RATE

# Below Silero's own 0.5: a word lost costs more than a window decoded in vain.
THRESHOLD = 0.35
SHORTEST_MS = 250
REACH_S = 0.5  # how far a word's times, which come from attention, may lie from the speech


@dataclass(frozen=True)
class Speech:
    """Seconds [start, end) of a window in which somebody speaks."""

    spans: tuple[tuple[float, float], ...]

    def __bool__(self) -> bool:
        return bool(self.spans)

    @property
    def seconds(self) -> float:
        """How long somebody speaks."""
        return sum(end - start for start, end in self.spans)

    def part(self, start: float, end: float) -> tuple[float, float]:
        """Of [start, end] what lies between its first and last speech; all of it where there is none."""
        inside = [(a, b) for a, b in self.spans if a < end and start < b]
        return (max(start, inside[0][0]), min(end, inside[-1][1])) if inside else (start, end)

    def near(self, start: float, end: float) -> bool:
        """Whether any of it lies in [start, end], or REACH_S from there."""
        return any(a - REACH_S < end and start < b + REACH_S for a, b in self.spans)


class SpeechDetector:
    """On the CPU, 0.1 s a window. Holds state while it hears: one thread at a time."""

    def __init__(self) -> None:
        with _one_thread():  # which the package sets for the whole process when it is imported
            from silero_vad import get_speech_timestamps, load_silero_vad

            self._model = load_silero_vad()
        self._find = get_speech_timestamps

    def __call__(self, window: npt.NDArray[np.float32]) -> Speech:
        """`window`: float32 [n], mono, 16 kHz."""
        if not window.any():
            return Speech(())
        with _one_thread():  # hundreds of tiny steps: two threads would wait for one another
            found = self._find(
                torch.from_numpy(window),
                self._model,
                threshold=THRESHOLD,
                sampling_rate=SAMPLE_RATE,
                min_speech_duration_ms=SHORTEST_MS,
            )
        return Speech(tuple((one["start"] / SAMPLE_RATE, one["end"] / SAMPLE_RATE) for one in found))


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
