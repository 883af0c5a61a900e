"""What each fuzzer feeds. A target returns, or raises what its docstring allows; anything else is a find."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np

from benchmarks.fuzz.held import Held
from decoders.limits import Limits
from decoders.probe import probe
from decoders.processes import wire
from decoders.streams.formats import is_motion_jpeg, looks_like_image
from decoders.timeline import webp
from decoders.timeline.bitstream import TYPED, picture_type, sample_rate
from decoders.timeline.headers import Headers
from decoders.timeline.joins import NO_PTS, Packets, find_joins
from decoders.timeline.programs import programs
from schemas.grid import STEP_NS, Grid, Span
from schemas.reasons import MediaError

CODECS = ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "aac", "flac", "mp3", "ac3")
LIMITS = Limits(packets=20_000, duration_s=3600)
GRID = Grid(Span(0, 4 * STEP_NS))


def bitstream(data: bytes) -> None:
    """A codec and packets of it, and files of our own parsers'. Allows MediaError."""
    if len(data) < 4:
        return
    codec, length_size, rest = CODECS[data[0] % len(CODECS)], data[1] % 5, data[2:]
    size = 1 + rest[0]
    headers = Headers(codec, rest[:size], length_size)
    for start in range(size, len(rest), size):
        packet = av.Packet(rest[start : start + size])
        headers.suffice(packet)
        sample_rate(codec, packet)
        if codec in TYPED:
            picture_type(codec, packet)
    _joins(rest)
    with Held(data[1:]) as path, suppress(MediaError):
        programs(path)
        if looks_like_image(data[1:]):
            is_motion_jpeg(path, data[1:])
        if webp.is_animated(data[1:]):
            webp.read_track(path, LIMITS)


def _joins(data: bytes) -> None:
    """Timestamps as they come: parts are found in time that grows with the file, and cover all of it."""
    numbers = np.frombuffer(data[: len(data) // 8 * 8], np.int64) >> 8  # as far as a scan lets them go
    count = len(numbers) // 4
    if not count:
        return
    columns = [np.array(numbers[row * count : (row + 1) * count]) for row in range(4)]
    columns[1][::3] = NO_PTS
    arrival, shown = np.arange(count), np.ones(count, np.bool_)
    streams = [
        Packets(arrival * 2 + row, columns[row], columns[1], np.abs(columns[2]) >> 16, shown, base, bool(row))
        for row, base in enumerate((Fraction(1, 90_000), Fraction(1, 48_000)))
    ]
    found = find_joins(streams, clocks_may_jump=bool(data[0] & 1))
    assert all(len(pts) == count for pts in found.pts)


def edit_list(data: bytes) -> None:
    """A small MP4 with an edit list, some of whose header's bytes are others. Allows MediaError."""
    content = bytearray(SEED)
    for start in range(0, len(data) - 2, 3):
        place, value = struct.unpack_from(">HB", data, start)
        content[HEADER + place % (len(content) - HEADER)] = value
    with Held(bytes(content)) as path, suppress(MediaError):
        probe(path, LIMITS)


def message(data: bytes) -> None:
    """What a worker that is no longer ours sends: a header, a zero byte, buffers. Allows the ends that the
    pool takes for a worker's death."""
    text, _, rest = data.partition(b"\0")
    sent = struct.pack("!I", len(text)) + text + rest
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.setblocking(False)
        with suppress(BlockingIOError):
            theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with suppress(EOFError, wire.BrokenMessageError, ConnectionError, TimeoutError):
            header, buffers = wire.take_over(ours)
            (wire.unpack_info if header.get("kind") == "info" else _clip(buffers))(header)


def _clip(buffers: list[memoryview]) -> Callable[[dict[str, object]], object]:
    return lambda header: wire.unpack_clip(GRID, header, buffers)


def seed() -> tuple[bytes, int]:
    """An MP4 of half a second that begins with an edit, its header at the end, and where that begins."""
    import tempfile
    from pathlib import Path

    from benchmarks.flashes import ffmpeg

    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole.mp4", Path(folder) / "cut.mp4"
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=32x32:d=0.6:r=10", "-f", "lavfi", "-i", "sine=d=0.6",
               "-c:v", "libx264", "-bf", 2, "-c:a", "aac", whole)  # fmt: skip
        ffmpeg("-ss", 0.25, "-i", whole, "-c", "copy", cut)
        content = cut.read_bytes()
    return content, content.rindex(b"moov") - 4


SEED, HEADER = seed()
TARGETS = {"bitstream": bitstream, "edit_list": edit_list, "message": message}
