"""Frames of one stream in order of presentation, and which of them a list of instants wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import av.container

from decoders.limits import Limits
from decoders.timeline import NO_PTS, Timeline, Track, packets


@dataclass(frozen=True)
class TimedFrame:
    """A frame and the time it is shown for, in the media's own nanoseconds: [start_ns, end_ns)."""

    frame: av.VideoFrame
    start_ns: int
    end_ns: int


class FrameReader:
    """Decodes every frame of one stream."""

    def __init__(
        self, container: av.container.InputContainer, timeline: Timeline, limits: Limits, threads: int
    ) -> None:
        assert timeline.video is not None
        self.container = container
        self.timeline = timeline
        self.track: Track = timeline.video
        self.stream = container.streams[self.track.index]
        self.lost = 0  # packets that did not decode
        configure(self.stream.codec_context, limits, threads)

    def frames(self) -> Iterator[TimedFrame]:
        """Every frame, later ones never before earlier ones."""
        held: tuple[av.VideoFrame, int] | None = None
        for frame, pts in self._in_order():
            if held is not None:
                yield self._timed(*held, next_pts=pts)
            held = (frame, pts)
        if held is not None:
            yield self._timed(*held, next_pts=None)

    def _timed(self, frame: av.VideoFrame, pts: int, next_pts: int | None) -> TimedFrame:
        if next_pts is None:
            next_pts = pts + self._duration(frame)
        to_ns = self.timeline.pts_to_ns
        return TimedFrame(frame, to_ns(self.track, pts), to_ns(self.track, next_pts))

    def _duration(self, frame: av.VideoFrame) -> int:
        return self.track.frame_ticks if self.track.ordered else frame.duration or self.track.frame_ticks

    def _in_order(self) -> Iterator[tuple[av.VideoFrame, int]]:
        last = NO_PTS
        for count, frame in enumerate(self._decoded()):
            pts = self._pts(frame, count, last)
            if pts < last:
                continue
            last = pts
            yield frame, pts

    def _pts(self, frame: av.VideoFrame, count: int, last: int) -> int:
        times = self.track.pts
        if self.track.ordered:
            return int(times[min(count + self.lost, len(times) - 1)])
        if frame.pts is not None:
            return frame.pts
        return (
            round(self.track.start / self.track.time_base)
            if last == NO_PTS
            else last + self.track.frame_ticks
        )

    def _decoded(self) -> Iterator[av.VideoFrame]:
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


def configure(context: av.codec.context.CodecContext, limits: Limits, threads: int) -> None:
    """Threads and limits of a decoder that has not been opened yet."""
    context.thread_count = threads
    context.thread_type = "AUTO"
    context.options = {"max_pixels": str(limits.pixels)}
