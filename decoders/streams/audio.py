"""Sound on the media's own time: decoded samples at their native rate, gaps left out, overlaps cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.audio.frame
import av.container
import numpy as np
import numpy.typing as npt

from decoders.limits import Limits
from decoders.streams.downmix import Downmix, Resampler
from decoders.streams.video import configure
from decoders.timeline.container import stream_at
from decoders.timeline.joins import NO_PTS
from decoders.timeline.scan import packets
from decoders.timeline.timeline import Timeline
from decoders.timeline.track import Track
from schemas.grid import SECOND_NS
from schemas.reasons import MediaError, Reason, Remark

# A timestamp within this of where the samples so far end is jitter. At least two ticks.
JITTER = Fraction(4, 1000)
# A larger difference is a gap or an overlap only if it lasts: some demuxers misplace single packets
# (FFmpeg's Ogg Vorbis, by 9 ms where the block size changes).
LASTING = Fraction(1, 5)
LASTING_FRAMES = 4
RATES = (1_000, 1_000_000)  # Hz; anything else is damage


ANEW = {"vorbis"}  # decoders that take no other configuration than their first (FFmpeg 8)


def _anew(context: av.AudioCodecContext, extradata: bytes) -> av.AudioCodecContext:
    made = av.CodecContext.create(context.codec.name, "r")
    assert isinstance(made, av.AudioCodecContext)
    made.extradata = extradata
    made.sample_rate, made.layout = context.sample_rate, context.layout
    return made


@dataclass(frozen=True)
class Sound:
    """Consecutive samples; sample i lies at (first + i) / rate seconds of the media's time."""

    first: int
    rate: int
    samples: npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Placed:
    """One decoded frame, mixed, and where its timestamp says that it belongs."""

    position: int
    samples: npt.NDArray[np.float32]


class SoundReader:
    """Decodes one stream from its beginning; `first_channel`: that alone, instead of all of them mixed.

    Raises:
        MediaError: corrupt, for a sample rate that no sound has.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        timeline: Timeline,
        limits: Limits,
        first_channel: bool = False,
    ) -> None:
        assert timeline.audio is not None
        self._first_channel = first_channel
        self.container = container
        self.timeline = timeline
        self.track: Track = timeline.audio
        self.stream = stream_at(container, self.track.index, av.AudioStream)
        self.rate = self.stream.codec_context.sample_rate
        if not self.rate or not RATES[0] <= self.rate <= RATES[1]:
            raise MediaError(Reason.CORRUPT, f"sound of {self.rate} Hz")
        self.remarks: list[tuple[int, Remark]] = []  # nanoseconds of the media's time, and what is there
        self._next: int | None = None  # where the samples so far end, in samples of media time
        self._last: int | None = None  # where the last decoded frame ends
        self._end = round((self.track.end + self.track.time_base - timeline.zero) * self.rate)
        self._overlap = 0  # samples still to be dropped, for the media has had their time already
        self._tolerance = max(JITTER, 2 * self.track.time_base) * self.rate
        configure(self.stream.codec_context, limits, 1)

    def sounds(self) -> Iterator[Sound]:
        """Blocks of samples, in order, never overlapping."""
        ahead: deque[_Placed] = deque()
        held = 0
        for placed in self._placed():
            ahead.append(placed)
            held += placed.samples.size
            while len(ahead) > LASTING_FRAMES and held - ahead[0].samples.size > LASTING * self.rate:
                held -= ahead[0].samples.size
                yield from self._emit(ahead)
        while ahead:
            yield from self._emit(ahead)

    def _emit(self, ahead: deque[_Placed]) -> Iterator[Sound]:
        """Place the first of the frames at hand, given what the others say."""
        if self._next is None:
            self._next = ahead[0].position
            self._next += round(np.median(self._deviations(ahead)))
        elif abs(ahead[0].position - self._next) > self._tolerance:
            deviations = self._deviations(ahead)
            if (np.abs(deviations) > self._tolerance).all():
                if not self._joined(self._next):
                    self._remark(self._next, Remark.SOUND_GAP)
                self._overlap = max(0, -round(np.median(deviations)))
                self._next += max(0, round(np.median(deviations)))
        samples = ahead.popleft().samples
        cut = min(self._overlap, samples.size)
        self._overlap -= cut
        kept = samples[cut : cut + max(0, self._end - self._next)]  # padding may follow the end
        if kept.size:
            yield Sound(self._next, self.rate, kept)
        self._next += samples.size - cut

    def _joined(self, position: int) -> bool:
        """Whether a join explains what is amiss there: priming and padding."""
        seconds = Fraction(position, self.rate) + self.timeline.zero
        return any(abs(seconds - join) < LASTING for join in self.timeline.joins)

    def _deviations(self, ahead: deque[_Placed]) -> npt.NDArray[np.int64]:
        """int64 [frames]: how much later than gapless each frame says it is, in samples."""
        sizes = np.cumsum([0] + [placed.samples.size for placed in ahead])[:-1]
        positions = np.array([placed.position for placed in ahead], np.int64)
        return np.asarray(positions - (self._next or 0) - sizes, np.int64)

    def _placed(self) -> Iterator[_Placed]:
        mono = Downmix(self._first_channel)
        like: tuple[int, str] | None = None
        other: Resampler | None = None  # for a stretch at another rate than the stream's first
        for frame in self._decoded():
            rate = frame.sample_rate
            if not RATES[0] <= rate <= RATES[1]:
                self._lose()
                continue
            expected = self._last
            position = self._position(frame)
            if other and (rate != other.source or abs(position - (expected or 0)) > self._tolerance):
                yield from self._rest(other, expected)
                other = None
            if like not in (None, (rate, frame.layout.name)):
                self._remark(position, Remark.SOUND_CHANGES)
            like = (rate, frame.layout.name)
            try:
                samples = mono(frame)
            except av.error.FFmpegError:
                self._lose()
                continue
            if rate != self.rate:
                other = other or Resampler(rate, self.rate)
                position -= other.behind
                samples = other(samples)
            if samples.size:
                yield _Placed(position, samples)
        if other:
            yield from self._rest(other, self._last)

    def _rest(self, stretch: Resampler, end: int | None) -> Iterator[_Placed]:
        behind = stretch.behind
        samples = stretch.rest()
        if samples.size and end is not None:
            yield _Placed(end - behind, samples)

    def _position(self, frame: av.audio.frame.AudioFrame) -> int:
        """Of its first sample, by its timestamp or else by those of the frames before it."""
        seconds = self.track.start - self.timeline.zero
        if frame.pts is not None:
            seconds = frame.pts * self.track.time_base - self.timeline.zero
        elif self._last is not None:
            return self._after(frame, self._last)
        return self._after(frame, round(seconds * self.rate))

    def _after(self, frame: av.audio.frame.AudioFrame, position: int) -> int:
        self._last = position + round(Fraction(frame.samples * self.rate, frame.sample_rate))
        return position

    def _lose(self) -> None:
        """A packet did not decode."""
        self._remark(self._last or 0, Remark.SOUND_LOST)

    def _remark(self, position: int, remark: Remark) -> None:
        self.remarks.append((position * SECOND_NS // self.rate, remark))

    def _decoded(self) -> Iterator[av.audio.frame.AudioFrame]:
        context: av.AudioCodecContext = self.stream.codec_context
        for packet, pts in zip(packets(self.container, [self.stream]), self.track.pts, strict=False):
            packet.pts = int(pts) if pts != NO_PTS else None
            if self.track.codec in ANEW and packet.has_sidedata("new_extradata"):
                yield from context.decode(None)
                context = _anew(context, bytes(packet.get_sidedata("new_extradata")))
            try:
                yield from context.decode(packet)
            except av.error.FFmpegError:
                self._lose()
        try:
            yield from context.decode(None)
        except av.error.FFmpegError:
            self._lose()
