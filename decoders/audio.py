"""Sound on the media's own time: decoded samples at their native rate, gaps left out, overlaps cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.audio.frame
import av.container
import numpy as np
import numpy.typing as npt

from decoders.downmix import mono
from decoders.limits import Limits
from decoders.timeline import Timeline, Track, packets
from decoders.video import configure

# A timestamp within this of where the samples so far end is jitter, not a gap. At least two ticks.
JITTER = Fraction(4, 1000)


@dataclass(frozen=True)
class Sound:
    """Consecutive samples; sample i lies at (first + i) / rate seconds of the media's time."""

    first: int
    rate: int
    samples: npt.NDArray[np.float32]


class SoundReader:
    """Decodes one stream from its beginning."""

    def __init__(self, container: av.container.InputContainer, timeline: Timeline, limits: Limits) -> None:
        assert timeline.audio is not None
        self.container = container
        self.timeline = timeline
        self.track: Track = timeline.audio
        self.stream = container.streams[self.track.index]
        self.rate = self.stream.codec_context.sample_rate
        self.lost = 0  # packets that did not decode
        self.gaps = 0
        self._next: int | None = None  # where the samples so far end, in samples of media time
        self._tolerance = max(JITTER, 2 * self.track.time_base)
        configure(self.stream.codec_context, limits, 1)

    def sounds(self) -> Iterator[Sound]:
        """Blocks of samples, in order, never overlapping."""
        for frame in self._decoded():
            if frame.sample_rate != self.rate:
                self.lost += 1
                continue
            block = self._place(frame)
            if block.samples.size:
                yield block

    def _place(self, frame: av.audio.frame.AudioFrame) -> Sound:
        samples = mono(frame)
        position = self._position(frame)
        if self._next is None:
            self._next = position
        elif abs(position - self._next) > self._tolerance * self.rate:
            self.gaps += 1
            samples = samples[max(0, self._next - position) :]
            self._next = max(self._next, position)
        first = self._next
        self._next = first + samples.size
        return Sound(first, self.rate, samples)

    def _position(self, frame: av.audio.frame.AudioFrame) -> int:
        if frame.pts is None:
            start = self.track.start - self.timeline.zero
            return self._next if self._next is not None else round(start * self.rate)
        return round((frame.pts * frame.time_base - self.timeline.zero) * self.rate)

    def _decoded(self) -> Iterator[av.audio.frame.AudioFrame]:
        context = self.stream.codec_context
        for packet in packets(self.container, [self.stream]):
            try:
                yield from context.decode(packet)
            except av.error.FFmpegError:
                self.lost += 1
        try:
            yield from context.decode(None)
        except av.error.FFmpegError:
            self.lost += 1
