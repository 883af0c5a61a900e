"""Where a file's packets lie in time, learnt from the packets themselves before anything is decoded.

    ticks of a stream    pts ---- x time_base ----> seconds ---- minus `zero` ----> the media's own time

`zero` is the earliest presentation time over the video and the audio stream in use. Encoder delay that
the container declares (skip_samples: edit lists, LAME and Opus headers, CodecDelay) is not presented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import av
import av.container
import numpy as np

from decoders.limits import Limits
from decoders.timeline import webp
from decoders.timeline.choice import audio_stream, picked_before, video_stream
from decoders.timeline.container import open_media, read_head
from decoders.timeline.edit_list import moved_ticks
from decoders.timeline.files import MediaFile
from decoders.timeline.joins import find_joins
from decoders.timeline.scan import Scan, packets
from decoders.timeline.track import Track
from schemas.grid import SECOND_NS
from schemas.reasons import MediaError, Reason, Remark

SPREAD, SPREAD_FREE_S = 10, 60  # a timeline longer than 10 times its packets and a minute is damage
_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT


@dataclass(frozen=True)
class Timeline:
    """Both streams in use, and the instant that is the media's time zero (Fraction seconds).

    Attributes:
        joins: seconds at which time begins again in the file (decoders/timeline/joins.py).
        changes: video packets beside which another configuration comes.
        cut_short: the demuxer stopped before the end.
        no_pictures: there are moving pictures, of a codec that has no decoder here.
        mended: version 0.1.0 may have read the file otherwise.
    """

    video: Track | None
    audio: Track | None
    zero: Fraction
    joins: tuple[Fraction, ...] = ()
    changes: tuple[int, ...] = ()
    cut_short: bool = False
    no_pictures: bool = False
    mended: bool = False

    @property
    def duration_ns(self) -> int:
        """From time zero to the end of the stream that ends last."""
        return max(self.to_ns(track.end) for track in (self.video, self.audio) if track)

    @property
    def remarks(self) -> list[tuple[int, Remark]]:
        """What the packets tell, with the nanoseconds of the media's time at which it happens."""
        found = [(self.to_ns(seconds), Remark.JOINED) for seconds in self.joins]
        if self.video is not None:
            ticks = self.video.pts[list(self.changes)].tolist()
            found += [(self.pts_to_ns(self.video, pts), Remark.PICTURES_CHANGE) for pts in ticks]
        if self.cut_short:
            found.append((self.duration_ns - 1, Remark.CUT_SHORT))
        return sorted(found)

    def to_ns(self, seconds: Fraction) -> int:
        """Nanoseconds of the media's time, rounded up: `to_ns(pts) <= t` is exactly `pts <= t`."""
        return -((self.zero - seconds) * SECOND_NS // 1)

    def pts_to_ns(self, track: Track, pts: int) -> int:
        return self.to_ns((pts + track.moved) * track.time_base)


def read_timeline(file: MediaFile, limits: Limits, audio_track: str = "") -> Timeline:
    """Demux every packet of the two streams in use; decode none.

    Args:
        file: the medium.
        limits: of opening and reading it.
        audio_track: decoders/timeline/choice.py.

    Raises:
        MediaError: no_streams, missing_modality (no such audio track), corrupt (no packet at all),
            too_large, and what opening a file can give.
    """
    if webp.is_animated(read_head(file)):
        return Timeline(webp.read_track(file, limits), None, Fraction(0))
    with open_media(file, limits) as container:
        picture = video_stream(container)
        sound = audio_stream(container, file, picture, audio_track)
        scans, cut_short = _scan(container, [s for s in (picture, sound) if s is not None], limits)
        other_sound = not audio_track and sound is not picked_before(container)
        moved = 0
        cut = next((scan for scan in scans if any(scan.discard)), None)
        if cut is not None and cut.stream.type == "video" and container.format.name.startswith("mov,"):
            moved = moved_ticks(file, limits, cut.stream.index, *cut.first_shown())
        jumps = bool(int(container.format.flags) & _TS_DISCONT)
        joins = find_joins([scan.packets() for scan in scans], jumps)
        tracks = {
            scan.stream.type: scan.track(moved, shift, pts)
            for scan, shift, pts in zip(scans, joins.shifts, joins.pts, strict=True)
        }
        changes = next((scan.changes for scan in scans if scan.stream.type == "video"), [])
        unreadable = any(stream.codec_context is None for stream in container.streams.video)
        mended = bool(joins.starts) or other_sound or any(scan.mended for scan in scans)
    video, audio = _held(tracks.get("video"), tracks.get("audio")), tracks.get("audio")
    timeline = Timeline(
        video,
        audio,
        _zero(video, audio),
        joins.starts,
        tuple(changes),
        cut_short,
        video is None and unreadable,
        mended or _mended(tracks.get("video"), video),
    )
    if timeline.duration_ns > limits.duration_s * SECOND_NS:
        raise MediaError(Reason.TOO_LARGE, f"{timeline.duration_ns // SECOND_NS} s long")
    content = max(float(int(track.duration.sum()) * track.time_base) for track in tracks.values())
    if timeline.duration_ns > (SPREAD * content + SPREAD_FREE_S) * SECOND_NS:
        spread = timeline.duration_ns // SECOND_NS
        raise MediaError(Reason.CORRUPT, f"damaged timestamps: {content:.0f} s of media over {spread} s")
    return timeline


def _scan(
    container: av.container.InputContainer, streams: list[av.stream.Stream], limits: Limits
) -> tuple[list[Scan], bool]:
    """Of every stream in use with a packet; and whether the file could not be read to its end."""
    if not streams:
        raise MediaError(Reason.NO_STREAMS, "neither sound nor pictures that can be decoded")
    scans = {stream.index: Scan(stream, container.format.name) for stream in streams}
    stopped: list[bool] = []
    for count, packet in enumerate(packets(container, streams, lambda: stopped.append(True))):
        if count >= limits.packets:
            raise MediaError(Reason.TOO_LARGE, f"more than {limits.packets} packets")
        scans[packet.stream_index].add(packet, count)
    found = [scan for scan in scans.values() if scan.pts]
    if not found:
        raise MediaError(Reason.CORRUPT, "no packets")
    return found, bool(stopped)


def _held(video: Track | None, audio: Track | None) -> Track | None:
    """A single picture is held to the medium's end."""
    if video is None or audio is None or audio.end <= video.end or np.count_nonzero(~video.discard) != 1:
        return video
    shown = ~video.discard
    ticks = -((int(video.pts[shown][0]) + video.moved - audio.end / video.time_base) // 1)  # rounded up
    return replace(video, end=audio.end, duration=np.where(shown, ticks, video.duration))


def _mended(as_read: Track | None, video: Track | None) -> bool:
    """A picture is held; or decoding alone tells which packets' pictures are missing."""
    if video is None:
        return False
    known = video.intra_only or (video.ranked and video.codec == "mpeg4")
    return video is not as_read or video.whole_from > 0 or (video.ordered and not known)


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
