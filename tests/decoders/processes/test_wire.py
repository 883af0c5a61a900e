"""A worker that hostile media took over ends as one that crashed, whatever it sends."""

from __future__ import annotations

import json
import socket
import struct

import numpy as np
import pytest

from decoders.processes import wire
from schemas.grid import STEP_NS, Grid, Span
from schemas.media import DecodedClip, DecodedFrames, MediaInfo

GRID = Grid(Span(0, 2 * STEP_NS))


def taken(content: bytes) -> tuple[dict[str, object], list[memoryview]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        return wire.take_over(ours)


def message(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("!I", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xff\xff\xff",
        struct.pack("!I", 3) + b"{,}",
        struct.pack("!I", 20_000) + b"[" * 20_000,
        message([]),
        message({"shared": []}),
        message({"sizes": [1 << 40], "shared": [0]}),
        message({"sizes": [1444444444], "shared": [0]}),
        message({"sizes": [-1], "shared": [0]}),
        message({"sizes": [], "shared": [0]}),
        message({"sizes": [], "shared": "12"}),
    ],
)
def test_what_no_worker_sends_is_known(content: bytes) -> None:
    with pytest.raises(wire.BrokenMessageError):
        taken(content)


def test_a_clip_must_fit_its_grid() -> None:
    frames = DecodedFrames(np.array([0, 1], np.int32), np.array([0, 5]), {"x": np.zeros((2, 3), np.uint8)})
    header, buffers = wire.pack_clip(DecodedClip(GRID, frames, None))
    given = [memoryview(buffer) for buffer in buffers]
    assert wire.unpack_clip(GRID, header, given).frames is not None
    with pytest.raises(wire.BrokenMessageError, match="another length"):
        wire.unpack_clip(Grid(Span(0, 3 * STEP_NS)), header, given)
    one = {**header, "columns": {"x": {"dtype": "|u1", "shape": [1, 6]}}}
    with pytest.raises(wire.BrokenMessageError, match="not there"):
        wire.unpack_clip(GRID, one, given)
    for lie in ({"columns": {"x": {"dtype": "|01", "shape": [2, 3]}}}, {"columns": 5}, {"audio": True}):
        with pytest.raises(wire.BrokenMessageError):
            wire.unpack_clip(GRID, {**header, **lie}, given)
    with pytest.raises(wire.BrokenMessageError):
        wire.unpack_info({**wire.pack_info(MediaInfo("mov", 5)), "duration_ns": "long"})
