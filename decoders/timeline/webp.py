"""Animated WebP, which FFmpeg does not read: when each of its frames is on screen (RFC 9649, 2.7.1)."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np

from decoders.limits import Limits
from decoders.timeline.files import MediaFile, opened
from decoders.timeline.track import Track
from schemas.reasons import MediaError, Reason

CODEC = "webp"
_HASTY_MS, _USUAL_MS = 10, 100  # shorter than this browsers show a frame for the other


def is_animated(head: bytes) -> bool:
    """Whether a file's first bytes are those of an animated WebP (the flag of its VP8X chunk)."""
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)


def read_track(media: MediaFile, limits: Limits) -> Track:
    """Its frames, from the chunks' headers; none is decoded.

    Raises:
        MediaError: corrupt, without a frame; too_large.
    """
    durations = []
    with opened(media) as descriptor, open(descriptor, "rb", closefd=False) as file:
        file.seek(12)
        while len(chunk := file.read(8)) == 8:
            kind, size = struct.unpack("<4sI", chunk)
            body = file.tell()
            if kind == b"ANMF":
                fields = file.read(16)
                duration = int.from_bytes(fields[12:15], "little")
                durations.append(_USUAL_MS if duration <= _HASTY_MS else duration)
            if len(durations) > limits.packets:
                raise MediaError(Reason.TOO_LARGE, f"more than {limits.packets} packets")
            file.seek(body + size + size % 2)
    if not durations:
        raise MediaError(Reason.CORRUPT, "an animation without a frame")
    lasting = np.array(durations, np.int64)
    count = len(durations)
    return Track(
        index=0,
        time_base=Fraction(1, 1000),
        pts=np.cumsum(lasting) - lasting,
        duration=lasting,
        discard=np.zeros(count, np.bool_),
        starts=np.arange(count) == 0,
        layer=np.zeros(count, np.uint8),
        codec=CODEC,
        intra_only=False,
        start=Fraction(0),
        end=Fraction(int(lasting.sum()), 1000),
        frame_ticks=int(np.median(lasting)),
        moved=0,
        shift=np.zeros(count, np.int64),
        carries=np.zeros(count, np.bool_),
        ordered=False,
        ranked=False,
        whole_from=0,
    )
