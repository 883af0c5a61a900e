"""What a worker sends back: a JSON header and raw arrays. No pickles come out of a process that read
hostile media."""

from __future__ import annotations

import json
import mmap
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.grid import Grid
from schemas.media import AudioStream, DecodedAudio, DecodedClip, DecodedFrames, MediaInfo, VideoStream

Buffer = bytes | memoryview
LARGE = 1 << 20
_PREFIX = struct.Struct("!I")  # bytes of JSON


def send(connection: socket.socket, header: Mapping[str, Any], buffers: list[Buffer] | None = None) -> None:
    """One message.

    Raises:
        OSError: the other end is gone.
    """
    buffers = buffers or []
    text = json.dumps({**header, "sizes": [len(buffer) for buffer in buffers]}).encode()
    connection.sendall(_PREFIX.pack(len(text)) + text)
    for buffer in buffers:
        connection.sendall(buffer)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[memoryview]]:
    """One message and its arrays' bytes.

    Raises:
        EOFError: the other end is gone.
        TimeoutError: the connection's timeout passed.
    """
    (text_size,) = _PREFIX.unpack(_receive(connection, _PREFIX.size))
    header = json.loads(bytes(_receive(connection, text_size)))
    # Memory of their own: sound that waits for a full batch must not keep the clip's frames.
    return header, [_receive(connection, size) for size in header.pop("sizes")]


def _receive(connection: socket.socket, size: int) -> memoryview:
    # Mapped, so that the system has it back at once: freed among small blocks it stays with the process.
    data = memoryview(mmap.mmap(-1, size) if size >= LARGE else bytearray(size))
    have = 0
    while have < size:
        count = connection.recv_into(data[have:])
        if not count:
            raise EOFError
        have += count
    return data


def pack_clip(clip: DecodedClip) -> tuple[dict[str, Any], list[Buffer]]:
    """Header and buffers of a clip; its grid is not sent."""
    header: dict[str, Any] = {"warnings": clip.warnings, "columns": None, "audio": clip.audio is not None}
    buffers: list[Buffer] = []
    if clip.frames is not None:
        buffers += [_raw(clip.frames.frame_of_step), _raw(clip.frames.pts_ns)]
        header["columns"] = {}
        for name, column in clip.frames.prepared.items():
            if isinstance(column, list):
                header["columns"][name] = {"items": len(column)}
                buffers += column
            else:
                header["columns"][name] = {"dtype": column.dtype.str, "shape": column.shape}
                buffers.append(_raw(column))
    if clip.audio is not None:
        buffers += [_raw(clip.audio.waveform), _raw(clip.audio.mask)]
    return header, buffers


def unpack_clip(grid: Grid, header: Mapping[str, Any], buffers: list[memoryview]) -> DecodedClip:
    """The clip that `pack_clip` was given; arrays are views of the received bytes."""
    rest = iter(buffers)
    frames = audio = None
    if header["columns"] is not None:
        frame_of_step, pts_ns = np.frombuffer(next(rest), np.int32), np.frombuffer(next(rest), np.int64)
        prepared: dict[str, npt.NDArray[np.generic] | list[bytes]] = {}
        for name, column in header["columns"].items():
            if "items" in column:
                prepared[name] = [bytes(next(rest)) for _ in range(column["items"])]
            else:
                prepared[name] = np.frombuffer(next(rest), np.dtype(column["dtype"])).reshape(column["shape"])
        frames = DecodedFrames(frame_of_step, pts_ns, prepared)
    if header["audio"]:
        audio = DecodedAudio(np.frombuffer(next(rest), np.float32), np.frombuffer(next(rest), np.uint8))
    return DecodedClip(grid, frames, audio, tuple(header["warnings"]))


def _raw(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def pack_info(info: MediaInfo) -> dict[str, Any]:
    """A header."""
    return asdict(info)


def unpack_info(header: Mapping[str, Any]) -> MediaInfo:
    """The info that `pack_info` was given."""
    size = header["image_size"]
    return MediaInfo(
        header["container"],
        header["duration_ns"],
        VideoStream(**header["video"]) if header["video"] else None,
        AudioStream(**header["audio"]) if header["audio"] else None,
        (size[0], size[1]) if size else None,
    )
