"""Every frame of a span, small and gray: what two frames a second cannot show."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from schemas.grid import SECOND_NS, Nanoseconds, Span
from schemas.media import FILM_SIDE, DecodedFilm

APART_NS = SECOND_NS // 100  # frames closer than this are left out


def small(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """uint8 [64, 64], luma."""
    gray = frame.reformat(FILM_SIDE, FILM_SIDE, "gray", interpolation=Interpolation.AREA)
    return np.asarray(gray.to_ndarray(), np.uint8)


class Films:
    """Gathers the films of several spans from the frames of one pass.

    Args:
        spans: by clip, in order of their starts; None: no film is wanted.
    """

    def __init__(self, spans: Sequence[Span | None]) -> None:
        self.spans = {clip: span for clip, span in enumerate(spans) if span is not None}
        self._waiting = list(self.spans)[::-1]
        self._open: dict[int, tuple[list[npt.NDArray[np.uint8]], list[int]]] = {}
        self._until_ns = 0

    def instants(self, end_ns: int) -> Nanoseconds:
        """int64 [n]: at which frames are wanted, of a medium that ends there."""
        ranges = [
            np.arange(span.start_ns, min(span.end_ns, end_ns), APART_NS) for span in self.spans.values()
        ]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *ranges]))

    def lacks(self, clip: int) -> bool:
        """Whether frames of it may come yet."""
        return clip in self.spans and self._until_ns < self.spans[clip].end_ns

    def add(self, frame: npt.NDArray[np.uint8], start_ns: int, end_ns: int) -> None:
        """The next frame, on screen for [start_ns, end_ns)."""
        self._until_ns = max(self._until_ns, end_ns)
        while self._waiting and self.spans[self._waiting[-1]].start_ns < end_ns:
            self._open[self._waiting.pop()] = [], []
        for clip, (frames, times) in self._open.items():
            span = self.spans[clip]
            if span.start_ns < end_ns and start_ns < span.end_ns:
                frames.append(frame)
                times.append(start_ns)

    def take(self, clip: int) -> DecodedFilm:
        """Of one span, once it lacks nothing or the medium has no more."""
        frames, times = self._open.pop(clip, ([], []))
        made = np.stack(frames) if frames else np.zeros((0, FILM_SIDE, FILM_SIDE), np.uint8)
        return DecodedFilm(made, np.array(times, np.int64))
