"""Where a file's packets lie in time, learnt from the packets themselves before anything is decoded.

    ticks of a stream    pts ---- x time_base ----> seconds ---- minus `zero` ----> the media's own time

`zero` is the earliest presentation time over the video and the audio stream in use. Encoder delay that
the container declares (skip_samples: edit lists, LAME and Opus headers, CodecDelay) is not presented.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.container
import av.packet
import av.stream
import numpy as np
import numpy.typing as npt

from decoders.limits import Limits
from decoders.timeline.bitstream import Peek, bidirectional
from decoders.timeline.container import audio_stream, open_media, time_base, video_stream
from decoders.timeline.edit_list import moved_ticks
from schemas.grid import SECOND_NS
from schemas.reasons import MediaError, Reason

NO_PTS = -(1 << 63)
SPREAD, SPREAD_FREE_S = 10, 60  # a timeline longer than 10 times its packets and a minute is damage
FEW_STEPS_BACK = 3
MAX_PTS = 1 << 56  # beyond it a timestamp is damage; keeps sums inside int64


@dataclass(frozen=True)
class Track:
    """The packets of one stream, in decoding order.

    Attributes:
        index: the stream's index in the container.
        time_base: seconds a tick.
        pts: int64 [packets], ticks; the decoding time where `ordered` and not `ranked`.
        duration: int64 [packets], ticks; never 0 where anything is known of it.
        discard: bool [packets], decoded but never presented (before an edit list's start).
        starts: bool [packets], decoding may begin here (video).
        layer: uint8 [packets], HEVC's temporal layer.
        codec: FFmpeg's name of it.
        intra_only: every packet of this codec decodes by itself.
        start, end: Fraction seconds, first and last instant that is presented.
        frame_ticks: ticks that a packet usually lasts; 0 where unknown.
        moved: ticks to add to every pts of the demuxer's (decoders/timeline/edit_list.py).
        ordered: the container gives no presentation times (AVI, bare streams): the n-th frame shown
            takes the n-th of the packets' times.
        ranked: the pictures' types say in which order an ordered stream shows its packets, so that `pts`
            are presentation times all the same.
    """

    index: int
    time_base: Fraction
    pts: npt.NDArray[np.int64]
    duration: npt.NDArray[np.int64]
    discard: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.bool_]
    layer: npt.NDArray[np.uint8]
    codec: str
    intra_only: bool
    start: Fraction
    end: Fraction
    frame_ticks: int
    moved: int
    ordered: bool
    ranked: bool


@dataclass(frozen=True)
class Timeline:
    """Both streams in use, and the instant that is the media's time zero (Fraction seconds)."""

    video: Track | None
    audio: Track | None
    zero: Fraction

    @property
    def duration_ns(self) -> int:
        """From time zero to the end of the stream that ends last."""
        return max(self.to_ns(track.end) for track in (self.video, self.audio) if track)

    def to_ns(self, seconds: Fraction) -> int:
        """Nanoseconds of the media's time, rounded up: `to_ns(pts) <= t` is exactly `pts <= t`."""
        return -((self.zero - seconds) * SECOND_NS // 1)

    def pts_to_ns(self, track: Track, pts: int) -> int:
        return self.to_ns((pts + track.moved) * track.time_base)


def read_timeline(path: str, limits: Limits) -> Timeline:
    """Demux every packet of the two streams in use; decode none.

    Raises:
        MediaError: no_streams, corrupt (no packet at all), too_large, and what opening a file can give.
    """
    with open_media(path, limits) as container:
        scans = _scan(container, limits)
        moved = 0
        cut = next((scan for scan in scans if any(scan.discard)), None)
        if cut is not None and cut.stream.type == "video" and container.format.name.startswith("mov,"):
            moved = moved_ticks(path, limits, cut.stream.index, *cut.first_shown())
        tracks = {scan.stream.type: scan.track(moved) for scan in scans}
    video, audio = tracks.get("video"), tracks.get("audio")
    timeline = Timeline(video, audio, _zero(video, audio))
    if timeline.duration_ns > limits.duration_s * SECOND_NS:
        raise MediaError(Reason.TOO_LARGE, f"{timeline.duration_ns // SECOND_NS} s long")
    content = max(float(int(track.duration.sum()) * track.time_base) for track in tracks.values())
    if timeline.duration_ns > (SPREAD * content + SPREAD_FREE_S) * SECOND_NS:
        spread = timeline.duration_ns // SECOND_NS
        raise MediaError(Reason.CORRUPT, f"damaged timestamps: {content:.0f} s of media over {spread} s")
    return timeline


def _scan(container: av.container.InputContainer, limits: Limits) -> list[_Scan]:
    streams = [stream for stream in (video_stream(container), audio_stream(container)) if stream is not None]
    if not streams:
        raise MediaError(Reason.NO_STREAMS, "neither sound nor pictures that can be decoded")
    scans = {stream.index: _Scan(stream) for stream in streams}
    for count, packet in enumerate(packets(container, streams)):
        if count >= limits.packets:
            raise MediaError(Reason.TOO_LARGE, f"more than {limits.packets} packets")
        scans[packet.stream_index].add(packet)
    found = [scan for scan in scans.values() if scan.pts]
    if not found:
        raise MediaError(Reason.CORRUPT, "no packets")
    return found


def packets(
    container: av.container.InputContainer, streams: Sequence[av.stream.Stream]
) -> Iterator[av.packet.Packet[av.stream.Stream]]:
    """Packets with content, up to the end of the file or to where it cannot be read any further."""
    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = av.stream.Discard.default if stream.index in wanted else av.stream.Discard.all
    try:
        for packet in container.demux(*streams):
            if packet.size:
                yield packet
    except (av.error.FFmpegError, IndexError):
        return  # IndexError: PyAV, at the end of a file with streams that its header did not name


def _ticks(timestamp: int | None) -> int:
    return NO_PTS if timestamp is None or abs(timestamp) > MAX_PTS else timestamp


def _zero(video: Track | None, audio: Track | None) -> Fraction:
    if video is None or audio is None:
        track = video or audio
        assert track is not None
        return track.start
    # Codec delay in a coarse time base (Matroska: 6.5 ms in ticks of 1 ms) leaves less than a tick of
    # disagreement, which is rounding and not time.
    tick = max(video.time_base, audio.time_base)
    if abs(video.start - audio.start) < min(tick, Fraction(1, 500)):
        return video.start
    return min(video.start, audio.start)


def _ends_alone(pts: npt.NDArray[np.int64], shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Vorbis timestamps, or zero and the last one alone where they go back time and again.

    FFmpeg counts the time of empty packets (VLC's muxer writes pages full of them) back from the end of
    each page: seconds too early, anew with each page.
    """
    places = np.flatnonzero(shown & (pts != NO_PTS))
    if np.count_nonzero(np.diff(pts[places]) < 0) < FEW_STEPS_BACK:
        return pts
    ends = np.full_like(pts, NO_PTS)
    ends[places[0]], ends[places[-1]] = 0, pts[places[-1]]
    return ends


def _ranks(bidirectional: Sequence[bool | None]) -> npt.NDArray[np.int64] | None:
    """int64 [packets]: the place of each in order of presentation, where every picture is shown either at
    once or, if later ones refer to it, when the next such picture comes."""
    if None in bidirectional or bidirectional[0]:
        return None
    places = np.arange(len(bidirectional))
    references = np.flatnonzero(~np.array(bidirectional, np.bool_))
    ranks = places - 1
    ranks[references] = np.append(references[1:], len(places)) - 1
    return ranks


class _Scan:
    """Gathers one stream's packets."""

    def __init__(self, stream: av.stream.Stream) -> None:
        self.stream = stream
        self.pts = array("q")
        self.dts = array("q")
        self.duration = array("q")
        self.key = array("b")
        self.discard = array("b")
        self.position = array("q")
        self.starts = array("b")
        self.layer = array("B")
        self.bidirectional: list[bool | None] = []  # MPEG-4's only
        self.peek = Peek(stream)
        self.skip_start = 0  # samples
        self.skip_end = 0
        self._is_audio = stream.type == "audio"

    def add(self, packet: av.packet.Packet[av.stream.Stream]) -> None:
        self.pts.append(_ticks(packet.pts))
        self.dts.append(_ticks(packet.dts))
        self.duration.append(min(packet.duration or 0, MAX_PTS))
        self.key.append(packet.is_keyframe)
        if self._is_audio:
            self.discard.append(self._add_skipped(packet))
        else:
            self.position.append(packet.pos or 0)
            self.discard.append(packet.is_discard or self.peek.hidden(packet))
            self.starts.append(self.peek.starts(packet))
            self.layer.append(self.peek.layer(packet))
            if self.peek.codec == "mpeg4":
                self.bidirectional.append(bidirectional(packet))

    def _add_skipped(self, packet: av.packet.Packet[av.stream.Stream]) -> bool:
        """Note the samples that the container says are padding; returns whether all of it is."""
        if packet.has_sidedata("skip_samples"):
            start, self.skip_end = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
            if len(self.pts) == 1:
                self.skip_start = start
            return False  # presented in part; the decoder cuts the rest
        if not packet.is_discard:
            self.skip_end = 0
        return packet.is_discard or (
            self.peek.codec == "vorbis" and len(self.pts) == 1
        )  # the first only primes

    def first_shown(self) -> tuple[int, int]:
        """Byte position and pts of the first packet that is not discarded."""
        index = next((index for index, discard in enumerate(self.discard) if not discard), 0)
        return self.position[index], self.pts[index]

    def track(self, moved: int) -> Track:
        pts, dts = np.frombuffer(self.pts, np.int64), np.frombuffer(self.dts, np.int64)
        duration = np.frombuffer(self.duration, np.int64)
        discard = np.frombuffer(self.discard, np.bool_)
        base = time_base(self.stream)
        shown = ~discard
        if self.peek.codec == "vorbis":
            pts = _ends_alone(pts, shown)
        ordered = not self._is_audio and bool((pts[shown] == NO_PTS).any())
        ranks = None
        if ordered:
            pts = self._decoding_times(pts, dts, duration)
            ranks = _ranks(self.bidirectional) if self.bidirectional else None
            pts = pts if ranks is None else pts[ranks]
        shown &= pts != NO_PTS
        frame_ticks = self._frame_ticks(np.sort(pts[shown]), duration[shown], ordered)
        lasting = np.where((duration > 0) & ~ordered, duration, frame_ticks)
        if shown.any():
            moved = 0 if self._is_audio else moved
            start = (int(pts[shown].min()) + moved) * base
            end = (int((pts + lasting)[shown].max()) + moved) * base
        else:  # sound without timestamps: packets follow one another
            start, end = Fraction(0), int(lasting.sum()) * base
        if isinstance(self.stream, av.AudioStream) and (rate := self.stream.codec_context.sample_rate):
            start += Fraction(self.skip_start, rate)
            if self.duration[-1] * base * rate > self.skip_end:
                whole = not len(self.duration) > 1 or self.duration[-1] >= self.duration[-2]
                # Some muxers have already taken the padding off the last packet's duration.
                end -= Fraction(self.skip_end, rate) if whole else 0
            end = max(start, end)
        return Track(
            self.stream.index,
            base,
            pts,
            lasting,
            discard,
            np.frombuffer(self.starts, np.bool_),
            np.frombuffer(self.layer, np.uint8),
            self.peek.codec,
            self.peek.intra_only,
            start,
            end,
            frame_ticks,
            moved,
            ordered,
            ranks is not None,
        )

    def _decoding_times(
        self, pts: npt.NDArray[np.int64], dts: npt.NDArray[np.int64], duration: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        if (dts == NO_PTS).any():
            return np.cumsum(duration) - duration
        both = np.flatnonzero((pts != NO_PTS) & np.frombuffer(self.key, np.bool_))
        delay = int(pts[both[0]] - dts[both[0]]) if both.size else 0
        return np.maximum.accumulate(dts) + delay

    def _frame_ticks(self, pts: npt.NDArray[np.int64], duration: npt.NDArray[np.int64], ordered: bool) -> int:
        known = duration[duration > 0]
        if known.size and not ordered:
            return int(np.median(known))
        if pts.size > 1:
            return max(1, int(np.median(np.diff(pts))))
        rate = getattr(self.stream, "guessed_rate", None)
        return max(1, round(1 / rate / self.stream.time_base)) if rate and self.stream.time_base else 0
