"""What a worker sends back: a JSON header and raw arrays. No pickles come out of a process that read
hostile media.

    worker   header, small arrays ->                fills ->  "done"
    parent                        <- blocks of memory                reads the large arrays where they lie
"""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from decoders.processes import shared_memory
from decoders.timeline.windows import most_steps
from schemas.grid import FrameAt, Grid
from schemas.media import FILM_SIDE, DecodedAudio, DecodedClip, DecodedFilm, DecodedFrames, MediaInfo

Buffer = bytes | memoryview
LARGE = 1 << 20
MOST = 4 << 30  # bytes of a message; a worker may allocate less (decoders/limits.py)
MOST_TEXT = 64 << 20
MOST_BUFFERS = 1024
_PREFIX = struct.Struct("!I")  # bytes of JSON
_DONE, _FILES = b".", b"f"
MOST_FILES = 250  # descriptors of a message: Linux takes 253
_DTYPE = re.compile(r"[<>|][biuf][1248]")
_INFO = TypeAdapter(MediaInfo)
_INFO_FIELDS = [field.name for field in fields(MediaInfo)]


class BrokenMessageError(ConnectionAbortedError):
    """No worker of ours would send this: hostile media may have taken it over. It is to be ended."""


def send(connection: socket.socket, header: Mapping[str, Any], buffers: Sequence[Buffer] = ()) -> None:
    """One message, all of it through the connection.

    Raises:
        OSError: the other end is gone.
    """
    text = json.dumps({**header, "sizes": [len(buffer) for buffer in buffers]}).encode()
    connection.sendall(_PREFIX.pack(len(text)) + text)
    for buffer in buffers:
        connection.sendall(buffer)


def receive(connection: socket.socket, most: int = MOST) -> tuple[dict[str, Any], list[memoryview]]:
    """What `send` sent, of buffers with at most so many bytes each.

    Raises:
        EOFError: the other end is gone.
        TimeoutError: the connection's timeout passed.
        BrokenMessageError: not what `send` sends.
    """
    (text_size,) = _PREFIX.unpack(_receive(connection, _PREFIX.size))
    if text_size > MOST_TEXT:
        raise BrokenMessageError(f"a header of {text_size} bytes")
    try:
        header = json.loads(bytes(_receive(connection, text_size)))
    except (ValueError, RecursionError) as error:
        raise BrokenMessageError("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise BrokenMessageError("a header without names")
    return header, [_receive(connection, size) for size in _sizes(header.pop("sizes", None), most)]


def _sizes(given: object, most: int = MOST) -> list[int]:
    numbers = given if isinstance(given, list) else []
    sizes = [size for size in numbers if isinstance(size, int) and 0 <= size <= most]
    if not isinstance(given, list) or len(sizes) != len(given):
        raise BrokenMessageError("buffers without sizes")
    if len(sizes) > MOST_BUFFERS or sum(sizes) > MOST:
        raise BrokenMessageError(f"{len(sizes)} buffers of {sum(sizes)} bytes")
    return sizes


def seconds(header: Mapping[str, Any]) -> float:
    """How long the worker says that it has worked.

    Raises:
        BrokenMessageError: it does not say so.
    """
    given = header.get("busy_s")
    if not isinstance(given, float | int) or not 0 <= given < 1e9:
        raise BrokenMessageError("a message without its seconds")
    return float(given)


def send_files(connection: socket.socket, descriptors: Sequence[int]) -> None:
    """Open files, before the message that speaks of them.

    Raises:
        OSError: the other end is gone.
    """
    socket.send_fds(connection, [_FILES], descriptors)


def receive_files(connection: socket.socket) -> list[int]:
    """What `send_files` sent.

    Raises:
        EOFError: the other end is gone.
    """
    flag, descriptors, _, _ = socket.recv_fds(connection, len(_FILES), MOST_FILES)
    if not flag:
        raise EOFError
    return descriptors


def hand_over(connection: socket.socket, header: Mapping[str, Any], buffers: Sequence[Buffer] = ()) -> None:
    """One message to `take_over`; large buffers go into memory of the receiver's.

    Raises:
        ConnectionError: the other end is gone.
    """
    large = [buffer for buffer in buffers if len(buffer) >= LARGE]
    places = [len(buffer) if len(buffer) >= LARGE else 0 for buffer in buffers]
    send(connection, {**header, "shared": places}, [buffer for buffer in buffers if len(buffer) < LARGE])
    if not large:
        return
    _, blocks, _, _ = socket.recv_fds(connection, 1, len(large))
    if len(blocks) < len(large):
        raise ConnectionAbortedError("the other end is gone")
    for block, buffer in zip(blocks, large, strict=True):
        shared_memory.fill(block, buffer)
        os.close(block)
    connection.sendall(_DONE)


def take_over(connection: socket.socket) -> tuple[dict[str, Any], list[memoryview]]:
    """What `hand_over` sent. Every large array lies in memory of its own: sound that waits for a full batch
    does not keep its clip's frames.

    Raises:
        EOFError: the other end is gone.
        TimeoutError: the connection's timeout passed.
        OSError: no memory for the arrays; a BrokenMessageError.
    """
    header, small = receive(connection, LARGE)
    places, blocks = _sizes(header.pop("shared", None)), []
    if places.count(0) != len(small):
        raise BrokenMessageError(f"{len(small)} small buffers, where {places.count(0)} are said to be")
    try:
        for size in filter(None, places):
            blocks.append(shared_memory.create(size))
        if blocks:
            socket.send_fds(connection, [_DONE], blocks)
            _receive(connection, len(_DONE))
        inline, filled = iter(small), iter(blocks)
        return header, [shared_memory.read(next(filled), size) if size else next(inline) for size in places]
    finally:
        for block in blocks:
            os.close(block)


def _receive(connection: socket.socket, size: int) -> memoryview:
    data = memoryview(bytearray(size))
    have = 0
    while have < size:
        count = connection.recv_into(data[have:])
        if not count:
            raise EOFError
        have += count
    return data


def pack_clip(clip: DecodedClip) -> tuple[dict[str, Any], list[Buffer]]:
    """Header and buffers of a clip; its grid is not sent."""
    header: dict[str, Any] = {
        "remarks": [part.remarks if part else () for part in (clip.frames, clip.audio)],
        "columns": None,
        "audio": clip.audio is not None,
        "film": clip.film is not None,
    }
    buffers: list[Buffer] = []
    if clip.frames is not None:
        buffers += [_raw(clip.frames.frame_of_step), _raw(clip.frames.pts_ns)]
        header["columns"] = {}
        for name, column in clip.frames.prepared.items():
            if isinstance(column, list):
                header["columns"][name] = {"items": [len(item) for item in column]}
                buffers.append(b"".join(column))
            else:
                header["columns"][name] = {"dtype": column.dtype.str, "shape": column.shape}
                buffers.append(_raw(column))
    if clip.audio is not None:
        buffers += [_raw(clip.audio.waveform), _raw(clip.audio.mask)]
    if clip.film is not None:
        buffers += [_raw(clip.film.frames), _raw(clip.film.pts_ns)]
    return header, buffers


def unpack_clip(grid: Grid, header: Mapping[str, Any], buffers: list[memoryview]) -> DecodedClip:
    """The clip that `pack_clip` was given; arrays are read-only views of the received bytes.

    Raises:
        BrokenMessageError: not what `pack_clip` gives for that grid.
    """
    try:
        clip = _unpacked(grid, header, buffers)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration, OverflowError) as error:
        raise BrokenMessageError(f"a clip that cannot be read: {error}") from error
    if clip.audio is not None and clip.audio.mask.shape != (grid.steps,):
        raise BrokenMessageError("a clip of another length")
    if clip.frames is not None:
        steps = len(clip.frames.frame_of_step)
        fits = 0 < steps <= most_steps(grid.span) if grid.frame_at is FrameAt.FAVOR else steps == grid.steps
        if not fits or clip.frames.pts_ns.shape != (steps,):
            raise BrokenMessageError("a clip of another length")
        last = int(clip.frames.frame_of_step.max(initial=-1))
        if any(len(column) <= last for column in clip.frames.prepared.values()):
            raise BrokenMessageError("steps that show frames which are not there")
    return clip


def _unpacked(grid: Grid, header: Mapping[str, Any], buffers: list[memoryview]) -> DecodedClip:
    rest = iter(buffers)
    frames = audio = None
    of_frames, of_audio = map(tuple, header["remarks"])
    if header["columns"] is not None:
        frame_of_step, pts_ns = np.frombuffer(next(rest), np.int32), np.frombuffer(next(rest), np.int64)
        prepared: dict[str, npt.NDArray[np.generic] | list[bytes]] = {}
        for name, column in header["columns"].items():
            if "items" in column:
                prepared[name] = _items(next(rest), column["items"])
            else:
                prepared[name] = _array(next(rest), column["dtype"], column["shape"])
        frames = DecodedFrames(frame_of_step, pts_ns, prepared, of_frames)
    if header["audio"]:
        waveform, mask = np.frombuffer(next(rest), np.float32), np.frombuffer(next(rest), np.uint8)
        audio = DecodedAudio(waveform, mask, of_audio)
    film = None
    if header["film"]:
        small, shown_ns = np.frombuffer(next(rest), np.uint8), np.frombuffer(next(rest), np.int64)
        film = DecodedFilm(small.reshape(shown_ns.size, FILM_SIDE, FILM_SIDE), shown_ns)
    return DecodedClip(grid, frames, audio, film)


def _array(data: memoryview, dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
    if not _DTYPE.fullmatch(dtype):  # numpy evaluates others as Python
        raise ValueError(f"no type of numbers: {dtype!r}")
    return np.frombuffer(data, np.dtype(dtype)).reshape(shape)


def _items(joined: memoryview, sizes: Sequence[int]) -> list[bytes]:
    ends = itertools.accumulate(sizes)
    return [bytes(joined[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _raw(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def pack_info(info: MediaInfo) -> dict[str, Any]:
    """A header."""
    return asdict(info)


def unpack_info(header: Mapping[str, Any]) -> MediaInfo:
    """The info that `pack_info` was given.

    Raises:
        BrokenMessageError: not what `pack_info` gives.
    """
    try:
        return _INFO.validate_python({name: header[name] for name in _INFO_FIELDS})
    except (KeyError, ValueError) as error:
        raise BrokenMessageError("an info that cannot be read") from error
