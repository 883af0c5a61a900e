"""Recordings joined byte by byte, chained links, encoders started anew: time that begins again inside a file.

    file                    A0 A1 A2 ... A9 | B0 B1 ... B9      timestamps of B lie where those of A lay
    the media's own time    A0 A1 A2 ... A9   B0 B1 ... B9      B begins where A ends

Both streams of a part are moved alike, so that they stay together. The pictures follow one another without a
gap if the sound then overlaps by no more than what encoders put before and after it; else both streams of A
have ended when B begins. Where one stream alone goes back and the other does not, nothing was joined: that is
an overlap, and its sound's reader (decoders/streams/audio.py) cuts it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

NO_PTS = -(1 << 63)
BACK = Fraction(1, 10)  # seconds; as the ffmpeg command has it (fftools/ffmpeg_demux.c)
PADDING = Fraction(1, 10)  # seconds of an encoder's priming and padding, at most
FORWARD = 10  # seconds, in formats whose clocks may be set anew; ffmpeg's dts_delta_threshold
LASTING = 8  # packets after which a stray timestamp is over
APART = 2000  # packets that lie between the streams' own ends of one part, at most

Ticks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Packets:
    """One stream's packets in the order of the file.

    Attributes:
        arrival: int64 [packets], places among the packets of both streams.
        pts, dts: int64 [packets], ticks or NO_PTS.
        duration: int64 [packets], ticks.
        shown: bool [packets], whether any of it is presented.
        time_base: seconds a tick.
        is_audio: else pictures.
        page: int64 [packets], where in the file the packet's page lies (Ogg). FFmpeg stamps a link's first
            packet with the end of the link before.
        anew: bool [packets], where the demuxer says that another link begins; None: it does not say so.
    """

    arrival: Ticks
    pts: Ticks
    dts: Ticks
    duration: Ticks
    shown: npt.NDArray[np.bool_]
    time_base: Fraction
    is_audio: bool
    page: Ticks | None = None
    anew: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Joins:
    """What was found.

    Attributes:
        shifts: a stream each, int64 [packets]: ticks by which the packets' timestamps were moved.
        pts: a stream each, int64 [packets], moved.
        starts: seconds, on the first part's clock, at which the later parts begin.
    """

    shifts: tuple[Ticks, ...]
    pts: tuple[Ticks, ...]
    starts: tuple[Fraction, ...]


def find_joins(streams: Sequence[Packets], clocks_may_jump: bool) -> Joins:
    """How the parts of a file follow one another.

    Args:
        streams: one or two.
        clocks_may_jump: the format's clocks may go on from anywhere (AVFMT_TS_DISCONT).
    """
    parts = _together([_breaks(stream, clocks_may_jump) for stream in streams], streams)
    streams = [_restamped(stream, [part[i] for part in parts]) for i, stream in enumerate(streams)]
    shifts = [np.zeros(len(stream.pts), np.int64) for stream in streams]
    starts: list[Fraction] = []
    tick = max(stream.time_base for stream in streams)
    offset = Fraction(0)
    for number, part in enumerate(parts):
        before = parts[number - 1] if number else None
        after = parts[number + 1] if number + 1 < len(parts) else None
        ends = [_extent(stream, _slice(stream, i, before, part)) for i, stream in enumerate(streams)]
        begins = [_extent(stream, _slice(stream, i, part, after)) for i, stream in enumerate(streams)]
        step = _step(streams, ends, begins)
        if step is None:
            continue
        # Whole ticks of the coarser clock: both streams are moved by the same time.
        offset = math.ceil((offset + step) / tick) * tick
        starts.append(min(extent[0] for extent in begins if extent) + offset)
        for index, stream in enumerate(streams):
            shifts[index][part[index] :] = round(offset / stream.time_base)
    pts = [
        np.where(stream.pts == NO_PTS, NO_PTS, stream.pts + shift)
        for stream, shift in zip(streams, shifts, strict=True)
    ]
    return Joins(tuple(shifts), tuple(pts), tuple(starts))


def _step(
    streams: Sequence[Packets], ends: Sequence[_Extent | None], begins: Sequence[_Extent | None]
) -> Fraction | None:
    """Seconds by which a part must be moved against the one before it."""
    known_ends, known_begins = [e for e in ends if e], [b for b in begins if b]
    if not known_ends or not known_begins:
        return None
    apart = max(end for _, end in known_ends) - min(begin for begin, _ in known_begins)
    seamless = {
        stream.is_audio: end[1] - begin[0]
        for stream, end, begin in zip(streams, ends, begins, strict=True)
        if end and begin
    }
    if len(seamless) == 2 and 0 <= seamless[True] - seamless[False] <= PADDING:
        return seamless[False]
    return apart


_Extent = tuple[Fraction, Fraction]  # first and last instant presented, in seconds of the stream's own clock
_Part = tuple[int, ...]  # a stream each, the first packet of a part


def _slice(stream: Packets, index: int, first: _Part | None, last: _Part | None) -> slice:
    return slice(first[index] if first else 0, last[index] if last else len(stream.pts))


def _extent(stream: Packets, part: slice) -> _Extent | None:
    pts, dts = stream.pts[part], stream.dts[part]
    if not stream.is_audio and (pts == NO_PTS).any() and (dts != NO_PTS).all():
        pts = dts + reordering(pts, dts, stream.duration[part])
    known = (pts != NO_PTS) & stream.shown[part]
    if not known.any():
        return None
    first, last = int(pts[known].min()), int((pts + stream.duration[part])[known].max())
    if stream.page is not None:  # a link's clock begins at zero; what lies before only primes the decoder
        first = max(0, first)
    return first * stream.time_base, last * stream.time_base


def reordering(pts: Ticks, dts: Ticks, duration: Ticks) -> int:
    """Ticks by which a picture is shown after the packet in whose place it is shown is decoded.

    Args:
        pts, dts: int64 [packets], of which some are NO_PTS.
        duration: int64 [packets].
    """
    both = np.flatnonzero((pts != NO_PTS) & (dts != NO_PTS))
    if not both.size:
        return 0
    late = pts[both] - dts[both]
    if both[0] == 0:  # the first that is decoded is the first that is shown
        return int(late[0])
    # A picture between others (B) is shown when it is decoded, a place before its own.
    return int(late.min()) + (int(np.median(duration)) if late.max() > late.min() else 0)


def _restamped(stream: Packets, firsts: list[int]) -> Packets:
    """Audio packets that come first in their part without a time of their own end where the next begins."""
    pts = stream.pts.copy()
    for first in firsts:
        near = pts[first : first + LASTING]
        known = near[near != NO_PTS]
        if not stream.is_audio or not known.size:
            continue
        for index in range(first + int(np.flatnonzero(near == known.min())[0]) - 1, first - 1, -1):
            pts[index] = pts[index + 1] - stream.duration[index]
    return replace(stream, pts=pts)


def _breaks(stream: Packets, clocks_may_jump: bool) -> list[int]:
    """Packets at which time begins again."""
    clock = np.where(stream.dts == NO_PTS, stream.pts, stream.dts)
    places = np.flatnonzero(clock != NO_PTS)
    if places.size < 2:
        return []
    known = clock[places]
    steps = np.diff(known) - stream.duration[places][:-1]
    back = -int(BACK / stream.time_base)
    suspects = steps < back
    if clocks_may_jump:
        suspects |= steps > int(FORWARD / stream.time_base)
    breaks = []
    for row in (np.flatnonzero(suspects) + 1).tolist():
        before = known[max(0, row - 2) : row]  # two: the one before may itself be a stray
        after = known[row : row + LASTING]
        back = bool(steps[row - 1] < 0)
        if (
            (after < before.min()).all()
            if back
            else (after > before.max() + FORWARD / stream.time_base).all()
        ):
            breaks.append(_said(stream, places, row))
    return [first for first in breaks if first > 0]


def _said(stream: Packets, places: Ticks, row: int) -> int:
    """The part's first packet; 0: the demuxer would have said that one begins, and did not."""
    first, told = int(places[row - 1]) + 1, int(places[row])
    while stream.page is not None and first > 1 and stream.page[first - 1] == stream.page[told]:
        first -= 1
    while first > 1 and _shown_before_decoded(stream, first - 1):
        first -= 1  # shown before it is decoded: FFmpeg's parser is a packet late in counting anew
    return 0 if stream.anew is not None and not stream.anew[first : told + 1].any() else first


def _shown_before_decoded(stream: Packets, index: int) -> bool:
    pts, dts = int(stream.pts[index]), int(stream.dts[index])
    return NO_PTS not in (pts, dts) and pts < dts - BACK / stream.time_base


def _together(breaks: Sequence[list[int]], streams: Sequence[Packets]) -> list[_Part]:
    """Breaks of one stream with those of the other that lie near them in the file."""
    if len(streams) == 1:
        return [(first,) for first in breaks[0]]
    left, right = streams
    parts = []
    for first in breaks[0]:
        arrival = left.arrival[first]
        gaps = [abs(int(right.arrival[second] - arrival)) for second in breaks[1]]
        if gaps and min(gaps) <= APART:
            parts.append((first, breaks[1][gaps.index(min(gaps))]))
        elif not (right.arrival > arrival).any():
            parts.append((first, len(right.pts)))
    paired = {second for _, second in parts}
    for second in breaks[1]:
        if second not in paired and not (left.arrival > right.arrival[second]).any():
            parts.append((len(left.pts), second))
    return sorted(set(parts))
