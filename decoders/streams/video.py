"""The frames of one stream at the instants that are wanted, as a full decode would show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import av
import av.container
import av.packet
import av.stream
import numpy as np
import numpy.typing as npt

from decoders.limits import Limits
from decoders.timeline.container import stream_at
from decoders.timeline.selective import Action, Plan
from decoders.timeline.timeline import NO_PTS, Timeline, Track, packets

FIRST_PICTURE_PACKETS = 64
SEEK_PACKETS = 600  # a stretch of unwanted packets worth seeking over
# FFmpeg's frame threads give other pictures now and then (theora: 11 of 40 decodes of one file, FFmpeg 8.1).
RACES = {"theora", "vp3", "vp4"}
_SEEKS_EXACTLY = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}  # by an index of packets, checked on arrival


@dataclass(frozen=True)
class TimedFrame:
    """A frame and the time it is shown for, in the media's own nanoseconds: [start_ns, end_ns)."""

    frame: av.VideoFrame
    start_ns: int
    end_ns: int


class NotExactError(Exception):
    """Selective decoding met something that only a full decode gets right."""


def configure(context: av.codec.context.CodecContext, limits: Limits, threads: int) -> None:
    """Threads and limits of a decoder that has not been opened yet."""
    context.thread_count = 1 if context.name in RACES else threads
    context.thread_type = "AUTO"
    context.options = {"max_pixels": str(limits.pixels)}


def first_picture(
    container: av.container.InputContainer, stream: av.VideoStream, limits: Limits
) -> av.VideoFrame | None:
    """The first frame that decodes, if any of the first packets gives one."""
    context = stream.codec_context
    configure(context, limits, 1)
    for count, packet in enumerate(packets(container, [stream])):
        try:
            frames = context.decode(packet)
        except av.error.FFmpegError:
            frames = []
        if frames:
            return frames[0]
        if count >= FIRST_PICTURE_PACKETS:
            break
    return None


class FullReader:
    """Decodes every frame."""

    def __init__(
        self, container: av.container.InputContainer, timeline: Timeline, limits: Limits, threads: int
    ) -> None:
        assert timeline.video is not None
        self.timeline = timeline
        self.track: Track = timeline.video
        self.container = container
        self.stream = stream_at(container, self.track.index, av.VideoStream)
        self.lost = 0  # packets that did not decode
        configure(self.stream.codec_context, limits, threads)

    def frames(self) -> Iterator[TimedFrame]:
        """Every frame; later ones never before earlier ones."""
        held: tuple[av.VideoFrame, int] | None = None
        for frame, pts in self._in_order():
            if held is not None:
                yield self._timed(*held, next_pts=pts)
            held = (frame, pts)
        if held is not None:
            yield self._timed(*held, next_pts=held[1] + self._duration(held[0]))

    def _timed(self, frame: av.VideoFrame, pts: int, next_pts: int) -> TimedFrame:
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
        if self.track.ordered:
            return int(self._times[min(count + self.lost, len(self._times) - 1)])
        if frame.pts is not None:
            return frame.pts
        return (
            round(self.track.start / self.track.time_base)
            if last == NO_PTS
            else last + self.track.frame_ticks
        )

    @cached_property
    def _times(self) -> npt.NDArray[np.int64]:
        """int64 [packets]: when the n-th frame shown is on screen, in an ordered stream."""
        return np.sort(self.track.pts)

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


class SelectiveReader(FullReader):
    """Decodes what a plan says."""

    def __init__(
        self,
        container: av.container.InputContainer,
        timeline: Timeline,
        limits: Limits,
        threads: int,
        plan: Plan,
    ) -> None:
        super().__init__(container, timeline, limits, threads)
        self.plan = plan

    def frames(self) -> Iterator[TimedFrame]:
        """The wanted frames.

        Raises:
            NotExactError: anything unforeseen; the frames yielded so far stand.
        """
        wanted = self.plan.wanted
        pts = self.track.pts[wanted.packets].tolist()
        row = 0
        for frame in self._decoded():
            if row == len(pts):
                return
            if frame.pts is None or frame.pts > pts[row]:
                raise NotExactError
            if frame.pts == pts[row]:
                yield TimedFrame(frame, int(wanted.start_ns[row]), int(wanted.end_ns[row]))
                row += 1
        if row < len(pts):
            raise NotExactError

    def _decoded(self) -> Iterator[av.VideoFrame]:
        context = self.stream.codec_context
        action = self.plan.action.tolist()
        hevc_starts = (self.track.starts & (self.track.codec == "hevc")).tolist()
        dropped = False
        try:
            for index, packet in self._packets():
                if packet is None or (dropped and action[index] and hevc_starts[index]):
                    yield from context.decode(None)  # a seek follows, or a start that must be seen as one
                    context.flush_buffers()
                dropped = packet is None or not action[index]
                if packet is not None and not dropped:
                    context.skip_frame = "DEFAULT" if action[index] == Action.DECODE else "NONREF"
                    if self.track.ordered:
                        packet.pts = int(self.track.pts[index])
                    yield from context.decode(packet)
            yield from context.decode(None)
        except av.error.FFmpegError as error:
            raise NotExactError from error

    def _packets(self) -> Iterator[tuple[int, av.packet.Packet[av.stream.Stream] | None]]:
        """Packets with their place in decoding order, up to the last that is needed; None before a jump."""
        needed = np.flatnonzero(self.plan.action)
        index, end = 0, int(needed[-1]) + 1 if needed.size else 0
        while index < end:
            target = int(needed[np.searchsorted(needed, index)])
            jumped = self._worth_seeking(index, target)
            if jumped:
                yield index, None
                self.container.seek(int(self.track.pts[target]), stream=self.stream)
            for packet in packets(self.container, [self.stream]):
                index = self._arrived(packet, index, target) if jumped else index
                jumped = False
                self._check(packet, index)
                yield index, packet
                index += 1
                if index >= end:
                    return
                if not self.plan.action[index] and self.plan.action[index - 1]:
                    target = int(needed[np.searchsorted(needed, index)])
                    if self._worth_seeking(index, target):
                        break
            else:
                raise NotExactError  # fewer packets than the first time

    def _worth_seeking(self, index: int, target: int) -> bool:
        far = target - index > SEEK_PACKETS and bool(self.track.starts[target])
        return far and not self.track.ordered and self.container.format.name in _SEEKS_EXACTLY

    def _arrived(self, packet: av.packet.Packet[av.stream.Stream], index: int, target: int) -> int:
        places = np.flatnonzero(self.track.pts[index : target + 1] == packet.pts)
        if places.size != 1:
            raise NotExactError
        return index + int(places[0])

    def _check(self, packet: av.packet.Packet[av.stream.Stream], index: int) -> None:
        if index >= len(self.track.pts) or (not self.track.ordered and packet.pts != self.track.pts[index]):
            raise NotExactError
