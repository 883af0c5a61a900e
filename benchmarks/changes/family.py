"""The family: a codec and a container x what changes half way x the distance of keyframes.

source      0 s ... 4 s | 4 s ... 8 s
file        first half, then the second with another size, profile, rate ..., put together as `Joint` says
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.changes.source import FPS, HALF, pictures, sound
from benchmarks.flashes import ffmpeg, write_wav
from benchmarks.matrix import DELAYED, EXACT

GOPS = (5, 30, 250)
SIZES = ((160, 120), (240, 176))
PALETTE_SIZE = (80, 60)


class Change(enum.StrEnum):
    """What is other in the second half, or missing in the first."""

    SIZE = "size"
    PROFILE = "profile"
    PALETTE = "palette"
    RATE = "rate"
    CHANNELS = "channels"
    JOIN = "join"  # nothing but that its time begins again
    LOST = "lost"  # the first keyframe and some pictures after it


class Joint(enum.StrEnum):
    """How the halves are put together."""

    BYTES = "bytes"  # one after the other, as they are
    CONTINUED = "continued"  # the second half's timestamps go on; headers of its own
    COPIED = "copied"  # by ffmpeg's concat demuxer


@dataclass(frozen=True)
class Format:
    """A container with one codec of each kind ("" for none), and which changes it can hold."""

    suffix: str
    video: str
    audio: str
    changes: dict[Change, Joint]
    tolerance_ms: float = EXACT


@dataclass(frozen=True)
class Member:
    """One file of the family."""

    format: Format
    change: Change
    gop: int

    @property
    def name(self) -> str:
        codecs = "_".join(filter(None, (self.format.video, self.format.audio)))
        gop = f"_gop{self.gop}" if self.format.video else ""
        return f"{codecs}_{self.change}{gop}.{self.format.suffix}"

    @property
    def joint(self) -> Joint:
        return self.format.changes[self.change]


VIDEO = {
    "h264": "-c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p",
    "hevc": "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint={gop} -pix_fmt yuv420p",
    "mpeg2video": "-c:v mpeg2video -q:v 3 -bf 2 -pix_fmt yuv420p",
    "mpeg1video": "-c:v mpeg1video -q:v 3 -bf 2 -pix_fmt yuv420p",
    "mpeg4": "-c:v mpeg4 -q:v 3 -bf 2 -pix_fmt yuv420p",
    "mpeg4p": "-c:v mpeg4 -q:v 3 -bf 0 -pix_fmt yuv420p",
    "vp8": "-c:v libvpx -deadline realtime -cpu-used 16 -b:v 800k",
    "vp9": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 800k",
    "av1": "-c:v libsvtav1 -preset 12 -crf 20 -svtav1-params lookahead=8",
    "mjpeg": "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p",
    "pal8": "-c:v rawvideo -pix_fmt pal8",
    "gray": "-c:v rawvideo -pix_fmt gray",
}
AUDIO = {
    "aac": "-c:a aac -b:a 128k", "mp3": "-c:a libmp3lame -b:a 128k", "mp2": "-c:a mp2 -b:a 192k",
    "ac3": "-c:a ac3 -b:a 192k", "opus": "-c:a libopus -b:a 96k", "vorbis": "-c:a libvorbis -q:a 5",
    "flac": "-c:a flac", "pcm": "-c:a pcm_s16le",
}  # fmt: skip

_C, _B, _K = Joint.CONTINUED, Joint.BYTES, Joint.COPIED
_STREAM = {Change.SIZE: _C, Change.RATE: _C, Change.CHANNELS: _C, Change.JOIN: _B, Change.LOST: _C}
_SOUND = {Change.RATE: _B, Change.CHANNELS: _B, Change.JOIN: _B}
_BARE = {Change.SIZE: _B, Change.JOIN: _B}

FORMATS = (
    Format("ts", "h264", "aac", _STREAM | {Change.PROFILE: _C}),
    Format("ts", "hevc", "aac", _STREAM),
    Format("ts", "mpeg2video", "mp2", _STREAM),
    Format("ts", "h264", "ac3", {Change.SIZE: _C, Change.RATE: _C, Change.JOIN: _B}),
    Format("mpg", "mpeg2video", "mp2", {Change.JOIN: _B, Change.LOST: _C}, DELAYED),
    Format("mpg", "mpeg1video", "mp2", {Change.JOIN: _B}, DELAYED),
    Format("flv", "h264", "aac", _STREAM | {Change.PROFILE: _C}, DELAYED),
    Format("webm", "vp8", "opus", {Change.SIZE: _K}),
    Format("webm", "vp9", "opus", {Change.SIZE: _K}),
    Format("mkv", "av1", "flac", {Change.SIZE: _K}),
    Format("mkv", "h264", "opus", {Change.LOST: _C}),
    Format("mkv", "mjpeg", "pcm", {Change.SIZE: _K}),
    Format("mov", "mjpeg", "pcm", {Change.SIZE: _K}),
    Format("avi", "mjpeg", "pcm", {Change.SIZE: _K}),
    Format("avi", "h264", "mp3", {Change.LOST: _C}, DELAYED),
    Format("avi", "mpeg4", "mp3", {Change.LOST: _C}, DELAYED),
    Format("avi", "mpeg4p", "pcm", {Change.LOST: _C}),
    Format("avi", "pal8", "", {Change.PALETTE: _C}),
    Format("mov", "pal8", "", {Change.PALETTE: _C}),
    Format("mov", "gray", "", {Change.PALETTE: _C}),
    Format("h264", "h264", "", _BARE | {Change.PROFILE: _B}),
    Format("hevc", "hevc", "", _BARE),
    Format("m4v", "mpeg4", "", _BARE),
    Format("obu", "av1", "", _BARE),
    Format("mjpeg", "mjpeg", "", _BARE),
    Format("mp3", "", "mp3", _SOUND, DELAYED),
    Format("mp2", "", "mp2", _SOUND, DELAYED),
    Format("aac", "", "aac", _SOUND, DELAYED),
    Format("ac3", "", "ac3", _SOUND, DELAYED),
    Format("oga", "", "flac", {Change.JOIN: _B, Change.RATE: _B}),
    Format("ogg", "", "vorbis", {Change.JOIN: _B}),
    Format("opus", "", "opus", {Change.JOIN: _B}),
)
MEMBERS = tuple(
    Member(format_, change, gop)
    for format_ in FORMATS
    for change in format_.changes
    for gop in (GOPS if format_.video not in ("", "mjpeg", "pal8", "gray") else GOPS[:1])
)
LOST_PICTURES = 4


def every(decoders: tuple[int, ...] = (1, 2)) -> list[tuple[Member, int]]:
    """The whole product: each member with so many decoders (sound has one)."""
    return [(m, count) for m in MEMBERS for count in (decoders if m.format.video else decoders[:1])]


def pairwise() -> list[tuple[Member, int]]:
    """A few of the product such that each container and each codec meets each change, distance of keyframes
    and number of decoders that it can meet."""
    rows = [(_pairs(member, decoders), member, decoders) for member, decoders in every()]
    lacking = set().union(*(pairs for pairs, _, _ in rows))
    chosen = []
    while lacking:
        pairs, member, decoders = max(rows, key=lambda row: len(lacking & row[0]))
        lacking -= pairs
        chosen.append((member, decoders))
    return chosen


def _pairs(member: Member, decoders: int) -> set[tuple[object, object]]:
    form = member.format
    conditions = (member.change, f"gop {member.gop}", f"{decoders} decoders")
    named = (f".{form.suffix}", f"video {form.video}", f"audio {form.audio}")
    return {*itertools.product(named, conditions[:1]), *itertools.product(named[1:2], conditions[1:])} | {
        *itertools.product(conditions[:1], conditions[1:])
    }


def make(member: Member, folder: Path) -> Path:
    """Write the file.

    Raises:
        RuntimeError: ffmpeg cannot make it.
    """
    path = folder / member.name
    if member.change in (Change.LOST, Change.PALETTE):
        whole = folder / f"whole.{member.name}"
        _encode(member, whole, 0, 2, 0)
        drop = f"noise=drop=lt(n\\,{LOST_PICTURES})"
        lost = ["-bsf:v", drop] if member.change is Change.LOST else []
        ffmpeg("-i", whole, "-c", "copy", "-copyinkf", *lost, path)
        return path
    halves = [folder / f"{half}.{member.name}" for half in range(2)]
    for half, part in enumerate(halves):
        _encode(member, part, half, half + 1, 1 + HALF * half if member.joint is Joint.CONTINUED else 0)
    if member.joint is Joint.COPIED:
        listed = folder / f"{member.name}.txt"
        listed.write_text("".join(f"file '{part}'\n" for part in halves), encoding="utf-8")
        ffmpeg("-f", "concat", "-safe", 0, "-i", listed, "-c", "copy", path)
    else:
        skip = 13 if member.format.suffix == "flv" else 0  # its header belongs at the beginning only
        path.write_bytes(halves[0].read_bytes() + halves[1].read_bytes()[skip:])
    return path


def _encode(member: Member, path: Path, first: int, last: int, offset: float) -> None:
    """Halves `first` to `last`, exclusive, of the source."""
    arguments: list[object] = []
    stdin = None
    second = first == 1
    if member.format.video:
        width, height = SIZES[second and member.change is Change.SIZE]
        if member.change is Change.PALETTE:
            width, height = PALETTE_SIZE
        stdin = pictures(first * HALF * FPS, last * HALF * FPS, width, height)
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-framerate", FPS]
        arguments += [*raw, "-i", "-"]
    if member.format.audio:
        arguments += ["-i", _wav(member, path, first, last)]
    arguments += list(_options(member, second))
    if offset:
        arguments += ["-output_ts_offset", offset]
    ffmpeg(*arguments, path, stdin=stdin)


def _wav(member: Member, path: Path, first: int, last: int) -> Path:
    second = first == 1
    rates = (44_100, 48_000) if member.format.suffix != "flv" else (44_100, 22_050)
    usual = 44_100 if member.format.suffix == "flv" else 48_000
    rate = rates[second] if member.change is Change.RATE else usual
    channels = 1 + (second and member.change is Change.CHANNELS)
    wav = path.with_suffix(".wav")
    write_wav(wav, sound(rate)[first * HALF * rate : last * HALF * rate], rate, channels)
    return wav


def _options(member: Member, second: bool) -> Iterator[str]:
    if member.format.video:
        yield from VIDEO[member.format.video].format(gop=member.gop).split()
        yield from ("-g", str(member.gop))
        if member.change is Change.PROFILE:
            yield from ("-profile:v", "high" if second else "baseline")
            yield from ("-bf", "2" if second else "0")
    if member.format.audio:
        yield from AUDIO[member.format.audio].split()
    if member.format.suffix in ("m4v", "mjpeg"):
        yield from ("-f", member.format.suffix)
    if member.format.suffix == "mpg":
        yield from ("-f", "vob", "-muxrate", "4000000")
