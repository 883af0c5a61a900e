"""The frames of one stream at the instants that are wanted, as a full decode would show them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import av
import av.container
import av.packet
import av.stream
import numpy as np

from decoders.limits import Limits
from decoders.timeline.container import stream_at
from decoders.timeline.headers import Carried
from decoders.timeline.joins import NO_PTS
from decoders.timeline.scan import packets
from decoders.timeline.selective import Action, Plan
from decoders.timeline.timeline import Timeline
from decoders.timeline.track import Track

FIRST_PICTURE_PACKETS = 64
RECENT = 64  # frames that a decoder puts in order, with room to spare
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
        configure(self.stream.codec_context, limits, threads)

    def frames(self) -> Iterator[TimedFrame]:
        """Every frame; later ones never before earlier ones."""
        held: tuple[av.VideoFrame, int] | None = None
        for frame, pts in self._in_order():
            if held is not None:
                yield self._timed(*held, next_pts=pts)
            held = (frame, pts)
        if held is not None:
            yield self._timed(*held, next_pts=held[1] + self._duration(*held))

    def _timed(self, frame: av.VideoFrame, pts: int, next_pts: int) -> TimedFrame:
        to_ns = self.timeline.pts_to_ns
        return TimedFrame(frame, to_ns(self.track, pts), to_ns(self.track, next_pts))

    def _duration(self, frame: av.VideoFrame, pts: int) -> int:
        if self.track.ordered:
            return self.track.frame_ticks
        own = self.track.duration[self.track.pts == pts]
        return int(own[0]) if own.size else frame.duration or self.track.frame_ticks

    def _in_order(self) -> Iterator[tuple[av.VideoFrame, int]]:
        last = NO_PTS
        places = _Places(self.track)
        whole = self.track.whole_from
        unfit = set(range(whole)) if self.track.ordered else set(self.track.pts[:whole].tolist())
        for frame in self._decoded():
            if frame.pts in unfit:
                continue
            if self.track.ordered:
                pts = places.pts(frame.pts, self.stream.codec_context.reorder_depth)
            elif frame.pts is not None:
                pts = frame.pts
            else:
                pts = self._following(last)
            if pts < last:
                continue
            last = pts
            yield frame, pts

    def _following(self, last: int) -> int:
        if last == NO_PTS:
            return round(self.track.start / self.track.time_base)
        return last + self.track.frame_ticks

    def _decoded(self) -> Iterator[av.VideoFrame]:
        context = self.stream.codec_context
        times = self.track.pts.tolist()
        for index, packet in enumerate(packets(self.container, [self.stream])):
            if index >= len(times):
                break  # more packets than the first time
            packet.pts = index if self.track.ordered else _known(times[index])
            with suppress(av.error.FFmpegError):
                yield from context.decode(packet)
        with suppress(av.error.FFmpegError):
            yield from context.decode(None)


def _known(pts: int) -> int | None:
    return None if pts == NO_PTS else pts


class _Places:
    """Which of an ordered stream's times each frame has: a frame is known by its packet, and packets that
    give no picture keep their time."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._times: list[int] = np.sort(track.pts).tolist()
        self._count = 0
        self._missing = 0  # packets without a picture, as far as is known
        self._recent: deque[int] = deque(maxlen=RECENT)

    def pts(self, packet: int | None, delay: int) -> int:
        """Ticks of the next frame. `packet`: its place in decoding order; `delay`: by how many places, at
        most, the decoder puts it off."""
        if packet is None:
            packet = self._count
        if self._track.intra_only or self._track.ranked:
            return int(self._track.pts[packet])
        if self._track.starts[packet]:  # all before it were shown before it; some after it may have been
            place = packet + sum(earlier > packet for earlier in self._recent)
        else:
            place = max(self._count + self._missing, packet - delay)
        self._recent.append(packet)
        self._missing = place - self._count
        self._count += 1
        return self._times[max(0, min(place, len(self._times) - 1))]


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
        carried = Carried()
        try:
            for index, packet in self._packets():
                if packet is None or (dropped and action[index] and hevc_starts[index]):
                    yield from context.decode(None)  # a seek follows, or a start that must be seen as one
                    context.flush_buffers()
                dropped = packet is None or not action[index]
                if packet is not None and dropped:
                    carried.keep(packet)
                elif packet is not None:
                    carried.hand_over(packet)
                    context.skip_frame = "DEFAULT" if action[index] == Action.DECODE else "NONREF"
                    packet.pts = _known(int(self.track.pts[index]))
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
        if self.track.carries[index:target].any() or self.track.shift.any():
            return False
        return far and not self.track.ordered and self.container.format.name in _SEEKS_EXACTLY

    def _arrived(self, packet: av.packet.Packet[av.stream.Stream], index: int, target: int) -> int:
        places = np.flatnonzero(self.track.pts[index : target + 1] == packet.pts)
        if places.size != 1:
            raise NotExactError
        return index + int(places[0])

    def _check(self, packet: av.packet.Packet[av.stream.Stream], index: int) -> None:
        if index >= len(self.track.pts):
            raise NotExactError
        if not self.track.ordered and packet.pts != self.track.pts[index] - self.track.shift[index]:
            raise NotExactError
