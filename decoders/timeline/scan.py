"""One stream's packets, gathered while a file is demuxed: times, contents, where decoding may begin.

Encoder delay that the container declares (skip_samples: edit lists, LAME and Opus headers, CodecDelay) is not
presented.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import av
import av.container
import av.packet
import av.stream
import numpy as np
import numpy.typing as npt

from decoders.timeline.bitstream import COUNTS_SAMPLES, RATED, TYPED, Peek, Picture, picture_type, sample_rate
from decoders.timeline.container import time_base
from decoders.timeline.headers import CARRIED
from decoders.timeline.joins import NO_PTS, Packets, reordering
from decoders.timeline.track import Track

FEW_STEPS_BACK = 3
MAX_PTS = 1 << 56  # beyond it a timestamp is damage; keeps sums inside int64


def packets(
    container: av.container.InputContainer,
    streams: Sequence[av.stream.Stream],
    stopped: Callable[[], None] = lambda: None,
) -> Iterator[av.packet.Packet[av.stream.Stream]]:
    """Packets with content, up to the end of the file or, once `stopped` has been told, to where it cannot be
    read any further."""
    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = av.stream.Discard.default if stream.index in wanted else av.stream.Discard.all
    try:
        for packet in container.demux(*streams):
            if packet.size:
                yield packet
    except IndexError:
        return  # PyAV, at the end of a file with streams that its header did not name
    except av.error.FFmpegError:
        stopped()


def _ticks(timestamp: int | None) -> int:
    return NO_PTS if timestamp is None or abs(timestamp) > MAX_PTS else timestamp


def _ends_alone(
    pts: npt.NDArray[np.int64], shown: npt.NDArray[np.bool_], anew: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Vorbis timestamps, or zero and the last one alone where they go back time and again without a new link.

    FFmpeg counts the time of empty packets (VLC's muxer writes pages full of them) back from the end of
    each page: seconds too early, anew with each page.
    """
    places = np.flatnonzero(shown & (pts != NO_PTS))
    links = np.cumsum(anew)[places]
    if np.count_nonzero((np.diff(pts[places]) < 0) & (np.diff(links) == 0)) < FEW_STEPS_BACK:
        return pts
    ends = np.full_like(pts, NO_PTS)
    ends[places[0]], ends[places[-1]] = 0, pts[places[-1]]
    return ends


def _ranks(pictures: Sequence[Picture | None]) -> npt.NDArray[np.int64] | None:
    """int64 [packets]: the place of each in order of presentation, where every picture is shown either at
    once or, if later ones refer to it, when the next such picture comes."""
    if None in pictures or pictures[0] is Picture.BIDIRECTIONAL:
        return None
    places = np.arange(len(pictures))
    references = np.flatnonzero([picture is not Picture.BIDIRECTIONAL for picture in pictures])
    ranks = places - 1
    ranks[references] = np.append(references[1:], len(places)) - 1
    return ranks


class Scan:
    """Gathers one stream's packets; `format_name` is the demuxer's."""

    def __init__(self, stream: av.stream.Stream, format_name: str) -> None:
        self.stream = stream
        self.pts = array("q")
        self.dts = array("q")
        self.duration = array("q")
        self.discard = array("b")
        self.position = array("q")
        self.arrival = array("q")
        self.starts = array("b")
        self.layer = array("B")
        self.carries = array("b")
        self.rates = array("q")  # Hz that a packet's own header says; 0: none
        self.pictures: list[Picture | None] = []  # MPEG's only
        self.peek = Peek(stream)
        self.skip_start = 0  # samples
        self.skip_end = 0
        self._is_audio = stream.type == "audio"
        self._rated = self.peek.codec in RATED
        self._ogg = format_name == "ogg"
        self._counts = (format_name, self.peek.codec) in COUNTS_SAMPLES
        self._told: dict[str, bytes] = {"new_extradata": self._context.extradata or b""}
        self.changes: list[int] = []  # packets beside which another configuration comes

    @property
    def _context(self) -> av.codec.context.CodecContext:
        assert self.stream.codec_context is not None
        return self.stream.codec_context

    def add(self, packet: av.packet.Packet[av.stream.Stream], arrival: int) -> None:
        """`arrival`: its place among the packets of all streams."""
        self.arrival.append(arrival)
        self.pts.append(_ticks(packet.pts))
        self.dts.append(_ticks(packet.dts))
        self.duration.append(min(packet.duration or 0, MAX_PTS))
        self.position.append(packet.pos or 0)
        self.carries.append(self._add_carried(packet))
        if self._is_audio:
            self.discard.append(self._add_skipped(packet))
            self.rates.append((self._rated and sample_rate(self.peek.codec, packet)) or 0)
        else:
            self.discard.append(packet.is_discard or self.peek.hidden(packet))
            self.starts.append(self.peek.starts(packet))
            self.layer.append(self.peek.layer(packet))
            if self.peek.codec in TYPED:
                self.pictures.append(picture_type(self.peek.codec, packet))

    def _add_carried(self, packet: av.packet.Packet[av.stream.Stream]) -> bool:
        """Whether what later packets depend on comes beside this one."""
        has = packet.has_sidedata
        if not (has("new_extradata") or has("palette") or has("param_change")):
            return False
        found = [kind for kind in CARRIED if has(kind)]
        for kind in found:
            data = bytes(packet.get_sidedata(kind))
            if self._told.get(kind, data) != data:
                self.changes.append(len(self.carries))
                if kind == "new_extradata":
                    self.peek.reconfigure(data)
            self._told[kind] = data
        return bool(found)

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
            self.peek.codec == "vorbis" and (len(self.pts) == 1 or bool(self.carries[-1]))
        )  # the first of a link only primes

    def first_shown(self) -> tuple[int, int]:
        """Byte position and pts of the first packet that is not discarded."""
        index = next((index for index, discard in enumerate(self.discard) if not discard), 0)
        return self.position[index], self.pts[index]

    @property
    def rates_differ(self) -> bool:
        """Whether the packets' own headers say several sample rates."""
        return len(set(self.rates) - {0}) > 1

    @property
    def mended(self) -> bool:
        """Whether version 0.1.0 read the packets otherwise."""
        return any(self.carries) or self.rates_differ or self.peek.told_too_late

    def packets(self) -> Packets:
        """What tells whether time begins again."""
        pts, dts, duration = self._times()
        return Packets(
            arrival=np.frombuffer(self.arrival, np.int64),
            pts=pts,
            dts=dts,
            duration=duration,
            shown=~np.frombuffer(self.discard, np.bool_),
            time_base=time_base(self.stream),
            is_audio=self._is_audio,
            page=np.frombuffer(self.position, np.int64) if self._ogg else None,
            anew=np.frombuffer(self.carries, np.bool_) if self.peek.codec == "vorbis" else None,
        )

    def _times(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """pts, dts and duration; where the demuxer counted samples at a rate that is not theirs, anew."""
        pts, dts, duration = (np.frombuffer(a, np.int64) for a in (self.pts, self.dts, self.duration))
        if self.peek.codec == "vorbis":
            carries, discard = np.frombuffer(self.carries, np.bool_), np.frombuffer(self.discard, np.bool_)
            pts = _ends_alone(pts, ~discard, carries)
        if self._wrong_rate:
            rates = np.frombuffer(self.rates, np.int64)
            counted_at = rates[rates > 0][0]
            ticks = np.where(rates > 0, duration * counted_at / np.maximum(rates, 1), duration)
            ends = np.rint(np.cumsum(ticks)).astype(np.int64)
            if self._counts:
                pts = dts = max(0, int(pts[0])) + np.append(0, ends[:-1])
            else:  # only what begins in the container's own packet has the container's own time
                own = (np.frombuffer(self.position, np.int64) > 0) | (rates == counted_at)
                pts = np.where(own, pts, NO_PTS)
            duration = np.diff(ends, prepend=0)
        return pts, dts, duration

    @property
    def _wrong_rate(self) -> bool:
        """Whether FFmpeg counts an ADTS or FLAC frame's time at another frame's rate."""
        return self.rates_differ and self.peek.codec in ("aac", "flac")

    def track(self, moved: int, shift: npt.NDArray[np.int64], pts: npt.NDArray[np.int64]) -> Track:
        """`moved`, `shift` and `pts` as Track has them, but that `pts` may lack some."""
        _, dts, duration = self._times()
        discard = np.frombuffer(self.discard, np.bool_)
        base = time_base(self.stream)
        shown = ~discard
        dts = np.where(dts == NO_PTS, NO_PTS, dts + shift)
        ordered = not self._is_audio and bool((pts[shown] == NO_PTS).any())
        ranks = None
        if ordered:
            pts = self._decoding_times(pts, dts, duration)
            ranks = _ranks(self.pictures) if self.pictures else None
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
            shift,
            np.frombuffer(self.carries, np.bool_),
            ordered,
            ranks is not None,
            self._whole_from(),
            self.stream.start_time,
            self.stream.duration,
        )

    def _whole_from(self) -> int:
        """FFmpeg's MPEG-4 decoder makes pictures of what refers to nothing."""
        if self.peek.codec != "mpeg4" or None in self.pictures:
            return 0
        return self.pictures.index(Picture.INTRA) if Picture.INTRA in self.pictures else len(self.pictures)

    def _decoding_times(
        self, pts: npt.NDArray[np.int64], dts: npt.NDArray[np.int64], duration: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        if (dts == NO_PTS).any():
            return np.cumsum(duration) - duration
        return np.maximum.accumulate(dts) + reordering(pts, dts, duration)

    def _frame_ticks(self, pts: npt.NDArray[np.int64], duration: npt.NDArray[np.int64], ordered: bool) -> int:
        known = duration[duration > 0]
        if known.size and not ordered:
            return int(np.median(known))
        if pts.size > 1:
            return max(1, int(np.median(np.diff(pts))))
        rate = getattr(self.stream, "guessed_rate", None)
        return max(1, round(1 / rate / self.stream.time_base)) if rate and self.stream.time_base else 0
